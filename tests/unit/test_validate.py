"""What checking finds, row by row and over the whole file (R10, R12, R14..R16), and that chunks change nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codes import BY_NUMBER, Code, faults_of, warnings_of
from schemas.columns import Column
from schemas.job_kinds import JobKind
from schemas.jobs import Accept, JobOptions, OnExisting
from worker.spreadsheet.cell_sources import CellSources
from worker.stages.cut import DeduplicatedFile, deduplicate
from worker.stages.read import RowBatch
from worker.stages.validate import Names, Parts, ValidatedRows, validate_rows

COLUMNS = (
    Column.COUNTRY_CODE,
    Column.PHONE_NUMBER,
    Column.VOICE,
    Column.SMS,
    Column.FAX,
    Column.VOICE_CARRIER,
    Column.SMS_CARRIER_PROFILE,
    Column.TARGET,
)
SOURCES = CellSources({column: place for place, column in enumerate(COLUMNS)})
NAMES = Names(
    {
        Column.VOICE_CARRIER: {"harbour sip": 5},
        Column.SMS_CARRIER_PROFILE: {"harbour messaging": 6},
        Column.TARGET: {"ashford clinics": 7},
    }
)
Line = tuple[str, ...]


def batch(lines: list[Line], first_row: int = 2, *, too_wide: bool = False) -> RowBatch:
    padded = [(*line, *[""] * (len(COLUMNS) - len(line))) for line in lines]
    cells = pa.record_batch(
        [pa.array([line[place] for line in padded], pa.string()) for place in range(len(COLUMNS))],
        names=[str(place) for place in range(len(COLUMNS))],
    )
    return RowBatch(
        np.arange(first_row, first_row + len(lines), dtype=np.int64),
        cells,
        np.full(len(lines), too_wide),
        np.array([not any(line) for line in lines], dtype=bool),
    )


def check(lines: list[Line], accept: Accept = Accept.VALID, *, too_wide: bool = False) -> ValidatedRows:
    return validate_rows(batch(lines, too_wide=too_wide), SOURCES, NAMES, JobKind.UPLOAD, JobOptions(accept=accept))


def whole(lines: Sequence[Line], on_existing: OnExisting = OnExisting.SKIP, pieces: int = 1) -> DeduplicatedFile:
    cuts = np.array_split(np.arange(len(lines)), pieces)
    parts = [
        validate_rows(batch([lines[at] for at in cut], int(cut[0]) + 2), SOURCES, NAMES, JobKind.UPLOAD, JobOptions())
        for cut in cuts
        if len(cut)
    ]
    return deduplicate(Parts(parts), JobKind.UPLOAD, JobOptions(on_existing=on_existing))


def codes(file: DeduplicatedFile) -> list[str]:
    return [BY_NUMBER[code].value if code else "" for code in file.results().column("code").to_pylist()]


GOOD = ("1", "2125550142", "TRUE", "FALSE", "FALSE")


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        (("", "2125550142", "TRUE", "", ""), Code.MISSING_VALUE, Column.COUNTRY_CODE),
        (("1", "", "TRUE", "", ""), Code.MISSING_VALUE, Column.PHONE_NUMBER),
        (("ZZ", "2125550142", "TRUE", "", ""), Code.INVALID_COUNTRY_CODE, Column.COUNTRY_CODE),
        (("1", "4.41E+11", "TRUE", "", ""), Code.SCIENTIFIC_NOTATION_LOSS, Column.PHONE_NUMBER),
        (("1", "not a number", "TRUE", "", ""), Code.INVALID_CHARACTER, Column.PHONE_NUMBER),
        (("1", "21255", "TRUE", "", ""), Code.TOO_SHORT, Column.PHONE_NUMBER),
        (("1", "212555014299", "TRUE", "", ""), Code.TOO_LONG, Column.PHONE_NUMBER),
        (("1", "+442079460958", "TRUE", "", ""), Code.COUNTRY_MISMATCH, Column.PHONE_NUMBER),
        (("1", "1112223333", "TRUE", "", ""), Code.INVALID_NUMBER, Column.PHONE_NUMBER),
        (("1", "2125550142", "perhaps", "", ""), Code.INVALID_BOOLEAN, Column.VOICE),
        (("1", "2125550142", "TRUE", "2", ""), Code.INVALID_BOOLEAN, Column.SMS),
        (("1", "2125550142", "TRUE", "", "?"), Code.INVALID_BOOLEAN, Column.FAX),
        ((*GOOD, "No Such"), Code.CARRIER_NOT_FOUND, Column.VOICE_CARRIER),
        ((*GOOD, "", "No Such"), Code.CARRIER_NOT_FOUND, Column.SMS_CARRIER_PROFILE),
        ((*GOOD, "", "", "No Such"), Code.TARGET_NOT_FOUND, Column.TARGET),
    ],
)
def test_one_fault(line: Line, code: Code, column: Column) -> None:
    """R10, R12, R14, R15: the fault is found, it is the row's code, and nothing else is claimed."""
    rows = check([line])
    faults = faults_of(int(rows.faults[0]))
    assert [(fault.code, fault.column) for fault in faults] == [(code, column)]
    assert BY_NUMBER[int(rows.code[0])] is code


