"""Every format a spreadsheet comes in, packed or not, and what the uploader may say of it: the same rows (R10, R29)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from schemas.codes import Code
from schemas.columns import UPLOAD_FORM, Column
from tests.support.files import other_workbooks, sheets
from tests.support.files.sheets import Cell
from worker.stages.read import FileFacts, FileFault, Limits, ReadOptions, read

LIMITS = Limits(1 << 24, 1000, 10, 2000, 1 << 26, 1 << 30, 30)
TABLE: list[list[Cell]] = [
    ["Country Code", "Phone Number", "Voice", "SMS", "Fax"],
    [1, 12125550001, True, False, None],
    ["DE", "+49 30 901820", "x", "", "nein"],
    [1, 2125550002.0, "TRUE", False, True],
]
ROWS = [
    ["1", "12125550001", "TRUE", "FALSE", ""],
    ["DE", "+49 30 901820", "x", "", "nein"],
    ["1", "2125550002", "TRUE", "FALSE", "TRUE"],
]
CSV = sheets.csv_bytes([list(TABLE[0]), *map(list, ROWS)])


def got(content: bytes, folder: Path, hints: ReadOptions | None = None) -> tuple[FileFacts, list[list[str]], list[int]]:
    """What was decided about a file, its rows, and their numbers."""
    path = folder / "upload"
    path.write_bytes(content)
    cells, numbers = [], []
    with read(path, LIMITS, workdir=folder, form=UPLOAD_FORM, hints=hints or ReadOptions()) as sheet:
        for batch in sheet.batches():
            cells += [list(row) for row in zip(*(column.to_pylist() for column in batch.cells.columns), strict=True)]
            numbers += batch.row_number.tolist()
    assert [entry.name for entry in folder.iterdir()] == ["upload"], "work files are left"
    return sheet.facts, cells, numbers


def macros() -> bytes:
    return sheets.zip_bytes([*sheets.parts_of(sheets.xlsx_bytes(TABLE)), ("xl/vbaProject.bin", b"never run")])


BUILDERS: Mapping[str, tuple[bytes, str]] = {
    "csv": (CSV, "csv"),
    "tsv": (sheets.csv_bytes([list(TABLE[0]), *map(list, ROWS)], delimiter="\t"), "csv"),
    "xlsx": (sheets.xlsx_bytes(TABLE), "xlsx"),
    "xlsm": (macros(), "xlsm"),
    "xls": (other_workbooks.xls_bytes(TABLE), "xls"),
    "xlsb": (other_workbooks.xlsb_bytes(TABLE), "xlsb"),
    "ods": (other_workbooks.ods_bytes(TABLE), "ods"),
}


@pytest.mark.parametrize(("content", "kind"), BUILDERS.values(), ids=BUILDERS)
@pytest.mark.parametrize("packed", ["as it is", "gzip", "zip"])
def test_every_format_gives_the_same_rows(tmp_path: Path, content: bytes, kind: str, packed: str) -> None:
    """Told by content: no name is asked. Packed once is unpacked, and said."""
    if packed == "gzip":
        content = sheets.gzip_bytes(content)
    if packed == "zip":
        content = sheets.zip_bytes([("folder/", b""), ("folder/numbers.dat", content), ("__MACOSX/._n", b"litter")])
    facts, rows, numbers = got(content, tmp_path)
    assert (facts.format, facts.header_row, rows, numbers) == (kind, 1, ROWS, [2, 3, 4])
    assert any("compressed" in note for note in facts.notes) is (packed != "as it is")
    assert any("numbers.dat" in note for note in facts.notes) is (packed == "zip")


def test_gzip_of_several_members(tmp_path: Path) -> None:
    assert got(sheets.gzip_bytes(CSV, members=5), tmp_path)[1] == ROWS


@pytest.mark.parametrize(
    "build",
    [sheets.xlsx_bytes, other_workbooks.xls_bytes, other_workbooks.xlsb_bytes, other_workbooks.ods_bytes],
    ids=lambda it: it.__name__,
)
def test_hidden_sheets_are_not_read(tmp_path: Path, build: Callable[..., bytes]) -> None:
    """The first that a person sees is read, and no name of a hidden one is told."""
    facts, rows, _ = got(build(TABLE, hidden=["Secret"]), tmp_path)
    assert (facts.sheet, rows, facts.notes) == ("Numbers", ROWS, ())


@pytest.mark.long
@pytest.mark.parametrize("build", [sheets.xlsx_bytes, other_workbooks.xls_bytes])
def test_a_sheet_may_be_named(tmp_path: Path, build: Callable[..., bytes]) -> None:
    """By default the first, and the others are named; case does not matter. One that is not there is refused."""
    book = build([["Remarks"], ["only"]], sheet="Cover", after=["Phone Number"])
    facts, _, _ = got(build(TABLE, after=["More"]), tmp_path)
    assert facts.notes == ("Only the sheet “Numbers” was read; the others: More.",)
    with pytest.raises(FileFault) as caught:
        got(book, tmp_path, ReadOptions(sheet="phone number"))
    assert caught.value.code in {Code.MISSING_COLUMN, Code.NO_HEADER}, "the sheet was found"
    with pytest.raises(FileFault) as caught:
        got(book, tmp_path, ReadOptions(sheet="Numbers"))
    assert caught.value.code is Code.UNREADABLE_FILE
    assert "no sheet “Numbers”; it has “Cover”, “Phone Number”" in caught.value.detail


def test_hidden_rows_and_merged_cells_are_said(tmp_path: Path) -> None:
    """They are read like the others: what one cannot see must not be lost, nor what was merged be guessed."""

    def change(xml: bytes) -> bytes:
        xml = xml.replace(b'<row r="3"', b'<row hidden="1" r="3"')
        return xml.replace(b"</sheetData>", b'</sheetData><mergeCells count="1"><mergeCell ref="A2:A4"/></mergeCells>')

    parts = sheets.parts_of(sheets.xlsx_bytes(TABLE))
    changed = [(name, change(text) if name == sheets.SHEET_PART else text) for name, text in parts]
    facts, rows, _ = got(sheets.zip_bytes(changed), tmp_path)
    assert rows == ROWS
    assert facts.notes == (
        "1 row is hidden in the sheet; it was read like the others.",
        "Merged cells (A2:A4) hold their text in the first cell; the others are empty.",
    )


@pytest.mark.long
def test_tags_are_found_wherever_a_block_ends(tmp_path: Path) -> None:
    """A sheet of several megabytes, in which every row is hidden."""
    table = [*TABLE]
    table += [[1, 2125550000 + row, True, False, None] for row in range(900)]
    parts = sheets.parts_of(sheets.xlsx_bytes(table))
    wide = b'<row spans="1:5" ht="15" customHeight="' + b"1" * 2000 + b'" hidden="1" r="'
    changed = [(name, text.replace(b'<row r="', wide) if name == sheets.SHEET_PART else text) for name, text in parts]
    narrow = [(name, text.replace(b'<row r="', b'<row hidden="1" r="')) for name, text in parts]
    for content in (changed, narrow):
        assert got(sheets.zip_bytes(content), tmp_path)[1][:3] == ROWS
    notes = got(sheets.zip_bytes(narrow), tmp_path)[0].notes
    assert notes == (f"{len(table)} rows are hidden in the sheet; they were read like the others.",)


@pytest.mark.parametrize(
    ("above", "header_row"),
    [
        ([], 1),
        ([["Export of 3 numbers"]], 2),
        ([["Acme Ltd."], [], ["Phone", "list"], ["as of", "2024-01-02", "by", "Ann"]], 5),
        ([[], [], ["x"] * 5], 4),
        ([["Country Code and Phone Number are listed below"], ["Voice"]], 3),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_is_found_below_titles_and_remarks(
    tmp_path: Path, above: list[list[str]], header_row: int, delimiter: str
) -> None:
    content = sheets.csv_bytes([*above, list(TABLE[0]), *ROWS], delimiter=delimiter)
    facts, rows, numbers = got(content, tmp_path)
    assert (facts.header_row, rows, facts.delimiter) == (header_row, ROWS, delimiter)
    assert numbers == [header_row + 1, header_row + 2, header_row + 3]
    assert [note for note in facts.notes if "rows above" in note] == (
        [f"The column names are in row {header_row}; the rows above were ignored."] if any(above) else []
    )


def test_remarks_below_the_data_are_rows(tmp_path: Path) -> None:
    """Nobody can tell a remark from a damaged row, so it is told like one; it changes nothing about the others."""
    content = sheets.csv_bytes([list(TABLE[0]), *ROWS, [], ["Total: 3 numbers"]])
    _, rows, numbers = got(content, tmp_path)
    assert rows == [*ROWS, [""] * 5, ["Total: 3 numbers", "", "", "", ""]]
    assert numbers == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("width", [4, 5])
def test_no_header_but_the_columns_of_the_sample(tmp_path: Path, width: int) -> None:
    """Understood, and said; the report then has the columns' own names."""
    data = [[row[0], row[1], row[2], row[3] or "no", row[4] or "no"][:width] for row in ROWS]
    facts, rows, numbers = got(sheets.csv_bytes(data), tmp_path)
    assert (facts.header_row, rows, numbers) == (0, data, [1, 2, 3])
    assert facts.columns == tuple(map(str, TABLE[0]))[:width]
    assert facts.mapping[Column.PHONE_NUMBER] == 1
    assert "has no header row" in facts.notes[0]


