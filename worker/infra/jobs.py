"""The ledger of work: accepting a job, claiming a piece of it under a lease, and ending it in one transaction.

Every fact about a job is here and nowhere else; messages only wake workers up. Times are the database's. A piece of
work is a row of `job_chunks`: the check of a file, a chunk to write, a report to make. One claim and one commit serve
all three, at the first run and after any crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from schemas.codes import Outcome
from schemas.jobs import STATUS_DURING, TERMINAL, ChunkState, JobStatus, Phase, Tally, may_move_from, total_of
from schemas.tables import job_chunks, jobs, lease_tokens

# How long the message that follows the commit may take before the sweep sends another.
FIRST_HINT_SECONDS = 2.0
_TAKEN = [JobStatus.CANCELLING, *TERMINAL]  # jobs in these states give out no work


class LostLeaseError(Exception):
    """Another worker has the work now, or the job has ended: what this worker did must not count."""


@dataclass(frozen=True)
class Lease:
    """A claimed piece of work: whoever commits must still hold `token`."""

    job_id: int
    job: str  # the job's public id
    tenant_id: int
    phase: Phase
    number: int
    token: int
    attempt: int
    rows: int
    check: int  # the token of the committed check, whose files count; 0 while there is none


@dataclass(frozen=True)
class Upload:
    """A file that has arrived, not yet looked into."""

    job: str
    tenant_id: int
    created_by: str
    options: Mapping[str, Any]
    file_name: str
    file_size: int
    file_sha256: bytes


def accept(connection: sa.Connection, upload: Upload) -> int:
    """Enter a job and its first piece of work. The same bytes by the same tenant before are noted, not refused."""
    same = (
        sa.select(sa.func.max(jobs.c.id))
        .where(jobs.c.tenant_id == upload.tenant_id, jobs.c.file_sha256 == upload.file_sha256)
        .scalar_subquery()
    )
    values = {
        "public_id": upload.job,
        "tenant_id": upload.tenant_id,
        "kind": "upload",
        "status": JobStatus.ACCEPTED,
        "options": dict(upload.options),
        "created_by": upload.created_by,
        "file_name": upload.file_name,
        "file_size": upload.file_size,
        "file_sha256": upload.file_sha256,
        "duplicate_of_id": same,
    }
    job_id: int = connection.execute(jobs.insert().values(values).returning(jobs.c.id)).scalar_one()
    _add_work(connection, job_id, Phase.CHECK, {0: 0})
    return job_id


def claim(connection: sa.Connection, phase: Phase, lease_seconds: float) -> Lease | None:
    """Take the next piece of work of a phase, of the tenant with the fewest pieces running, or None if there is none.

    One statement; rows that another worker is just taking are passed over.
    """
    running = (
        sa.select(jobs.c.tenant_id, sa.func.count().label("pieces"))
        .join(job_chunks, job_chunks.c.job_id == jobs.c.id)
        .where(job_chunks.c.state == ChunkState.LEASED)
        .group_by(jobs.c.tenant_id)
        .cte("running")
    )
    picked = (
        sa.select(job_chunks.c.job_id, job_chunks.c.phase, job_chunks.c.number)
        .join(jobs, jobs.c.id == job_chunks.c.job_id)
        .outerjoin(running, running.c.tenant_id == jobs.c.tenant_id)
        .where(
            job_chunks.c.phase == phase,
            job_chunks.c.state == ChunkState.PENDING,
            job_chunks.c.next_attempt_at <= sa.func.now(),
            jobs.c.status.not_in(_TAKEN),
        )
        .order_by(sa.func.coalesce(running.c.pieces, 0), job_chunks.c.job_id, job_chunks.c.number)
        .limit(1)
        .with_for_update(of=job_chunks, skip_locked=True)
        .cte("picked")
    )
    taken = (
        job_chunks.update()
        .where(_same_work(job_chunks.c, picked.c), jobs.c.id == job_chunks.c.job_id)
        .values(
            state=ChunkState.LEASED,
            lease_token=lease_tokens.next_value(),
            lease_until=_in_seconds(lease_seconds),
            attempt=job_chunks.c.attempt + 1,
        )
        .returning(
            job_chunks.c.job_id,
            jobs.c.public_id,
            jobs.c.tenant_id,
            job_chunks.c.number,
            job_chunks.c.lease_token,
            job_chunks.c.attempt,
            job_chunks.c.rows,
            sa.func.coalesce(jobs.c.check_token, 0).label("check_token"),
        )
    )
    row = connection.execute(taken).one_or_none()
    if row is None:
        return None
    _move(connection, row.job_id, STATUS_DURING[phase])
    return Lease(
        job_id=row.job_id,
        job=row.public_id,
        tenant_id=row.tenant_id,
        phase=phase,
        number=row.number,
        token=row.lease_token,
        attempt=row.attempt,
        rows=row.rows,
        check=row.check_token,
    )


def extend(connection: sa.Connection, lease: Lease, lease_seconds: float) -> None:
    """The heartbeat. `LostLeaseError` if the lease is gone."""
    _update_held(connection, lease, {"lease_until": _in_seconds(lease_seconds)})


def give_back(connection: sa.Connection, lease: Lease, delay_seconds: float, *, counts: bool) -> None:
    """Return work for another try. A try that failed for the surroundings' fault does not count."""
    values = {
        "state": ChunkState.PENDING,
        "lease_until": None,
        "next_attempt_at": _in_seconds(delay_seconds),
        "hint_due_at": _in_seconds(delay_seconds),
        "attempt": job_chunks.c.attempt - (0 if counts else 1),
    }
    _update_held(connection, lease, values)


