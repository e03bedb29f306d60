"""Leases: work items are claimed, their leases extended and given back; and the fence that every commit has to pass.

A work item is a row of `job_chunks`: the check of a file, a chunk to write, a report to make, a callback to send. One
claim and one fence serve them all, at the first run and after any crash. `worker.queue.completion` records results.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningUpdate

from schemas.database.tables import job_chunks, jobs, lease_tokens, tenants
from schemas.jobs import WORKED_IN, ChunkState, JobStatus, Phase, Stage
from worker.config import tracing
from worker.config.request_origin import NO_ORIGIN, Origin
from worker.config.settings import get_settings
from worker.database import schema_version
from worker.queue import job_state, turns
from worker.queue.job_state import in_seconds

_JOB = sa.bindparam("candidate", type_=sa.BigInteger)
_LEASE = sa.bindparam("lease_seconds", type_=sa.Double)


class LostLeaseError(Exception):
    """Another worker has the work item now, or the job has ended: this worker's results must not be committed."""


@dataclass(frozen=True)
class Lease:
    """A claimed work item; a commit succeeds only while `token` is the work item's current one."""

    job_id: int
    job_public_id: str
    tenant_id: int
    phase: Phase
    number: int
    token: int
    attempt: int
    rows: int
    # Token of the committed check, whose files are the valid ones; of a chunk, the one that stored it. 0: none.
    check: int
    read: int = 0  # token of the committed read; the rest as for `check`
    transient_failures: int = 0  # attempts that did not count
    held_up_seconds: float = 0.0  # since the first of them
    last_error: str | None = None  # of the last attempt that counted: kind of error, then its reason
    tenant_public_id: str = ""
    origin: Origin = NO_ORIGIN  # the request that submitted the job
    goes_on: bool = False  # from the check on, the worker goes on with the next work item of a small job (`claim_next`)
    seconds: dict[Stage, float] = field(default_factory=dict, compare=False)  # time spent in each stage so far

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Add the block's duration to the time of a stage."""
        began = time.perf_counter()
        try:
            with tracing.span(stage.value):
                yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began


def claim(
    connection: sa.Connection, phases: Phase | tuple[Phase, ...], lease_seconds: float, *, goes_on: bool = False
) -> Lease | None:
    """Claim the next work item of some phases, by the turns of tenants and jobs (`worker.queue.turns`).

    None if nothing waits in the order of turns, or nothing of it can be claimed. Skips work items that another worker
    is claiming. `goes_on`: as in `Lease`.
    """
    phases = (phases,) if isinstance(phases, Phase) else phases
    for candidate in turns.candidates(connection, phases):
        values = {_JOB.key: candidate.job_id, _LEASE.key: lease_seconds}
        row = connection.execute(_claim_statement(phases), values).one_or_none()
        if row is None:
            continue
        if row.phase == Phase.CHECK:
            job_state.change_status(connection, row.job_id, JobStatus.CHECKING)
        if row.phase == Phase.EXPORT:
            job_state.start_export(connection, row.job_id)
        turns.settle(connection, candidate, get_settings().hint_seconds, row.lease_token)
        return _lease_of(row, goes_on=goes_on and row.phase == Phase.CHECK)
    return None


_CLAIM_NEXT = sa.text(f"""
    INSERT INTO job_chunks (job_id, phase, number, state, attempt, rows, lease_token, worker_token, worker_version,
        lease_until, claimed_at)
    SELECT :job_id, :phase, 0, '{ChunkState.LEASED}', 1, :rows, token, token, :version,
        now() + make_interval(secs => :lease_seconds), now()
    FROM nextval('{lease_tokens.name}') AS token
    RETURNING lease_token""")  # noqa: S608 - ours


def claim_next(connection: sa.Connection, lease: Lease, phase: Phase, rows: int, lease_seconds: float) -> Lease:
    """Add the only work item of a job's next phase, and claim it, in the transaction that ends this lease.

    It takes no turn: a small job is one work item to the queue. If the lease expires, it is claimed as any other.
    """
    values = {"job_id": lease.job_id, "phase": phase.value, "rows": rows, "lease_seconds": lease_seconds}
    claimed = connection.execute(_CLAIM_NEXT, values | {"version": int(schema_version.own())}).scalar_one()
    return Lease(
        job_id=lease.job_id,
        job_public_id=lease.job_public_id,
        tenant_id=lease.tenant_id,
        phase=phase,
        number=0,
        token=claimed,
        attempt=1,
        rows=rows,
        check=lease.token if lease.phase is Phase.CHECK else lease.check,
        read=lease.token if lease.phase is Phase.CHECK else lease.read,
        tenant_public_id=lease.tenant_public_id,
        origin=lease.origin,
        goes_on=True,
    )


def _lease_of(row: sa.Row[Any], *, goes_on: bool) -> Lease:
    return Lease(
        job_id=row.job_id,
        job_public_id=row.public_id,
        tenant_id=row.tenant_id,
        phase=Phase(row.phase),
        number=row.number,
        token=row.lease_token,
        attempt=row.attempt,
        rows=row.rows,
        check=row.check_token,
        read=row.read_token,
        transient_failures=row.setbacks,
        held_up_seconds=float(row.held_up_seconds),
        last_error=row.last_error,
        tenant_public_id=row.tenant_public_id,
        origin=Origin(row.request_id, row.traceparent),
        goes_on=goes_on,
    )


