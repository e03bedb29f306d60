"""Rows that stand for a block of numbers, through the whole service: written, told, undone (R12, R27, R28)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.database.tables import phone_numbers
from tests.support import factories
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from worker.stages.resolve import resolve

HEADER = ["Country Code", "Phone Number", "End Number", "Voice", "SMS"]
FIRST = 12125550100


def content(*rows: tuple[str, str]) -> bytes:
    return sheets.csv_bytes([HEADER, *(["1", first, last, "TRUE", ""] for first, last in rows)])


@pytest.fixture
def held(database: sa.Engine) -> Callable[[], list[int]]:
    def numbers() -> list[int]:
        with database.connect() as connection:
            return list(connection.execute(sa.select(phone_numbers.c.e164).order_by(phone_numbers.c.e164)).scalars())

    return numbers


def shown(api: Door, job: Json) -> list[tuple[Any, ...]]:
    return [(row["row"], row["code"], row["number"], row["numbers"], row["written"]) for row in api.rows(job["id"])]


def test_a_row_is_a_block(api: Door, held: Callable[[], list[int]], configure: Callable[..., None]) -> None:
    """One result for each row, which counts each number; chunks much smaller than the blocks change nothing (R29)."""
    configure(rows_per_chunk=7)
    job = api.upload(
        content(("2125550100", "199"), ("212 555 0300-0302", ""), ("2125550400", ""), ("2125550500", "x4"))
    )
    assert (job["status"], job["counts"]["total"], job["counts"]["created"]) == ("completed_with_errors", 4, 3)
    assert held() == [*range(FIRST, FIRST + 100), *range(FIRST + 200, FIRST + 203), FIRST + 300]
    assert shown(api, job) == [
        (2, "CREATED", "+12125550100", 100, 100),
        (3, "CREATED", "+12125550300", 3, 3),
        (4, "CREATED", "+12125550400", 1, 1),
        (5, "INVALID_RANGE", None, 1, 0),
    ]
    report = list(
        csv.DictReader(io.StringIO(api.get(f"/v1/jobs/{job['id']}/report.csv").get_data().decode("utf-8-sig")))
    )
    assert report[0]["_message"].endswith("100 numbers, +12125550100 to +12125550199: 100 were written.")
    assert "numbers" not in report[2]["_message"]
    assert [row["End Number"] for row in report] == ["199", "", "", "x4"], "as it was given"


def test_some_of_a_block(api: Door, world: World, database: sa.Engine, held: Callable[[], list[int]]) -> None:
    """R17, R28: what can be written is; the row says what could not, and how many were."""
    with database.begin() as connection:
        factories.number(connection, FIRST + 5, world.south.tenant)
        factories.number(connection, FIRST + 20, world.north.tenant)
    job = api.upload(content(("2125550100", "109"), ("2125550120", "122")))
    assert shown(api, job) == [
        (2, "NUMBER_EXISTS_ELSEWHERE", "+12125550100", 10, 9),
        (3, "CREATED", "+12125550120", 3, 2),
    ]
    assert (job["counts"]["created"], job["counts"]["failed"]) == (1, 1)
    assert held() == [*range(FIRST, FIRST + 10), *range(FIRST + 20, FIRST + 23)]


@pytest.mark.long
def test_a_block_is_undone(api: Door, world: World, database: sa.Engine, held: Callable[[], list[int]]) -> None:
    """R27: exactly the numbers that the job created; one that has changed since stays and is told; and again."""
    with database.begin() as connection:
        factories.number(connection, FIRST + 2, world.north.tenant)
    job = api.upload(content(("2125550100", "109"), ("2125550150", "")))
    api.act("assignments", {"numbers": [f"+{FIRST + 7}"], "tenant_id": world.clinic.tenant.public_id})
    undone = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert shown(api, undone) == [
        (2, "CHANGED_SINCE", "+12125550100", 10, 8),
        (3, "DELETED", "+12125550150", 1, 1),
    ]
    assert held() == [FIRST + 2, FIRST + 7]
    again = api.done(api.post(f"/v1/jobs/{undone['id']}/undo"))
    assert [row[3:] for row in shown(api, again)] == [(10, 8), (1, 1)]
    assert held() == [*range(FIRST, FIRST + 10), FIRST + 50]
    history = api.get(f"/v1/numbers/+{FIRST}").json["history"]
    assert [entry["kind"] for entry in history] == ["upload", "undo", "undo"]


@pytest.mark.long
def test_a_block_is_updated_and_that_undone(api: Door, database: sa.Engine) -> None:
    api.upload(content(("2125550100", "104")))
    changed = sheets.csv_bytes([[*HEADER, "Fax"], ["1", "2125550100", "106", "TRUE", "", "TRUE"]])
    job = api.upload(changed, on_existing="update")
    assert shown(api, job) == [(2, "UPDATED", "+12125550100", 7, 7)]
    api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    with database.connect() as connection:
        rows = connection.execute(sa.select(phone_numbers.c.e164, phone_numbers.c.fax).order_by(phone_numbers.c.e164))
        assert [tuple(row) for row in rows] == [(FIRST + place, False) for place in range(5)]


@pytest.mark.long
def test_a_block_under_review_and_all_or_nothing(api: Door, held: Callable[[], list[int]]) -> None:
    job = api.upload(content(("2125550100", "109")), mode="review")
    assert (job["review"]["effect"]["created"], job["review"]["targets"][0]["created"]) == (1, 10)
    api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert len(held()) == 10
    stopped = api.upload(content(("2125550200", "209"), ("212", "")), on_error="abort")
    assert [row[1:] for row in shown(api, stopped)] == [("ABORTED", "+12125550200", 10, 0), ("TOO_SHORT", None, 1, 0)]
    assert len(held()) == 10


@pytest.mark.parametrize("rows_per_batch", [65_536, 2, 1], ids=["one batch", "in a batch", "in all batches"])
def test_more_numbers_than_a_file_may_have(
    api: Door, held: Callable[[], list[int]], configure: Callable[..., None], rows_per_batch: int
) -> None:
    """Few rows, many numbers: refused as a whole, and nothing written."""
    configure(max_rows=150, rows_per_batch=rows_per_batch)
    job = api.upload(content(("2125550100", "199"), ("2125550200", "299"), ("212", "")))
    assert (job["status"], job["problem"]["code"]) == ("failed", "TOO_MANY_ROWS")
    assert api.get(f"/v1/jobs/{job['id']}").json["problem"] == job["problem"]
    assert "200" in job["problem"]["detail"]
    assert held() == []


@pytest.mark.long
def test_all_or_nothing_has_a_limit_of_its_own(
    api: Door, held: Callable[[], list[int]], configure: Callable[..., None]
) -> None:
    """One transaction is in memory as a whole."""
    configure(max_rows_all_or_nothing=150)
    stopped = api.upload(content(("2125550100", "199"), ("2125550200", "299")), on_error="abort")
    assert (stopped["status"], stopped["problem"]["code"]) == ("failed", "TOO_MANY_ROWS")
    assert "at most 150 numbers" in stopped["problem"]["detail"]
    assert held() == []
    assert api.upload(content(("2125550100", "199"), ("212", "")))["counts"]["created"] == 1


@pytest.mark.long
def test_a_row_of_many_numbers_is_singled_out_whole(
    api: Door, held: Callable[[], list[int]], configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that makes the worker fail is given up as one row; all others are written."""
    configure(max_attempts=1)
    real = resolve

    def fails(chunk: Any, world: Any) -> Any:  # noqa: ANN401 - handed on
        if FIRST + 105 in chunk.column("e164").to_pylist():
            raise RuntimeError("poison")
        return real(chunk, world)

    monkeypatch.setattr("worker.pipeline.resolve", fails)
    monkeypatch.setattr("worker.steps.failures.FIRST_DELAY", 0.0)
    job = api.upload(content(("2125550100", "109"), ("2125550200", "209"), ("2125550300", "309")))
    assert [row[1] for row in shown(api, job)] == ["CREATED", "INTERNAL_ERROR", "CREATED"]
    assert held() == [*range(FIRST, FIRST + 10), *range(FIRST + 200, FIRST + 210)]
