"""Quotation marks where they should not be: no row vanishes, and what was done is said (R28)."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from tests.support.files import sheets
from worker.stages.read import FileFacts, Limits, read
from worker.stages.reading.text_files.csv_records import Records
from worker.stages.reading.text_files.stray_quotes import Enclosed, Rows, rows_like

LIMITS = Limits(1 << 26, 300_000, 20, 2000, 1 << 26, 1 << 30, 30)
HEADER = "Id,Country Code,Phone Number,Voice,SMS,Fax,Note"
STRAYS = "Stray quotation marks enclosed whole rows; every line was read as a row (row {}).".format


def lines(count: int, note: str = "x") -> list[str]:
    return [f"r{row},1,{2125550000 + row},TRUE,FALSE,FALSE,{note}" for row in range(count)]


def got(content: str, folder: Path, limits: Limits = LIMITS) -> tuple[FileFacts, list[list[str]], dict[int, str]]:
    """What was decided, the cells of each row, and the text that no column has, by row number."""
    (folder / "upload").write_bytes(content.encode())
    cells, surplus = list[list[str]](), dict[int, str]()
    with read(folder / "upload", limits, workdir=folder) as sheet:
        for batch in sheet.batches():
            cells += map(list, zip(*(column.to_pylist() for column in batch.cells.columns), strict=True))
            surplus |= {int(batch.row_number[place]): text for place, text in batch.surplus.items()}
    return sheet.facts, cells, surplus


def numbers(rows: list[list[str]]) -> list[str]:
    return [row[2].strip('"') for row in rows]


def text(rows: list[str], end: str = "\r\n") -> str:
    return end.join([HEADER, *rows, ""])


# Cells and lines that are wrapped
def test_wrapped_cells(tmp_path: Path) -> None:
    """Case eq_wrapped: names of columns too, and as a program shows them that opens the file."""
    rows = [f'="r{row}",="1",="{2125550000 + row}",="TRUE",="","FALSE",="a ""b"""' for row in range(3)]
    wrapped_header = ",".join(f'="{name}"' for name in HEADER.split(","))
    facts, cells, _ = got("\n".join([wrapped_header, *rows]), tmp_path)
    assert facts.columns == tuple(HEADER.split(","))
    assert cells == [[f"r{row}", "1", f"{2125550000 + row}", "TRUE", "", "FALSE", 'a "b"'] for row in range(3)]


@pytest.mark.parametrize("cell", ['="1"+"2"', '="a', "=1+1", '="a"&B1', "=A1", '"="'])
def test_formulas_are_no_wrapped_cells(tmp_path: Path, cell: str) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    assert got(text([f"r1,1,2125550100,TRUE,,,{quoted}"]), tmp_path)[1][0][-1] == cell


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_that_are_quoted_as_a_whole(tmp_path: Path, end: str, delimiter: str) -> None:
    """Case quote_row_whole: the same cells as a standard reader finds in what it finds in the lines."""
    table = [
        HEADER.split(","),
        *(["r1", "1", f"{row}", "TRUE", "", "", 'a "b", c'] for row in range(2125550000, 2125550300)),
    ]
    inner = sheets.csv_bytes(table, delimiter=delimiter, newline="\n").decode().splitlines()
    content = end.join('"' + line.replace('"', '""') + '"' for line in inner)
    outer = [row[0] for row in csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)]
    facts, cells, _ = got(content, tmp_path)
    assert cells == list(csv.reader(outer, delimiter=delimiter))[1:]
    assert facts.notes == ("Every line was enclosed in quotation marks; they were removed.",)
    assert facts.delimiter == delimiter


def test_without_a_header_too(tmp_path: Path) -> None:
    facts, cells, _ = got('"1,2125550100,TRUE,FALSE"\n"1,2125550101,TRUE,FALSE"\n', tmp_path)
    assert [row[1] for row in cells] == ["2125550100", "2125550101"]
    assert len(facts.notes) == 2


# Marks that enclose rows
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("inside", [0, 1, 5])
@pytest.mark.parametrize("column", [0, 2, 6])
def test_two_stray_marks_swallow_no_row(tmp_path: Path, end: str, inside: int, column: int) -> None:
    """Case two_stray_quotes_close: wherever they are, and whatever is between them."""
    rows = [line.split(",") for line in lines(20)]
    rows[4][column] = f'"{rows[4][column]}'
    rows[5 + inside][-1] += '"'
    facts, cells, surplus = got(text(list(map(",".join, rows)), end), tmp_path)
    assert numbers(cells) == numbers(rows)
    assert facts.notes == (STRAYS(6),)
    assert not surplus


def test_rows_are_not_lost_to_a_reader_that_trusts_the_marks(tmp_path: Path) -> None:
    """What pandas, and every standard reader, makes of such a file: rows are gone without a word."""
    rows = lines(20)
    rows[4], rows[9] = rows[4][:-1] + '"abc', rows[9][:-1] + 'abc"'
    content = text(rows)
    assert len(pd.read_csv(io.StringIO(content))) == 15
    assert len(got(content, tmp_path)[1]) == 20


