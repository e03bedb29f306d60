"""Turns between tenants, and between a tenant's jobs: a small file never waits for all of a large one."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from schemas.jobs import Phase
from tests.support import work
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.job_rows import FIRST, Ledger, sheet
from worker import pipeline
from worker.queue import broker

WORKER = tuple(phase for phase in Phase if phase is not Phase.CALLBACK)


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


@pytest.fixture(autouse=True)
def _small(configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=5, rows_per_batch=10)


def turns(ledger: Ledger, jobs: dict[str, str], phases: tuple[Phase, ...] = WORKER) -> list[str]:
    """Who got its turn, piece by piece, while one worker does all the work."""
    query = "SELECT j.public_id::text AS job FROM job_chunks c JOIN jobs j ON j.id = c.job_id ORDER BY lease_token DESC"
    found = list[str]()
    while pipeline.run(*phases):
        last = ledger.ask(f"{query} NULLS LAST LIMIT 1")[0].job
        found.append(jobs[last])
    return found


@pytest.mark.long
def test_tenants_take_turns(api: Door, world: World, ledger: Ledger) -> None:
    """With one worker, too, where nobody is running anything when the next piece is chosen."""
    large = api.send(sheet(40)).json["id"]
    small = api.as_(world.south.token).send(sheet(5, FIRST + 1000)).json["id"]
    found = turns(ledger, {large: "large", small: "small"})
    assert found.count("small") == 3
    assert found[:6] == ["large", "small", "large", "small", "large", "small"]


@pytest.mark.long
def test_a_tenant_s_own_small_file_does_not_wait_for_its_large_one(api: Door, ledger: Ledger) -> None:
    large = api.send(sheet(40)).json["id"]
    assert pipeline.run(*WORKER)
    small = api.send(sheet(5, FIRST + 1000)).json["id"]
    found = turns(ledger, {large: "large", small: "small"})
    assert found[:5] == ["small", "large", "small", "large", "small"]


@pytest.mark.long
def test_small_files_without_end_do_not_keep_a_large_one_waiting(api: Door, ledger: Ledger) -> None:
    """Every new file has its turn at once, and then waits like all others."""
    large = api.send(sheet(40)).json["id"]
    names = {large: "large"}
    shares = list[str]()
    for number in range(12):
        names[api.send(sheet(5, FIRST + 1000 + 10 * number)).json["id"]] = "small"
        for _ in range(3):
            assert pipeline.run(*WORKER)
        last = "SELECT j.public_id::text AS job FROM job_chunks c JOIN jobs j ON j.id = c.job_id"
        shares += [names[row.job] for row in ledger.ask(f"{last} WHERE c.state = 'done' ORDER BY lease_token")][-3:]
    assert shares.count("large") >= 6


def test_a_tenant_that_has_a_worker_already_waits_for_one_that_has_none(
    api: Door, world: World, ledger: Ledger
) -> None:
    api.send(sheet(40))
    assert pipeline.run(Phase.CHECK)
    held = ledger.claim(Phase.VALIDATE)
    small = api.as_(world.south.token).send(sheet(5, FIRST + 1000)).json["id"]
    with ledger.engine.begin() as connection:
        lease = work.claim(connection, WORKER, 30)
    assert lease is not None
    assert (held.job_public_id == small, lease.job_public_id == small) == (False, True)


def test_one_hint_serves_every_phase_of_its_queue(api: Door, ledger: Ledger) -> None:
    """So a small file's check is found by whoever comes for the batches of a large one."""
    api.send(sheet(40))
    phases = broker.PHASES["checking"]
    while pipeline.run(*phases):
        pass
    assert {state for state, _ in ledger.chunks("validate")} == {"done"}
    assert ledger.chunks("cut") == [("done", 1)]


@pytest.mark.long
def test_a_job_says_how_long_it_will_go_on(api: Door, ledger: Ledger) -> None:
    """In the queue by the pace of earlier jobs, at work by its own."""

    def eta(job_id: str) -> float | None:
        found: float | None = api.job(job_id)["progress"]["eta_seconds"]
        return found

    first = api.send(sheet(40)).json["id"]
    assert eta(first) is None  # nothing is known yet
    api.work_off()
    assert (api.job(first)["status"], eta(first)) == ("completed", None)
    ledger.run("UPDATE jobs SET started_at = finished_at - interval '8 seconds'")
    second, third = (api.send(sheet(40, FIRST + 1000 * place)).json["id"] for place in (1, 2))
    assert [api.job(job)["progress"]["queue_position"] for job in (second, third)] == [1, 2]
    assert eta(second) == pytest.approx(8, rel=0.01)
    assert eta(third) == pytest.approx(16, rel=0.01)
    seen = list[float | None]()
    while api.job(second)["status"] != "completed":
        assert pipeline.run(*WORKER)
        ledger.run("UPDATE jobs SET started_at = now() - interval '10 seconds' WHERE finished_at IS NULL AND id = 2")
        seen.append(eta(second))
    assert seen[0] is None
    told = [value for value in seen[1:-1] if value is not None]
    assert len(told) >= 10
    assert all(later < 1.2 * earlier for earlier, later in itertools.pairwise(told))  # the clock goes on meanwhile
    assert told[-1] < told[0] / 5
