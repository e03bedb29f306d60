"""Small jobs: one worker carries out all work items of a job, each claimed as the one before it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from schemas.jobs import Phase
from tests.support.api_client import Door
from tests.support.job_rows import FIRST, LEASE, Ledger, sheet
from worker import pipeline
from worker.queue import broker, leases, turns

CHECKING = broker.PHASES["checking"]


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


def begin(ledger: Ledger) -> leases.Lease:
    """Claim the check of a small job, for a worker that goes on with it."""
    with ledger.engine.begin() as connection:
        turns.promote(connection, turns.queues_of(CHECKING))
        lease = leases.claim(connection, CHECKING, LEASE, goes_on=True)
    assert lease is not None
    return lease


def states(ledger: Ledger, job_id: str) -> list[tuple[str, str, int]]:
    query = """SELECT phase, state, attempt FROM job_chunks JOIN jobs ON id = job_id
        WHERE public_id = :job_id ORDER BY lease_token"""
    return [(row.phase, row.state, row.attempt) for row in ledger.ask(query, job_id=job_id)]


def test_a_small_job_ends_in_one_run(api: Door, ledger: Ledger) -> None:
    """And leaves the same as one whose work items are claimed from the queue."""
    once, in_turns = (api.send(sheet(3, first)).json["id"] for first in (FIRST, FIRST + 100))
    assert pipeline.run(*CHECKING, goes_on=True)
    assert api.job(once)["status"] == "completed"
    assert states(ledger, once) == [(phase, "done", 1) for phase in ("check", "write", "report")]
    for phase in (Phase.CHECK, Phase.WRITE, Phase.REPORT):
        assert pipeline.run(phase)
    assert states(ledger, in_turns) == states(ledger, once)
    assert not pipeline.run(*CHECKING, goes_on=True)
    first, second = api.job(once), api.job(in_turns)
    for name in ("status", "counts", "carriers", "can_undo"):
        assert first.get(name) == second.get(name), name
    assert api.get(f"/v1/jobs/{once}/report").data.replace(str(FIRST)[:-1].encode(), b"") == api.get(
        f"/v1/jobs/{in_turns}/report"
    ).data.replace(str(FIRST + 100)[:-1].encode(), b"")
    assert ledger.numbers() == [*range(FIRST, FIRST + 3), *range(FIRST + 100, FIRST + 103)]
    assert not ledger.ask("SELECT 1 FROM queued_jobs")


def test_a_file_without_a_sound_row_is_reported_in_the_same_run(api: Door) -> None:
    job_id = api.send(sheet(2, first=12)).json["id"]
    assert pipeline.run(*CHECKING, goes_on=True)
    job = api.job(job_id)
    assert (job["status"], job["counts"]["failed"]) == ("completed_with_errors", 2)


def test_a_larger_job_takes_turns(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    """Any free worker claims the next chunk, and then the report."""
    configure(rows_per_chunk=2)
    job_id = api.send(sheet(4)).json["id"]
    assert pipeline.run(*CHECKING, goes_on=True)
    assert (api.job(job_id)["status"], ledger.chunks()) == ("running", [("pending", 0), ("pending", 0)])
    for _ in range(2):
        assert pipeline.run(Phase.WRITE, goes_on=True)
    assert (api.job(job_id)["status"], ledger.chunks("report")) == ("publishing", [("pending", 0)])


def test_a_review_waits_for_its_decision(api: Door) -> None:
    job_id = api.send(sheet(2), mode="review").json["id"]
    assert pipeline.run(*CHECKING, goes_on=True)
    assert api.job(job_id)["status"] == "review"


def test_r28_another_worker_ends_what_a_killed_one_has_begun(api: Door, ledger: Ledger) -> None:
    """The killed one had checked the file and claimed its chunk; if it lives after all, it can commit nothing."""
    job_id = api.send(sheet(3)).json["id"]
    chunk = pipeline.STEPS[Phase.CHECK](begin(ledger))
    assert chunk is not None
    assert (chunk.phase, api.job(job_id)["status"]) == (Phase.WRITE, "running")
    assert not pipeline.run(Phase.WRITE)  # as long as the lease lasts
    ledger.expire()
    assert pipeline.run(Phase.WRITE)
    with pytest.raises(leases.LostLeaseError):
        pipeline.STEPS[Phase.WRITE](chunk)
    assert pipeline.run(Phase.REPORT)
    assert api.job(job_id)["counts"]["created"] == 3
    assert ledger.numbers() == list(range(FIRST, FIRST + 3))


def test_r28_the_report_of_a_killed_worker_is_made_by_another(api: Door, ledger: Ledger) -> None:
    job_id = api.send(sheet(3)).json["id"]
    chunk = pipeline.STEPS[Phase.CHECK](begin(ledger))
    assert chunk is not None
    report = pipeline.STEPS[Phase.WRITE](chunk)
    assert report is not None
    assert (report.phase, api.job(job_id)["status"]) == (Phase.REPORT, "publishing")
    ledger.expire()
    assert pipeline.run(Phase.REPORT)
    before = ledger.everything()
    with pytest.raises(leases.LostLeaseError):
        pipeline.STEPS[Phase.REPORT](report)
    assert (ledger.everything(), api.job(job_id)["status"]) == (before, "completed")


def test_a_job_cancelled_in_between_ends_with_what_was_written(api: Door, ledger: Ledger) -> None:
    job_id = api.send(sheet(3)).json["id"]
    chunk = pipeline.STEPS[Phase.CHECK](begin(ledger))
    assert chunk is not None
    api.post(f"/v1/jobs/{job_id}/cancel")
    assert api.job(job_id)["status"] == "cancelling"
    assert pipeline.STEPS[Phase.WRITE](chunk) is None
    assert pipeline.run(Phase.REPORT)
    job = api.job(job_id)
    assert (job["status"], job["counts"]["created"]) == ("cancelled", 3)


def test_a_failed_attempt_is_tried_again_by_turns(api: Door, ledger: Ledger) -> None:
    """The chunk of a small job fails once: it goes back to the queue, with its attempt counted."""
    job_id = api.send(sheet(3)).json["id"]
    ledger.fail("INSERT ON number_changes", "XX000")
    assert pipeline.run(*CHECKING, goes_on=True)
    assert ledger.chunks() == [("pending", 1)]
    ledger.mend()
    ledger.due()
    assert pipeline.run(Phase.WRITE)
    assert pipeline.run(Phase.REPORT)
    assert (api.job(job_id)["status"], ledger.numbers()) == ("completed", list(range(FIRST, FIRST + 3)))
