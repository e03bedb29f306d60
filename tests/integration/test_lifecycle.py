"""What becomes of a job beside its work: review, confirmation, expiry, cancelling, undo (R27, R28, R30)."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas import request_problems
from schemas.codes import Code, Outcome
from schemas.columns import Column
from schemas.job_kinds import JobKind
from schemas.jobs import (
    Accept,
    JobOptions,
    Mode,
    OnError,
    OnExisting,
    Phase,
    Seen,
    Tally,
    counts_of,
)
from schemas.permissions import Actor, Tenant
from tests.support import factories, job_links, work
from tests.support.api_client import Door, Json, table
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.servers.service import wait_for
from worker import pipeline
from worker.accounts import tenants
from worker.jobs import control, queries, submit
from worker.maintenance import rescue_queries, rescuer
from worker.queue import broker, completion, leases, turns
from worker.storage import number_lists

LEASE = 30.0
DEADLINE = 20.0
FIRST = 12_125_550_000
NOBODY = "00000000-0000-4000-8000-000000000000"
DECISIONS = ("confirm", "cancel", "undo")
EFFECT: Json = {
    "effect": {"created": 2, "updated": 0, "deleted": 0, "unchanged": 0, "skipped": 0, "failed": 1, "unprocessed": 0},
    "targets": [{"tenant": None, "created": 2, "updated": 0, "deleted": 0}],
    "carriers": [{"service": "voice", "name": "Master Voice", "count": 2}],
    "changes": [],
    "taken_from": [],
    "faults": [],
}
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
SETTLED = ("created", "updated", "deleted", "unchanged", "skipped", "failed", "unprocessed")


def decide(door: Door, job_id: str, decision: str, **headers: str) -> TestResponse:
    """Confirm, cancel or undo a job; the answer may be a refusal."""
    path = f"/v1/jobs/{job_id}/{decision}"
    return door.client.post(path, headers={"Authorization": f"Bearer {door.token}"} | headers)


def refusal(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def sheet(count: int) -> bytes:
    return sheets.csv_bytes([sheets.HEADER, *(["1", str(FIRST + row), "TRUE", "", ""] for row in range(count))])


def unmoved(job: Json) -> Json:
    """What a job says of itself, without its speed, which time alone changes."""
    return job | {"progress": {}}


def created(rows: int) -> Tally:
    return Tally({(Outcome.CREATED, Code.CREATED): Seen(rows, 2)}) if rows else Tally()


def assert_adds_up(job: Json) -> None:
    """R28: total = created + updated + deleted + unchanged + skipped + failed + unprocessed."""
    counts = job["counts"]
    assert counts["total"] == sum(counts[name] for name in SETTLED)
    assert min(counts.values()) >= 0


@dataclass(frozen=True)
class Worker:
    """A worker's steps in the ledger without its work: no file is read or written, no number either."""

    engine: sa.Engine

    def try_claim(self, phase: Phase) -> leases.Lease | None:
        with self.engine.begin() as connection:
            return work.claim(connection, phase, LEASE)

    def claim(self, phase: Phase) -> leases.Lease:
        lease = self.try_claim(phase)
        assert lease is not None
        return lease

    def end_check(self, lease: leases.Lease, *chunks: int, review: Json | None = None) -> completion.Following:
        """One row more than in the chunks, which checking has refused."""
        refused = Tally({(Outcome.FAILED, Code.TOO_LONG): Seen(1, 9)})
        with self.engine.begin() as connection:
            return completion.complete_check(
                connection, lease, completion.CheckedJob({}, sum(chunks) + 1, refused, chunks, review)
            )

    def end_chunk(self, lease: leases.Lease) -> completion.Following:
        with self.engine.begin() as connection:
            return completion.complete_chunk(connection, lease, f"results/{lease.number}", created(lease.rows))

    def end_report(self, lease: leases.Lease) -> None:
        with self.engine.begin() as connection:
            completion.complete_report(connection, lease, completion.tally_of(connection, lease.job_id))

    def checked(self, *chunks: int, review: Json | None = None) -> None:
        self.end_check(self.claim(Phase.CHECK), *chunks, review=review)

    def die(self) -> None:
        """All workers fall silent; their leases run out."""
        self.run("UPDATE job_chunks SET lease_until = now() - interval '1 day' WHERE state = 'leased'")

    def run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement))

    def ask(self, query: str) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(sa.text(query)).scalars())

    def numbers(self) -> list[int]:
        return self.ask("SELECT e164 FROM phone_numbers ORDER BY e164")

    def overdue(self) -> list[tuple[Phase, str, int]]:
        self.run("UPDATE queued_jobs SET hint_due_at = now() - interval '1 day'")
        with self.engine.begin() as connection:
            turns.promote(connection, broker.PHASES)
            return turns.overdue(connection, 5)


@pytest.fixture
def worker(database: sa.Engine) -> Worker:
    return Worker(database)


