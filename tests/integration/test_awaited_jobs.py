"""Requests that wait for jobs (`Prefer: wait`) ask for them together."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from tests.support.api_client import Door
from tests.support.job_rows import FIRST, Ledger, sheet
from webhook.services.awaited_jobs import LEAST_AGE, AwaitedJobs
from worker.database.engine import engine

WAITING = 12
SECONDS = 0.6
DEADLINE = 20.0


def ids(api: Door, database: sa.Engine, count: int) -> list[int]:
    for number in range(count):
        api.send(sheet(1, FIRST + number))
    return [row.id for row in Ledger(database).ask("SELECT id FROM jobs ORDER BY id")]


def test_many_requests_ask_as_seldom_as_one(api: Door, database: sa.Engine) -> None:
    """A query per `LEAST_AGE`, not one for each request; every request gets the status of its own job."""
    job_ids = ids(api, database, WAITING)
    awaited, queries = AwaitedJobs(), list[str]()

    def count(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "jobs.status" in statement:
            queries.append(statement)

    def wait(job_id: int) -> set[str | None]:
        until, seen = time.monotonic() + SECONDS, set[str | None]()
        with awaited.awaiting(job_id):
            while time.monotonic() < until:
                seen.add(awaited.status_of(job_id, time.monotonic() + DEADLINE))
                time.sleep(LEAST_AGE / 4)
        return seen

    sa.event.listen(engine(), "before_cursor_execute", count)
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(WAITING) as threads:
            found = list(threads.map(wait, job_ids))
    finally:
        sa.event.remove(engine(), "before_cursor_execute", count)
    most = (time.monotonic() - began) / LEAST_AGE + WAITING  # a job that has just been added is asked for at once
    assert found == [{"accepted"}] * WAITING
    assert 2 <= len(queries) <= most + 1


def test_a_job_that_is_gone_is_not_waited_for(api: Door, database: sa.Engine) -> None:
    (job_id,) = ids(api, database, 1)
    awaited = AwaitedJobs()
    with awaited.awaiting(job_id):
        assert awaited.status_of(job_id, time.monotonic() + DEADLINE) == "accepted"
        Ledger(database).run("DELETE FROM jobs")
        time.sleep(LEAST_AGE)
        assert awaited.status_of(job_id, time.monotonic() + DEADLINE) is None


def test_a_query_that_hangs_holds_no_request_longer_than_it_waits(api: Door, database: sa.Engine) -> None:
    """While one request waits for the database, the others come back in time."""
    first, second = ids(api, database, 2)
    awaited = AwaitedJobs()
    with database.begin() as connection, awaited.awaiting(first), awaited.awaiting(second):
        connection.execute(sa.text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
        hanging = threading.Thread(target=awaited.status_of, args=(first, time.monotonic() + DEADLINE))
        hanging.start()
        while not awaited._asking.locked():  # noqa: SLF001 - it has begun to ask
            time.sleep(LEAST_AGE)
        began = time.monotonic()
        assert awaited.status_of(second, began + 0.2) is None
        assert time.monotonic() - began >= 0.2
        connection.rollback()
        hanging.join(DEADLINE)
    assert not hanging.is_alive()
