"""Counts of numbers by holder, before they are moved: of a list, or of all that match a filter (R3, R19).

One query for all holders with a time limit: a page shows no counts rather than wait for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from schemas.database.tables import phone_numbers
from schemas.permissions import Actor, Tenant
from worker.database import tenant_scope
from worker.database.time_limit import time_limit
from worker.numbers import search
from worker.numbers.filters import ResolvedFilter

MOST_SECONDS = 8.0
_MANY = 50_000  # as in `selections.count`
_IN_USE = (phone_numbers.c.voice_user_id.is_not(None) | phone_numbers.c.sms_user_id.is_not(None)).label("in_use")
_BESIDE = (phone_numbers.c.holder_id, _IN_USE)


@dataclass(frozen=True)
class Held:
    """How many of the numbers a tenant holds, and how many of these a user has."""

    holder: Tenant
    count: int
    in_use: int


def of_numbers(connection: sa.Connection, actor: Actor, numbers: Sequence[int]) -> list[Held]:
    """Count those of the numbers that the actor sees, by holder, largest count first."""
    visible = sa.select(phone_numbers.c.e164, *_BESIDE).where(
        tenant_scope.numbers_of(actor.tenant), phone_numbers.c.e164.in_(numbers)
    )
    return _counted(connection, visible)


def matching(connection: sa.Connection, resolved_filter: ResolvedFilter, expected: int) -> list[Held]:
    """Count all numbers that match a filter, about `expected`, by holder, largest count first.

    `TooLongError` if it takes longer than `MOST_SECONDS`.
    """
    with time_limit(connection, MOST_SECONDS):
        matches = search.matching(connection, resolved_filter, are_many=expected >= _MANY, beside=_BESIDE)
        return _counted(connection, matches)


def _counted(connection: sa.Connection, numbers: sa.Select[tuple[int, int, bool]]) -> list[Held]:
    numbers_table = numbers.subquery("found")
    count, in_use = sa.func.count(), sa.func.count().filter(numbers_table.c.in_use)
    query = sa.select(numbers_table.c.holder_id, count.label("count_"), in_use.label("in_use")).group_by(
        numbers_table.c.holder_id
    )
    rows = connection.execute(query).all()
    holders = tenant_scope.tenants_by_id(connection, [row.holder_id for row in rows])
    counted = [Held(holders[row.holder_id], row.count_, row.in_use) for row in rows]
    return sorted(counted, key=lambda holding: (-holding.count, holding.holder.name))
