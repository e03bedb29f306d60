"""The Celery tasks: each wakes the pipeline up and says nothing about what it finds.

The argument is only the id of the job that caused the hint; which work is next is decided when it is claimed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from celery import Celery

from schemas.jobs import Phase
from worker import pipeline
from worker.maintenance import cleaner, rescuer
from worker.queue import broker

# Built at a time by the threads of one process. Two, so that a small workbook need not wait for a large one.
MOST_WORKBOOKS = 2
_building = threading.BoundedSemaphore(MOST_WORKBOOKS)


def register(app: Celery) -> None:
    """Give the app its tasks."""
    for queue, phases in broker.PHASES.items():
        run = _build if Phase.WORKBOOK in phases else pipeline.run
        app.task(name=broker.TASKS[queue])(_task_of(phases, run))
    app.task(name=broker.SWEEP)(rescuer.sweep)
    app.task(name=broker.TIDY)(cleaner.tidy)


def _task_of(phases: tuple[Phase, ...], run: Callable[..., bool]) -> Callable[[str], None]:
    def work(job: str) -> None:
        """Do one piece of work and pass the hint on behind those of other jobs; with no work left it ends here."""
        if run(*phases):
            broker.wake(phases[0], job)

    return work


def _build(*phases: Phase) -> bool:
    """Run the pipeline; False as well while this process builds `MOST_WORKBOOKS`: each of these passes the hint on."""
    if not _building.acquire(blocking=False):
        return False
    try:
        return pipeline.run(*phases)
    finally:
        _building.release()
