"""From what a job did to the rows that undo it (R27)."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from schemas.arrow_schemas import IMAGES, RESULTS
from schemas.codes import Code, number_of
from tests.unit.small_world import rows_of
from worker.stages.plan import plan_undo

JOB = 7
WRITTEN = {Code.CREATED, Code.UPDATED, Code.DELETED, Code.ASSIGNED}


def results(*rows: tuple[int, Code | None, int]) -> pa.Table:
    """Rows as a job left them: the number, the code (None: not reached), and whether it is a fault."""
    return rows_of(
        RESULTS,
        *(
            {"row": place + 2, "e164": e164, "code": number_of(code) if code else 0, "faults": fault}
            | {"numbers": 1, "written": int(code in WRITTEN)}
            for place, (e164, code, fault) in enumerate(rows)
        ),
    )


def values(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def test_only_what_was_written_is_put_back_and_every_row_is_answered() -> None:
    """One row for each row of the undone job; failed, skipped and unreached ones have nothing to be undone."""
    plan = plan_undo(
        results(
            (30, Code.CREATED, 0),
            (0, Code.INVALID_NUMBER, 1),
            (20, Code.ALREADY_EXISTS, 0),
            (10, Code.UPDATED, 0),
            (40, None, 0),
            (50, Code.DELETED, 0),
        ),
        [rows_of(IMAGES, {"e164": 50, "existed": 1}), rows_of(IMAGES, {"e164": 10, "existed": 1, "stamp": JOB})],
        JOB,
    )
    nothing = number_of(Code.NO_CHANGE)
    assert values(plan.results, "row", "code") == [(2, 0), (3, nothing), (4, nothing), (5, 0), (6, nothing), (7, 0)]
    assert plan.results.column("e164").to_pylist() == [30, 0, 20, 10, 40, 50]
    assert plan.results.column("faults").to_pylist() == [0] * 6
    assert values(plan.rows, "place", "row", "e164", "existed", "stamp") == [
        (3, 5, 10, 1, JOB),
        (0, 2, 30, 0, JOB),
        (5, 7, 50, 1, 0),
    ]


def test_a_number_gets_its_own_image() -> None:
    """Chunks are written in any order, so their images come in any."""
    numbers = list(range(100, 110))
    images = [rows_of(IMAGES, {"e164": number, "existed": 1, "holder_id": number - 90}) for number in reversed(numbers)]
    plan = plan_undo(results(*((number, Code.ASSIGNED, 0) for number in numbers)), images, JOB)
    assert values(plan.rows, "e164", "holder_id") == [(number, number - 90) for number in numbers]


def test_it_is_cut_into_chunks() -> None:
    plan = plan_undo(results(*((number, Code.CREATED, 0) for number in range(10, 15))), [], JOB)
    assert [chunk.num_rows for chunk in plan.chunks(2)] == [2, 2, 1]
    assert values(plan.rows, "existed", "stamp") == [(0, JOB)] * 5


def test_of_a_block_what_the_job_wrote() -> None:
    """R12: the numbers that have an image, also where others of the row failed; the row is answered once."""
    block = {
        "row": 2,
        "e164": 100,
        "code": number_of(Code.NUMBER_EXISTS_ELSEWHERE),
        "faults": 1,
        "numbers": 10,
        "written": 3,
    }
    single = {"row": 3, "e164": 50, "code": number_of(Code.CREATED), "numbers": 1, "written": 1}
    images = rows_of(IMAGES, *({"e164": number, "stamp": JOB} for number in (109, 101, 105)))
    plan = plan_undo(rows_of(RESULTS, block, single), [images], JOB)
    assert values(plan.rows, "place", "e164") == [(1, 50), (0, 101), (0, 105), (0, 109)]
    assert values(plan.results, "code", "numbers", "written") == [(0, 10, 0), (0, 1, 0)]
    assert [chunk.num_rows for chunk in plan.chunks(2)] == [4]
    assert [chunk.num_rows for chunk in plan.chunks(1)] == [1, 3]
