"""The service behind PgBouncer in transaction mode: each transaction may get another connection to the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.followed_changes import Copy
from tests.support.servers import pooler
from worker.config.settings import get_settings
from worker.database.engine import snapshot, transaction
from worker.database.migrate import upgrade
from worker.doctor import servers as doctor
from worker.doctor.findings import Level

pytestmark = pytest.mark.long

UPLOADS, ROWS = 8, 30


@pytest.fixture
def pooled(database: sa.Engine, configure: Callable[..., None], tmp_path: Path) -> Iterator[None]:
    """All code under test reaches the database through the pooler."""
    with pooler.pooled(tmp_path / "pooler", database.url) as address:
        url = address.render_as_string(hide_password=False)
        configure(database_url=url, database_pooled=True, rows_per_chunk=7, rows_per_batch=10, lease_seconds=30)
        yield
        configure(database_url=database.url.render_as_string(hide_password=False), database_pooled=False)


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
