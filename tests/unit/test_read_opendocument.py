"""Cells of OpenDocument spreadsheets and of binary workbooks, as other programs write them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.codes import Code
from tests.support.files import other_workbooks, sheets
from tests.support.files.read_files import HEADER, LIMITS, ROWS, TABLE, changed, got, refused
from tests.support.files.sheets import Cell, ErrorCell
from worker.stages.read import FileFault

# .xlsb and .ods as other programs write them


def test_cells_without_a_column_get_one(tmp_path: Path) -> None:
    """As SheetJS writes them; the library passes over them."""
    assert got(other_workbooks.xlsb_bytes(TABLE, short=True), tmp_path)[1].cells == ROWS


def test_binary_workbooks_whose_parts_are_named_otherwise(tmp_path: Path) -> None:
    """The library finds parts by their usual names only; here they are written in capitals."""
    parts = sheets.parts_of(other_workbooks.xlsb_bytes(TABLE))
    assert got(sheets.zip_bytes((name.upper(), text) for name, text in parts), tmp_path)[1].cells == ROWS


def test_errors_of_formulas_in_binary_workbooks(tmp_path: Path) -> None:
    """The library leaves them out."""
    table: list[list[Cell]] = [HEADER, [1, 2125550140, ErrorCell("#N/A"), True, None]]
    assert got(other_workbooks.xlsb_bytes(table), tmp_path)[1].cells == [["1", "2125550140", "#N/A", "TRUE", ""]]


def test_rows_that_end_in_thousands_of_empty_cells(tmp_path: Path) -> None:
    """As nearly all do; they cost nothing."""
    cells = [_cell(f"<text:p>{text}</text:p>") for text in ("1", "2125550140", "x", "x", "x")]
    row = _row(*cells, *['<table:table-cell table:number-columns-repeated="8000"/>'] * 2)
    _, rows = got(_ods(f'<table:table table:name="Numbers">{HEADER_ROW}{row * 2000}</table:table>'), tmp_path)
    assert (len(rows.cells), rows.surplus) == (2000, {})


def _content(body: str) -> bytes:
    names = ("office", "table", "text", "style")
    spaces = "".join(f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names)
    start = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document-content{spaces}><office:body><office:spreadsheet>'
    )
    return f"{start}{body}</office:spreadsheet></office:body></office:document-content>".encode()


def _ods(body: str) -> bytes:
    return changed("content.xml", lambda _: _content(body), other_workbooks.ods_bytes(TABLE))


def _row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def _cell(inner: str = "", attributes: str = 'office:value-type="string"') -> str:
    return f"<table:table-cell {attributes}>{inner}</table:table-cell>"


HEADER_ROW = _row(*(_cell(f"<text:p>{name}</text:p>") for name in HEADER))
ODS_CELLS = {
    "spaces, tabs and lines": ('<text:p>a<text:s text:c="2"/>b<text:tab/>c<text:line-break/>d</text:p>', "a  b\tc\nd"),
    "paragraphs": ("<text:p>a</text:p>\n  <text:p>b</text:p>", "a\nb"),
    "spans": ("<text:p>\n  a <text:span>b</text:span>  <text:a>c</text:a>\n </text:p>", "a b c"),
    "an annotation": ("<office:annotation><text:p>who</text:p></office:annotation><text:p>a</text:p>", "a"),
    "a note in a text": ("<text:p>a<text:note><text:p>who</text:p></text:note>b</text:p>", "ab"),
    "a drawing": ("<draw:frame><draw:text-box><text:p>x</text:p></draw:text-box></draw:frame><text:p>a</text:p>", "a"),
    "a table in a cell": (
        "<table:table><table:table-row><table:table-cell/></table:table-row></table:table><text:p>a</text:p>",
        "a",
    ),
}


@pytest.mark.parametrize("name", ODS_CELLS)
def test_text_of_openoffice_cells(tmp_path: Path, name: str) -> None:
    inner, expected = ODS_CELLS[name]
    inner = inner.replace("draw:", "office:draw-")
    row = _row(_cell("<text:p>1</text:p>"), _cell("<text:p>2125550140</text:p>"), _cell(), _cell(), _cell(inner))
    _, rows = got(_ods(f'<table:table table:name="Numbers">{HEADER_ROW}{row}</table:table>'), tmp_path)
    assert rows.cells == [["1", "2125550140", "", "", expected]]


CALCEXT = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
VALUES = [
    ('office:value-type="float" office:value="2125550140"', "2,125,550,140", "2125550140"),
    ('office:value-type="float" office:value="2.12555014E9"', "2.13E+09", "2125550140"),
    ('office:value-type="percentage" office:value="0.5"', "50%", "0.5"),
    ('office:value-type="boolean" office:boolean-value="true"', "WAHR", "TRUE"),
    ('office:value-type="date" office:date-value="2024-02-29"', "29.02.24", "2024-02-29"),
    ('office:value-type="time" office:time-value="PT12H30M00S"', "12:30", "12:30"),
    ('office:value-type="string" office:string-value="a"', "", "a"),
    ('office:value-type="other"', "abcd", "abcd"),
    ("", "abcd", "abcd"),
    (f'office:value-type="float" office:value="0" calcext:value-type="error" {CALCEXT}', "#DIV/0!", "#DIV/0!"),
]


@pytest.mark.parametrize(("attributes", "shown", "expected"), VALUES)
def test_values_of_openoffice_cells(tmp_path: Path, attributes: str, shown: str, expected: str) -> None:
    inner = f"<text:p>{shown}</text:p>" if shown else ""
    row = _row(_cell("<text:p>1</text:p>"), _cell(inner, attributes), _cell())
    _, rows = got(_ods(f'<table:table table:name="Numbers">{HEADER_ROW}{row}</table:table>'), tmp_path)
    assert rows.cells[0][:2] == ["1", expected]


def test_repeated_rows_and_cells_of_openoffice(tmp_path: Path) -> None:
    number = _cell("<text:p>2125550140</text:p>")
    body = (
        HEADER_ROW
        + '<table:table-row table:number-rows-repeated="2"><table:table-cell table:number-columns-repeated="9"/>'
        + '</table:table-row><table:table-row-group><table:table-row table:number-rows-repeated="2">'
        + _cell("<text:p>1</text:p>")
        + number
        + _cell("<text:p>x</text:p>", 'table:number-columns-repeated="2"')
        + '<table:table-cell table:number-columns-repeated="16380"/></table:table-row></table:table-row-group>'
        + '<table:table-row table:number-rows-repeated="1048570"><table:table-cell/></table:table-row>'
    )
    _, rows = got(_ods(f'<table:table table:name="Numbers">{body}</table:table>'), tmp_path)
    full = ["1", "2125550140", "x", "x", ""]
    assert (rows.cells, rows.numbers) == ([[""] * 5, [""] * 5, full, full], [2, 3, 4, 5])


def test_tables_of_openoffice_that_are_no_sheets(tmp_path: Path) -> None:
    table = f'<table:table table:name="Numbers">{HEADER_ROW}{_row(*[_cell("<text:p>1</text:p>")] * 3)}</table:table>'
    links = '<table:dde-links><table:dde-link><table:table table:name="Cache"/></table:dde-link></table:dde-links>'
    assert got(_ods(links + table + links), tmp_path)[0].notes == ()


@pytest.mark.parametrize("prefix", ["t", ""])
def test_openoffice_prefixes_are_free(tmp_path: Path, prefix: str) -> None:
    def change(xml: bytes) -> bytes:
        xml = xml.replace(b"xmlns:table=", b"xmlns:t=" if prefix else b"xmlns=")
        return re.sub(rb"<(/?)table:", rb"<\1" + (b"t:" if prefix else b""), xml).replace(b" table:", b" t:")

    if prefix:
        assert got(changed("content.xml", change, other_workbooks.ods_bytes(TABLE)), tmp_path)[1].cells == ROWS


def test_openoffice_without_the_entry_that_names_its_type(tmp_path: Path) -> None:
    parts = [
        part
        for part in sheets.parts_of(other_workbooks.ods_bytes(TABLE))
        if part[0] not in {"mimetype", "META-INF/manifest.xml"}
    ]
    kind = b'<m:file-entry m:full-path="/" m:media-type="application/vnd.oasis.opendocument.spreadsheet"/>'
    assert (
        got(sheets.zip_bytes([*parts, ("META-INF/manifest.xml", b"<m:manifest>" + kind + b"</m:manifest>")]), tmp_path)[
            1
        ].cells
        == ROWS
    )


def test_openoffice_without_sheets(tmp_path: Path) -> None:
    parts = [part for part in sheets.parts_of(other_workbooks.ods_bytes(TABLE)) if part[0] != "content.xml"]
    fault = refused(sheets.zip_bytes(parts), tmp_path)
    assert (fault.code, "content.xml is missing" in fault.detail) == (Code.EMPTY_FILE, True)


def test_a_row_of_openoffice_a_million_times(tmp_path: Path) -> None:
    """Some hundred bytes that ask for 17 thousand million cells."""
    cell = _cell("<text:p>x</text:p>", 'table:number-columns-repeated="16384"')
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    fault = refused(_ods(f'<table:table table:name="Numbers">{HEADER_ROW}{row}</table:table>'), tmp_path)
    assert fault.code in {Code.TOO_MANY_COLUMNS, Code.UNREADABLE_FILE}


def test_other_rows_limits_hold(tmp_path: Path) -> None:
    with pytest.raises(FileFault) as caught:
        got(sheets.xlsx_bytes(TABLE), tmp_path, limits=replace(LIMITS, rows=2))
    assert caught.value.code is Code.TOO_MANY_ROWS
