"""Numbers selected by a filter, frozen at one moment: counted and read in one statement.

No rules and no pages here; how a filter narrows, and that nothing outside of the actor's tree is let through, is told
in `worker.numbers.filters`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from worker.numbers import search
from worker.numbers.filters import Wanted

# Numbers from which on it is shorter to look at all there are than to fetch those of a kind one by one.
_MANY = 50_000


@dataclass(frozen=True)
class Selected:
    """How many numbers match; and they ("+<e164>", ascending), unless they are other than as many as expected."""

    found: int
    numbers: pa.Array | None


def count(connection: sa.Connection, wanted: Wanted) -> int:
    """How many numbers are let through."""
    found = _counted(connection, search.some(connection, wanted, _MANY))
    if found < _MANY:
        return found
    return _counted(connection, search.matching(connection, wanted, are_many=True))


def all_up_to(connection: sa.Connection, wanted: Wanted, most: int) -> list[int] | None:
    """All numbers that are let through, ascending; None if they are more than so many, as soon as that is known."""
    found = connection.execute(search.some(connection, wanted, most + 1)).scalars().all()
    return sorted(found) if len(found) <= most else None


def select(connection: sa.Connection, wanted: Wanted, expected: int) -> Selected:
    """The numbers that are let through, if they are as many as expected."""
    matching = search.matching(connection, wanted, are_many=expected >= _MANY).cte("matching")
    counted = sa.select(sa.func.count().label("found")).select_from(matching).subquery()
    # One text, joined by the server: COPY, which sends a message for each number, takes three times as long.
    in_order = aggregate_order_by(sa.literal("\n"), matching.c.e164)
    joined = sa.select(sa.func.string_agg(sa.func.concat("+", matching.c.e164), in_order))
    as_expected = counted.c.found == expected
    query = sa.select(counted.c.found, sa.case((as_expected, joined.scalar_subquery())).label("numbers"))
    row = connection.execute(query).one()
    return Selected(row.found, _lines(row.numbers or "") if row.found == expected else None)


def _counted(connection: sa.Connection, matching: sa.Select[int]) -> int:
    found: int = connection.execute(sa.select(sa.func.count()).select_from(matching.subquery())).scalar_one()
    return found


def _lines(text: str) -> pa.Array:
    return pc.split_pattern(pa.array([text], pa.string()), "\n").values if text else pa.array([], pa.string())
