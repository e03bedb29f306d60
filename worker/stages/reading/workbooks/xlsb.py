"""Binary workbooks ([MS-XLSB]): their sheets, and a reader for cells that calamine ignores or refuses.

A part is a sequence of records: type, size, payload. calamine supports neither cells whose record omits the column, as
SheetJS writes them, nor rich text, nor errors of formulas; it refuses workbooks with macro sheets.
Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from worker.stages.reading.workbooks.cell_table import Rows
from worker.stages.reading.workbooks.cell_values import Look, date_text, format_of, number_text
from worker.stages.reading.workbooks.child_protocol import Order, Tab, Verdict
from worker.stages.reading.workbooks.package import Package, tab_of

ROW, BLANK, FORMULA_ERROR, RICH_TEXT, END_OF_CELLS = 0, 1, 11, 62, 146
CELLS = frozenset({*range(1, 12), RICH_TEXT})
SHORT_CELLS = frozenset(range(12, 19))  # the same without a column: the cell follows the previous one
UNKNOWN_TO_LIBRARY = SHORT_CELLS | {FORMULA_ERROR, RICH_TEXT}
SHORTER_BY = 11  # the difference between the two sets of record numbers
STRING_ITEM, FORMAT, STYLE, BEGIN_STYLES, END_STYLES = 19, 44, 47, 617, 618
WORKBOOK_PROPERTIES, BUNDLE_SHEET = 153, 156
MORE = 0x80
NO_TEXT = 0xFFFF_FFFF
HIGHEST_ROW, MOST_COLUMNS = 1 << 20, 1 << 14
ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}


def tabs(package: Package) -> list[Tab]:
    """Return the sheets of a binary workbook, in order."""
    related = package.relationships(package.main)
    tabs_in_order = list[Tab]()
    for kind, payload in _records(package.archive.read(package.main)):
        if kind == BUNDLE_SHEET:
            part, begin = _wide(payload, 8)
            name, _ = _wide(payload, begin)
            tabs_in_order.append(tab_of(name, not payload[0] & 3, related.get(part)))
    return tabs_in_order


def is_1904(package: Package) -> bool:
    """Return whether the workbook counts its days from 1904."""
    records = _records(package.archive.read(package.main))
    return any(payload[0] & 1 for kind, payload in records if kind == WORKBOOK_PROPERTIES and payload)


def formats_of(package: Package) -> list[Look]:
    """Return how each style of the workbook shows numbers."""
    part = package.part_of_kind("styles")
    codes, styles, is_inside = dict[int, str](), list[int](), False
    for kind, payload in _records(package.archive.read(part)) if part else ():
        if kind == FORMAT:
            codes[struct.unpack_from("<H", payload)[0]] = _wide(payload, 2)[0]
        elif kind in {BEGIN_STYLES, END_STYLES}:
            is_inside = kind == BEGIN_STYLES
        elif kind == STYLE and is_inside:
            styles.append(struct.unpack_from("<H", payload, 2)[0])
    return [format_of(str(number), codes.get(number)) for number in styles]


def is_for_library(package: Package, part: str, looks: Sequence[Look]) -> bool:
    """Return whether calamine reads all cells of a sheet as they are shown."""
    sheet = package.archive.read(part)
    if _has_unknown_cells(sheet):
        return False
    shown = {number for number, look in enumerate(looks) if callable(look)}
    cells = (payload for kind, payload in _records(sheet) if kind in CELLS) if shown else ()
    return not any(_style(payload, 4) in shown for payload in cells)


def first_column(package: Package, part: str) -> int:
    """Return the first column, from 0, that has a cell with a value."""
    records = _records(package.archive.read(part))
    columns = (struct.unpack_from("<I", payload)[0] for kind, payload in records if kind in CELLS and kind != BLANK)
    return min(columns, default=0)


def read(order: Order, package: Package, part: str, looks: Sequence[Look]) -> Rows:
    """Return the rows of a sheet."""
    items = (record for shared in package.shared_strings for record in _records(package.archive.read(shared)))
    strings = [_wide(payload, 1)[0] for kind, payload in items if kind == STRING_ITEM]
    sheet = _Sheet(Rows(order), strings, looks, is_1904(package))
    number, column, row = 0, -1, list[str]()
    for kind, payload in _records(package.archive.read(part)):
        if kind == END_OF_CELLS:
            break
        if kind == ROW:
            sheet.add(number, row)
            number, column, row = struct.unpack_from("<I", payload)[0] + 1, -1, []
        elif kind in CELLS or kind in SHORT_CELLS:
            is_short = kind in SHORT_CELLS
            column = column + 1 if is_short else struct.unpack_from("<I", payload)[0]
            if column >= MOST_COLUMNS or number > HIGHEST_ROW:
                raise Verdict("UNREADABLE_FILE", "The workbook is damaged: it has cells beyond the last row or column.")
            row += [""] * (column - len(row) + 1)
            row[column] = sheet.text(kind - SHORTER_BY * is_short, payload, 0 if is_short else 4)
    sheet.add(number, row)
    return sheet.rows


@dataclass
class _Sheet:
    """Converts the cells of a sheet to texts and collects its rows."""

    rows: Rows
    strings: Sequence[str]
    looks: Sequence[Look]
    is_1904: bool

    def add(self, number: int, row: list[str]) -> None:
        while row and not row[-1]:
            row.pop()
        if row:
            self.rows.add(number, row)

    def text(self, kind: int, payload: bytes, begin: int) -> str:
        """Return the text of a cell. `begin`: offset of its style in the record; its value comes after the style."""
        reader = _READERS.get(kind)
        value = reader(payload, begin + 4) if reader else ""
        if isinstance(value, float):
            return self._number(value, _style(payload, begin))
        if isinstance(value, int):
            return self.strings[value] if value < len(self.strings) else ""
        return value

    def _number(self, value: float, style: int) -> str:
        text = number_text(value)
        look = self.looks[style] if style < len(self.looks) else None
        if look is None:
            return text
        if callable(look):
            return look(int(text)) if text.isdecimal() else text
        day = date_text(value, is_1904=self.is_1904)
        self.rows.far_days += day == text
        return day


def _rk(payload: bytes, offset: int) -> float:
    """Return the number that is encoded in 30 bits ([MS-XLSB] 2.5.123)."""
    bits = struct.unpack_from("<I", payload, offset)[0]
    whole = struct.unpack("<i", struct.pack("<I", bits & ~3))[0] >> 2
    value = float(whole) if bits & 2 else struct.unpack("<d", bytes(4) + struct.pack("<I", bits & ~3))[0]
    return value / 100 if bits & 1 else value


def _real(payload: bytes, offset: int) -> float:
    return float(struct.unpack_from("<d", payload, offset)[0])


def _boolean(payload: bytes, offset: int) -> str:
    return "TRUE" if payload[offset] else "FALSE"


def _error(payload: bytes, offset: int) -> str:
    return ERRORS.get(payload[offset], "#ERROR!")


def _own_text(payload: bytes, offset: int) -> str:
    return _wide(payload, offset)[0]


# A text, a number (float), or the index of a shared string (int).
_READERS: Mapping[int, Callable[[bytes, int], str | float | int]] = {
    2: _rk,
    3: _error,
    4: _boolean,
    5: _real,
    6: _own_text,
    7: lambda payload, offset: int(struct.unpack_from("<I", payload, offset)[0]),
    8: _own_text,
    9: _real,
    10: _boolean,
    11: _error,
    RICH_TEXT: lambda payload, offset: _own_text(payload, offset + 1),
}


def _style(payload: bytes, offset: int) -> int:
    return int.from_bytes(payload[offset : offset + 3], "little")


def _has_unknown_cells(sheet: bytes) -> bool:
    """Return whether a cell has a type that calamine does not support. Parses in place: it visits every record."""
    offset, end = 0, len(sheet)
    while offset < end:
        kind = sheet[offset]
        offset += 1
        if kind & MORE:
            offset += 1
        elif kind in UNKNOWN_TO_LIBRARY:
            return True
        size = shift = 0
        while offset < end:
            byte = sheet[offset]
            offset += 1
            size |= (byte & 0x7F) << shift
            if byte < MORE:
                break
            shift += 7
        offset += size
    return False


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(content):
        kind, offset = _read_varint(content, offset, 2)
        size, offset = _read_varint(content, offset, 4)
        yield kind, content[offset : offset + size]
        offset += size


def _read_varint(content: bytes, offset: int, most: int) -> tuple[int, int]:
    value = 0
    for count in range(most):
        if offset >= len(content):
            break
        byte = content[offset]
        offset += 1
        value |= (byte & 0x7F) << 7 * count
        if byte < MORE:
            break
    return value, offset


def _wide(payload: bytes, offset: int) -> tuple[str, int]:
    """Return the text at an offset, and the offset after it ([MS-XLSB] 2.5.168)."""
    size = struct.unpack_from("<I", payload, offset)[0]
    if size == NO_TEXT:
        return "", offset + 4
    end = offset + 4 + 2 * size
    return payload[offset + 4 : end].decode("utf-16-le", "replace"), end
