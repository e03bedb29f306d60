"""The processes that use the database, as they register in it: their kind, host, release and version.

A process enters itself, repeats that every `SECONDS`, and removes itself when it ends. One that was killed counts as
ended once it has not been seen for `EXPIRES_SECONDS`, by the database's clock; later the cleaning round removes it.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from schemas.database.tables import processes
from worker.database import schema_version
from worker.database.engine import transaction
from worker.database.schema_version import ProcessKind, UnusableSchemaError

SECONDS = 15.0
EXPIRES_SECONDS = 60.0
END_SECONDS = 2.0
_KEPT = "1 day"
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Registered:
    """A process that was seen lately."""

    kind: ProcessKind
    host: str
    pid: int
    release: str
    schema_version: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.release} (version {self.schema_version}) on {self.host}, process {self.pid}"


@lru_cache
def release() -> str:
    """Return the version of the installed package."""
    return metadata.version("numberyard")


@dataclass
class Registration:
    """Registers this process from a thread of its own, as `kind`, until `end`."""

    kind: ProcessKind
    _id: str = ""
    _done: threading.Event = field(default_factory=threading.Event)
    _complained: str = ""
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start the thread, unless it runs. A database that does not respond is tried again."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._id = str(uuid.uuid4())  # not before: a forked process has a copy of this object
        self._thread = threading.Thread(target=self._run, name="registration", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Remove this process, if it was registered; waits for a database that does not respond for a moment only."""
        self._done.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while not self._done.is_set():
            with suppress(SQLAlchemyError):  # also: tables from before processes registered
                self._register()
            self._done.wait(SECONDS)
        with suppress(SQLAlchemyError), transaction() as connection:
            connection.execute(processes.delete().where(processes.c.id == self._id))

    def _register(self) -> None:
        with transaction() as connection:
            complaint = _complaint(connection, self.kind)
            if complaint and complaint != self._complained:
                log.error("unusable_tables", reason=complaint)
            self._complained = complaint
        values = {
            "kind": self.kind,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "release": release(),
            "schema_version": schema_version.own(),
        }
        seen = {"seen_at": sa.func.now()}
        entered = (
            insert(processes).values(id=self._id, **values).on_conflict_do_update(index_elements=["id"], set_=seen)
        )
        with transaction() as connection:
            connection.execute(entered)


def _complaint(connection: sa.Connection, kind: ProcessKind) -> str:
    try:
        schema_version.check(connection, kind)
    except UnusableSchemaError as error:
        return str(error)
    return ""


def live(connection: sa.Connection) -> Sequence[Registered]:
    """Return the processes that were seen in the last `EXPIRES_SECONDS`."""
    seen = processes.c.seen_at > sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 0, 0, EXPIRES_SECONDS)
    columns = (processes.c.kind, processes.c.host, processes.c.pid, processes.c.release, processes.c.schema_version)
    query = sa.select(*columns).where(seen).order_by(*columns)
    return [Registered(ProcessKind(row.kind), *row[1:]) for row in connection.execute(query)]


def remove_ended(connection: sa.Connection) -> int:
    """Remove processes that have not been seen for a day; return how many."""
    ended = processes.c.seen_at < sa.func.now() - sa.cast(_KEPT, sa.Interval)
    return connection.execute(processes.delete().where(ended)).rowcount