@pytest.fixture
def accepted(database: sa.Engine, world: World) -> str:
    """A job of `north` whose file is only entered, not there."""
    with database.begin() as connection:
        return factories.job(connection, world.north.tenant)


class Blocked:
    """An act that waits for a lock which the test holds, and goes on once that is let go."""

    def __init__(self, worker: Worker, act: Callable[[], object]) -> None:
        self._act = act
        self._thread = threading.Thread(target=self._run)
        self._found: object = None
        self._thread.start()
        wait_for(lambda: worker.ask(WAITING), DEADLINE, "somebody to wait for a lock")

    def _run(self) -> None:
        try:
            self._found = self._act()
        except Exception as error:  # noqa: BLE001 - what was raised is the result
            self._found = error

    def result(self) -> Any:  # noqa: ANN401 - what it gave or raised
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        return self._found


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Begin all acts at the same moment; answers what they gave or raised."""
    barrier, found = threading.Barrier(len(acts)), [object()] * len(acts)

    def run(place: int) -> None:
        barrier.wait()
        try:
            found[place] = acts[place]()
        except Exception as error:  # noqa: BLE001 - what was raised is the result
            found[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    return found


# States, driven by hand. Every one of them with a job in it:


def _checking(worker: Worker) -> None:
    worker.claim(Phase.CHECK)


def _review(worker: Worker) -> None:
    worker.checked(2, 2, review=EFFECT)


def _running(worker: Worker) -> None:
    worker.checked(2, 2)
    worker.claim(Phase.WRITE)


def _publishing(worker: Worker) -> None:
    worker.checked(2)
    worker.end_chunk(worker.claim(Phase.WRITE))


def _cancelling(worker: Worker) -> None:
    _running(worker)
    job_id = worker.ask("SELECT max(id) FROM jobs")[0]
    with worker.engine.begin() as connection:
        control.cancel(connection, job_id)


def _cancelled(worker: Worker) -> None:
    with worker.engine.begin() as connection:
        control.cancel(connection, worker.ask("SELECT max(id) FROM jobs")[0])


def _completed(worker: Worker) -> None:
    _publishing(worker)
    worker.end_report(worker.claim(Phase.REPORT))


def _failed(worker: Worker) -> None:
    lease = worker.claim(Phase.CHECK)
    with worker.engine.begin() as connection:
        completion.fail_job(connection, lease, request_problems.of_request(request_problems.RequestCode.INTERNAL_ERROR))


STATES: dict[str, Callable[[Worker], None]] = {
    "accepted": lambda _: None,
    "checking": _checking,
    "review": _review,
    "running": _running,
    "publishing": _publishing,
    "cancelling": _cancelling,
    "cancelled": _cancelled,
    "completed_with_errors": _completed,
    "failed": _failed,
}
LEGAL = {
    "accepted": ("NOT_IN_REVIEW", None, "JOB_NOT_ENDED"),
    "checking": ("NOT_IN_REVIEW", None, "JOB_NOT_ENDED"),
    "review": (None, None, "JOB_NOT_ENDED"),
    "running": ("NOT_IN_REVIEW", None, "JOB_NOT_ENDED"),
    "publishing": ("NOT_IN_REVIEW", None, "JOB_NOT_ENDED"),
    "cancelling": ("NOT_IN_REVIEW", None, "JOB_NOT_ENDED"),
    "cancelled": ("NOT_IN_REVIEW", "JOB_HAS_ENDED", "NOTHING_TO_UNDO"),
    "completed_with_errors": ("NOT_IN_REVIEW", "JOB_HAS_ENDED", None),
    "failed": ("NOT_IN_REVIEW", "JOB_HAS_ENDED", "NOTHING_TO_UNDO"),
}


@pytest.mark.parametrize(
    ("state", "decision", "code"),
    [
        (state, decision, code)
        for state, codes in LEGAL.items()
        for decision, code in zip(DECISIONS, codes, strict=True)
    ],
)
def test_what_may_be_decided_in_which_state(
    api: Door, worker: Worker, accepted: str, state: str, decision: str, code: str | None
) -> None:
    STATES[state](worker)
    job = api.job(accepted)
    assert job["status"] == state
    assert_adds_up(job)
    answer = decide(api, accepted, decision)
    if code is None:
        assert answer.status_code == 202, answer.get_data(as_text=True)
        assert answer.headers["Location"] == f"/v1/jobs/{answer.json['id']}"
        assert answer.headers["Retry-After"]
        assert_adds_up(api.job(accepted))
        return
    assert refusal(answer) == (409, code)
    assert answer.json["job_status"] == state
    assert unmoved(api.job(accepted)) == unmoved(job)
    assert len(worker.ask("SELECT id FROM jobs")) == 1


# Who may decide (R1, R3, R27)


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("who", ["south", "school", "clinic", "hotel"])
def test_r3_a_job_elsewhere_is_as_good_as_none(
    api: Door, world: World, worker: Worker, accepted: str, who: str, decision: str
) -> None:
    """In whatever state it is: neither status nor words tell that it is there."""
    door = api.as_(getattr(world, who).token)
    expected = decide(door, NOBODY, decision)
    assert refusal(expected) == (404, "NOT_FOUND")
    for state in ("accepted", "review"):
        STATES[state](worker)
        answer = decide(door, accepted, decision)
        assert (answer.status_code, answer.data) == (404, expected.data)
    assert api.job(accepted)["status"] == "review"


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("state", ["review", "completed_with_errors"])
def test_r27_those_above_see_a_job_and_leave_it_alone(
    api: Door, world: World, worker: Worker, accepted: str, decision: str, state: str
) -> None:
    STATES[state](worker)
    door = api.as_(world.master.token)
    before = door.job(accepted)
    assert refusal(decide(door, accepted, decision)) == (403, "FORBIDDEN")
    assert unmoved(door.job(accepted)) == unmoved(before)
    assert len(worker.ask("SELECT id FROM jobs")) == 1


# Review


def test_a_job_under_review_gives_out_no_work(api: Door, worker: Worker, accepted: str) -> None:
    assert worker.end_check(worker.claim(Phase.CHECK), 2, 2, review=EFFECT) is None
    assert [worker.try_claim(phase) for phase in Phase] == [None] * len(Phase)
    assert worker.overdue() == []
    rescuer.rescue()
    job = api.job(accepted)
    assert job["status"] == "review"
    assert {name: value for name, value in job["review"].items() if name != "expires_at"} == EFFECT
    assert job["review"]["expires_at"] > job["created_at"]
    assert (job["counts"]["total"], job["counts"]["failed"], job["counts"]["unprocessed"]) == (5, 1, 4)


def test_a_confirmed_job_goes_on(api: Door, worker: Worker, accepted: str) -> None:
    _review(worker)
    answer = decide(api, accepted, "confirm")
    assert (answer.status_code, answer.json["id"], answer.json["status"]) == (202, accepted, "running")
    assert worker.overdue() == [(Phase.WRITE, accepted, 2)]
    for following in (None, Phase.REPORT):
        assert worker.end_chunk(worker.claim(Phase.WRITE)) == following
    worker.end_report(worker.claim(Phase.REPORT))
    job = api.job(accepted)
    assert (job["status"], job["counts"]["created"]) == ("completed_with_errors", 4)
    assert job["review"]["effect"] == EFFECT["effect"]


def test_a_review_with_nothing_to_write_waits_all_the_same(api: Door, worker: Worker, accepted: str) -> None:
    assert worker.end_check(worker.claim(Phase.CHECK), review=EFFECT) is None
    assert worker.try_claim(Phase.REPORT) is None
    assert decide(api, accepted, "confirm").json["status"] == "publishing"
    worker.end_report(worker.claim(Phase.REPORT))
    assert api.job(accepted)["status"] == "completed_with_errors"


def test_of_two_confirmations_at_once_one_wins(worker: Worker, world: World) -> None:
    for _ in range(5):
        with worker.engine.begin() as connection:
            factories.job(connection, world.north.tenant)
        _review(worker)
        job_id = worker.ask("SELECT max(id) FROM jobs")[0]

        def confirm(job_id: int = job_id) -> Phase:
            with worker.engine.begin() as connection:
                return control.confirm(connection, job_id)

        found = at_once(confirm, confirm)
        assert Phase.WRITE in found
        (lost,) = [one for one in found if isinstance(one, control.WrongStateError)]
        assert lost.code == "NOT_IN_REVIEW"
        assert worker.ask(f"SELECT status FROM jobs WHERE id = {job_id}") == ["running"]  # noqa: S608


def test_an_unconfirmed_review_expires(
    api: Door, worker: Worker, configure: Callable[..., None], accepted: str
) -> None:
    """By the clock, whether the sweep has been by or not; what becomes of it is told in its report."""
    configure(review_seconds=0.05)
    _review(worker)
    time.sleep(0.1)
    assert refusal(decide(api, accepted, "confirm")) == (409, "REVIEW_EXPIRED")
    assert api.job(accepted)["status"] == "review"
    rescuer.rescue()
    job = api.job(accepted)
    assert (job["status"], job["problem"]["code"], job["problem"]["status"]) == ("cancelling", "REVIEW_EXPIRED", 409)
    assert worker.try_claim(Phase.WRITE) is None
    worker.end_report(worker.claim(Phase.REPORT))
    job = api.job(accepted)
    assert (job["status"], job["problem"]["code"]) == ("cancelled", "REVIEW_EXPIRED")
    assert_adds_up(job)
    assert refusal(decide(api, accepted, "confirm")) == (409, "NOT_IN_REVIEW")


@pytest.mark.long
def test_a_confirmation_under_way_wins_against_expiry(worker: Worker, accepted: str) -> None:
    _review(worker)
    with worker.engine.begin() as connection:
        connection.execute(sa.text("UPDATE jobs SET review_until = now() + interval '3 seconds'"))
    with worker.engine.begin() as connection:
        control.confirm(connection, worker.ask("SELECT max(id) FROM jobs")[0])
        time.sleep(3)
        rescuer.rescue()
    rescuer.rescue()
    assert worker.ask("SELECT status FROM jobs") == ["running"]
    assert worker.ask("SELECT problem FROM jobs") == [None]
    assert worker.claim(Phase.WRITE).job_public_id == accepted


def test_a_confirmation_that_comes_during_expiry_loses(worker: Worker, accepted: str) -> None:
    """Even where its own clock would have let it through."""
    assert accepted
    _review(worker)
    job_id = worker.ask("SELECT max(id) FROM jobs")[0]

    def confirm() -> Phase:
        with worker.engine.begin() as connection:
            return control.confirm(connection, job_id)

    with worker.engine.begin() as connection:
        assert rescue_queries.expire_reviews(connection) == 0
        connection.execute(sa.text("UPDATE jobs SET review_until = now() - interval '1 second'"))
        assert rescue_queries.expire_reviews(connection) == 1
        late = Blocked(worker, confirm)
    assert isinstance(late.result(), control.WrongStateError)
    assert worker.ask("SELECT status FROM jobs") == ["cancelling"]


# Cancelling


def cancel(worker: Worker, job_id: int | None = None) -> Phase | None:
    """Cancel the latest job."""
    job_id = job_id or worker.ask("SELECT max(id) FROM jobs")[0]
    with worker.engine.begin() as connection:
        return control.cancel(connection, job_id)


def test_a_job_that_nobody_has_looked_at_ends_at_once(api: Door, worker: Worker, accepted: str) -> None:
    answer = decide(api, accepted, "cancel")
    assert (answer.status_code, answer.json["status"]) == (202, "cancelled")
    assert [worker.try_claim(phase) for phase in Phase] == [None] * len(Phase)
    assert worker.overdue() == []
    job = api.job(accepted)
    assert (job["counts"]["total"], job["links"]["report_csv"], bool(job["finished_at"])) == (0, None, True)
    assert api.rows(accepted) == []
    assert refusal(api.get(f"/v1/jobs/{accepted}/report.csv")) == (409, "NO_REPORT")


def test_a_check_under_way_ends_a_cancelled_job(api: Door, worker: Worker, world: World) -> None:
    """Nothing is written, and the report tells what was found out until then."""
    assert world
    job_id = api.send(sheets.csv_bytes([*sheets.rows(3), ["1", "ask Bob", "TRUE", "", ""]])).json["id"]
    lease = worker.claim(Phase.CHECK)
    assert decide(api, job_id, "cancel").json["status"] == "cancelling"
    assert decide(api, job_id, "cancel").status_code == 202
    rescuer.rescue()
    assert api.job(job_id)["status"] == "cancelling"
    pipeline.check(lease)
    api.work_off()
    job = api.job(job_id)
    assert (job["status"], job["problem"]) == ("cancelled", None)
    assert [row["code"] for row in api.rows(job_id)] == ["CANCELLED"] * 3 + ["INVALID_CHARACTER"]
    assert [line["_code"] for line in table(api.report(job_id, "unprocessed"))] == ["CANCELLED"] * 3
    assert (job["counts"]["failed"], job["counts"]["unprocessed"], worker.numbers()) == (1, 3, [])
    assert_adds_up(job)


def test_a_check_that_would_be_reviewed_ends_a_cancelled_job_too(worker: Worker, accepted: str) -> None:
    assert accepted
    lease = worker.claim(Phase.CHECK)
    cancel(worker)
    assert worker.end_check(lease, 2, 2, review=EFFECT) is Phase.REPORT
    assert worker.ask("SELECT status FROM jobs") == ["cancelling"]
    worker.end_report(worker.claim(Phase.REPORT))
    assert worker.ask("SELECT status FROM jobs") == ["cancelled"]


def test_a_file_that_cannot_be_read_ends_a_cancelled_job(api: Door, worker: Worker) -> None:
    job_id = api.send(b"\x00\x01 no spreadsheet").json["id"]
    lease = worker.claim(Phase.CHECK)
    assert decide(api, job_id, "cancel").json["status"] == "cancelling"
    pipeline.check(lease)
    job = api.job(job_id)
    assert (job["status"], bool(job["problem"])) == ("failed", True)


@pytest.mark.parametrize("state", ["checking", "running", "publishing"])
def test_a_worker_that_dies_does_not_leave_a_job_half_cancelled(
    api: Door, worker: Worker, accepted: str, state: str
) -> None:
    """The sweep takes its work back and ends the job; what the worker says when it wakes up does not count."""
    STATES[state](worker)
    late = worker.claim(Phase.REPORT) if state == "publishing" else None
    cancel(worker)
    assert api.job(accepted)["status"] == "cancelling"
    rescuer.rescue()
    assert api.job(accepted)["status"] == "cancelling"
    worker.die()
    rescuer.rescue()
    report = worker.try_claim(Phase.REPORT)
    assert (report is None) == (state == "checking")
    if report is not None:
        worker.end_report(report)
    job = api.job(accepted)
    assert job["status"] == "cancelled"
    assert_adds_up(job)
    if late is not None:
        with pytest.raises(leases.LostLeaseError):
            worker.end_report(late)
    rescuer.rescue()
    assert api.job(accepted) == job


def test_a_late_commit_of_a_cancelled_job_is_refused(worker: Worker, accepted: str) -> None:
    """The report is due already: what would be written now would be missing in it."""
    assert accepted
    worker.checked(2, 2)
    late = worker.claim(Phase.WRITE)
    cancel(worker)
    worker.die()
    rescuer.rescue()
    with pytest.raises(leases.LostLeaseError):
        worker.end_chunk(late)
    late = worker.claim(Phase.REPORT)
    assert late.attempt == 1


@pytest.mark.parametrize("counts", [True, False])
def test_a_try_that_fails_ends_a_cancelled_job(worker: Worker, accepted: str, counts: bool) -> None:
    assert accepted
    worker.checked(2, 2)
    lease = worker.claim(Phase.WRITE)
    cancel(worker)
    with worker.engine.begin() as connection:
        leases.release(connection, lease, 0, counts=counts)
    assert worker.try_claim(Phase.WRITE) is None
    rescuer.rescue()
    assert worker.claim(Phase.REPORT)
    assert worker.try_claim(Phase.REPORT) is None


def test_r28_what_is_written_stays_and_the_rest_is_cancelled(
    api: Door, worker: Worker, configure: Callable[..., None]
) -> None:
    """One chunk done, one being written, one waiting; the counts add up all the while."""
    configure(rows_per_chunk=2)
    job_id = api.send(sheet(6)).json["id"]
    assert pipeline.run(Phase.CHECK)
    assert pipeline.run(Phase.WRITE)
    lease = worker.claim(Phase.WRITE)
    answer = decide(api, job_id, "cancel")
    assert (answer.json["status"], answer.json["counts"]["unprocessed"]) == ("cancelling", 4)
    assert_adds_up(answer.json)
    assert refusal(api.get(f"/v1/jobs/{job_id}/report.csv")) == (409, "REPORT_NOT_READY")
    assert not pipeline.run(Phase.WRITE)
    assert not pipeline.run(Phase.REPORT)
    pipeline.write_chunk(lease)
    assert_adds_up(api.job(job_id))
    api.work_off()
    job = api.job(job_id)
    assert job["status"] == "cancelled"
    assert_adds_up(job)
    assert (job["counts"]["created"], job["counts"]["unprocessed"]) == (4, 2)
    assert job["error_summary"] == [{"code": "CANCELLED", "count": 2, "first_row": 6}]
    assert [row["code"] for row in api.rows(job_id)] == ["CREATED"] * 4 + ["CANCELLED"] * 2
    assert [line["_result"] for line in table(api.report(job_id))] == ["created"] * 4 + ["unprocessed"] * 2
    assert worker.numbers() == [FIRST + place for place in range(4)]


@pytest.mark.parametrize("begun", [True, False])
def test_a_report_is_made_though_the_job_is_cancelled(api: Door, worker: Worker, accepted: str, begun: bool) -> None:
    _publishing(worker)
    lease = worker.claim(Phase.REPORT) if begun else None
    assert decide(api, accepted, "cancel").json["status"] == "cancelling"
    rescuer.rescue()
    worker.end_report(lease or worker.claim(Phase.REPORT))
    job = api.job(accepted)
    assert (job["status"], job["counts"]["created"], job["counts"]["unprocessed"]) == ("cancelled", 2, 0)


def test_the_report_of_a_cancelled_job_is_announced_once(worker: Worker, accepted: str) -> None:
    """By the sweep that ends the job, and again only when nobody has come for it."""
    worker.checked(2)
    lease = worker.claim(Phase.WRITE)
    cancel(worker)
    with worker.engine.begin() as connection:
        leases.release(connection, lease, 0, counts=True)
        assert rescue_queries.finish_cancellations(connection) == [(Phase.REPORT, accepted)]
        assert rescue_queries.finish_cancellations(connection) == []
        turns.promote(connection, broker.PHASES)
        assert turns.overdue(connection, 5) == []
    assert worker.overdue() == [(Phase.REPORT, accepted, 1)]


def test_cancelling_sees_a_claim_that_is_under_way(worker: Worker, accepted: str) -> None:
    """Else the report would be made while the chunk is being written."""
    assert accepted
    worker.checked(2, 2)
    with worker.engine.begin() as connection:
        lease = work.claim(connection, Phase.WRITE, LEASE)
        cancelled = Blocked(worker, lambda: cancel(worker))
    assert cancelled.result() is None
    assert worker.ask("SELECT status FROM jobs") == ["cancelling"]
    assert lease is not None
    assert worker.end_chunk(lease) is Phase.REPORT


@pytest.mark.parametrize(("phase", "status"), [(Phase.CHECK, "cancelled"), (Phase.WRITE, "cancelling")])
def test_a_claim_sees_a_cancelling_that_is_under_way(worker: Worker, accepted: str, phase: Phase, status: str) -> None:
    assert accepted
    if phase is Phase.WRITE:
        worker.checked(2, 2)
    job_id = worker.ask("SELECT max(id) FROM jobs")[0]
    with worker.engine.begin() as connection:
        turns.promote(connection, broker.PHASES)  # otherwise the claim finds nothing, and does not wait
    with worker.engine.begin() as connection:
        control.cancel(connection, job_id)
        claimed = Blocked(worker, lambda: worker.try_claim(phase))
    assert claimed.result() is None
    assert worker.ask("SELECT status FROM jobs") == [status]
    assert worker.ask("SELECT count(*) FROM job_chunks WHERE state = 'leased'") == [0]


def test_workers_do_not_wait_for_each_other_while_they_claim(worker: Worker, accepted: str) -> None:
    """Neither two that claim from one job, nor one that claims while another ends its chunk."""
    assert accepted
    worker.checked(2, 2, 2)
    first = worker.claim(Phase.WRITE)
    with worker.engine.begin() as connection:
        completion.complete_chunk(connection, first, "results", created(2))
        assert work.claim(connection, Phase.WRITE, LEASE) is not None
        connection.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        with worker.engine.begin() as other:
            other.execute(sa.text("SET LOCAL lock_timeout = '2s'"))
            assert work.claim(other, Phase.WRITE, LEASE) is not None


@pytest.mark.long
def test_cancelling_against_the_last_chunk(
    api: Door, worker: Worker, configure: Callable[..., None], world: World
) -> None:
    """Whoever is first: the job ends, and its report agrees with the inventory."""
    assert world
    configure(rows_per_chunk=2)
    endings = set()
    for attempt in range(8):
        worker.run("DELETE FROM phone_numbers")
        job_id = api.send(sheet(4)).json["id"]
        assert pipeline.run(Phase.CHECK)
        assert pipeline.run(Phase.WRITE)
        lease = worker.claim(Phase.WRITE)

        def stop(job_id: str = job_id, pause: float = attempt * 0.005) -> int:
            time.sleep(pause)
            return decide(api, job_id, "cancel").status_code

        def write(lease: leases.Lease = lease) -> None:
            pipeline.write_chunk(lease)

        assert at_once(write, stop) == [None, 202]
        api.work_off()
        job = api.job(job_id)
        assert_adds_up(job)
        assert [row["code"] for row in api.rows(job_id)] == ["CREATED"] * 4
        assert job["counts"]["created"] == 4 == len(worker.numbers())
        endings.add(job["status"])
    assert endings <= {"cancelled", "completed"}


def rows_done(api: Door, job_id: str) -> int:
    done: int = api.job(job_id)["progress"]["rows_done"]
    return done


@pytest.mark.long
def test_many_workers_while_jobs_are_cancelled(
    api: Door, worker: Worker, configure: Callable[..., None], world: World
) -> None:
    """No job hangs, no row is lost or doubled, whatever comes in between."""
    assert world
    configure(rows_per_chunk=1)
    ids = [api.send(sheet(12)).json["id"] for _ in range(3)]
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            if not sum(pipeline.run(phase) for phase in Phase):
                time.sleep(0.01)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in workers:
        thread.start()
    try:
        for job_id in ids:
            wait_for(partial(rows_done, api, job_id), DEADLINE, "rows")
            decide(api, job_id, "cancel")
        wait_for(lambda: {api.job(one)["status"] for one in ids} <= {"cancelled", "completed"}, DEADLINE, "the end")
    finally:
        ended.set()
        for thread in workers:
            thread.join(DEADLINE)
    for job_id in ids:
        job = api.job(job_id)
        assert_adds_up(job)
        assert [row["row"] for row in api.rows(job_id)] == list(range(2, 14))
    written = [row["number"] for job_id in ids for row in api.rows(job_id, outcome="created")]
    assert sorted(written) == [f"+{number}" for number in worker.numbers()]


def test_r28_counts_add_up_whatever_happens_while_they_are_read(
    database: sa.Engine, worker: Worker, world: World, accepted: str
) -> None:
    """A job and its chunks are read one after the other: in between it is checked, and a chunk written."""
    happens: list[Callable[[], object]] = [
        lambda: worker.checked(2, 2),
        lambda: worker.end_chunk(worker.claim(Phase.WRITE)),
    ]

    def meanwhile(*_: object) -> None:
        while happens:
            happens.pop(0)()

    with database.connect() as connection:
        sa.event.listen(connection, "after_cursor_execute", meanwhile)
        view = queries.get(connection, Actor(world.north.tenant, "test"), accepted)
    assert happens == []
    counts = counts_of(view.tally, view.row.rows_total)
    assert counts["unprocessed"] >= 0
    assert counts["total"] == sum(counts[name] for name in SETTLED)


# The whole way, with files


def reviewed(api: Door, content: bytes, **fields: str) -> str:
    job = api.upload(content, mode="review", **fields)
    assert job["status"] == "review"
    job_id: str = job["id"]
    return job_id


@pytest.mark.long
def test_r30_what_a_review_shows(api: Door, worker: Worker) -> None:
    """What would become of every row, as list and as reports, and nothing is written; then it comes true."""
    content = sheets.csv_bytes([*sheets.rows(2), ["1", "ask Bob", "TRUE", "", ""]])
    job_id = reviewed(api, content)
    job = api.job(job_id)
    assert (job["mode"], job["review"]["effect"]["created"], job["review"]["effect"]["failed"]) == ("review", 2, 1)
    assert (job["progress"]["rows_per_second"], job["progress"]["eta_seconds"]) == (None, None)
    assert worker.numbers() == []
    codes = ["CREATED", "CREATED", "INVALID_CHARACTER"]
    rows, lines = api.rows(job_id), api.report_lines(job_id)
    assert [row["code"] for row in rows] == [line["_code"] for line in lines] == codes
    for name, link in job["links"].items():
        assert link is None or name in job_links.ACTIONS or api.get(link).status_code == 200
    shown = api.report(job_id)
    assert [line["_code"] for line in table(shown)] == codes
    assert [line["_code"] for line in table(api.report(job_id, "failed"))] == codes[2:]
    assert decide(api, job_id, "confirm").status_code == 202
    assert refusal(api.get(f"/v1/jobs/{job_id}/rows")) == (409, "REPORT_NOT_READY")
    api.work_off()
    assert api.job(job_id)["status"] == "completed_with_errors"
    # All but the words: what would be is now what was.
    assert [line | {"_message": ""} for line in table(api.report(job_id))] == [
        line | {"_message": ""} for line in table(shown)
    ]
    assert [row | {"message": ""} for row in api.rows(job_id)] == [row | {"message": ""} for row in rows]
    assert len(worker.numbers()) == 2


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_a_review_that_is_not_confirmed_has_a_report_of_its_end(
    api: Door, worker: Worker, configure: Callable[..., None], how: str
) -> None:
    configure(review_seconds=0.05 if how == "expired" else 60)
    job_id = reviewed(api, sheet(3))
    time.sleep(0.1)
    if how == "cancelled":
        decide(api, job_id, "cancel")
    rescuer.rescue()
    api.work_off()
    job = api.job(job_id)
    assert (job["status"], job["problem"] and job["problem"]["code"]) == (
        "cancelled",
        "REVIEW_EXPIRED" if how == "expired" else None,
    )
    assert [row["code"] for row in api.rows(job_id)] == ["CANCELLED"] * 3
    assert [line["_code"] for line in table(api.report(job_id))] == ["CANCELLED"] * 3
    assert (job["counts"]["unprocessed"], worker.numbers()) == (3, [])
    assert refusal(decide(api, job_id, "undo")) == (409, "NOTHING_TO_UNDO")


def test_nobody_waits_for_a_job_that_waits_itself(api: Door) -> None:
    job_id = reviewed(api, sheet(1))
    began = time.monotonic()
    answer = api.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=10"})
    assert (answer.json["status"], time.monotonic() - began < 5) == ("review", True)


@pytest.mark.long
def test_prefer_wait_holds_for_decisions(api: Door) -> None:
    """The answer is the job's end, if that comes in time."""
    job_id = reviewed(api, sheet(1))
    worked = threading.Timer(0.2, api.work_off)
    decided: list[TestResponse] = []
    confirming = threading.Thread(target=lambda: decided.append(decide(api, job_id, "confirm", Prefer="wait=10")))
    confirming.start()
    worked.start()
    confirming.join(DEADLINE)
    worked.join(DEADLINE)
    assert (decided[0].status_code, decided[0].json["status"]) == (202, "completed")


