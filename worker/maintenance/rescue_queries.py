"""Queries of the rescue round, by state and deadline: expired leases and reviews, stuck cancellations.

Any number of rounds may run at once: each skips rows that another one has locked.
"""

from __future__ import annotations

import sqlalchemy as sa

from schemas.database.tables import job_chunks, jobs
from schemas.jobs import ChunkState, JobStatus, Phase
from schemas.request_problems import RequestCode, of_request
from worker.queue import job_state

_KEY = (job_chunks.c.job_id, job_chunks.c.phase, job_chunks.c.number)


def release_expired_leases(connection: sa.Connection) -> int:
    """Release work items whose worker has not extended the lease in time; return how many."""
    expired = (
        sa.select(*_KEY)
        .where(job_chunks.c.state == ChunkState.LEASED, job_chunks.c.lease_until < sa.func.now())
        .with_for_update(skip_locked=True)
    )
    now = sa.func.now()  # also for `next_attempt_at`: a leased work item did not wait
    values = {"state": ChunkState.PENDING, "lease_until": None, "hint_due_at": now, "next_attempt_at": now}
    return connection.execute(job_chunks.update().where(sa.tuple_(*_KEY).in_(expired)).values(values)).rowcount


def expire_reviews(connection: sa.Connection) -> int:
    """Cancel jobs not confirmed in time, with REVIEW_EXPIRED; return how many. `finish_cancellations` ends them."""
    expired = (
        sa.select(jobs.c.id)
        .where(jobs.c.status == JobStatus.REVIEW, jobs.c.review_until <= sa.func.now())
        .with_for_update(skip_locked=True)
    )
    values = {"status": JobStatus.CANCELLING, "problem": of_request(RequestCode.REVIEW_EXPIRED)}
    return connection.execute(jobs.update().where(jobs.c.id.in_(expired)).values(values)).rowcount


def finish_cancellations(connection: sa.Connection) -> list[tuple[Phase | None, str]]:
    """Settle jobs that are being cancelled and have no leased work item, because a worker has died or given up.

    Return for each job the phase that now has work items, if any, and its public id.
    """
    stuck = (
        sa.select(jobs.c.id, jobs.c.public_id)
        .where(jobs.c.status == JobStatus.CANCELLING, ~job_state.is_waited_for())
        .with_for_update(skip_locked=True)
    )
    return [
        (job_state.finish_cancellation(connection, row.id), row.public_id) for row in connection.execute(stuck).all()
    ]
