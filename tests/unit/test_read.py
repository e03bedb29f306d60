"""What goes in comes out: every supported encoding, delimiter and cell type, each row with its number (R10, R28)."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.columns import Column
from tests.support.files import sheets
from worker.spreadsheet.formula_escape import neutralise, restore
from worker.stages.read import FileFacts, Limits, read
from worker.stages.reading.text_files import arrow_csv
from worker.stages.reading.text_files.csv_records import Records
from worker.stages.reading.text_files.formula_wrapped import unwrapped_cell
from worker.stages.reading.text_files.stray_quotes import rows_like

LIMITS = Limits(
    bytes=1 << 24,
    rows=200_000,
    columns=50,
    cell_chars=2000,
    inflated_bytes=1 << 27,
    child_memory_bytes=1 << 30,
    child_seconds=30,
)
QUOTED_HEADER = ",".join(sheets.HEADER)


@dataclass(frozen=True)
class Got:
    """A whole file as read: row number -> cells, and the numbers of rows with a mark."""

    facts: FileFacts
    rows: dict[int, tuple[str, ...]]
    too_wide: list[int]
    blank: list[int]
    surplus: dict[int, str]


def got(content: bytes, folder: Path, limits: Limits = LIMITS) -> Got:
    """Read the whole file; row number -> cells."""
    path = folder / "upload"
    path.write_bytes(content)
    rows: dict[int, tuple[str, ...]] = {}
    too_wide: list[int] = []
    blank: list[int] = []
    surplus: dict[int, str] = {}
    with read(path, limits, workdir=folder) as sheet:
        for batch in sheet.batches():
            assert {column.type for column in batch.cells.columns} == {pa.string()}
            numbers = batch.row_number.tolist()
            cells = zip(*(column.to_pylist() for column in batch.cells.columns), strict=True)
            rows.update(zip(numbers, cells, strict=True))
            too_wide += batch.row_number[batch.too_wide].tolist()
            surplus |= {int(batch.row_number[place]): text for place, text in batch.surplus.items()}
            blank += batch.row_number[batch.blank].tolist()
        facts = sheet.facts
    assert list(rows) == sorted(rows)
    assert [entry.name for entry in folder.iterdir()] == ["upload"], "work files are left"
    return Got(facts, rows, too_wide, blank, surplus)


def text(*lines: str, end: str = "\n") -> bytes:
    return "".join(line + end for line in (QUOTED_HEADER, *lines)).encode()


SOUND = {number: tuple(cells) for number, cells in enumerate(sheets.rows(3)[1:], start=2)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_delimiters_line_ends_and_quotes(tmp_path: Path, delimiter: str, newline: str, quoting: Literal[0, 1]) -> None:
    content = sheets.csv_bytes(sheets.rows(3), delimiter=delimiter, newline=newline, quoting=quoting)
    result = got(content, tmp_path)
    assert result.rows == SOUND
    assert (result.facts.format, result.facts.delimiter, result.facts.columns) == ("csv", delimiter, sheets.HEADER)


@pytest.mark.parametrize(
    ("encoding", "bom", "found"),
    [
        ("utf-8", False, "utf-8"),
        ("utf-8", True, "utf-8"),
        ("utf-16-le", True, "utf-16-le"),
        ("utf-16-be", True, "utf-16-be"),
        ("utf-16-le", False, "utf-16-le"),
        ("utf-16-be", False, "utf-16-be"),
        ("cp1252", False, "cp1252"),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, bom: bool, found: str) -> None:
    table = sheets.rows(3, (*sheets.HEADER, "Straße"))
    table[2].append("Ünï – €")
    result = got(sheets.csv_bytes(table, encoding=encoding, bom=bom), tmp_path)
    assert result.facts.encoding == found
    assert result.facts.columns[0] == "Country Code"
    assert result.facts.ignored_columns == ("Straße",)
    assert result.rows[3][-1] == "Ünï – €"
    assert bool(result.facts.notes) is (encoding == "cp1252")


@pytest.mark.parametrize("offset", [-2, -1, 0, 1])
def test_characters_across_blocks(tmp_path: Path, offset: int) -> None:
    """A character of several bytes that lies across the decoder's blocks is one character."""
    padding = "x" * ((1 << 20) - len(QUOTED_HEADER) - len("\n1,2,TRUE,TRUE,FALSE,") + offset - 1)
    lines = ["1,2,TRUE,TRUE,FALSE," + padding + "€", "1,2,TRUE,TRUE,FALSE,€"]
    content = f"{QUOTED_HEADER},Note\n{lines[0]}\n{lines[1]}\n"
    wide = replace(LIMITS, cell_chars=1 << 21)
    for encoding in ("utf-8", "cp1252", "utf-16"):
        result = got(content.encode(encoding), tmp_path, wide)
        assert [row[-1][-1] for row in result.rows.values()] == ["€", "€"]


