"""Beat's scheduler: sends what is due, unless enough of it waits already because no worker comes for it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery import beat
from redis.exceptions import RedisError

from worker.infra import broker


class Scheduler(beat.Scheduler):  # type: ignore[misc]
    """Keeps its clock in memory: a schedule this small needs no file, and a second beat only has things done twice."""

    def apply_async(self, entry: beat.ScheduleEntry, *args: Any, **options: Any) -> object:  # noqa: ANN401 - as it is given
        """Send one entry. A message has no `expires`, which the clock of another machine would judge."""
        with suppress(RedisError):
            if broker.waiting_in(entry.options["queue"]) >= broker.MOST_HINTS:
                return None
        return super().apply_async(entry, *args, **options)
