"""Submission of jobs: shared by uploads, actions and new users.

The caller inserts the job; here its files are removed if that fails, and the workers are woken if it succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from schemas.jobs import Phase
from webhook.http import auth
from worker.config.failpoints import Failpoint, hit
from worker.database.engine import TRANSIENT, transaction
from worker.jobs import queries
from worker.queue import broker
from worker.storage import files


@contextmanager
def submitting(job: str) -> Iterator[None]:
    """Run a block that inserts the job with this public id. If it raises, remove the job's files from the storage."""
    hit(Failpoint.ACCEPT_STORED)
    try:
        yield
    except TRANSIENT:
        # The response to COMMIT may be what was lost: the job may exist, and then needs its file. If it does not exist,
        # the file is removed with other orphans.
        if not _is_there(job):
            raise
    except Exception as error:
        # Another request to a storage that has just failed could occupy the thread until its time-out. Files that stay
        # are removed with other orphans.
        if files.root() is not None or not isinstance(error, files.StoreError):
            with suppress(*files.FAILURES):
                files.remove_job(job)
        raise
    hit(Failpoint.ACCEPT_COMMITTED)


def announce(job: str) -> None:
    """Send the wake-up message for a submitted job. If the broker is unavailable, the rescuer finds the job."""
    broker.wake(Phase.CHECK, job)
    hit(Failpoint.ACCEPT_ANNOUNCED)


def _is_there(job: str) -> bool:
    with transaction() as connection:
        return queries.get(connection, auth.actor(), job) is not None
