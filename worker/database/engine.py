"""The way to PostgreSQL: one engine per process, transactions, and which of its errors are worth a retry.

No query lives here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.pool import QueuePool

from worker.config.settings import Settings, get_settings

# What a restart of the database, a lost connection, a deadlock or a lock time-out looks like; nothing else is retried.
# The driver's own errors come out of COPY, which SQLAlchemy does not see.
TRANSIENT: tuple[type[Exception], ...] = (
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)

# SQLSTATEs with which the database refuses a row for what the row says: data exceptions, violated constraints, and what
# triggers raise. https://www.postgresql.org/docs/current/errcodes-appendix.html
REFUSALS = ("22", "23", "44", "P0001")
_LASTING = ("54", "57014")  # SQLSTATEs that come with such errors and come again with every try


def is_transient(error: Exception) -> bool:
    """Whether it is one of `TRANSIENT`, but neither too large for the database nor broken off by a limit of time."""
    return isinstance(error, TRANSIENT) and not sqlstate_of(error).startswith(_LASTING)


def is_refusal(error: Exception) -> bool:
    """Whether the database refuses a row: it would say the same again, and takes the other rows."""
    return sqlstate_of(error).startswith(REFUSALS)


def sqlstate_of(error: Exception) -> str:
    """The SQLSTATE of an error of the database, from the driver itself or by way of SQLAlchemy; empty for others."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def sqlalchemy_url(settings: Settings) -> sa.URL:
    """The database's address with the one driver we use; `LookupError` when none is set."""
    if settings.database_url is None:
        raise LookupError("NUMBERYARD_DATABASE_URL is not set")
    return sa.make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")


def make_engine(settings: Settings) -> sa.Engine:
    """A new engine. Connections that sat idle are tried before use, so a restarted database is noticed in time."""
    return sa.create_engine(
        sqlalchemy_url(settings),
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=28,
        pool_pre_ping=True,
        connect_args=_connection(settings),
    )


def _connection(settings: Settings) -> dict[str, object]:
    """How each connection is opened.

    A worker that stands still within a transaction (stopped, or its machine is) holds locks that whoever gets its work
    would wait for without end. So the server ends such a transaction when the lease is over, too; and either side
    notices within half a minute that the other has vanished from the network.
    """
    idle = max(int(settings.lease_seconds * 1000), 1000)
    alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}
    on_the_server = {
        "idle_in_transaction_session_timeout": idle,
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 4,
    }
    options = " ".join(f"-c {name}={value}" for name, value in on_the_server.items())
    return {"connect_timeout": 5, "application_name": "numberyard", "options": options, **alive}


@lru_cache(maxsize=1)
def engine() -> sa.Engine:
    """This process's engine; made at first use, so that a forked worker never shares its parent's connections."""
    return make_engine(get_settings())


@contextmanager
def transaction(idle_seconds: float | None = None) -> Iterator[sa.Connection]:
    """A transaction: committed when the block ends, rolled back when it raises.

    `idle_seconds`: how long it may stand still between two statements, if longer than `_connection` allows.
    """
    with engine().begin() as connection:
        if idle_seconds is not None:
            connection.exec_driver_sql(
                f"SET LOCAL idle_in_transaction_session_timeout = {math.ceil(idle_seconds * 1000)}"
            )
        yield connection


@contextmanager
def snapshot() -> Iterator[sa.Connection]:
    """A transaction for reading: all its statements see the database as it was at the first of them."""
    with engine().begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection
