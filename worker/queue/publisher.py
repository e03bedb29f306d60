"""Sends messages in a background thread, so that a caller waits only briefly, whatever is wrong with the broker.

A time-out for each operation is not enough: a first message takes a dozen operations, and resolving the broker's name
has no time-out at all. A late message is still sent; a message for which there is no room in the queue is not.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, TimeoutError  # noqa: A004 - the same as the built-in one
from functools import lru_cache

MOST_WAITING = 32


class Publisher:
    """A thread that sends messages; callers wait at most `seconds` for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="outbox")

    def send(self, send: Callable[[], bool]) -> bool:
        """Call `send` in the thread and return its result; False if it takes too long or too many messages wait."""
        if self._sender._work_queue.qsize() >= MOST_WAITING:  # noqa: SLF001 - an executor has no public queue size
            return False
        try:
            return self._sender.submit(contextvars.copy_context().run, send).result(self._seconds)
        except TimeoutError:
            return False


@lru_cache(maxsize=1)
def shared_publisher(seconds: float) -> Publisher:
    """Return this process's publisher."""
    return Publisher(seconds)


# A forked child has none of its parent's threads.
os.register_at_fork(after_in_child=shared_publisher.cache_clear)
