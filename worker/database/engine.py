"""Access to PostgreSQL: one engine per process, transactions, and which errors are worth a retry.

Contains no queries.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError
from sqlalchemy.pool import QueuePool

from worker.config.errors import sqlstate_of
from worker.config.settings import Settings, get_settings
from worker.database import address, bounded_connection, query_spans

CONNECT_SECONDS = 5  # to each server; also for the test of a connection from the pool
# Errors after which the connection is of no use, but which the driver takes for internal errors of the database: the
# server ended a transaction that stood still; it takes no writes, because it is not the primary (any more).
LOST: tuple[type[psycopg.Error], ...] = (
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.ReadOnlySqlTransaction,
)
# Errors of a database restart, a failover, a lost connection, a deadlock, a lock time-out, or of a pool without a free
# connection. An attempt that ends with one of them is not counted (`is_transient`). The driver's own errors come from
# COPY, which SQLAlchemy does not see.
TRANSIENT: tuple[type[Exception], ...] = (
    OperationalError,
    InterfaceError,
    NoFreeConnectionError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    *LOST,
)

# SQLSTATEs with which the database refuses a row because of its values: data exceptions, violated constraints, and
# errors raised by triggers. https://www.postgresql.org/docs/current/errcodes-appendix.html
REFUSALS = ("22", "23", "44", "P0001")
_LASTING = ("54", "57014")  # SQLSTATEs of `TRANSIENT` errors that recur with every attempt


def is_transient(error: Exception) -> bool:
    """Return whether the error is in `TRANSIENT`, but not an exceeded limit (54) or a cancelled statement (57014)."""
    return isinstance(error, TRANSIENT) and not sqlstate_of(error).startswith(_LASTING)


def is_refusal(error: Exception) -> bool:
    """Return whether the database refuses a row: a retry has the same result, and other rows are accepted."""
    return sqlstate_of(error).startswith(REFUSALS)


def sqlalchemy_url(settings: Settings) -> sa.URL:
    """Return the database's address with the one driver that we use; `LookupError` if none is set."""
    if settings.database_url is None:
        raise LookupError("NUMBERYARD_DATABASE_URL is not set")
    return address.parse(settings.database_url.get_secret_value())


def make_engine(settings: Settings) -> sa.Engine:
    """Create an engine. Idle connections are tested before use, so a restarted database is noticed in time."""
    new_engine = sa.create_engine(
        sqlalchemy_url(settings),
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=28,
        pool_timeout=settings.database_wait_seconds,
        pool_pre_ping=True,
        hide_parameters=True,  # in messages of errors: values of rows
        connect_args=connection_options(settings),
    )
    sa.event.listen(new_engine, "handle_error", _report_lost_connection)
    query_spans.install(new_engine)
    wait = settings.database_wait_seconds
    if settings.database_pooled:
        limit = f"SET LOCAL idle_in_transaction_session_timeout = {_idle_milliseconds(settings)}"
        bounded_connection.install(new_engine, wait, limit)
    else:
        bounded_connection.install(new_engine, min(wait, CONNECT_SECONDS), None)
    return new_engine


def _report_lost_connection(context: sa.engine.ExceptionContext) -> OperationalError | None:
    """Replace the errors in `LOST`: the connection is lost as others are, and so leaves the pool with all others."""
    error = context.original_exception
    if not isinstance(error, LOST):
        return None
    context.is_disconnect = True
    return OperationalError(context.statement, context.parameters, error)


def connection_options(settings: Settings) -> dict[str, object]:
    """Return the options of each connection.

    A worker that is stopped within a transaction (or whose machine is) holds locks, for which the next lease holder
    would wait without end. So the server ends such a transaction when the lease is over, too. Either side notices
    within half a minute that the other has vanished from the network.

    A pooler takes no such options, and in transaction mode knows no statements that were prepared on another
    connection: each transaction sets its limit itself (`make_engine`).
    """
    alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}
    common = {"connect_timeout": CONNECT_SECONDS, "application_name": "numberyard", **alive}
    if settings.database_pooled:
        return {**common, "prepare_threshold": None}
    on_the_server = {
        "idle_in_transaction_session_timeout": _idle_milliseconds(settings),
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 4,
    }
    options = " ".join(f"-c {name}={value}" for name, value in on_the_server.items())
    return {**common, "options": options}


def _idle_milliseconds(settings: Settings) -> int:
    return max(int(settings.lease_seconds * 1000), 1000)


@lru_cache(maxsize=1)
def engine() -> sa.Engine:
    """Return this process's engine; created at first use, so a forked worker never shares its parent's connections."""
    return make_engine(get_settings())


@contextmanager
def transaction(idle_seconds: float | None = None) -> Iterator[sa.Connection]:
    """Open a transaction: committed when the block ends, rolled back when it raises.

    `idle_seconds`: how long it may be idle between two statements, if longer than `connection_options` allows.
    """
    with engine().begin() as connection:
        if idle_seconds is not None:
            connection.exec_driver_sql(
                f"SET LOCAL idle_in_transaction_session_timeout = {math.ceil(idle_seconds * 1000)}"
            )
        try:
            yield connection
        except LOST as error:  # from COPY
            connection.invalidate(error)
            raise


@contextmanager
def snapshot() -> Iterator[sa.Connection]:
    """Open a read-only transaction: all its statements see the database as it was at the first of them."""
    with engine().begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection
