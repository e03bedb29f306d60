"""Corrections of an upload under review (R33): recorded, applied by a work item, taken back; and previews of them.

Callers check permissions first, and have locked the job (`worker.jobs.control.lock`): of several people who correct a
job at the same time, each sees what the others did, and none while the rows are validated again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from schemas.corrections import MOST_CORRECTIONS
from schemas.database.tables import correction_previews, corrections, job_chunks, jobs
from schemas.job_kinds import JobKind
from schemas.jobs import ChunkState, JobStatus, Phase
from schemas.request_problems import RequestCode
from worker.jobs import control
from worker.jobs.control import WrongStateError
from worker.queue import job_state
from worker.queue.leases import Lease, update_leased

MOST_PREVIEWS = 10  # of one job that wait for their answer
STALE_SECONDS = 60.0  # no request waits so long: the process that asked has ended
# Work items of the review that a correction ends. VALIDATE and WRITE stay: most rows are not validated or cut again.
_OVER = (Phase.CORRECT, Phase.CUT, Phase.WORKBOOK, Phase.PREVIEW)


def add(connection: sa.Connection, job_id: int, body: Mapping[str, Any], created_by: str) -> Phase:
    """Record a correction and start to validate the rows again. `WrongStateError`, also for too many corrections."""
    _restart(connection, job_id)
    number = _next(connection, job_id)
    values = {"job_id": job_id, "number": number, "body": dict(body), "created_by": created_by}
    connection.execute(corrections.insert().values(values))
    return Phase.CORRECT


def take_back(connection: sa.Connection, job_id: int, number: int) -> Phase | None:
    """Take a correction back and start to validate its rows again; None if there is none. `WrongStateError`."""
    one = (corrections.c.job_id == job_id) & (corrections.c.number == number)
    if not connection.execute(corrections.update().where(one).values(is_removed=True)).rowcount:
        return None
    _restart(connection, job_id)
    return Phase.CORRECT


def of_job(connection: sa.Connection, job_id: int) -> list[sa.Row[Any]]:
    """Return a job's corrections in their order, without those that were taken back."""
    query = sa.select(corrections).where(corrections.c.job_id == job_id, ~corrections.c.is_removed)
    return list(connection.execute(query.order_by(corrections.c.number)))


def open_of_job(connection: sa.Connection, job_id: int) -> list[sa.Row[Any]]:
    """Return the corrections that are to be applied, or to be removed, in their order."""
    is_open = corrections.c.rows.is_(None) | corrections.c.is_removed
    query = sa.select(corrections).where(corrections.c.job_id == job_id, is_open)
    return list(connection.execute(query.order_by(corrections.c.number)))


def mark_applied(connection: sa.Connection, job_id: int, rows: Mapping[int, int]) -> None:
    """Record how many rows each correction changed, by its number, and delete those that were taken back."""
    of_this = corrections.c.job_id == job_id
    connection.execute(corrections.delete().where(of_this, corrections.c.is_removed))
    for number, count in rows.items():
        connection.execute(corrections.update().where(of_this, corrections.c.number == number).values(rows=count))


def check_open(connection: sa.Connection, row: sa.Row[Any]) -> None:
    """Raise `WrongStateError` unless the rows of the job (a row of `jobs`) can be corrected now."""
    if row.kind != JobKind.UPLOAD:
        raise WrongStateError(RequestCode.CANNOT_CORRECT, row.status)
    if row.status != JobStatus.REVIEW:
        raise WrongStateError(RequestCode.NOT_IN_REVIEW, row.status)
    if row.check_token is None:
        raise WrongStateError(RequestCode.MAPPING_REQUIRED, row.status)
    if not control.is_review_open(connection, row.id):
        raise WrongStateError(RequestCode.REVIEW_EXPIRED, row.status)


