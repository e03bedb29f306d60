"""Builds workbooks of the formats that Excel and OpenOffice wrote before .xlsx, or beside it, as bytes.

No kept library writes .xlsb, so its records are written here ([MS-XLSB], section 2); `xlwt` writes .xls, whose format
will not change any more.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import quoteattr

from tests.sheets import Cell, zip_bytes

Table = Iterable[Sequence[Cell]]

_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"


def xls_bytes(table: Table, *, sheet: str = "Numbers", hidden: Sequence[str] = (), after: Sequence[str] = ()) -> bytes:
    """A workbook of Excel 97 to 2003; `hidden` sheets come before, `after` ones behind."""
    with warnings.catch_warnings(action="ignore"):
        import xlwt  # noqa: PLC0415 - warns when it is imported
    book = xlwt.Workbook(encoding="utf-8")
    for name in hidden:
        book.add_sheet(name).visibility = 1
    page = book.add_sheet(sheet)
    for row, cells in enumerate(table):
        for column, cell in enumerate(cells):
            if cell is not None:
                page.write(row, column, cell)
    for name in after:
        book.add_sheet(name).write(0, 0, name)
    book.set_active_sheet(len(hidden))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def ods_bytes(table: Table, *, sheet: str = "Numbers", hidden: Sequence[str] = ()) -> bytes:
    """An OpenDocument spreadsheet; `hidden` sheets come before."""
    names = ["office", "table", "text", "style"]
    spaces = "".join(f' xmlns:{name}="{_ODF}:{name}:1.0"' for name in names)
    style = (
        '<style:style style:name="off" style:family="table">'
        '<style:table-properties table:display="false"/></style:style>'
    )
    before = "".join(f'<table:table table:name={quoteattr(name)} table:style-name="off"/>' for name in hidden)
    rows = "".join(f"<table:table-row>{''.join(map(_ods_cell, cells))}</table:table-row>" for cells in table)
    content = (
        f'{_XML}<office:document-content{spaces} office:version="1.2">'
        f"<office:automatic-styles>{style}</office:automatic-styles><office:body><office:spreadsheet>{before}"
        f"<table:table table:name={quoteattr(sheet)}>{rows}</table:table>"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = f'{_XML}<manifest:manifest xmlns:manifest="{_ODF}:manifest:1.0" manifest:version="1.2"/>'
    return zip_bytes(
        [
            ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
            ("content.xml", content.encode()),
            ("META-INF/manifest.xml", manifest.encode()),
        ]
    )


def _ods_cell(cell: Cell) -> str:
    match cell:
        case None:
            return "<table:table-cell/>"
        case bool():
            return f'<table:table-cell office:value-type="boolean" office:boolean-value="{str(cell).lower()}"/>'
        case int() | float():
            return f'<table:table-cell office:value-type="float" office:value="{cell!r}"/>'
        case _:
            text = quoteattr(str(cell))[1:-1]
            return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def xlsb_bytes(table: Table, *, sheet: str = "Numbers", hidden: Sequence[str] = ()) -> bytes:
    """A binary workbook; `hidden` sheets come before."""
    names = [*hidden, sheet]
    types = (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="bin" ContentType="application/x"/></Types>'
    )
    relations = "".join(
        f'<Relationship Id="rId{place}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{place}.bin"/>'
        for place in range(1, len(names) + 1)
    )
    sheets = b"".join(
        _record(0x9C, struct.pack("<II", int(name in hidden), place) + _wide(f"rId{place}") + _wide(name))
        for place, name in enumerate(names, start=1)
    )
    book = _record(0x83) + _record(0x8F) + sheets + _record(0x90) + _record(0x84)
    return zip_bytes(
        [
            ("[Content_Types].xml", types.encode()),
            ("xl/workbook.bin", book),
            (
                "xl/_rels/workbook.bin.rels",
                f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>'.encode(),
            ),
            *((f"xl/worksheets/sheet{place}.bin", _xlsb_sheet([])) for place in range(1, len(names))),
            (f"xl/worksheets/sheet{len(names)}.bin", _xlsb_sheet(list(table))),
        ]
    )


def _xlsb_sheet(rows: list[Sequence[Cell]]) -> bytes:
    width = max(map(len, rows), default=1)
    parts = [_record(0x81), _record(0x94, struct.pack("<IIII", 0, max(len(rows) - 1, 0), 0, width - 1)), _record(0x91)]
    for number, cells in enumerate(rows):
        parts.append(_record(0x00, struct.pack("<IIHBBB", number, 0, 300, 0, 0, 0) + struct.pack("<I", 0)))
        parts += [_xlsb_cell(place, cell) for place, cell in enumerate(cells)]
    return b"".join([*parts, _record(0x92), _record(0x82)])


def _xlsb_cell(column: int, cell: Cell) -> bytes:
    where = struct.pack("<II", column, 0)
    match cell:
        case None:
            return _record(0x01, where)
        case bool():
            return _record(0x04, where + bytes([cell]))
        case int() | float():
            return _record(0x05, where + struct.pack("<d", cell))
        case _:
            return _record(0x06, where + _wide(str(cell)))


def _record(kind: int, payload: bytes = b"") -> bytes:
    return _varint(kind) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text.encode("utf-16-le")) // 2) + text.encode("utf-16-le")