@dataclass(frozen=True)
class CheckedJob:
    """What checking came to: what the file is, how its rows stand, and the sizes of the chunks to be written."""

    file_facts: Mapping[str, Any]
    rows_total: int
    tally: Tally
    chunk_rows: Sequence[int]


def end_check(connection: sa.Connection, lease: Lease, checked: CheckedJob) -> Phase:
    """Enter the chunks, or the report if there is nothing to write; answers the phase whose work is now there."""
    _end_work(connection, lease, None, None)
    connection.execute(
        jobs.update()
        .where(jobs.c.id == lease.job_id)
        .values(
            file_facts=dict(checked.file_facts),
            rows_total=checked.rows_total,
            rows_done=checked.rows_total - sum(checked.chunk_rows),
            tally=checked.tally.to_json(),
            check_token=lease.token,
            chunks_left=len(checked.chunk_rows),
        )
    )
    _move(connection, lease.job_id, JobStatus.RUNNING)
    if not checked.chunk_rows:
        return _to_report(connection, lease.job_id)
    _add_work(connection, lease.job_id, Phase.WRITE, dict(enumerate(checked.chunk_rows)))
    return Phase.WRITE


def end_chunk(connection: sa.Connection, lease: Lease, result_key: str, tally: Tally) -> Phase | None:
    """Note a chunk as written; with the last one the report becomes work. Call it last in the transaction.

    `LostLeaseError` if the lease is gone or the job has ended: nothing of the transaction may count then.
    """
    _end_work(connection, lease, result_key, tally)
    left: int | None = connection.execute(
        jobs.update()
        .where(jobs.c.id == lease.job_id, jobs.c.status.not_in(TERMINAL))
        .values(chunks_left=jobs.c.chunks_left - 1, rows_done=jobs.c.rows_done + lease.rows)
        .returning(jobs.c.chunks_left)
    ).scalar_one_or_none()
    if left is None:
        raise LostLeaseError(f"job {lease.job} has ended")
    return _to_report(connection, lease.job_id) if left == 0 else None


