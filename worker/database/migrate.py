"""Migrates the database to this version, or back. One process at a time; the others wait and then find nothing to do.

Each migration is a transaction of its own, which waits for a lock for seconds only: requests that need the same table
wait behind it. If it has to wait longer, it is rolled back and tried again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import OperationalError

import schemas.migrations
from schemas.database.tables import schema_versions
from worker.config.errors import sqlstate_of
from worker.config.settings import Settings
from worker.database import held_numbers, processes, schema_version, step_back
from worker.database.engine import make_engine
from worker.database.processes import Registered
from worker.database.schema_version import ProcessKind, UnusableSchemaError

RELEASES = {"0.1.0": "0019"}
"""The versions of the tables that earlier releases need."""

REGISTERED_SINCE = "0034"  # releases before it do not register their processes
LOCK_SECONDS = 3.0
IDLE_SECONDS = 60  # of a migration between two statements, however short leases are: a busy machine computes slowly
MOST_LOCK_SECONDS = 600.0
PAUSE_SECONDS = 1.0
_CHECK = "ck_phone_numbers_e164"
_LOCK = 0x6E79_6D69  # "nymi"; any number works if all processes use the same
_NOT_AVAILABLE = ("55P03", "40P01")  # a lock was not granted in time; deadlock
_UNREGISTERED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'numberyard' AND pid <> pg_backend_pid()
        AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"""  # this command's other connection
Tell = Callable[[str], None]


class StillRunningError(Exception):
    """Processes run that cannot use the tables afterwards."""

    def __init__(self, running: Sequence[Registered]) -> None:
        super().__init__("; ".join(map(str, running)))
        self.running = running


class UnknownVersionError(Exception):
    """There is no such release, and no such version of the tables."""


@dataclass(frozen=True)
class Migrated:
    """What was done: the versions before and after, and the connections of processes that do not register."""

    before: str | None
    after: str
    unregistered: int = 0


def config() -> Config:
    """Return Alembic's configuration; built in code, so that no ini file has to be found."""
    settings = Config()
    settings.set_main_option("script_location", next(iter(schemas.migrations.__path__)))
    return settings


def version_of(target: str) -> str:
    """Return the version of the tables for a release ("0.1.0") or a version ("0019"). `UnknownVersionError`."""
    version = RELEASES.get(target, target)
    if version not in schema_version.all_versions():
        raise UnknownVersionError(target)
    return version


def upgrade(
    settings: Settings, *, wait_seconds: float = 0.0, force: bool = False, tell: Tell | None = None
) -> Migrated:
    """Apply all missing migrations. `tell` is called with what is waited for.

    Nothing if a later release has migrated them and this one can use them; else `UnusableSchemaError`.
    `StillRunningError` if processes of older releases run that cannot use the tables afterwards, and still do after
    `wait_seconds`; with `force` they are left alone.
    """
    with _alone(settings, tell) as engine:
        before = current(engine)
        if before is not None and before not in schema_version.all_versions():
            _check_later(engine)
            return Migrated(before, before)
        pending = [version for version in schema_version.all_versions() if before is None or version > before]
        if pending and not force:
            since = _since(pending)
            _wait_for(engine, wait_seconds, tell, lambda found: found.schema_version < since[found.kind])
        unregistered = 0
        if before is not None and before < REGISTERED_SINCE:
            with engine.connect() as connection:
                unregistered = connection.execute(sa.text(_UNREGISTERED)).scalar_one()
        _run(engine, command.upgrade, "head", tell)
        with engine.begin() as connection:
            _validate(connection)
        with engine.begin() as connection:
            _repair(connection)
    return Migrated(before, schema_version.own(), unregistered)


def downgrade(
    settings: Settings, target: str, *, wait_seconds: float = 0.0, force: bool = False, tell: Tell | None = None
) -> Migrated:
    """Take migrations back, down to the version of a release; nothing if the tables are not newer.

    `UnusableSchemaError` if a later release has migrated them: only that one can take its migrations back.
    `step_back.UnfinishedJobsError` if there are jobs that the older release cannot carry on; `StillRunningError` as for
    `upgrade`, for processes that need what is taken back.
    """
    version = version_of(target)
    with _alone(settings, tell) as engine:
        before = current(engine)
        if before is None or before <= version:
            return Migrated(before, before or version)
        if before not in schema_version.all_versions():
            raise UnusableSchemaError(f"The tables have version {before}: use the release that migrated them.")
        if not force:
            _wait_for(engine, wait_seconds, tell, lambda found: found.schema_version > version)
        with engine.connect() as connection:
            step_back.check_jobs(connection, version, before)
        _run(engine, command.downgrade, version, tell)
    return Migrated(before, version)


