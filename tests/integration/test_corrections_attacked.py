"""Corrections at their edges: without effect, hostile, taken back; and what else needs a corrected job (R33)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database.tables import correction_previews, job_chunks, jobs
from schemas.jobs import ChunkState, Phase
from tests.integration.test_corrections import COUNTRY, RULES, correct, preview, review, take_back
from tests.support.api_client import Door, Json, application, table
from tests.support.files import sheets
from worker.database.engine import transaction
from worker.jobs import corrections
from worker.steps import corrections as corrections_step


def test_a_correction_that_changes_no_row(api: Door) -> None:
    job = review(api)
    before = api.rows(job["id"])
    job = correct(api, job, {"rules": [{"column": "Voice", "equals": "nowhere", "set": "TRUE"}]})
    assert job["status"] == "review"
    assert api.rows(job["id"]) == before
    assert api.get(f"/v1/jobs/{job['id']}/corrections").json["data"][0]["rows"] == 0


@pytest.mark.parametrize("batch", [2, 100])
def test_an_undo_shows_what_was_corrected(api: Door, configure: Callable[..., None], batch: int) -> None:
    configure(rows_per_batch=batch, rows_per_chunk=2)
    job = correct(api, review(api), RULES)
    job = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    undo = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert (undo["status"], undo["counts"]["deleted"]) == ("completed", 6), undo["problem"]
    shown = {row["row"]: row["corrections"] for row in api.rows(undo["id"])}
    assert shown[3] == [{"column": "Country Code", "was": "", "now": "1"}]
    assert table(api.report(undo["id"]))[1]["_corrections"] == "Country Code: “” → “1”"


def asked(database: sa.Engine) -> int:
    """Ask about the only job, as a web process does that ends before the answer; return the question's number."""
    with database.connect() as connection:
        job_id = connection.execute(sa.select(jobs.c.id)).scalar_one()
    with transaction() as connection:
        return corrections.ask(connection, job_id, RULES)


def test_a_preview_that_always_fails_does_not_end_the_job(
    api: Door, database: sa.Engine, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    configure(max_attempts=1)
    job = review(api)
    asked(database)
    monkeypatch.setattr(corrections_step, "preview", fail)
    for _ in range(2):
        api.work_off()
        of_previews = job_chunks.update().where(job_chunks.c.phase == Phase.PREVIEW)
        with database.begin() as connection:
            connection.execute(of_previews.values(next_attempt_at=sa.func.now()))
    assert api.job(job["id"])["status"] == "review"
    with database.connect() as connection:
        states = sa.select(job_chunks.c.state).where(job_chunks.c.phase == Phase.PREVIEW)
        assert connection.execute(states).scalars().all() == [ChunkState.DEAD]
        assert connection.execute(sa.select(correction_previews.c.answer)).scalars().all() == [{}]


GERMAN = ["Country Code", "Phone Number", "Voice", "SMS"]
BOTH, NATIONAL = "4915110000000", "15110000000"  # the first is national or international; the second decides it


def german(*numbers: str) -> list[list[str]]:
    return [GERMAN, *(["DE", number, "TRUE", "FALSE"] for number in numbers)]


def test_evidence_stays_in_a_file_without_faults(api: Door) -> None:
    job = review(api, german(BOTH, NATIONAL))
    before = api.rows(job["id"])[0]
    correct(api, job, {"cells": [{"row": 3, "column": "Phone Number", "value": "15110000009x"}]})
    after = api.rows(job["id"])[0]
    assert (after["code"], after["number"]) == (before["code"], before["number"]) == ("CREATED", "+494915110000000")


def test_a_row_that_failed_when_it_was_written_is_read_as_before(api: Door) -> None:
    api.upload(sheets.csv_bytes(german(BOTH, NATIONAL)))
    job = api.upload(sheets.csv_bytes(german(BOTH, "15110000009")), on_existing="error")
    assert [(row["result"], row["number"]) for row in api.rows(job["id"])] == [
        ("failed", "+494915110000000"),
        ("created", "+4915110000009"),
    ]
    again = api.done(api.post(f"/v1/jobs/{job['id']}/retry"))
    assert [(row["code"], row["number"]) for row in api.rows(again["id"])] == [("ALREADY_EXISTS", "+494915110000000")]


def test_rules_do_not_multiply_text(api: Door) -> None:
    rule = {"column": "Voice", "replace": ["e", "e" * 100]}
    job = correct(api, review(api), {"rules": [rule] * 20})
    assert job["status"] == "review"
    assert {len(each["now"]) for row in api.rows(job["id"]) for each in row["corrections"]} == {104, 105}


def test_questions_of_a_process_that_has_ended_do_not_count(api: Door, database: sa.Engine) -> None:
    job = review(api)
    for _ in range(corrections.MOST_PREVIEWS):
        asked(database)
    with database.begin() as connection:
        long_ago = sa.func.now() - sa.text("interval '1 hour'")
        connection.execute(correction_previews.update().values(created_at=long_ago))
    assert len(preview(api, job, RULES)["rules"]) == len(RULES["rules"])
    with database.connect() as connection:
        assert not connection.execute(sa.select(sa.func.count()).select_from(correction_previews)).scalar_one()


def test_a_failed_retry_has_no_file_to_check_again(api: Door, configure: Callable[..., None]) -> None:
    configure(max_rows=50)
    rows = [[*sheets.HEADER, "Block Size"], ["1", "2125550100", "TRUE", "FALSE", "FALSE", "ten"]]
    ended = api.upload(sheets.csv_bytes(rows))
    again = api.done(api.post(f"/v1/jobs/{ended['id']}/retry"))
    again = correct(api, again, {"cells": [{"row": 2, "column": "Block Size", "value": "60"}]})
    assert (again["status"], again["problem"]["code"], again["can_recheck"]) == ("failed", "TOO_MANY_ROWS", False)
    assert api.job(ended["id"])["can_retry"]


def test_decisions_at_the_same_time(api: Door) -> None:
    """One of them counts, the others are refused: none waits for another that waits for it."""
    for _ in range(5):
        job = review(api)

        def decide(path: str, body: Json | None, job_id: str = job["id"]) -> TestResponse:
            return Door(application().test_client(), api.token, api.work_off).post(f"/v1/jobs/{job_id}/{path}", body)

        paths = ("corrections", "corrections", "recheck", "confirm")
        with ThreadPoolExecutor(len(paths)) as pool:
            answers = list(pool.map(decide, paths, (RULES, {"leave_out": [2]}, {}, None)))
        assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
        api.work_off()
        assert api.job(job["id"])["status"] in {"review", "completed_with_errors"}
        api.post(f"/v1/jobs/{job['id']}/cancel")
        api.work_off()


def test_a_rule_sets_short_texts_only(api: Door) -> None:
    job = review(api)
    rule = {"column": "Country Code", "code": "MISSING_VALUE", "set": "1" * 201}
    answer = api.post(f"/v1/jobs/{job['id']}/corrections", {"rules": [rule]})
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")


def test_what_a_later_correction_says_stays(api: Door) -> None:
    """A cell corrected to what it already is keeps that text when the earlier correction is taken back."""
    job = review(api)
    correct(api, job, {"rules": [COUNTRY]})
    correct(api, job, {"cells": [{"row": 3, "column": "Country Code", "value": "1"}]})
    take_back(api, job, 1)
    row = next(row for row in api.rows(job["id"]) if row["row"] == 3)
    assert row["corrections"] == [{"column": "Country Code", "was": "", "now": "1"}]
