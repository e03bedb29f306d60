"""Enters what has arrived as a job, and tells the workers: the same for uploads, for actions and for new users.

What a job is made of is told by its door. Nothing stays in the storage of a request that made no job.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from schemas.jobs import Phase
from webhook.http import auth
from worker.config.failpoints import Point, pass_by
from worker.database.engine import TRANSIENT, transaction
from worker.jobs import queries
from worker.queue import broker
from worker.storage import files


@contextmanager
def entering(job: str) -> Iterator[None]:
    """The block enters the job of this public id, or raises; then nothing of it is left."""
    pass_by(Point.ACCEPT_STORED)
    try:
        yield
    except TRANSIENT:
        # The answer to COMMIT may be what was lost: the job may be there, and then needs its file. If it is not, the
        # file belongs to nobody, and is removed with other orphans.
        if not _is_there(job):
            raise
    except Exception as error:
        # Another request to a store that has just failed could hold the thread for its time-out. Files that
        # stay are removed with other orphans.
        if files.root() is not None or not isinstance(error, files.StoreError):
            with suppress(*files.FAILURES):
                files.remove_job(job)
        raise
    pass_by(Point.ACCEPT_COMMITTED)


def announce(job: str) -> None:
    """Tell the workers of a job that was entered; if the broker cannot be told, the sweep finds it."""
    broker.wake(Phase.CHECK, job)
    pass_by(Point.ACCEPT_ANNOUNCED)


def _is_there(job: str) -> bool:
    with transaction() as connection:
        return queries.one(connection, auth.actor(), job) is not None
