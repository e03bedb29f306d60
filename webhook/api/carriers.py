"""`/v1/carriers`: voice carriers and SMS carrier profiles (R7)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, url_for

from schemas.http import tenants
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.responses import created, done, next_link, shown
from webhook.services import carriers

bp = APIBlueprint("carriers", __name__, url_prefix="/v1/carriers", tag="Accounts")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(tenants.PageQuery, location="query", arg_name="query")
@bp.output(tenants.CarrierList)
@bp.doc(
    operation_id="list_carriers",
    summary="List the carriers available to you, and those that tenants below you have added",
)
@needs(Operation.READ_ACCOUNTS)
def index(query: tenants.PageQuery) -> Response:
    """Oldest first. `is_default`: your numbers get it when no carrier is named."""
    return next_link(carriers.page(query))


@bp.post("")
@bp.input(tenants.NewCarrier, arg_name="body")
@bp.output(tenants.Carrier, status_code=201)
@bp.doc(
    operation_id="create_carrier",
    summary="Add a carrier",
    responses={403: "Enterprises have no carriers of their own", 409: "The name is already in use"},
)
@needs(Operation.CHANGE_ACCOUNTS)
def create(body: tenants.NewCarrier) -> Response:
    """A voice carrier or an SMS carrier profile of your own tenant, which those below it can use."""
    carrier = carriers.create(body)
    return created(carrier, url_for("carriers.show", carrier_id=carrier.id))


@bp.get("/<carrier_id>")
@bp.output(tenants.Carrier)
@bp.doc(operation_id="get_carrier", summary="Get a carrier")
@needs(Operation.READ_ACCOUNTS)
def show(carrier_id: str) -> Response:
    """One that is available to you, or that a tenant below you has added."""
    return shown(carriers.get(carrier_id))


@bp.patch("/<carrier_id>")
@bp.input(tenants.CarrierChange, arg_name="body")
@bp.output(tenants.Carrier)
@bp.doc(
    operation_id="update_carrier",
    summary="Rename a carrier",
    responses={403: "Only the company that it belongs to can do this", 409: "The name is already in use"},
)
@needs(Operation.CHANGE_ACCOUNTS)
def change(carrier_id: str, body: tenants.CarrierChange) -> Response:
    """Numbers keep the carrier under its new name; files have to use the new name."""
    return shown(carriers.change(carrier_id, body))


@bp.delete("/<carrier_id>")
@bp.output({}, status_code=204)
@bp.doc(
    operation_id="delete_carrier",
    summary="Delete a carrier that no number and no default uses",
    responses={403: "Only the company that it belongs to can do this", 409: "It is in use"},
)
@needs(Operation.CHANGE_ACCOUNTS)
def delete(carrier_id: str) -> Response:
    """Only your own."""
    carriers.delete(carrier_id)
    return done()
