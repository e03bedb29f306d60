"""The statuses of the jobs that requests of this process wait for: looked up for all of them together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from worker.database.engine import transaction
from worker.jobs import queries

LEAST_AGE = 0.01  # seconds for which an answer serves all requests that wait


class AwaitedJobs:
    """Answers with at most one query per `LEAST_AGE`, however many requests wait.

    A request that asks while a query is running waits for it.
    """

    def __init__(self) -> None:
        self._counting, self._asking = Lock(), Lock()
        self._awaited = Counter[int]()
        self._found: dict[int, str] = {}
        self._asked_at = float("-inf")

    @contextmanager
    def awaiting(self, job_id: int) -> Iterator[None]:
        """Have a job (by its database id) looked up for as long as the block."""
        with self._counting:
            self._awaited[job_id] += 1
        try:
            yield
        finally:
            with self._counting:
                self._awaited[job_id] -= 1
                if not self._awaited[job_id]:
                    del self._awaited[job_id]

    def status_of(self, job_id: int, until: float) -> str | None:
        """Return the status of an awaited job; None if it is gone, or unknown at `until` (`time.monotonic`)."""
        if not self._asking.acquire(timeout=max(until - time.monotonic(), 0)):
            return None
        try:
            now = time.monotonic()
            if now - self._asked_at >= LEAST_AGE or job_id not in self._found:
                with self._counting:
                    awaited = sorted(self._awaited)
                with transaction() as connection:
                    # Only the status: the whole view takes ten times as long, and the workers need the processors.
                    self._found = queries.statuses_of(connection, awaited)
                self._asked_at = now
            return self._found.get(job_id)
        finally:
            self._asking.release()
