"""Recovery in what no attack from outside can aim at: what counts as a try, what waits, and for how long."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa
from celery.beat import ScheduleEntry

from schemas.jobs import Phase
from tests.chaos.proxy import Mode, Proxy
from tests.support.api_client import Door
from tests.support.job_rows import DEADLINE, Ledger, checked, finish, held_up, sheet
from tests.support.servers.service import wait_for
from worker import pipeline
from worker.config.settings import get_settings
from worker.database import engine
from worker.maintenance import rescue_queries
from worker.queue import broker, completion
from worker.queue import scheduler as beat_scheduler
from worker.queue.broker import BackgroundSender
from worker.steps import failures
from worker.storage import files

AT_MOST = 1.0  # seconds that publishing may hold a request up


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


# Halving


def test_halves_of_one_chunk_are_never_another_s(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    """One who halves is overtaken before it commits: its numbers are not given to the halves of another chunk."""
    configure(rows_per_chunk=4, max_attempts=1)
    checked(api, 8)
    first, second = ledger.claim(), ledger.claim()
    with ledger.engine.connect() as connection:
        lost = completion.halve(connection, first, [2, 2])
        connection.rollback()
    with ledger.engine.begin() as connection:
        other = completion.halve(connection, second, [2, 2])
    with ledger.engine.begin() as connection:
        again = completion.halve(connection, first, [2, 2])
    assert again == lost
    assert not set(lost) & set(other)
    quarter = ledger.claim()
    with ledger.engine.begin() as connection:
        deeper = completion.halve(connection, quarter, [1, 1])
    assert not set(deeper) & {0, 1, *lost, *other}


def test_a_single_row_has_all_its_tries(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    """What is given up at last has not been so by chance."""
    configure(max_attempts=4)
    checked(api, 3)
    with ledger.engine.begin() as connection:
        completion.halve(connection, ledger.claim(), [1, 2])
    assert ledger.chunks() == [("dead", 1), ("pending", 0), ("pending", 2)]


@pytest.mark.parametrize("content", [b"", b"torn"])
def test_a_torn_chunk_ends_its_job(
    api: Door, ledger: Ledger, configure: Callable[..., None], tmp_path: Path, content: bytes
) -> None:
    configure(max_attempts=2)
    job_id = checked(api, 3)
    (chunk,) = (tmp_path / "data" / "files" / files.folder_of(job_id)).glob("check-*/000000.arrow")
    chunk.write_bytes(content)
    job = finish(api, ledger, job_id, tries=20)
    assert (job["status"], job["problem"]["code"]) == ("failed", "INTERNAL_ERROR")
    assert job["counts"]["unprocessed"] == 3


# The surroundings


@contextmanager
def no_room_for_results(job_id: str, tmp_path: Path) -> Iterator[None]:
    """Nothing can be stored where the job's results go."""
    stump = tmp_path / "data" / "files" / files.folder_of(job_id) / "results"
    stump.write_bytes(b"")
    try:
        yield
    finally:
        stump.unlink(missing_ok=True)


def test_a_storage_that_cannot_be_written_is_waited_for(api: Door, ledger: Ledger, tmp_path: Path) -> None:
    """Ever longer, without a try being counted, and the job says since when."""
    job_id = checked(api, 3)
    with no_room_for_results(job_id, tmp_path):
        pauses = []
        for _ in range(4):
            ledger.due()
            assert pipeline.run(Phase.WRITE)
            left = "SELECT extract(epoch FROM next_attempt_at - now()) AS s FROM job_chunks WHERE phase = 'write'"
            pauses.append(float(ledger.ask(left)[0].s))
        assert ledger.chunks() == [("pending", 0)]
        assert pauses == sorted(pauses)
        assert pauses[-1] > 4 * pauses[0]
        job = api.job(job_id)
        assert (job["status"], job["counts"]["unprocessed"]) == ("running", 3)
        assert job["progress"]["held_up_since"] is not None
    job = finish(api, ledger, job_id)
    assert (job["status"], job["counts"]["created"]) == ("completed", 3)
    assert job["progress"]["held_up_since"] is None


def test_patience_has_an_end(api: Door, ledger: Ledger, tmp_path: Path) -> None:
    """Nobody learns of a job that waits for ever."""
    job_id = checked(api, 3)
    with no_room_for_results(job_id, tmp_path):
        assert pipeline.run(Phase.WRITE)
        ledger.run("UPDATE job_chunks SET setback_since = now() - interval '25 hours' WHERE phase = 'write'")
        ledger.due()
        assert pipeline.run(Phase.WRITE)
    job = api.job(job_id)
    assert (job["status"], job["problem"]["code"], job["counts"]["unprocessed"]) == ("failed", "UNAVAILABLE", 3)


