"""Requests per minute (R37), counted by the broker with the library `limits`: one command for each request.

Minutes are those of the clock. If the broker does not respond, requests are not counted and not refused: one of them
notices after `ANSWER_SECONDS` at most, and for `PAUSE_SECONDS` none asks again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import structlog
from limits.storage.redis import RedisStorage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from schemas.quotas import WINDOW_SECONDS
from worker.config.settings import get_settings
from worker.queue import broker

log = structlog.get_logger(__name__)

PREFIX = "numberyard.rates"  # of the keys
SOCKET_SECONDS = 0.25  # time-out of one response
ANSWER_SECONDS = 0.5  # that a request waits, whatever is wrong: resolving a name has no time-out
PAUSE_SECONDS = 5.0
THREADS = 4  # that wait for the broker, and so its connections for each web process
MOST_WAITING = 64  # requests that wait for one of these threads
FAILURES = (RedisError, OSError, TimeoutError, LookupError, ValueError)


@dataclass(frozen=True)
class Minute:
    """The requests of a caller in the present minute, and the seconds until the next one."""

    requests: int
    seconds_left: int


class Breaker:
    """Calls a function in threads of its own, and for a while not at all after a call has failed or taken too long."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="rates")
        self._lock = Lock()
        self._pause_until: float | None = None  # after a failure, until a call has succeeded

    def call(self, ask: Callable[[], int]) -> int | None:
        """Return the result of `ask`; None if it fails, takes too long, or is not called."""
        if not self._may_call():
            return None
        try:
            future = self._executor.submit(ask)
            try:
                result = future.result(ANSWER_SECONDS)
            finally:
                future.cancel()
        except FAILURES as error:
            self._failed(error)
            return None
        if self._pause_until is not None:
            self._pause_until = None
            log.info("rates_counted_again")
        return result

    def close(self) -> None:
        """End the threads, without waiting for them."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _may_call(self) -> bool:
        """Return whether to call. After a pause, one caller tries while the others go on without."""
        if self._executor._work_queue.qsize() >= MOST_WAITING:  # noqa: SLF001 - an executor has no public queue size
            return False
        if self._pause_until is None:
            return True
        with self._lock:
            now = time.monotonic()
            if self._pause_until is not None and now < self._pause_until:
                return False
            self._pause_until = now + PAUSE_SECONDS
            return True

    def _failed(self, error: Exception) -> None:
        with self._lock:
            is_first = self._pause_until is None
            self._pause_until = time.monotonic() + PAUSE_SECONDS
        if is_first:
            log.warning("rates_not_counted", error=type(error).__name__)


@lru_cache(maxsize=1)
def _storage() -> RedisStorage:
    client = broker.client(get_settings(), SOCKET_SECONDS, retry=Retry(NoBackoff(), 1))
    return RedisStorage("redis://", connection_pool=client.connection_pool, key_prefix=PREFIX)


@lru_cache(maxsize=1)
def _breaker() -> Breaker:
    return Breaker()


# A forked child has none of its parent's threads, and must not use its connections.
os.register_at_fork(after_in_child=_breaker.cache_clear)
os.register_at_fork(after_in_child=_storage.cache_clear)


def forget() -> None:
    """Close the connections and threads; the next use makes new ones from the settings of that moment."""
    if _breaker.cache_info().currsize:
        _breaker().close()
    _storage.cache_clear()
    _breaker.cache_clear()


def count(caller: str) -> Minute | None:
    """Count a request of a caller; None if the broker does not respond."""
    minute, left = _now()
    requests = _breaker().call(lambda: _storage().incr(_key(caller, minute), WINDOW_SECONDS))
    return None if requests is None else Minute(requests, left)


def counted(caller: str) -> Minute | None:
    """Return the requests of a caller in this minute, without counting one; None if the broker does not respond."""
    minute, left = _now()
    requests = _breaker().call(lambda: _storage().get(_key(caller, minute)))
    return None if requests is None else Minute(requests, left)


def _now() -> tuple[int, int]:
    """Return the number of the present minute, and the seconds that are left of it, rounded up."""
    minute, second = divmod(int(time.time()), WINDOW_SECONDS)
    return minute, WINDOW_SECONDS - second


def _key(caller: str, minute: int) -> str:
    return f"{caller}/{minute}"
