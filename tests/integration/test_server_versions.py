"""The whole service on each version of the servers that Debian and the package index offer, and behind PgBouncer.

`docs/guides/connections.md` has the table of what was tried.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.servers import pooler, redis_servers
from tests.support.servers import service as services
from tests.support.servers.postgres import Postgres, debian_home, wheel_home

pytestmark = pytest.mark.long

PROGRAM = "from webhook.cli import main; main()"
ROWS = 600
POOL = {"session": 60, "transaction": 3}  # connections of the pooler
HOMES: dict[str, Callable[[], Path]] = {
    "PostgreSQL of Debian": debian_home,
    "PostgreSQL 16": lambda: wheel_home(16),
    "PostgreSQL 18": lambda: wheel_home(18),
}
BROKERS: dict[str, Callable[[], Path]] = {
    "Redis of Debian": redis_servers.debian_redis,
    "Valkey": redis_servers.valkey,
}
# Each version at least once, not each pair: no code knows both.
RUNS = [
    ("PostgreSQL of Debian", "Redis of Debian", ""),
    ("PostgreSQL 16", "Valkey", ""),
    ("PostgreSQL 18", "Redis of Debian", ""),
    *(("PostgreSQL 18", "Valkey", mode) for mode in POOL),
]


@pytest.mark.parametrize(("postgres", "broker", "pool_mode"), RUNS)
def test_a_day_in_short(postgres: str, broker: str, pool_mode: str, tmp_path: Path) -> None:
    """Import, assign, undo, export; the doctor has nothing to say; the tables are those of every other version."""
    with (
        Postgres(tmp_path / "postgres", HOMES[postgres]()) as database,
        redis_servers.Server(tmp_path / "broker", BROKERS[broker]()) as queue,
        _address(database, pool_mode, tmp_path) as url,
    ):
        settings = {
            "database_url": url.render_as_string(hide_password=False),
            "database_pooled": bool(pool_mode),
            "redis_url": f"redis://:{redis_servers.PASSWORD}@127.0.0.1:{queue.port}/0",
            "rows_per_chunk": 100,
            "rows_per_batch": 200,
        }
        with services.running(tmp_path / "service", 2, **settings) as service:
            _work(service)
            assert _faults(settings) == []


@contextmanager
def _address(database: Postgres, pool_mode: str, folder: Path) -> Iterator[sa.URL]:
    if not pool_mode:
        yield database.url
        return
    with pooler.pooled(folder / "pooler", database.url, pool_mode, POOL[pool_mode]) as address:
        yield address


def _work(service: services.Service) -> None:
    client = service.client(service.demo["accounts"][1]["name"])
    below = next(one for one in service.demo["accounts"] if one["parent_id"] == client.account["tenant_id"])
    job = client.ended(client.upload(services.block(ROWS)))
    assert (job["status"], job["counts"]["created"]) == ("completed", ROWS)
    assigned = {"filter": {"status": "unassigned"}, "expected_count": ROWS, "tenant_id": below["tenant_id"]}
    done = client.http.post("/v1/assignments", json=assigned)
    assert done.status_code == 202, done.text
    action = client.ended(done.json()["id"])
    assert action["counts"]["updated"] == ROWS
    undone = client.http.post(action["links"]["undo"])
    assert client.ended(undone.json()["id"])["counts"]["updated"] == ROWS
    export = client.http.post("/v1/exports", json={"format": "csv", "filter": {}})
    file = client.http.get(client.ended(export.json()["id"])["links"]["file"])
    assert len(file.text.splitlines()) == ROWS + 1
    changes = client.get("/v1/changes", limit=1000)["data"]
    kinds = [change["type"] for change in changes]
    assert kinds == ["number.created"] * ROWS + ["number.assigned"] * (len(kinds) - ROWS)
    assert client.report(job["id"], "xlsx")[:2] == b"PK"


def _faults(settings: dict[str, object]) -> list[dict[str, str]]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
    env |= {f"NUMBERYARD_{name.upper()}": str(value) for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "doctor", "--json"],
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    checks: list[dict[str, str]] = json.loads(done.stdout)["checks"]
    return [one for one in checks if one["level"] == "error"]
