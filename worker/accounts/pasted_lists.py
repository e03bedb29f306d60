"""Pasted lists of numbers in the database: kept for a browser session, the last few of each, and deleted with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from schemas.database.tables import pasted_lists
from worker.database import tenant_scope

MOST_NUMBERS = 10_000  # in a list, found or not
MOST_LISTS = 10  # of a session; an older one is deleted


@dataclass(frozen=True)
class Failure:
    """A text that is no number of the inventory, with the reason. `is_ambiguous`: a country would help."""

    text: str
    is_ambiguous: bool
    message: str
    fix: str


@dataclass(frozen=True)
class PastedList:
    """A list: the numbers that were found (E.164 without the plus, ascending), and what was not found, in order."""

    public_id: str
    numbers: Sequence[int]
    failures: Sequence[Failure]


def create(connection: sa.Connection, session_id: int, numbers: Sequence[int], failures: Sequence[Failure]) -> str:
    """Store a list; return its public id."""
    values = {
        "session_id": session_id,
        "numbers": list(numbers),
        "failures": [asdict(failure) for failure in failures],
    }
    public_id: str = connection.execute(
        pasted_lists.insert().values(values).returning(pasted_lists.c.public_id)
    ).scalar_one()
    of_session = pasted_lists.c.session_id == session_id
    newest = sa.select(pasted_lists.c.id).where(of_session).order_by(pasted_lists.c.id.desc()).limit(MOST_LISTS)
    connection.execute(pasted_lists.delete().where(of_session, pasted_lists.c.id.not_in(newest)))
    return public_id


def get(connection: sa.Connection, session_id: int, public_id: str) -> PastedList | None:
    """Return a list of a session; None for other sessions' as for one that does not exist."""
    query = sa.select(pasted_lists).where(
        pasted_lists.c.session_id == session_id, tenant_scope.has_public_id(pasted_lists, public_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return PastedList(row.public_id, row.numbers, [Failure(**failure) for failure in row.failures])
