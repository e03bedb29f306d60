"""Throttle of login attempts: five free attempts, then pauses of one to fifteen minutes.

Attempts are counted by e-mail address, whether it has an account or not (R3), and before the password is verified:
parallel attempts get no more tries than sequential ones. All times are those of the database.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database.tables import sign_in_failures as failures
from worker.database import expired_rows
from worker.queue.job_state import in_seconds

FREE_TRIES = 5
FIRST_PAUSE, LONGEST_PAUSE = 60, 15 * 60  # seconds
FORGOTTEN_AFTER = 24 * 3600  # seconds without an attempt


def begin(connection: sa.Connection, email: str) -> int:
    """Count an attempt for the folded e-mail address. Return 0 if it is allowed, else the seconds to wait.

    An attempt counts as failed until `succeeded` is called.
    """
    key = _hash(email)
    recent = failures.c.last_at > in_seconds(-FORGOTTEN_AFTER)
    count = sa.case((recent, failures.c.count + 1), else_=1)
    over = count - FREE_TRIES
    doubled = sa.func.least(FIRST_PAUSE * sa.func.power(2, sa.func.least(over, 10)), LONGEST_PAUSE)
    pause = sa.case((over >= 0, sa.func.now() + doubled * sa.text("interval '1 second'")))
    tried = (
        insert(failures)
        .values(email_hash=key, count=1, last_at=sa.func.now())
        .on_conflict_do_update(
            index_elements=["email_hash"],
            set_={"count": count, "last_at": sa.func.now(), "locked_until": pause},
            where=sa.func.coalesce(failures.c.locked_until <= sa.func.now(), sa.true()),
        )
        .returning(failures.c.count)
    )
    if connection.execute(tried).one_or_none() is not None:
        return 0
    return seconds_left(connection, email)


def seconds_left(connection: sa.Connection, email: str) -> int:
    """Return the whole seconds until the next allowed attempt; 0 if it is allowed now."""
    left = sa.func.extract("epoch", failures.c.locked_until - sa.func.now())
    seconds: Any = connection.execute(sa.select(left).where(failures.c.email_hash == _hash(email))).scalar_one_or_none()
    return max(0, math.ceil(seconds or 0))


def succeeded(connection: sa.Connection, email: str) -> None:
    """Reset the throttle after a successful login."""
    connection.execute(failures.delete().where(failures.c.email_hash == _hash(email)))


def forget_old(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` old counters; return how many."""
    is_old = failures.c.last_at <= in_seconds(-FORGOTTEN_AFTER)
    return expired_rows.remove(connection, failures, is_old, failures.c.last_at, most)


def _hash(email: str) -> bytes:
    return hashlib.sha256(email.encode()).digest()
