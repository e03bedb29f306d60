"""Voice carriers and SMS carrier profiles (R7)."""

from __future__ import annotations

import sqlalchemy as sa
from flask import url_for

from schemas import permissions
from schemas.http import tenants as tenant_bodies
from schemas.request_problems import RequestCode
from webhook.http import auth, idempotency, serializers
from webhook.http.errors import refuse, stop_if
from worker.accounts import carriers, tenants
from worker.accounts.carriers import CarrierView
from worker.database.engine import transaction

WORDS = {
    RequestCode.NOT_FOUND: "Carrier not found.",
    RequestCode.NAME_TAKEN: "You already have a carrier with this name for this service.",
}


def page(query: tenant_bodies.PageQuery) -> tenant_bodies.CarrierList:
    """Return the carriers that the actor can use, and those defined below it."""
    with transaction() as connection:
        rows = carriers.page(connection, auth.actor(), query.cursor, query.limit)
    cursor = rows[-1].row.public_id if len(rows) == query.limit else None
    return tenant_bodies.CarrierList(data=[serializers.carrier(view) for view in rows], next_cursor=cursor)


def get(carrier_id: str) -> tenant_bodies.Carrier:
    """Return the carrier with this id."""
    with transaction() as connection:
        view = _find(connection, carrier_id)
    return serializers.carrier(view)


def create(body: tenant_bodies.NewCarrier) -> tenant_bodies.Carrier:
    """Define a carrier of the actor's own tenant."""
    actor = auth.actor().tenant
    stop_if(permissions.check_create_carrier(actor), WORDS)
    with transaction() as connection:
        tenants.hold(connection, actor)
        if carriers.is_defined(connection, actor, body.service, body.name):
            stop_if(RequestCode.NAME_TAKEN, WORDS, field="name")
        public_id = carriers.create(connection, actor, body.service, body.name)
        idempotency.record(connection, url_for("carriers.show", carrier_id=public_id))
        view = _find(connection, public_id)
    return serializers.carrier(view)


def change(carrier_id: str, body: tenant_bodies.CarrierChange) -> tenant_bodies.Carrier:
    """Rename a carrier."""
    with transaction() as connection:
        view = _find_own(connection, carrier_id)
        tenants.hold(connection, view.owner)
        if carriers.is_defined(connection, view.owner, view.row.service, body.name, but=view.row.id):
            stop_if(RequestCode.NAME_TAKEN, WORDS, field="name")
        carriers.rename(connection, view.row.id, body.name)
        view = _find(connection, carrier_id)
    return serializers.carrier(view)


def delete(carrier_id: str) -> None:
    """Delete a carrier that no number and no default refers to."""
    with transaction() as connection:
        view = _find_own(connection, carrier_id)
        users = carriers.used_by(connection, view.row.id)
        words = {RequestCode.IN_USE: f"It is used by {' and '.join(users)}."}
        stop_if(permissions.check_unused(users), words, in_use_by=users)
        carriers.remove(connection, view.row.id)


def _find(connection: sa.Connection, public_id: str) -> CarrierView:
    """Return a carrier that the actor sees. Invisible and missing ones give the same 404 (R3)."""
    view = carriers.get(connection, auth.actor(), public_id)
    if view is None:
        raise refuse(RequestCode.NOT_FOUND, WORDS[RequestCode.NOT_FOUND])
    return view


def _find_own(connection: sa.Connection, public_id: str) -> CarrierView:
    """Return a carrier that the actor may rename and delete."""
    view = _find(connection, public_id)
    stop_if(permissions.check_change_carrier(auth.actor().tenant, view.owner), WORDS)
    return view
