"""The queue: claims cost the same however much waits, nothing that waits is forgotten, and nobody waits for a turn."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from schemas.jobs import Phase
from schemas.permissions import TenantKind
from tests.support import factories, work
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.job_rows import FIRST, Ledger, checked, sheet
from tests.support.servers.databases import rows_read, unqueued
from worker import pipeline
from worker.config.settings import get_settings
from worker.database.engine import transaction
from worker.jobs import queries
from worker.queue import broker, leases, turns

JOBS = """
    INSERT INTO jobs (tenant_id, kind, status, options, created_by, started_at, rows_total, read_token, check_token,
        tally, pieces_left)
    SELECT tenant_id, 'upload', 'running', '{}', 'token', now(), 10, 1, 1,
        '{"results": [], "rows_with_warnings": 0}', :items
    FROM generate_series(1, :jobs), unnest(CAST(:tenants AS int[])) AS tenant_id"""
ITEMS = """
    INSERT INTO job_chunks (job_id, phase, number, rows)
    SELECT id, 'write', number, 10 FROM jobs, generate_series(0, :items - 1) AS number
    WHERE jobs.status = 'running' AND NOT EXISTS (SELECT 1 FROM job_chunks WHERE job_id = jobs.id)"""
EMPTY = "TRUNCATE jobs, job_chunks, queued_jobs, queued_tenants CASCADE"
WRITING = (Phase.WRITE,)
MOST_READ = 300  # rows, for a claim: it considers 32 jobs of 8 tenants, and may read a table of 60 rows as a whole
THREADS = 4


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


def fill(ledger: Ledger, tenants: list[int], jobs: int, items: int) -> None:
    """Chunks that wait, of jobs that have been checked."""
    with ledger.engine.begin() as connection:
        for statement in (JOBS, ITEMS):
            values = {"tenants": tenants, "jobs": jobs, "items": items}
            connection.execute(sa.text(statement), {k: v for k, v in values.items() if f":{k}" in statement})


def claim_and_end(ledger: Ledger) -> int:
    """Claim as a worker does; answers the rows that were read for it."""
    with ledger.engine.begin() as connection:
        before = rows_read(connection)  # the server may not have reported those of earlier transactions yet
        turns.promote(connection, ["chunks"])
        lease = leases.claim(connection, WRITING, 30)
        read = rows_read(connection) - before
        assert lease is not None
        leases.update_leased(connection, lease, {"state": "done", "lease_until": None})
    return read


@pytest.mark.parametrize("statistics", ["none", "of empty tables", "of few jobs", "of ended jobs", "of deleted jobs"])
def test_r37_a_claim_reads_as_many_rows_whatever_waits(ledger: Ledger, world: World, statistics: str) -> None:
    """Of 9,000 work items of 3,000 jobs, with the planner's statistics of before these were there.

    Tables of one page are read as a whole, which costs nothing: there are more jobs than a claim may read rows.
    """

    def enterprises(count: int) -> list[int]:
        with ledger.engine.begin() as connection:
            return [factories.tenant(connection, world.north.tenant, TenantKind.ENTERPRISE).id for _ in range(count)]

    def run(statement: str) -> None:
        with ledger.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql(statement)

    run(EMPTY)  # the database of another test has that test's statistics
    if statistics == "of empty tables":
        run("VACUUM ANALYZE")
    if statistics in {"of ended jobs", "of deleted jobs"}:
        fill(ledger, enterprises(1), 20, 10)
        run("UPDATE job_chunks SET state = 'done'")
        run("UPDATE jobs SET status = 'completed', finished_at = now()")
        run("ANALYZE")
    if statistics == "of deleted jobs":
        run("DELETE FROM queued_tenants")
        run("DELETE FROM jobs")
    fill(ledger, enterprises(turns.TENANTS + 2), turns.JOBS_OF_TENANT + 1, 4)
    if statistics == "of few jobs":
        run("ANALYZE")
    claim_and_end(ledger)
    fill(ledger, enterprises(20), 150, 3)
    promoting = [claim_and_end(ledger) for _ in range(3000 // turns.MOST_PROMOTED)]
    assert min(promoting) > turns.MOST_PROMOTED  # the reads are counted
    read = [claim_and_end(ledger) for _ in range(6)]
    assert max(read) <= MOST_READ, read


def test_a_tenant_has_one_turn_in_all_queues_of_imports(
    api: Door, world: World, ledger: Ledger, configure: Callable[..., None]
) -> None:
    """A backlog of files that wait to be checked does not come before the batches of another tenant at every tie."""
    configure(rows_per_batch=5, rows_per_chunk=5)
    large = api.as_(world.south.token).send(sheet(40)).json["id"]
    assert pipeline.run(Phase.CHECK)
    for number in range(8):
        api.send(sheet(2, FIRST + 1000 + 10 * number))
    claimed = []
    for _ in range(8):
        assert pipeline.run(*broker.PHASES["checking"])
        (last,) = ledger.ask(
            "SELECT public_id FROM job_chunks JOIN jobs ON id = job_id ORDER BY lease_token DESC NULLS LAST LIMIT 1"
        )
        claimed.append(str(last.public_id) == large)
    assert claimed.count(True) == 4, claimed


def test_nobody_waits_for_a_row_of_the_queue(api: Door, ledger: Ledger) -> None:
    """A worker that is stopped within its claim holds its job's row and its tenant's: others go past it."""
    checked(api, 3)
    checked(api, 3, FIRST + 100)
    with ledger.engine.begin() as connection:
        turns.promote(connection, broker.PHASES)
    with ledger.engine.begin() as stopped, ledger.engine.begin() as connection:
        stopped.execute(sa.text("SELECT 1 FROM queued_jobs FOR UPDATE"))
        stopped.execute(sa.text("SELECT 1 FROM queued_tenants FOR UPDATE"))
        connection.execute(sa.text("SET LOCAL lock_timeout = '1s'"))
        assert leases.claim(connection, Phase.WRITE, 30) is not None
        assert leases.claim(connection, Phase.WRITE, 30) is not None
    with ledger.engine.begin() as connection:
        assert work.claim(connection, Phase.WRITE, 30) is None
    assert not pipeline.run(Phase.WRITE)
    assert [row.is_due for row in ledger.ask("SELECT is_due FROM queued_jobs WHERE queue = 'chunks'")] == [False] * 2


def test_a_work_item_is_found_when_its_time_has_come(api: Door, ledger: Ledger) -> None:
    """One that was put off leaves the order of turns, and comes back by itself."""
    checked(api, 3)
    lease = ledger.claim()
    with ledger.engine.begin() as connection:
        leases.release(connection, lease, 3600, counts=True)
    assert not pipeline.run(Phase.WRITE)
    assert ledger.ask("SELECT is_due, due_at > now() AS later FROM queued_jobs WHERE queue = 'chunks'") == [
        (False, True)
    ]
    ledger.due()
    assert ledger.claim().attempt == 2


@pytest.mark.parametrize("seed", range(3))
def test_whatever_workers_do_at_once_nothing_that_waits_is_forgotten(ledger: Ledger, world: World, seed: int) -> None:
    """They claim, end, put off and give back work items of the same jobs, and more are added meanwhile."""
    tenants = [world.north.tenant.id, world.south.tenant.id]
    fill(ledger, tenants, 3, 5)
    url = ledger.engine.url.render_as_string(hide_password=False)
    ended = Counter[tuple[int, int]]()

    def act(number: int) -> None:
        dice = random.Random(100 * seed + number)
        engine = sa.create_engine(url, pool_size=1)
        for turn in range(40):
            if turn == 10 and number == 0:
                fill(ledger, tenants, 1, 4)
            with engine.begin() as connection:
                turns.promote(connection, ["chunks"])
            with engine.begin() as connection:
                lease = leases.claim(connection, WRITING, 30)
            if lease is None:
                with engine.begin() as connection:
                    turns.settle_all(connection, WRITING, 5)
                continue
            with engine.begin() as connection:
                fate = dice.random()
                if fate < 0.3:
                    leases.release(connection, lease, dice.choice([0, 0, 0.05]), counts=False)
                else:
                    leases.update_leased(connection, lease, {"state": "done", "lease_until": None})
                    ended[lease.job_id, lease.number] += 1
        engine.dispose()

    with ThreadPoolExecutor(THREADS) as workers:
        list(workers.map(act, range(THREADS)))
    with ledger.engine.begin() as connection:
        assert unqueued(connection) == 0
    ledger.due()
    while (lease := _next(ledger)) is not None:
        ended[lease.job_id, lease.number] += 1
    assert set(ended.values()) == {1}
    assert {row.state for row in ledger.ask("SELECT DISTINCT state FROM job_chunks")} == {"done"}
    assert len(ended) >= 2 * 3 * 5


def _next(ledger: Ledger) -> leases.Lease | None:
    with ledger.engine.begin() as connection:
        lease = work.claim(connection, Phase.WRITE, 30)
        if lease is not None:
            leases.update_leased(connection, lease, {"state": "done", "lease_until": None})
        return lease


def test_the_rescue_round_announces_a_bounded_number(ledger: Ledger, world: World) -> None:
    """Sixteen jobs for a queue, with at most sixteen work items each: a queue takes no more messages."""
    fill(ledger, [world.north.tenant.id], 40, 20)
    ledger.run("UPDATE queued_jobs SET hint_due_at = now()")
    with ledger.engine.begin() as connection:
        turns.promote(connection, broker.PHASES)
    rounds = []
    for _ in range(4):
        with transaction() as connection:
            rounds.append(turns.overdue(connection, 60))
    assert [len(found) for found in rounds] == [broker.MAX_WAKEUPS, broker.MAX_WAKEUPS, 8, 0]
    assert {items for found in rounds for _, _, items in found} == {broker.MAX_WAKEUPS}


@pytest.mark.parametrize(("between", "again"), [("checking", "review"), ("running", "completed")])
def test_what_waits_for_a_review_or_the_end_is_found_again(
    ledger: Ledger, world: World, database: sa.Engine, between: str, again: str
) -> None:
    """An e-mail and a workbook of a review that cannot be made in between: corrected, or confirmed."""
    with database.begin() as connection:
        factories.job(connection, world.north.tenant)
    ledger.run("DELETE FROM job_chunks")
    ledger.run("UPDATE jobs SET status = 'review'")
    ledger.run("INSERT INTO job_chunks (job_id, phase, number) SELECT id, 'mail', 1 FROM jobs")
    ledger.run("INSERT INTO job_chunks (job_id, phase, number) SELECT id, 'workbook', 0 FROM jobs")
    ledger.run("UPDATE jobs SET status = :status", status=between)
    ledger.run("UPDATE queued_jobs SET hint_due_at = now()")
    with ledger.engine.begin() as connection:
        turns.promote(connection, broker.PHASES)
    with ledger.engine.begin() as connection:
        assert turns.overdue(connection, 5) == []
    finished = ", finished_at = now()" if again == "completed" else ""
    ledger.run(f"UPDATE jobs SET status = :status{finished}", status=again)  # noqa: S608 - ours
    with ledger.engine.begin() as connection:
        assert unqueued(connection) == 0
        assert work.claim(connection, Phase.MAIL, 30) is not None
        assert work.claim(connection, Phase.WORKBOOK, 30) is not None
    if again == "completed":
        assert ledger.ask("SELECT queue FROM queued_jobs") == [], "rows of a job that has ended"


def test_a_job_that_one_worker_is_at_is_announced_all_the_same(ledger: Ledger, world: World) -> None:
    """Messages for the other workers were lost; each claim of the one worker must not put off the next ones."""
    fill(ledger, [world.north.tenant.id], 1, 40)
    ledger.run("UPDATE queued_jobs SET hint_due_at = now() - interval '1 second'")
    claim_and_end(ledger)
    with ledger.engine.begin() as connection:
        assert [items for _, _, items in turns.overdue(connection, 60)] == [broker.MAX_WAKEUPS]
        assert turns.overdue(connection, 60) == []


def test_work_that_another_worker_is_putting_into_the_order_counts_as_there(ledger: Ledger, world: World) -> None:
    """So a worker that comes a moment too early tries again, instead of taking its wake-up message for the last."""
    fill(ledger, [world.north.tenant.id], 1, 2)
    with ledger.engine.begin() as other, ledger.engine.begin() as connection:
        turns.promote(other, ["chunks"])
        turns.promote(connection, ["chunks"])
        assert leases.claim(connection, WRITING, 30) is None
        assert turns.settle_all(connection, WRITING, 5)
    with ledger.engine.begin() as connection:
        assert leases.claim(connection, WRITING, 30) is not None


def test_small_files_without_end_do_not_keep_a_large_one_of_the_same_tenant_waiting(
    ledger: Ledger, world: World
) -> None:
    tenants = [world.north.tenant.id]
    fill(ledger, tenants, 1, 50)
    (large,) = (row.id for row in ledger.ask("SELECT id FROM jobs"))
    claimed = []
    for _ in range(12):
        with ledger.engine.begin() as connection:
            lease = work.claim(connection, Phase.WRITE, 30)
            assert lease is not None
            leases.update_leased(connection, lease, {"state": "done", "lease_until": None})
        claimed.append(lease.job_id == large)
        fill(ledger, tenants, 1, 1)
    assert claimed.count(True) >= 3, claimed
    assert any(claimed[6:]), claimed


def test_many_jobs_that_were_withdrawn_do_not_stop_the_next_claim(ledger: Ledger, world: World) -> None:
    """As workers of an earlier release leave them, who know nothing of the queue."""
    fill(ledger, [world.north.tenant.id], 100, 1)
    with ledger.engine.begin() as connection:
        turns.promote(connection, broker.PHASES)
    ledger.run("UPDATE job_chunks SET state = 'done'")
    fill(ledger, [world.south.tenant.id], 1, 1)
    lease = pipeline._claim(WRITING, get_settings())  # noqa: SLF001 - without the work
    assert lease is not None
    assert lease.tenant_id == world.south.tenant.id


def test_a_place_in_the_queue_is_counted_up_to_a_bound(
    api: Door, world: World, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_AHEAD", 3)
    queries._queue_positions.cache_clear()  # noqa: SLF001
    with database.begin() as connection:
        waiting = [factories.job(connection, world.north.tenant) for _ in range(5)]
    try:
        assert [api.job(job)["progress"]["queue_position"] for job in waiting] == [1, 2, 3, 3, 3]
    finally:
        queries._queue_positions.cache_clear()  # noqa: SLF001
