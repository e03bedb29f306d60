"""Work items of workbook reports: one for each workbook of a job, created by the first request for it.

The file's key contains the token of the lease that built it (`worker.storage.files.workbook_key`). It is served as long
as the job's report is kept. A build that has failed for good can be ordered again after `PAUSE_SECONDS`, so requests
cannot keep workers busy with a workbook that cannot be built. A tenant has at most `MOST_OPEN` workbooks waiting or
being built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from schemas.database.tables import job_chunks, jobs
from schemas.jobs import ChunkState, Phase
from schemas.metrics import PIECES
from schemas.workbooks import WorkbookKind
from worker.database import counters
from worker.jobs import retention
from worker.jobs.retention import FileClass
from worker.queue import job_state
from worker.queue.job_state import in_seconds
from worker.queue.leases import Lease, LostLeaseError, update_leased

PAUSE_SECONDS = 300.0
MOST_OPEN = 50
_HELD = ("job_id", "phase", "number")


@dataclass(frozen=True)
class Ordered:
    """The current state of a workbook's work item.

    `key`: the stored file, once it is built. `retry_seconds`: time until a failed build can be ordered again; None
    unless it has failed. `is_new`: this order has created or restarted it, so a wake-up message is to be sent.
    `is_refused`: it was not created, because the tenant has too many others open.
    """

    key: str | None
    retry_seconds: float | None = None
    is_new: bool = False
    is_refused: bool = False


def order(connection: sa.Connection, job_id: int, kind: WorkbookKind) -> Ordered:
    """Create the work item that builds a workbook, unless there is one; return its state.

    The job must have a report (of this kind) now. Any number of concurrent orders create one work item.
    """
    row = _row(connection, job_id, kind)
    if row is not None and not row.may_be_retried:
        return _ordered(row)
    if _open_of_tenant(connection, job_id) >= MOST_OPEN:
        return Ordered(None, is_refused=True)
    enter = _entered if row is None else _entered_again
    return Ordered(None, is_new=enter(connection, job_id, kind))


def state_of(connection: sa.Connection, job_id: int, kind: WorkbookKind) -> Ordered:
    """Return the state of a workbook that was ordered; without a `key` if its work item has been dropped."""
    row = _row(connection, job_id, kind)
    return Ordered(None) if row is None else _ordered(row)


def _row(connection: sa.Connection, job_id: int, kind: WorkbookKind) -> sa.Row[Any] | None:
    is_failed = job_chunks.c.state == ChunkState.DEAD
    left = PAUSE_SECONDS - sa.extract("epoch", sa.func.now() - job_chunks.c.ended_at)
    query = sa.select(
        sa.case((job_chunks.c.state == ChunkState.DONE, job_chunks.c.result_key)).label("key"),
        sa.case((is_failed, sa.func.greatest(left, 1.0))).label("retry_seconds"),
        (is_failed & (job_chunks.c.ended_at <= in_seconds(-PAUSE_SECONDS))).label("may_be_retried"),
    )
    return connection.execute(query.where(*_is(job_id, kind))).one_or_none()


def _ordered(row: sa.Row[Any]) -> Ordered:
    return Ordered(row.key, None if row.retry_seconds is None else float(row.retry_seconds))


def _open_of_tenant(connection: sa.Connection, job_id: int) -> int:
    """Return how many workbooks of the job's tenant are waiting or being built."""
    tenant = sa.select(jobs.c.tenant_id).where(jobs.c.id == job_id).scalar_subquery()
    # In literals, as the index of them has it.
    is_open = sa.text(f"phase = '{Phase.WORKBOOK}' AND state IN ('{ChunkState.PENDING}', '{ChunkState.LEASED}')")
    query = (
        sa.select(sa.func.count())
        .join_from(job_chunks, jobs, jobs.c.id == job_chunks.c.job_id)
        .where(is_open, jobs.c.tenant_id == tenant)
    )
    count: int = connection.execute(query).scalar_one()
    return count