def test_many_strays_in_a_large_file(tmp_path: Path) -> None:
    rows = lines(20_000)
    for place in range(1000, 20_000, 1000):
        rows[place], rows[place + 1] = rows[place][:-1] + '"abc', rows[place + 1][:-1] + 'abc"'
    facts, cells, _ = got(text(rows), tmp_path)
    assert numbers(cells) == [f"{2125550000 + row}" for row in range(20_000)]
    assert facts.notes[0].endswith("(row 1,002, 2,002, 3,002, 4,002, 5,002 and more).")


@pytest.mark.parametrize(
    "note",
    [
        "12 Main Street\nSpringfield, IL\n62701",
        "a, b, c, d, e, f, g\nh, i, j, k, l, m, n",
        "call 2125550199\nor 2125550198",
        "\n\n",
        "r1,1,,TRUE,FALSE,FALSE,x\nr2,1,,TRUE,FALSE,FALSE,x",
    ],
)
def test_cells_of_several_lines_stay_cells(tmp_path: Path, note: str) -> None:
    table = [HEADER.split(","), *([*line.split(",")[:-1], note] for line in lines(50))]
    content = sheets.csv_bytes(table).decode()
    facts, cells, surplus = got(content, tmp_path)
    assert cells == list(csv.reader(io.StringIO(content, newline="")))[1:]
    assert (facts.notes, surplus) == ((), {})


def test_a_cell_that_holds_rows_in_part_fails_its_row(tmp_path: Path) -> None:
    """Nobody can tell whether they are rows or a remark, so the row is told, with the text of the lines."""
    rows = lines(20)
    rows[4] = rows[4][:-1] + '"instead of\nr99,1,2125550199,TRUE,FALSE,FALSE,x\nas agreed"'
    facts, cells, surplus = got(text(rows), tmp_path)
    assert len(cells) == 20
    assert surplus == {6: 'r99,1,2125550199,TRUE,FALSE,FALSE,x | as agreed"'}
    assert facts.notes == ()


def test_narrow_tables_have_no_rows_in_cells() -> None:
    """In a table of two columns a line of a remark may look like a row: its row is told."""
    rows = Rows(2, 2, frozenset({0}))
    note = ['2125550100,"Backup', '2125550199, John"']
    assert rows.enclosed(note, lambda line: line.split(",")) is Enclosed.PARTLY_ROWS
    found = list(Records(iter([note[0] + "\n", note[1]]), ",", 2000, rows=rows))
    assert found == [["2125550100", "Backup\n2125550199, John", '2125550199, John"']]


def test_what_rows_look_like() -> None:
    sample = [["Title"], ["Number", "Note", "Id"], ["2125550100", "x", "123456"], ["2125550101", "y", ""], [""]]
    assert rows_like(sample) == Rows(3, 3, frozenset({0}))
    assert rows_like([]) == Rows(0, 0, frozenset())


def test_marks_farther_apart_than_a_cell_is_long(tmp_path: Path) -> None:
    rows = lines(200)
    rows[4], rows[150] = rows[4][:-1] + '"abc', rows[150][:-1] + 'abc"'
    for cell_chars in (1000, 32_767):
        cells = got(text(rows), tmp_path, replace(LIMITS, cell_chars=cell_chars))[1]
        assert numbers(cells) == numbers([row.split(",") for row in rows])


# NUL characters
@pytest.mark.parametrize("place", ["head", "end"])
def test_nul_characters_are_shown(tmp_path: Path, place: str) -> None:
    """No text has them and no database takes them; cells that hold one are told like any other damage."""
    rows = lines(70_000 if place == "end" else 3)
    rows[-1] = rows[-1].replace("2125", "212\0005")
    rows[-2] += "a\0b"
    facts, cells, _ = got(text(rows), tmp_path)
    assert cells[-2][-1] == "xa\ufffdb"
    assert cells[-1][2].startswith("212\ufffd5")
    assert facts.notes == (f"Row {len(rows):,} contains NUL characters; they were read as “\ufffd”.",)


@pytest.mark.parametrize("seed", range(40))
def test_marks_at_random_lose_no_number(tmp_path: Path, seed: int) -> None:
    """R28: each number of the file is a row's, or is in the text of a row that fails."""
    random = Random(seed)
    rows = [line.split(",") for line in lines(25)]
    expected = set(numbers(rows))
    for _ in range(random.choice([2, 2, 3, 4])):
        row, column = random.choice(rows), random.randrange(7)
        row[column] = f'"{row[column]}' if random.random() < 0.5 else f'{row[column]}"'
    _, cells, surplus = got(text(list(map(",".join, rows)), random.choice(["\n", "\r\n"])), tmp_path)
    failing = [" ".join([*row, surplus.get(place, "")]) for place, row in enumerate(cells, start=2)
               if place in surplus or row[1] != "1" or row[2] not in expected or row[3] != "TRUE"]  # fmt: skip
    assert {number for number in expected - set(numbers(cells)) if number not in " ".join(failing)} == set()