@pytest.mark.long
def test_bad_byte_late_in_a_large_file_makes_it_windows_1252(tmp_path: Path) -> None:
    table = sheets.rows(60_000, (*sheets.HEADER, "Name"))
    table[-1].append("Café")
    result = got(sheets.csv_bytes(table, encoding="cp1252"), tmp_path)
    assert result.facts.encoding == "cp1252"
    assert result.rows[60_001][-1] == "Café"


ROW = "1,2125550001,TRUE,TRUE,FALSE"
CELLS = tuple(ROW.split(","))
ODD: list[tuple[str, list[str], dict[int, tuple[str, ...]], list[int], list[int]]] = [
    ("wider", [ROW, ROW + ",x", ROW], {2: CELLS, 3: CELLS, 4: CELLS}, [3], []),
    ("empty surplus", [ROW + ",, ", ROW], {2: CELLS, 3: CELLS}, [], []),
    ("narrower", [ROW, "1,2", ROW], {2: CELLS, 3: ("1", "2", "", "", ""), 4: CELLS}, [], []),
    ("all wider", [ROW + ",", ROW + ",y"], {2: CELLS, 3: CELLS}, [3], []),
    ("all narrower", ["1,2,TRUE", "1,3,TRUE"], {2: ("1", "2", "TRUE", "", ""), 3: ("1", "3", "TRUE", "", "")}, [], []),
    (
        "blank between",
        [ROW, "", " , ,", ",,,,", ROW],
        {2: CELLS, 3: ("",) * 5, 4: (" ", " ", "", "", ""), 5: ("",) * 5, 6: CELLS},
        [],
        [3, 4, 5],
    ),
    ("empty lines behind", [ROW, "", "", ""], {2: CELLS}, [], []),
    ("delimiters behind", [ROW, ",,,,", ""], {2: CELLS, 3: ("",) * 5}, [], [3]),
    ("text of nothing", ["NA,None,NULL,nan,"], {2: ("NA", "None", "NULL", "nan", "")}, [], []),
    ("white space kept", [" 1 ,\t2,TRUE ,\u00a0,x"], {2: (" 1 ", "\t2", "TRUE ", "\u00a0", "x")}, [], []),
    ("blank but too wide", [ROW, ",,,,,z"], {2: CELLS, 3: ("",) * 5}, [3], []),
    ("quote inside", ['1,5" disk,TRUE,TRUE,FALSE'], {2: ("1", '5" disk', "TRUE", "TRUE", "FALSE")}, [], []),
    ("two inside", ['1,a"b"c,TRUE,TRUE,FALSE'], {2: ("1", 'a"b"c', "TRUE", "TRUE", "FALSE")}, [], []),
    ("text behind", ['1,"a"b,TRUE,TRUE,FALSE'], {2: ("1", "ab", "TRUE", "TRUE", "FALSE")}, [], []),
    ("doubled", ['1,"a""b",TRUE,TRUE,FALSE'], {2: ("1", 'a"b', "TRUE", "TRUE", "FALSE")}, [], []),
    (
        "line break",
        ['1,"a\nb\r\nc",TRUE,TRUE,FALSE', ROW],
        {2: ("1", "a\nb\r\nc", "TRUE", "TRUE", "FALSE"), 3: CELLS},
        [],
        [],
    ),
    (
        "breaks twice",
        ['1,"a\n\nb",TRUE,"\n",FALSE', ROW],
        {2: ("1", "a\n\nb", "TRUE", "\n", "FALSE"), 3: CELLS},
        [],
        [],
    ),
    (
        "never closed",
        ['1,"2,TRUE,TRUE,FALSE', ROW, ROW],
        {2: ("1", '"2', "TRUE", "TRUE", "FALSE"), 3: CELLS, 4: CELLS},
        [],
        [],
    ),
    ("never closed, last", [ROW, '1,2,TRUE,TRUE,"FALSE'], {2: CELLS, 3: ("1", "2", "TRUE", "TRUE", '"FALSE')}, [], []),
    (
        "closed by a stranger",
        ['1,"2,TRUE,TRUE,FALSE', ROW, '"1",2125550001,TRUE,TRUE,FALSE'],
        {2: ("1", '"2', "TRUE", "TRUE", "FALSE"), 3: CELLS, 4: CELLS},
        [],
        [],
    ),
    (
        "odd quotes and a pair",
        ['1,5",TRUE,TRUE,FALSE', '1,"2",TRUE,TRUE,FALSE'],
        {2: ("1", '5"', "TRUE", "TRUE", "FALSE"), 3: ("1", "2", "TRUE", "TRUE", "FALSE")},
        [],
        [],
    ),
]


