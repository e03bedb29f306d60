"""Builds spreadsheets for tests, sound and damaged ones, as bytes. Knows nothing of the reader it feeds."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import warnings
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import xlsxwriter

from schemas.columns import SAMPLE_COLUMNS, name_of

HEADER: tuple[str, ...] = tuple(name_of(column) for column in SAMPLE_COLUMNS)
BOM = "\ufeff"


@dataclass(frozen=True)
class ErrorCell:
    """A cell in which the spreadsheet program shows an error, such as `#N/A`."""

    text: str


Cell = str | int | float | bool | dt.datetime | ErrorCell | None


def rows(count: int, header: Sequence[str] = HEADER, *, first: int = 0) -> list[list[str]]:
    """A header row and so many sound rows; others begin with a higher `first`."""
    numbers = range(2125550000 + first, 2125550000 + first + count)
    return [list(header), *(["1", f"{number}", "TRUE", "FALSE", "FALSE"] for number in numbers)]


def csv_bytes(
    table: Iterable[Sequence[object]],
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    bom: bool = False,
    newline: str = "\r\n",
    quoting: Literal[0, 1, 2, 3] = csv.QUOTE_MINIMAL,
) -> bytes:
    """Delimited text; an empty row becomes an empty line."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting).writerows(table)
    return ((BOM if bom else "") + text.getvalue()).encode(encoding)


def xlsx_bytes(
    table: Iterable[Sequence[Cell]],
    *,
    sheet: str = "Numbers",
    hidden: Sequence[str] = (),
    after: Sequence[str] = (),
    first_row: int = 1,
    first_column: int = 1,
) -> bytes:
    """A workbook with the cells typed as their Python types; `hidden` sheets come before, `after` ones behind."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        for name in hidden:
            book.add_worksheet(name).hide()
        page = book.add_worksheet(sheet)
        page.activate()
        page.set_first_sheet()
        date = book.add_format({"num_format": "yyyy-mm-dd"})
        for row, cells in enumerate(table, start=first_row - 1):
            for column, cell in enumerate(cells, start=first_column - 1):
                _write(page, row, column, cell, date)
        for name in after:
            book.add_worksheet(name).write_string(0, 0, name)
    return target.getvalue()


def _write(page: xlsxwriter.workbook.Worksheet, row: int, column: int, cell: Cell, date: object) -> None:
    match cell:
        case None:
            return
        case bool():
            page.write_boolean(row, column, cell)
        case int() | float():
            page.write_number(row, column, cell)
        case dt.datetime():
            page.write_datetime(row, column, cell, date)
        case ErrorCell():
            page.write_formula(row, column, "=NA()", None, cell.text)
        case _:
            page.write_string(row, column, cell)


def zip_bytes(parts: Iterable[tuple[str, bytes]]) -> bytes:
    """A ZIP archive of these parts, in this order, the same name twice if asked."""
    target = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return target.getvalue()


def gzip_bytes(content: bytes, *, members: int = 1) -> bytes:
    """The content packed by gzip, in so many members one after the other."""
    size = -(-len(content) // members) or 1
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join(gzip.compress(part, mtime=0) for part in parts)


def encrypted_zip(content: bytes) -> bytes:
    """A ZIP archive whose one file is marked as encrypted."""
    packed = bytearray(zip_bytes([("numbers.csv", content)]))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def parts_of(workbook: bytes) -> list[tuple[str, bytes]]:
    """The parts of a workbook, to be changed and zipped again."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def with_part(name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A sound workbook with one part changed."""
    return zip_bytes([(part, change(text) if part == name else text) for part, text in parts_of(xlsx_bytes(rows(2)))])


SHEET_PART = "xl/worksheets/sheet1.xml"


def huge_dimension() -> bytes:
    """Claims every cell of a sheet and holds fifteen."""
    return with_part(SHEET_PART, lambda xml: xml.replace(b'ref="A1:E3"', b'ref="A1:XFD1048576"'))


def huge_range(last_row: int = 1_048_576) -> bytes:
    """Fills the first and the last cell of a sheet, so that a dense table of it has 17 thousand million cells."""
    last = b'<row r="%d"><c r="XFD%d"><v>1</v></c></row></sheetData>' % (last_row, last_row)
    return with_part(SHEET_PART, lambda xml: xml.replace(b"</sheetData>", last))


def zip_bomb(inflated_bytes: int = 200_000_000) -> bytes:
    """A workbook whose sheet is followed by so many blanks."""
    return with_part(SHEET_PART, lambda xml: xml + b" " * inflated_bytes)


def doubled_part() -> bytes:
    """A workbook that lists its sheet twice, so that two programs may see two tables."""
    parts = parts_of(xlsx_bytes(rows(2)))
    return zip_bytes([*parts, *(part for part in parts if part[0] == SHEET_PART)])


def broken_xml() -> bytes:
    """A workbook whose sheet breaks off inside its XML, in a sound archive."""
    return with_part(SHEET_PART, lambda xml: xml[: len(xml) // 2])


def truncated(content: bytes) -> bytes:
    """The first two thirds."""
    return content[: len(content) * 2 // 3]


def ole2_bytes(entry: str) -> bytes:
    """The stub of an OLE2 file with one directory entry: `EncryptedPackage` in an encrypted workbook."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + entry.encode("utf-16-le").ljust(512, b"\0")


def open_document_bytes() -> bytes:
    """The stub of an OpenDocument spreadsheet."""
    return zip_bytes([("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), ("content.xml", b"<x/>")])


PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x06\0\0\0"
HTML = b"\n<!DOCTYPE html><html><body><table><tr><td>Country Code</td></tr></table></body></html>"
BINARY = bytes(range(256)) * 8
