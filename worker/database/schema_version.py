"""Which versions of the tables a process of this release can use.

The version of the tables is the number of their latest migration. A process knows the migrations of its release, and
needs all of them. A database with later ones says which older processes can still use it: each migration states that
(`schemas.migrations`). Workers are checked again by a constraint of `job_chunks` when they claim a work item.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

import schemas.migrations
from schemas.database.tables import schema_versions

_UNDEFINED_TABLE = "42P01"
_OF_DATABASE = sa.select(
    sa.func.max(schema_versions.c.version).label("version"),
    sa.func.max(schema_versions.c.workers_since).label("workers_since"),
    sa.func.max(schema_versions.c.web_since).label("web_since"),
)


class ProcessKind(StrEnum):
    """The processes that use the database: web processes, and those that carry out work items, also upkeep's."""

    WEB = "web"
    WORKER = "worker"


_STATED = {  # migrations can be imported by Alembic only
    ProcessKind.WEB: re.compile(r'^web_since = "(\d+)"$', re.MULTILINE),
    ProcessKind.WORKER: re.compile(r'^workers_since = "(\d+)"$', re.MULTILINE),
}


class UnusableSchemaError(Exception):
    """The database has tables that this process cannot use; the message says what has to be done."""


@lru_cache
def _files() -> dict[str, Path]:
    folders = map(Path, schemas.migrations.__path__)
    found = (file for folder in folders for file in folder.glob("versions/[0-9]*_*.py"))
    return {file.name.partition("_")[0]: file for file in sorted(found)}


def all_versions() -> list[str]:
    """Return the versions of the tables that this release knows, ascending. Imports no migration."""
    return list(_files())


def stated(version: str) -> dict[ProcessKind, str]:
    """Return the versions that processes have to know after a migration, as it states them (from 0034 on)."""
    text = _files()[version].read_text(encoding="utf-8")
    return {kind: _STATED[kind].findall(text)[0] for kind in ProcessKind}


def own() -> str:
    """Return the version that this release needs: its latest migration."""
    return all_versions()[-1]


def check(connection: sa.Connection, kind: ProcessKind) -> None:
    """Raise `UnusableSchemaError` if a process of this kind cannot use the database's tables."""
    try:
        row = connection.execute(_OF_DATABASE).one()
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _UNDEFINED_TABLE:
            raise
        raise UnusableSchemaError(_too_old("none that this release knows")) from error
    if row.version is None or row.version < own():
        raise UnusableSchemaError(_too_old(row.version or "none"))
    since = row.web_since if kind is ProcessKind.WEB else row.workers_since
    if since > own():
        raise UnusableSchemaError(
            f"The tables have version {row.version}, for which processes have to know {since} or later, "
            f"and this one knows {own()}: start the release that migrated them, or a later one."
        )


def _too_old(version: str) -> str:
    return f"The tables have version {version}, and {own()} is needed: run `numberyard migrate`."
