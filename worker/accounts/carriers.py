"""Voice carriers and SMS carrier profiles as they are looked at, defined, renamed and deleted (R7).

No rules here; every caller has asked `schemas.permissions` and holds the tenant that defines them (`tenants.hold`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import carriers, phone_numbers, tenants
from schemas.names import fold
from schemas.permissions import Actor, Tenant
from worker.accounts.tenants import GoneError
from worker.database import tenant_scope


@dataclass(frozen=True)
class CarrierView:
    """A carrier, the tenant that defined it, and whether it is the default that holds for the actor (R7)."""

    row: sa.Row[Any]
    owner: Tenant
    is_default: bool


def page(connection: sa.Connection, actor: Actor, cursor: str | None, limit: int) -> list[CarrierView]:
    """Up to `limit` carriers, oldest first, made after the one whose public id is `cursor`."""
    seen = tenant_scope.carriers_seen(actor.tenant)
    query = sa.select(carriers).where(seen).order_by(carriers.c.id).limit(limit)
    if cursor is not None:
        query = query.where(tenant_scope.after(carriers, seen, cursor))
    return _views(connection, actor, connection.execute(query).all())


def one(connection: sa.Connection, actor: Actor, public_id: str) -> CarrierView | None:
    """A carrier, or None if there is none of that id that the actor sees."""
    query = sa.select(carriers).where(
        tenant_scope.carriers_seen(actor.tenant), tenant_scope.has_public_id(carriers, public_id)
    )
    return next(iter(_views(connection, actor, connection.execute(query).all())), None)


def is_defined(connection: sa.Connection, owner: Tenant, service: str, name: str, but: int | None = None) -> bool:
    """Whether the tenant defines a carrier of this name, or one that reads the same. `but` (an id) does not count."""
    query = sa.select(carriers.c.name).where(carriers.c.tenant_id == owner.id, carriers.c.service == service)
    if but is not None:
        query = query.where(carriers.c.id != but)
    return any(fold(row.name) == fold(name) for row in connection.execute(query))


def create(connection: sa.Connection, owner: Tenant, service: str, name: str) -> str:
    """A new carrier ("voice" or "sms"); answers its public id."""
    values = {"tenant_id": owner.id, "service": service, "name": name}
    made: str = connection.execute(carriers.insert().values(values).returning(carriers.c.public_id)).scalar_one()
    return made


def rename(connection: sa.Connection, carrier_id: int, name: str) -> None:
    """Give a carrier another name. `GoneError` if it is not there any more."""
    if not connection.execute(carriers.update().where(carriers.c.id == carrier_id).values(name=name)).rowcount:
        raise GoneError


def used_by(connection: sa.Connection, carrier_id: int) -> list[str]:
    """What keeps a carrier from being deleted: any of "numbers", "defaults". It is held until the transaction ends.

    Waits for the chunks that are being written with it (`inventory.hold`), so none of them is missed; later ones find
    it gone. Numbers have no index by carrier: this scan, made once per deletion, takes 0.15 s per million of them,
    while two indexes made every bulk insert a quarter slower.
    """
    held = sa.select(carriers.c.id).where(carriers.c.id == carrier_id).with_for_update()
    if connection.execute(held).one_or_none() is None:
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
    found = sa.exists().where(sa.or_(*(column == carrier_id for column in columns)))
    return bool(connection.execute(sa.select(found)).scalar_one())


def _views(connection: sa.Connection, actor: Actor, rows: Sequence[sa.Row[Any]]) -> list[CarrierView]:
    owners = tenant_scope.tenants_by_id(connection, sorted({row.tenant_id for row in rows}))
    defaults = tenant_scope.default_carriers(connection, [actor.tenant.id])[actor.tenant.id]
    return [CarrierView(row, owners[row.tenant_id], row.id in defaults) for row in rows]
