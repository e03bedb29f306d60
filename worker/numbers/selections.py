"""Numbers selected by a filter in a consistent snapshot: one statement counts and reads them.

No rules and no paging; `worker.numbers.filters` resolves filters and keeps them inside the actor's tree.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from worker.numbers import search
from worker.numbers.filters import ResolvedFilter

# From this many numbers on, a full scan is faster than fetching those of a kind one by one.
_MANY = 50_000


@dataclass(frozen=True)
class Selected:
    """How many numbers match, and the numbers ("+<e164>", ascending); None if the count is not the expected one."""

    found: int
    numbers: pa.Array | None


def count(connection: sa.Connection, resolved_filter: ResolvedFilter) -> int:
    """Return how many numbers match."""
    counted = _counted(connection, search.some(connection, resolved_filter, _MANY))
    if counted < _MANY:
        return counted
    return _counted(connection, search.matching(connection, resolved_filter, are_many=True))


def count_up_to(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> int:
    """Return how many numbers match, at most `most + 1`, without reading further ones."""
    return _counted(connection, search.some(connection, resolved_filter, most + 1))


def all_up_to(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> list[int] | None:
    """Return all matching numbers, ascending; None if there are more than `most`, without reading them all."""
    numbers = connection.execute(search.some(connection, resolved_filter, most + 1)).scalars().all()
    return sorted(numbers) if len(numbers) <= most else None


def select(connection: sa.Connection, resolved_filter: ResolvedFilter, expected: int) -> Selected:
    """Return the matching numbers if there are exactly `expected`."""
    matching = search.matching(connection, resolved_filter, are_many=expected >= _MANY).cte("matching")
    counted = sa.select(sa.func.count().label("found")).select_from(matching).subquery()
    # The server joins them into one text: COPY sends a message for each number and takes three times as long.
    in_order = aggregate_order_by(sa.literal("\n"), matching.c.e164)
    joined = sa.select(sa.func.string_agg(sa.func.concat("+", matching.c.e164), in_order))
    as_expected = counted.c.found == expected
    query = sa.select(counted.c.found, sa.case((as_expected, joined.scalar_subquery())).label("numbers"))
    row = connection.execute(query).one()
    return Selected(row.found, _lines(row.numbers or "") if row.found == expected else None)


def _counted(connection: sa.Connection, matching: sa.Select[int]) -> int:
    counted: int = connection.execute(sa.select(sa.func.count()).select_from(matching.subquery())).scalar_one()
    return counted


def _lines(text: str) -> pa.Array:
    return pc.split_pattern(pa.array([text], pa.string()), "\n").values if text else pa.array([], pa.string())
