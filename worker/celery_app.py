"""Entry point of the worker, upkeep and beat processes: `celery -A worker.celery_app worker|beat`."""

from __future__ import annotations

import os
from typing import Any

from celery.concurrency import prefork
from celery.signals import (
    celeryd_init,
    setup_logging,
    task_failure,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)

from worker.config import error_reports, logs, tracing
from worker.config.settings import SettingsError
from worker.database.engine import is_transient
from worker.database.processes import Registration
from worker.database.schema_version import ProcessKind
from worker.doctor.environment import log_at_start
from worker.queue import broker, celery_workarounds
from worker.queue.celery_workarounds import ConsumerWatchdog


@celeryd_init.connect  # type: ignore[untyped-decorator]
def _name_process(sender: str, instance: Any, **_options: object) -> None:  # noqa: ANN401 - Celery's own
    """Name the process in its logs by its Celery host name, keep it from printing a banner, and register its tasks.

    Logging is configured here, too, because Celery issues warnings before it calls for that.
    """
    global _role  # noqa: PLW0603 - the process has one
    _role = sender.partition("@")[0]
    instance.quiet = True
    logs.configure(_role)
    from worker import tasks  # noqa: PLC0415 - beat has no tasks, and starts without what they import

    tasks.register(app)


@setup_logging.connect  # type: ignore[untyped-decorator]
def _configure_logging(**_options: object) -> None:
    """Configure logs, traces and error reports. That this handler is connected keeps Celery from configuring logs."""
    logs.configure(_role)
    tracing.configure(_role)
    error_reports.configure(_role)
    log_at_start()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _give_way(**_options: object) -> None:
    """Lower the priority: web, database and broker respond in milliseconds, a worker process computes for minutes."""
    os.nice(NICE)
    registration.begin()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _send_rest(**_options: object) -> None:
    """Send the spans and reports that wait in a child: it ends without exit handlers."""
    tracing.stop()
    error_reports.stop()


@task_failure.connect  # type: ignore[untyped-decorator]
def _report(exception: BaseException, **_options: object) -> None:
    """Report the error of a task: of a work item, the pipeline does it."""
    if not (isinstance(exception, Exception) and is_transient(exception)):
        error_reports.report(exception)


@worker_ready.connect  # type: ignore[untyped-decorator]
def _look_after(sender: Any, **_options: object) -> None:  # noqa: ANN401 - Celery's own
    """Report the worker as ready, and request a rescue and a cleanup round: beat may be down, or have been down."""
    broker.mark_ready(sender.hostname.partition("@")[0])
    broker.request_maintenance()
    if not isinstance(sender.pool, prefork.TaskPool):  # whose children work, and register themselves
        registration.begin()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _leave(**_options: object) -> None:
    """Remove this process from the registered ones."""
    registration.end()


NICE = 5
registration = Registration(ProcessKind.WORKER)
_role = "beat"  # which has no Celery host name
celery_workarounds.install()
try:
    app = broker.app()
except (LookupError, SettingsError) as error:
    raise logs.cannot_start(error) from error
celery_workarounds.silence_beat(app)
app.steps["consumer"].add(ConsumerWatchdog)
