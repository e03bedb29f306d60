"""Browser sessions, identified by a random secret in a cookie; only its hash is stored.

A session ends when it was idle for too long, when it is too old, or when its admin signs out, changes the password or
is removed. All times are those of the database.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import admins, sessions, tenants
from schemas.permissions import Tenant
from schemas.quotas import Quota
from schemas.roles import Role
from worker.config.settings import get_settings
from worker.database import quotas, tenant_scope
from worker.queue.job_state import in_seconds

_SEEN_EVERY = 60  # seconds: the last use of a session is written once a minute, not with every page
_TOLD = 24 * 3600  # seconds for which an expired session is kept, so that the reason can be shown
MOST_NOTICES = 10
FORM = "form"  # the kind of an entry that is no flash message but a kept form (`worker.accounts.kept_forms`)

Notice = Mapping[str, Any]


class Over(StrEnum):
    """Why a session is not valid any more."""

    IDLE = "idle"
    AGE = "age"
    ENDED = "ended"


@dataclass(frozen=True)
class Begun:
    """A new session: its internal id, and the secret, which cannot be retrieved later."""

    id: int
    secret: str


@dataclass(frozen=True)
class Session:
    """A valid session, with its admin, the tenant that the admin acts for (R1) and its role (R35)."""

    id: int
    admin_id: int
    email: str
    tenant: Tenant
    role: Role
    must_change_password: bool
    has_notices: bool
    request_limit: int  # requests that the person may send per minute (R37); 0 for no limit


def begin(connection: sa.Connection, admin_id: int) -> Begun:
    """Create a session for an admin; the secret is for the browser's cookie."""
    secret = secrets.token_urlsafe(32)
    until = in_seconds(get_settings().session_hours * 3600)
    insertion = sessions.insert().values(hash=hash_of(secret), admin_id=admin_id, expires_at=until)
    session_id: int = connection.execute(insertion.returning(sessions.c.id)).scalar_one()
    connection.execute(admins.update().where(admins.c.id == admin_id).values(signed_in_at=sa.func.now()))
    return Begun(session_id, secret)


def find(connection: sa.Connection, secret: str) -> Session | Over:
    """Return the session of a cookie and record its use; if it is not valid, return the reason."""
    is_idle = sessions.c.last_seen_at <= in_seconds(-get_settings().session_idle_minutes * 60)
    must_change = admins.c.one_time_until.is_not(None).label("must_change_password")
    shown = (sessions.c.id.label("session_id"), sessions.c.admin_id, admins.c.email, admins.c.role, must_change)
    query = (
        tenant_scope.select_tenants()
        .add_columns(
            *shown,
            sessions.c.notices.is_not(None).label("has_notices"),
            is_idle.label("is_idle"),
            (sessions.c.expires_at <= sa.func.now()).label("is_old"),
            (sessions.c.last_seen_at <= in_seconds(-_SEEN_EVERY)).label("is_due"),
            quotas.own_limit(Quota.REQUESTS).label("request_limit"),
        )
        .join(admins, admins.c.tenant_id == tenants.c.id)
        .join(sessions, sessions.c.admin_id == admins.c.id)
        .where(sessions.c.hash == hash_of(secret))
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return Over.ENDED
    if row.is_old or row.is_idle:
        return Over.AGE if row.is_old else Over.IDLE
    if row.is_due:
        connection.execute(sessions.update().where(sessions.c.id == row.session_id).values(last_seen_at=sa.func.now()))
    tenant = tenant_scope.tenant_of(row)
    role, must_change_password = Role(row.role), row.must_change_password
    limit = quotas.limit_of(Quota.REQUESTS, row.request_limit)
    return Session(row.session_id, row.admin_id, row.email, tenant, role, must_change_password, row.has_notices, limit)


def end(connection: sa.Connection, secret: str) -> None:
    """Delete one session."""
    connection.execute(sessions.delete().where(sessions.c.hash == hash_of(secret)))


def end_all(connection: sa.Connection, admin_id: int) -> int:
    """Delete all sessions of an admin; return how many."""
    return connection.execute(sessions.delete().where(sessions.c.admin_id == admin_id)).rowcount


def count(connection: sa.Connection, admin_id: int) -> int:
    """Return how many valid sessions an admin has."""
    counted = (
        sa.select(sa.func.count())
        .select_from(sessions)
        .where(
            sessions.c.admin_id == admin_id,
            sessions.c.expires_at > sa.func.now(),
            sessions.c.last_seen_at > in_seconds(-get_settings().session_idle_minutes * 60),
        )
    )
    return int(connection.execute(counted).scalar_one())


def add_notice(connection: sa.Connection, session_id: int, notice: Notice) -> None:
    """Store a flash message for the session's next page; only the last `MOST_NOTICES` are kept."""
    messages, forms = _entries(connection, session_id)
    _store(connection, session_id, [*forms, *[*messages, notice][-MOST_NOTICES:]])


def take(connection: sa.Connection, session_id: int) -> Sequence[Notice]:
    """Return the stored flash messages and clear them."""
    messages, forms = _entries(connection, session_id)
    if messages:
        _store(connection, session_id, forms)
    return messages


def _entries(connection: sa.Connection, session_id: int) -> tuple[list[Notice], list[Notice]]:
    """Return the flash messages and the kept forms of a session, and lock its row."""
    query = sa.select(sessions.c.notices).where(sessions.c.id == session_id).with_for_update()
    entries: Sequence[Notice] = connection.execute(query).scalar_one_or_none() or ()
    forms = [entry for entry in entries if entry["kind"] == FORM]
    return [entry for entry in entries if entry["kind"] != FORM], forms


def _store(connection: sa.Connection, session_id: int, entries: Sequence[Notice]) -> None:
    connection.execute(sessions.update().where(sessions.c.id == session_id).values(notices=list(entries) or None))


def forget_ended(connection: sa.Connection) -> int:
    """Delete the sessions that expired more than a day ago; return how many."""
    idle = get_settings().session_idle_minutes * 60
    ended = (sessions.c.expires_at <= in_seconds(-_TOLD)) | (sessions.c.last_seen_at <= in_seconds(-_TOLD - idle))
    return connection.execute(sessions.delete().where(ended)).rowcount


def hash_of(secret: str) -> bytes:
    """Return what is stored of a session's secret."""
    return hashlib.sha256(secret.encode()).digest()
