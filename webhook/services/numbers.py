"""The inventory as the actor sees it (R3, R5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from schemas.http import resources
from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from webhook.http import auth
from webhook.http.errors import refuse
from worker.accounts import users
from worker.database import tenant_scope
from worker.database.engine import snapshot
from worker.database.time_limit import TooLongError, time_limit
from worker.numbers import bounded_search, filters, number_bodies, queries, selections
from worker.numbers.filters import NumberFilter, ResolvedFilter
from worker.numbers.queries import LONGEST, NumberPage
from worker.phone.digits import ascii_digits

# A number with + or 00 and without words, or E.164 digits alone. Any other text may mean several countries.
_INTERNATIONAL = re.compile(r"[^0-9+]*(?:\+|00)([\W\d]*)|([1-9][0-9]*)")
_COUNT_SECONDS = 0.15  # for each count beside a list
_NOT_DIGITS = re.compile(r"[^0-9]")
_UNKNOWN = {"tenant_id": "enterprise or reseller", "uploaded_by": "enterprise or reseller", "user_id": "user"}


def page(query: resources.NumbersQuery) -> resources.NumberList:
    """Return matching numbers, ascending. `total`: the matches on all pages, if the query asks for it."""
    with snapshot() as connection, refusing_broad_searches():
        resolved_filter = resolved(connection, auth.actor(), query)
        found = queries.page(connection, resolved_filter.beyond(query.cursor), query.limit)
        total = _total(connection, resolved_filter, query, found) if query.count else None
    return _list(found, total)


def page_counted_up_to(query: resources.NumbersQuery, most: int) -> resources.NumberList:
    """Return a page with `total`: at most `most + 1`, which stands for any higher count; None if it takes too long."""
    with snapshot() as connection, refusing_broad_searches():
        resolved_filter = filters.resolve(connection, auth.actor(), filter_of(query))
        few, total = _few(connection, resolved_filter, most)
        if few is None:
            found = queries.page(connection, resolved_filter.beyond(query.cursor), query.limit)
        else:
            # The numbers of the page are among them; no second search.
            beyond = [number for number in few if query.cursor is None or number > query.cursor]
            views = queries.these(connection, beyond[: query.limit])
            found = NumberPage(views, views[-1].row.e164 if len(views) == query.limit else None)
    return _list(found, total)


def _few(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> tuple[list[int] | None, int | None]:
    """Return all matching numbers, and their count as above; no numbers if they are more than `most`."""
    if not resolved_filter.is_scanned:
        few = selections.all_up_to(connection, resolved_filter, most)
    else:
        try:
            with time_limit(connection, bounded_search.PAGE_SECONDS):
                few = selections.all_up_to(connection, resolved_filter, most)
        except TooLongError:
            return None, None
    return few, most + 1 if few is None else len(few)


def _list(found: NumberPage, total: int | None) -> resources.NumberList:
    cursor = None if found.examined_to is None else str(found.examined_to)
    data = [number_bodies.number(auth.actor(), view) for view in found.views]
    return resources.NumberList(data=data, next_cursor=cursor, total=total)


def _total(
    connection: sa.Connection, resolved_filter: ResolvedFilter, query: resources.NumbersQuery, found: NumberPage
) -> int:
    if query.cursor is None and found.examined_to is None:
        return len(found.views)  # the first page has all of them
    if not resolved_filter.is_scanned:
        return selections.count(connection, resolved_filter)
    with time_limit(connection, bounded_search.COUNT_SECONDS):
        return selections.count(connection, resolved_filter)


def counts(number_filters: Sequence[resources.NumbersFilter], most: int) -> list[int | None]:
    """Return how many numbers match each filter: at most `most + 1`; None where counting takes too long for a page."""
    with snapshot() as connection:
        return [_quick_count(connection, filter_of(each), most) for each in number_filters]


def _quick_count(connection: sa.Connection, number_filter: NumberFilter, most: int) -> int | None:
    try:
        with time_limit(connection, _COUNT_SECONDS):
            resolved_filter = filters.resolve(connection, auth.actor(), number_filter)
            return selections.count_up_to(connection, resolved_filter, most)
    except TooLongError:
        return None


@contextmanager
def refusing_broad_searches() -> Iterator[None]:
    """Refuse the request with SEARCH_TOO_BROAD if the block's search exceeds its time limit."""
    try:
        yield
    except TooLongError as error:
        raise refuse(RequestCode.SEARCH_TOO_BROAD) from error


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
    return number_bodies.number(auth.actor(), view, history)


def _digits(text: str) -> str:
    """Return the digits of an international number; "" for any other text, which is not interpreted (R14c)."""
    match = _INTERNATIONAL.fullmatch(ascii_digits(text))
    return "" if match is None else _NOT_DIGITS.sub("", match[1] or match[2] or "")


def resolved(connection: sa.Connection, actor: Actor, query: resources.NumbersFilter) -> ResolvedFilter:
    """Return the number filter of a query or a body, resolved for the actor.

    Refuses tenants and users that do not exist, or that the actor does not see: both in the same words (R3).
    """
    is_known: dict[str, Callable[[str], bool]] = {
        "tenant_id": lambda id_: tenant_scope.tenant_below(connection, actor.tenant, id_) is not None,
        "uploaded_by": lambda id_: tenant_scope.is_uploader_seen(connection, actor.tenant, id_),
        "user_id": lambda id_: users.get(connection, actor, id_) is not None,
    }
    for name, check in is_known.items():
        public_id = getattr(query, name)
        if public_id is not None and not check(public_id):
            raise refuse(RequestCode.INVALID_FIELD, f"{name}: {_UNKNOWN[name]} not found.", field=name)
    return filters.resolve(connection, actor, filter_of(query))


def filter_of(query: resources.NumbersFilter) -> NumberFilter:
    """Return the number filter of a query or a body."""
    return NumberFilter(**query.model_dump(include=set(resources.NumbersFilter.model_fields)))
