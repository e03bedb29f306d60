"""`/v1/tokens`: API tokens (R4, R35). Only the response that creates a token contains its secret."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, url_for

from schemas.http import tenants
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.responses import created, done, next_link, secret, shown
from webhook.services import tokens

bp = APIBlueprint("tokens", __name__, url_prefix="/v1/tokens", tag="Accounts")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(tenants.PageQuery, location="query", arg_name="query")
@bp.output(tenants.TokenList)
@bp.doc(operation_id="list_tokens", summary="List the tokens of your own tenant and those below it")
@needs(Operation.READ_TOKENS)
def index(query: tenants.PageQuery) -> Response:
    """Oldest first, with those that are revoked or expired; never with their secrets."""
    return next_link(tokens.page(query))


@bp.post("")
@bp.input(tenants.NewToken, arg_name="body")
@bp.output(tenants.IssuedToken, status_code=201)
@bp.doc(
    operation_id="create_token",
    summary="Create a token; its secret is shown only once",
    responses={404: "`tenant_id` not found"},
)
@needs(Operation.CHANGE_TOKENS)
def create(body: tenants.NewToken) -> Response:
    """For your own tenant, unless `tenant_id` names one below it. The token acts for that tenant.

    It never exceeds who creates it: not in role, scopes, networks or expiry. A token that is created with another one
    is revoked with it.
    """
    issued = tokens.create(body)
    return secret(created(issued, url_for("tokens.show", token_id=issued.id)))


@bp.get("/<token_id>")
@bp.output(tenants.Token)
@bp.doc(operation_id="get_token", summary="Get a token, without its secret")
@needs(Operation.READ_TOKENS)
def show(token_id: str) -> Response:
    """The secret cannot be retrieved."""
    return shown(tokens.get(token_id))


@bp.delete("/<token_id>")
@bp.output({}, status_code=204)
@bp.doc(operation_id="revoke_token", summary="Revoke a token; it stays in the list")
@needs(Operation.CHANGE_TOKENS)
def delete(token_id: str) -> Response:
    """It stops working at once, and so do the tokens that were created with it, and those created with these."""
    tokens.delete(token_id)
    return done()
