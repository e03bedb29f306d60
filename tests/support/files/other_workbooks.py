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

from tests.support.files.sheets import Cell, ErrorCell, zip_bytes

Table = Iterable[Sequence[Cell]]

_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"


def xls_bytes(
    table: Table,
    *,
    sheet: str = "Numbers",
    hidden: Sequence[str] = (),
    after: Sequence[str] = (),
    number_format: str = "General",
) -> bytes:
    """A workbook of Excel 97 to 2003; `hidden` sheets come before, `after` ones behind."""
    return xls_of(xls_stream(table, sheet=sheet, hidden=hidden, after=after, number_format=number_format))


def xls_stream(
    table: Table,
    *,
    sheet: str = "Numbers",
    hidden: Sequence[str] = (),
    after: Sequence[str] = (),
    number_format: str = "General",
) -> bytes:
    """The records of such a workbook ([MS-XLS] 2.1.4), which lie in a compound file."""
    with warnings.catch_warnings(action="ignore"):
        import xlwt  # noqa: PLC0415 - warns when it is imported
    book = xlwt.Workbook(encoding="utf-8")
    for name in hidden:
        book.add_sheet(name).visibility = 1
    page = book.add_sheet(sheet)
    style = xlwt.easyxf(num_format_str=number_format)
    for row, cells in enumerate(table):
        for column, cell in enumerate(cells):
            if isinstance(cell, ErrorCell):
                page.row(row).set_cell_error(column, {"#N/A": "#N/A!"}.get(cell.text, cell.text))
            elif cell is not None:
                page.write(row, column, cell, style)
    for name in after:
        book.add_sheet(name).write(0, 0, name)
    book.set_active_sheet(len(hidden))
    return bytes(book.get_biff_data())


def xls_of(stream: bytes, name: str = "Workbook") -> bytes:
    """A compound file with these records in a stream of that name."""
    with warnings.catch_warnings(action="ignore"):
        from xlwt.CompoundDoc import XlsDoc  # noqa: PLC0415
    target = io.BytesIO()
    XlsDoc().save(target, stream)
    entry, usual = name.encode("utf-16-le"), "Workbook".encode("utf-16-le")
    length = struct.pack("<H", len(entry) + 2)
    return target.getvalue().replace(usual.ljust(64, b"\0") + b"\x12\0", entry.ljust(64, b"\0") + length)


def xls_with_chart(table: Table, cached: Sequence[float]) -> bytes:
    """A workbook whose sheet holds a chart with cached values, numbered from the sheet's first row on."""
    bof = _biff(0x0809, struct.pack("<HHHHII", 0x0600, 0x0020, 0x0DBB, 0x07CC, 0, 6))
    values = b"".join(
        _biff(0x0203, struct.pack("<HHHd", row, column, 0, value))
        for row, value in enumerate(cached)
        for column in range(3)
    )
    stream = xls_stream(table)
    return xls_of(stream[:-4] + bof + values + _biff(0x000A) + stream[-4:])


def xls_with_password(table: Table) -> bytes:
    """A workbook that says it is encrypted ([MS-XLS] 2.4.117), in the stead of naming who wrote it."""
    return xls_of(xls_stream(table).replace(b"\x5c\0\x70\0", b"\x2f\0\x70\0", 1))


def xls_with_macro_sheet(table: Table, *, name: str = "Macro1") -> bytes:
    """A workbook whose first sheet holds macros of Excel 4 ([MS-XLS] 2.4.28)."""
    stream = bytearray(xls_stream(table, hidden=[name]))
    place = stream.index(b"\x85\0")
    stream[place + 8 : place + 10] = b"\0\1"
    return xls_of(bytes(stream))


def _biff(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(payload)) + payload


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


def xlsb_bytes(
    table: Table, *, sheet: str = "Numbers", hidden: Sequence[str] = (), charts: Sequence[str] = (), short: bool = False
) -> bytes:
    """A binary workbook; `hidden` sheets, and `charts`, come before. `short`: cells leave their column out."""
    names = [*charts, *hidden, sheet]
    types = (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="bin" ContentType="application/x"/></Types>'
    )
    relations = "".join(
        f'<Relationship Id="rId{place}" Type="{_OFFICE}/{"chartsheet" if place <= len(charts) else "worksheet"}"'
        f' Target="worksheets/sheet{place}.bin"/>'
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
            (f"xl/worksheets/sheet{len(names)}.bin", _xlsb_sheet(list(table), short=short)),
        ]
    )


def _xlsb_sheet(rows: list[Sequence[Cell]], *, short: bool = False) -> bytes:
    width = max(map(len, rows), default=1)
    parts = [_record(0x81), _record(0x94, struct.pack("<IIII", 0, max(len(rows) - 1, 0), 0, width - 1)), _record(0x91)]
    for number, cells in enumerate(rows):
        parts.append(_record(0x00, struct.pack("<IIHBBB", number, 0, 300, 0, 0, 0) + struct.pack("<I", 0)))
        parts += [_xlsb_cell(place, cell, short=short and place > 0) for place, cell in enumerate(cells)]
    return b"".join([*parts, _record(0x92), _record(0x82)])


def _xlsb_cell(column: int, cell: Cell, *, short: bool) -> bytes:
    match cell:
        case None:
            kind, value = 0x01, b""
        case bool():
            kind, value = 0x04, bytes([cell])
        case int() | float():
            kind, value = 0x05, struct.pack("<d", cell)
        case ErrorCell():  # of a formula, without its expression
            kind, value = 0x0B, {"#N/A": b"\x2a", "#NAME?": b"\x1d"}[cell.text] + bytes(10)
        case _:
            kind, value = 0x06, _wide(str(cell))
    where = b"" if short else struct.pack("<I", column)
    return _record(kind + 11 * short, where + bytes(4) + value)


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
