"""Reports: every row once in file order, all its faults in words, safe to open in a spreadsheet (R28)."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pytest

from schemas.arrow_schemas import CHUNK_RESULTS, RESULTS, tally
from schemas.codes import CATALOGUE, Code, Family, Outcome, fault_bit, number_of, text_of, warning_bit
from schemas.columns import REPORT_COLUMNS, Column
from schemas.jobs import Seen, Tally
from tests.unit.small_world import rows_of
from worker.reports import render
from worker.reports.row_messages import Layout, outcome_mask
from worker.spreadsheet.formula_escape import neutralise, restore
from worker.stages.merge import IncompleteError, merge

LAYOUT = Layout(
    ("Country Code", "Phone Number", "Voice"), {Column.COUNTRY_CODE: 0, Column.PHONE_NUMBER: 1, Column.VOICE: 2}
)
TOO_SHORT = fault_bit(Code.TOO_SHORT, Column.PHONE_NUMBER)
BAD_VOICE = fault_bit(Code.INVALID_BOOLEAN, Column.VOICE)


def results(*rows: tuple[int, Code | None, int, int, int, int]) -> pa.Table:
    """Rows: number, code, faults, warnings, E.164, the row that it repeats; each stands for one number."""
    names = ("row", "faults", "warnings", "e164", "duplicate_of")
    found = (
        dict(zip(names, (row, *rest), strict=True)) | {"code": number_of(code) if code else 0, "numbers": 1}
        for row, code, *rest in rows
    )
    return rows_of(RESULTS, *found)


def cells(*rows: tuple[str, str, str]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=["0", "1", "2"])


CELLS = cells(("1", "2125550142", "TRUE"), ("1", "=1+1", "maybe"), ("1", "+1 212", "TRUE"))
RESULT = results(
    (2, Code.CREATED, 0, warning_bit(Code.DEFAULT_CARRIER_USED), 12125550142, 0),
    (3, Code.TOO_SHORT, TOO_SHORT | BAD_VOICE, 0, 0, 0),
    (4, Code.DUPLICATE_IN_FILE, 0, 0, 12125550142, 2),
)


def read(layout: Layout, cells_: pa.RecordBatch, results_: pa.Table) -> list[dict[str, str]]:
    text = (render.csv_header(layout) + render.csv_rows(layout, cells_, results_)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv() -> None:
    created, failed, duplicate = read(LAYOUT, CELLS, RESULT)
    assert list(created) == [*LAYOUT.names, *REPORT_COLUMNS]
    assert (created["_row"], created["_result"], created["_code"]) == ("2", "created", "CREATED")
    assert (created["_number"], created["_warnings"]) == ("+12125550142", "DEFAULT_CARRIER_USED")
    assert (failed["_result"], failed["_code"], failed["_column"]) == ("failed", "TOO_SHORT", "Phone Number")
    assert failed["Phone Number"] == "'=1+1", "a cell that a spreadsheet would run is neutralised"
    assert duplicate["Phone Number"] == "'+1 212", "only strict E.164 may begin with a plus"
    assert (duplicate["_code"], duplicate["_duplicate_of_row"], duplicate["_number"]) == (
        "DUPLICATE_IN_FILE",
        "2",
        "+12125550142",
    )


def test_every_fault_is_said_with_its_value() -> None:
    _, failed, _ = read(LAYOUT, CELLS, RESULT)
    for code, column, value in (
        (Code.TOO_SHORT, Column.PHONE_NUMBER, "=1+1"),
        (Code.INVALID_BOOLEAN, Column.VOICE, "maybe"),
    ):
        words = text_of(code, column).with_value(value)
        assert words.message in failed["_message"]
        assert words.fix in failed["_fix"]


def test_values_with_braces_are_not_taken_for_placeholders() -> None:
    _, failed, _ = read(LAYOUT, cells(("1", "2", "T"), ("1", "{value}{column}", "no?"), ("1", "2", "T")), RESULT)
    assert "{value}{column}" in failed["_message"]


def test_json_lines_have_the_names_of_the_csv() -> None:
    lines = [json.loads(line) for line in render.json_lines(LAYOUT, CELLS, RESULT).splitlines()]
    assert [list(line) for line in lines] == [[*LAYOUT.names, *REPORT_COLUMNS]] * 3
    assert lines[0]["_warnings"] == ["DEFAULT_CARRIER_USED"]
    assert lines[1]["Phone Number"] == "=1+1", "JSON is not run by a spreadsheet: the value is the file's own"
    assert (lines[2]["_row"], lines[2]["_duplicate_of_row"]) == (4, 2)


def test_records_name_every_fault() -> None:
    record = list(render.records(LAYOUT, CELLS, RESULT))[1]
    assert record["faults"] == [
        {"code": "TOO_SHORT", "column": "Phone Number"},
        {"code": "INVALID_BOOLEAN", "column": "Voice"},
    ]
    assert record["cells"] == {"Country Code": "1", "Phone Number": "=1+1", "Voice": "maybe"}


def test_columns_of_one_name_stay_two_columns() -> None:
    layout = Layout(("Note", "Note", "Voice"), {Column.VOICE: 2})
    header = render.csv_header(layout).decode("utf-8-sig")
    assert header.startswith('"Note","Note","Voice","_row"')


def test_hostile_header() -> None:
    header = render.csv_header(Layout(("=cmd()", "b", "c"), {})).decode("utf-8-sig")
    assert header.startswith('"\'=cmd()"')


@pytest.mark.parametrize("sign", [*"=+-@\t\r\n", "\ufeff", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_what_a_spreadsheet_may_run_is_neutralised_and_taken_back(sign: str) -> None:
    cells_ = pa.array([f"{sign}1+1", f"'{sign}1", "plain", ""], pa.string())
    safe = neutralise(cells_)
    assert safe.to_pylist() == [f"'{sign}1+1", f"''{sign}1", "plain", ""]
    assert restore(safe).equals(cells_)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({Outcome.CREATED}, [True, False, False]),
        ({Outcome.FAILED}, [False, True, False]),
        ({Outcome.SKIPPED}, [False, False, True]),
        ({Outcome.FAILED, Outcome.SKIPPED}, [False, True, True]),
        (set(), [False, False, False]),
    ],
)
def test_outcome_mask(outcomes: set[Outcome], expected: list[bool]) -> None:
    assert outcome_mask(RESULT, frozenset(outcomes)).tolist() == expected


def test_no_text_of_ours_can_be_run_by_a_spreadsheet() -> None:
    for code in CATALOGUE:
        for column in Column:
            text = text_of(code, column).with_value("=1+1")
            assert text.message[0] not in "=+-@\t\r'"
            assert not text.fix or text.fix[0] not in "=+-@\t\r'"


def test_tally_counts_by_outcome_and_code() -> None:
    counted = tally(RESULT)
    assert counted.results == {
        (Outcome.CREATED, Code.CREATED): Seen(1, 2),
        (Outcome.FAILED, Code.TOO_SHORT): Seen(1, 3),
        (Outcome.SKIPPED, Code.DUPLICATE_IN_FILE): Seen(1, 4),
    }
    assert counted.rows_with_warnings == 1


def test_tally_leaves_out_what_is_not_settled() -> None:
    open_rows = results((2, None, 0, 0, 12125550142, 0), (3, Code.TOO_SHORT, TOO_SHORT, 0, 0, 0))
    assert tally(open_rows).results == {(Outcome.FAILED, Code.TOO_SHORT): Seen(1, 3)}


CHECKED = results(
    (2, None, 0, 0, 12125550142, 0), (3, Code.TOO_SHORT, TOO_SHORT, 0, 0, 0), (4, None, 0, 0, 12125550143, 0)
)


def chunk(*rows: tuple[int, Code]) -> pa.Table:
    return rows_of(
        CHUNK_RESULTS, *({"place": place, "row": place + 2, "code": number_of(code)} for place, code in rows)
    )


def expected(*codes: Code) -> Tally:
    return Tally(
        {
            (Outcome.FAILED if code is Code.TOO_SHORT else Outcome.CREATED, code): seen
            for code, seen in zip(codes, (Seen(2, 2), Seen(1, 3)), strict=False)
        }
    )


def test_merge_puts_results_back_into_file_order() -> None:
    merged = merge(
        CHECKED, [chunk((2, Code.CREATED)), chunk((0, Code.CREATED))], expected(Code.CREATED, Code.TOO_SHORT)
    )
    assert [CATALOGUE_NAMES[number] for number in merged.column("code").to_pylist()] == [
        "CREATED",
        "TOO_SHORT",
        "CREATED",
    ]


CATALOGUE_NAMES = {entry.number: code.value for code, entry in CATALOGUE.items()}


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk((0, Code.CREATED))],
        [chunk((0, Code.CREATED)), chunk((2, Code.CREATED)), chunk((0, Code.CREATED))],
        [chunk((0, Code.CREATED), (1, Code.CREATED), (2, Code.CREATED))],
    ],
    ids=["a row is missing", "a row comes twice", "a settled row comes again"],
)
def test_merge_refuses_lost_and_doubled_rows(chunks: list[pa.Table]) -> None:
    """R28: exactly one result per row, or no report at all."""
    with pytest.raises(IncompleteError):
        merge(CHECKED, chunks, expected(Code.CREATED, Code.TOO_SHORT))


def test_merge_refuses_what_the_ledger_counted_differently() -> None:
    with pytest.raises(IncompleteError):
        merge(CHECKED, [chunk((0, Code.CREATED), (2, Code.CREATED))], Tally())


def test_every_row_code_has_an_outcome_and_every_failure_a_fix() -> None:
    for code, entry in CATALOGUE.items():
        assert (entry.outcome is None) == (entry.family in {Family.WARNING, Family.FILE}), code
        if entry.outcome is Outcome.FAILED:
            assert entry.fix, code
