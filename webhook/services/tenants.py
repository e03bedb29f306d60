"""Tenants below the actor's, their default carriers, Allow External Numbers (R1, R7, R9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import url_for

from schemas import permissions
from schemas.codes import Code
from schemas.columns import Column, name_of
from schemas.http import tenants as tenant_bodies
from schemas.name_matching import fold, unambiguous
from schemas.permissions import Tenant, TenantKind
from schemas.request_problems import RequestCode
from webhook.http import auth, idempotency, serializers
from webhook.http.errors import refuse_file, stop_if
from worker.accounts import tenants
from worker.accounts.tenants import TenantFilter
from worker.database import tenant_scope
from worker.database.engine import transaction
from worker.numbers import inventory

ME = "me"  # in place of an id: the caller's own tenant
WORDS = {
    RequestCode.NOT_FOUND: "Enterprise or reseller not found.",
    RequestCode.NAME_TAKEN: "An enterprise or reseller with this name already exists.",
    RequestCode.INVALID_FIELD: "A reseller belongs to the Master Reseller, and an enterprise to a reseller; "
    "only enterprises can have Allow External Numbers, and only resellers and enterprises a billing reference.",
}
_DEFAULTS = {
    "default_voice_carrier": ("voice", Column.VOICE_CARRIER),
    "default_sms_carrier_profile": ("sms", Column.SMS_CARRIER_PROFILE),
}


def page(query: tenant_bodies.TenantsQuery) -> tenant_bodies.TenantList:
    """Return the actor's own tenant and those below it that match."""
    filters = TenantFilter(query.kind, query.q)
    with transaction() as connection:
        rows = tenants.page(connection, auth.actor(), query.cursor, query.limit, filters)
    cursor = rows[-1].tenant.public_id if len(rows) == query.limit else None
    return tenant_bodies.TenantList(data=[serializers.tenant(view) for view in rows], next_cursor=cursor)


def get(tenant_id: str) -> tenant_bodies.Tenant:
    """Return the tenant with this id, or the actor's own (`ME`)."""
    with transaction() as connection:
        view = tenants.get(connection, find(connection, tenant_id))
    return serializers.tenant(view)


def create(body: tenant_bodies.NewTenant) -> tenant_bodies.Tenant:
    """Create a reseller or an enterprise."""
    actor, kind, external = auth.actor().tenant, TenantKind(body.kind), body.allow_external_numbers
    with transaction() as connection:
        parent = actor if body.parent_id is None else find(connection, body.parent_id)
        stop_if(permissions.check_create_tenant(actor, parent, kind, allow_external_numbers=external), WORDS)
        _hold_name(connection, parent, body.name)
        tenant = tenants.create(connection, parent, kind, body.name, allow_external_numbers=external)
        tenants.change(connection, tenant.id, {"billing_reference": body.billing_reference})
        idempotency.record(connection, url_for("tenants.show", tenant_id=tenant.public_id))
        view = tenants.get(connection, tenant)
    return serializers.tenant(view)


def change(tenant_id: str, body: tenant_bodies.TenantChange) -> tenant_bodies.Tenant:
    """Change the fields that the body sets. A default of None means the parent's (R7)."""
    changes = body.model_dump(exclude_unset=True)
    with transaction() as connection:
        tenant = find(connection, tenant_id)
        stop_if(permissions.check_change_tenant(auth.actor().tenant, tenant, changes), WORDS)
        columns = _columns(connection, tenant, changes)
        if columns:
            tenants.change(connection, tenant.id, columns)
        view = tenants.get(connection, tenant)
    return serializers.tenant(view)


def delete(tenant_id: str) -> None:
    """Delete a tenant that nothing refers to, with its tokens and admins."""
    with transaction() as connection:
        tenant = find(connection, tenant_id)
        stop_if(permissions.check_delete_tenant(auth.actor().tenant, tenant), WORDS)
        tenants.hold(connection, tenant, to_delete=True)
        users = tenants.used_by(connection, tenant)
        stop_if(permissions.check_unused(users), {RequestCode.IN_USE: f"It has {', '.join(users)}."}, in_use_by=users)
        tenants.remove(connection, tenant)


def in_use_by(tenant_id: str) -> list[str]:
    """Return what prevents a tenant's deletion now: any of "tenants", "numbers", "users", "carriers", "jobs"."""
    with transaction() as connection:
        return tenants.used_by(connection, find(connection, tenant_id))


def find(connection: sa.Connection, public_id: str) -> Tenant:
    """Return a tenant within the actor's reach. Others and missing ones give the same 404 (R3)."""
    actor = auth.actor().tenant
    tenant = actor if public_id == ME else tenant_scope.tenant_below(connection, actor, public_id)
    stop_if(permissions.check_tenant(actor, tenant), WORDS)
    return tenant or actor


def _hold_name(connection: sa.Connection, parent: Tenant, name: str, but: Tenant | None = None) -> None:
    """Refuse a name that is taken; keep a free one free until the transaction ends."""
    tenants.hold(connection, parent)
    if tenants.has_child_named(connection, parent.id, name, but):
        stop_if(RequestCode.NAME_TAKEN, WORDS, field="name")


def _columns(connection: sa.Connection, tenant: Tenant, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that a change sets, after locking the rows that it depends on."""
    columns = {field: value for field, value in changes.items() if field not in _DEFAULTS}
    above = tenant.path[-2:-1]
    if "name" in columns and above:
        _hold_name(connection, tenant_scope.tenant_by_id(connection, above[0]), columns["name"], tenant)
    tenants.hold(connection, tenant)
    for field, (service, _) in _DEFAULTS.items():
        if field in changes:
            columns[f"default_{service}_carrier_id"] = _default(connection, tenant, field, changes[field])
    return columns


def _default(connection: sa.Connection, tenant: Tenant, field: str, name: str | None) -> int | None:
    """Return the id of the carrier with that name that the tenant may use, locked against deletion (R7)."""
    if name is None:
        return None
    service, column = _DEFAULTS[field]
    carrier_id = unambiguous(tenant_scope.carriers_of(connection, tenant, service)).get(fold(name))
    try:
        inventory.hold(connection, [], [0 if carrier_id is None else carrier_id])
    except inventory.ConflictError as error:
        detail = f"“{name}” isn't a {name_of(column)} available to “{tenant.name}”."
        raise refuse_file(Code.CARRIER_NOT_FOUND, detail, field=field, value=name) from error
    return carrier_id
