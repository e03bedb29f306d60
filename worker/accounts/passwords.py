"""Passwords: hashed with argon2id (RFC 9106), compared, and made up. Touches no database.

A hash takes 64 MiB and a tenth of a second of a processor, so a process makes two at a time and the others wait.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_A_TIME = 2
PATIENCE = 10.0  # seconds that one waits for its turn
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
_GROUPS, _IN_A_GROUP = 4, 5  # 99 bits

_hasher = PasswordHasher()
_turns = BoundedSemaphore(AT_A_TIME)


class BusyError(Exception):
    """Too many passwords are being looked at: this one had no turn in time."""


def hashed(password: str) -> str:
    """The hash to keep. `BusyError`."""
    with _turn():
        return _hasher.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Whether it is the password of the hash. Without one as much is computed, for nothing. `BusyError`."""
    nobodys = _nobodys()
    with _turn():
        try:
            return _hasher.verify(nobodys if kept is None else kept, password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with other parameters than are used now."""
    return _hasher.check_needs_rehash(kept)


def made_up() -> str:
    """A password that nobody guesses and everybody can type."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_IN_A_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    """What passwords for unknown e-mail addresses are compared with."""
    return hashed(secrets.token_urlsafe())


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=PATIENCE):
        raise BusyError
    try:
        yield
    finally:
        _turns.release()