def test_the_header_may_be_told(tmp_path: Path) -> None:
    """Where two rows could be it, or the names are those of another table."""
    content = sheets.csv_bytes([list(TABLE[0]), ["1", "2125550009", "x", "x", "x"], list(TABLE[0]), *ROWS])
    assert got(content, tmp_path)[0].header_row == 1
    facts, rows, _ = got(content, tmp_path, ReadOptions(header_row=3))
    assert (facts.header_row, rows) == (3, ROWS)
    for row in (2, 99):
        with pytest.raises(FileFault) as caught:
            got(content, tmp_path, ReadOptions(header_row=row))
        assert caught.value.code in {Code.MISSING_COLUMN, Code.NO_HEADER}


def test_the_delimiter_may_be_told(tmp_path: Path) -> None:
    content = b"Country Code|Phone Number|Voice|SMS\n1|2125550001|x|a,b,c,d\n"
    assert got(content, tmp_path)[0].delimiter == "|"
    with pytest.raises(FileFault):
        got(content, tmp_path, ReadOptions(delimiter=","))


@pytest.mark.parametrize(
    ("encoding", "text"), [("cp1250", "Łódź"), ("iso8859-15", "Œuf €"), ("shift_jis", "電話"), ("mac_roman", "Zoë")]
)
def test_the_encoding_may_be_told(tmp_path: Path, encoding: str, text: str) -> None:
    content = f"Country Code,Phone Number,Voice,SMS,Note\n1,2125550001,x,,{text}\n".encode(encoding)
    facts, rows, _ = got(content, tmp_path, ReadOptions(encoding=encoding))
    assert (facts.encoding, rows[0][4]) == (encoding, text)


def test_an_encoding_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFault) as caught:
        got("Country Code,Phone Number,Voice,SMS\n1,2,é,x\n".encode("latin-1"), tmp_path, ReadOptions(encoding="utf-8"))
    assert (caught.value.code, caught.value.context["line"]) == (Code.BAD_ENCODING, 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_encoding_that_is_told_and_right(tmp_path: Path, encoding: str) -> None:
    assert got(CSV.decode().encode(encoding), tmp_path, ReadOptions(encoding=encoding.removesuffix("-sig")))[1] == ROWS
