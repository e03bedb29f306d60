"""A time limit for statements whose cost depends on what is stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from worker.config.errors import sqlstate_of

_QUERY_CANCELED = "57014"


class TooLongError(Exception):
    """A statement took longer than its limit. The transaction goes on without it."""


@contextmanager
def time_limit(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """Limit each statement of the block; `TooLongError` ends the block, and its changes are rolled back."""
    before = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()  # a number with its unit, such as 60s
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(math.ceil(seconds * 1000), 1)}")
            yield
    except OperationalError as error:
        if sqlstate_of(error) == _QUERY_CANCELED:
            raise TooLongError from error
        raise
    # Rolling back the savepoint also restores the setting; releasing it does not.
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{before}'")
