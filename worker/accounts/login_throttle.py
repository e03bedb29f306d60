"""Throttle of sign-ins: guessing is slow, and strangers cannot keep the owner of an account out (R4).

As in OWASP's "device cookies": what others try does not affect a browser in which the person has signed in before
(`worker.accounts.device_cookies`). Attempts from all other browsers are counted, whether the e-mail address has an
account or not (R3), and before the password is verified: parallel attempts get no more tries than sequential ones.

- By network: 50 attempts are free, then each is followed by a pause of 1 to 30 seconds.
- By e-mail address and network: 5 are free, then pauses of 1 to 15 minutes.
- By e-mail address: after 20 attempts, a network that has not tried this address yet waits first, 5 to 20 seconds.

So the owner signs in from a new browser within 30 seconds, however many try from other networks. A count begins again
after a day without an attempt. All times are those of the database.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database.tables import sign_in_attempts as attempts
from schemas.database.tables import sign_in_failures as former
from worker.accounts import device_cookies
from worker.database import expired_rows
from worker.queue.job_state import in_seconds

FORGOTTEN_AFTER = 24 * 3600  # seconds without an attempt
IPV6_NETWORK = 64  # bits: what one customer of a provider has
MOST_FREE_OF_ADDRESS = 20
LONGEST_FIRST_WAIT = 20  # seconds
_EVERY = b""  # instead of a hash: of every address, or of every network


@dataclass(frozen=True)
class Pauses:
    """How many attempts are free, and the seconds of the first and the longest pause; in between they double."""

    free: int
    first: int
    longest: int


OF_NETWORK = Pauses(50, 1, 30)
OF_ADDRESS_AND_NETWORK = Pauses(5, 60, 15 * 60)


class Reason(Enum):
    """Whose attempts make one wait."""

    NETWORK = auto()
    ADDRESS = auto()


@dataclass(frozen=True)
class Attempt:
    """An attempt at signing in. `wait`: seconds to wait instead of it, for this reason; 0 if it is allowed.

    `wait_after`: seconds to wait if it fails.
    """

    wait: int = 0
    reason: Reason = Reason.ADDRESS
    wait_after: int = 0


def begin(connection: sa.Connection, email: str, source: str, browser: str | None) -> Attempt:
    """Count an attempt for the folded e-mail address, from the network address `source`.

    It counts as failed until `succeeded` is called. `browser`: the secret of the browser's cookie, if it has one.
    """
    if browser is not None and device_cookies.count_attempt(connection, browser, email):
        return Attempt()
    address, network = _hash(email), _hash(network_of(source))
    of_network = _count(connection, _EVERY, network, OF_NETWORK)
    if of_network.wait:
        return Attempt(of_network.wait, Reason.NETWORK)
    first_wait = _first_wait(connection, address, network)
    if first_wait:
        return Attempt(first_wait)
    attempt = _count(connection, address, network, OF_ADDRESS_AND_NETWORK)
    if not attempt.wait:
        _count(connection, address, _EVERY, None)
    return attempt


def begin_signed_in(connection: sa.Connection, email: str, session_id: int) -> Attempt:
    """Count an attempt of a signed-in person to confirm the password: by session, so others cannot use them up."""
    return _count(connection, _hash(email), _hash(f"session/{session_id}"), OF_ADDRESS_AND_NETWORK)


def succeeded(connection: sa.Connection, email: str, source: str) -> None:
    """Forget the attempts for an address from the network where one has succeeded; this one was no guess."""
    address, network = _hash(email), _hash(network_of(source))
    of_both = attempts.delete().where(attempts.c.email_hash == address, attempts.c.source_hash == network)
    own: int = connection.execute(of_both.returning(attempts.c.count)).scalar_one_or_none() or 0
    _lower(connection, address, _EVERY, own)
    _lower(connection, _EVERY, network, 1 if own else 0)


def succeeded_signed_in(connection: sa.Connection, email: str, session_id: int) -> None:
    """Forget the attempts of a session."""
    _forget(connection, attempts.c.email_hash == _hash(email), attempts.c.source_hash == _hash(f"session/{session_id}"))


def forgive(connection: sa.Connection, email: str) -> None:
    """Forget all attempts for an address: its account has a new password."""
    _forget(connection, attempts.c.email_hash == _hash(email))


def forget_old(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` old counts; return how many."""
    removed = 0
    for table in (attempts, former):
        is_old = table.c.last_at <= in_seconds(-FORGOTTEN_AFTER)
        removed += expired_rows.remove(connection, table, is_old, table.c.last_at, most - removed)
    return removed


