"""What admins decide about a job: confirmed after its review, cancelled, undone (R27). Who may is asked by the door.

Each decision is made under the job's lock, so that of two at once exactly one wins.
"""

from __future__ import annotations

import sqlalchemy as sa

from schemas.database.tables import job_chunks, jobs
from schemas.jobs import TERMINAL, ChunkState, JobKind, JobOptions, JobStatus, Phase
from schemas.request_problems import RequestCode
from worker.jobs import retention, undo_queries
from worker.jobs.file_classes import Part
from worker.jobs.submit import Order, accept
from worker.queue import job_state


class WrongStateError(Exception):
    """The job is not in a state for this; `code` tells why, `status` where it is."""

    def __init__(self, code: RequestCode, status: str) -> None:
        super().__init__(code, status)
        self.code = code
        self.status = status


def confirm(connection: sa.Connection, job_id: int) -> Phase:
    """Carry out what was reviewed; answers the phase whose work is there now. `WrongStateError`."""
    job = job_state.hold(connection, job_id)
    if job.status != JobStatus.REVIEW:
        raise WrongStateError(RequestCode.NOT_IN_REVIEW, job.status)
    # The time counts, not the sweep: whether it has been by already must make no difference.
    in_time = sa.select(jobs.c.review_until > sa.func.clock_timestamp()).where(jobs.c.id == job_id)
    if not connection.execute(in_time).scalar_one():
        raise WrongStateError(RequestCode.REVIEW_EXPIRED, job.status)
    job_state.move(connection, job_id, JobStatus.RUNNING)
    # Nobody could take them while the job was shown, and nobody has them locked: that time they did not wait.
    shown = (job_chunks.c.job_id == job_id) & (job_chunks.c.state == ChunkState.PENDING)
    connection.execute(job_chunks.update().where(shown).values(next_attempt_at=sa.func.now()))
    return Phase.WRITE if job.pieces_left else job_state.to_report(connection, job_id)


def cancel(connection: sa.Connection, job_id: int) -> Phase | None:
    """Stop a job: what is being done may end, nothing else is begun, what is written stays. `WrongStateError`.

    Answers the phase whose work is there now, if any: the report, once nobody is at work on the job.
    """
    job = job_state.hold(connection, job_id)
    if job.status in TERMINAL:
        raise WrongStateError(RequestCode.JOB_HAS_ENDED, job.status)
    job_state.move(connection, job_id, JobStatus.CANCELLING)
    return job_state.settle(connection, job_id)


def undo(connection: sa.Connection, undone_id: int, job: str, created_by: str) -> None:
    """Enter a job (of this public id) that puts back what an ended one wrote (R27). `WrongStateError`.

    Also if all that it wrote has been put back, and still is: another undo could do nothing.
    """
    # Held, so that its files are not removed before the undo is there to protect them.
    undone = job_state.hold(connection, undone_id)
    if undone.status not in TERMINAL:
        raise WrongStateError(RequestCode.JOB_NOT_ENDED, undone.status)
    if not undo_queries.of_held(connection, undone_id).left(undone_id):
        raise WrongStateError(RequestCode.NOTHING_TO_UNDO, undone.status)
    is_gone = sa.select(retention.is_gone(Part.REPORT)).where(jobs.c.id == undone_id)
    if connection.execute(is_gone).scalar_one():
        raise WrongStateError(RequestCode.UNDO_EXPIRED, undone.status)
    accept(connection, Order(job, undone.tenant_id, created_by, JobKind.UNDO, JobOptions(), undo_of_id=undone_id))
