"""Beat's scheduler: sends what is due, unless enough of it waits already because no worker comes for it; and ends."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery import beat
from redis.exceptions import RedisError

from worker.queue import broker


class Scheduler(beat.Scheduler):  # type: ignore[misc]
    """Keeps its clock in memory: a schedule this small needs no file, and a second beat only has things done twice."""

    _is_closed = False

    def close(self) -> None:
        """Told by beat's handler of SIGTERM, which then raises SystemExit wherever the process is at that moment.

        In the middle of a reply from the broker that is lost: the client turns it into an error of its own, and Celery
        logs errors of sending and goes on. So the next round ends what the signal did not.
        """
        self._is_closed = True
        super().close()

    def tick(self, *args: Any, **options: Any) -> float:  # noqa: ANN401 - as it is given
        """One round: seconds until the next. `SystemExit` once closed."""
        if self._is_closed:
            raise SystemExit
        return float(super().tick(*args, **options))

    def apply_async(self, entry: beat.ScheduleEntry, *args: Any, **options: Any) -> object:  # noqa: ANN401 - as it is given
        """Send one entry. A message has no `expires`, which the clock of another machine would judge."""
        with suppress(RedisError):
            if broker.waiting_in(entry.options["queue"]) >= broker.MOST_HINTS:
                return None
        return super().apply_async(entry, *args, **options)