def _next(connection: sa.Connection, job_id: int) -> int:
    """Return the number of the next correction; no number is used twice in a job."""
    query = sa.select(sa.func.count()).where(corrections.c.job_id == job_id)
    if connection.execute(query).scalar_one() >= MOST_CORRECTIONS:
        raise WrongStateError(RequestCode.LIMIT_REACHED, JobStatus.REVIEW)
    counted = jobs.update().where(jobs.c.id == job_id).values(corrections=jobs.c.corrections + 1)
    number: int = connection.execute(counted.returning(jobs.c.corrections)).scalar_one()
    return number


def _restart(connection: sa.Connection, job_id: int) -> None:
    """Move a job from its review back to its check: only what was corrected is validated again."""
    job = job_state.lock_job(connection, job_id)
    check_open(connection, job)
    connection.execute(correction_previews.delete().where(correction_previews.c.job_id == job_id))
    connection.execute(job_chunks.delete().where(job_chunks.c.job_id == job_id, job_chunks.c.phase.in_(_OVER)))
    values = {"review": sa.null(), "review_until": sa.null(), "pieces_left": 0}
    connection.execute(jobs.update().where(jobs.c.id == job_id).values(values))
    job_state.change_status(connection, job_id, JobStatus.CHECKING)
    job_state.add_work_items(connection, job_id, Phase.CORRECT, {0: 0})


def ask(connection: sa.Connection, job_id: int, body: Mapping[str, Any]) -> int:
    """Add the work item that answers what a correction would do; return its number. `WrongStateError`."""
    of_job = correction_previews.c.job_id == job_id
    is_stale = correction_previews.c.created_at < job_state.in_seconds(-STALE_SECONDS)
    # Their work items stay: a claim locks these before the job, which the caller has locked.
    connection.execute(correction_previews.delete().where(of_job, is_stale))
    open_now = sa.select(sa.func.count()).where(of_job)
    if connection.execute(open_now).scalar_one() >= MOST_PREVIEWS:
        raise WrongStateError(RequestCode.LIMIT_REACHED, JobStatus.REVIEW)
    question = correction_previews.insert().values(job_id=job_id, body=dict(body))
    number: int = connection.execute(question.returning(correction_previews.c.number)).scalar_one()
    job_state.add_work_items(connection, job_id, Phase.PREVIEW, {number: 0})
    return number


def answer_to(connection: sa.Connection, number: int) -> Mapping[str, Any] | None:
    """Return the answer to a question; None if there is none yet."""
    query = sa.select(correction_previews.c.answer).where(correction_previews.c.number == number)
    answer: Mapping[str, Any] | None = connection.execute(query).scalar_one_or_none()
    return answer


def is_asked(connection: sa.Connection, number: int) -> bool:
    """Return whether a question still stands: a correction, and a repeated check, drop all of the job."""
    query = sa.select(sa.exists().where(correction_previews.c.number == number))
    return bool(connection.execute(query).scalar_one())


def drop_question(connection: sa.Connection, job_id: int, number: int) -> None:
    """Delete a question with its work item, whether it was answered or not."""
    of_item = (job_chunks.c.job_id == job_id) & (job_chunks.c.phase == Phase.PREVIEW)
    connection.execute(job_chunks.delete().where(of_item, job_chunks.c.number == number))
    connection.execute(correction_previews.delete().where(correction_previews.c.number == number))


def question(connection: sa.Connection, lease: Lease) -> Mapping[str, Any] | None:
    """Return the question of a work item; None if no request waits for the answer any more."""
    query = sa.select(correction_previews.c.body).where(correction_previews.c.number == lease.number)
    body: Mapping[str, Any] | None = connection.execute(query).scalar_one_or_none()
    return body


def answer(connection: sa.Connection, lease: Lease, found: Mapping[str, Any] | None) -> None:
    """End a work item with its answer; None: it could not be found. `LostLeaseError`."""
    update_leased(connection, lease, {"state": ChunkState.DONE if found else ChunkState.DEAD, "lease_until": None})
    values = {"answer": {} if found is None else dict(found)}
    connection.execute(correction_previews.update().where(correction_previews.c.number == lease.number).values(values))
