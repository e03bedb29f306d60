"""The service behind PgBouncer: in transaction mode, each transaction may get another connection to the database."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
import structlog

from schemas.jobs import Phase
from tests.support import work
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.followed_changes import Copy
from tests.support.servers import pooler
from tests.support.servers.service import wait_for
from worker import pipeline
from worker.config.settings import get_settings
from worker.database.engine import is_transient, snapshot, transaction
from worker.database.migrate import upgrade
from worker.doctor import servers as doctor
from worker.doctor.findings import Level
from worker.queue.heartbeat import heartbeat

pytestmark = pytest.mark.long

UPLOADS, ROWS = 8, 30
PATIENCE = 30.0  # seconds: far more than all waits together, far less than the pooler's own two minutes


# Connections to the database by mode: in session mode, each connection of the service keeps one.
MODES = {"transaction": pooler.CONNECTIONS, "session": 30}
WAIT = 1.0  # seconds
WAITED = r"has no free connection|connection timeout expired"  # at the first statement, or at the sign-in
Configure = Callable[..., None]


@contextmanager
def through(
    folder: Path, database: sa.Engine, configure: Configure, mode: str, connections: int, **more: float
) -> Iterator[sa.URL]:
    """All code under test reaches the database through the pooler; answers its address."""
    with pooler.pooled(folder / "pooler", database.url, mode, connections) as address:
        configure(database_url=address.render_as_string(hide_password=False), database_pooled=True, **more)
        yield address
        configure(database_url=database.url.render_as_string(hide_password=False), database_pooled=False)


@pytest.fixture(params=MODES)
def pooled(request: pytest.FixtureRequest, database: sa.Engine, configure: Configure, tmp_path: Path) -> Iterator[None]:
    """All code under test reaches the database through the pooler, in each mode."""
    given = {"rows_per_chunk": 7, "rows_per_batch": 10, "lease_seconds": 30}
    with through(tmp_path, database, configure, request.param, MODES[request.param], **given):
        yield


@pytest.mark.usefixtures("pooled")
def test_imports_actions_changes_and_exports(api: Door, world: World) -> None:
    """Many at once, each statement often enough that the driver would prepare it; a copy misses nothing."""
    upgrade(get_settings())
    copy = Copy()

    def upload(number: int) -> None:
        door = Door(api.client.application.test_client(), api.token, api.work_off)
        content = sheets.csv_bytes(sheets.rows(ROWS, first=number * 100))
        assert door.send(content).status_code == 202

    for first in range(0, UPLOADS, 4):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(upload, range(first, first + 4)))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: api.work_off(), range(4)))
        copy.follow(api, 11)
    numbers = sorted(copy.numbers)
    assert len(numbers) == UPLOADS * ROWS
    job = api.act("assignments", {"numbers": numbers[::2], "tenant_id": world.clinic.tenant.public_id})
    assert job["counts"]["updated"] == len(numbers[::2])
    copy.follow(api)
    assert copy.numbers == Copy.of_inventory(api)
    export = api.done(api.post("/v1/exports", {"format": "csv", "filter": {}}))
    assert export["counts"]["total"] == len(numbers)
    assert api.get(export["links"]["file"]).data == api.get("/v1/numbers.csv").data
    undone = api.done(api.post(job["links"]["undo"]))
    assert undone["counts"]["updated"] == len(numbers[::2])
    copy.follow(api)
    assert copy.numbers == Copy.of_inventory(api)
    with transaction() as connection:  # a later version of the tables would not fit them
        temporary = sa.text("SELECT count(*) FROM pg_class WHERE relpersistence = 't'")
        assert connection.execute(temporary).scalar_one() == 0


@pytest.mark.usefixtures("pooled")
def test_heartbeats_extend_a_lease(api: Door, database: sa.Engine) -> None:
    api.send(sheets.csv_bytes(sheets.rows(ROWS)))
    with transaction() as connection:
        lease = work.claim(connection, Phase.CHECK, 2.0)
    assert lease is not None
    until = sa.text("SELECT lease_until FROM job_chunks WHERE state = 'leased'")

    def deadline() -> object:
        with database.begin() as connection:
            return connection.execute(until).scalar_one()

    first = deadline()
    with heartbeat(lease, 2.0):
        wait_for(lambda: deadline() != first, PATIENCE, "a heartbeat")


@pytest.mark.usefixtures("pooled")
def test_doctor_leaves_nothing_on_a_shared_connection() -> None:
    found = list(doctor.database(get_settings()))
    assert [finding for finding in found if finding.level is Level.ERROR] == []
    with transaction() as connection:
        assert connection.execute(sa.text("SHOW statement_timeout")).scalar_one() == "0"


@pytest.mark.usefixtures("pooled")
def test_a_transaction_that_stands_still_is_ended_here_too() -> None:
    """The limit belongs to the transaction, and to no other client of the same connection."""
    ask = sa.text("SHOW idle_in_transaction_session_timeout")
    for block in (transaction, snapshot):
        with block() as connection:
            assert connection.execute(ask).scalar_one() == "30s"
    with snapshot() as connection:
        assert connection.execute(sa.text("SHOW transaction_isolation")).scalar_one() == "repeatable read"
        assert connection.execute(sa.text("SHOW transaction_read_only")).scalar_one() == "on"


@pytest.mark.parametrize("mode", MODES)
def test_with_too_few_connections_requests_and_work_wait_for_a_bounded_time(
    database: sa.Engine, configure: Configure, tmp_path: Path, api: Door, mode: str
) -> None:
    with through(tmp_path, database, configure, mode, 1, database_wait_seconds=WAIT, lease_seconds=30) as address:
        job = api.send(sheets.csv_bytes(sheets.rows(ROWS))).json["id"]
        configure()  # closes the connections of this process: one of them uses the pooler's only connection
        with _held(address):
            began = time.monotonic()
            with structlog.testing.capture_logs() as logged:
                refused = api.get("/v1/numbers")
            assert any(re.search(WAITED, str(line.get("reason"))) for line in logged), logged
            assert (refused.status_code, refused.json["code"]) == (503, "UNAVAILABLE")
            assert int(refused.headers["Retry-After"]) > 0
            with pytest.raises(sa.exc.OperationalError, match=WAITED) as failure:
                pipeline.run(Phase.CHECK)
            assert is_transient(failure.value)
            found = [finding for finding in doctor.database(get_settings()) if finding.level is Level.ERROR]
            assert [finding.fix for finding in found] == [
                "Give the pooler, if there is one, more connections; else restart the database."
            ]
            assert time.monotonic() - began < PATIENCE
        assert api.get(f"/v1/jobs/{job}").json["status"] == "accepted"


@contextmanager
def _held(address: sa.URL) -> Iterator[None]:
    """Another client has the pooler's only connection."""
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, prepare_threshold=None) as other:
        other.execute("SELECT 1")
        yield


def test_doctor_names_the_setting_for_a_pooler(database: sa.Engine, configure: Configure, tmp_path: Path) -> None:
    with through(tmp_path, database, configure, "session", 5):
        configure(database_pooled=False)
        found = [finding for finding in doctor.database(get_settings()) if finding.level is Level.ERROR]
    assert [finding.fix for finding in found] == ["Set NUMBERYARD_DATABASE_POOLED=true."]
