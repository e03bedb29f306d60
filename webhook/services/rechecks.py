"""Check a stored file again under another mapping or other options (R31): the file is sent once.

An upload under review is checked again itself. One that failed, was cancelled or was not confirmed in time is left as
it is, and a new job reads a copy of its file.
"""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from schemas.http.rechecks import RecheckBody
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions, JobStatus
from schemas.request_problems import RequestCode
from webhook.http import auth, idempotency
from webhook.http.errors import refuse
from webhook.services import jobs, upload_options
from webhook.services.job_submission import announce, submit_upload_again, submitting
from worker.config.failpoints import Failpoint, hit
from worker.database.engine import transaction
from worker.jobs import control, queries
from worker.queue import broker
from worker.storage import files


def recheck(job_id: str, body: RecheckBody, if_match: str | None = None) -> str:
    """Check the job's file again; return the public id of the job that does: this one, or a new one.

    `if_match`: the state that the admin saw, as for `webhook.services.jobs.confirm`. Refused: CANNOT_RECHECK,
    UPLOAD_EXPIRED, PRECONDITION_FAILED.
    """
    with transaction() as connection:
        view = jobs.find_own(connection, job_id)
        control.lock(connection, view.row.id)
        view = jobs.find_own(connection, job_id)  # again: as it is now, and stays until the transaction ends
        jobs.check_state(view, if_match)
        _check(view.row)
        in_place = control.is_review_open(connection, view.row.id)
        options = upload_options.changed(connection, auth.actor(), JobOptions.from_json(view.row.options), body)
        if in_place:
            phase = control.recheck(connection, view.row.id, options)
            idempotency.record_job(connection, job_id)
    if not in_place:
        return _as_new_job(view, options)
    hit(Failpoint.DECISION_COMMITTED)
    broker.wake(phase, job_id)
    return job_id


def _check(row: sa.Row[Any]) -> None:
    """Refuse a job whose file cannot be checked again."""
    if queries.may_be_rechecked(row):
        return
    is_kept = (
        row.kind != JobKind.UPLOAD
        or not row.upload_is_gone
        or row.status not in {JobStatus.FAILED, JobStatus.CANCELLED}
    )
    raise refuse(RequestCode.CANNOT_RECHECK if is_kept else RequestCode.UPLOAD_EXPIRED, job_status=row.status)


def _as_new_job(view: queries.JobView, options: JobOptions) -> str:
    """Create a job that reads a copy of the file; return its public id."""
    row, job = view.row, str(uuid.uuid4())
    try:
        files.copy(files.upload_key(row.public_id), files.upload_key(job))
    except files.MissingFileError as error:
        raise refuse(RequestCode.UPLOAD_EXPIRED) from error
    with submitting(job), transaction() as connection:
        submit_upload_again(connection, row, job, options)
    announce(job)
    return job
