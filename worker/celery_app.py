"""Entry of the worker, upkeep and beat processes: `celery -A worker.celery_app worker|beat`."""

from __future__ import annotations

from celery.signals import setup_logging

from worker import tasks
from worker.infra import broker, logs


@setup_logging.connect  # type: ignore[untyped-decorator]
def _configure_logging(**_options: object) -> None:
    """Being here keeps Celery from setting up logging of its own."""
    logs.configure()


try:
    app = broker.app()
except LookupError as error:
    raise SystemExit(f"CANNOT_START: {error}") from error
tasks.register(app)
