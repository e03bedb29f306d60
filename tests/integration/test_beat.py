"""Beat ends when it is told to, wherever the signal meets it."""

from __future__ import annotations

import threading

import pytest
from celery.beat import ScheduleEntry, SchedulingError, Service

from worker.queue import broker
from worker.queue.scheduler import Scheduler


class Interrupted(Scheduler):
    """SIGTERM while a reply of the broker is read: the client makes its SystemExit an error, which Celery logs."""

    def apply_async(self, entry: ScheduleEntry, *_args: object, **_options: object) -> object:
        self.close()
        raise SchedulingError(f"Couldn't apply scheduled task {entry.name}: I/O operation on closed file.")


@pytest.mark.long
@pytest.mark.usefixtures("database")
def test_a_signal_that_is_lost_in_the_client_ends_beat_all_the_same() -> None:
    service = Service(broker.app(), scheduler_cls=Interrupted)
    beat = threading.Thread(target=service.start, daemon=True)
    beat.start()
    beat.join(20)
    assert not beat.is_alive()
