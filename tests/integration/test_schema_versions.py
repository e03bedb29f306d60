"""Processes whose version is not that of the tables: they take no work, and `migrate` names them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.exc import IntegrityError

from schemas.database.tables import job_chunks, processes, schema_versions
from schemas.jobs import Phase
from tests.support import factories, work
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.portal_client import Portal
from tests.support.process_caches import forget
from tests.support.servers import databases
from tests.support.servers.service import wait_for
from worker import pipeline, tasks
from worker.config.settings import Settings
from worker.database import held_numbers, migrate, schema_version
from worker.database import processes as registered
from worker.database.engine import transaction
from worker.database.processes import Registration
from worker.database.schema_version import ProcessKind, UnusableSchemaError
from worker.maintenance import cleaner
from worker.queue import leases

Stated = Callable[..., AbstractContextManager[None]]
LATER = "9999"


@pytest.fixture
def stated(database: sa.Engine) -> Stated:
    """Within the block, a later release has migrated the tables: `stated(workers_since=..., web_since=...)`."""

    @contextmanager
    def state(workers_since: str = "0034", web_since: str = "0034") -> Iterator[None]:
        values = {"version": LATER, "workers_since": workers_since, "web_since": web_since}
        with database.begin() as connection:
            connection.execute(schema_versions.insert().values(values))
        forget()
        try:
            yield
        finally:
            with database.begin() as connection:
                connection.execute(schema_versions.delete().where(schema_versions.c.version == LATER))
            forget()

    return state


def leased(database: sa.Engine) -> int:
    with database.connect() as connection:
        query = sa.select(sa.func.count()).where(job_chunks.c.state != "pending")
        return int(connection.execute(query).scalar_one())


def test_a_worker_takes_no_work_of_tables_that_it_cannot_use(
    api: Door, database: sa.Engine, stated: Stated, work_off: Callable[[], None]
) -> None:
    with stated(workers_since=LATER):
        job = api.send(sheets.csv_bytes(sheets.rows(3))).json
        assert not pipeline.run(Phase.CHECK)
        assert leased(database) == 0
    work_off()
    assert api.get(f"/v1/jobs/{job['id']}").json["status"] == "completed"


def test_a_worker_goes_on_with_tables_of_a_later_release_that_says_so(api: Door, stated: Stated) -> None:
    with stated(web_since=LATER):
        assert not pipeline.run(Phase.CHECK)  # nothing waits
        with transaction() as connection:
            schema_version.check(connection, ProcessKind.WORKER)
    with stated():
        assert api.upload(sheets.csv_bytes(sheets.rows(3)))["status"] == "completed"


def test_tables_that_are_older_than_the_process_are_not_used(database: sa.Engine) -> None:
    kinds = list(ProcessKind)
    with database.connect() as connection:
        connection.execute(schema_versions.delete())
        for kind in kinds:
            with pytest.raises(UnusableSchemaError, match=f"version none, and {schema_version.own()} is needed"):
                schema_version.check(connection, kind)
        connection.execute(sa.text("DROP TABLE schema_versions"))
        with pytest.raises(UnusableSchemaError, match="numberyard migrate"):
            schema_version.check(connection, kinds[0])
        connection.rollback()


def test_the_database_itself_refuses_the_claims_of_older_workers(api: Door, database: sa.Engine) -> None:
    """A release before this check knows nothing of it, and its workers would write what lists do not find."""
    api.send(sheets.csv_bytes(sheets.rows(3)))
    claim = """
        UPDATE job_chunks
        SET state = 'leased', lease_token = nextval('lease_tokens'), lease_until = now() + interval '1 minute'"""
    for version in ("", ", worker_version = 33, worker_token = currval('lease_tokens')"):
        with pytest.raises(IntegrityError, match="worker_version"), database.begin() as connection:
            connection.execute(sa.text(claim + version))
    # Also of a work item that a worker of this release had before.
    with database.begin() as connection:
        lease = work.claim(connection, Phase.CHECK, 60)
        assert lease is not None
        leases.release(connection, lease, 0, counts=False)
    with pytest.raises(IntegrityError, match="worker_version"), database.begin() as connection:
        connection.execute(sa.text(f"{claim}, attempt = attempt + 1"))
    with database.begin() as connection:
        assert work.claim(connection, Phase.CHECK, 60) is not None


def test_rounds_are_not_run_on_tables_of_another_version(stated: Stated) -> None:
    runs: list[None] = []
    task = tasks._if_tables_are_usable(lambda: runs.append(None))  # noqa: SLF001 - Celery calls it
    with stated(workers_since=LATER):
        task()
        assert not runs
    task()
    assert runs


def test_requests_are_told_to_come_again(api: Door, portal: Portal, stated: Stated) -> None:
    with stated(web_since=LATER):
        for path in ("/v1/numbers", "/v1/jobs"):
            answer = api.get(path)
            assert (answer.status_code, answer.json["code"]) == (503, "UNAVAILABLE")
            assert int(answer.headers["Retry-After"]) > 0
        assert portal.get("/numbers").status_code == 503
        assert api.get("/livez").status_code == 200
        ready = api.get("/readyz")
        assert (ready.status_code, ready.json["failing"]) == (503, ["database"])
        assert api.get("/docs").status_code in {200, 302, 308}
    assert api.get("/v1/numbers").status_code == 200
    assert api.get("/readyz").status_code == 200


def test_a_process_is_registered_until_it_ends(database: sa.Engine) -> None:
    def live() -> list[registered.Registered]:
        with database.connect() as connection:
            return list(registered.live(connection))

    registration = Registration(ProcessKind.WEB)
    registration.begin()
    (found,) = wait_for(live, 20, "the registration")
    assert (found.kind, found.schema_version) == (ProcessKind.WEB, schema_version.own())
    assert schema_version.own() in str(found)
    registration.end()
    assert live() == []


def test_a_process_that_is_not_seen_counts_as_ended(database: sa.Engine) -> None:
    one = {"kind": "worker", "host": "h", "pid": 1, "release": "0.2.0", "schema_version": "0034"}
    ids = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
    ages = ("2 minutes", "2 days")
    with database.begin() as connection:
        for key, age in zip(ids, ages, strict=True):
            seen = sa.func.now() - sa.cast(age, sa.Interval)
            connection.execute(processes.insert().values(id=key, seen_at=seen, **one))
        assert registered.live(connection) == []
    assert cleaner.forget_processes() == 1


def test_going_back_waits_for_processes_that_need_what_is_taken_back(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are named; and once they have ended it goes on."""
    waited: list[str] = []
    registration = Registration(ProcessKind.WORKER)
    registration.begin()
    wait_for(lambda: _count(database), 20, "the registration")
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.05)
    with pytest.raises(migrate.StillRunningError, match=r"worker of .* \(version \d{4}\) on"):
        migrate._wait_for(database, 0, waited.append, lambda _: True)  # noqa: SLF001
    assert not waited
    threading.Timer(0.3, registration.end).start()
    migrate._wait_for(database, 20, waited.append, lambda _: True)  # noqa: SLF001
    assert len(waited) == 1


