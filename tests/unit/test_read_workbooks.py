"""Workbooks of every program and format: the sheet's own cells, of the sheet that is meant, or a clear refusal."""

from __future__ import annotations

import datetime as dt
import io
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest
import xlrd
import xlsxwriter

from schemas.codes import Code
from tests.support.files import corpus, foreign_xls, other_workbooks, sheets, xls_records
from tests.support.files.read_files import HEADER, ROWS, TABLE, changed, got, refused
from tests.support.files.sheets import Cell, ErrorCell
from worker.stages.read import ReadOptions

# Files of other programs, kept as they are


@pytest.mark.parametrize("name", [name for name in corpus.KEPT if corpus.KEPT[name].rows == 200])
def test_kept_files_hold_the_cells_that_another_library_reads(tmp_path: Path, name: str) -> None:
    """All were made of one table; openpyxl and xlrd read it from two of them."""
    book = openpyxl.load_workbook(
        corpus.FILES / "uppercase_parts.xlsx".replace("uppercase_parts", "farcol_stray_value")
    )
    header, *body = book.worksheets[0].iter_rows(max_col=6, values_only=True)
    expected = [dict(zip(header, map(_as_text, row), strict=True)) for row in body]
    facts, rows = got((corpus.FILES / name).read_bytes(), tmp_path)
    columns = [name for name in facts.columns if name in header]
    assert sorted(columns) == sorted(header)
    found = [dict(zip(facts.columns, row, strict=True)) for row in rows.cells]
    assert [{name: row[name] for name in header} for row in found] == expected
    assert rows.numbers == list(range(2, 202))


def _as_text(value: object) -> str:
    return str(value).upper() if isinstance(value, bool) else "" if value is None else str(value)


# .xls, judged by xlrd


def _by_xlrd(content: bytes, sheet: str) -> list[list[str]]:
    """Every cell below the header as xlrd has it."""
    page = xlrd.open_workbook(file_contents=content).sheet_by_name(sheet)
    texts: dict[int, Callable[..., str]] = {
        xlrd.XL_CELL_EMPTY: lambda _: "",
        xlrd.XL_CELL_TEXT: str,
        xlrd.XL_CELL_NUMBER: lambda value: repr(value).removesuffix(".0"),
        xlrd.XL_CELL_DATE: lambda value: xlrd.xldate_as_datetime(value, 0).isoformat(" "),
        xlrd.XL_CELL_BOOLEAN: lambda value: str(bool(value)).upper(),
        xlrd.XL_CELL_ERROR: lambda value: xlrd.error_text_from_code[value],
    }
    return [[texts[cell.ctype](cell.value) for cell in page.row(number)] for number in range(1, page.nrows)]


MIXED: list[list[Cell]] = [
    HEADER,
    [1, 2125550140, True, False, "ü € 電話"],
    [1.5, "2125550141", ErrorCell("#NAME?"), ErrorCell("#N/A"), None],
    [None, 1e15, "TRUE", "x", dt.datetime(2024, 2, 29, 12, 30)],  # noqa: DTZ001  spreadsheets know no zones
    [],
    [-1, 0.1, False, None, "last"],
]
XLS = {
    "cells of all kinds": other_workbooks.xls_bytes(MIXED),
    "a chart in the sheet": other_workbooks.xls_with_chart(TABLE, [9.0] * 40),
    "macros before it": other_workbooks.xls_with_macro_sheet(TABLE),
    "a stream in capitals": other_workbooks.xls_of(other_workbooks.xls_stream(TABLE), "WORKBOOK"),
    "the stream of old versions": other_workbooks.xls_of(other_workbooks.xls_stream(TABLE), "BOOK"),
    "a stream in small letters": other_workbooks.xls_of(other_workbooks.xls_stream(TABLE), "workbook"),
    **{name: (corpus.FILES / name).read_bytes() for name in corpus.KEPT if name.endswith(".xls")},
}


@pytest.mark.parametrize("name", XLS)
def test_every_cell_of_an_xls_is_what_xlrd_reads(tmp_path: Path, name: str) -> None:
    facts, rows = got(XLS[name], tmp_path)
    expected = _by_xlrd(XLS[name], "Numbers")
    assert facts.format == "xls"
    assert rows.cells == [[cell.replace("+", "") if "E+" in cell else cell for cell in row] for row in expected]


def _patched(pattern: bytes, by: bytes) -> bytes:
    stream = other_workbooks.xls_stream(TABLE, after=["More"])
    assert re.search(pattern, stream, re.DOTALL)
    return other_workbooks.xls_of(re.sub(pattern, lambda _: by, stream, count=1, flags=re.DOTALL))