@pytest.mark.parametrize(
    ("lines", "rows", "too_wide", "blank"), [case[1:] for case in ODD], ids=[case[0] for case in ODD]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_odd_rows_keep_their_place(
    tmp_path: Path, lines: list[str], rows: dict[int, tuple[str, ...]], too_wide: list[int], blank: list[int], end: str
) -> None:
    """No row is lost, none swallows others, no cell moves to another column (R28)."""
    result = got(text(*lines, end=end), tmp_path)
    assert (result.rows, result.too_wide, result.blank) == (rows, too_wide, blank)


@pytest.mark.long
def test_lone_quote_costs_one_row_only_however_long_the_file(tmp_path: Path) -> None:
    lines = [ROW] * 120_000
    lines[5] = '1,"2125550001,TRUE,TRUE,FALSE'
    lines[100_000] = '"1",2125550001,TRUE,TRUE,FALSE'
    result = got(text(*lines), tmp_path)
    assert len(result.rows) == len(lines)
    assert {number for number, cells in result.rows.items() if cells != CELLS} == {7}


def _mixed(count: int, every: int) -> tuple[list[str], list[int]]:
    lines = [f"1,{row},TRUE,FALSE,FALSE" + (",x" if row % every == 0 else "") for row in range(2, count + 2)]
    return lines, [row for row in range(2, count + 2) if row % every == 0]


@pytest.mark.parametrize("every", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("block_bytes", [97, 256, 1000, 1 << 20])
def test_odd_rows_at_block_boundaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int, block_bytes: int
) -> None:
    """Row numbers do not depend on where Arrow's blocks begin and end."""
    monkeypatch.setattr(arrow_csv, "SMALLEST_BLOCK", block_bytes)
    monkeypatch.setattr(arrow_csv, "LARGEST_BLOCK", block_bytes)
    lines, odd = _mixed(2000, every)
    result = got(text(*lines), tmp_path)
    assert {number: int(cells[1]) for number, cells in result.rows.items()} == {row: row for row in range(2, 2002)}
    assert result.too_wide == odd
    assert set(result.surplus) == set(odd), "what no column has is kept with its row"


@pytest.mark.parametrize("quote", ["", '"open '])
def test_text_beyond_the_last_column_is_kept(tmp_path: Path, quote: str) -> None:
    """By either reader, and from a workbook: with the row it stood in, without the empty cells before it."""
    lines = [ROW, ROW + ",, more ,and more", ROW + ", ,", quote + ROW, ROW + ",last"]
    assert got(text(*lines), tmp_path).surplus == {3: "more | and more", 6: "last"}
    table = [*sheets.rows(1), ["1", "2", "TRUE", "TRUE", "", "", "far right"]]
    assert got(sheets.xlsx_bytes(table), tmp_path).surplus == {}, "a column that has no name, but text, is a column"


def test_file_that_ends_in_odd_rows(tmp_path: Path) -> None:
    with _blocks_of(1000):
        result = got(text(*[ROW] * 3000, *[ROW + ",x"] * 2000), tmp_path)
    assert len(result.rows) == 5000
    assert result.too_wide == list(range(3002, 5002))


def test_quote_never_closed_at_the_very_end(tmp_path: Path) -> None:
    result = got(text(ROW, '1,2,TRUE,TRUE,"FALSE')[:-1], tmp_path)
    assert result.rows == {2: CELLS, 3: ("1", "2", "TRUE", "TRUE", '"FALSE')}


@pytest.mark.long
def test_half_characters_in_different_blocks_are_no_utf8(tmp_path: Path) -> None:
    """The first byte of a character at the end of one block, its second byte at the start of the next but one."""
    start = f"{QUOTED_HEADER},Note\n1,2,TRUE,TRUE,FALSE,".encode()
    content = start.ljust((1 << 20) - 1, b"x") + b"\xc3" + b"\n" * (1 << 20) + b"\xa9" + b",2\n"
    result = got(content, tmp_path, replace(LIMITS, rows=1 << 21, cell_chars=1 << 21))
    assert (result.facts.encoding, result.rows[2][-1][-1]) == ("cp1252", "Ã")


def test_more_odd_rows_than_may_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_csv, "MOST_WAITING", 50)
    lines = [ROW] * 3000 + [ROW + ",x"] * 3000 + [ROW]
    result = got(text(*lines), tmp_path)
    assert len(result.rows) == 6001
    assert result.too_wide == list(range(3002, 6002))


