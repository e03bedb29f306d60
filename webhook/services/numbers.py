"""The inventory as the actor sees it (R3, R5)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa

from schemas.http import resources
from schemas.request_problems import RequestCode
from webhook.http import auth, serializers
from webhook.http.errors import refuse
from worker.database.engine import snapshot
from worker.numbers import filters, queries, selections
from worker.numbers.filters import NumberFilter, ResolvedFilter
from worker.numbers.queries import LONGEST, NumberView
from worker.phone.digits import ascii_digits

# A number with + or 00 and without words, or E.164 digits alone. Any other text may mean several countries.
_INTERNATIONAL = re.compile(r"[^0-9+]*(?:\+|00)([\W\d]*)|([1-9][0-9]*)")
_NOT_DIGITS = re.compile(r"[^0-9]")


def page(query: resources.NumbersQuery) -> resources.NumberList:
    """Return matching numbers, ascending. `total`: the matches on all pages, if the query asks for it."""
    with snapshot() as connection:
        resolved_filter = filters.resolve(connection, auth.actor(), filter_of(query))
        views = queries.page(connection, resolved_filter.beyond(query.cursor), query.limit)
        total = _total(connection, resolved_filter, query, views) if query.count else None
    return _list(query, views, total)


def page_counted_up_to(query: resources.NumbersQuery, most: int) -> resources.NumberList:
    """Return a page with `total` always set: at most `most + 1`, which stands for any higher count."""
    with snapshot() as connection:
        resolved_filter = filters.resolve(connection, auth.actor(), filter_of(query))
        few = selections.all_up_to(connection, resolved_filter, most)
        if few is None:
            views = queries.page(connection, resolved_filter.beyond(query.cursor), query.limit)
        else:
            # The numbers of the page are among them; no second search.
            beyond = [number for number in few if query.cursor is None or number > query.cursor]
            views = queries.these(connection, beyond[: query.limit])
    return _list(query, views, most + 1 if few is None else len(few))


def _list(query: resources.NumbersQuery, views: Sequence[NumberView], total: int | None) -> resources.NumberList:
    cursor = str(views[-1].row.e164) if len(views) == query.limit else None
    data = [serializers.number(auth.actor(), view) for view in views]
    return resources.NumberList(data=data, next_cursor=cursor, total=total)


def _total(
    connection: sa.Connection,
    resolved_filter: ResolvedFilter,
    query: resources.NumbersQuery,
    views: Sequence[NumberView],
) -> int:
    if query.cursor is None and len(views) < query.limit:
        return len(views)  # a first page that is not full has all of them
    return selections.count(connection, resolved_filter)


def get(e164: str) -> resources.Number:
    """Return a number, given in any international form, with its history."""
    digits = _digits(e164)
    if not digits:
        fix = "Enter the number with + and its country code."
        raise refuse(RequestCode.NOT_FOUND, "This number isn't in your inventory.", fix=fix)
    with snapshot() as connection:
        view = queries.get(connection, auth.actor(), int(digits)) if len(digits) <= LONGEST else None
        if view is None:
            raise refuse(RequestCode.NOT_FOUND, "This number isn't in your inventory.")
        history = queries.history(connection, auth.actor(), view)
    return serializers.number(auth.actor(), view, history)


def _digits(text: str) -> str:
    """Return the digits of an international number; "" for any other text, which is not interpreted (R14c)."""
    match = _INTERNATIONAL.fullmatch(ascii_digits(text))
    return "" if match is None else _NOT_DIGITS.sub("", match[1] or match[2] or "")


def filter_of(query: resources.NumbersFilter) -> NumberFilter:
    """Return the number filter of a query or a body."""
    return NumberFilter(**query.model_dump(include=set(resources.NumbersFilter.model_fields)))
