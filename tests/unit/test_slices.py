"""A large sheet read in slices comes to what it comes to as a whole, or it is left to be read as a whole."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Callable, Sequence

import fastexcel
import pyarrow as pa
import pytest

from tests.support.files import sheets
from worker.stages.reading.workbooks import slices
from worker.stages.reading.workbooks.calamine import Texts
from worker.stages.reading.workbooks.sheet_marks import Seen, marks_of

PART = "xl/worksheets/sheet1.xml"
Change = Callable[[bytes], bytes]
END = b"</row>"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of some ten rows."""
    monkeypatch.setattr(slices, "SLICE", 4096)
    monkeypatch.setattr(slices, "LONGEST_TAG", 256)
    monkeypatch.setattr(slices, "BESIDE_SHARE", 0)


LEAP_DAY = dt.datetime(2024, 2, 29, 12, 30)  # noqa: DTZ001  spreadsheets know no zones
NOTES: list[sheets.Cell] = [None, "", "!?", sheets.ErrorCell("#DIV/0!"), LEAP_DAY, 0.1, "ü & <x>"]


def table(rows: int = 300) -> list[list[sheets.Cell]]:
    """All kinds of cells there are."""
    return [
        list(sheets.HEADER),
        *(
            [1, 12125550000 + row, row % 2 == 0, "" if row % 3 else "FALSE", None, NOTES[row % len(NOTES)]]
            for row in range(rows)
        ),
    ]


def in_slices(content: bytes, sheet: str = "Numbers") -> tuple[list[pa.Array], Seen]:
    seen = Seen()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return slices.read(archive, PART, sheet, Texts().of, seen.add), seen


def whole(content: bytes) -> list[list[str]]:
    loaded = fastexcel.read_excel(content).load_sheet("Numbers", header_row=None, skip_rows=0, dtypes="string")
    return as_lists(Texts().of(*loaded.to_arrow_with_errors()))


def as_lists(columns: Sequence[pa.Array]) -> list[list[str]]:
    return [column.to_pylist() for column in columns]


def changed(change: Change, content: bytes | None = None) -> bytes:
    parts = sheets.parts_of(content or sheets.xlsx_bytes(table()))
    return sheets.zip_bytes((name, change(text) if name == PART else text) for name, text in parts)


def replaced(pattern: bytes, by: bytes, count: int = 0) -> Change:
    def change(text: bytes) -> bytes:
        found, times = re.subn(pattern, by, text, count=count)
        assert times
        return found

    return change


def gap(rows: int) -> Change:
    """Row 101 and those below it stand so many rows further down."""

    def change(text: bytes) -> bytes:
        above, mark, below = text.partition(b'<row r="101"')
        place = re.compile(rb'(r="[A-Z]*)(\d+)"')
        return above + place.sub(lambda found: b'%b%d"' % (found[1], int(found[2]) + rows), mark + below)

    return change


SAME = {
    "all kinds of cells": sheets.xlsx_bytes(table()),
    "further down and to the right": sheets.xlsx_bytes(table(), first_row=40, first_column=3),
    "other sheets": sheets.xlsx_bytes(table(), after=["More"]),
    "the first column is used late": sheets.xlsx_bytes([[None, *row] for row in table()] + [["late"]]),
    "the first column is an error": sheets.xlsx_bytes([[None, "x"]] * 200 + [[sheets.ErrorCell("#N/A")]]),
    "wider further down": sheets.xlsx_bytes([*table(), ["x"] * 40, ["y"]]),
    "narrower further down": sheets.xlsx_bytes([*table(), *[["z"]] * 200]),
    "rows of nothing": sheets.xlsx_bytes([*table(40), *[[]] * 500, *table(40)]),
    "a gap": changed(gap(1000)),
    "cells without a place": changed(replaced(rb'<c r="[A-Z]+\d+"', b"<c")),
    "rows without a number, but some": changed(
        lambda text: re.sub(
            rb'<row r="(\d*[1-9])"', lambda found: b"<row" if int(found[1]) % 10 == 5 else found[0], text
        )
    ),
    "a row of nothing": changed(replaced(rb'<row r="50".*?</row>', b'<row r="50"/>')),
}


@pytest.mark.parametrize("name", SAME)
def test_slices_come_to_what_the_whole_comes_to(name: str) -> None:
    try:
        columns, _ = in_slices(SAME[name])
    except slices.NotPlainError:
        assert name == "rows without a number, but some", "whole is right, but slow"
        return
    assert as_lists(columns) == whole(SAME[name])


def in_row(number: int, row: bytes) -> Change:
    """Another row behind the one that has that number."""
    return replaced(rb'(<row r="%d".*?</row>)' % number, rb"\1" + row)


def cell(place: str) -> bytes:
    return b'<c r="%b" t="str"><v>there</v></c>' % place.encode()


WHOLE = {
    "small": sheets.xlsx_bytes(table(3)),
    "no number": changed(replaced(rb'<row r="\d+"', b"<row")),
    "rows in no order": changed(in_row(50, b'<row r="280">' + cell("A280") + END)),
    "a row from above": changed(in_row(200, b'<row r="3">' + cell("A3") + END)),
    "a cell from above": changed(replaced(rb'<c r="A200"', b'<c r="A7"')),
    "a cell from far below": changed(replaced(rb'<c r="A100"', b'<c r="A900"')),
    "a comment": changed(replaced(rb'(<row r="150")', rb"<!-- </row> -->\1")),
    "an instruction": changed(replaced(rb'(<row r="150")', rb"<?x </row> ?>\1")),
    "cut off": changed(lambda text: text[: len(text) // 2]),
    "no rows": changed(replaced(rb"(?s)<sheetData>.*</sheetData>", b"<sheetData/>")),
    "prefixes": changed(lambda text: re.sub(rb"<(/?)(\w)", rb"<\1x:\2", text).replace(b"xmlns=", b"xmlns:x=")),
    "beyond the last row": changed(gap(1 << 20)),
    "nothing but the first rows is used": changed(replaced(rb'(<row r="[123]\d\d"[^>]*>).*?</row>', rb"\1</row>")),
    "very wide": changed(replaced(rb'<c r="B100"', b'<c r="ZZZ100"')),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_may_not_be_cut_is_left_whole(name: str) -> None:
    with pytest.raises((slices.NotPlainError, fastexcel.FastExcelError)):
        in_slices(WHOLE[name])


@pytest.mark.parametrize("row", range(20, 60))
def test_no_place_near_a_cut_is_lost(row: int) -> None:
    """A cell that claims a place a row or two away, wherever the cuts are."""
    for away in (-2, -1, 1, 2):
        content = changed(replaced(rb'<c r="A%d"' % row, b'<c r="F%d"' % max(row + away, 1)))
        try:
            columns, _ = in_slices(content)
        except slices.NotPlainError:
            continue
        assert as_lists(columns) == whole(content)


def test_shared_strings_are_worth_it_only_if_they_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "BESIDE_SHARE", 4)
    with pytest.raises(slices.NotPlainError):
        in_slices(sheets.xlsx_bytes([[f"text {row} {column}" for column in range(5)] for row in range(300)]))


def test_what_the_cells_do_not_tell_is_seen() -> None:
    hide = replaced(rb'<row r="(77|78|250)"', rb'<row r="\1" hidden="1"')
    merge = replaced(b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="A1:B2"/></mergeCells>')
    content = changed(hide, changed(merge))
    columns, seen = in_slices(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert seen.answer() == marks_of(archive, PART)
    assert seen.answer() == {"hidden_rows": 3, "merged": ["A1:B2"], "merged_count": 1}
    assert as_lists(columns) == whole(content)