@pytest.mark.long
def test_r27_undo(api: Door, worker: Worker) -> None:
    """An undo is a job of its own that names the undone one, and can be undone in turn."""
    first = api.upload(sheet(3))
    answer = decide(api, first["id"], "undo")
    assert answer.status_code == 202
    undoing = answer.json
    assert (undoing["kind"], undoing["undo_of"], undoing["file"]) == ("undo", first["id"], None)
    assert answer.headers["Location"] == f"/v1/jobs/{undoing['id']}"
    api.work_off()
    assert (api.job(undoing["id"])["counts"]["deleted"], worker.numbers()) == (3, [])
    report = api.get(f"/v1/jobs/{undoing['id']}/report.csv")
    assert len(table(report.data)) == 3
    assert 'filename="undo-all.csv"' in report.headers["Content-Disposition"]
    again = decide(api, undoing["id"], "undo").json
    api.work_off()
    assert (api.job(again["id"])["undo_of"], len(worker.numbers())) == (undoing["id"], 3)
    assert api.job(first["id"])["undo_of"] is None


def test_r27_a_job_cancelled_halfway_can_be_undone(api: Door, worker: Worker, configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=2)
    job_id = api.send(sheet(4)).json["id"]
    assert pipeline.run(Phase.CHECK)
    assert pipeline.run(Phase.WRITE)
    decide(api, job_id, "cancel")
    api.work_off()
    assert len(worker.numbers()) == 2
    undoing = decide(api, job_id, "undo").json["id"]
    api.work_off()
    assert (api.job(undoing)["counts"]["deleted"], worker.numbers()) == (2, [])