def halve(connection: sa.Connection, lease: Lease, rows: Sequence[int]) -> list[int]:
    """Replace a chunk by smaller ones; answers their numbers. They inherit all tries but the last."""
    _update_held(connection, lease, {"state": ChunkState.DEAD, "lease_until": None})
    left = jobs.c.chunks_left + len(rows) - 1
    # Locks the job, so that two chunks halved at once do not choose the same numbers.
    connection.execute(jobs.update().where(jobs.c.id == lease.job_id).values(chunks_left=left))
    last: int = connection.execute(
        sa.select(sa.func.max(job_chunks.c.number)).where(
            job_chunks.c.job_id == lease.job_id, job_chunks.c.phase == lease.phase
        )
    ).scalar_one()
    numbers = list(range(last + 1, last + 1 + len(rows)))
    _add_work(connection, lease.job_id, lease.phase, dict(zip(numbers, rows, strict=True)), lease.attempt - 2)
    return numbers


def dead(connection: sa.Connection, job_id: int) -> int:
    """How many pieces of a job were halved."""
    query = sa.select(sa.func.count()).where(job_chunks.c.job_id == job_id, job_chunks.c.state == ChunkState.DEAD)
    return connection.execute(query).scalar_one()


def end_report(connection: sa.Connection, lease: Lease, tally: Tally) -> None:
    """The job's end: its counts are fixed and its report stands."""
    _end_work(connection, lease, None, None)
    connection.execute(jobs.update().where(jobs.c.id == lease.job_id).values(tally=tally.to_json()))
    has_errors = tally.count(Outcome.FAILED) > 0
    _move(connection, lease.job_id, JobStatus.COMPLETED_WITH_ERRORS if has_errors else JobStatus.COMPLETED)


def fail(connection: sa.Connection, lease: Lease, problem: Mapping[str, Any]) -> None:
    """End a job that cannot be carried through; its problem is kept, and what was written until then stays counted."""
    _end_work(connection, lease, None, None)
    same = jobs.c.id == lease.job_id
    # Locked before it is counted: a chunk that is just being committed is either in the tally or finds the job ended.
    connection.execute(sa.select(jobs.c.id).where(same).with_for_update())
    tally = tally_of(connection, lease.job_id).to_json()
    connection.execute(jobs.update().where(same).values(problem=dict(problem), tally=tally))
    _move(connection, lease.job_id, JobStatus.FAILED)


def result_keys(connection: sa.Connection, job_id: int) -> list[str]:
    """The result files of a job's chunks, in chunk order."""
    query = (
        sa.select(job_chunks.c.result_key)
        .where(job_chunks.c.job_id == job_id, job_chunks.c.phase == Phase.WRITE)
        .order_by(job_chunks.c.number)
    )
    return [key for key in connection.execute(query).scalars() if key is not None]


def tally_of(connection: sa.Connection, job_id: int) -> Tally:
    """How a job's rows stand now: what checking settled, and every chunk that is written."""
    checked = connection.execute(sa.select(jobs.c.tally).where(jobs.c.id == job_id)).scalar_one()
    written = connection.execute(
        sa.select(job_chunks.c.tally).where(job_chunks.c.job_id == job_id, job_chunks.c.tally.is_not(None))
    ).scalars()
    return total_of([Tally.from_json(checked), *map(Tally.from_json, written)])


def job_row(connection: sa.Connection, job_id: int) -> sa.Row[Any]:
    """A job by its inner id, for the worker that holds its lease."""
    return connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one()


def _add_work(connection: sa.Connection, job_id: int, phase: Phase, rows: Mapping[int, int], attempt: int = 0) -> None:
    """Enter pieces of work: number -> rows."""
    pieces = [
        {"job_id": job_id, "phase": phase, "number": number, "rows": count, "attempt": attempt}
        for number, count in rows.items()
    ]
    connection.execute(job_chunks.insert().values(hint_due_at=_in_seconds(FIRST_HINT_SECONDS)), pieces)


