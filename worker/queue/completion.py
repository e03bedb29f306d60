"""What came of each piece of a job's work, entered in one transaction with it. How a job begins is told in `orders`.

Every fact about a job is in the ledger (`jobs`, `job_chunks`); messages only wake workers up. Times are the
database's. Whoever enters something holds the piece's lease (`leases`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.codes import Outcome
from schemas.database.tables import job_chunks, jobs
from schemas.jobs import (
    TERMINAL,
    ChunkState,
    JobStatus,
    Phase,
    Tally,
    total_of,
)
from schemas.metrics import PIECES
from worker.config.settings import get_settings
from worker.database import counters
from worker.queue import job_state
from worker.queue.job_state import in_seconds
from worker.queue.leases import Lease, LostLeaseError, update_held


@dataclass(frozen=True)
class CheckedJob:
    """What checking came to: what the file is, how its rows stand, and the sizes of the chunks to be written.

    `review` is what the chunks would do (`schemas.http.resources.Review`), for a job that waits to be confirmed.
    """

    file_facts: Mapping[str, Any]
    rows_total: int
    tally: Tally
    chunk_rows: Sequence[int]
    review: Mapping[str, Any] | None = None


def end_read(
    connection: sa.Connection, lease: Lease, file_facts: Mapping[str, Any], batch_rows: Sequence[int]
) -> Phase | None:
    """Enter the batches of a large file, each to be validated by itself; answers the phase whose work is now there.

    A job that was cancelled meanwhile ends here: nothing is known of its rows.
    """
    _end_work(connection, lease)
    values = {"file_facts": dict(file_facts), "read_token": lease.token, "pieces_left": len(batch_rows)}
    if _change(connection, lease, **values).status == JobStatus.CANCELLING:
        return job_state.settle(connection, lease.job_id)
    job_state.add_work(connection, lease.job_id, Phase.VALIDATE, dict(enumerate(batch_rows)))
    return Phase.VALIDATE


def end_validate(connection: sa.Connection, lease: Lease, key: str) -> Phase | None:
    """Note a batch as validated, its findings under `key`; after the last one all rows are looked at together."""
    _end_work(connection, lease, result_key=key)
    job = _change(connection, lease, pieces_left=jobs.c.pieces_left - 1)
    if job.status == JobStatus.CANCELLING:
        return job_state.settle(connection, lease.job_id)
    if job.pieces_left:
        return None
    job_state.add_work(connection, lease.job_id, Phase.CUT, {0: 0})
    return Phase.CUT


def end_check(connection: sa.Connection, lease: Lease, checked: CheckedJob) -> Phase | None:
    """Enter the chunks, or the report if there is nothing to write; answers the phase whose work is now there.

    None for a job that waits to be confirmed: its chunks are entered, and nobody gets them yet. Of a job that was
    cancelled while it was checked nothing is written, and what was found out is reported.
    """
    _end_work(connection, lease)
    status = _change(
        connection,
        lease,
        file_facts=dict(checked.file_facts),
        rows_total=checked.rows_total,
        rows_done=checked.rows_total - sum(checked.chunk_rows),
        tally=checked.tally.to_json(),
        read_token=lease.read or lease.token,
        check_token=lease.token,
        pieces_left=len(checked.chunk_rows),
    ).status
    if status == JobStatus.CANCELLING:
        return job_state.settle(connection, lease.job_id)
    if checked.chunk_rows:
        job_state.add_work(connection, lease.job_id, Phase.WRITE, dict(enumerate(checked.chunk_rows)))
    if checked.review is not None:
        _change(connection, lease, review=dict(checked.review), review_until=in_seconds(get_settings().review_seconds))
        job_state.move(connection, lease.job_id, JobStatus.REVIEW)
        return None
    job_state.move(connection, lease.job_id, JobStatus.RUNNING)
    return Phase.WRITE if checked.chunk_rows else job_state.to_report(connection, lease.job_id)


def end_chunk(
    connection: sa.Connection, lease: Lease, result_key: str, tally: Tally, image_key: str | None = None
) -> Phase | None:
    """Note a chunk as written; with the last one the report becomes work. Call it last in the transaction.

    `LostLeaseError` if the lease is gone or the job has ended: nothing of the transaction may count then.
    """
    _end_work(connection, lease, result_key=result_key, tally=tally.to_json(), image_key=image_key)
    job = _change(connection, lease, pieces_left=jobs.c.pieces_left - 1, rows_done=jobs.c.rows_done + lease.rows)
    if job.status == JobStatus.CANCELLING:
        return job_state.settle(connection, lease.job_id)
    return None if job.pieces_left else job_state.to_report(connection, lease.job_id)


def halve(connection: sa.Connection, lease: Lease, rows: Sequence[int]) -> list[int]:
    """Replace a chunk by smaller ones; answers their numbers.

    Numbers as in a heap: whoever halves the same chunk again, having lost or slept through the first time, chooses the
    same, and no other chunk's. However often the halving was broken off, the halves have two tries, single rows all:
    one that fails by chance must not cost a sound row its place. They know what kind of error the chunk failed with.
    """
    update_held(connection, lease, {"state": ChunkState.DEAD, "lease_until": None})
    # Locks the job: while two chunks are halved at once each sees what the other has entered, or nothing of it.
    _change(connection, lease, pieces_left=jobs.c.pieces_left + len(rows) - 1)
    of_job = sa.select(sa.func.count(), sa.func.count().filter(job_chunks.c.state == ChunkState.DEAD)).where(
        job_chunks.c.job_id == lease.job_id, job_chunks.c.phase == lease.phase
    )
    pieces, halved = connection.execute(of_job).one()
    first = pieces - len(rows) * (halved - 1)  # how many chunks the check has made
    numbers = [first + len(rows) * lease.number + place for place in range(len(rows))]
    for number, count in zip(numbers, rows, strict=True):
        tried = max(get_settings().max_attempts - 2, 0) if count > 1 else 0
        beside = {"attempt": tried, "last_error": lease.last_error}
        job_state.add_work(connection, lease.job_id, lease.phase, {number: count}, **beside)
    return numbers


def dead(connection: sa.Connection, job_id: int) -> int:
    """How many pieces of a job were halved."""
    query = sa.select(sa.func.count()).where(
        job_chunks.c.job_id == job_id, job_chunks.c.phase == Phase.WRITE, job_chunks.c.state == ChunkState.DEAD
    )
    return connection.execute(query).scalar_one()


def end_merge(connection: sa.Connection, lease: Lease, tally: Tally, batch_rows: Sequence[int]) -> Phase:
    """Every row's result stands, and adds up to `tally`. Enter the parts of the report, to be rendered one by one."""
    _end_work(connection, lease, tally=tally.to_json())
    _change(connection, lease, pieces_left=len(batch_rows))
    job_state.add_work(connection, lease.job_id, Phase.RENDER, dict(enumerate(batch_rows)))
    return Phase.RENDER


