"""The former name of `worker.queue.scheduler`, for `celery beat --scheduler worker.infra.beat:...`."""

from worker.queue.scheduler import *  # noqa: F403 - all of its public names
