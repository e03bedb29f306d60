"""`/v1/tokens`: who gets in (R4). A token's secret is shown by the answer that makes it, and never again."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import Response, url_for

from schemas import accounts
from schemas.problems import RequestCode
from webhook import auth, views
from webhook.answers import created, done, shown
from webhook.api import tenants as tenant_doors
from webhook.errors import refuse
from webhook.pages import next_link
from worker.infra import tenants, tokens
from worker.infra.db import transaction

bp = APIBlueprint("tokens", __name__, url_prefix="/v1/tokens", tag="Accounts")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(accounts.PageQuery, location="query", arg_name="query")
@bp.output(accounts.TokenList)
@bp.doc(summary="List the tokens of your own tenant and those below it")
def index(query: accounts.PageQuery) -> Response:
    with transaction() as connection:
        found = tokens.page(connection, auth.actor(), query.cursor, query.limit)
    cursor = found[-1].public_id if len(found) == query.limit else None
    return next_link(accounts.TokenList(data=[views.token(row) for row in found], next_cursor=cursor), cursor)


@bp.post("")
@bp.input(accounts.NewToken, arg_name="body")
@bp.output(accounts.IssuedToken, status_code=201)
@bp.doc(summary="Make a token; its secret is shown this once")
def create(body: accounts.NewToken) -> Response:
    with transaction() as connection:
        owner = tenant_doors.find(connection, body.tenant_id or tenant_doors.ME)
        tenants.hold(connection, owner)
        issued = tokens.create(connection, owner.id, body.name, body.expires_at)
        row = _find(connection, issued.public_id)
    answer = accounts.IssuedToken(**views.token(row).model_dump(), token=issued.secret)
    response = created(answer, url_for("tokens.show", token_id=issued.public_id))
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/<token_id>")
@bp.output(accounts.Token)
@bp.doc(summary="One token, without its secret")
def show(token_id: str) -> Response:
    with transaction() as connection:
        row = _find(connection, token_id)
    return shown(views.token(row))


@bp.delete("/<token_id>")
@bp.output({}, status_code=204)
@bp.doc(summary="Revoke a token; it stays in the list")
def delete(token_id: str) -> Response:
    with transaction() as connection:
        tokens.revoke(connection, _find(connection, token_id).id)
    return done()


def _find(connection: sa.Connection, public_id: str) -> sa.Row[Any]:
    """A token that the caller sees; one elsewhere and one that does not exist are the same 404 (R3)."""
    row = tokens.one(connection, auth.actor(), public_id)
    if row is None:
        raise refuse(RequestCode.NOT_FOUND, "There is no such token.")
    return row
