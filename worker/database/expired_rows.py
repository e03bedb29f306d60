"""Removal of expired rows in bounded steps, which wait for no one."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa

_address: sa.ColumnElement[str] = sa.literal_column("ctid")


def remove(
    connection: sa.Connection,
    table: sa.Table,
    is_expired: sa.ColumnElement[bool],
    oldest: sa.ColumnElement[datetime] | sa.ColumnElement[date],
    most: int,
) -> int:
    """Delete up to `most` expired rows, the oldest first; return how many. Skips rows that others have locked.

    `oldest`: the indexed column or expression to order by. A row that changes meanwhile stays. The rows are found by
    their addresses: joined by their keys, the planner may read the whole table.
    """
    some = sa.select(_address).select_from(table).where(is_expired).order_by(oldest).limit(most)
    rows = sa.func.array(some.with_for_update(skip_locked=True).correlate(None).scalar_subquery())
    return connection.execute(table.delete().where(_address == sa.func.any(rows))).rowcount
