"""Cells of workbooks as their program shows them, wherever they are and however the file is written."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import xlrd
import xlsxwriter

from schemas.codes import Code
from tests.support.files import corpus, other_workbooks, sheets
from tests.support.files.read_files import HEADER, ROWS, SHEET, TABLE, changed, got, refused
from tests.support.files.sheets import Cell
from worker.stages.reading.workbooks import spreadsheetml
from worker.stages.reading.workbooks.calamine import Texts
from worker.stages.reading.workbooks.cell_values import date_text, number_text, shown_by
from worker.stages.reading.workbooks.child_protocol import Order
from worker.stages.reading.workbooks.package import Package

# Numbers as their format shows them (R14d)


FORMATS = [
    ("0000000000", 669812345, "0669812345"),
    ('"0"#', 669812345, "0669812345"),
    ("0#\\ ##\\ ##\\ ##\\ ##", 612345678, "06 12 34 56 78"),
    ("\\+0", 4915115182037, "+4915115182037"),
    ('"+49 "0', 15115182037, "+49 15115182037"),
    ("[$-407]0000000000;-0", 669812345, "0669812345"),
    ("0", 2125550140, "2125550140"),
    ("General", 2125550140, "2125550140"),
    ("#,##0", 2125550140, "2125550140"),
    ("0.00", 2125550140, "2125550140"),
    ("000-000-0000", 2125550140, "2125550140"),
    ("[<=9999999]###-####;(###) ###-####", 2125550140, "2125550140"),
    ('0"0"', 212555014, "212555014"),  # a digit behind the number's own is none of it
    ("0000000000", -5, "-5"),
    ("0000000000", 0.5, "0.5"),
    ("yyyy-mm-dd", 2125550140, "2125550140"),  # no calendar has that day
    ("yyyy-mm-dd", 40123456, "40123456"),
    ("[h]:mm", 2125550140, "2125550140"),
    ("yyyy-mm-dd", 45351, "2024-02-29 00:00:00"),
]


def _formatted(code: str, value: float) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        page = book.add_worksheet("Numbers")
        page.write_row(0, 0, HEADER)
        page.write_row(1, 0, [39, None, True, False])
        page.write_number(1, 1, value, book.add_format({"num_format": code}))
    return target.getvalue()


@pytest.mark.parametrize(("code", "value", "shown"), FORMATS)
@pytest.mark.parametrize("kind", ["xlsx", "xls"])
def test_numbers_are_read_as_their_format_shows_them(
    tmp_path: Path, kind: str, code: str, value: float, shown: str
) -> None:
    table: list[list[Cell]] = [HEADER, [39, value, True, False]]
    content = _formatted(code, value) if kind == "xlsx" else other_workbooks.xls_bytes(table, number_format=code)
    facts, rows = got(content, tmp_path)
    assert rows.cells[0][1] == shown
    is_far = "y" in code or "h" in code
    assert bool(facts.notes) == (is_far and ":" not in shown)


def test_openoffice_shows_numbers_in_their_text(tmp_path: Path) -> None:
    content = changed(
        "content.xml",
        lambda xml: xml.replace(
            b'office:value="2125550140"/>', b'office:value="669812345"><text:p>0669812345</text:p></table:table-cell>'
        ),
        other_workbooks.ods_bytes(TABLE),
    )
    assert [row[1] for row in got(content, tmp_path)[1].cells] == ["0669812345", "2125550141", "2125550142"]


@pytest.mark.long
def test_date_formatted_numbers_are_said(tmp_path: Path) -> None:
    facts, _ = got(_formatted("dd.mm.yyyy", 2125550140), tmp_path)
    assert facts.notes == (
        "1 cell that holds a number is formatted as a date; the number was read. Format such cells as text.",
    )
    content = (corpus.FILES / "phone_cells_formatted_as_date.xlsx").read_bytes()
    assert got(content, tmp_path)[0].notes[0].startswith("200 cells that hold numbers are formatted")


@pytest.mark.parametrize("days", [0, 1, 59, 60, 61, 45351.75, 2958465.999])
def test_days_of_xlrd(days: float) -> None:
    expected = xlrd.xldate_as_datetime(days, 0)
    assert date_text(days) == expected.isoformat(" ", "milliseconds" if expected.microsecond else "seconds")
    assert date_text(days, is_1904=True) == date_text(days + 1462) or days + 1462 >= 2958466


@pytest.mark.parametrize(("value", "text"), [(1e21, "1" + "0" * 21), (1e-7, "0.0000001"), (0.3, "0.3"), (-2.0, "-2")])
def test_numbers_have_no_exponent(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    "code", ["", '"', "\\", "[", "[Red", "@", "0;0;0;@", "00E+00", "# ?/?", "0%", "_", "*", "\U0001f4de0"]
)
def test_any_format_is_understood_or_left_alone(code: str) -> None:
    look = shown_by(code)
    assert look is None or look(7).endswith("7")


# Cells far away from the table


@pytest.mark.long
@pytest.mark.parametrize("cell", ["KO4", "XFD4"])
@pytest.mark.parametrize("first_column", [1, 3])
def test_a_stray_cell_costs_its_row_alone(tmp_path: Path, cell: str, first_column: int) -> None:
    content = changed(
        SHEET,
        lambda xml: re.sub(rb'(<row r="4".*?)</row>', rb'\1<c r="' + cell.encode() + rb'"><v>7</v></c></row>', xml),
        sheets.xlsx_bytes(TABLE, first_column=first_column),
    )
    facts, rows = got(content, tmp_path)
    assert (rows.cells, facts.columns[:5]) == (ROWS, tuple(HEADER))
    assert rows.surplus == {4: f"{cell}: 7"}


@pytest.mark.parametrize("build", [other_workbooks.xls_bytes, other_workbooks.ods_bytes, other_workbooks.xlsb_bytes])
def test_stray_cells_of_other_formats(tmp_path: Path, build: Callable[..., bytes]) -> None:
    table = [*TABLE[:3], [*TABLE[3], *[None] * 195, "far"]]
    _, rows = got(build(table), tmp_path)
    assert (rows.cells, rows.surplus) == (ROWS, {4: "GS4: far"})


def test_a_stray_cell_beside_the_header_is_said(tmp_path: Path) -> None:
    table: list[list[Cell]] = [[*HEADER, *[None] * 40, "note"], *TABLE[1:]]
    facts, rows = got(sheets.xlsx_bytes(table), tmp_path)
    assert rows.cells == ROWS
    assert facts.notes == ("Cells far to the right of the table were ignored (AT1: note).",)


@pytest.mark.parametrize(
    "build", [sheets.xlsx_bytes, other_workbooks.xls_bytes, other_workbooks.ods_bytes, other_workbooks.xlsb_bytes]
)
def test_a_table_of_too_many_columns(tmp_path: Path, build: Callable[..., bytes]) -> None:
    table = [[*row, *["x"] * 30] for row in TABLE]
    fault = refused(build(table), tmp_path)
    assert (fault.code, fault.detail) == (Code.TOO_MANY_COLUMNS, "The file has 35 columns, more than 20.")


@pytest.mark.long
def test_a_stray_cell_far_below_and_right_is_read_without_the_library(tmp_path: Path) -> None:
    """The library asks for memory for all cells between; then the slower reader has its turn."""
    last = b'<row r="90000"><c r="XFD90000"><v>1</v></c></row></sheetData>'
    content = changed(SHEET, lambda xml: xml.replace(b"</sheetData>", last))
    facts, rows = got(content, tmp_path)
    assert (rows.cells[:3], rows.surplus, facts.sheet) == (ROWS, {90000: "XFD90000: 1"}, "Numbers")


# Packages whose parts have names of their own


def _renamed(renames: dict[str, str]) -> bytes:
    def text(content: bytes) -> bytes:
        for old, new in renames.items():
            content = content.replace(old.rpartition("/")[2].encode() + b'"', new.rpartition("/")[2].encode() + b'"')
        return content

    return sheets.zip_bytes(
        (renames.get(name, name), text(content) if name.endswith((".rels", "Types].xml")) else content)
        for name, content in sheets.parts_of(sheets.xlsx_bytes(TABLE))
    )


PACKAGES = {
    "names of one's own": _renamed(
        {
            "xl/workbook.xml": "xl/book7.xml",
            "xl/_rels/workbook.xml.rels": "xl/_rels/book7.xml.rels",
            SHEET: "xl/worksheets/page.xml",
            "xl/sharedStrings.xml": "xl/texts.xml",
            "xl/styles.xml": "xl/looks.xml",
        }
    ),
    "backslashes": sheets.zip_bytes(
        (name.replace("/", "\\"), text) for name, text in sheets.parts_of(sheets.xlsx_bytes(TABLE))
    ),
    "capitals": sheets.zip_bytes((name.upper(), text) for name, text in sheets.parts_of(sheets.xlsx_bytes(TABLE))),
    "UTF-16": changed(SHEET, lambda xml: xml.replace(b"UTF-8", b"UTF-16").decode().encode("utf-16")),
    "prefixes": changed(SHEET, lambda xml: re.sub(rb"<(/?)(\w)", rb"<\1x:\2", xml).replace(b"xmlns=", b"xmlns:x=")),
    "no content types": sheets.zip_bytes(
        part for part in sheets.parts_of(sheets.xlsx_bytes(TABLE)) if "Types" not in part[0]
    ),
    "no places of cells": changed(SHEET, lambda xml: re.sub(rb'(<(?:c|row)\b[^>]*?) r="\w+"', rb"\1", xml)),
    "characters that XML forbids": changed(SHEET, lambda xml: xml.replace(b"</sheetData>", b"</sheetData>\1&")),
    "places of cells in small letters": changed(
        SHEET, lambda xml: re.sub(rb' r="[A-E]', lambda found: found[0].lower(), xml)
    ),
    "a state of a sheet that no standard has": changed(
        "xl/workbook.xml", lambda xml: xml.replace(b"<sheet ", b'<sheet state="show" ')
    ),
    "no relationship of the sheet": changed("xl/workbook.xml", lambda xml: xml.replace(b'r:id="rId1"', b"")),
}


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_whose_parts_are_named_and_written_otherwise(tmp_path: Path, name: str) -> None:
    facts, rows = got(PACKAGES[name], tmp_path)
    assert (facts.format, facts.sheet, rows.cells) == ("xlsx", "Numbers", ROWS)


def test_entities_are_refused(tmp_path: Path) -> None:
    """A few bytes of them stand for as many as one likes, and no spreadsheet program writes any."""
    bomb = b'?>\n<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
    content = changed(SHEET, lambda xml: xml.replace(b"?>\n", bomb, 1).replace(b"<v>1</v>", b"<v>&b;</v>"))
    assert refused(content, tmp_path).code is Code.UNREADABLE_FILE


# The two readers of .xlsx say the same


def _kinds_of_cells() -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        page = book.add_worksheet("Numbers")
        day, hours = book.add_format({"num_format": "yyyy-mm-dd hh:mm"}), book.add_format({"num_format": "[h]:mm:ss"})
        bold = book.add_format({"bold": True})
        for row, value in enumerate([0, 1, 59.5, 60, 61, 45351.75, 2958465, 2958466, 40123456, 2125550140, 0.00001]):
            page.write_number(row, 1, value, day)
            page.write_number(row, 2, value, hours)
            page.write_number(row, 3, value / 2)
        for row, text in enumerate(["ü", "a & <b>", " spaces ", "two\nlines", "'", "+1"]):
            page.write_string(row, 5, text)
            page.write_rich_string(row, 6, "plain ", bold, text, " end")
            page.write_formula(row, 7, "=A1", None, text)
        for row, error in enumerate(["#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"]):
            page.write_formula(row, 8, "=A1", None, error)
            page.write_boolean(row, 9, row % 2 == 0)
            page.write_formula(row, 10, "=A1", None, row % 2 == 0)
        page.write_number(40, 3, 123456789012345678)
        page.write_number(41, 3, 1e-9)
    return target.getvalue()


def _both(content: bytes, folder: Path) -> tuple[list[list[str]], list[list[str]]]:
    path, target = folder / "book", folder / "cells"
    path.write_bytes(content)
    by_library = [column.to_pylist() for column in Texts().of_sheet(str(path), "Numbers")[0]]
    order = Order(str(path), str(target), "", 0, 1, 1 << 30, 30, 1 << 30, 400, 10, 100, 0)
    with zipfile.ZipFile(path) as archive:
        package = Package(archive)
        spreadsheetml.read(order, package, SHEET, spreadsheetml.formats_of(package)).write()
    with pa.memory_map(str(target)) as file:
        table = pa.ipc.open_file(file).read_all()
        return by_library, [column.to_pylist() for column in table.columns]


@pytest.mark.parametrize("inline", [False, True])
def test_both_readers_say_the_same(tmp_path: Path, inline: bool) -> None:
    content = _kinds_of_cells()
    if inline:
        content = changed(
            SHEET,
            lambda xml: re.sub(
                rb't="str"><f>A1</f><v>([^<]*)</v>', rb't="inlineStr"><is><t xml:space="preserve">\1</t></is>', xml
            ),
            content,
        )
    by_library, by_ourselves = _both(content, tmp_path)
    assert by_ourselves == by_library


@pytest.mark.long
def test_both_readers_say_the_same_of_workbooks_that_count_from_1904(tmp_path: Path) -> None:
    content = changed(
        "xl/workbook.xml",
        lambda xml: xml.replace(b"<workbookPr", b'<workbookPr date1904="1"'),
        _formatted("yyyy", 40123456),
    )
    assert got(content, tmp_path)[1].cells[0][1] == "40123456"
    content = changed(
        "xl/workbook.xml",
        lambda xml: xml.replace(b"<workbookPr", b'<workbookPr date1904="1"'),
        _formatted("yyyy", 43889),
    )
    assert got(content, tmp_path)[1].cells[0][1] == "2024-02-29 00:00:00"


def test_a_sheet_is_read_as_shown_only_where_it_shows_more(tmp_path: Path) -> None:
    """Sheets without such cells pay nothing for it (the format may be there and not be used)."""
    used, unused = (
        _formatted("0000000000", 669812345),
        changed(SHEET, lambda xml: xml.replace(b' s="1"', b""), _formatted("0000000000", 669812345)),
    )
    for content, expected in ((used, True), (unused, False)):
        (tmp_path / "book").write_bytes(content)
        with zipfile.ZipFile(tmp_path / "book") as archive:
            package = Package(archive)
            looks = spreadsheetml.formats_of(package)
            assert spreadsheetml.shows_more_than_values(package, SHEET, looks) is expected