def losses(settings: Settings, target: str) -> list[str]:
    """Return what `downgrade` would remove, one line each."""
    version = version_of(target)
    engine = make_engine(settings)
    try:
        before = current(engine)
        if before is None or before <= version or before not in schema_version.all_versions():
            return []
        with engine.connect() as connection:
            return step_back.losses(connection, version, before)
    finally:
        engine.dispose()


def current(engine: sa.Engine) -> str | None:
    """Return the version of the database's tables; None if it has none."""
    with engine.connect() as connection:
        if connection.execute(sa.text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
            return None
        version: str | None = connection.execute(
            sa.text("SELECT version_num FROM alembic_version")
        ).scalar_one_or_none()
        return version


@contextmanager
def _alone(settings: Settings, tell: Tell | None) -> Iterator[sa.Engine]:
    """Hold the lock of migrations, in a transaction: a pooler may give each transaction another connection."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    engine = make_engine(settings)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            if not connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))).scalar_one():
                if tell is not None:
                    tell("Waiting for another migration to end.")
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            yield engine
    finally:
        engine.dispose()


def _check_later(engine: sa.Engine) -> None:
    """Raise `UnusableSchemaError` if processes of this release cannot use the tables of a later one."""
    with engine.connect() as connection:
        for kind in ProcessKind:
            schema_version.check(connection, kind)


def _repair(connection: sa.Connection) -> None:
    """Repair, once, what workers left that went on while an earlier release migrated the tables."""
    version = schema_versions.c.version == REGISTERED_SINCE
    due = sa.select(schema_versions.c.version).where(version, schema_versions.c.repaired_at.is_(None)).with_for_update()
    if connection.execute(due).one_or_none() is not None:
        held_numbers.repair(connection)
        connection.execute(schema_versions.update().where(version).values(repaired_at=sa.func.now()))


def _since(pending: Sequence[str]) -> dict[ProcessKind, str]:
    """Return the oldest version that each kind of process has to know after these migrations."""
    stated = [schema_version.stated(version) for version in pending if version >= REGISTERED_SINCE]
    return {kind: max((since[kind] for since in stated), default="") for kind in ProcessKind}


def _wait_for(engine: sa.Engine, seconds: float, tell: Tell | None, is_concerned: Callable[[Registered], bool]) -> None:
    """Return once no such process runs; `StillRunningError` after `seconds`."""
    end = time.monotonic() + seconds
    told: list[Registered] = []
    while True:
        with engine.connect() as connection:
            exists = connection.execute(sa.text("SELECT to_regclass('processes')")).scalar_one() is not None
            running = [found for found in processes.live(connection) if is_concerned(found)] if exists else []
        if not running:
            return
        if time.monotonic() >= end:
            raise StillRunningError(running)
        if tell is not None and running != told:
            tell(f"Waiting for: {'; '.join(map(str, running))}.")
        told = running
        time.sleep(PAUSE_SECONDS)


def _run(engine: sa.Engine, run: Callable[[Config, str], None], target: str, tell: Tell | None) -> None:
    """Run Alembic until all migrations are done; a migration that gets no lock in time is tried again."""
    end = time.monotonic() + MOST_LOCK_SECONDS
    while True:
        try:
            with engine.connect() as connection:
                sa.event.listen(connection, "begin", _set_limits)
                alembic_config = config()
                alembic_config.attributes["connection"] = connection
                run(alembic_config, target)
        except OperationalError as error:
            if sqlstate_of(error) not in _NOT_AVAILABLE or time.monotonic() >= end:
                raise
            if tell is not None:
                tell(f"Trying again: {str(error.orig).partition(chr(10))[0]}.")
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _set_limits(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(LOCK_SECONDS * 1000)}")
    connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")


def _validate(connection: sa.Connection) -> None:
    """Validate the check constraint of `phone_numbers` if a migration has skipped that because the table is large.

    Scans the table, and blocks neither readers nor writers.
    """
    of_table = "SELECT convalidated FROM pg_constraint WHERE conrelid = 'phone_numbers'::regclass AND conname = :name"
    if not connection.execute(sa.text(of_table), {"name": _CHECK}).scalar_one():
        connection.execute(sa.text(f"ALTER TABLE phone_numbers VALIDATE CONSTRAINT {_CHECK}"))
