"""Sends messages aside, so that nobody waits for the broker longer than a moment, whatever is wrong with it.

Limits of time on each operation are not enough: a first message takes a dozen of them, and looking up the broker's name
knows no limit at all. What is late is sent all the same; what there is no room for is not.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, TimeoutError  # noqa: A004 - the same as the built-in one
from functools import lru_cache

MOST_WAITING = 32


class Outbox:
    """One thread that sends, and those who wait for it for `seconds` at most."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="outbox")

    def send(self, send: Callable[[], bool]) -> bool:
        """What `send` answers; False if it takes too long, or too many are waiting before it."""
        if self._sender._work_queue.qsize() >= MOST_WAITING:  # noqa: SLF001 - an executor has no other measure
            return False
        try:
            return self._sender.submit(contextvars.copy_context().run, send).result(self._seconds)
        except TimeoutError:
            return False


@lru_cache(maxsize=1)
def outbox(seconds: float) -> Outbox:
    """This process's outbox."""
    return Outbox(seconds)


# A forked child has none of its parent's threads.
os.register_at_fork(after_in_child=outbox.cache_clear)