@pytest.mark.long
def test_r3_an_undo_seen_from_above_names_the_undone_job(api: Door, world: World) -> None:
    door = api.as_(world.clinic.token)
    first = door.upload(sheet(1))
    undoing = decide(door, first["id"], "undo").json["id"]
    for account in (world.clinic, world.north, world.master):
        assert api.as_(account.token).job(undoing)["undo_of"] == first["id"]


def order(database: sa.Engine, owner: Tenant, kind: JobKind, options: JobOptions, numbers: list[int]) -> str:
    """Enter a job for listed numbers; answers its id."""
    job_id = str(uuid.uuid4())
    number_lists.put(job_id, {Column.PHONE_NUMBER: [f"+{number}" for number in numbers]})
    with database.begin() as connection:
        submit.submit(connection, submit.NewJob(job_id, owner.id, "test", kind, options))
    return job_id


def test_r30_a_review_shows_numbers_before_and_after(api: Door, world: World, database: sa.Engine) -> None:
    """Per number and target; a number that would be deleted has no state after."""
    api.upload(sheet(2))
    north, clinic = world.north.tenant, world.clinic.tenant
    options = JobOptions(mode=Mode.REVIEW, target_id=clinic.id)
    assigning = order(database, north, JobKind.ASSIGN, options, [FIRST])
    deleting = order(database, north, JobKind.DELETE, JobOptions(mode=Mode.REVIEW), [FIRST + 1])
    api.work_off()
    review = api.job(assigning)["review"]
    ref = {"id": clinic.public_id, "name": clinic.name, "kind": "enterprise"}
    assert review["targets"] == [{"tenant": ref, "created": 0, "updated": 1, "deleted": 0}]
    (change,) = review["changes"]
    assert (change["number"], change["before"]["tenant"]["id"], change["after"]["tenant"]) == (
        f"+{FIRST}",
        north.public_id,
        ref,
    )
    assert change["after"]["voice_carrier"] == "Master Voice"
    (change,) = api.job(deleting)["review"]["changes"]
    assert (change["number"], bool(change["before"]), change["after"]) == (f"+{FIRST + 1}", True, None)


