"""Sums that are kept as rows: each change adds a row, and rows of one sum are replaced by one from time to time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

MOST_ROWS = 20  # of a sum, before they are folded
MOST_FOLDED = 20_000  # rows folded at a time


def fold(connection: sa.Connection, table: sa.Table, key: Sequence[str], amount: str) -> int:
    """Replace the rows of sums that have more than `MOST_ROWS` by one each; return by how many that reduces the table.

    `key`: the columns that name a sum. Takes at most `MOST_FOLDED` rows. One statement, so no reader ever sees a row
    twice or misses it; it skips rows that another transaction is folding.
    """
    columns: list[sa.Column[Any]] = [table.c[name] for name in key]
    long = sa.select(*columns).group_by(*columns).having(sa.func.count() > MOST_ROWS)
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
