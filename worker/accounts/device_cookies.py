"""Browsers in which a person has signed in before, by a cookie of their own (OWASP's "device cookies").

What others try does not slow down sign-ins from these. Only the hash of the cookie's secret is stored. It is another
one after each sign-in: a secret that was planted in a browser is not known afterwards.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from schemas.database.tables import admins
from schemas.database.tables import device_cookies as browsers
from worker.accounts.sessions import hash_of
from worker.database import expired_rows
from worker.queue.job_state import in_seconds

KNOWN_SECONDS = 180 * 24 * 3600  # since the last sign-in
MOST_FAILURES = 20  # wrong passwords, after which a browser is one like any other
MOST_OF_PERSON = 20


def is_valid(connection: sa.Connection, secret: str, email: str) -> bool:
    """Return whether the person with the folded e-mail address has signed in before in this browser."""
    query = sa.select(browsers.c.hash).where(*_of(secret, email), browsers.c.failures < MOST_FAILURES)
    return connection.execute(query).one_or_none() is not None


def count_attempt(connection: sa.Connection, secret: str, email: str) -> bool:
    """Count an attempt and return True, if the browser is known for the address; else return False."""
    counted = browsers.update().where(*_of(secret, email), browsers.c.failures < MOST_FAILURES)
    return connection.execute(counted.values(failures=browsers.c.failures + 1)).rowcount > 0


def remember(connection: sa.Connection, admin_id: int, former: str | None) -> str:
    """Make a browser known to a person who has just signed in; return the secret for its cookie.

    `former`: the secret it has had. Others who have signed in there stay known under the new one.
    """
    secret = secrets.token_urlsafe(32)
    if former is not None:
        of_browser = browsers.c.hash == hash_of(former)
        connection.execute(browsers.delete().where(of_browser, browsers.c.admin_id == admin_id))
        connection.execute(browsers.update().where(of_browser).values(hash=hash_of(secret)))
    connection.execute(browsers.insert().values(hash=hash_of(secret), admin_id=admin_id))
    latest = sa.select(browsers.c.hash).where(browsers.c.admin_id == admin_id)
    latest = latest.order_by(browsers.c.signed_in_at.desc()).limit(MOST_OF_PERSON)
    connection.execute(browsers.delete().where(browsers.c.admin_id == admin_id, browsers.c.hash.not_in(latest)))
    return secret


def forget(connection: sa.Connection, admin_id: int) -> None:
    """Forget all browsers of a person: the password has changed, perhaps because it was known to others."""
    connection.execute(browsers.delete().where(browsers.c.admin_id == admin_id))


def forget_old(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` browsers that were not used for long; return how many."""
    is_old = browsers.c.signed_in_at <= in_seconds(-KNOWN_SECONDS)
    return expired_rows.remove(connection, browsers, is_old, browsers.c.signed_in_at, most)


def _of(secret: str, email: str) -> tuple[sa.ColumnElement[bool], ...]:
    person = sa.select(admins.c.id).where(admins.c.email == email).scalar_subquery()
    return (
        browsers.c.hash == hash_of(secret),
        browsers.c.admin_id == person,
        browsers.c.signed_in_at > in_seconds(-KNOWN_SECONDS),
    )
