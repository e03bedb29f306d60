"""How often one may try to sign in: five times, then after pauses of one to fifteen minutes.

Counted by e-mail address, whether it has an account or not (R3), and before the password is looked at: who tries many
at once has as many tries as who tries them one after another. Times are the database's.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database.tables import sign_in_failures as failures
from worker.queue.job_state import in_seconds

FREE_TRIES = 5
FIRST_PAUSE, LONGEST_PAUSE = 60, 15 * 60  # seconds
FORGOTTEN_AFTER = 24 * 3600  # seconds without a try


def begin(connection: sa.Connection, email: str) -> int:
    """Count a try for the folded e-mail address. 0 if it may be made, else the seconds until the next one may be.

    A try counts as failed until `succeeded` says otherwise.
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
    """How long no try may be made, in whole seconds; 0 if one may."""
    left = sa.func.extract("epoch", failures.c.locked_until - sa.func.now())
    found: Any = connection.execute(sa.select(left).where(failures.c.email_hash == _hash(email))).scalar_one_or_none()
    return max(0, math.ceil(found or 0))


def succeeded(connection: sa.Connection, email: str) -> None:
    """Forget the tries of who knows the password."""
    connection.execute(failures.delete().where(failures.c.email_hash == _hash(email)))


def forget_old(connection: sa.Connection) -> int:
    """Forget tries of long ago; answers of how many e-mail addresses."""
    return connection.execute(failures.delete().where(failures.c.last_at <= in_seconds(-FORGOTTEN_AFTER))).rowcount


def _hash(email: str) -> bytes:
    return hashlib.sha256(email.encode()).digest()
