"""The secrets that sign a tenant's callbacks: created when first needed, replaced on demand, shown only to the tenant.

At most two sign at a time. The database stores the secrets in plain text: a hash cannot compute an HMAC.
"""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.callback_signing import SECRET_BYTES
from schemas.database.tables import callback_secrets
from schemas.permissions import Tenant
from worker.accounts import tenants
from worker.config.settings import get_settings
from worker.queue.job_state import in_seconds

_CURRENT = callback_secrets.c.until.is_(None)
_SIGNS = _CURRENT | (callback_secrets.c.until > sa.func.now())


@dataclass(frozen=True)
class SecretView:
    """A tenant's current secret, and until when the previous one also signs."""

    secret: bytes
    created_at: datetime
    previous_until: datetime | None


def ensure(connection: sa.Connection, tenant_id: int) -> None:
    """Create a secret if the tenant has none; of two concurrent calls, one creates it."""
    insertion = insert(callback_secrets).values(tenant_id=tenant_id, secret=randomness.token_bytes(SECRET_BYTES))
    connection.execute(insertion.on_conflict_do_nothing(index_elements=["tenant_id"], index_where=_CURRENT))


def show(connection: sa.Connection, tenant_id: int) -> SecretView:
    """Return the tenant's secret; create it if there is none."""
    ensure(connection, tenant_id)
    rows = connection.execute(_signing(tenant_id)).all()
    return SecretView(rows[0].secret, rows[0].created_at, rows[1].until if len(rows) > 1 else None)


def rotate(connection: sa.Connection, tenant: Tenant) -> SecretView:
    """Replace the secret; the previous one also signs for `callback_secret_hours`, any older one no longer.

    `GoneError` if the tenant was deleted meanwhile.
    """
    tenants.hold(connection, tenant)  # concurrent rotations run one after the other
    of_tenant = callback_secrets.c.tenant_id == tenant.id
    connection.execute(callback_secrets.delete().where(of_tenant, ~_CURRENT))
    until = in_seconds(get_settings().callback_secret_hours * 3600)
    connection.execute(callback_secrets.update().where(of_tenant).values(until=until))
    return show(connection, tenant.id)


def signing(connection: sa.Connection, tenant_id: int) -> list[bytes]:
    """Return the secrets that sign now, the current one first."""
    return [row.secret for row in connection.execute(_signing(tenant_id))]


def _signing(tenant_id: int) -> sa.Select[tuple[bytes, datetime, datetime | None]]:
    columns = (callback_secrets.c.secret, callback_secrets.c.created_at, callback_secrets.c.until)
    return (
        sa.select(*columns)
        .where(callback_secrets.c.tenant_id == tenant_id, _SIGNS)
        .order_by(_CURRENT.desc(), callback_secrets.c.id.desc())
    )
