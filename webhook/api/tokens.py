"""`/v1/tokens`: who gets in (R4). A token's secret is shown by the answer that makes it, and never again."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, url_for

from schemas import accounts
from webhook import auth
from webhook.answers import created, done, shown
from webhook.operations import tokens
from webhook.pages import next_link

bp = APIBlueprint("tokens", __name__, url_prefix="/v1/tokens", tag="Accounts")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(accounts.PageQuery, location="query", arg_name="query")
@bp.output(accounts.TokenList)
@bp.doc(summary="List the tokens of your own tenant and those below it")
def index(query: accounts.PageQuery) -> Response:
    return next_link(tokens.page(query))


@bp.post("")
@bp.input(accounts.NewToken, arg_name="body")
@bp.output(accounts.IssuedToken, status_code=201)
@bp.doc(summary="Make a token; its secret is shown this once")
def create(body: accounts.NewToken) -> Response:
    issued = tokens.create(body)
    response = created(issued, url_for("tokens.show", token_id=issued.id))
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/<token_id>")
@bp.output(accounts.Token)
@bp.doc(summary="One token, without its secret")
def show(token_id: str) -> Response:
    return shown(tokens.one(token_id))


@bp.delete("/<token_id>")
@bp.output({}, status_code=204)
@bp.doc(summary="Revoke a token; it stays in the list")
def delete(token_id: str) -> Response:
    tokens.delete(token_id)
    return done()
