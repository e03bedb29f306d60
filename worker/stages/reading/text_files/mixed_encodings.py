"""Decodes text in which some lines are UTF-8 and others Windows-1252, as files pasted together from two exports are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

BLOCK = 1 << 20
LONGEST_LINE = 1 << 22  # a longer one is decoded in parts; the reader refuses it anyway
FALLBACK = "cp1252"
# Two letters and signs of Windows-1252, such as “ß–”, may be a character of UTF-8 too: one that no such file has
# (Syriac, Thaana, N'Ko). Where hardly any line is UTF-8 and more than ASCII, those are taken for such coincidences.
_IMPLAUSIBLE = range(0x700, 0x800)
_COINCIDENCES = 20  # lines that are not UTF-8, for each that is


@dataclass
class Lines:
    """How many lines are UTF-8 and more than ASCII, how many are no UTF-8, and the number of the first of those."""

    utf8: int = 0
    other: int = 0
    first_other: int = 0

    @property
    def are_mixed(self) -> bool:
        return self.utf8 > 0 and self.other <= self.utf8 * _COINCIDENCES


def count(file: IO[bytes]) -> Lines:
    """Look at every line from the file's position on."""
    found = Lines()
    for number, line in enumerate(_lines(file), start=1):
        if line.isascii():
            continue
        text = _utf8(line)
        if text is None:
            found.other += 1
            found.first_other = found.first_other or number
        elif any(ord(char) > 0x7F and ord(char) not in _IMPLAUSIBLE for char in text):  # noqa: PLR2004  beyond ASCII
            found.utf8 += 1
    return found


def decoded(file: IO[bytes]) -> Iterator[str]:
    """The lines, each as UTF-8 if it is. `UnicodeDecodeError` for a byte that Windows-1252 does not have either."""
    for line in _lines(file):
        text = _utf8(line)
        yield line.decode(FALLBACK) if text is None else text


def _utf8(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    r"""Lines with their ends, which are \n, \r or \r\n."""
    rest = b""
    while block := file.read(BLOCK):
        *lines, rest = (rest + block).splitlines(keepends=True)
        # A return at the end of a block may be the first half of a line end.
        yield from lines
        if len(rest) > LONGEST_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest
