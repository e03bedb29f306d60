"""`/v1/numbers`: the inventory as the caller sees it (R3, R5)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from schemas import api
from webhook import auth
from webhook.answers import shown
from webhook.operations import numbers
from webhook.pages import next_link

bp = APIBlueprint("numbers", __name__, url_prefix="/v1/numbers", tag="Numbers")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(api.NumbersQuery, location="query", arg_name="query")
@bp.output(api.NumberList)
@bp.doc(summary="Search the inventory")
def index(query: api.NumbersQuery) -> Response:
    return next_link(numbers.page(query))


@bp.get("/<e164>")
@bp.output(api.Number)
@bp.doc(summary="One number, with its history")
def show(e164: str) -> Response:
    return shown(numbers.one(e164))
