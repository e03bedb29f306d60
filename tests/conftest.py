"""Fixtures on real servers: one PostgreSQL and one Valkey per test process, one database for each test.

Code that commits is tested for real, and tests never meet: a database is emptied before another test gets it. Nothing
is shared between the processes of pytest-xdist.
"""

from __future__ import annotations

import functools
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from hypothesis import settings

from tests.support import node as node_packages
from tests.support import work
from tests.support.api_client import Door, application
from tests.support.cli_runner import Cli, served
from tests.support.factories import Snapshot, World, snapshot
from tests.support.files import sheets
from tests.support.portal_client import Portal, signed_in
from tests.support.process_caches import forget
from tests.support.servers.databases import Databases, engine_of
from worker.accounts import passwords
from worker.queue import broker
from worker.runtime.embedded import EmbeddedPostgres, EmbeddedValkey
from worker.stages.reading.workbooks import workbook

FOLDERS = Path(__file__).parent
# On a busy machine an example may take any time.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
# The child that reads workbooks gets a clean environment; with this it is measured, too. Unset without coverage.
workbook.PASSED_ON = (*workbook.PASSED_ON, "COVERAGE_PROCESS_CONFIG")
LONG_SECONDS = 900  # that a long test may take on a busy machine
LONG_FOLDERS = {"acceptance", "browser", "upgrade"}
MEASURED = re.compile(r"unit/(?!test_cli)")  # the others of the folder call what other tests cover
MARKS = {"benchmarks": "benchmark"}  # the others bear their folder's name


def pytest_configure() -> None:
    """Have Ctrl-C work in the programs under test: what a shell runs in the background inherits it as ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by its folder: `pytest -m unit`. Tests of the whole service are long, but for the essential."""
    for item in items:
        folder = item.path.relative_to(FOLDERS).parts[0]
        item.add_marker(MARKS.get(folder, folder))
        if MEASURED.match(item.path.relative_to(FOLDERS).as_posix()):
            item.add_marker("measured")
        if folder in LONG_FOLDERS and item.get_closest_marker("essential") is None:
            item.add_marker("long")
        if item.get_closest_marker("long") is not None and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONG_SECONDS))


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.URL]:
    """A PostgreSQL; answers the address of its own database."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield sa.make_url(server.url)


@pytest.fixture(scope="session")
def databases(database_server: sa.URL) -> Databases:
    """Its databases with all tables and no rows."""
    return Databases(database_server)


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey"), durable=False) as server:
        yield server.url


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> node_packages.Node:
    """Node.js with the packages of `tests/node`."""
    return node_packages.installed(tmp_path_factory.mktemp("node") / "packages")


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Settings for this test: `configure(rows_per_chunk=5)`. They hold from the next use on."""

    def change(**values: Any) -> None:  # noqa: ANN401 - whatever a setting takes
        for name, value in values.items():
            monkeypatch.setenv(f"NUMBERYARD_{name.upper()}", str(value))
        forget()

    yield change
    forget()


@pytest.fixture
def database(
    databases: Databases, broker_url: str, tmp_path: Path, configure: Callable[..., None]
) -> Iterator[sa.Engine]:
    """This test's own database, which all code under test is pointed at, with a broker and a storage folder."""
    address = databases.take()
    url = address.render_as_string(hide_password=False)
    configure(data_dir=tmp_path / "data", database_url=url, redis_url=broker_url)
    engine = engine_of(url)
    yield engine
    engine.dispose()
    forget()
    databases.give_back(address)


@pytest.fixture(scope="session")
def grown(databases: Databases) -> Snapshot:
    """The rows of `world`."""
    address = databases.take()
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.begin() as connection:
        found = snapshot(connection)
    databases.give_back(address)
    return found


@pytest.fixture
def world(database: sa.Engine, grown: Snapshot) -> World:
    """A tree of tenants with carriers, defaults and tokens (see `tests.support.factories.grow`)."""
    with database.begin() as connection:
        connection.exec_driver_sql(grown.statements)
    return grown.world


@pytest.fixture
def work_off(database: sa.Engine) -> Callable[..., None]:
    """Does the work that is due (of some phases, if they are given), in this process, until none is left."""
    return functools.partial(work.work_off, database)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch, work_off: Callable[[], None]) -> None:
    """A worker does what is due as soon as it is told."""
    busy = False

    def wake(*_: object) -> None:
        nonlocal busy
        if not busy:
            busy = True
            work_off()
            busy = False

    monkeypatch.setattr(broker, "wake", wake)


@pytest.fixture
def stored(database: sa.Engine, tmp_path: Path) -> Callable[[], list[str]]:  # noqa: ARG001 - it chose the folder
    """Names the files that are in the storage."""
    folder = tmp_path / "data" / "files"
    return lambda: sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def api(world: World, work_off: Callable[[], None]) -> Door:
    """The HTTP API, called in this process, in the name of the reseller `north`."""
    return Door(application().test_client(), world.north.token, work_off)


@pytest.fixture
def portal(world: World, database: sa.Engine, work_off: Callable[[], None]) -> Portal:
    """The portal in a browser where an admin of the reseller `north` is signed in."""
    return signed_in(database, world.north.tenant, work_off=work_off)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed in a millisecond."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._nobodys.cache_clear()  # noqa: SLF001


@pytest.fixture
def cli(world: World, work_off: Callable[[], None]) -> Iterator[Cli]:
    """The commands in the name of `north`, unless `token` tells another; a worker does what is due."""
    with served(world.north.token, work_off) as call:
        yield call


@pytest.fixture
def stocked(api: Door, world: World) -> Door:
    """Numbers of several kinds and countries, some with the clinic, some with a user or a carrier of their own."""
    header, *sound = sheets.rows(6)
    rows = [[*header, "Voice Carrier Name"], *([*row, ""] for row in sound)]
    rows += [["44", "+442079460018", "TRUE", "FALSE", "TRUE", "North voice"], ["39", "0698765432", "", "", "TRUE", ""]]
    rows += [["800", "+80012345678", "TRUE", "", "", ""]]
    api.upload(sheets.csv_bytes(rows))
    numbers = [number["e164"] for number in api.get("/v1/numbers").json["data"]]
    api.act("assignments", {"numbers": numbers[:3], "tenant_id": world.clinic.tenant.public_id})
    return api