def _count(database: sa.Engine) -> int:
    with database.connect() as connection:
        return len(registered.live(connection))


def test_what_older_workers_left_is_repaired(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        for place in range(3):
            factories.number(connection, 12125550000 + place, world.north.tenant)
        connection.execute(sa.text("UPDATE phone_numbers SET holder_id = :id, fax = true"), {"id": world.clinic.id})
        connection.execute(sa.text("DELETE FROM tenant_countries"))
        connection.execute(sa.text("UPDATE number_counts SET count = count + 1"))
        assert databases.forgotten(connection) > 0
        assert databases.miscounted(connection) > 0
        missing = held_numbers.missing(connection)
        assert missing["holdings"] == 1
        assert min(missing.values()) > 0
        assert held_numbers.repair(connection) == missing
        assert databases.forgotten(connection) == 0
        assert databases.forgotten_countries(connection) == 0
        assert databases.miscounted(connection) == 0
        assert set(held_numbers.repair(connection).values()) == {0}


@pytest.fixture
def at_0034(database_server: sa.URL) -> Iterator[sa.URL]:
    """A database whose tables have version 0034, and in which a worker of that version is registered."""
    url = database_server.set(drivername="postgresql+psycopg", database="at_0034")
    databases.run(database_server, f"CREATE DATABASE {url.database} TEMPLATE template0")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        configuration = migrate.config()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0034")
        one = {"kind": "worker", "host": "host-7", "pid": 42, "release": "0.2.0", "schema_version": "0034"}
        connection.execute(processes.insert().values(id="11111111-1111-4111-8111-111111111111", **one))
    yield url
    databases.run(database_server, f"DROP DATABASE {url.database} WITH (FORCE)")


def test_migrate_names_older_processes_that_could_not_go_on(at_0034: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is changed then; with patience it waits for them."""
    newest = schema_version.own()
    monkeypatch.setattr(schema_version, "stated", lambda _: dict.fromkeys(ProcessKind, newest))
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.05)
    settings = Settings.model_validate({"database_url": at_0034.render_as_string(hide_password=False)})
    with pytest.raises(migrate.StillRunningError, match=r"worker of 0.2.0 \(version 0034\) on host-7, process 42"):
        migrate.upgrade(settings)
    engine = sa.create_engine(at_0034, poolclass=sa.NullPool)
    assert migrate.current(engine) == "0034"

    def end(_: str) -> None:
        with engine.begin() as connection:
            connection.execute(processes.delete())

    assert migrate.upgrade(settings, wait_seconds=20, tell=end) == migrate.Migrated("0034", newest)


def test_migrate_lets_older_processes_go_on_that_can(at_0034: sa.URL) -> None:
    settings = Settings.model_validate({"database_url": at_0034.render_as_string(hide_password=False)})
    assert migrate.upgrade(settings).after == schema_version.own()


def test_an_older_release_leaves_newer_tables_alone(at_0034: sa.URL) -> None:
    """Its `migrate` runs when its host starts during an upgrade: it goes on if it can use the tables."""
    settings = Settings.model_validate({"database_url": at_0034.render_as_string(hide_password=False)})
    migrate.upgrade(settings)
    engine = sa.create_engine(at_0034, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        values = {"version": LATER, "workers_since": "0034", "web_since": "0034"}
        connection.execute(schema_versions.insert().values(values))
    assert migrate.upgrade(settings) == migrate.Migrated(LATER, LATER)
    with pytest.raises(UnusableSchemaError, match="use the release that migrated them"):
        migrate.downgrade(settings, "0034")
    with engine.begin() as connection:
        connection.execute(schema_versions.update().values(web_since=LATER))
    with pytest.raises(UnusableSchemaError, match="start the release that migrated them"):
        migrate.upgrade(settings)


def test_an_interrupted_repair_is_made_by_the_next_run(at_0034: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"database_url": at_0034.render_as_string(hide_password=False)})
    repaired: list[None] = []

    def interrupt(_: sa.Connection) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(held_numbers, "repair", interrupt)
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade(settings)
    monkeypatch.setattr(held_numbers, "repair", lambda _: repaired.append(None))
    migrate.upgrade(settings)
    migrate.upgrade(settings)
    assert len(repaired) == 1


def test_only_connections_of_others_are_unregistered(at_0034: sa.URL) -> None:
    settings = Settings.model_validate({"database_url": at_0034.render_as_string(hide_password=False)})
    migrate.downgrade(settings, "0033", force=True)
    assert migrate.upgrade(settings).unregistered == 0
    migrate.downgrade(settings, "0033", force=True)
    other = sa.create_engine(at_0034, poolclass=sa.NullPool, connect_args={"application_name": "numberyard"})
    with other.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        assert migrate.upgrade(settings).unregistered == 1


def test_a_step_back_from_tables_between_two_releases(at_0034: sa.URL) -> None:
    """An upgrade was interrupted: what the tables do not have yet is not asked for."""
    settings = Settings.model_validate({"database_url": at_0034.render_as_string(hide_password=False)})
    migrate.downgrade(settings, "0022", force=True)
    assert migrate.losses(settings, "0.1.0") == []
    assert migrate.downgrade(settings, "0.1.0", force=True).after == "0019"
