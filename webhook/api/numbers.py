"""`/v1/numbers`: the inventory as the caller sees it (R3, R5)."""

from __future__ import annotations

import re
from dataclasses import replace

from apiflask import APIBlueprint
from flask import Response

from schemas import api
from schemas.problems import RequestCode
from webhook import auth, views
from webhook.errors import refuse
from webhook.pages import next_link
from worker.infra import number_views, selections
from worker.infra.db import transaction
from worker.infra.number_views import NumberFilter

bp = APIBlueprint("numbers", __name__, url_prefix="/v1/numbers", tag="Numbers")
bp.before_request(auth.require_actor)

_NOT_DIGITS = re.compile(r"\D")


@bp.get("")
@bp.input(api.NumbersQuery, location="query", arg_name="query")
@bp.output(api.NumberList)
@bp.doc(summary="Search the inventory")
def index(query: api.NumbersQuery) -> Response:
    wanted = replace(filter_of(query), after=query.cursor)
    with transaction() as connection:
        found = number_views.page(connection, auth.actor(), wanted, query.limit)
        total = selections.count(connection, auth.actor(), filter_of(query)) if query.count else None
    cursor = str(found[-1].row.e164) if len(found) == query.limit else None
    data = [views.number(auth.actor(), view) for view in found]
    page = api.NumberList(data=data, next_cursor=cursor, total=total)
    return next_link(page, cursor)


@bp.get("/<e164>")
@bp.output(api.Number)
@bp.doc(summary="One number, with its history")
def show(e164: str) -> Response:
    digits = _NOT_DIGITS.sub("", e164)
    with transaction() as connection:
        view = (
            number_views.one(connection, auth.actor(), int(digits)) if 0 < len(digits) <= number_views.LONGEST else None
        )
        if view is None:
            raise refuse(RequestCode.NOT_FOUND, "There is no such number in your inventory.")
        history = number_views.history(connection, auth.actor(), view)
    return next_link(views.number(auth.actor(), view, history), None)


def filter_of(query: api.NumbersFilter) -> NumberFilter:
    """Which numbers, from what a query or a body says."""
    return NumberFilter(**query.model_dump(include=set(api.NumbersFilter.model_fields)))
