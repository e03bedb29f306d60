"""Hidden rows and merged cells of a sheet in XML, which the cells themselves do not show.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from worker.stages.reading.workbooks.child_protocol import MOST_NAMED, Answer

HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*\bhidden=[\"'](?:1|true)[\"']")
MERGED = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*\bref=[\"']([A-Z]+\d+:[A-Z]+\d+)[\"']")
BLOCK = 1 << 20
LONGEST_TAG = 1 << 10


def marks_of(archive: zipfile.ZipFile, part: str) -> Answer:
    """Return the hidden rows and merged cells of a sheet."""
    seen = Seen()
    with archive.open(part) as sheet:
        for text in _overlapping(sheet):
            seen.add(text)
    return seen.answer()


@dataclass
class Seen:
    """The count of hidden rows, and the merged cells of a sheet."""

    hidden: int = 0
    merged: list[str] = field(default_factory=list)

    def add(self, text: bytes) -> None:
        """Count the marks in a section of the sheet's text that begins and ends between two tags."""
        # Plain substring searches first: applying the patterns to every byte of a large sheet takes longer than reading
        # it.
        self.hidden += len(HIDDEN_ROW.findall(text)) if b"hidden=" in text else 0
        self.merged += [ref.decode() for ref in MERGED.findall(text)] if b"mergeCell" in text else []

    def answer(self) -> Answer:
        """Return the fields for the response."""
        return {"hidden_rows": self.hidden, "merged": self.merged[:MOST_NAMED], "merged_count": len(self.merged)}


def _overlapping(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file block by block; a tag that a block ends in goes to the next block."""
    rest = b""
    while block := file.read(BLOCK):
        text = rest + block
        begins = text.rfind(b"<", max(0, len(text) - LONGEST_TAG))
        rest = text[begins:] if begins >= 0 else b""
        yield text[:begins] if begins >= 0 else text
    yield rest
