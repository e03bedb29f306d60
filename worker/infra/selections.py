"""Numbers selected by a filter, frozen at one moment: counted and read in one statement, limited to the actor's tree.

No rules and no pages here; how a filter narrows is told in `worker.infra.number_views`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from schemas.permissions import Actor
from schemas.tables import phone_numbers
from worker.infra import number_views, scope
from worker.infra.number_views import NumberFilter


@dataclass(frozen=True)
class Selected:
    """How many numbers match; and they ("+<e164>", ascending), unless they are other than as many as expected."""

    found: int
    numbers: pa.Array | None


def count(connection: sa.Connection, actor: Actor, wanted: NumberFilter) -> int:
    """How many numbers the actor sees and the filter lets through."""
    found: int = connection.execute(_counted(_conditions(actor, wanted))).scalar_one()
    return found


def count_up_to(connection: sa.Connection, actor: Actor, wanted: NumberFilter, most: int) -> int:
    """The same, but no higher than `most`: where that many match, nobody counts on."""
    some = sa.select(sa.literal(1)).select_from(phone_numbers).where(*_conditions(actor, wanted)).limit(most)
    found: int = connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()
    return found


def select(connection: sa.Connection, actor: Actor, wanted: NumberFilter, expected: int) -> Selected:
    """The numbers that the actor sees and the filter lets through, if they are as many as expected (R3)."""
    conditions = _conditions(actor, wanted)
    counted = _counted(conditions).subquery()
    # One text, joined by the server: COPY, which sends a message for each number, takes three times as long.
    in_order = aggregate_order_by(sa.literal("\n"), phone_numbers.c.e164)
    joined = sa.select(sa.func.string_agg(sa.func.concat("+", phone_numbers.c.e164), in_order)).where(*conditions)
    as_expected = counted.c.found == expected
    query = sa.select(counted.c.found, sa.case((as_expected, joined.scalar_subquery())).label("numbers"))
    row = connection.execute(query).one()
    return Selected(row.found, _lines(row.numbers or "") if row.found == expected else None)


def _counted(conditions: Sequence[sa.ColumnElement[bool]]) -> sa.Select[int]:
    return sa.select(sa.func.count().label("found")).select_from(phone_numbers).where(*conditions)


def _conditions(actor: Actor, wanted: NumberFilter) -> list[sa.ColumnElement[bool]]:
    return [scope.numbers_of(actor.tenant), *number_views.conditions(wanted)]


def _lines(text: str) -> pa.Array:
    return pc.split_pattern(pa.array([text], pa.string()), "\n").values if text else pa.array([], pa.string())