@lru_cache(maxsize=len(Phase) + 2)
def _claim_statement(phases: tuple[Phase, ...]) -> ReturningUpdate[Any]:
    """Return the statement that claims a work item of a job; cached: building it takes longer than running it."""
    picked = (
        sa.select(job_chunks.c.job_id, job_chunks.c.phase, job_chunks.c.number)
        .where(
            job_chunks.c.job_id == _JOB,
            job_chunks.c.phase.in_(phases),
            job_chunks.c.state == sa.literal_column(f"'{ChunkState.PENDING}'"),  # a parameter rules out the index
            job_chunks.c.next_attempt_at <= sa.func.now(),
        )
        .order_by(job_chunks.c.number)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    # A claim and `job_state.lock_job` wait for each other, and the claim then checks the status again: a transaction
    # that cancels a job sees every claimed work item. Nothing else has to wait for this lock.
    job = (
        sa.select(
            lease_tokens.next_value().label("token"),
            *(jobs.c[name] for name in ("id", "public_id", "tenant_id", "check_token", "read_token")),
            jobs.c.request_id,
            jobs.c.traceparent,
        )
        .join(picked, picked.c.job_id == jobs.c.id)
        .where(jobs.c.id == _JOB)  # found by its key, whatever the planner expects of `picked`
        .where(sa.or_(*(sa.and_(picked.c.phase == phase, jobs.c.status.in_(WORKED_IN[phase])) for phase in phases)))
        .with_for_update(of=jobs, read=True, key_share=True)
        .cte("job")
    )
    return (
        job_chunks.update()
        .where(job_chunks.c.job_id == _JOB, job_state.is_same_work_item(job_chunks.c, picked.c))
        .where(job.c.id == picked.c.job_id)
        .values(
            state=ChunkState.LEASED,
            lease_token=job.c.token,
            worker_token=job.c.token,
            lease_until=in_seconds(_LEASE),
            attempt=job_chunks.c.attempt + 1,
            claimed_at=sa.func.now(),
            worker_version=int(schema_version.own()),
        )
        .returning(
            job_chunks.c.job_id,
            job_chunks.c.phase,
            job.c.public_id,
            job.c.tenant_id,
            sa.select(tenants.c.public_id)
            .where(tenants.c.id == job.c.tenant_id)
            .scalar_subquery()
            .label("tenant_public_id"),
            job.c.request_id,
            job.c.traceparent,
            job_chunks.c.number,
            job_chunks.c.lease_token,
            job_chunks.c.attempt,
            job_chunks.c.rows,
            sa.func.coalesce(job_chunks.c.check_token, job.c.check_token, 0).label("check_token"),
            sa.func.coalesce(job.c.read_token, 0).label("read_token"),
            job_chunks.c.setbacks,
            job_chunks.c.last_error,
            sa.func.coalesce(sa.extract("epoch", sa.func.now() - job_chunks.c.setback_since), 0).label(
                "held_up_seconds"
            ),
        )
    )


def extend(connection: sa.Connection, lease: Lease, lease_seconds: float) -> None:
    """Extend the lease (heartbeat). `LostLeaseError` if it is lost."""
    update_leased(connection, lease, {"lease_until": in_seconds(lease_seconds)})


def release(
    connection: sa.Connection, lease: Lease, delay_seconds: float, *, counts: bool, error: str | None = None
) -> None:
    """Give a work item back for another attempt. `counts` is False after a transient failure.

    `error`: the kind of error that an attempt that counts has failed with, and its reason.
    """
    values: dict[str, Any] = {
        "state": ChunkState.PENDING,
        "lease_until": None,
        "next_attempt_at": in_seconds(delay_seconds),
        "hint_due_at": in_seconds(delay_seconds),
    }
    if counts:
        values["last_error"] = error
    else:
        values |= {
            "attempt": job_chunks.c.attempt - 1,
            "setbacks": job_chunks.c.setbacks + 1,
            "setback_since": sa.func.coalesce(job_chunks.c.setback_since, sa.func.now()),
        }
    update_leased(connection, lease, values)


# Built once: that takes longer than running it.
_HELD = job_chunks.update().where(
    job_chunks.c.job_id == sa.bindparam("of_job"),
    job_chunks.c.phase == sa.bindparam("of_phase"),
    job_chunks.c.number == sa.bindparam("of_number"),
    job_chunks.c.state == ChunkState.LEASED,
    job_chunks.c.lease_token == sa.bindparam("of_token"),
)


def update_leased(connection: sa.Connection, lease: Lease, values: Mapping[str, Any]) -> None:
    """Update a work item, or raise `LostLeaseError` if the lease is lost: the fence of every commit."""
    held = {"of_job": lease.job_id, "of_phase": lease.phase.value, "of_number": lease.number, "of_token": lease.token}
    if connection.execute(_HELD.values(values), held).rowcount == 0:
        raise LostLeaseError(f"job {lease.job_public_id}, {lease.phase} {lease.number}")