def test_every_fault_of_a_row_is_kept_and_the_first_is_its_code() -> None:
    rows = check([("", "4.41E+11", "maybe", "2", "", "Nope", "", "Nowhere")])
    found = [(fault.code, fault.column) for fault in faults_of(int(rows.faults[0]))]
    assert found == [
        (Code.MISSING_VALUE, Column.COUNTRY_CODE),
        (Code.SCIENTIFIC_NOTATION_LOSS, Column.PHONE_NUMBER),
        (Code.INVALID_BOOLEAN, Column.VOICE),
        (Code.INVALID_BOOLEAN, Column.SMS),
        (Code.TARGET_NOT_FOUND, Column.TARGET),
        (Code.CARRIER_NOT_FOUND, Column.VOICE_CARRIER),
    ]
    assert BY_NUMBER[int(rows.code[0])] is Code.MISSING_VALUE


def test_a_sound_row_is_not_settled_yet() -> None:
    rows = check([(*GOOD, " HARBOUR  sip ", "Harbour Messaging", "ashford clinics")])
    assert (rows.code[0], rows.faults[0], rows.e164[0]) == (0, 0, 12125550142)
    assert (rows.voice_carrier_id[0], rows.sms_carrier_id[0], rows.target_id[0]) == (5, 6, 7)
    assert [rows.column(name)[0] for name in ("voice", "sms", "fax")] == [1, 0, 0]


def test_too_wide_and_blank_rows() -> None:
    assert BY_NUMBER[int(check([GOOD], too_wide=True).code[0])] is Code.ROW_TOO_WIDE
    blank = check([("", "", "", "", "")])
    assert (BY_NUMBER[int(blank.code[0])], blank.faults[0]) == (Code.BLANK_ROW, 0)


def test_possible_numbers_pass_with_a_warning_when_accepted() -> None:
    """R15."""
    rows = check([("1", "1112223333", "TRUE", "", "")], Accept.POSSIBLE)
    assert rows.code[0] == 0
    assert Code.POSSIBLE_NOT_VALID in warnings_of(int(rows.warnings[0]))


SPELLINGS = [
    ("US", "+1 (212) 555-0142"),
    ("1", "12125550142"),
    ("1", "2125550142"),
    ("1", "001 212 555 0142"),
]


@pytest.mark.parametrize("pieces", [1, 2, 4])
def test_duplicates_spelled_differently(pieces: int) -> None:
    """R16: the first row in file order wins, later ones point at it, wherever the file is cut."""
    lines = [(country, number, "TRUE", "FALSE", "") for country, number in SPELLINGS]
    file = whole(lines, pieces=pieces)
    assert codes(file) == ["", *["DUPLICATE_IN_FILE"] * 3]
    assert file.duplicate_of.tolist() == [0, 2, 2, 2]


