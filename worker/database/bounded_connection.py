"""Connections that do not wait without end for a database that hangs, or for a pooler without a free connection.

Only the statements before a transaction's own are bounded: the test of a connection from the pool and, with a pooler
such as PgBouncer, the first one of a transaction. Such a pooler accepts clients while its connections to the database
are all in use, and lets their first statement wait: PgBouncer for two minutes, unless configured.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.abc import RV, PQGen

INTERVAL = 0.1  # seconds; as psycopg's own
NO_RESPONSE = "the database does not respond, or the pooler before it has no free connection"


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up a statement, and itself, after `wait_seconds`; None: never."""

    wait_seconds: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = INTERVAL, timeout: float | None = None) -> RV:
        """Run an operation to its end. `ConnectionTimeout` after `wait_seconds`."""
        if self.wait_seconds is None:
            return super().wait(gen, interval) if timeout is None else super().wait(gen, interval, timeout)
        until = time.monotonic() + self.wait_seconds
        try:
            return super().wait(gen, interval, self.wait_seconds)
        except psycopg.OperationalError:
            if time.monotonic() < until:
                raise
            self.close()
            message = f"{NO_RESPONSE}: after {self.wait_seconds:g} s"
            raise psycopg.errors.ConnectionTimeout(message) from None


def install(engine: sa.Engine, wait_seconds: float, first_statement: str | None) -> None:
    """Bound the waits of the engine's connections; `first_statement`: of each transaction, bounded as well."""

    def connect(_dialect: object, _record: object, arguments: list[str], options: dict[str, Any]) -> BoundedConnection:
        connection = BoundedConnection.connect(*arguments, **options)
        connection.wait_seconds = wait_seconds
        return connection

    def checkin(connection: object, _record: object) -> None:
        _set_wait(connection, wait_seconds)

    def checkout(connection: object, _record: object, _proxy: object) -> None:
        if first_statement is None:
            _set_wait(connection, None)

    def begin(connection: sa.Connection) -> None:
        if first_statement is not None:
            connection.exec_driver_sql(first_statement)
            # The transaction has its connection to the database: its own statements take as long as they need.
            _set_wait(connection.connection.driver_connection, None)

    sa.event.listen(engine, "do_connect", connect)
    sa.event.listen(engine, "checkin", checkin)
    sa.event.listen(engine, "checkout", checkout)
    sa.event.listen(engine, "begin", begin)


def _set_wait(connection: object, seconds: float | None) -> None:
    if isinstance(connection, BoundedConnection):  # None, if it is lost
        connection.wait_seconds = seconds