CELL = st.text(st.sampled_from('ab1 ,;"\n\r\té€\u00a0+='), max_size=6)


@pytest.mark.long
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.lists(st.lists(CELL, max_size=8), min_size=1, max_size=40),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    block_bytes=st.sampled_from([150, 400, 1 << 20]),
)
def test_same_rows_as_the_csv_module(
    tmp_path: Path, table: list[list[str]], delimiter: str, quoting: Literal[0, 1], block_bytes: int
) -> None:
    """On every well-formed file: same cells, same row numbers."""
    table = [*table, ["last"]]
    content = sheets.csv_bytes([sheets.HEADER, *table], delimiter=delimiter, quoting=quoting)
    expected = list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter))[1:]
    with _blocks_of(block_bytes):
        result = got(content, tmp_path)
    width = len(sheets.HEADER)
    padded = {number: tuple([*row, *[""] * width][:width]) for number, row in enumerate(expected, start=2)}
    assert result.rows == {number: _restored(cells) for number, cells in padded.items()}
    assert result.too_wide == [
        number for number, row in enumerate(expected, start=2) if any(cell.strip() for cell in row[width:])
    ]


@pytest.mark.long
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(st.sampled_from('a1,"\n'), max_size=120), block_bytes=st.sampled_from([150, 400, 1 << 20]))
def test_fast_and_tolerant_path_agree(tmp_path: Path, body: str, block_bytes: int) -> None:
    """Also on text that is not well-formed: which path reads a row never shows (R29)."""
    content = text(body, "last")
    with _blocks_of(block_bytes):
        result = got(content, tmp_path)
    rows = rows_like(list(Records(io.StringIO(content.decode(), newline=""), ",", LIMITS.cell_chars)))
    records = Records(io.StringIO(content.decode(), newline=""), ",", LIMITS.cell_chars, rows=rows)
    tolerant = [[*row, "", "", "", "", ""][:5] for row in records][1:]
    assert [list(cells) for cells in result.rows.values()] == tolerant


