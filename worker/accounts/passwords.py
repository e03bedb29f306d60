"""Passwords: hash and verify with argon2id (RFC 9106), and generate. No database access.

A hash takes 64 MiB of memory and 0.1 s of CPU time, so each process computes two at a time and other requests wait.
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
PATIENCE = 10.0  # seconds that a request waits for its turn
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no characters that can be confused
_GROUPS, _IN_A_GROUP = 4, 5  # 99 bits

_hasher = PasswordHasher()
_turns = BoundedSemaphore(AT_A_TIME)


class BusyError(Exception):
    """Too many passwords are being hashed: there was no turn within `PATIENCE` seconds."""


def hashed(password: str) -> str:
    """Return the hash of a password. `BusyError` if too many wait."""
    with _turn():
        return _hasher.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Return whether a password matches the hash; takes the same time for None. `BusyError` if too many wait."""
    nobodys = _nobodys()
    with _turn():
        try:
            return _hasher.verify(nobodys if kept is None else kept, password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Return whether the hash was made with other parameters than the present ones."""
    return _hasher.check_needs_rehash(kept)


def made_up() -> str:
    """Generate a random password that is easy to type."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_IN_A_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    """Return the hash that passwords for unknown e-mail addresses are compared with."""
    return hashed(secrets.token_urlsafe())


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=PATIENCE):
        raise BusyError
    try:
        yield
    finally:
        _turns.release()
