"""The Celery tasks: each wakes the pipeline up and says nothing about what it finds.

The argument is only the id of the job that caused the hint; which work is next is decided when it is claimed.
"""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery

from schemas.jobs import Phase
from worker import pipeline, recovery, tidying
from worker.infra import broker


def register(app: Celery) -> None:
    """Give the app its tasks."""
    for queue, phases in broker.PHASES.items():
        app.task(name=broker.TASKS[queue])(_task_of(phases))
    app.task(name=broker.SWEEP)(recovery.sweep)
    app.task(name=broker.TIDY)(tidying.tidy)


def _task_of(phases: tuple[Phase, ...]) -> Callable[[str], None]:
    def work(job: str) -> None:
        """Do one piece of work and pass the hint on behind those of other jobs; with no work left it ends here."""
        if pipeline.run(*phases):
            broker.wake(phases[0], job)

    return work
