"""Voice carriers and SMS carrier profiles in the database: list, create, rename, delete (R7).

No rules: callers check `schemas.permissions` first and lock the tenant that defines the carriers (`tenants.hold`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import carriers, phone_numbers, tenants
from schemas.name_matching import fold
from schemas.permissions import Actor, Tenant
from worker.accounts.tenants import GoneError
from worker.database import tenant_scope


@dataclass(frozen=True)
class CarrierView:
    """A carrier, the tenant that defined it, and whether it is an effective default of the actor (R7)."""

    row: sa.Row[Any]
    owner: Tenant
    is_default: bool


def page(connection: sa.Connection, actor: Actor, cursor: str | None, limit: int) -> list[CarrierView]:
    """Return up to `limit` carriers, oldest first, created after the one whose public id is `cursor`."""
    visible = tenant_scope.carriers_seen(actor.tenant)
    query = sa.select(carriers).where(visible).order_by(carriers.c.id).limit(limit)
    if cursor is not None:
        query = query.where(tenant_scope.after(connection, carriers, visible, cursor))
    return _views(connection, actor, connection.execute(query).all())


def get(connection: sa.Connection, actor: Actor, public_id: str) -> CarrierView | None:
    """Return a carrier, or None if the actor sees none with this id."""
    query = sa.select(carriers).where(
        tenant_scope.carriers_seen(actor.tenant), tenant_scope.has_public_id(carriers, public_id)
    )
    return next(iter(_views(connection, actor, connection.execute(query).all())), None)


def is_defined(connection: sa.Connection, owner: Tenant, service: str, name: str, but: int | None = None) -> bool:
    """Return whether the tenant defines a carrier of this name, compared by `fold`. The id `but` is ignored."""
    query = sa.select(carriers.c.name).where(carriers.c.tenant_id == owner.id, carriers.c.service == service)
    if but is not None:
        query = query.where(carriers.c.id != but)
    return any(fold(row.name) == fold(name) for row in connection.execute(query))


def create(connection: sa.Connection, owner: Tenant, service: str, name: str) -> str:
    """Create a carrier ("voice" or "sms"); return its public id."""
    values = {"tenant_id": owner.id, "service": service, "name": name}
    public_id: str = connection.execute(carriers.insert().values(values).returning(carriers.c.public_id)).scalar_one()
    return public_id


def rename(connection: sa.Connection, carrier_id: int, name: str) -> None:
    """Rename a carrier. `GoneError` if it does not exist any more."""
    if not connection.execute(carriers.update().where(carriers.c.id == carrier_id).values(name=name)).rowcount:
        raise GoneError


def used_by(connection: sa.Connection, carrier_id: int) -> list[str]:
    """Return what prevents a carrier from being deleted: any of "numbers", "defaults". Locks it for the transaction.

    Waits for chunks that are being written with the carrier (`inventory.hold`), so it misses none of them; later ones
    find that the carrier is gone. Numbers have no index on the carrier: this scan, once per deletion, takes 0.15 s per
    million numbers, while two indexes made every bulk insert 25% slower.
    """
    locked_carrier = sa.select(carriers.c.id).where(carriers.c.id == carrier_id).with_for_update()
    if connection.execute(locked_carrier).one_or_none() is None:
        raise GoneError
    number, tenant = phone_numbers.c, tenants.c
    users = {
        "defaults": (tenant.default_voice_carrier_id, tenant.default_sms_carrier_id),
        "numbers": (number.voice_carrier_id, number.sms_carrier_id),
    }
    return [name for name, (voice, sms) in users.items() if _exists(connection, carrier_id, voice, sms)]


def remove(connection: sa.Connection, carrier_id: int) -> None:
    """Delete a carrier that nothing refers to."""
    connection.execute(carriers.delete().where(carriers.c.id == carrier_id))


def _exists(connection: sa.Connection, carrier_id: int, *columns: sa.Column[Any]) -> bool:
    references = sa.exists().where(sa.or_(*(column == carrier_id for column in columns)))
    return bool(connection.execute(sa.select(references)).scalar_one())


def _views(connection: sa.Connection, actor: Actor, rows: Sequence[sa.Row[Any]]) -> list[CarrierView]:
    owners = tenant_scope.tenants_by_id(connection, sorted({row.tenant_id for row in rows}))
    defaults = tenant_scope.default_carriers(connection, [actor.tenant.id])[actor.tenant.id]
    return [CarrierView(row, owners[row.tenant_id], row.id in defaults) for row in rows]
