"""Kinds of numbers that tenants hold, by uploader, carriers, capabilities, and unassigned or not.

There are few kinds and millions of numbers, so searching here first finds rare numbers, or shows that there are none.
Only kinds in the actor's own tree are read, so the time reveals nothing about other tenants' numbers (R3).
"""

from __future__ import annotations

import sqlalchemy as sa

from schemas.database.tables import KIND, KIND_OF_HOLDING, holdings
from worker.numbers.filters import ResolvedFilter
from worker.numbers.index_groups import Groups


def of(resolved_filter: ResolvedFilter) -> sa.Select[int]:
    """Return a query for the `kind` (`schemas.database.tables.KIND`) of each holding that a filter may match."""
    query = sa.select(_worded(KIND_OF_HOLDING).label("kind")).select_from(holdings).where(*_conditions(resolved_filter))
    if resolved_filter.lines is not None:
        # OFFSET 0 stops the planner from pulling up the subquery: holdings are looked up holder by holder, because
        # starting from a carrier would be slow if many other tenants use it.
        # Unassigned numbers are held by their uploader.
        are_own = resolved_filter.is_unassigned is True
        lines = resolved_filter.lines.own() if are_own else resolved_filter.lines.pairs()
        uploader = lines.c.holder if are_own else lines.c.uploader
        kinds_of_line = query.where(holdings.c.holder_id == lines.c.holder, holdings.c.uploader_id == uploader)
        kinds = kinds_of_line.correlate_except(holdings).offset(0).lateral()
        query = sa.select(kinds.c.kind).select_from(lines.join(kinds, sa.true()))
    return query


def _conditions(resolved_filter: ResolvedFilter) -> list[sa.ColumnElement[bool]]:
    holding, conditions = holdings.c, []
    if resolved_filter.is_unassigned is not None:
        conditions.append(holding.is_unassigned == resolved_filter.is_unassigned)
    if resolved_filter.capability is not None:
        conditions.append(holding[resolved_filter.capability])
    if resolved_filter.carriers is not None:
        conditions.append(
            holding.voice_carrier_id.in_(resolved_filter.carriers)
            | holding.sms_carrier_id.in_(resolved_filter.carriers)
        )
    return conditions


def count_up_to(connection: sa.Connection, kinds: sa.Select[int], most: int) -> int:
    """Count the holdings, up to `most + 1`."""
    some = kinds.limit(most + 1).subquery()
    count: int = connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    return count


def groups(kinds: sa.Select[int], count: int, resolved_filter: ResolvedFilter) -> Groups:
    """Return the groups of `count` kinds, with the filter's other conditions."""
    # Distinct, because a kind is a hash.
    table = kinds.distinct().cte("kinds").prefix_with("MATERIALIZED")
    return Groups(table, [(_worded(KIND), table.c.kind)], resolved_filter.conditions(by_kind=True), count)


def _worded(kind: str) -> sa.ColumnElement[int]:
    return sa.literal_column(f"({kind})", sa.BigInteger)
