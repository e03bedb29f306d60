"""Submission of jobs: shared by uploads, actions and new users.

The caller inserts the job; here its files are removed if that fails, and the workers are woken if it succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions
from schemas.quotas import QuotaExceededError
from webhook.http import auth, idempotency, quotas
from worker.config.failpoints import Failpoint, hit
from worker.database.engine import TRANSIENT, transaction
from worker.jobs import queries, submit
from worker.queue import broker
from worker.storage import files


@contextmanager
def submitting(job: str) -> Iterator[None]:
    """Run a block that inserts the job with this public id. If it raises, remove the job's files from the storage.

    Refuses (QUOTA_EXCEEDED) a job that exceeds a quota of its tenant.
    """
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
        if isinstance(error, QuotaExceededError):
            raise quotas.refused(error) from error
        raise
    hit(Failpoint.ACCEPT_COMMITTED)


def submit_upload_again(connection: sa.Connection, row: sa.Row[Any], job: str, options: JobOptions) -> None:
    """Create a job (with this public id) that continues an upload, given by its row of `jobs`, under other options."""
    actor = auth.actor()
    order = submit.NewJob(
        job,
        actor.tenant.id,
        actor.name,
        JobKind.UPLOAD,
        options,
        submit.File(row.file_name, row.file_size, row.file_sha256),
        parent_id=row.id,
        external_id=row.external_id,
        metadata=row.metadata,
        admin_id=actor.admin_id,
        counted_rows=row.counted_rows,
    )
    submit.submit(connection, order)
    idempotency.record_job(connection, job)


def announce(job: str, kind: JobKind = JobKind.UPLOAD) -> None:
    """Send the wake-up message for a submitted job. If the broker is unavailable, the rescuer finds the job."""
    broker.wake(submit.first_phase(kind), job)
    hit(Failpoint.ACCEPT_ANNOUNCED)


def _is_there(job: str) -> bool:
    with transaction() as connection:
        return queries.get(connection, auth.actor(), job) is not None
