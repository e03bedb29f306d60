"""Decisions of admins about a job: confirm after the review, cancel, undo (R27). Callers check permissions first.

Each decision is made under the job's lock, so that exactly one of two concurrent decisions succeeds.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from schemas.database.tables import correction_previews, corrections, job_chunks, jobs
from schemas.job_kinds import JobKind
from schemas.jobs import TERMINAL, ChunkState, JobOptions, JobStatus, Phase
from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from worker.jobs import retention, undo_queries
from worker.jobs.retention import FileClass
from worker.jobs.submit import NewJob, submit
from worker.queue import job_state


class WrongStateError(Exception):
    """The job's status does not allow this operation; `code` is the reason, `status` the job's status."""

    def __init__(self, code: RequestCode, status: str) -> None:
        super().__init__(code, status)
        self.code = code
        self.status = status


def confirm(connection: sa.Connection, job_id: int) -> Phase:
    """Start a job that was reviewed; return the phase that now has work items. `WrongStateError`."""
    job = lock(connection, job_id)  # as a correction or a re-check that is decided at the same time
    if job.status != JobStatus.REVIEW:
        raise WrongStateError(RequestCode.NOT_IN_REVIEW, job.status)
    if job.check_token is None:
        raise WrongStateError(RequestCode.MAPPING_REQUIRED, job.status)
    # The deadline decides: whether a rescue round has run since must make no difference.
    in_time = sa.select(jobs.c.review_until > sa.func.clock_timestamp()).where(jobs.c.id == job_id)
    if not connection.execute(in_time).scalar_one():
        raise WrongStateError(RequestCode.REVIEW_EXPIRED, job.status)
    job_state.change_status(connection, job_id, JobStatus.RUNNING)
    # The chunks could not be claimed during the review, and that time does not count as waiting.
    shown = (job_chunks.c.job_id == job_id) & (job_chunks.c.state == ChunkState.PENDING)
    connection.execute(job_chunks.update().where(shown).values(next_attempt_at=sa.func.now()))
    return Phase.WRITE if job.pieces_left else job_state.start_report(connection, job_id)


def lock(connection: sa.Connection, job_id: int) -> sa.Row[Any]:
    """Lock a job with all its work items until the transaction ends, in the order that prevents deadlocks."""
    connection.execute(sa.select(job_chunks.c.number).where(job_chunks.c.job_id == job_id).with_for_update())
    return job_state.lock_job(connection, job_id)


def recheck(connection: sa.Connection, job_id: int, options: JobOptions) -> Phase:
    """Check an upload under review again, from the beginning, under other options (R31). `WrongStateError`.

    The caller has locked the job (`lock`). All that the earlier check found is dropped; its files are removed when the
    file is read again.
    """
    # Except e-mails, of which there is one for each job and event.
    connection.execute(job_chunks.delete().where(job_chunks.c.job_id == job_id, job_chunks.c.phase != Phase.MAIL))
    for table in (corrections, correction_previews):
        connection.execute(table.delete().where(table.c.job_id == job_id))
    forgotten = dict.fromkeys(("read_token", "check_token", "tally", "problem", "review", "review_until"), sa.null())
    counts = dict.fromkeys(("rows_total", "rows_done", "pieces_left"), 0)
    values = {"options": options.to_json(), "file_facts": {}, "rechecks": jobs.c.rechecks + 1, **forgotten, **counts}
    connection.execute(jobs.update().where(jobs.c.id == job_id).values(values))
    job_state.change_status(connection, job_id, JobStatus.CHECKING)
    job_state.add_work_items(connection, job_id, Phase.CHECK, {0: 0})
    return Phase.CHECK


def is_review_open(connection: sa.Connection, job_id: int) -> bool:
    """Return whether the job is under review and not expired: it is then checked again itself, not by a new job."""
    in_time = sa.select(jobs.c.review_until > sa.func.clock_timestamp())
    query = in_time.where(jobs.c.id == job_id, jobs.c.status == JobStatus.REVIEW)
    return bool(connection.execute(query).scalar_one_or_none())


def cancel(connection: sa.Connection, job_id: int) -> Phase | None:
    """Cancel a job: leased work items may end, no others start, written rows stay written. `WrongStateError`.

    Return the phase that now has work items, if any (`job_state.finish_cancellation`); none while one is leased.
    """
    job = job_state.lock_job(connection, job_id)
    if job.status in TERMINAL:
        raise WrongStateError(RequestCode.JOB_HAS_ENDED, job.status)
    job_state.change_status(connection, job_id, JobStatus.CANCELLING)
    return job_state.finish_cancellation(connection, job_id)


def undo(connection: sa.Connection, undone_id: int, job: str, actor: Actor) -> None:
    """Create a job (with this public id) that restores what an ended one changed (R27). `WrongStateError`.

    The error is raised, too, if everything has been restored already and still is: another undo would have no effect.
    """
    # Locked, so that its files are not removed before the undo job exists and protects them.
    undone = job_state.lock_job(connection, undone_id, with_claims=False)
    if undone.status not in TERMINAL:
        raise WrongStateError(RequestCode.JOB_NOT_ENDED, undone.status)
    if not undo_queries.undo_graph_of_locked(connection, undone_id).left(undone_id):
        raise WrongStateError(RequestCode.NOTHING_TO_UNDO, undone.status)
    is_gone = sa.select(retention.is_gone(FileClass.REPORT)).where(jobs.c.id == undone_id)
    if connection.execute(is_gone).scalar_one():
        raise WrongStateError(RequestCode.UNDO_EXPIRED, undone.status)
    order = NewJob(
        job,
        undone.tenant_id,
        actor.name,
        JobKind.UNDO,
        JobOptions(),
        undo_of_id=undone_id,
        admin_id=actor.admin_id,
    )
    submit(connection, order)