def network_of(source: str) -> str:
    """Return the network that an address counts for: all of IPv4, the first 64 bits of IPv6."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, IPV6_NETWORK), strict=False))
    return str(address)


def _count(connection: sa.Connection, address: bytes, network: bytes, pauses: Pauses | None) -> Attempt:
    """Count an attempt, unless there is a pause. `pauses` None: there never is one."""
    is_recent = attempts.c.last_at > in_seconds(-FORGOTTEN_AFTER)
    count = sa.case((is_recent, attempts.c.count + 1), else_=1)
    values: dict[str, Any] = {"count": count, "last_at": sa.func.now(), "allowed_at": None}
    if pauses is not None:
        over = count - pauses.free
        doubled = sa.func.least(pauses.first * sa.func.power(2, sa.func.least(over, 10)), pauses.longest)
        values["allowed_at"] = sa.case((over >= 0, sa.func.now() + doubled * sa.text("interval '1 second'")))
    counted = (
        insert(attempts)
        .values(email_hash=address, source_hash=network, count=1)
        .on_conflict_do_update(
            index_elements=["email_hash", "source_hash"],
            set_=values,
            where=sa.func.coalesce(attempts.c.allowed_at <= sa.func.now(), sa.true()),
        )
        .returning(sa.func.extract("epoch", attempts.c.allowed_at - sa.func.now()))
    )
    row = connection.execute(counted).one_or_none()
    if row is not None:
        return Attempt(wait_after=_whole(row[0]))
    left = sa.func.extract("epoch", attempts.c.allowed_at - sa.func.now())
    of_both = (attempts.c.email_hash == address, attempts.c.source_hash == network)
    return Attempt(wait=max(_whole(connection.execute(sa.select(left).where(*of_both)).scalar_one_or_none()), 1))


_FIRST_WAIT = sa.text(f"""
    INSERT INTO sign_in_attempts (email_hash, source_hash, count, allowed_at)
    SELECT email_hash, :network, 0, now() + make_interval(secs => least(count / 4, {LONGEST_FIRST_WAIT}))
    FROM sign_in_attempts
    WHERE email_hash = :address AND source_hash = :every AND count >= {MOST_FREE_OF_ADDRESS}
        AND last_at > now() - make_interval(secs => {FORGOTTEN_AFTER})
    ON CONFLICT (email_hash, source_hash) DO NOTHING
    RETURNING extract(epoch FROM allowed_at - now())""")  # noqa: S608 - ours


def _first_wait(connection: sa.Connection, address: bytes, network: bytes) -> int:
    """Return the seconds that a network waits which tries an address for the first time; it may try then."""
    values = {"address": address, "network": network, "every": _EVERY}
    return _whole(connection.execute(_FIRST_WAIT, values).scalar_one_or_none())


def _lower(connection: sa.Connection, address: bytes, network: bytes, by: int) -> None:
    of_both = (attempts.c.email_hash == address, attempts.c.source_hash == network)
    values = {"count": sa.func.greatest(attempts.c.count - by, 0), "allowed_at": None}
    connection.execute(attempts.update().where(*of_both).values(values))


def _forget(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> None:
    connection.execute(attempts.delete().where(*conditions))


def _whole(seconds: Any) -> int:  # noqa: ANN401 - a number, or None
    return max(0, math.ceil(seconds or 0))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
