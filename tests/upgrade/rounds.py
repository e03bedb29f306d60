"""What tests of upgrades and maintenance share: a service that is started, its load, and whether anything was lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.support.api_client import table
from tests.support.servers import databases, service
from tests.support.servers.service import wait_for
from tests.upgrade import accounts, stand
from tests.upgrade.accounts import Accounts, Load
from tests.upgrade.stand import Release, Running, Stand
from worker.runtime.embedded import EmbeddedValkey

SMALL, LARGE = 20, 40_000
FIRST = 2_122_000_000  # of the numbers in prepared files; the files of the load follow it


@contextmanager
def opened(database_server: sa.URL, folder: Path) -> Iterator[Stand]:
    """An empty database and a broker of its own, for the length of a block."""
    name = f"stand_{folder.name}"
    databases.run(database_server, f'CREATE DATABASE "{name}" TEMPLATE template0')
    url = database_server.set(database=name).render_as_string(hide_password=False)
    with EmbeddedValkey(folder / "valkey", durable=False) as broker:
        found = Stand(folder, url, broker.url)
        try:
            yield found
        finally:
            found.close()
            print(found.logs())  # noqa: T201 - shown if the test has failed
    databases.run(database_server, f'DROP DATABASE "{name}" WITH (FORCE)')


def begun(
    bench: Stand, release: Release, roles: tuple[str, ...] = ("worker", "upkeep", "beat"), webs: int = 2
) -> tuple[list[Running], Accounts]:
    """A service of a release with two accounts, and its web processes: two, so that one can be replaced.

    `roles`: its other processes.
    """
    done = bench.numberyard(release, "migrate")
    assert done.returncode == 0, done.stderr
    made = stand.document(bench.numberyard(release, "init", "--name", "Master", "--json"))
    started = bench.start(release, *["web"] * webs, *roles)[:webs]
    return started, accounts.create(started, made["token"])


def in_flight(own: Accounts) -> str:
    """Start a large job, and return its id once some of its rows are written."""
    job_id = own.reseller.upload(service.block(LARGE, FIRST + 100_000))

    def is_under_way() -> bool:
        job = own.reseller.job(job_id)
        assert job["status"] not in service.ENDED, "too fast for this test"
        return bool(job["progress"]["rows_done"])

    wait_for(is_under_way, accounts.JOB_SECONDS, "the large job to be under way", 0.02)
    return job_id


def load(own: Accounts, pause: float = 1.0) -> Load:
    return Load(own, lambda number: service.block(SMALL, FIRST + 1_000_000 + number * SMALL), pause)


def assert_nothing_lost(bench: Stand, own: Accounts, created: dict[str, int], *, is_present: bool = True) -> None:
    """Each job has its rows, each row its result, the inventory their numbers, and lists know them all."""
    total = 0
    for job_id, count in created.items():
        job = own.reseller.ended(job_id)
        assert (job["status"], job["counts"]["created"]) == ("completed", count), job
        report = own.reseller.request("GET", f"/v1/jobs/{job_id}/report.csv")
        assert len({line["_number"] for line in table(report.content)}) == count
        total += count
    engine = sa.create_engine(sa.make_url(bench.database_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM phone_numbers")).scalar_one() == total
        assert databases.forgotten(connection) == 0
        assert databases.forgotten_countries(connection) == 0
        if is_present:
            assert databases.miscounted(connection) == 0
    engine.dispose()
