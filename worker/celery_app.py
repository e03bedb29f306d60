"""Entry point of the worker, upkeep and beat processes: `celery -A worker.celery_app worker|beat`."""

from __future__ import annotations

import os
from typing import Any

from celery.concurrency import prefork
from celery.signals import (
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)

from worker import tasks
from worker.config import logs
from worker.config.settings import SettingsError
from worker.database.processes import Registration
from worker.database.schema_version import ProcessKind
from worker.doctor.environment import log_at_start
from worker.queue import broker, celery_workarounds
from worker.queue.celery_workarounds import ConsumerWatchdog


@setup_logging.connect  # type: ignore[untyped-decorator]
def _configure_logging(**_options: object) -> None:
    """Configure logging. That this handler is connected keeps Celery from configuring its own."""
    logs.configure()
    log_at_start()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _give_way(**_options: object) -> None:
    """Lower the priority: web, database and broker respond in milliseconds, a worker process computes for minutes."""
    os.nice(NICE)
    registration.begin()


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
celery_workarounds.install()
try:
    app = broker.app()
except (LookupError, SettingsError) as error:
    raise SystemExit(f"CANNOT_START: {error}") from error
tasks.register(app)
app.steps["consumer"].add(ConsumerWatchdog)
