"""Redis Sentinel: the primary of the broker fails during a job, a replica takes over, and no wait is endless."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from schemas.jobs import Phase
from tests.support.api_client import Door
from tests.support.files import sheets
from tests.support.servers import redis_servers
from tests.support.servers import service as services
from tests.support.servers.redis_servers import PASSWORD, SENTINEL_PASSWORD, Watched
from worker.config.settings import get_settings
from worker.queue import broker, healthcheck, redis_client
from worker.runtime import external_servers
from worker.runtime.processes.child import ServerError
from worker.runtime.processes.ports import LOOPBACK, free_port

pytestmark = pytest.mark.long

SECONDS = 60.0
ROWS = 10_000
WRONG = "wrong-password"
Configure = Callable[..., None]


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Watched]:
    with redis_servers.watched(tmp_path / "brokers", redis_servers.valkey()) as made:
        yield made


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield int(server.getsockname()[1])


def test_the_primary_of_the_broker_fails_during_a_job(brokers: Watched, tmp_path: Path) -> None:
    settings = {"rows_per_chunk": 100, "rows_per_batch": 1000, **brokers.settings()}
    with services.running(tmp_path / "service", 2, **settings) as service:
        client = service.client(service.demo["accounts"][1]["name"])
        job = client.upload(services.block(ROWS))
        services.wait_for(lambda: client.job(job)["counts"]["created"] > 0, SECONDS, "numbers of the job")
        brokers.primary.kill()
        assert client.job(job)["status"] not in services.ENDED  # in the middle of it
        began = time.monotonic()
        meanwhile = client.upload(services.block(10, 2_132_000_000))
        assert time.monotonic() - began < 5  # most of it the request itself, on a busy machine
        brokers.await_primary(brokers.replica.port)
        assert client.ended(job)["counts"]["created"] == ROWS
        assert client.ended(meanwhile)["counts"]["created"] == 10
        later = client.upload(services.block(10, 2_133_000_000))
        assert client.ended(later)["counts"]["created"] == 10
        assert service.ask("SELECT count(*), count(DISTINCT e164) FROM phone_numbers WHERE e164 < 12140000000") == [
            (ROWS + 20, ROWS + 20)
        ]
        health = _run(["-m", "worker.queue.healthcheck"], brokers.settings())
        assert health.returncode == 0, health.stderr


@pytest.mark.usefixtures("database")
def test_every_use_follows_the_primary(brokers: Watched, configure: Configure, api: Door) -> None:
    configure(**brokers.settings())
    url = str(brokers.settings()["redis_url"])
    queue = broker.QUEUES[Phase.CHECK]
    external_servers.check_redis(url)
    _celery_connects()
    for server in (brokers.primary, brokers.replica):
        if server is brokers.replica:
            brokers.fail_over()
        services.wait_for(lambda: broker.wake(Phase.CHECK, "job"), SECONDS, "a message")
        with server.client() as client:
            assert client.llen(queue) >= 1
        assert broker.waiting_in(queue) >= 1
        assert api.get("/readyz").json["failing"] == []
        with redis_client.connect(url, get_settings(), 3.0) as held:
            held.ping()
            assert healthcheck.connected(url)
    api.send(sheets.csv_bytes(sheets.rows(2)))


@pytest.mark.usefixtures("database")
def test_sentinels_that_fail_delay_nobody_for_long(
    brokers: Watched, configure: Configure, silent: int, api: Door
) -> None:
    configure(**brokers.settings("sentinel", free_port(), silent))
    began = time.monotonic()
    assert broker.waiting_in(broker.UPKEEP) == 0
    assert time.monotonic() - began < 5
    configure(
        **brokers.settings() | {"redis_url": f"sentinel://{LOOPBACK}:{free_port()};sentinel://{LOOPBACK}:{silent}"}
    )
    began = time.monotonic()
    assert api.send(sheets.csv_bytes(sheets.rows(2))).status_code == 202
    with pytest.raises(redis.ConnectionError, match="No sentinel names a primary"):
        broker.waiting_in(broker.UPKEEP)
    assert api.get("/readyz").json["failing"] == ["broker"]
    assert time.monotonic() - began < 10


def test_doctor_says_what_is_wrong(brokers: Watched, configure: Configure, tmp_path: Path) -> None:
    def fault(**settings: object) -> dict[str, str]:
        done = _run(["-c", "from webhook.cli import main; main()", "doctor", "--json"], brokers.settings() | settings)
        for password in (PASSWORD, SENTINEL_PASSWORD, WRONG):
            assert password not in done.stdout + done.stderr
        found: list[dict[str, str]] = json.loads(done.stdout)["checks"]
        return next((one for one in found if one["level"] == "error"), {"detail": str(found), "fix": ""})

    assert f"named by the sentinels {LOOPBACK}" in fault()["detail"]
    assert "REDIS_MASTER_NAME" in fault(redis_master_name="another")["fix"]
    assert "REDIS_SENTINEL_PASSWORD" in fault(redis_sentinel_password=WRONG)["fix"]
    assert "password" in fault(redis_url=str(brokers.settings()["redis_url"]).replace(PASSWORD, WRONG))["fix"]
    configure(**brokers.settings() | {"data_dir": tmp_path})
    with pytest.raises(ServerError, match="not a Redis address"):
        external_servers.check_redis("sentinel://a;redis://b", 0)


def _celery_connects() -> None:
    with broker.app().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        connection.default_channel.client.ping()


def _run(command: list[str], settings: dict[str, object]) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
    env |= {f"NUMBERYARD_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, *command], env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