SHARED_TEXTS, SHEET_PLACE = rb"(?<=\xfc\0..).{8}", rb"(?<=\x85\0..).{4}"
WRONG = {
    "too few texts said to be shared": _patched(SHARED_TEXTS, b"\0\0\0\0\1\0\0\0"),
    "too many texts said to be shared": _patched(SHARED_TEXTS, b"\xff\0\0\0\xff\0\0\0"),
    "wrong places of sheets": _patched(SHEET_PLACE, b"\7\0\0\0"),
    "a byte order that is none": other_workbooks.xls_bytes(TABLE).replace(b"\xfe\xff", b"\xff\xfe", 1),
    "a link that breaks off": other_workbooks.xls_of(
        other_workbooks.xls_stream(TABLE)[:-4] + b"\xb8\1\2\0ab\x0a\0\0\0"
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_beside_the_cells_of_an_xls_does_not_matter(tmp_path: Path, name: str) -> None:
    facts, rows = got(WRONG[name], tmp_path)
    assert (facts.sheet, rows.cells) == ("Numbers", ROWS)


def test_texts_that_go_on_in_another_record(tmp_path: Path) -> None:
    """The shared texts of a workbook fill many records; which bytes of them are texts is said anew in each (xlrd)."""
    notes = [f"{row} {'ü' * (row % 700)}{'電' * (row % 3)}" for row in range(300)]
    table: list[list[Cell]] = [[1, 2125550140, True, False, note] for note in notes]
    content = other_workbooks.xls_bytes([HEADER, *table])
    assert [row[4] for row in got(content, tmp_path)[1].cells] == notes
    assert [row[4] for row in _by_xlrd(content, "Numbers")] == notes


@pytest.mark.parametrize("text", ["2125550140", "Łódź", "Zürich"])
def test_text_of_two_bytes_that_is_called_text_of_one(tmp_path: Path, text: str) -> None:
    """As some programs write it: every character brings a NUL."""
    twice = text.encode("utf-16-le").decode("latin-1")
    _, rows = got(other_workbooks.xls_bytes([HEADER, [1, twice, True, False, twice]]), tmp_path)
    assert rows.cells == [["1", text, "TRUE", "FALSE", text]]


def test_text_that_ends_in_a_nul(tmp_path: Path) -> None:
    _, rows = got(other_workbooks.xls_bytes([HEADER, [1, "2125550140\0", True, False, "ab\0"]]), tmp_path)
    assert rows.cells == [["1", "2125550140", "TRUE", "FALSE", "ab"]]


# Passwords


ENCRYPTED_MANIFEST = (
    b'<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry>'
)


@pytest.mark.parametrize(
    "content",
    [
        other_workbooks.xls_with_password(TABLE),
        changed(
            "META-INF/manifest.xml",
            lambda xml: xml.replace(b"/>", b">" + ENCRYPTED_MANIFEST),
            other_workbooks.ods_bytes(TABLE),
        ),
        other_workbooks.xls_of(b"\0" * 5000, "EncryptedPackage"),
        sheets.ole2_bytes("EncryptedPackage"),
    ],
    ids=["xls", "ods", "xlsx", "xlsx, cut off"],
)
def test_passwords(tmp_path: Path, content: bytes) -> None:
    fault = refused(content, tmp_path)
    assert (fault.code, fault.detail) == (Code.ENCRYPTED_FILE, "The workbook is protected by a password.")


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (other_workbooks.xls_of(b"\0" * 5000, "WordDocument"), Code.UNSUPPORTED_TYPE, "a Word document"),
        (other_workbooks.xls_of(b"\0" * 5000, "Contents"), Code.UNREADABLE_FILE, "without a workbook"),
        (sheets.zip_bytes((f"n{number}.csv", b"a") for number in range(12)), Code.UNSUPPORTED_TYPE, "12 files"),
        (sheets.zip_bytes((f"n{number}", b"") for number in range(10_001)), Code.UNSUPPORTED_TYPE, "10,001 files"),
        (sheets.zip_bytes([("a.csv", b"a"), ("a.csv", b"b")]), Code.UNREADABLE_FILE, "two files with the same name"),
        (
            sheets.zip_bytes([("Index/Document.iwa", b"a"), ("Index/Tables/Tile.iwa", b"b")]),
            Code.UNSUPPORTED_TYPE,
            "choose File > Export To > Excel",
        ),
    ],
    ids=["Word", "other", "12 files", "many files", "a name twice", "Apple Numbers"],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, code: Code, words: str) -> None:
    fault = refused(content, tmp_path)
    assert fault.code is code
    assert words in fault.detail


@pytest.mark.long
def test_a_minor_version_of_excel_5(tmp_path: Path) -> None:
    """LibreOffice reads such workbooks; xlrd alone does not."""
    version = struct.pack("<HHH", 0x0809, 8, foreign_xls.BIFF5)
    minor = foreign_xls.old().replace(version, version[:-2] + b"\x80\x05")
    found = [got(xls_records.compound({"Book": stream}), tmp_path)[1].cells for stream in (minor, foreign_xls.old())]
    assert found[0] == found[1]


# Which sheet


def _with_chart_sheet() -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        drawn = book.add_chart({"type": "line"})
        drawn.add_series({"values": "=Numbers!$B$2:$B$4"})
        book.add_chartsheet("Chart1").set_chart(drawn)
        page = book.add_worksheet("Numbers")
        for row, cells in enumerate(TABLE):
            page.write_row(row, 0, cells)
    return target.getvalue()


