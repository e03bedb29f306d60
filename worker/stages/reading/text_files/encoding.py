"""Detect the encoding of a text file and provide the text as UTF-8, streaming.

Holds at most one block in memory and never replaces a character: bytes that cannot be decoded are a fault.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from schemas.codes import Code
from worker.stages.reading.model import fault
from worker.stages.reading.sniff import HEAD, wide_encoding_of
from worker.stages.reading.text_files import mixed_encodings

BLOCK = 1 << 20
NAMES = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
    "cp1252": "Windows-1252",
}


@dataclass(frozen=True)
class Text:
    """UTF-8 text between two byte offsets of a file.

    `encoding` is the encoding of the upload; `quotes` is the count of `"`.
    """

    path: Path
    start: int
    end: int
    encoding: str
    quotes: int
    notes: tuple[str, ...] = ()


def open_text(path: Path, folder: Path, encoding: str | None = None) -> Text:
    """Return the file's text; other encodings than UTF-8 are converted into a file in `folder`.

    `encoding` is the codec name if the uploader chose one. Raises `FileFault` BAD_ENCODING.
    """
    if encoding is not None and codecs.lookup(encoding).name != "utf-8":
        return _recode(path, folder, encoding, skip=0)
    with path.open("rb") as file:
        head = file.read(HEAD)
    if encoding is None and (wide := wide_encoding_of(head)):
        return _recode(path, folder, wide[0], skip=wide[1])
    bom = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    quotes, bad_line = _scan(path)
    if not bad_line:
        return Text(path, bom, end_of(path), "utf-8", quotes)
    if bom or encoding:
        _undecodable(bad_line, "UTF-8")
    return _partly_utf8(path, folder)


def _partly_utf8(path: Path, folder: Path) -> Text:
    """Decode a file that is not valid UTF-8 line by line, as some lines may be. Raises `FileFault` BAD_ENCODING."""
    with path.open("rb") as file:
        lines = mixed_encodings.count(file)
    first = lines.first_other
    if not lines.are_mixed:
        note = f"The text is not UTF-8 (line {first:,}); it was read as Windows-1252."
        return _recode(path, folder, mixed_encodings.FALLBACK, skip=0, notes=(note,))
    subject = "Line {first:,} is" if lines.other == 1 else "{others:,} lines, the first of them line {first:,}, are"
    note = f"{subject.format(first=first, others=lines.other)} not UTF-8 like the rest of the text but Windows-1252."
    target = folder / "text.utf8"
    quotes = done = 0
    with path.open("rb") as source, target.open("wb") as sink:
        try:
            for text in mixed_encodings.decoded(source):
                quotes += text.count('"')
                sink.write(text.encode())
                done += 1
        except UnicodeDecodeError:
            _undecodable(done + 1, NAMES[mixed_encodings.FALLBACK])
    return Text(target, 0, end_of(target), "utf-8", quotes, (note,))


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(BLOCK), b"")


def _scan(path: Path) -> tuple[int, int]:
    """Return the count of quotation marks, and the line of the first byte that is not UTF-8, or 0."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    quotes = done = 0
    with path.open("rb") as file:
        for block in _blocks(file):
            try:
                if not block.isascii() or decoder.getstate()[0]:
                    decoder.decode(block)
            except UnicodeDecodeError as error:
                # The decoder prepends the undecoded rest of the previous block to this one.
                return quotes, _line_at(path, done + len(block) - len(error.object) + error.start)
            quotes += block.count(b'"')
            done += len(block)
    return quotes, _line_at(path, done) if decoder.getstate()[0] else 0


def _line_at(path: Path, offset: int) -> int:
    """Return the line number of a byte; counted only for a byte at fault."""
    with path.open("rb") as file:
        return 1 + sum(file.read(min(BLOCK, offset - start)).count(b"\n") for start in range(0, offset, BLOCK))


def _recode(path: Path, folder: Path, encoding: str, *, skip: int, notes: tuple[str, ...] = ()) -> Text:
    decoder = codecs.getincrementaldecoder(encoding)()
    target = folder / "text.utf8"
    quotes = lines = 0
    with path.open("rb") as source, target.open("wb") as sink:
        source.seek(skip)
        try:
            for block in _blocks(source):
                text = decoder.decode(block)
                quotes += text.count('"')
                lines += text.count("\n")
                sink.write(text.encode())
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, "replace")
            _undecodable(lines + 1 + before.count("\n"), NAMES.get(encoding, encoding))
    return Text(target, 0, end_of(target), encoding, quotes, notes)


def _undecodable(line: int, encoding: str) -> None:
    detail = f"Line {line:,} contains bytes that are not valid {encoding}."
    fault(Code.BAD_ENCODING, detail, line=line, encoding=encoding)


def end_of(path: Path) -> int:
    """Return the offset where the text ends, with one line end: empty lines after the last row are not rows."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        while end:
            start = max(0, end - HEAD)
            file.seek(start)
            kept = file.read(end - start).rstrip(b"\r\n")
            if kept:
                end = start + len(kept)
                break
            end = start
        file.seek(end)
        line_end = file.read(2)
    return end + (2 if line_end == b"\r\n" else min(1, len(line_end)))