@pytest.mark.long
def test_a_job_without_a_file(api: Door, world: World, database: sa.Engine) -> None:
    """What is listed is no file: it has no name, and the report is called after what was done."""
    api.upload(sheet(2))
    options = JobOptions(target_id=world.clinic.id)
    job_id = order(database, world.north.tenant, JobKind.ASSIGN, options, [FIRST, FIRST + 1])
    api.work_off()
    job = api.job(job_id)
    assert (job["kind"], job["file"], job["counts"]["updated"]) == ("assign", None, 2)
    for path, name in (("report.csv?rows=failed", "assign-failed.csv"), ("report.jsonl", "assign-all.jsonl")):
        answer = api.get(f"/v1/jobs/{job_id}/{path}")
        assert f'filename="{name}"' in answer.headers["Content-Disposition"]
        assert answer.data
    kinds = {
        kind: [one["id"] for one in api.get(f"/v1/jobs?kind={kind}").json["data"]]
        for kind in ("assign", "upload", "undo")
    }
    assert (kinds["assign"], len(kinds["upload"]), kinds["undo"]) == ([job_id], 1, [])


def test_the_options_of_a_job_are_shown(api: Door, database: sa.Engine, world: World) -> None:
    options = JobOptions(mode=Mode.REVIEW, on_error=OnError.ABORT, on_existing=OnExisting.ERROR, accept=Accept.POSSIBLE)
    with database.begin() as connection:
        job_id = factories.job(connection, world.north.tenant, options)
    job = api.job(job_id)
    found = [job[name] for name in ("mode", "on_error", "on_existing", "accept", "review", "undo_of")]
    assert found == ["review", "abort", "error", "possible", None, None]


# A tenant that goes away


def test_a_job_of_a_tenant_that_is_being_deleted_is_refused(
    api: Door, world: World, worker: Worker, stored: Callable[[], list[str]]
) -> None:
    """As if the tenant had been gone before; and nothing stays in the storage."""
    with worker.engine.begin() as connection:
        tenants.hold(connection, world.clinic.tenant, to_delete=True)
        tenants.remove(connection, world.clinic.tenant)
        sending = Blocked(worker, lambda: api.as_(world.clinic.token).send(sheet(1)))
    assert refusal(sending.result()) == (404, "NOT_FOUND")
    assert stored() == []
    assert api.as_(world.clinic.token).send(sheet(1)).status_code == 401