@pytest.mark.parametrize("sqlstate", ["54000", "57014"])
def test_what_comes_again_with_every_try_counts(api: Door, ledger: Ledger, sqlstate: str) -> None:
    """Too large for the database, or broken off by a limit of time: no outage, though it looks like one."""
    checked(api, 3)
    ledger.fail("INSERT ON phone_numbers", sqlstate)
    assert pipeline.run(Phase.WRITE)
    assert ledger.chunks() == [("pending", 1)]


@pytest.mark.long
def test_an_outage_of_the_database_costs_no_try(
    api: Door, ledger: Ledger, configure: Callable[..., None], database: sa.Engine
) -> None:
    """Whoever gives its work back waits for the database to come back."""
    checked(api, 3)
    lease = ledger.claim()
    port = database.url.port
    assert port is not None
    with Proxy(port) as network:
        url = database.url.set(port=network.port).render_as_string(hide_password=False)
        configure(database_url=url)
        network.be(Mode.RESET)
        waiting = threading.Thread(target=failures.postpone, args=(lease,), kwargs={"counts": False})
        waiting.start()
        time.sleep(1.0)
        assert waiting.is_alive()
        network.be(Mode.SOUND)
        waiting.join(DEADLINE)
        assert not waiting.is_alive()
    assert ledger.chunks() == [("pending", 0)]


def test_a_transaction_may_stand_still_for_as_long_as_it_was_given(ledger: Ledger) -> None:  # noqa: ARG001 - its database
    shown = sa.text("SHOW idle_in_transaction_session_timeout")
    with engine.transaction() as connection:
        usual = connection.execute(shown).scalar_one()
    with engine.transaction(idle_seconds=90) as connection:
        assert connection.execute(shown).scalar_one() == "90s"
    with engine.transaction() as connection:
        assert connection.execute(shown).scalar_one() == usual


@pytest.mark.long
def test_a_worker_that_hangs_loses_its_work(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    """Its heart beats on, but no longer than the longest piece may take."""
    checked(api, 3)
    # From here on: on a busy machine the check alone may take longer, and then there is nothing to be written.
    configure(lease_seconds=2, longest_piece_seconds=0.5)
    with held_up(ledger, 12_125_550_001, 1):

        def freed() -> int:
            with ledger.engine.begin() as connection:
                return rescue_queries.release_expired_leases(connection)

        wait_for(freed, DEADLINE, "its lease to run out")


def test_an_upload_that_was_altered_is_not_read(api: Door, tmp_path: Path) -> None:
    job_id = api.send(sheet(3)).json["id"]
    path = tmp_path / "data" / "files" / files.upload_key(job_id)
    path.write_bytes(path.read_bytes().replace(b"TRUE", b"true"))
    api.work_off()
    job = api.job(job_id)
    assert (job["status"], job["problem"]["code"]) == ("failed", "DIGEST_MISMATCH")


# The broker


@pytest.mark.long
def test_a_broker_that_swallows_everything_delays_nobody(
    api: Door, configure: Callable[..., None], broker_url: str
) -> None:
    """The job is accepted all the same, and the sweep finds it."""
    port = redis.Redis.from_url(broker_url).connection_pool.connection_kwargs["port"]
    with Proxy(port) as network:
        configure(redis_url=broker_url.replace(f":{port}/", f":{network.port}/"))
        api.send(sheet(1))
        network.be(Mode.SILENT)
        for place in range(3):
            began = time.monotonic()
            assert api.send(sheet(1, 12_125_551_000 + place)).status_code == 202
            assert time.monotonic() - began < AT_MOST + 0.3  # all else that a request does


def test_a_resolver_that_hangs_delays_nobody() -> None:
    """Whatever takes its time; and those who come while it does are not made to wait one after the other."""
    free = threading.Event()
    slow = BackgroundSender(0.3)
    began = time.monotonic()
    try:
        assert not any(slow.send(lambda: free.wait(DEADLINE)) for _ in range(2))
        with socket.socket():
            assert time.monotonic() - began < AT_MOST
    finally:
        free.set()
    assert BackgroundSender(DEADLINE).send(lambda: True)


@pytest.mark.usefixtures("api")
def test_beat_sends_nothing_while_enough_waits() -> None:
    """Ten minutes without workers are not six hundred sweeps."""
    address = get_settings().redis_url
    assert address is not None
    valkey = redis.Redis.from_url(address.get_secret_value())
    valkey.delete(broker.UPKEEP)
    app = broker.app()
    entry = ScheduleEntry("sweep", broker.SWEEP, schedule=1.0, options={"queue": broker.UPKEEP}, app=app)
    scheduler = beat_scheduler.Scheduler(app, lazy=True)
    for _ in range(broker.MAX_WAKEUPS + 5):
        scheduler.apply_async(entry, advance=False)
    assert valkey.llen(broker.UPKEEP) == broker.MAX_WAKEUPS
    valkey.delete(broker.UPKEEP)
