"""Hidden rows and merged cells of a sheet in XML, which the cells themselves do not show.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from typing import IO

from worker.stages.reading.workbooks.child_protocol import MOST_NAMED, Answer

HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*\bhidden=[\"'](?:1|true)[\"']")
MERGED = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*\bref=[\"']([A-Z]+\d+:[A-Z]+\d+)[\"']")
BLOCK = 1 << 20
LONGEST_TAG = 1 << 10


def marks_of(archive: zipfile.ZipFile, part: str) -> Answer:
    """Return the response's fields about the hidden rows and merged cells of a sheet."""
    hidden, merged = 0, list[str]()
    with archive.open(part) as sheet:
        for text in _overlapping(sheet):
            # Plain substring searches first: applying the patterns to every byte of a large sheet takes longer than
            # reading it.
            hidden += len(HIDDEN_ROW.findall(text)) if b"hidden=" in text else 0
            merged += [ref.decode() for ref in MERGED.findall(text)] if b"mergeCell" in text else []
    return {"hidden_rows": hidden, "merged": merged[:MOST_NAMED], "merged_count": len(merged)}


def _overlapping(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file block by block; a tag that a block ends in goes to the next block."""
    rest = b""
    while block := file.read(BLOCK):
        text = rest + block
        begins = text.rfind(b"<", max(0, len(text) - LONGEST_TAG))
        rest = text[begins:] if begins >= 0 else b""
        yield text[:begins] if begins >= 0 else text
    yield rest