def test_conflicting_duplicate() -> None:
    """R16: other values make a later row a failure, not a skip."""
    file = whole([GOOD, ("1", "2125550142", "TRUE", "TRUE", "FALSE")])
    assert codes(file) == ["", "CONFLICTING_DUPLICATE"]
    assert file.duplicate_of.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("on_existing", "code"), [(OnExisting.SKIP, "DUPLICATE_IN_FILE"), (OnExisting.UPDATE, "CONFLICTING_DUPLICATE")]
)
def test_empty_and_false_differ_only_where_empty_may_mean_leave(on_existing: OnExisting, code: str) -> None:
    """R10, R16."""
    file = whole([GOOD, ("1", "2125550142", "TRUE", "", "")], on_existing)
    assert codes(file) == ["", code]


def test_a_faulty_row_neither_wins_nor_hides_as_a_duplicate() -> None:
    """R16: the first sound row wins, so the number is not lost with the faulty one."""
    file = whole([("1", "2125550142", "maybe", "", ""), GOOD, ("1", "2125550142", "oops", "", "")])
    assert codes(file) == ["INVALID_BOOLEAN", "", "INVALID_BOOLEAN"]
    assert file.duplicate_of.tolist() == [0, 0, 0]


def test_chunks_hold_every_open_row_once_by_number() -> None:
    lines = [("1", f"21255501{n:02}", "TRUE", "FALSE", "") for n in (3, 1, 2, 0, 1)]
    file = whole(lines)
    chunks = list(file.chunks(2))
    assert [chunk.num_rows for chunk in chunks] == [2, 2]
    numbers = [number for chunk in chunks for number in chunk.column("e164").to_pylist()]
    assert numbers == sorted(numbers)
    places = [place for chunk in chunks for place in chunk.column("place").to_pylist()]
    assert sorted(places) == [0, 1, 2, 3]


@pytest.mark.parametrize(("rows", "chunks"), [(32, [2] * 16), (48, [3] * 16), (64, [4] * 16), (80, [4] * 20)])
def test_chunks_of_a_large_file_have_up_to_twice_as_many_numbers(rows: int, chunks: list[int]) -> None:
    file = whole([("1", f"21255501{n:02}", "TRUE", "FALSE", "") for n in range(rows)])
    assert [chunk.num_rows for chunk in file.chunks(2)] == chunks


def test_nothing_to_write() -> None:
    file = whole([("1", "", "TRUE", "", ""), ("", "", "", "", "")])
    assert list(file.chunks(10)) == []
    assert codes(file) == ["MISSING_VALUE", "BLANK_ROW"]


@pytest.mark.long
@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(SPELLINGS), st.sampled_from(["TRUE", "FALSE", "bad"])).map(
            lambda pair: (*pair[0], pair[1], "TRUE", "")
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 5),
)
def test_cutting_the_file_changes_nothing(lines: list[Line], pieces: int) -> None:
    """R29."""
    one, many = whole(lines), whole(lines, pieces=pieces)
    assert one.results().equals(many.results())
    assert one.order.tolist() == many.order.tolist()


@pytest.mark.parametrize("nothing", ["N/A", "NULL", "none", "-", "–", "—"])
def test_a_name_that_says_nothing_names_nobody(nothing: str) -> None:
    """R12: the form's carrier and target hold; unless somebody is called that."""
    rows = check([(*GOOD, nothing, nothing, nothing)])
    assert (rows.faults[0], rows.voice_carrier_id[0], rows.target_id[0]) == (0, 0, 0)
    names = Names({**NAMES.ids, Column.VOICE_CARRIER: {nothing.casefold(): 9}})
    called = validate_rows(batch([(*GOOD, nothing)]), SOURCES, names, JobKind.UPLOAD, JobOptions())
    assert called.voice_carrier_id[0] == 9


def test_what_names_mean_is_kept_with_the_rows() -> None:
    """R14c, R29: every batch reads with what was known when the file was read; also of rows stored before."""
    names = Names({Column.VOICE_CARRIER: {"blue": 9}}, (1, 36, 44))
    assert Names.from_json(names.to_json().encode()) == names
    assert Names.from_json(b'{"VOICE_CARRIER": {"blue": 9}}') == Names(names.ids)
