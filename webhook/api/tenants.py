"""`/v1/tenants`: tenants below the caller's, their default carriers, Allow External Numbers (R1, R7, R9)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, url_for

from schemas.http import tenants as tenant_bodies
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.responses import created, done, next_link, shown
from webhook.services import tenants

bp = APIBlueprint("tenants", __name__, url_prefix="/v1/tenants", tag="Accounts")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(tenant_bodies.TenantsQuery, location="query", arg_name="query")
@bp.output(tenant_bodies.TenantList)
@bp.doc(operation_id="list_tenants", summary="List your own tenant and those below it")
@needs(Operation.READ_ACCOUNTS)
def index(query: tenant_bodies.TenantsQuery) -> Response:
    """Oldest first; your own is the first of all."""
    return next_link(tenants.page(query))


@bp.post("")
@bp.input(tenant_bodies.NewTenant, arg_name="body")
@bp.output(tenant_bodies.Tenant, status_code=201)
@bp.doc(
    operation_id="create_tenant",
    summary="Add a reseller or an enterprise",
    responses={
        403: "Your company cannot add it there",
        404: "`parent_id` not found",
        409: "The name is already in use",
    },
)
@needs(Operation.CHANGE_ACCOUNTS)
def create(body: tenant_bodies.NewTenant) -> Response:
    """Below your own tenant, unless `parent_id` names another one."""
    tenant = tenants.create(body)
    return created(tenant, url_for("tenants.show", tenant_id=tenant.id))


@bp.get("/<tenant_id>")
@bp.output(tenant_bodies.Tenant)
@bp.doc(operation_id="get_tenant", summary="Get a tenant; `me` is your own")
@needs(Operation.READ_ACCOUNTS)
def show(tenant_id: str) -> Response:
    """With its own default carriers, and those in effect."""
    return shown(tenants.get(tenant_id))


@bp.patch("/<tenant_id>")
@bp.input(tenant_bodies.TenantChange, arg_name="body")
@bp.output(tenant_bodies.Tenant)
@bp.doc(
    operation_id="update_tenant",
    summary="Rename a tenant, set its default carriers, allow external numbers",
    responses={403: "Your company cannot change this", 409: "The name is already in use"},
)
@needs(Operation.CHANGE_ACCOUNTS)
def change(tenant_id: str, body: tenant_bodies.TenantChange) -> Response:
    """Omitted fields are not changed. A default of null is inherited from the parent."""
    return shown(tenants.change(tenant_id, body))


@bp.delete("/<tenant_id>")
@bp.output({}, status_code=204)
@bp.doc(
    operation_id="delete_tenant",
    summary="Delete a tenant that is not in use, with its tokens and admins",
    responses={403: "Only a tenant below your own can be deleted", 409: "It is in use"},
)
@needs(Operation.CHANGE_ACCOUNTS)
def delete(tenant_id: str) -> Response:
    """Refused as long as it has numbers, users, carriers, jobs or tenants below it."""
    tenants.delete(tenant_id)
    return done()
