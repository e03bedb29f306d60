"""Entry of the worker and beat processes: `celery -A worker.celery_app worker|beat`."""

from __future__ import annotations

from worker import tasks
from worker.infra import broker, logs

logs.configure()
app = broker.app()
tasks.register(app)
