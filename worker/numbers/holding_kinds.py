"""Kinds of numbers that tenants hold, by uploader, carriers, capabilities, and unassigned or not.

There are few kinds and millions of numbers, so searching here first finds rare numbers, or shows that there are none.
Only kinds in the actor's own tree are read, so the time reveals nothing about other tenants' numbers (R3).
"""

from __future__ import annotations

import sqlalchemy as sa

from schemas.database.tables import KIND, KIND_OF_HOLDING, holdings
from worker.numbers.filters import ResolvedFilter
from worker.numbers.index_groups import Groups, table_of


def of(wanted: ResolvedFilter) -> sa.Select[int]:
    """Return a query for the `kind` (`schemas.database.tables.KIND`) of each holding that a filter may match."""
    query = sa.select(_worded(KIND_OF_HOLDING).label("kind")).select_from(holdings).where(*_conditions(wanted))
    if wanted.lines is not None:
        # OFFSET 0 stops the planner from pulling up the subquery: holdings are looked up holder by holder, because
        # starting from a carrier would be slow if many other tenants use it.
        lines = table_of(wanted.lines)
        own = query.where(holdings.c.holder_id == lines.c.holder, holdings.c.uploader_id == lines.c.uploader)
        found = own.correlate_except(holdings).offset(0).lateral()
        query = sa.select(found.c.kind).select_from(lines.join(found, sa.true()))
    return query


def _conditions(wanted: ResolvedFilter) -> list[sa.ColumnElement[bool]]:
    own, found = holdings.c, []
    if wanted.is_unassigned is not None:
        found.append(own.is_unassigned == wanted.is_unassigned)
    if wanted.capability is not None:
        found.append(own[wanted.capability])
    if wanted.carriers is not None:
        found.append(own.voice_carrier_id.in_(wanted.carriers) | own.sms_carrier_id.in_(wanted.carriers))
    return found


def count_up_to(connection: sa.Connection, kinds: sa.Select[int], most: int) -> int:
    """Count the holdings, up to `most + 1`."""
    some = kinds.limit(most + 1).subquery()
    count: int = connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    return count


def groups(kinds: sa.Select[int], count: int, wanted: ResolvedFilter) -> Groups:
    """Return the groups of `count` kinds, with the filter's other conditions."""
    # Distinct, because a kind is a hash.
    table = kinds.distinct().cte("kinds").prefix_with("MATERIALIZED")
    return Groups(table, [(_worded(KIND), table.c.kind)], wanted.conditions(by_kind=True), count)


def _worded(kind: str) -> sa.ColumnElement[int]:
    return sa.literal_column(f"({kind})", sa.BigInteger)