@contextmanager
def _blocks_of(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow_csv, "SMALLEST_BLOCK", size)
        patch.setattr(arrow_csv, "LARGEST_BLOCK", size)
        yield


def _restored(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(unwrapped_cell(cell) for cell in restore(pa.array(cells, pa.string())).to_pylist())


def test_sep_line_names_the_delimiter_and_is_no_row(tmp_path: Path) -> None:
    """Excel neither shows nor counts `sep=;`."""
    result = got(b"sep=;\r\n" + sheets.csv_bytes(sheets.rows(3), delimiter=";"), tmp_path)
    assert (result.facts.delimiter, result.rows) == (";", SOUND)


@pytest.mark.parametrize("make", [sheets.csv_bytes, sheets.xlsx_bytes], ids=["csv", "xlsx"])
def test_blank_rows_above_the_header_count(tmp_path: Path, make: Callable[..., bytes]) -> None:
    table = [["", ""], ["", ""], *sheets.rows(1), [" "], *sheets.rows(1)[1:]]
    result = got(make(table), tmp_path)
    assert list(result.rows) == [4, 5, 6]
    assert result.blank == [5]


@pytest.mark.parametrize("make", [sheets.csv_bytes, sheets.xlsx_bytes], ids=["csv", "xlsx"])
def test_columns(tmp_path: Path, make: Callable[..., bytes]) -> None:
    """Unknown columns stay, our own report columns go, nameless ones at the end stay if they hold something."""
    header = ["Note", "SMS", "_code", "Phone Number", "country code", "Note", "VOICE", "", "_fix", "", ""]
    row = ["n1", "TRUE", "TOO_SHORT", "2125550001", "1", "n2", "FALSE", "", "mend", "here", ""]
    result = got(make([header, row]), tmp_path)
    assert result.facts.columns == ("Note", "SMS", "Phone Number", "country code", "Note", "VOICE", "", "")
    assert result.facts.ignored_columns == ("Note", "Note")
    assert result.facts.mapping == {Column.SMS: 1, Column.PHONE_NUMBER: 2, Column.COUNTRY_CODE: 3, Column.VOICE: 5}
    assert result.rows == {2: ("n1", "TRUE", "2125550001", "1", "n2", "FALSE", "", "here")}
    assert result.too_wide == []


def test_names_of_cells_are_unique(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(text("1,2,TRUE,TRUE,FALSE,a,b,c").replace(b"Fax", b"Fax,N,N,N (2)"))
    with read(tmp_path / "upload", LIMITS, workdir=tmp_path) as sheet:
        names = next(sheet.batches()).cells.schema.names
    assert len(set(names)) == len(names) == 8


def test_neutralised_cells_come_back(tmp_path: Path) -> None:
    """A report of ours, sent again, means the same: formula escapes are reversed."""
    cell_sources = ["=1+1", "+1 212", "@x", "-1", "'=1", "'quoted'", "+12125550142", "\ttab", "''@"]
    written = neutralise(pa.array(cell_sources)).to_pylist()
    assert [cell for cell in written if cell[0] in "=+-@\t\r"] == ["+12125550142"]
    table = [sheets.HEADER, *(["1", cell, "TRUE", "TRUE", "FALSE"] for cell in written)]
    for content in (sheets.csv_bytes(table), sheets.xlsx_bytes(table)):
        assert [cells[1] for cells in got(content, tmp_path).rows.values()] == cell_sources


@given(st.lists(st.none() | st.text() | st.text(st.sampled_from("'=+-@\t\r\n1")), max_size=20))
def test_restore_undoes_neutralise(cells: list[str | None]) -> None:
    """On every text, whatever it begins with."""
    column = pa.array(cells, pa.string())
    safe = neutralise(column)
    assert restore(safe).to_pylist() == cells
    assert (safe.type, restore(safe).type) == (pa.string(), pa.string())


TYPED: list[tuple[sheets.Cell, str]] = [
    (14155550100, "14155550100"),
    (14155550100.0, "14155550100"),
    (123456789012345, "123456789012345"),
    (1, "1"),
    (-5, "-5"),
    (1.5, "1.5"),
    (True, "TRUE"),
    (False, "FALSE"),
    ("1.41555501E10", "1.41555501E10"),
    ("00442079460958", "00442079460958"),
    ("  padded ", "  padded "),
    ("NA", "NA"),
    ("'=x", "=x"),
    ("a\nb", "a\nb"),
    (sheets.ErrorCell("#N/A"), "#N/A"),
    (sheets.ErrorCell("#DIV/0!"), "#DIV/0!"),
    (dt.datetime(2024, 1, 2, 3, 4, 5), "2024-01-02 03:04:05"),  # noqa: DTZ001 - a workbook knows no zones
    (None, ""),
]


def test_typed_cells_of_a_workbook(tmp_path: Path) -> None:
    """Numbers come out as the digits Excel shows, never 1.4E+10 nor 14155550100.0."""
    table = [sheets.HEADER, *(["1", cell, True, "FALSE", None] for cell, _ in TYPED)]
    result = got(sheets.xlsx_bytes(table), tmp_path)
    assert [cells[1] for cells in result.rows.values()] == [shown for _, shown in TYPED]
    assert {cells[2] for cells in result.rows.values()} == {"TRUE"}
    assert (result.facts.format, result.facts.encoding, result.facts.delimiter) == ("xlsx", None, None)


@pytest.mark.parametrize(("first_row", "first_column"), [(1, 1), (4, 1), (1, 3), (70_000, 2)])
def test_workbook_row_numbers_are_the_sheets_own(tmp_path: Path, first_row: int, first_column: int) -> None:
    table = [sheets.HEADER, [], *sheets.rows(2)[1:]]
    result = got(sheets.xlsx_bytes(table, first_row=first_row, first_column=first_column), tmp_path)
    assert list(result.rows) == [first_row + 1, first_row + 2, first_row + 3]
    assert result.blank == [first_row + 1]
    assert result.rows[first_row + 2][-5:] == SOUND[2]


def test_first_visible_sheet_is_read_and_others_are_named(tmp_path: Path) -> None:
    content = sheets.xlsx_bytes(sheets.rows(3), sheet="Nummern & Co", hidden=["Secret"], after=["More"])
    result = got(content, tmp_path)
    assert (result.facts.sheet, result.rows) == ("Nummern & Co", SOUND)
    assert len(result.facts.notes) == 1
    assert "More" in result.facts.notes[0]
    assert "Secret" not in result.facts.notes[0]


def test_huge_claimed_dimension_costs_nothing(tmp_path: Path) -> None:
    assert len(got(sheets.huge_dimension(), tmp_path).rows) == 2


@pytest.mark.long
def test_batches_are_bounded_and_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(sheets.csv_bytes(sheets.rows(150_000)))
    with read(tmp_path / "upload", LIMITS, workdir=tmp_path) as sheet:
        once = [len(batch.row_number) for batch in sheet.batches()]
        again = [len(batch.row_number) for batch in sheet.batches()]
    assert once == again
    assert sum(once) == 150_000
    assert max(once) <= 131_072
    assert len(once) <= 4


def test_a_sheet_name_cannot_swell_the_job(tmp_path: Path) -> None:
    """What is told of a file is shown with its job, to everybody above."""
    content = sheets.xlsx_bytes(sheets.rows(2), after=["More", *(f"S{number}" for number in range(20))])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    swollen = [(name, part.replace(b'name="More"', b'name="' + b"M" * 100_000 + b'"')) for name, part in parts]
    (note,) = got(sheets.zip_bytes(swollen), tmp_path).facts.notes
    assert "M" * 31 in note
    assert len(note) < 500
    assert "and 11 more" in note
