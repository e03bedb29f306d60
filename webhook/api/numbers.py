"""`/v1/numbers`: the inventory as the caller sees it (R3, R5)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from schemas.http import resources
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.responses import next_link, shown
from webhook.services import numbers

bp = APIBlueprint("numbers", __name__, url_prefix="/v1/numbers", tag="Numbers")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(resources.NumbersQuery, location="query", arg_name="query")
@bp.output(resources.NumberList)
@bp.doc(operation_id="list_numbers", summary="Search the inventory")
@needs(Operation.READ_NUMBERS)
def index(query: resources.NumbersQuery) -> Response:
    """Numbers of your own tenant and of those below it, ascending.

    With `ends_with`, `user_kind` or `updated_since`, a page can be shorter than `limit`; only the last page has no
    `next_cursor`.
    """
    return next_link(numbers.page(query))


@bp.get("/<e164>")
@bp.output(resources.Number)
@bp.doc(operation_id="get_number", summary="Get a number with its history")
@needs(Operation.READ_NUMBERS)
def show(e164: str) -> Response:
    """The history lists the jobs that changed it, as far as you may see them."""
    return shown(numbers.get(e164))
