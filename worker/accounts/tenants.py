"""Tenants in the database: list, create, change, delete. No rules: callers check `schemas.permissions` first.

To add something to a tenant, lock its row first (`hold`): then names are compared one transaction at a time, and
nothing is added to a tenant that is about to be deleted. Only a lock for deletion delays chunks that are being written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from psycopg.errors import ForeignKeyViolation
from sqlalchemy.exc import IntegrityError

from schemas.database.tables import admins, carriers, import_profiles, jobs, phone_numbers, tenants, tokens, users
from schemas.name_matching import fold
from schemas.permissions import Actor, Tenant, TenantKind
from worker.database import tenant_scope
from worker.numbers import index_groups


class GoneError(Exception):
    """Another transaction has deleted the row."""


class StillUsedError(Exception):
    """The row is referred to by something that `used_by` does not check."""


@dataclass(frozen=True)
class TenantView:
    """A tenant, the public id of its parent, its billing reference, and its own and effective default carriers.

    Carriers are names by service (R7).
    """

    tenant: Tenant
    parent: str | None
    billing_reference: str | None
    own: Mapping[str, str | None]
    effective: Mapping[str, str | None]


@dataclass(frozen=True)
class TenantFilter:
    """A filter on tenants; None does not filter. `q` is any part of the name."""

    kind: str | None = None
    q: str | None = None


EVERY = TenantFilter()


def page(
    connection: sa.Connection, actor: Actor, cursor: str | None, limit: int, filters: TenantFilter = EVERY
) -> list[TenantView]:
    """Return up to `limit` tenants, oldest first, created after the one whose public id is `cursor`."""
    visible = tenant_scope.below(actor.tenant)
    query = _select().where(visible, *_conditions(filters)).order_by(tenants.c.id).limit(limit)
    if cursor is not None:
        query = query.where(tenant_scope.after(connection, tenants, visible, cursor))
    return _views(connection, connection.execute(query).all())


def get(connection: sa.Connection, tenant: Tenant) -> TenantView:
    """Return a tenant that the caller has found in the actor's tree."""
    return _views(connection, connection.execute(_select().where(tenants.c.id == tenant.id)).all())[0]


def hold(connection: sa.Connection, tenant: Tenant, *, to_delete: bool = False) -> None:
    """Lock a tenant, and its lists of resources, against changes by others until the transaction ends.

    With `to_delete`, the lock also waits for, and then blocks, chunks that are being written (`inventory.hold`).
    `GoneError` if the tenant does not exist any more.
    """
    # FOR NO KEY UPDATE is compatible with the writers' FOR KEY SHARE, FOR UPDATE is not.
    query = sa.select(tenants.c.id).where(tenants.c.id == tenant.id).with_for_update(key_share=not to_delete)
    if connection.execute(query).one_or_none() is None:
        raise GoneError


def has_child_named(connection: sa.Connection, parent_id: int, name: str, but: Tenant | None = None) -> bool:
    """Return whether a direct child has this name, compared by `fold`. The tenant `but` is ignored."""
    query = sa.select(tenants.c.name).where(tenants.c.parent_id == parent_id)
    if but is not None:
        query = query.where(tenants.c.id != but.id)
    return any(fold(row.name) == fold(name) for row in connection.execute(query))


def create(
    connection: sa.Connection, parent: Tenant | None, kind: TenantKind, name: str, *, allow_external_numbers: bool
) -> Tenant:
    """Create a tenant below `parent`, or the root if it is None; a second root raises `IntegrityError`."""
    values = {"kind": kind, "name": name, "allow_external_numbers": allow_external_numbers, "path": []}
    values |= {} if parent is None else {"parent_id": parent.id}
    tenant_id: int = connection.execute(tenants.insert().values(values).returning(tenants.c.id)).scalar_one()
    change(connection, tenant_id, {"path": [*(() if parent is None else parent.path), tenant_id]})
    return tenant_scope.tenant_by_id(connection, tenant_id)


def change(connection: sa.Connection, tenant_id: int, columns: Mapping[str, Any]) -> None:
    """Set columns of a tenant."""
    connection.execute(tenants.update().where(tenants.c.id == tenant_id).values(columns))


def used_by(connection: sa.Connection, tenant: Tenant) -> list[str]:
    """Return what prevents a locked tenant from being deleted: "tenants", "numbers", "users", "carriers", "jobs".

    Numbers that it uploaded are held by itself or below it: if nothing is below, the numbers that it holds are all.
    """
    referring = {
        "tenants": tenants.c.parent_id,
        "users": users.c.tenant_id,
        "carriers": carriers.c.tenant_id,
        "jobs": jobs.c.tenant_id,
    }
    uses = {name: sa.exists().where(column == tenant.id) for name, column in referring.items()}
    query = sa.select(*(use.label(name) for name, use in {**uses, "numbers": _holds_numbers(tenant)}.items()))
    row = connection.execute(query).mappings().one()
    return [name for name in ("tenants", "numbers", "users", "carriers", "jobs") if row[name]]


def _holds_numbers(tenant: Tenant) -> sa.ColumnElement[bool]:
    """Query unassigned and assigned numbers separately, because each half has an index of its own."""
    halves = (index_groups.status_is(is_unassigned=half) for half in (True, False))
    return sa.or_(*(sa.exists().where(phone_numbers.c.holder_id == tenant.id, half) for half in halves))


def remove(connection: sa.Connection, tenant: Tenant) -> None:
    """Delete a tenant with its tokens, admins and import profiles. `StillUsedError` if anything else refers to it."""
    for table in (tokens, admins, import_profiles):
        connection.execute(table.delete().where(table.c.tenant_id == tenant.id))
    try:
        connection.execute(tenants.delete().where(tenants.c.id == tenant.id))
    except IntegrityError as error:
        if isinstance(error.orig, ForeignKeyViolation):
            raise StillUsedError from error
        raise


def _conditions(filters: TenantFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.kind is not None:
        conditions.append(tenants.c.kind == filters.kind)
    if filters.q is not None:
        conditions.append(sa.func.lower(tenants.c.name).contains(filters.q.strip().lower(), autoescape=True))
    return conditions


def _select() -> sa.Select[Any]:
    parent = tenants.alias()
    defaults = (tenants.c.default_voice_carrier_id, tenants.c.default_sms_carrier_id)
    return (
        tenant_scope.select_tenants()
        .add_columns(*defaults, tenants.c.billing_reference, parent.c.public_id.label("parent"))
        .outerjoin_from(tenants, parent, parent.c.id == tenants.c.parent_id)
    )


def _views(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[TenantView]:
    holds = tenant_scope.default_carriers(connection, [row.id for row in rows])
    # All defaults of these tenants are among the effective ones.
    carriers_in_use = {carrier for row in rows for carrier in holds[row.id]}
    query = sa.select(carriers.c.id, carriers.c.name).where(carriers.c.id.in_(carriers_in_use))
    names: dict[int | None, str] = {row.id: row.name for row in connection.execute(query)}

    def named(voice: int | None, sms: int | None) -> dict[str, str | None]:
        return {"voice": names.get(voice), "sms": names.get(sms)}

    return [
        TenantView(
            tenant_scope.tenant_of(row),
            row.parent,
            row.billing_reference,
            own=named(row.default_voice_carrier_id, row.default_sms_carrier_id),
            effective=named(*holds[row.id]),
        )
        for row in rows
    ]
