"""`/v1/carriers`: voice carriers and SMS carrier profiles (R7)."""

from __future__ import annotations

import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import Response, url_for

from schemas import accounts, permissions
from schemas.problems import RequestCode
from webhook import auth, views
from webhook.answers import created, done, shown, stop_if
from webhook.errors import refuse
from webhook.pages import next_link
from worker.infra import carriers, tenants
from worker.infra.carriers import CarrierView
from worker.infra.db import transaction

bp = APIBlueprint("carriers", __name__, url_prefix="/v1/carriers", tag="Accounts")
bp.before_request(auth.require_actor)

WORDS = {
    RequestCode.NOT_FOUND: "There is no such carrier.",
    RequestCode.NAME_TAKEN: "You have a carrier of this service and name.",
}


@bp.get("")
@bp.input(accounts.PageQuery, location="query", arg_name="query")
@bp.output(accounts.CarrierList)
@bp.doc(summary="List the carriers that you can use, and those defined below you")
def index(query: accounts.PageQuery) -> Response:
    with transaction() as connection:
        found = carriers.page(connection, auth.actor(), query.cursor, query.limit)
    cursor = found[-1].row.public_id if len(found) == query.limit else None
    return next_link(accounts.CarrierList(data=[views.carrier(view) for view in found], next_cursor=cursor), cursor)


@bp.post("")
@bp.input(accounts.NewCarrier, arg_name="body")
@bp.output(accounts.Carrier, status_code=201)
@bp.doc(summary="Define a carrier")
def create(body: accounts.NewCarrier) -> Response:
    actor = auth.actor().tenant
    stop_if(permissions.check_create_carrier(actor), WORDS)
    with transaction() as connection:
        tenants.hold(connection, actor)
        if carriers.is_defined(connection, actor, body.service, body.name):
            stop_if(RequestCode.NAME_TAKEN, WORDS)
        made = carriers.create(connection, actor, body.service, body.name)
        view = _find(connection, made)
    return created(views.carrier(view), url_for("carriers.show", carrier_id=made))


@bp.get("/<carrier_id>")
@bp.output(accounts.Carrier)
@bp.doc(summary="One carrier")
def show(carrier_id: str) -> Response:
    with transaction() as connection:
        view = _find(connection, carrier_id)
    return shown(views.carrier(view))


@bp.patch("/<carrier_id>")
@bp.input(accounts.CarrierChange, arg_name="body")
@bp.output(accounts.Carrier)
@bp.doc(summary="Rename a carrier")
def change(carrier_id: str, body: accounts.CarrierChange) -> Response:
    with transaction() as connection:
        view = _find_own(connection, carrier_id)
        tenants.hold(connection, view.owner)
        if carriers.is_defined(connection, view.owner, view.row.service, body.name, but=view.row.id):
            stop_if(RequestCode.NAME_TAKEN, WORDS)
        carriers.rename(connection, view.row.id, body.name)
        view = _find(connection, carrier_id)
    return shown(views.carrier(view))


@bp.delete("/<carrier_id>")
@bp.output({}, status_code=204)
@bp.doc(summary="Delete a carrier that no number and no default refers to")
def delete(carrier_id: str) -> Response:
    with transaction() as connection:
        view = _find_own(connection, carrier_id)
        users = carriers.used_by(connection, view.row.id)
        words = {RequestCode.IN_USE: f"It is used by {' and '.join(users)}."}
        stop_if(permissions.check_unused(users), words, in_use_by=users)
        carriers.remove(connection, view.row.id)
    return done()


def _find(connection: sa.Connection, public_id: str) -> CarrierView:
    """A carrier that the caller sees; one elsewhere and one that does not exist are the same 404 (R3)."""
    view = carriers.one(connection, auth.actor(), public_id)
    if view is None:
        raise refuse(RequestCode.NOT_FOUND, WORDS[RequestCode.NOT_FOUND])
    return view


def _find_own(connection: sa.Connection, public_id: str) -> CarrierView:
    """A carrier that the caller may rename and delete."""
    view = _find(connection, public_id)
    stop_if(permissions.check_change_carrier(auth.actor().tenant, view.owner), WORDS)
    return view
