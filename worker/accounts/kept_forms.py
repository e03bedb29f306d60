"""Forms that arrived after their session had ended, kept until the same admin signs in again in the same browser (R4).

A session's row has its kept form among its flash messages: only that session's admin gets it, no key is needed, and it
is removed with the row, at most a day after the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import sessions
from worker.accounts.sessions import FORM, hash_of

Kept = Mapping[str, Any]


def keep(connection: sa.Connection, secret: str, form: Kept) -> bool:
    """Keep a form, in place of an earlier one, in the row of an ended session; return whether that row still exists."""
    entry = {"kind": FORM, "form": form}
    return connection.execute(sessions.update().where(_is_session(secret)).values(notices=[entry])).rowcount > 0


def hand_over(connection: sa.Connection, secret: str, admin_id: int, session_id: int) -> None:
    """Give the form kept in an ended session to a new session of the same admin. For another admin, do nothing."""
    query = sa.select(sessions.c.notices).where(_is_session(secret), sessions.c.admin_id == admin_id)
    forms = [entry for entry in connection.execute(query).scalar_one_or_none() or () if entry["kind"] == FORM]
    if forms:
        connection.execute(sessions.update().where(sessions.c.id == session_id).values(notices=forms))


def take(connection: sa.Connection, session_id: int, action: str) -> Kept | None:
    """Return the form kept for a session and remove it, if it was sent to `action`; else None."""
    query = sa.select(sessions.c.notices).where(sessions.c.id == session_id).with_for_update()
    entries = connection.execute(query).scalar_one_or_none() or []
    kept = next((entry for entry in entries if entry["kind"] == FORM and entry["form"]["action"] == action), None)
    if kept is None:
        return None
    others = [entry for entry in entries if entry is not kept]
    connection.execute(sessions.update().where(sessions.c.id == session_id).values(notices=others or None))
    form: Kept = kept["form"]
    return form


def _is_session(secret: str) -> sa.ColumnElement[bool]:
    return sessions.c.hash == hash_of(secret)
