"""A primary with a streaming standby: the primary fails during an import, the standby takes over, nothing is lost."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
import psycopg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from schemas.jobs import Phase
from tests.support.api_client import Door, application
from tests.support.factories import Snapshot
from tests.support.files import sheets
from tests.support.servers import service as services
from tests.support.servers.postgres import Postgres
from worker import pipeline
from worker.config.settings import Settings
from worker.database.engine import engine, is_transient, transaction
from worker.database.migrate import upgrade
from worker.numbers import copy_binary

pytestmark = pytest.mark.long

SECONDS = 60.0
LONGEST = 15.0  # seconds for a request, on a busy machine: the limits of its waits together
ROWS = 12_000
Configure = Callable[..., None]
PROGRAM = "from webhook.cli import main; main()"


@dataclass
class Pair:
    """A primary and its standby."""

    primary: Postgres
    standby: Postgres

    @property
    def as_libpq_writes(self) -> str:
        url = self.primary.url
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql+psycopg://{url.username}:{url.password}@{hosts}/{url.database}"

    @property
    def as_sqlalchemy_writes(self) -> str:
        url = self.primary.url
        hosts = f"host=127.0.0.1:{self.standby.port}&host=127.0.0.1:{self.primary.port}"
        return f"postgresql://{url.username}:{url.password}@/{url.database}?{hosts}"

    def make_synchronous(self) -> None:
        """From now on, what is committed is on both: a failover loses nothing."""
        self.primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.ask("SELECT pg_reload_conf()")
        synchronous = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
        services.wait_for(lambda: self.primary.ask(synchronous), SECONDS, "synchronous replication")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as running:
        primary = running.enter_context(Postgres(tmp_path / "primary"))
        yield Pair(primary, running.enter_context(Postgres(tmp_path / "standby", standby_of=primary)))


@pytest.fixture
def api_of_pair(pair: Pair, configure: Configure, broker_url: str, grown: Snapshot, tmp_path: Path) -> Door:
    """The API in this process, on the pair, in the name of `north`."""
    configure(
        data_dir=tmp_path / "data", database_url=pair.as_libpq_writes, redis_url=broker_url, lease_seconds=60
    )  # fmt: skip
    upgrade(Settings(database_url=SecretStr(pair.as_libpq_writes)))
    with engine().begin() as connection:
        connection.exec_driver_sql(grown.statements)

    def work_off() -> None:
        while any(pipeline.run(phase) for phase in Phase):
            pass

    return Door(application().test_client(), grown.world.north.token, work_off)


@dataclass
class Requests:
    """A client that asks all the time: how each answer came, and the longest that one took."""

    url: str
    token: str
    longest: float = 0.0

    def __post_init__(self) -> None:
        self.statuses: set[int] = set()
        self.wrong: list[str] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(SECONDS)

    def _ask(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS, trust_env=False) as client:
            while not self._done.wait(0.05):
                began = time.monotonic()
                answer = client.get("/v1/numbers", params={"limit": 1})
                self.longest = max(self.longest, time.monotonic() - began)
                self.statuses.add(answer.status_code)
                if answer.status_code == 503:
                    is_right = answer.json()["code"] == "UNAVAILABLE" and int(answer.headers["Retry-After"]) > 0
                else:
                    is_right = answer.status_code == 200
                if not is_right:
                    self.wrong.append(answer.text)


def ended(client: services.Client, job_id: str) -> services.Json:
    """The job once it has ended; while the database is away, there is no answer."""

    def job_if_ended() -> services.Json | None:
        answer = client.http.get(f"/v1/jobs/{job_id}")
        assert answer.status_code in {200, 503}, answer.text
        job: services.Json = answer.json()
        return job if answer.status_code == 200 and job["status"] in services.ENDED else None

    found: services.Json = services.wait_for(job_if_ended, SECONDS, "end of the job", services.POLL_SECONDS)
    return found


def test_the_primary_fails_during_an_import(pair: Pair, tmp_path: Path) -> None:
    pair.make_synchronous()
    settings = {"database_url": pair.as_libpq_writes, "rows_per_chunk": 100, "rows_per_batch": 1000}
    with services.running(tmp_path / "service", 2, **settings, lease_seconds=60) as service:
        client = service.client(service.demo["accounts"][1]["name"])
        job = client.upload(services.block(ROWS))
        services.wait_for(lambda: client.job(job)["counts"]["created"] > 0, SECONDS, "numbers of the job")
        with Requests(service.url, client.account["token"]) as requests:
            pair.primary.kill()
            services.wait_for(lambda: 503 in requests.statuses, SECONDS, "a refusal")
            key = {"Idempotency-Key": str(uuid.uuid4())}
            small = {"file": ("late.csv", services.block(10, 2_132_000_000))}
            assert client.http.post("/v1/uploads", files=small, headers=key).status_code == 503
            assert 0 < pair.standby.ask("SELECT count(*) FROM phone_numbers")[0][0] < ROWS  # in the middle of it
            pair.standby.promote()
            job_at_end = ended(client, job)
            late = services.wait_for(lambda: _accepted(client, small, key), SECONDS, "the upload to be accepted")
            assert ended(client, late)["counts"]["created"] == 10
        assert requests.wrong == []
        assert requests.statuses == {200, 503}
        assert requests.longest < LONGEST
        assert job_at_end["status"] == "completed"
        assert job_at_end["counts"]["created"] == ROWS
        rows = list(csv.DictReader(client.report(job).decode("utf-8-sig").splitlines()))
        assert len({row["_number"] for row in rows}) == len(rows) == ROWS
        assert pair.standby.ask("SELECT count(*) FROM phone_numbers WHERE e164 < 12130000000") == [(ROWS,)]
        assert pair.standby.ask("SELECT count(*) FROM job_chunks WHERE attempt > 1") == [(0,)]


def _accepted(client: services.Client, files: dict[str, tuple[str, bytes]], key: dict[str, str]) -> str | None:
    answer = client.http.post("/v1/uploads", files=files, headers=key)
    return str(answer.json()["id"]) if answer.status_code == 202 else None


def test_commands_find_the_primary_in_either_form(pair: Pair) -> None:
    for url in (pair.as_libpq_writes, pair.as_sqlalchemy_writes):
        for command in (["migrate"], ["doctor", "--json"]):
            done = _run(command, url)
            assert done.returncode == 0, done.stdout + done.stderr
    output = _run(["doctor", "--json"], pair.as_sqlalchemy_writes).stdout
    assert not [one for one in json.loads(output)["checks"] if one["subject"] == "database" and one["level"] == "error"]
    pair.primary.stop()
    done = _run(["doctor", "--json"], pair.as_libpq_writes)
    (fault,) = [one for one in json.loads(done.stdout)["checks"] if one["level"] == "error"]
    assert fault["fix"] == "Use the address of the primary server, or promote a standby."
    assert str(pair.primary.url.password) not in done.stdout + done.stderr


def _run(command: list[str], url: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *command], env=env | {"NUMBERYARD_DATABASE_URL": url},
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def test_connections_to_a_primary_that_takes_no_writes_any_more_are_thrown_away(pair: Pair, api_of_pair: Door) -> None:
    """What a demoted primary answers to connections from before the failover."""
    api = api_of_pair
    job = api.send(sheets.csv_bytes(sheets.rows(5))).json["id"]
    _await_replay(pair)
    pair.primary.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    pair.primary.ask("SELECT pg_reload_conf()")
    read_only = "SELECT 1 FROM pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'on'"
    services.wait_for(lambda: pair.primary.ask(read_only), SECONDS, "a read-only primary")
    services.wait_for(_is_read_only, SECONDS, "a read-only connection")
    refused = api.post("/v1/carriers", {"name": "Late", "service": "voice"})
    assert (refused.status_code, refused.json["code"]) == (503, "UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) > 0
    with pytest.raises(sa.exc.OperationalError) as failure:  # no primary is left
        pipeline.run(Phase.CHECK)
    assert is_transient(failure.value)
    pair.standby.promote()
    services.wait_for(lambda: _port() == pair.standby.port, SECONDS, "a connection to the new primary")
    assert api.post("/v1/carriers", {"name": "Late", "service": "voice"}).status_code == 201
    api.work_off()
    assert api.job(job)["counts"]["created"] == 5
    with transaction() as connection:
        attempts = connection.execute(sa.text("SELECT max(attempt) FROM job_chunks")).scalar_one()
    assert attempts == 1


def test_requests_do_not_wait_for_a_primary_that_hangs(pair: Pair, api_of_pair: Door) -> None:
    """Its connections stay open, and nothing comes back on them."""
    api = api_of_pair
    assert api.get("/v1/numbers").status_code == 200
    _await_replay(pair)
    pair.primary.freeze()
    try:
        began = time.monotonic()
        refused = api.get("/v1/numbers")
        assert (refused.status_code, refused.json["code"]) == (503, "UNAVAILABLE")
        assert time.monotonic() - began < 2 * LONGEST
        pair.standby.promote()
        services.wait_for(lambda: api.get("/v1/numbers").status_code == 200, SECONDS, "the new primary")
    finally:
        pair.primary.kill()


def _await_replay(pair: Pair) -> None:
    (written,) = pair.primary.ask("SELECT pg_current_wal_lsn()::text")[0]
    replayed = f"SELECT pg_last_wal_replay_lsn() >= '{written}'"
    services.wait_for(lambda: pair.standby.ask(replayed) == [(True,)], SECONDS, "the standby to catch up")


def _is_read_only() -> bool:
    with engine().connect() as connection:
        return bool(connection.execute(sa.text("SHOW default_transaction_read_only")).scalar_one() == "on")


def _port() -> int | None:
    try:
        with engine().connect() as connection:
            return int(connection.execute(sa.text("SELECT inet_server_port()")).scalar_one())
    except sa.exc.OperationalError:
        return None


@pytest.mark.usefixtures("database")
def test_a_refused_copy_throws_the_connection_away_too() -> None:
    """COPY goes to the driver directly, past SQLAlchemy, which throws others away."""

    def backend(connection: sa.Connection) -> int:
        return int(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())

    def refused_copy() -> None:
        with transaction() as connection:
            before.append(backend(connection))
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            with copy_binary.cursor_of(connection) as cursor, cursor.copy(b"COPY carriers (name) FROM STDIN") as copy:
                copy.write(b"x\n")

    before: list[int] = []
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as failure:
        refused_copy()
    assert is_transient(failure.value)
    with transaction() as connection:
        assert backend(connection) not in before
