"""Decode text with some lines in UTF-8 and others in Windows-1252, such as files merged from two exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

BLOCK = 1 << 20
LONGEST_LINE = 1 << 22  # longer ones are decoded in parts; the reader refuses them anyway
FALLBACK = "cp1252"
# Two characters of Windows-1252, such as “ß–”, can form a valid UTF-8 character, but one of a script that such files do
# not use (Syriac, Thaana, N'Ko). If very few of the non-ASCII lines are valid UTF-8, they count as such coincidences.
_IMPLAUSIBLE = range(0x700, 0x800)
_COINCIDENCES = 20  # lines that are not UTF-8, per line that is


@dataclass
class Lines:
    """Counts of non-ASCII lines: valid UTF-8, and not UTF-8 (`other`), with the line number of the first of those."""

    utf8: int = 0
    other: int = 0
    first_other: int = 0

    @property
    def are_mixed(self) -> bool:
        return self.utf8 > 0 and self.other <= self.utf8 * _COINCIDENCES


def count(file: IO[bytes]) -> Lines:
    """Count the lines from the file's position on."""
    lines = Lines()
    for number, line in enumerate(_lines(file), start=1):
        if line.isascii():
            continue
        text = _utf8(line)
        if text is None:
            lines.other += 1
            lines.first_other = lines.first_other or number
        elif any(ord(char) > 0x7F and ord(char) not in _IMPLAUSIBLE for char in text):  # noqa: PLR2004  beyond ASCII
            lines.utf8 += 1
    return lines


def decoded(file: IO[bytes]) -> Iterator[str]:
    """Yield the lines, each decoded as UTF-8 if valid, else as Windows-1252.

    Raises `UnicodeDecodeError` for a byte that Windows-1252 does not have either.
    """
    for line in _lines(file):
        text = _utf8(line)
        yield line.decode(FALLBACK) if text is None else text


def _utf8(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    r"""Yield lines with their line ends, which are \n, \r or \r\n."""
    rest = b""
    while block := file.read(BLOCK):
        *lines, rest = (rest + block).splitlines(keepends=True)
        # A carriage return at the end of a block may be half of a line end.
        yield from lines
        if len(rest) > LONGEST_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest
