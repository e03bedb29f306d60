"""The ledger: effect exactly once through redelivery, lost leases, crashes, conflicts, unwritable rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis
import sqlalchemy as sa

from schemas.jobs import Phase
from tests.support import work
from tests.support.api_client import Door, table
from tests.support.factories import World
from tests.support.job_rows import DEADLINE, FIRST, LEASE, Ledger, checked, finish, held_up, sheet
from tests.support.servers.service import wait_for
from worker import pipeline
from worker.config.settings import get_settings
from worker.maintenance import rescue_queries, rescuer
from worker.queue import broker, completion, leases
from worker.queue.attempts import Attempt
from worker.storage import files

# Of a job with rows; the others have tests of their own.
OF_A_JOB = [phase for phase in Phase if phase not in {Phase.CALLBACK, Phase.MAIL, Phase.PREVIEW, Phase.EXPORT}]
OF_ONE_BATCH = [Phase.CHECK, Phase.WRITE, Phase.REPORT]


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


# Redelivery and lost leases


def test_a_second_delivery_finds_nothing_to_do(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=2)
    api.upload(sheet(5))
    before = ledger.everything()
    assert not any(pipeline.run(phase) for phase in Phase for _ in range(3))
    assert ledger.everything() == before


@pytest.fixture(params=[(phase, rows) for rows in (2, 100) for phase in (OF_A_JOB if rows == 2 else OF_ONE_BATCH)])
def phase(request: pytest.FixtureRequest, configure: Callable[..., None]) -> Phase:
    """Every phase of a file of two batches, and those of one that is checked and reported in one piece."""
    found, rows = request.param
    configure(rows_per_batch=rows)
    return Phase(found)


def brought_to(phase: Phase, api: Door) -> str:
    """A job of three rows, with everything done that comes before a phase."""
    if phase is Phase.CORRECT:  # of a review
        job_id: str = api.upload(sheet(3), mode="review")["id"]
        corrected = api.post(
            f"/v1/jobs/{job_id}/corrections", {"cells": [{"row": 3, "column": "Fax", "value": "TRUE"}]}
        )
        assert corrected.status_code == 202
        return job_id
    job_id = api.send(sheet(3)).json["id"]
    for earlier in list(Phase)[: list(Phase).index(phase)]:
        while pipeline.run(earlier):
            pass
    if phase is Phase.WORKBOOK:  # of an ended job, by the first request
        assert api.get(f"/v1/jobs/{job_id}/report.xlsx", headers={"Prefer": "wait=0"}).status_code == 503
    return job_id


def ended(api: Door, ledger: Ledger, phase: Phase, job_id: str) -> dict[str, Any]:
    """The job at its end; one that was corrected is confirmed first."""
    if phase is Phase.CORRECT:
        api.work_off()
        assert api.post(f"/v1/jobs/{job_id}/confirm").status_code == 202
    return finish(api, ledger, job_id)


@pytest.mark.long
def test_a_straggler_changes_nothing(api: Door, ledger: Ledger, phase: Phase) -> None:
    """Its lease ran out, another did the work and the job went on to its end; then the first one wakes up."""
    job_id = brought_to(phase, api)
    straggler = ledger.claim(phase)
    assert ledger.expire() == 1
    job = ended(api, ledger, phase, job_id)
    report, before = api.report(job_id), ledger.everything()
    pipeline._attempt(straggler, get_settings(), Attempt())  # noqa: SLF001 - as `run` goes on after the claim
    assert ledger.everything() == before
    assert api.job(job_id) == job
    assert (api.report(job_id), table(report)[0]["_code"]) == (report, "CREATED")


@pytest.mark.long
def test_a_lost_lease_cannot_commit(api: Door, ledger: Ledger, phase: Phase) -> None:
    """The first holder was silent too long; whether it ends before or after the second, only the second counts."""
    job_id = brought_to(phase, api)
    first = ledger.claim(phase)
    assert ledger.expire() == 1
    second = ledger.claim(phase)
    assert second.token > first.token
    assert second.attempt == 2
    before = ledger.everything()
    with pytest.raises(leases.LostLeaseError):
        pipeline.STEPS[phase](first)
    assert ledger.everything() == before
    pipeline.STEPS[phase](second)
    job = ended(api, ledger, phase, job_id)
    assert (job["status"], job["counts"]["created"], job["counts"]["unprocessed"]) == ("completed", 3, 0)
    assert [row["code"] for row in api.rows(job_id)] == ["CREATED"] * 3


def test_a_lost_lease_is_neither_extended_nor_given_back(api: Door, ledger: Ledger) -> None:
    checked(api, 3)
    first = ledger.claim()
    ledger.expire()
    ledger.claim()
    before = ledger.everything()
    acts: list[Callable[[sa.Connection], object]] = [
        lambda connection: leases.extend(connection, first, LEASE),
        lambda connection: leases.release(connection, first, 0, counts=True),
        lambda connection: completion.halve(connection, first, [1, 2]),
        lambda connection: completion.fail_job(connection, first, {}),
    ]
    for act in acts:
        with pytest.raises(leases.LostLeaseError), ledger.engine.begin() as connection:
            act(connection)
    assert ledger.everything() == before


def test_a_live_lease_is_left_alone(api: Door, ledger: Ledger) -> None:
    checked(api, 3)
    ledger.claim()
    with ledger.engine.begin() as connection:
        assert rescue_queries.release_expired_leases(connection) == 0
        assert work.claim(connection, Phase.WRITE, LEASE) is None


def test_claims_go_round_among_the_tenants(
    api: Door, world: World, ledger: Ledger, configure: Callable[..., None]
) -> None:
    """A small job does not wait for the big one before it: the tenant with the fewest running pieces is next."""
    configure(rows_per_chunk=1)
    checked(api, 6)
    checked(api.as_(world.south.token), 2, FIRST + 100)
    claimed = [ledger.claim().tenant_id for _ in range(6)]
    assert claimed[:4].count(world.south.id) == 2
    assert claimed.count(world.north.id) == 4


# Crashes, and what the surroundings do


def test_a_crash_between_result_file_and_commit_leaves_nothing(
    api: Door, ledger: Ledger, stored: Callable[[], list[str]]
) -> None:
    """The commit itself fails: the file of results is there, but no number, no count and no ledger entry is."""
    job_id = checked(api, 3)
    ledger.fail("INSERT ON phone_numbers", "23514", at_commit=True)
    assert pipeline.run(Phase.WRITE)
    ledger.mend()
    assert [path for path in stored() if "/results/" in path]
    assert (ledger.numbers(), ledger.chunks()) == ([], [("pending", 1)])
    job = api.job(job_id)
    assert (job["counts"]["unprocessed"], job["progress"]["rows_done"]) == (3, 0)
    job = finish(api, ledger, job_id)
    assert (job["status"], job["counts"]["created"]) == ("completed", 3)
    assert [row["code"] for row in api.rows(job_id)] == ["CREATED"] * 3


TRANSIENT = {
    "deadlock": "40P01",
    "shutdown": "57P01",
    "serialization": "40001",
    "lock time-out": "55P03",
    "full": "53100",
    "idle in a transaction": "25P03",
}


@pytest.mark.parametrize("on", ["INSERT ON phone_numbers", "UPDATE ON jobs"])
@pytest.mark.parametrize("sqlstate", TRANSIENT.values(), ids=TRANSIENT)
def test_a_fault_of_the_surroundings_does_not_count_as_a_try(api: Door, ledger: Ledger, on: str, sqlstate: str) -> None:
    """Whether the database says so within COPY or within a statement."""
    job_id = checked(api, 3)
    ledger.fail(on, sqlstate)
    for _ in range(3):
        ledger.due()
        assert pipeline.run(Phase.WRITE)
        assert (ledger.chunks(), ledger.numbers()) == ([("pending", 0)], [])
    ledger.mend()
    assert finish(api, ledger, job_id)["counts"]["created"] == 3


def test_any_other_fault_counts_as_a_try(api: Door, ledger: Ledger) -> None:
    checked(api, 3)
    ledger.fail("INSERT ON phone_numbers", "XX000")
    assert pipeline.run(Phase.WRITE)
    assert ledger.chunks() == [("pending", 1)]
    assert not pipeline.run(Phase.WRITE)  # not before its delay is over


@pytest.mark.parametrize(("who", "code"), [("north", "ALREADY_EXISTS"), ("south", "NUMBER_EXISTS_ELSEWHERE")])
def test_r6_a_number_created_by_another_meanwhile(api: Door, world: World, ledger: Ledger, who: str, code: str) -> None:
    job_id = checked(api, 3)
    with held_up(ledger, FIRST + 1, getattr(world, who).id) as other:
        other.commit()
    finish(api, ledger, job_id)
    assert ledger.chunks() == [("done", 1)]
    assert [row["code"] for row in api.rows(job_id)] == ["CREATED", code, "CREATED"]


def test_r6_a_number_another_nearly_created(api: Door, world: World, ledger: Ledger) -> None:
    job_id = checked(api, 3)
    with held_up(ledger, FIRST + 1, world.south.id) as other:
        other.rollback()
    finish(api, ledger, job_id)
    assert [row["code"] for row in api.rows(job_id)] == ["CREATED"] * 3


def test_a_connection_cut_within_copy_does_not_count_as_a_try(api: Door, world: World, ledger: Ledger) -> None:
    """What a worker sees when the database is restarted under it."""
    job_id = checked(api, 3)
    with held_up(ledger, FIRST + 1, world.south.id):
        ledger.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    assert (ledger.chunks(), ledger.numbers()) == ([("pending", 0)], [])
    assert finish(api, ledger, job_id)["counts"]["created"] == 3


@pytest.mark.long
def test_the_heartbeat_keeps_a_lease_while_its_holder_works(
    api: Door, world: World, ledger: Ledger, configure: Callable[..., None]
) -> None:
    configure(lease_seconds=1)
    job_id = checked(api, 3)
    until = "SELECT lease_until FROM job_chunks WHERE state = 'leased' AND phase = 'write'"
    with held_up(ledger, FIRST + 1, world.south.id):
        first = ledger.ask(until)
        wait_for(lambda: ledger.ask(until) > first, DEADLINE, "a heartbeat")
    job = finish(api, ledger, job_id)
    assert (job["status"], job["counts"]["created"]) == ("completed", 3)


@pytest.mark.long
def test_many_workers_at_once_do_each_piece_once(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=3)
    job_id = checked(api, 60)

    def work() -> None:
        while pipeline.run(Phase.WRITE):
            pass

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(DEADLINE)
    assert ledger.chunks() == [("done", 1)] * 20
    assert finish(api, ledger, job_id)["counts"]["created"] == 60
    assert ledger.numbers() == list(range(FIRST, FIRST + 60))


# Rows that cannot be written


@pytest.mark.long
@pytest.mark.parametrize("poison", [[0], [7], [19], [3, 4, 16]])
def test_r28_a_row_that_cannot_be_written_is_singled_out(
    api: Door, ledger: Ledger, configure: Callable[..., None], poison: list[int]
) -> None:
    configure(rows_per_chunk=8, max_attempts=2)
    # With a SQLSTATE that says nothing about rows: what is to be found by trying.
    ledger.refuse(f"$.e164 IN ({', '.join(str(FIRST + place) for place in poison)})", sqlstate="XX000")
    job_id = checked(api, 20)
    job = finish(api, ledger, job_id)
    assert job["status"] == "completed_with_errors"
    wanted = ["INTERNAL_ERROR" if place in poison else "CREATED" for place in range(20)]
    assert [row["code"] for row in api.rows(job_id)] == wanted
    assert [line["_code"] for line in table(api.report(job_id))] == wanted
    assert (job["counts"]["failed"], job["counts"]["created"]) == (len(poison), 20 - len(poison))
    assert ledger.numbers() == [FIRST + place for place in range(20) if place not in poison]
    assert job["error_summary"] == [{"code": "INTERNAL_ERROR", "count": len(poison), "first_row": poison[0] + 2}]


def test_r29_a_check_that_comes_too_late_changes_nothing(
    api: Door, ledger: Ledger, configure: Callable[..., None]
) -> None:
    """Its files stand beside those that count, even if it would cut the file in another way."""
    job_id = api.send(sheet(3)).json["id"]
    with ledger.engine.begin() as connection:
        late = work.claim(connection, Phase.CHECK, 60)
    assert late is not None
    assert ledger.expire() == 1
    assert pipeline.run(Phase.CHECK)
    configure(rows_per_chunk=1)
    with pytest.raises(leases.LostLeaseError):
        pipeline.check(late)
    job = finish(api, ledger, job_id)
    assert (job["status"], job["counts"]["created"]) == ("completed", 3)
    assert len(ledger.numbers()) == 3


LOST = {
    "the upload": (Phase.CHECK, "upload", "failed", 0),
    "the rows": (Phase.VALIDATE, "check-*/rows.arrow", "failed", 0),
    "what was found for a batch": (Phase.CUT, "check-*/batches/000001-*.arrow", "failed", 0),
    "a chunk": (Phase.WRITE, "check-*/000000.arrow", "failed", 0),
    "the checked rows": (Phase.REPORT, "check-*/checked.arrow", "failed", 3),
    "the results": (Phase.RENDER, "results.arrow", "failed", 3),
}


@pytest.mark.parametrize(("phase", "name", "status", "created"), LOST.values(), ids=LOST)
def test_a_job_whose_file_is_lost_ends(
    api: Door,
    ledger: Ledger,
    configure: Callable[..., None],
    tmp_path: Any,  # noqa: ANN401 - a path
    phase: Phase,
    name: str,
    status: str,
    created: int,
) -> None:
    """Not in a loop without end; and what was written by then stays counted (R28)."""
    configure(max_attempts=2, rows_per_batch=2)
    job_id = brought_to(phase, api)
    (lost,) = (tmp_path / "data" / "files" / files.folder_of(job_id)).glob(name)
    lost.unlink()
    job = finish(api, ledger, job_id, tries=20)
    assert (job["status"], job["problem"] and job["problem"]["code"]) == (status, "INTERNAL_ERROR")
    if job["problem"] is not None:
        assert "so the job was ended" in job["problem"]["detail"]
        assert "the job's ID" in job["problem"]["fix"]  # a job has no request ID
    assert job["counts"]["created"] == created == len(ledger.numbers())
    assert job["counts"]["total"] == sum(
        count for name, count in job["counts"].items() if name not in {"total", "warnings"}
    )


def test_r28_a_chunk_of_a_job_that_has_failed_meanwhile_is_not_written(
    api: Door, ledger: Ledger, configure: Callable[..., None]
) -> None:
    """What is written before the end is counted, what would come after it is not written."""
    configure(rows_per_chunk=2)
    checked(api, 6)
    first, second, third = (ledger.claim() for _ in range(3))
    pipeline.STEPS[Phase.WRITE](first)
    with ledger.engine.begin() as connection:
        completion.fail_job(connection, second, {"code": "INTERNAL_ERROR"})
    with pytest.raises(leases.LostLeaseError):
        pipeline.STEPS[Phase.WRITE](third)
    counts = ledger.ask("SELECT status, tally FROM jobs")[0]
    assert (counts.status, counts.tally["results"][0][2]) == ("failed", 2)
    assert ledger.numbers() == [FIRST, FIRST + 1]


# The sweep


def test_the_sweep_announces_what_nobody_came_for(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    """A message lost, a worker dead: found by state and deadline, announced once per `hint_seconds`."""
    configure(rows_per_chunk=1)
    settings = get_settings()
    assert settings.redis_url is not None
    valkey = redis.Redis.from_url(settings.redis_url.get_secret_value())
    checked(api, 3)
    ledger.claim()
    ledger.run("UPDATE job_chunks SET lease_until = now() - interval '1 day' WHERE state = 'leased'")
    ledger.run("UPDATE job_chunks SET hint_due_at = now() - interval '1 day'")
    queue = broker.QUEUES[Phase.WRITE]
    valkey.delete(queue)
    rescuer.rescue()
    assert valkey.llen(queue) == 3
    rescuer.rescue()
    assert valkey.llen(queue) == 3
    assert [state for state, _ in ledger.chunks()] == ["pending"] * 3


def test_the_sweep_leaves_ended_jobs_alone(api: Door, ledger: Ledger) -> None:
    api.upload(sheet(3))
    before = ledger.everything()
    rescuer.rescue()
    assert ledger.everything() == before


@pytest.mark.usefixtures("api")
def test_hints_do_not_pile_up() -> None:
    """With enough of them waiting, an announcement adds none: they would only be taken for nothing."""
    address = get_settings().redis_url
    assert address is not None
    valkey = redis.Redis.from_url(address.get_secret_value())
    queue = broker.QUEUES[Phase.WRITE]
    valkey.delete(queue)
    for _ in range(3):
        assert broker.wake(Phase.WRITE, "job", 100)
    assert valkey.llen(queue) == broker.MAX_WAKEUPS
    valkey.delete(queue)