def _is(job_id: int, kind: WorkbookKind) -> tuple[sa.ColumnElement[bool], ...]:
    columns = job_chunks.c
    return columns.job_id == job_id, columns.phase == Phase.WORKBOOK, columns.number == kind.number


def _entered(connection: sa.Connection, job_id: int, kind: WorkbookKind) -> bool:
    values = {"job_id": job_id, "phase": Phase.WORKBOOK.value, "number": kind.number}
    hint_due_at = in_seconds(job_state.FIRST_WAKEUP_SECONDS)
    entered = postgresql.insert(job_chunks).values(**values, hint_due_at=hint_due_at)
    entered = entered.on_conflict_do_nothing(index_elements=_HELD)
    return connection.execute(entered.returning(job_chunks.c.number)).one_or_none() is not None


def _entered_again(connection: sa.Connection, job_id: int, kind: WorkbookKind) -> bool:
    values = {
        "state": ChunkState.PENDING,
        "attempt": 0,
        "setbacks": 0,
        "setback_since": None,
        "last_error": None,
        "next_attempt_at": sa.func.now(),
        "hint_due_at": in_seconds(job_state.FIRST_WAKEUP_SECONDS),
    }
    may = (job_chunks.c.state == ChunkState.DEAD) & (job_chunks.c.ended_at <= in_seconds(-PAUSE_SECONDS))
    return connection.execute(job_chunks.update().where(*_is(job_id, kind), may).values(values)).rowcount > 0


def described(connection: sa.Connection, lease: Lease) -> sa.Row[Any]:
    """Return the job whose workbook is built, with `duplicate_of` and whether its report `is_gone`.

    `LostLeaseError` if the job was removed meanwhile.
    """
    earlier = jobs.alias()
    query = (
        sa.select(jobs, earlier.c.public_id.label("duplicate_of"), retention.is_gone(FileClass.REPORT).label("is_gone"))
        .outerjoin(earlier, earlier.c.id == jobs.c.duplicate_of_id)
        .where(jobs.c.id == lease.job_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise LostLeaseError(f"job {lease.job_public_id} is gone")
    return row


def end(connection: sa.Connection, lease: Lease, key: str) -> bool:
    """Record a workbook as built and stored under `key`. `LostLeaseError`.

    Return False if the report has expired meanwhile, or the review is over.
    """
    built = {"state": ChunkState.DONE, "lease_until": None, "ended_at": sa.func.clock_timestamp(), "result_key": key}
    update_leased(connection, lease, built)
    # Locked until the commit: a cleaner that removes the report finds this file, or has marked the report as gone.
    locked_job = sa.select(jobs.c.status, retention.is_gone(FileClass.REPORT).label("is_gone")).where(
        jobs.c.id == lease.job_id
    )
    job = connection.execute(locked_job.with_for_update(key_share=True)).one()
    if job.is_gone or not WorkbookKind.of_number(lease.number).is_current(job.status):
        _delete(connection, lease)
        return False
    counters.add(connection, {(PIECES, (Phase.WORKBOOK.value,)): 1})
    return True


def drop(connection: sa.Connection, lease: Lease) -> None:
    """Remove a work item that is no longer needed: the review is over or the report has expired. `LostLeaseError`."""
    update_leased(connection, lease, {"state": ChunkState.DONE, "lease_until": None})
    _delete(connection, lease)


def give_up(connection: sa.Connection, lease: Lease) -> None:
    """Record that a workbook could not be built; the job itself does not change. `LostLeaseError`."""
    failed = {"state": ChunkState.DEAD, "lease_until": None, "ended_at": sa.func.clock_timestamp()}
    update_leased(connection, lease, failed)


def _delete(connection: sa.Connection, lease: Lease) -> None:
    values: Sequence[Any] = (lease.job_id, lease.phase, lease.number)
    same = (job_chunks.c[name] == value for name, value in zip(_HELD, values, strict=True))
    connection.execute(job_chunks.delete().where(*same))
