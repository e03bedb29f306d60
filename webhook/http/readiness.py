"""Readiness checks: whether database, broker and storage respond, in parallel and by one deadline.

A check that hangs occupies one thread, not one per request: requests that arrive meanwhile wait for the same result,
until the deadline.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

import structlog

from worker.config.errors import reason_of

log = structlog.get_logger(__name__)

DEADLINE = 2.0  # seconds for all checks together
Checks = Mapping[str, Callable[[], object]]


class Readiness:
    """The checks of a process by name; each runs at most once at a time."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}
        self.latest: list[str] | None = None  # the last result of `failing`

    def failing(self) -> list[str]:
        """Return the names of the checks that fail or do not finish by the deadline."""
        end = time.monotonic() + DEADLINE
        started = {name: self._started(name) for name in self._checks}
        failing = [name for name, check in started.items() if not _passes(name, check, end)]
        self.latest = failing
        return failing

    def _started(self, name: str) -> Future[None]:
        with self._lock:
            check = self._running.get(name)
            if check is None or check.done():
                check = self._running[name] = Future()
                # Daemon: a check that hangs must not keep the process from exiting.
                threading.Thread(
                    target=_run, args=(self._checks[name], check), name=f"ready-{name}", daemon=True
                ).start()
            return check


def _run(check: Callable[[], object], answer: Future[None]) -> None:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - any error means that the dependency cannot be used now
        answer.set_exception(error)
    else:
        answer.set_result(None)


def _passes(name: str, check: Future[None], end: float) -> bool:
    try:
        check.result(max(end - time.monotonic(), 0))
    except FutureTimeoutError:
        log.warning("not_ready", part=name, error="time-out", seconds=DEADLINE)
        return False
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("not_ready", part=name, error=type(error).__name__, reason=reason_of(error))
        return False
    return True
