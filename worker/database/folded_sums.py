"""Sums that are kept as rows: each change adds a row, and rows of one sum are replaced by one from time to time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

MOST_ROWS = 20  # of a sum, before they are folded
MOST_FOLDED = 20_000  # rows folded at a time
MOST_EXAMINED = 5_000  # of the newest rows, and of the rows from a random one on


def fold(connection: sa.Connection, table: sa.Table, key: Sequence[str], amount: str) -> int:
    """Replace the rows of sums that have more than `MOST_ROWS` by one each; return by how many that reduces the table.

    `key`: the columns that name a sum; if the table is large, an index begins with the first. Takes at most
    `MOST_FOLDED` rows. One statement, so no reader ever sees a row twice or misses it; it skips rows that another
    transaction is folding.
    """
    columns: list[sa.Column[Any]] = [table.c[name] for name in key]
    long = sa.union(*map(_long, _examined(table, columns)))
    picked = (
        sa.select(table.c.id)
        .where(sa.tuple_(*columns).in_(long))
        .order_by(table.c.id)
        .limit(MOST_FOLDED)
        .with_for_update(skip_locked=True)
    )
    taken = table.delete().where(table.c.id.in_(picked)).returning(*columns, table.c[amount]).cte("taken")
    of_taken = [taken.c[name] for name in key]
    sums = sa.select(*of_taken, sa.func.sum(taken.c[amount])).group_by(*of_taken)
    folded = table.insert().from_select([*key, amount], sums).returning(table.c.id).cte("folded")
    went, came = connection.execute(
        sa.select(*(sa.select(sa.func.count()).select_from(part).scalar_subquery() for part in (taken, folded)))
    ).one()
    return int(went - came)


def _examined(table: sa.Table, columns: Sequence[sa.Column[Any]]) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Return the queries for the sums of the newest rows, which often have many, and for those from a random row on.

    No position is stored: after some rounds all rows have been examined.
    """
    newest = sa.select(*columns).order_by(table.c.id.desc()).limit(MOST_EXAMINED)
    random_id = sa.select(sa.func.floor(sa.func.random() * sa.func.max(table.c.id)).cast(sa.BigInteger))
    begin = sa.select(columns[0]).where(table.c.id >= random_id.scalar_subquery()).order_by(table.c.id).limit(1)
    onward = sa.select(*columns).where(columns[0] >= begin.scalar_subquery()).order_by(columns[0]).limit(MOST_EXAMINED)
    return newest, onward


def _long(rows: sa.Select[Any]) -> sa.Select[Any]:
    examined = rows.subquery()
    return sa.select(*examined.c).group_by(*examined.c).having(sa.func.count() > MOST_ROWS)
