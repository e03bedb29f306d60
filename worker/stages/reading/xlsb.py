"""What is to be known of a binary workbook before the library reads it, and how its sheets are made fit for that.

Records of [MS-XLSB]: a kind, a size, a payload. The library passes over cells whose record leaves out the column, as
SheetJS writes them; they are given one.
Loaded inside the limited child (`child.py`) too, so it imports nothing of this project but its neighbours.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

from worker.stages.reading.order import Tab
from worker.stages.reading.package import Package, tab_of

BUNDLE_SHEET = 0x9C
WORKBOOK_PROPERTIES = 0x99
ROW = 0x00
BLANK = 0x01
CELLS = frozenset({*range(1, 12), 62})  # from BrtCellBlank to BrtFmlaError, and BrtCellRString
SHORT_CELLS = range(12, 19)  # the same without a column: it is the one behind the last cell's
SHORTER_BY = 11  # what the numbers of the two kinds of records differ by
MORE = 0x80
NO_TEXT = 0xFFFF_FFFF


def tabs(package: Package) -> list[Tab]:
    """Return the sheets of a binary workbook, in their order."""
    related = package.relationships(package.main)
    found = list[Tab]()
    for kind, payload in _records(package.archive.read(package.main)):
        if kind == BUNDLE_SHEET:
            part, begin = _wide(payload, 8)
            name, _ = _wide(payload, begin)
            found.append(tab_of(name, not payload[0] & 3, related.get(part)))
    return found


def is_1904(package: Package) -> bool:
    """Whether the workbook counts its days from 1904."""
    properties = (
        payload for kind, payload in _records(package.archive.read(package.main)) if kind == WORKBOOK_PROPERTIES
    )
    return any(payload[0] & 1 for payload in properties if payload)


def has_short_cells(package: Package, part: str) -> bool:
    """Whether the column of a cell is left out; every record is looked at, so nothing is done twice here."""
    sheet = package.archive.read(part)
    place, end = 0, len(sheet)
    while place < end:
        kind = sheet[place]
        place += 1
        if kind & MORE:
            place += 1
        elif kind in SHORT_CELLS:
            return True
        size = shift = 0
        while place < end:
            byte = sheet[place]
            place += 1
            size |= (byte & 0x7F) << shift
            if byte < MORE:
                break
            shift += 7
        place += size
    return False


def write_with_columns(package: Package, part: str, target: Path) -> None:
    """Write the workbook to `target`, with a column in every cell of the sheet."""
    with zipfile.ZipFile(target, "w") as book:
        for entry in package.archive.infolist():
            content = package.archive.read(entry)
            book.writestr(entry.filename, b"".join(_widened(content)) if entry.filename == part else content)


def first_column(package: Package, part: str) -> int:
    """Return the first column, from 0, that has a cell with a value."""
    records = _records(package.archive.read(part))
    columns = (struct.unpack_from("<I", payload)[0] for kind, payload in records if kind in CELLS and kind != BLANK)
    return min(columns, default=0)


def _widened(sheet: bytes) -> Iterator[bytes]:
    column = -1
    for kind, payload in _records(sheet):
        record, content = kind, payload
        if kind == ROW:
            column = -1
        elif kind in CELLS:
            column = struct.unpack_from("<I", payload)[0]
        elif kind in SHORT_CELLS:
            column += 1
            record, content = kind - SHORTER_BY, struct.pack("<I", column) + payload
        yield _varint(record) + _varint(len(content)) + content


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(content):
        kind, place = _read_varint(content, place, 2)
        size, place = _read_varint(content, place, 4)
        yield kind, content[place : place + size]
        place += size


def _read_varint(content: bytes, place: int, most: int) -> tuple[int, int]:
    value = 0
    for count in range(most):
        if place >= len(content):
            break
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << 7 * count
        if byte < MORE:
            break
    return value, place


def _varint(value: int) -> bytes:
    found = bytearray()
    while value >= MORE:
        found.append(value & 0x7F | MORE)
        value >>= 7
    return bytes([*found, value])


def _wide(payload: bytes, place: int) -> tuple[str, int]:
    """Return a text that stands at a place, and where it ends ([MS-XLSB] 2.5.168)."""
    size = struct.unpack_from("<I", payload, place)[0]
    if size == NO_TEXT:
        return "", place + 4
    end = place + 4 + 2 * size
    return payload[place + 4 : end].decode("utf-16-le", "replace"), end
