"""What checking finds in the rows of an action (R2, R12, R16, R18, R20, R23): files and lists alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.codes import BY_NUMBER, Code, faults_of
from schemas.columns import Column
from schemas.job_kinds import JOB_KINDS, JobKind
from schemas.jobs import JobOptions
from schemas.user_services import Service
from worker.spreadsheet.cell_sources import CellSources
from worker.stages.cut import DeduplicatedFile, deduplicate
from worker.stages.read import FileFault, RowBatch
from worker.stages.reading.listed_rows import ListedRows
from worker.stages.validate import Names, Parts, validate_rows

NAMES = Names(
    {Column.TARGET: {"ashford clinics": 7}, Column.USER: {"ann@example.com": 31, "bea@example.com": 32}}, (1,)
)
MAPPING = {Column.PHONE_NUMBER: 0, Column.TARGET: 1, Column.USER: 2, Column.SERVICE: 3, Column.SMS: 4}
FIRST, SECOND, THIRD = "+12125550142", "+12125550143", "+12125550144"
Line = tuple[str, ...]


def check(kind: JobKind, lines: Sequence[Line], **options: Any) -> DeduplicatedFile:  # noqa: ANN401 - any option
    padded = [(*line, *[""] * (len(MAPPING) - len(line))) for line in lines]
    cells = pa.record_batch(
        [pa.array([line[place] for line in padded], pa.string()) for place in range(len(MAPPING))],
        names=[str(place) for place in range(len(MAPPING))],
    )
    nothing = np.zeros(len(lines), dtype=bool)
    batch = RowBatch(np.arange(2, 2 + len(lines)), cells, nothing, nothing)
    chosen = JobOptions(**options)
    return deduplicate(Parts([validate_rows(batch, CellSources(MAPPING), NAMES, kind, chosen)]), kind, chosen)


def found(file: DeduplicatedFile) -> list[list[tuple[Code, Column]]]:
    """The faults of every row."""
    return [[(fault.code, fault.column) for fault in faults_of(int(faults))] for faults in file.faults]


def codes(file: DeduplicatedFile) -> list[Code | None]:
    return [BY_NUMBER[int(code)] if code else None for code in file.code]


@pytest.mark.parametrize(
    ("line", "options", "fault"),
    [
        ((FIRST, "Ashford  CLINICS"), {}, None),
        ((FIRST, "", "ann@example.com"), {}, None),
        ((FIRST, "", "Ann@Example.com", "Voice + SMS"), {}, None),
        ((FIRST,), {"target_id": 7}, None),
        ((FIRST,), {"user_id": 31}, None),
        ((FIRST,), {}, (Code.MISSING_VALUE, Column.TARGET)),
        ((FIRST, "Nobody"), {}, (Code.TARGET_NOT_FOUND, Column.TARGET)),
        ((FIRST, "", "nobody@example.com"), {}, (Code.TARGET_NOT_FOUND, Column.USER)),
        ((FIRST, "", "ann@example.com", "fax"), {}, (Code.TARGET_NOT_FOUND, Column.SERVICE)),
        (("212 555 0142", "Ashford Clinics"), {}, None),
        (("0212 555 0142", "Ashford Clinics"), {}, (Code.NOT_FOUND, Column.PHONE_NUMBER)),
    ],
)
def test_rows_that_assign(line: Line, options: dict[str, int], fault: tuple[Code, Column] | None) -> None:
    """R12, R18, R20: a row, or else the job, must name somebody."""
    assert found(check(JobKind.ASSIGN, [line], **options)) == [[fault] if fault else []]


def test_a_cell_names_services() -> None:
    file = check(JobKind.ASSIGN, [(FIRST, "", "ann@example.com", "Forwarded DID + SMS"), (SECOND, "Ashford Clinics")])
    assert file.rows.columns(("service",))["service"].tolist() == [int(Service.FORWARDED | Service.SMS), 0]


def test_one_number_for_one_pbx_user() -> None:
    """R2: the first in file order has it, wherever its number stands among the others."""
    ann, bea = ("", "ann@example.com"), ("", "bea@example.com")
    file = check(JobKind.ASSIGN, [(SECOND, *ann), (FIRST, *ann), (THIRD, *bea)])
    assert codes(file) == [None, Code.ASSIGNED_IN_USE, None]
    assert found(file)[1] == [(Code.ASSIGNED_IN_USE, Column.USER)]
    assert sorted(file.order.tolist()) == [0, 2]


def test_a_trunk_user_has_many_forwarded_dids() -> None:
    ann = ("", "ann@example.com")
    file = check(
        JobKind.ASSIGN, [(FIRST, *ann, "forwarded"), (SECOND, *ann, "forwarded"), (THIRD, *ann, "default did")]
    )
    assert codes(file) == [None, None, None]


def test_a_row_that_names_a_tenant_does_not_want_the_jobs_user() -> None:
    """R12: the cell wins, so the slot is free for the other row."""
    file = check(JobKind.ASSIGN, [(FIRST, "Ashford Clinics"), (SECOND,)], user_id=31, service=Service.VOICE)
    assert codes(file) == [None, None]


@pytest.mark.parametrize(
    ("kind", "code"), [(JobKind.CHANGE, Code.CONFLICTING_DUPLICATE), (JobKind.DELETE, Code.DUPLICATE_IN_FILE)]
)
def test_empty_leaves_and_false_switches_off(kind: JobKind, code: Code) -> None:
    """R16, R23: two rows that want different things of one number contradict each other, in a change."""
    file = check(kind, [(FIRST, "", "", "", "FALSE"), (FIRST,)])
    assert codes(file) == [None, code]


def listed(columns: Mapping[str, Sequence[str]]) -> tuple[list[RowBatch], Mapping[Column, int]]:
    """A list of rows, read two at a time."""
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    rows = ListedRows(table, JOB_KINDS[JobKind.ASSIGN].form, 2)
    return list(rows.batches()), rows.facts.mapping


def test_a_list_is_read_like_a_file() -> None:
    """R29: rows are counted from 1 on, across parts; an empty item is told, not passed over."""
    parts, mapping = listed({"Phone Number": [FIRST, "", SECOND], "User": ["", "", "a"]})
    assert mapping == {Column.PHONE_NUMBER: 0, Column.USER: 1}
    assert [part.row_number.tolist() for part in parts] == [[1, 2], [3]]
    assert [part.cells.column(0).to_pylist() for part in parts] == [[FIRST, ""], [SECOND]]
    assert not any(part.blank.any() or part.too_wide.any() for part in parts)


def test_an_empty_list_is_an_empty_file() -> None:
    with pytest.raises(FileFault) as caught:
        listed({"Phone Number": []})
    assert caught.value.code is Code.EMPTY_FILE
