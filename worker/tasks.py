"""The Celery tasks: each wakes up the pipeline and does not name the work item to process.

A task's only argument is the id of the job that caused the wake-up message; the claim decides which work item is next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial, wraps

import structlog
from celery import Celery
from sqlalchemy.exc import DBAPIError

from schemas.jobs import Phase
from worker import pipeline
from worker.callbacks import send_webhooks
from worker.database import schema_version
from worker.database.engine import transaction
from worker.database.schema_version import ProcessKind, UnusableSchemaError
from worker.mail import switched_off
from worker.maintenance import cleaner, rescuer
from worker.queue import broker

log = structlog.get_logger(__name__)

SHORT_SECONDS = 0.2  # that other queues may wait, beside a single work item
# Workbooks that the threads of one process build at a time. Two, so that a small one need not wait for a large one.
MOST_WORKBOOKS = 2
# E-mails that they send at a time: a mail server that does not respond must leave threads for callbacks.
MOST_MAILS = 2
# Previews that they compute at a time: each takes a processor.
MOST_PREVIEWS = 2
# Exports that they write at a time: each takes a processor, and holds a snapshot of the database.
MOST_EXPORTS = 2
_LIMITS = {
    Phase.WORKBOOK: threading.BoundedSemaphore(MOST_WORKBOOKS),
    Phase.MAIL: threading.BoundedSemaphore(MOST_MAILS),
    Phase.PREVIEW: threading.BoundedSemaphore(MOST_PREVIEWS),
    Phase.EXPORT: threading.BoundedSemaphore(MOST_EXPORTS),
}


def register(app: Celery) -> None:
    """Register the tasks with the app."""
    for queue, phases in broker.PHASES.items():
        limit = _LIMITS.get(phases[0])
        run = partial(pipeline.run, goes_on=True) if limit is None else partial(_limited, limit)
        app.task(name=broker.TASKS[queue])(_task_of(phases, run))
    for name, run_round in (
        (broker.SWEEP, rescuer.rescue),
        (broker.TIDY, _tidy),
        (broker.WEBHOOKS, send_webhooks.send_due),
    ):
        app.task(name=name)(_if_tables_are_usable(run_round))


def _if_tables_are_usable(run_round: Callable[[], None]) -> Callable[[], None]:
    """Return the task, which does nothing while the tables have a version that this process cannot use."""

    @wraps(run_round)
    def work() -> None:
        try:
            with transaction() as connection:
                schema_version.check(connection, ProcessKind.WORKER)
        except UnusableSchemaError as error:
            log.warning("unusable_tables", reason=str(error))
            return
        except DBAPIError:
            pass  # the round logs it
        run_round()

    return work


def _tidy() -> None:
    """Run a cleanup round, then notify admins of subscriptions that were switched off."""
    cleaner.clean()
    switched_off.notify_admins()


def _task_of(phases: tuple[Phase, ...], run: Callable[..., bool]) -> Callable[[str], None]:
    def work(job: str) -> None:
        """Process work items and send the wake-up again, behind those of other queues; stop if none is left.

        Several, while they take less than `SHORT_SECONDS` together: a message costs as much as a small work item.
        """
        until = time.monotonic() + SHORT_SECONDS
        while run(*phases):
            if time.monotonic() > until:
                broker.wake(phases[0], job)
                return

    return work


def _limited(limit: threading.BoundedSemaphore, *phases: Phase) -> bool:
    """Run the pipeline. Also return False while as many threads as allowed do so: each of them sends a wake-up."""
    if not limit.acquire(blocking=False):
        return False
    try:
        return pipeline.run(*phases)
    finally:
        limit.release()
