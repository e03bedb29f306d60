"""The inventory as the actor sees it (R3, R5)."""

from __future__ import annotations

import re
from dataclasses import replace

from schemas import api
from schemas.problems import RequestCode
from webhook import auth, views
from webhook.errors import refuse
from worker.infra import number_views, selections
from worker.infra.db import transaction
from worker.infra.number_views import NumberFilter

_NOT_DIGITS = re.compile(r"\D")


def page(query: api.NumbersQuery) -> api.NumberList:
    """Numbers that match, ascending; `total` only if the query asks for it."""
    wanted = replace(filter_of(query), after=query.cursor)
    with transaction() as connection:
        found = number_views.page(connection, auth.actor(), wanted, query.limit)
        total = selections.count(connection, auth.actor(), filter_of(query)) if query.count else None
    cursor = str(found[-1].row.e164) if len(found) == query.limit else None
    data = [views.number(auth.actor(), view) for view in found]
    return api.NumberList(data=data, next_cursor=cursor, total=total)


def count(query: api.NumbersFilter) -> int:
    """How many numbers match."""
    with transaction() as connection:
        return selections.count(connection, auth.actor(), filter_of(query))


def count_up_to(query: api.NumbersFilter, most: int) -> int:
    """How many numbers match, but no more than `most + 1`, which stands for more than `most`."""
    with transaction() as connection:
        return selections.count_up_to(connection, auth.actor(), filter_of(query), most)


def one(e164: str) -> api.Number:
    """A number, in any form that is international, with its history."""
    digits = _NOT_DIGITS.sub("", e164)
    with transaction() as connection:
        view = (
            number_views.one(connection, auth.actor(), int(digits)) if 0 < len(digits) <= number_views.LONGEST else None
        )
        if view is None:
            raise refuse(RequestCode.NOT_FOUND, "There is no such number in your inventory.")
        history = number_views.history(connection, auth.actor(), view)
    return views.number(auth.actor(), view, history)


def filter_of(query: api.NumbersFilter) -> NumberFilter:
    """Which numbers, from what a query or a body says."""
    return NumberFilter(**query.model_dump(include=set(api.NumbersFilter.model_fields)))
