"""Passwords: hash and verify with argon2id (RFC 9106), and generate. No database access.

A hash takes 64 MiB of memory and 0.1 s of CPU time, so each process computes two at a time and other requests wait. Its
threads have a lower priority: strangers who sign in take only the processor time that is left over (R37).
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from worker.config import waits

AT_A_TIME = 2
PATIENCE = 10.0  # seconds that a request waits for its result
NICENESS = 10  # of the threads: workers have 5, web processes 0
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no characters that can be confused
_GROUPS, _IN_A_GROUP = 4, 5  # 99 bits

_hasher = PasswordHasher()
T = TypeVar("T")


class BusyError(Exception):
    """Too many passwords are being hashed: there was no result within `PATIENCE` seconds."""


def hashed(password: str) -> str:
    """Return the hash of a password. `BusyError` if too many wait."""
    return _computed(lambda: _hasher.hash(password))


def matches(password: str, kept: str | None) -> bool:
    """Return whether a password matches the hash; takes the same time for None. `BusyError` if too many wait."""
    nobodys = _nobodys()  # always: the first call computes it, and must not reveal that an address is unknown
    compared = nobodys if kept is None else kept
    try:
        return _computed(lambda: _hasher.verify(compared, password)) and kept is not None
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


def _computed(step: Callable[[], T]) -> T:
    """Run a step in one of the threads."""
    waits.begins()
    future = _threads.submit(step)
    try:
        return future.result(PATIENCE)
    except TimeoutError as error:
        future.cancel()
        raise BusyError from error


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _new_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="passwords", initializer=_lower_priority)


def _after_fork() -> None:
    """Replace the threads in a child, which has none of its parent's."""
    global _threads  # noqa: PLW0603 - one pool for the process
    _threads = _new_threads()


_threads = _new_threads()
os.register_at_fork(after_in_child=_after_fork)