def end_render(connection: sa.Connection, lease: Lease) -> Phase | None:
    """Note a part of the report as stored; the last one is the job's end. Answers as `end_report`."""
    _end_work(connection, lease)
    if _change(connection, lease, pieces_left=jobs.c.pieces_left - 1).pieces_left:
        return None
    merged = sa.select(job_chunks.c.tally).where(
        job_chunks.c.job_id == lease.job_id, job_chunks.c.phase == Phase.REPORT
    )
    return _finish(connection, lease, Tally.from_json(connection.execute(merged).scalar_one()))


def end_report(connection: sa.Connection, lease: Lease, tally: Tally) -> Phase | None:
    """The job's end: its counts are fixed and its report stands. Answers the phase whose work is now there, if any."""
    _end_work(connection, lease)
    return _finish(connection, lease, tally)


def _finish(connection: sa.Connection, lease: Lease, tally: Tally) -> Phase | None:
    job = _change(connection, lease, tally=tally.to_json())
    ending = JobStatus.COMPLETED_WITH_ERRORS if tally.count(Outcome.FAILED) else JobStatus.COMPLETED
    cancelled = job.status == JobStatus.CANCELLING
    return job_state.end(connection, lease.job_id, JobStatus.CANCELLED if cancelled else ending)


def end_callback(connection: sa.Connection, lease: Lease, *, delivered: bool) -> None:
    """The end of a callback's piece: it got there, or is given up. Nothing of the job changes. `LostLeaseError`."""
    update_held(connection, lease, {"state": ChunkState.DONE if delivered else ChunkState.DEAD, "lease_until": None})
    counters.add(connection, {(PIECES, (Phase.CALLBACK.value,)): int(delivered)})