def _to_report(connection: sa.Connection, job_id: int) -> Phase:
    _move(connection, job_id, JobStatus.PUBLISHING)
    _add_work(connection, job_id, Phase.REPORT, {0: 0})
    return Phase.REPORT


def _end_work(connection: sa.Connection, lease: Lease, result_key: str | None, tally: Tally | None) -> None:
    values = {
        "state": ChunkState.DONE,
        "lease_until": None,
        "result_key": result_key,
        "tally": None if tally is None else tally.to_json(),
    }
    _update_held(connection, lease, values)


def _update_held(connection: sa.Connection, lease: Lease, values: Mapping[str, Any]) -> None:
    """Change a piece of work only while the lease holds: the fence of every commit."""
    held = job_chunks.update().where(
        job_chunks.c.job_id == lease.job_id,
        job_chunks.c.phase == lease.phase,
        job_chunks.c.number == lease.number,
        job_chunks.c.state == ChunkState.LEASED,
        job_chunks.c.lease_token == lease.token,
    )
    if connection.execute(held.values(values)).rowcount == 0:
        raise LostLeaseError(f"job {lease.job}, {lease.phase} {lease.number}")


def _move(connection: sa.Connection, job_id: int, status: JobStatus) -> None:
    """Move a job along, by legal moves only; where it already is, it stays. `LostLeaseError` if it has ended."""
    values: dict[str, Any] = {"status": status}
    if status is JobStatus.CHECKING:
        values["started_at"] = sa.func.now()
    if status in TERMINAL:
        values["finished_at"] = sa.func.now()
    moved = connection.execute(
        jobs.update().where(jobs.c.id == job_id, jobs.c.status.in_(may_move_from(status))).values(values)
    )
    if moved.rowcount:
        return
    now = connection.execute(sa.select(jobs.c.status).where(jobs.c.id == job_id)).scalar_one()
    if now != status:
        raise LostLeaseError(f"job {job_id} is {now}")


def _same_work(
    one: ReadOnlyColumnCollection[str, Any], other: ReadOnlyColumnCollection[str, Any]
) -> sa.ColumnElement[bool]:
    return sa.and_(one.job_id == other.job_id, one.phase == other.phase, one.number == other.number)


def _in_seconds(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def free_expired(connection: sa.Connection) -> int:
    """Work whose worker has been silent for a whole lease goes back; answers how many pieces."""
    expired = job_chunks.update().where(
        job_chunks.c.state == ChunkState.LEASED, job_chunks.c.lease_until < sa.func.now()
    )
    values = {"state": ChunkState.PENDING, "lease_until": None, "hint_due_at": sa.func.now()}
    return connection.execute(expired.values(values)).rowcount


def overdue(connection: sa.Connection, hint_seconds: float) -> list[tuple[Phase, str, int]]:
    """Pending work that nobody has come for: (phase, job, pieces). It is overdue again only after `hint_seconds`."""
    due = (
        sa.select(job_chunks.c.job_id, job_chunks.c.phase, job_chunks.c.number)
        .join(jobs, jobs.c.id == job_chunks.c.job_id)
        .where(
            job_chunks.c.state == ChunkState.PENDING,
            job_chunks.c.hint_due_at <= sa.func.now(),
            jobs.c.status.not_in(_TAKEN),
        )
        .with_for_update(of=job_chunks, skip_locked=True)
        .cte("due")
    )
    marked = (
        job_chunks.update()
        .where(_same_work(job_chunks.c, due.c), jobs.c.id == job_chunks.c.job_id)
        .values(hint_due_at=_in_seconds(hint_seconds))
        .returning(job_chunks.c.phase, jobs.c.public_id)
        .cte("marked")
    )
    counted = sa.select(marked.c.phase, marked.c.public_id, sa.func.count()).group_by(*marked.c)
    return [(Phase(phase), job, count) for phase, job, count in connection.execute(counted)]
