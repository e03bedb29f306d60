"""How many numbers each tenant of a tree holds now, by country, voice carrier and capabilities (R3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from schemas.capabilities import CAPABILITY_NAMES
from schemas.database.tables import carriers, phone_numbers, tenants
from schemas.permissions import Tenant
from worker.database import tenant_scope
from worker.database.time_limit import time_limit

MOST_SECONDS = 30.0
MOST_ROWS = 200_000


@dataclass(frozen=True)
class Report:
    """The time of the counts, and the rows: tenant, parent, country, voice carrier, capabilities and `numbers`."""

    at: datetime
    rows: Sequence[sa.Row[Any]]


def holdings(connection: sa.Connection, tenant: Tenant) -> Report | None:
    """Return the counts of the tenant and of all below it; None if they are more than `MOST_ROWS`.

    Reads all their numbers once: `holdings` has no counts. `TooLongError` if that takes longer than `MOST_SECONDS`.
    """
    number = phone_numbers.c
    kind = (number.holder_id, number.country, number.voice_carrier_id, *(number[name] for name in CAPABILITY_NAMES))
    counted = sa.select(*kind, sa.func.count().label("numbers")).where(tenant_scope.numbers_of(tenant)).group_by(*kind)
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
        at: datetime = connection.execute(sa.select(sa.func.now())).scalar_one()
    return None if len(rows) > MOST_ROWS else Report(at, rows)
