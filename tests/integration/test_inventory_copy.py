"""The example that keeps a copy of the inventory, in a process of its own, as its user runs it."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.database.tables import number_changes
from tests.support.api_client import Door, Json
from tests.support.cli_runner import listening
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.followed_changes import Copy
from worker.maintenance import cleaner

PROGRAM = Path(__file__).parents[2] / "docs/examples/inventory_copy.py"
SECONDS = 60.0


def start(path: Path, url: str, token: str, *words: str) -> subprocess.Popen[bytes]:
    env = {"NUMBERYARD_URL": url, "NUMBERYARD_TOKEN": token}
    return subprocess.Popen([sys.executable, str(PROGRAM), str(path), *words], env=env, stderr=subprocess.PIPE)


def once(path: Path, url: str, token: str) -> None:
    program = start(path, url, token, "--once")
    _, errors = program.communicate(timeout=SECONDS)
    assert program.returncode == 0, errors.decode()


def copied(path: Path) -> dict[str, Json]:
    with sqlite3.connect(path) as database:
        return {e164: json.loads(number) for e164, number in database.execute("SELECT * FROM numbers")}


def test_the_copy_is_the_inventory(
    api: Door, world: World, database: sa.Engine, tmp_path: Path, work_off: Callable[[], None]
) -> None:
    with listening(work_off) as url:
        paths = {token: tmp_path / f"{name}.sqlite" for name, token in tokens_of(world).items()}

        def check() -> None:
            for token, path in paths.items():
                once(path, url, token)
                assert copied(path) == Copy.of_inventory(api.as_(token))

        check()  # of nothing
        api.upload(sheets.csv_bytes(sheets.rows(12)))
        check()
        numbers = [each["e164"] for each in api.get("/v1/numbers").json["data"]]
        api.act("assignments", {"numbers": numbers[:5], "tenant_id": world.clinic.tenant.public_id})
        check()
        api.act("unassignments", {"numbers": numbers[:2]})
        api.act("deletions", {"numbers": numbers[10:]})
        check()
        with database.begin() as connection:
            connection.execute(number_changes.update().values(at=sa.func.now() - sa.text("interval '31 days'")))
        api.act("capability-changes", {"numbers": numbers[5:7], "fax": "enable"})
        with database.begin() as connection:
            connection.execute(number_changes.update().values(at=sa.func.now() - sa.text("interval '31 days'")))
        cleaner.expire_changes()
        check()  # by another export


def tokens_of(world: World) -> dict[str, str]:
    return {name: getattr(world, name).token for name in ("north", "clinic")}


@pytest.mark.long
def test_the_copy_survives_being_killed_at_any_time(
    api: Door, world: World, tmp_path: Path, work_off: Callable[[], None]
) -> None:
    rng = random.Random(2)
    path = tmp_path / "copy.sqlite"
    with listening(work_off) as url:
        for part in range(8):
            program = start(path, url, world.north.token)
            api.upload(sheets.csv_bytes(sheets.rows(40, first=part * 40)))
            numbers = [each["e164"] for each in api.get("/v1/numbers?limit=500").json["data"]]
            api.act("capability-changes", {"numbers": rng.sample(numbers, 20), "fax": "enable"})
            try:
                program.wait(rng.random())
            except subprocess.TimeoutExpired:
                program.kill()
            program.communicate()
            assert program.returncode == -9
        once(path, url, world.north.token)
        assert copied(path) == Copy.of_inventory(api)
        assert len(copied(path)) == 320
