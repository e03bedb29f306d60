"""How many numbers each tenant of a tree holds, by country, voice carrier and capabilities (R3): now, or on a day.

Days are those of UTC. The state at a day's end is counted once, by the first cleaning round of the next day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from schemas.capabilities import CAPABILITY_NAMES
from schemas.database.tables import carriers, counted_days, daily_holdings, phone_numbers, tenants
from schemas.permissions import Tenant
from worker.config.settings import get_settings
from worker.database import expired_rows, tenant_scope
from worker.database.time_limit import TooLongError, time_limit

MOST_SECONDS = 30.0
MOST_ROWS = 200_000
MOST_DAILY_SECONDS = 300.0  # once a day, for all tenants
_YESTERDAY = sa.cast(sa.func.timezone("UTC", sa.func.now()), sa.Date) - 1


class NotCountedError(Exception):
    """The day's numbers were not counted: it is not over, too long ago, or the service did not run after it."""


@dataclass(frozen=True)
class Report:
    """The time of the counts, and the rows: tenant, parent, country, voice carrier, capabilities and `numbers`."""

    at: datetime
    rows: Sequence[sa.Row[Any]]


def holdings(connection: sa.Connection, tenant: Tenant, day: date | None = None) -> Report | None:
    """Return the counts of the tenant and of all below it; None if they are more than `MOST_ROWS`.

    Without a `day`, reads all their numbers once: `holdings` has no counts. `TooLongError` if that takes longer than
    `MOST_SECONDS`. `NotCountedError` for a day that was not counted.
    """
    if day is None:
        counted = _counted().where(tenant_scope.numbers_of(tenant))
        when: sa.Select[Any] = sa.select(sa.func.now())
    else:
        of_tree = daily_holdings.c.holder_id.in_(tenant_scope.ids_below(tenant))
        columns = [column for column in daily_holdings.c if column.name not in {"id", "day"}]
        counted = sa.select(*columns).where(daily_holdings.c.day == day, of_tree)
        when = sa.select(counted_days.c.counted_at).where(counted_days.c.day == day, counted_days.c.is_complete)
        if connection.execute(when).one_or_none() is None:
            raise NotCountedError
    groups = counted.limit(MOST_ROWS + 1).subquery("counted")
    parent = tenants.alias("parent")
    query = (
        sa.select(
            groups,
            tenants.c.public_id,
            tenants.c.name,
            tenants.c.kind,
            tenants.c.billing_reference,
            # Above the tenant that asks is nothing that it has to know.
            sa.case((tenants.c.id != tenant.id, parent.c.name)).label("parent"),
            carriers.c.name.label("voice_carrier"),
        )
        .join_from(groups, tenants, tenants.c.id == groups.c.holder_id)
        .outerjoin(parent, parent.c.id == tenants.c.parent_id)
        .outerjoin(carriers, carriers.c.id == groups.c.voice_carrier_id)
        .order_by(tenants.c.path, groups.c.country, carriers.c.name, *(groups.c[name] for name in CAPABILITY_NAMES))
    )
    with time_limit(connection, MOST_SECONDS):
        rows = connection.execute(query).all()
        at: datetime | None = connection.execute(when).scalar_one_or_none()
    if at is None:  # the day expired meanwhile: some of its rows may be missing
        raise NotCountedError
    return None if len(rows) > MOST_ROWS else Report(at, rows)


def _counted() -> sa.Select[Any]:
    number = phone_numbers.c
    kind = (number.holder_id, number.country, number.voice_carrier_id, *(number[name] for name in CAPABILITY_NAMES))
    return sa.select(*kind, sa.func.count().label("numbers")).group_by(*kind)


def count_day(connection: sa.Connection) -> int:
    """Count the numbers that all tenants held when yesterday ended, once; return how many days were counted.

    A day whose numbers took longer than `MOST_DAILY_SECONDS` stays without counts.
    """
    begun = postgresql.insert(counted_days).from_select(["day", "is_complete"], sa.select(_YESTERDAY, sa.true()))
    day = connection.execute(begun.on_conflict_do_nothing().returning(counted_days.c.day)).scalar_one_or_none()
    if day is None:
        return 0
    groups = _counted().subquery("counted")
    rows = sa.select(sa.literal(day, sa.Date), groups)
    names = ["day", *groups.c.keys()]
    try:
        with time_limit(connection, MOST_DAILY_SECONDS):
            connection.execute(daily_holdings.insert().from_select(names, rows))
            return 1
    except TooLongError:
        connection.execute(counted_days.update().where(counted_days.c.day == day).values(is_complete=False))
        return 0


def expire_days(connection: sa.Connection, most: int) -> int:
    """Remove up to `most` counts of days that are no longer kept, the oldest first; return how many.

    From then on, a day of which only a part is removed counts as one without counts.
    """
    kept_since = _YESTERDAY - get_settings().keep_daily_counts_days
    is_over = counted_days.c.day < kept_since
    connection.execute(counted_days.update().where(is_over, counted_days.c.is_complete).values(is_complete=False))
    count = expired_rows.remove(
        connection, daily_holdings, daily_holdings.c.day < kept_since, daily_holdings.c.day, most
    )
    has_counts = sa.exists().where(daily_holdings.c.day == counted_days.c.day)
    connection.execute(counted_days.delete().where(is_over, ~has_counts))
    return count
