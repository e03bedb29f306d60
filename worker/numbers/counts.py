"""Counts of numbers by status: of a tenant's tree, of each holder, by calling code and by carrier (R3).

They are kept while numbers are written, so reading them costs the same for an inventory of any size. A chunk adds rows
with its differences; a count is the sum of its rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa

from schemas.database.tables import number_counts, tenants
from schemas.permissions import Actor
from worker.arrays.distinct import counted_rows
from worker.database import folded_sums, tenant_scope
from worker.phone import region

TOTAL, HELD, CODE, CARRIER = "total", "held", "code", "carrier"
_COLUMNS = ("holder_id", "code", "voice_carrier_id", "sms_carrier_id", "is_unassigned")

Differences = Mapping[tuple[int, ...], int]
"""Holder, calling code, voice carrier, SMS carrier (0: none), unassigned (1) or not (0) -> numbers more or less."""

_NOTE = sa.text("""
    INSERT INTO number_counts (tenant_id, dimension, key, is_unassigned, count)
    SELECT line.tenant_id, counted.dimension, counted.key, part.is_unassigned, sum(part.count)
    FROM unnest(CAST(:holder_id AS int[]), CAST(:code AS int[]), CAST(:voice_carrier_id AS int[]),
            CAST(:sms_carrier_id AS int[]), CAST(:is_unassigned AS boolean[]), CAST(:counts AS bigint[]))
        AS part (holder_id, code, voice_carrier_id, sms_carrier_id, is_unassigned, count)
    JOIN tenants AS holder ON holder.id = part.holder_id
    CROSS JOIN unnest(holder.path) AS line (tenant_id)
    CROSS JOIN LATERAL (VALUES ('total', 0, true), ('held', 0, line.tenant_id = part.holder_id),
        ('code', part.code, part.code > 0), ('carrier', part.voice_carrier_id, part.voice_carrier_id > 0),
        ('carrier', part.sms_carrier_id, part.sms_carrier_id > 0)) AS counted (dimension, key, is_one)
    WHERE counted.is_one
    GROUP BY 1, 2, 3, 4 HAVING sum(part.count) <> 0""")


@dataclass
class Count:
    """How many numbers are unassigned and how many are assigned (`permissions.is_assigned`)."""

    unassigned: int = 0
    assigned: int = 0

    @property
    def all(self) -> int:
        """Return how many there are."""
        return self.unassigned + self.assigned

    def add(self, count: int, *, is_unassigned: bool) -> None:
        """Add numbers of one status."""
        if is_unassigned:
            self.unassigned += count
        else:
            self.assigned += count


@dataclass(frozen=True)
class TreeCounts:
    """The numbers that a tenant sees: all, by calling code, and by carrier (database id)."""

    total: Count = field(default_factory=Count)
    codes: Mapping[int, Count] = field(default_factory=dict)
    carriers: Mapping[int, Count] = field(default_factory=dict)


@dataclass(frozen=True)
class HolderCount:
    """How many numbers a tenant itself holds."""

    public_id: str
    name: str
    count: Count


def add(differences: dict[tuple[int, ...], int], e164: np.ndarray, state: Mapping[str, np.ndarray], sign: int) -> None:
    """Add the numbers (int64, ascending) in a state (`schemas.arrow_schemas.STATE`) to the differences; -1 takes away.

    Whole columns; the distinct combinations are few.
    """
    if not len(e164):
        return
    is_unassigned = state["holder_id"] == state["uploader_id"]
    for user in ("voice_user_id", "sms_user_id"):
        is_unassigned &= state[user] == 0
    values = {**state, "code": region.calling_code_numbers(e164), "is_unassigned": is_unassigned}
    columns = [values[name] for name in _COLUMNS]
    indices, counts = counted_rows(columns)
    rows = zip(*(column[indices].tolist() for column in columns), strict=True)
    for row, count in zip(rows, counts.tolist(), strict=True):
        differences[row] = differences.get(row, 0) + sign * count


def note(connection: sa.Connection, differences: Differences) -> None:
    """Store differences, for the holders and all tenants above them. The transaction holds the holders' rows."""
    left = {row: count for row, count in differences.items() if count}
    if left:
        columns = dict(zip(_COLUMNS, map(list, zip(*left, strict=True)), strict=True))
        flags = [bool(flag) for flag in columns.pop("is_unassigned")]
        connection.execute(_NOTE, {**columns, "is_unassigned": flags, "counts": list(left.values())})


def of_tree(connection: sa.Connection, actor: Actor) -> TreeCounts:
    """Return the counts of all numbers that the actor sees."""
    own = number_counts.c
    query = sa.select(own.dimension, own.key, own.is_unassigned, sa.func.sum(own.count).label("numbers")).where(
        own.tenant_id == actor.tenant.id, own.dimension != HELD
    )
    by_dimension: dict[str, dict[int, Count]] = {name: defaultdict(Count) for name in (TOTAL, CODE, CARRIER)}
    for row in connection.execute(query.group_by(own.dimension, own.key, own.is_unassigned)):
        by_dimension[row.dimension][row.key].add(int(row.numbers), is_unassigned=row.is_unassigned)
    codes, carriers = (
        {key: count for key, count in by_dimension[name].items() if count.all} for name in (CODE, CARRIER)
    )
    return TreeCounts(by_dimension[TOTAL][0], codes, carriers)


def of_holders(connection: sa.Connection, actor: Actor, most: int) -> Sequence[HolderCount]:
    """Return the tenants of the actor's tree that hold the most numbers themselves, the most first.

    Only those that hold as many are looked up by name, not all that hold any.
    """
    own = number_counts.c
    unassigned, assigned = (
        sa.func.coalesce(sa.func.sum(own.count).filter(own.is_unassigned == flag), 0).label(name)
        for flag, name in ((True, "unassigned"), (False, "assigned"))
    )
    numbers = sa.func.sum(own.count)
    largest = (
        sa.select(own.tenant_id, unassigned, assigned, numbers.label("numbers"))
        .where(own.dimension == HELD, tenant_scope.counts_of(actor.tenant))
        .group_by(own.tenant_id)
        .having(numbers > 0)
        .order_by(sa.desc("numbers"))
        .fetch(most, with_ties=True)
        .subquery("largest")
    )
    query = (
        sa.select(tenants.c.public_id, tenants.c.name, largest.c.unassigned, largest.c.assigned)
        .join_from(largest, tenants, tenants.c.id == largest.c.tenant_id)
        .order_by(largest.c.numbers.desc(), tenants.c.name)
        .limit(most)
    )
    return [
        HolderCount(row.public_id, row.name, Count(int(row.unassigned), int(row.assigned)))
        for row in connection.execute(query)
    ]


def fold(connection: sa.Connection) -> int:
    """Replace the rows of sums that have many by one each; return by how many rows that reduces the table."""
    return folded_sums.fold(connection, number_counts, ("tenant_id", "dimension", "key", "is_unassigned"), "count")
