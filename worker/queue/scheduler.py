"""Beat's scheduler: sends due messages, unless enough of them already wait for a worker, and ends reliably."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery import beat
from redis.exceptions import RedisError

from worker.queue import broker


class Scheduler(beat.Scheduler):  # type: ignore[misc]
    """A scheduler with its state in memory: the small schedule needs no file, and a second beat only repeats rounds."""

    _is_closed = False

    def close(self) -> None:
        """Stop. Called by beat's SIGTERM handler, which then raises SystemExit wherever the process is at that moment.

        During a reply from the broker this exception is lost: the client replaces it with an error of its own, and
        Celery logs send errors and continues. So the next `tick` raises it again.
        """
        self._is_closed = True
        super().close()

    def tick(self, *args: Any, **options: Any) -> float:  # noqa: ANN401 - Celery's own
        """Run one round; return the seconds until the next. `SystemExit` once closed."""
        if self._is_closed:
            raise SystemExit
        return float(super().tick(*args, **options))

    def apply_async(self, entry: beat.ScheduleEntry, *args: Any, **options: Any) -> object:  # noqa: ANN401 - Celery's own
        """Send one entry. A message has no `expires`: the clock of another machine would decide on it."""
        with suppress(RedisError):
            if broker.waiting_in(entry.options["queue"]) >= broker.MAX_WAKEUPS:
                return None
        return super().apply_async(entry, *args, **options)
