"""Pasted lists of numbers: read, stored for the session, and shown page by page (R3, R14c)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.codes import Code
from schemas.http import resources
from schemas.request_problems import RequestCode
from webhook.http import auth
from webhook.http.errors import refuse
from worker.accounts import pasted_lists
from worker.accounts.pasted_lists import MOST_NUMBERS, Failure, PastedList
from worker.database.engine import snapshot, transaction
from worker.numbers import number_bodies, pasted_text, queries, tree_countries
from worker.numbers.pasted_text import Reading

__all__ = ["GONE", "MOST_NUMBERS", "ListPage", "create", "get", "page"]

GONE = "This list isn't available any more."


@dataclass(frozen=True)
class ListPage:
    """A page of a list's numbers, and the list."""

    data: Sequence[resources.Number]
    next_cursor: str | None
    whole: PastedList


def create(session_id: int, text: str, country_code: str | None, add_to: str | None = None) -> str:
    """Read a text and store what it says; return the list's public id.

    `add_to`: a list of the session whose numbers are kept, too. Refuses texts without a number and with too many.
    """
    texts = list(dict.fromkeys(pasted_text.split(text)))
    if not texts:
        raise refuse(RequestCode.INVALID_FIELD, "There is no number in this text.", field="text", fix="")
    actor = auth.actor()
    with transaction() as connection:
        kept = () if add_to is None else _find(session_id, add_to).numbers
        if len(texts) + len(kept) > MOST_NUMBERS:
            detail = f"You pasted {len(texts):,} numbers; the limit is {MOST_NUMBERS:,}."
            raise refuse(RequestCode.INVALID_FIELD, detail, field="text", fix="Paste fewer, or upload them as a file.")
        codes = tree_countries.calling_codes_in_tree(connection, actor.tenant)
    readings = pasted_text.read(texts, codes, country_code)
    with transaction() as connection:
        named = [reading.e164 for reading in readings if reading.e164]
        visible = queries.visible(connection, actor, [*named, *map(int, kept)])
        failures = [_failure(reading, visible) for reading in readings if reading.e164 not in visible]
        return pasted_lists.create(connection, session_id, sorted(visible), failures)


def _failure(reading: Reading, visible: set[int]) -> Failure:
    failed = pasted_text.missing(reading.text) if reading.e164 and reading.e164 not in visible else reading
    is_ambiguous = failed.code is Code.AMBIGUOUS_NUMBER
    return Failure(failed.text, is_ambiguous=is_ambiguous, message=failed.message, fix=failed.fix)


def get(session_id: int, list_id: str) -> PastedList:
    """Return a list of this session. Lists of others, and ended ones, are 404."""
    return _find(session_id, list_id)


def page(session_id: int, list_id: str, cursor: int, limit: int) -> ListPage:
    """Return the numbers after `cursor` that the actor still sees, at most `limit`."""
    whole = _find(session_id, list_id)
    beyond = [number for number in whole.numbers if number > cursor]
    some = beyond[:limit]
    with snapshot() as connection:
        visible = queries.visible(connection, auth.actor(), some)
        views = queries.these(connection, sorted(visible))
    following = str(some[-1]) if len(beyond) > limit else None
    return ListPage([number_bodies.number(auth.actor(), view) for view in views], following, whole)


def _find(session_id: int, list_id: str) -> PastedList:
    with transaction() as connection:
        found = pasted_lists.get(connection, session_id, list_id)
    if found is None:
        raise refuse(RequestCode.NOT_FOUND, GONE, fix="Paste the numbers again.")
    return found
