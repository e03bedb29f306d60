"""What corrections change in rows (R33): rules on failed rows, single cells, rows left out; and the table beside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.arrow_schemas import CORRECTED_CELLS
from schemas.codes import Code, Fault, fault_bit
from schemas.columns import Column
from schemas.corrections import Correction
from worker.spreadsheet.cell_sources import CellSources
from worker.spreadsheet.corrected_cells import CorrectedCells
from worker.stages.correct import corrections_of, spliced

ROW = np.array([2, 3, 5, 9], np.int64)
CELLS = {
    Column.COUNTRY_CODE: ["1", "", "", "1"],
    Column.VOICE: ["TRUE", "maybe", " May  be", "Maybe"],
    Column.PHONE_NUMBER: ["2125550100", "21255501O1", "2125550102", "O"],
}


def bits(*faults: tuple[Code, Column]) -> int:
    return sum(fault_bit(code, column) for code, column in faults)


NO_COUNTRY, NO_BOOLEAN = (Code.MISSING_VALUE, Column.COUNTRY_CODE), (Code.INVALID_BOOLEAN, Column.VOICE)
FAULTS = np.array(
    [0, bits(NO_COUNTRY, NO_BOOLEAN), bits(NO_COUNTRY), bits(NO_BOOLEAN, (Code.TOO_SHORT, Column.PHONE_NUMBER))],
    np.uint64,
)


def changes(body: dict[str, Any]) -> list[tuple[int, Column, str]]:
    cells = lambda column: pa.array(CELLS[column])  # noqa: E731 - as short as it is
    table = corrections_of(Correction.from_json(body), 7, ROW, FAULTS, cells, cells)
    assert table.schema == CORRECTED_CELLS
    assert set(table.column("correction").to_pylist()) <= {7}
    found = table.select(["row", "column", "text"]).to_pylist()
    return [(line["row"], Column(line["column"]), line["text"]) for line in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"column": "Country Code", "code": "MISSING_VALUE", "set": "1"}, [(3, "1"), (5, "1")]),
        ({"column": "Voice", "equals": "MAYBE ", "set": "TRUE"}, [(3, "TRUE"), (9, "TRUE")]),
        ({"column": "Voice", "equals": "may be", "set": ""}, [(5, "")]),
        ({"column": "Voice", "code": "INVALID_BOOLEAN", "equals": "maybe", "set": "maybe"}, [(9, "maybe")]),
        ({"column": "Phone Number", "replace": ["O", "0"]}, [(3, "2125550101"), (9, "0")]),
        ({"column": "Phone Number", "replace": ["O", "0"], "code": "TOO_SHORT"}, [(9, "0")]),
        ({"column": "Phone Number", "equals": "2125550100", "set": "x"}, []),
    ],
)
def test_a_rule_is_about_rows_that_fail(rule: dict[str, Any], expected: list[tuple[int, str]]) -> None:
    assert [(row, text) for row, _, text in changes({"rules": [rule]})] == expected


def test_rules_apply_in_their_order_and_cells_after_them() -> None:
    body = {
        "rules": [
            {"column": "Voice", "equals": "maybe", "set": "yes"},
            {"column": "Voice", "equals": "yes", "set": "TRUE"},
            {"code": "TOO_SHORT", "column": "Phone Number", "leave_out": True},
        ],
        "cells": [{"row": 3, "column": "Voice", "value": "FALSE"}, {"row": 2, "column": "Country Code", "value": "1"}],
        "leave_out": [2, 4],
    }
    assert changes(body) == [
        (2, Column.NONE, ""),
        (3, Column.VOICE, "FALSE"),
        (9, Column.NONE, ""),
        (9, Column.VOICE, "TRUE"),
    ]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"column": "Voice", "set": "1"}, "which rows"),
        ({"column": "Voice", "equals": "1"}, "one of set, replace and leave_out"),
        ({"column": "Voice", "equals": "1", "set": "1", "replace": ["a", "b"]}, "one of set, replace and leave_out"),
        ({"column": "Voice", "replace": ["", "b"]}, "empty"),
        ({"column": "Voice", "replace": ["b", "b"]}, "the same"),
        ({"column": "Nothing", "equals": "1", "set": "1"}, "“Nothing” is not a column of an upload"),
        ({"equals": "1", "set": "1"}, "is not a column"),
        ({"equals": "1", "leave_out": True}, "needs a column"),
        ({"column": "Voice", "code": "NOTHING", "set": "1"}, "“NOTHING” is not a code"),
        ({"column": "Voice", "code": "TOO_SHORT", "set": "1"}, "TOO_SHORT is not a fault in Voice"),
        ({"code": "TOO_SHORT", "leave_out": True}, "concerns no single column"),
    ],
)
def test_a_rule_that_cannot_be_meant(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Correction.from_json({"rules": [rule]})


def test_what_a_correction_names() -> None:
    body = {"cells": [{"row": 3, "column": "voice", "value": "x"}], "leave_out": [4]}
    assert Correction.from_json(body).rows == {3, 4}
    rule = Correction.from_json({"rules": [{"code": "ROW_TOO_WIDE", "leave_out": True}]}).rules[0]
    assert rule.fault == Fault(Code.ROW_TOO_WIDE, Column.NONE)


def cells(*lines: tuple[int, Column, int, str]) -> CorrectedCells:
    row, column, number, text = zip(*lines, strict=True)
    table = pa.table([row, pa.array([int(each) for each in column]), number, text], names=CORRECTED_CELLS.names)
    return CorrectedCells.none().added(table.cast(CORRECTED_CELLS))


MADE = cells(
    (9, Column.VOICE, 2, "b"), (5, Column.NONE, 1, ""), (9, Column.VOICE, 1, "a"), (2, Column.COUNTRY_CODE, 1, "1")
)


def test_the_last_correction_of_a_cell_counts() -> None:
    found = MADE.at(ROW)
    assert {column: (each.index.tolist(), each.text.to_pylist()) for column, each in found.columns.items()} == {
        Column.COUNTRY_CODE: ([0], ["1"]),
        Column.VOICE: ([3], ["b"]),
    }
    assert found.left_out is not None
    assert found.left_out.tolist() == [False, False, True, False]
    assert found.touched(4).tolist() == [True, False, False, True]
    assert MADE.columns == {Column.COUNTRY_CODE, Column.VOICE}
    assert MADE.rows_of(1).tolist() == [2, 5, 9]
    before = MADE.without(2).at(ROW[3:]).columns[Column.VOICE]
    assert (before.index.tolist(), before.text.to_pylist()) == ([0], ["a"])


def test_rows_without_corrections() -> None:
    for some in (ROW[:0], np.array([3, 4], np.int64), np.array([100], np.int64)):
        assert MADE.at(some).columns == {}
        assert MADE.at(some).left_out is None
        assert CorrectedCells.none().at(some).columns == {}
    assert MADE.only(ROW[:0]).table.num_rows == 0


def test_some_rows_are_taken_over() -> None:
    kept = MADE.only(np.array([3, 9], np.int64)).table.to_pylist()
    assert kept == [{"row": 9, "column": Column.VOICE, "correction": 0, "text": "b"}]


def test_corrected_cells_are_translated_like_others() -> None:
    values = {Column.VOICE: {"b": "TRUE"}}
    sources = CellSources({Column.VOICE: 0}, {Column.COUNTRY_CODE: "44"}, values, MADE.at(ROW))
    batch = pa.record_batch([pa.array(["x", "b", "y", "z"])], ["0"])
    assert sources.original(Column.VOICE, batch).to_pylist() == ["x", "b", "y", "z"]
    assert sources.untranslated(Column.VOICE, batch).to_pylist() == ["x", "b", "y", "b"]
    assert sources.cells(Column.VOICE, batch).to_pylist() == ["x", "TRUE", "y", "TRUE"]
    assert sources.cells(Column.COUNTRY_CODE, batch).to_pylist() == ["1", "44", "44", "44"]
    assert Column.SMS not in sources


def test_changed_rows_take_the_places_of_others() -> None:
    base, changed = pa.table({"a": [1, 2, 3, 4]}), pa.table({"a": [20, 40]})
    assert spliced(base, np.array([1, 3]), changed).column("a").to_pylist() == [1, 20, 3, 40]
    assert spliced(base, np.array([], np.int64), changed[:0]).column("a").to_pylist() == [1, 2, 3, 4]
