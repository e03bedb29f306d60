"""A tenant's own quotas (R37), as operators with access to the database set them; no API leads here."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database.tables import tenant_quotas, tenants
from schemas.permissions import Tenant
from schemas.quotas import Quota
from worker.database import quotas, tenant_scope

MOST_FOUND = 10  # tenants with one name


def find(connection: sa.Connection, name_or_id: str) -> list[Tenant]:
    """Return the tenant with this public id, or up to `MOST_FOUND` tenants with this name."""
    is_meant = tenant_scope.has_public_id(tenants, name_or_id.lower()) | (
        sa.func.lower(tenants.c.name) == name_or_id.lower()
    )
    query = tenant_scope.select_tenants().where(is_meant).order_by(tenants.c.id).limit(MOST_FOUND)
    return [tenant_scope.tenant_of(row) for row in connection.execute(query)]


def change(connection: sa.Connection, tenant_id: int, limits: Mapping[Quota, int | None]) -> None:
    """Set some quotas of a tenant: 0 for no limit, None for what the settings say."""
    values = {quota.value: limit for quota, limit in limits.items()}
    insertion = insert(tenant_quotas).values(tenant_id=tenant_id, **values)
    changed = insertion.on_conflict_do_update(
        index_elements=["tenant_id"], set_={**values, "updated_at": sa.func.now()}
    )
    connection.execute(changed)


def own(connection: sa.Connection, tenant_id: int) -> dict[Quota, int | None]:
    """Return the quotas that are the tenant's own; None where the settings decide."""
    return quotas.own_limits(connection, tenant_id)
