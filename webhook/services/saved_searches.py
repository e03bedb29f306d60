"""A person's saved searches of Phone Numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.http.resources import NumbersFilter
from schemas.http.saved_searches import SearchName
from schemas.request_problems import RequestCode
from webhook.http.errors import Refused, refuse
from webhook.http.request_bodies import validated
from worker.accounts import saved_searches
from worker.database.engine import transaction

_TAKEN = "You have a saved search with this name."
_OUTDATED = "This version of Numberyard doesn't have one of its filters any more."


@dataclass(frozen=True)
class Search:
    """A saved search. `problem`: why its filter can't be used any more; "" if it can."""

    id: str
    name: str
    filter: Mapping[str, str]
    problem: str


def every(admin_id: int) -> list[Search]:
    """Return all saved searches of a person, by name."""
    with transaction() as connection:
        stored = saved_searches.of_admin(connection, admin_id)
    return [_search(each) for each in stored]


def get(admin_id: int, search_id: str) -> Search:
    """Return a saved search of this person; those of others are 404."""
    with transaction() as connection:
        stored = saved_searches.get(connection, admin_id, search_id)
    if stored is None:
        raise refuse(RequestCode.NOT_FOUND, "Saved search not found.")
    return _search(stored)


def create(admin_id: int, body: SearchName, number_filter: Mapping[str, str]) -> None:
    """Save a filter under a name. Refuses invalid and empty filters, a taken name, and more than the limit."""
    if not number_filter:
        raise refuse(RequestCode.INVALID_FIELD, "There is no filter to save.", fix="Set a filter first.")
    validated(NumbersFilter, dict(number_filter))
    try:
        with transaction() as connection:
            is_new = saved_searches.add(connection, admin_id, body.name, number_filter)
    except saved_searches.TooManyError as error:
        detail = f"You have {saved_searches.MOST} saved searches, which is the limit."
        raise refuse(RequestCode.INVALID_FIELD, detail, fix="Delete one of them first.") from error
    if not is_new:
        raise refuse(RequestCode.NAME_TAKEN, _TAKEN, field="name")


def rename(admin_id: int, search_id: str, body: SearchName) -> None:
    """Rename a saved search."""
    with transaction() as connection:
        if not saved_searches.rename(connection, admin_id, search_id, body.name):
            raise refuse(RequestCode.NAME_TAKEN, _TAKEN, field="name")


def delete(admin_id: int, search_id: str) -> None:
    """Delete a saved search."""
    with transaction() as connection:
        saved_searches.remove(connection, admin_id, search_id)


def _search(stored: saved_searches.SavedSearch) -> Search:
    try:
        validated(NumbersFilter, dict(stored.filter))
    except Refused:
        return Search(stored.public_id, stored.name, stored.filter, _OUTDATED)
    return Search(stored.public_id, stored.name, stored.filter, "")
