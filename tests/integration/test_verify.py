"""`numberyard verify`: jobs, files and inventory that agree, and each way in which they can disagree."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from schemas.jobs import Phase
from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from worker import pipeline
from worker.doctor import verification
from worker.doctor.findings import Level
from worker.storage import files

Faults = Callable[..., dict[str, str]]


@pytest.fixture
def faults(database: sa.Engine) -> Faults:
    """Errors by subject: the last one of each."""

    def find(*, repairs: bool = False) -> dict[str, str]:
        found = verification.verify(database, repairs=repairs)
        return {one.subject: one.detail for one in found if one.level is Level.ERROR}

    return find


def test_jobs_of_every_state_are_complete(api: Door, faults: Faults) -> None:
    """R28. Ended, failed, undone, cancelled, under review, waiting; many batches and chunks; actions."""
    done = api.upload(sheets.csv_bytes(sheets.rows(40)))
    numbers = [number["e164"] for number in api.get("/v1/numbers?limit=10").json["data"]]
    api.act("capability-changes", {"numbers": numbers, "fax": "enable"})
    api.upload(b"\x00\x01")
    api.post(f"/v1/jobs/{done['id']}/undo")
    api.work_off()
    stopped = api.upload(sheets.csv_bytes(sheets.rows(3, first=100)), mode="review")
    api.post(f"/v1/jobs/{stopped['id']}/cancel")
    api.work_off()
    api.upload(sheets.csv_bytes(sheets.rows(3, first=200)), mode="review")
    api.done(api.post("/v1/exports", {"format": "csv"}))
    api.send(sheets.csv_bytes(sheets.rows(3, first=300)))
    assert faults() == {}


def test_jobs_of_many_batches_and_chunks_are_complete(
    api: Door, faults: Faults, configure: Callable[..., None]
) -> None:
    """After each work item; a lost chunk, result or part of the report is named."""
    configure(rows_per_chunk=5, rows_per_batch=10)
    job = api.send(sheets.csv_bytes(sheets.rows(40))).json

    while pipeline.run(*Phase):
        assert faults() == {}
    assert api.job(job["id"])["status"] == "completed"
    top = files.root()
    assert top is not None
    folder = top / files.folder_of(job["id"])
    for lost in ("report-000001.csv", "results.arrow", "upload"):
        (folder / lost).unlink()
    assert "lacks 3 of its files: report-000001.csv, results.arrow, upload" in faults()["jobs"]


def test_files_that_were_removed_with_reason_are_not_missed(api: Door, faults: Faults, database: sa.Engine) -> None:
    """Of a file that was refused after it was read only the upload is kept; of a cancelled export nothing."""
    job = api.upload(sheets.csv_bytes(sheets.rows(5)))
    export = api.done(api.post("/v1/exports", {"format": "csv"}))
    for one in (job, export):
        files.remove_all_but(one["id"], files.upload_key(one["id"]))
    assert "jobs" in faults()
    with database.begin() as connection:
        ended = "UPDATE jobs SET status = :status, problem = '{}' WHERE public_id = :job"
        connection.execute(sa.text(ended), {"job": job["id"], "status": "failed"})
        connection.execute(sa.text(ended), {"job": export["id"], "status": "cancelled"})
    assert faults() == {}


def test_files_that_have_expired_are_not_missed(api: Door, faults: Faults, database: sa.Engine) -> None:
    job = api.upload(sheets.csv_bytes(sheets.rows(5)))
    top = files.root()
    assert top is not None
    shutil.rmtree(top / files.folder_of(job["id"]))
    assert "jobs" in faults()
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE jobs SET finished_at = now() - interval '1000 days'"))
    assert faults() == {}


@pytest.mark.parametrize(
    ("change", "subject", "text"),
    [
        ("UPDATE jobs SET rows_total = rows_total + 1", "jobs", "has results for 5 of 6 rows"),
        ("UPDATE jobs SET status = 'running', finished_at = NULL", "jobs", "is running, and has no work item left"),
        ("UPDATE phone_numbers SET voice_carrier_id = 999", "inventory", "5 with a carrier that does not exist"),
        ("UPDATE phone_numbers SET changed_job_id = 999", "inventory", "a version by a job that does not exist"),
        ("UPDATE number_counts SET count = count + 1", "lists", "counts that differ from the numbers"),
        ("SELECT setval('lease_tokens', 1, false)", "lease tokens", "given out again"),
    ],
)
def test_each_disagreement_is_named(
    api: Door, faults: Faults, database: sa.Engine, change: str, subject: str, text: str
) -> None:
    api.upload(sheets.csv_bytes(sheets.rows(5)))
    with database.begin() as connection:
        connection.execute(sa.text(change))
    assert text in faults()[subject]
    faults(repairs=True)  # so that the database can be used by another test


def test_lists_are_repaired_on_request(database: sa.Engine, world: World, faults: Faults) -> None:
    with database.begin() as connection:
        factories.number(connection, 12125550000, world.north.tenant)
        connection.execute(sa.text("UPDATE phone_numbers SET fax = true"))
    assert "filtered lists do not find" in faults()["lists"]
    assert "lists" not in faults(repairs=True)
    assert "lists" not in faults()