def _with_macro_sheet() -> bytes:
    """As Excel 4 had them: a part and a relationship of a kind of its own."""
    kind = b"http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet"
    sheet = b'<sheets><sheet name="Chart1" sheetId="9" r:id="rIdM"/>'
    content = changed("xl/workbook.xml", lambda xml: xml.replace(b"<sheets>", sheet))
    related = b'<Relationship Id="rIdM" Type="' + kind + b'" Target="macrosheets/sheet1.xml"/></Relationships>'
    content = changed("xl/_rels/workbook.xml.rels", lambda xml: xml.replace(b"</Relationships>", related), content)
    macros = b'<xm:macrosheet xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main"/>'
    return sheets.zip_bytes([*sheets.parts_of(content), ("xl/macrosheets/sheet1.xml", macros)])


NO_TABLES = {
    "chart sheet, xlsx": _with_chart_sheet(),
    "macro sheet, xlsm": _with_macro_sheet(),
    "chart sheet, xlsb": other_workbooks.xlsb_bytes(TABLE, charts=["Chart1"]),
}


@pytest.mark.long
@pytest.mark.parametrize("name", NO_TABLES)
def test_sheets_without_cells_are_no_choice(tmp_path: Path, name: str) -> None:
    facts, rows = got(NO_TABLES[name], tmp_path)
    assert (facts.sheet, facts.notes, rows.cells) == ("Numbers", (), ROWS)
    fault = refused(NO_TABLES[name], tmp_path, ReadOptions(sheet="chart1"))
    assert fault.detail.startswith(
        "The sheet “chart1” holds a chart, a dialog or macros, no table; choose one of “Numbers”"
    )
    assert (
        "has no sheet “Other”; it has “Numbers”."
        in refused(NO_TABLES[name], tmp_path, ReadOptions(sheet="Other")).detail
    )


@pytest.mark.parametrize(
    "build", [sheets.xlsx_bytes, other_workbooks.xls_bytes, other_workbooks.xlsb_bytes, other_workbooks.ods_bytes]
)
def test_a_hidden_sheet_that_is_named(tmp_path: Path, build: Callable[..., bytes]) -> None:
    fault = refused(build(TABLE, hidden=["Old"]), tmp_path, ReadOptions(sheet="old"))
    assert fault.detail == "The sheet “old” is hidden; unhide it, or choose one of “Numbers”."


Pages = Sequence[tuple[str, list[list[Cell]]]]


def _book(kind: str, pages: Pages) -> bytes:
    """A workbook of several sheets with cells."""
    if kind == "ods":
        one, *others = [other_workbooks.ods_bytes(table, sheet=name) for name, table in pages]
        tables = b"".join(
            re.search(rb"<table:table .*</table:table>", dict(sheets.parts_of(each))["content.xml"])[0]
            for each in others
        )
        return changed(
            "content.xml", lambda xml: xml.replace(b"</office:spreadsheet>", tables + b"</office:spreadsheet>"), one
        )
    target = io.BytesIO()
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, table in pages:
        page = book.create_sheet(name)
        for row in table:
            page.append(row)
    book.save(target)
    return target.getvalue()


INSTRUCTIONS: list[list[Cell]] = [
    ["How to fill this file"],
    ["Country Code: the calling code"],
    ["Phone Number", "digits"],
]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_the_sheet_that_has_the_columns_is_read(tmp_path: Path, kind: str) -> None:
    """Instructions, empty sheets and other tables before it are passed over, and that is said."""
    pages: Pages = [
        ("Read me", INSTRUCTIONS),
        ("Empty", []),
        ("Prices", [["Item", "Price"], ["x", 1]]),
        ("Data", TABLE),
        ("More", TABLE),
    ]
    facts, rows = got(_book(kind, pages), tmp_path)
    assert (facts.sheet, rows.cells) == ("Data", ROWS)
    assert facts.notes == (
        "Only the sheet “Data” was read, the first that has the columns; the others: Read me, Empty, Prices, More.",
    )
    assert refused(_book(kind, pages), tmp_path, ReadOptions(sheet="Prices")).code is Code.MISSING_COLUMN, (
        "named is named"
    )
    assert got(_book(kind, pages), tmp_path, ReadOptions(sheet="more"))[0].sheet == "More"


@pytest.mark.long
def test_no_sheet_has_the_columns(tmp_path: Path) -> None:
    """What is wrong with the first is said."""
    fault = refused(_book("xlsx", [("Read me", INSTRUCTIONS), ("Prices", [["Item", "Price"], ["x", 1]])]), tmp_path)
    assert fault.code is Code.MISSING_COLUMN or fault.code is Code.NO_HEADER
    assert "Item" not in fault.detail


@pytest.mark.long
def test_a_table_with_a_fault_is_not_passed_over(tmp_path: Path) -> None:
    """Numbers of another sheet would be imported that nobody meant."""
    faulty: list[list[Cell]] = [row[:3] for row in TABLE]
    fault = refused(_book("xlsx", [("New", faulty), ("Old", TABLE)]), tmp_path)
    assert (fault.code, fault.context["missing"]) == (Code.MISSING_COLUMN, ["SMS"])
    assert fault.detail.endswith("The sheet “Old” has all required columns; select it if you meant that one.")
