"""Migrates the database to this version. One process at a time; the others wait and then find nothing to do."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import schemas.migrations
from worker.config.settings import Settings
from worker.database.engine import make_engine

_CHECK = "ck_phone_numbers_e164"
_LOCK = 0x6E79_6D69  # "nymi"; any number works if all processes use the same


def config() -> Config:
    """Return Alembic's configuration; built in code, so that no ini file has to be found."""
    settings = Config()
    settings.set_main_option("script_location", next(iter(schemas.migrations.__path__)))
    return settings


def versions() -> list[str]:
    """Return the versions of the tables that this release knows, ascending. Imports no migration."""
    folders = map(Path, schemas.migrations.__path__)
    return sorted(file.name.partition("_")[0] for folder in folders for file in folder.glob("versions/[0-9]*_*.py"))


def upgrade(settings: Settings) -> None:
    """Apply all missing migrations."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    engine = make_engine(settings)
    try:
        with engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            alembic_config = config()
            alembic_config.attributes["connection"] = connection
            command.upgrade(alembic_config, "head")
        with engine.begin() as connection:
            _validate(connection)
    finally:
        engine.dispose()


def _validate(connection: sa.Connection) -> None:
    """Validate the check constraint of `phone_numbers` if a migration has skipped that because the table is large.

    Scans the table, and blocks neither readers nor writers.
    """
    of_table = "SELECT convalidated FROM pg_constraint WHERE conrelid = 'phone_numbers'::regclass AND conname = :name"
    if not connection.execute(sa.text(of_table), {"name": _CHECK}).scalar_one():
        connection.execute(sa.text(f"ALTER TABLE phone_numbers VALIDATE CONSTRAINT {_CHECK}"))
