"""What the cells of a sheet in XML do not tell: which rows are hidden, which cells are merged.

Loaded inside the limited child (`child.py`) too, so it imports nothing of this project but its neighbours.
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


def look_at(archive: zipfile.ZipFile, part: str) -> Answer:
    """Return what a sheet's cells do not tell."""
    seen = Seen()
    with archive.open(part) as sheet:
        for text in _overlapping(sheet):
            seen.add(text)
    return seen.told()


@dataclass
class Seen:
    """How many rows of a sheet are hidden, and which cells are merged."""

    hidden: int = 0
    merged: list[str] = field(default_factory=list)

    def add(self, text: bytes) -> None:
        """Count what is in a part of the sheet's text that begins and ends between two tags."""
        # Plain searches first: on every byte of a large sheet the patterns take longer than reading it.
        self.hidden += len(HIDDEN_ROW.findall(text)) if b"hidden=" in text else 0
        self.merged += [ref.decode() for ref in MERGED.findall(text)] if b"mergeCell" in text else []

    def told(self) -> Answer:
        """As the answer has it."""
        return {"hidden_rows": self.hidden, "merged": self.merged[:MOST_NAMED], "merged_count": len(self.merged)}


def _overlapping(file: IO[bytes]) -> Iterator[bytes]:
    """A file block by block; a tag that a block ends within goes to the next."""
    rest = b""
    while block := file.read(BLOCK):
        text = rest + block
        begins = text.rfind(b"<", max(0, len(text) - LONGEST_TAG))
        rest = text[begins:] if begins >= 0 else b""
        yield text[:begins] if begins >= 0 else text
    yield rest