def fail(connection: sa.Connection, lease: Lease, problem: Mapping[str, Any]) -> Phase | None:
    """End a job that cannot be carried through; its problem is kept, and what was written until then stays counted.

    Answers the phase whose work is now there, if any.
    """
    _end_work(connection, lease)
    # Locked before it is counted: a chunk that is just being committed is either in the tally or finds the job ended.
    _change(connection, lease, problem=dict(problem))
    _change(connection, lease, tally=tally_of(connection, lease.job_id).to_json())
    return job_state.end(connection, lease.job_id, JobStatus.FAILED)


def result_keys(connection: sa.Connection, job_id: int, phase: Phase = Phase.WRITE) -> list[str]:
    """The result files of a job's chunks, or of its batches (VALIDATE), in their order."""
    query = (
        sa.select(job_chunks.c.result_key)
        .where(job_chunks.c.job_id == job_id, job_chunks.c.phase == phase)
        .order_by(job_chunks.c.number)
    )
    return [key for key in connection.execute(query).scalars() if key is not None]


def image_keys(connection: sa.Connection, job_id: int) -> list[str]:
    """The files that tell how numbers stood before the job changed them, in chunk order."""
    query = (
        sa.select(job_chunks.c.image_key)
        .where(job_chunks.c.job_id == job_id, job_chunks.c.image_key.is_not(None))
        .order_by(job_chunks.c.number)
    )
    return [str(key) for key in connection.execute(query).scalars()]


def tally_of(connection: sa.Connection, job_id: int) -> Tally:
    """How a job's rows stand now: what checking settled, and every chunk that is written."""
    checked = connection.execute(sa.select(jobs.c.tally).where(jobs.c.id == job_id)).scalar_one()
    written = connection.execute(
        sa.select(job_chunks.c.tally).where(
            job_chunks.c.job_id == job_id, job_chunks.c.phase == Phase.WRITE, job_chunks.c.tally.is_not(None)
        )
    ).scalars()
    return total_of([Tally.from_json(checked), *map(Tally.from_json, written)])


def job_row(connection: sa.Connection, job_id: int) -> sa.Row[Any]:
    """A job by its inner id, for the worker that holds its lease."""
    return connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one()


def _change(connection: sa.Connection, lease: Lease, **values: Any) -> sa.Row[Any]:  # noqa: ANN401 - columns
    """Change the job, which locks it; answers its `status` and `pieces_left`. `LostLeaseError` if it has ended."""
    changed = (
        jobs.update()
        .where(jobs.c.id == lease.job_id, jobs.c.status.not_in(TERMINAL))
        .values(values)
        .returning(jobs.c.status, jobs.c.pieces_left)
    )
    row = connection.execute(changed).one_or_none()
    if row is None:
        raise LostLeaseError(f"job {lease.job} has ended")
    return row


def _end_work(connection: sa.Connection, lease: Lease, **values: Any) -> None:  # noqa: ANN401 - columns
    """A piece of work is done; `values` is what came of it. `LostLeaseError` if the lease is gone."""
    done = {
        "state": ChunkState.DONE,
        "lease_until": None,
        "ended_at": sa.func.clock_timestamp(),
        "seconds": {stage: round(spent, 6) for stage, spent in lease.seconds.items()},
    }
    update_held(connection, lease, done | values)
