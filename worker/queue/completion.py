"""Completion of work items: records each result in the work item's own transaction.

How a job begins: `worker.jobs.submit`. Every fact about a job is in the tables `jobs` and `job_chunks`; messages only
wake up workers. Times are the database's. Only the holder of the work item's lease (`worker.queue.leases`) can record
its result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from schemas.codes import Code, Outcome
from schemas.database.tables import file_descriptions, job_chunks, jobs
from schemas.jobs import (
    TERMINAL,
    ChunkState,
    JobStatus,
    Phase,
    Seen,
    Tally,
    total_of,
)
from schemas.metrics import PIECES
from worker.config.settings import get_settings
from worker.database import counters, quotas
from worker.queue import broker, job_state
from worker.queue.job_state import in_seconds
from worker.queue.leases import Lease, LostLeaseError, claim_next, update_leased

MOST_ROWS_AT_ONCE = 5_000  # of a job whose work items one worker processes one after the other
Following = Phase | Lease | None
"""What follows a work item: the phase that now has work items, or the next one, which this worker has claimed."""


@dataclass(frozen=True)
class CheckedJob:
    """The result of a check: the facts about the file, the tally of its rows, and the sizes of the chunks to write.

    `review`: what the chunks would do (`schemas.http.resources.Review`), for a job that waits for confirmation.
    `evidence`: by what the readings of its numbers are decided from now on (`worker.phone.number_readings`), if new.
    """

    file_facts: Mapping[str, Any]
    rows_total: int
    tally: Tally
    chunk_rows: Sequence[int]
    review: Mapping[str, Any] | None = None
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RecutJob:
    """The result of a check after few rows were corrected (R33).

    `kept`: the chunks that stay, by number, with the token of the check that stored them. `added`: the numbers of new
    chunks, with their row counts. `rows_to_write`: of all chunks.
    """

    checked: CheckedJob
    kept: Mapping[int, int]
    added: Mapping[int, int]
    rows_to_write: int


def announce(following: Following, lease: Lease, pieces: int = 1) -> Lease | None:
    """Announce the work items that are ready after the commit; return the next one if it is claimed already."""
    if isinstance(following, Lease):
        return following
    broker.wake(following, lease.job_public_id, pieces)
    return None


def complete_read(
    connection: sa.Connection, lease: Lease, file_facts: Mapping[str, Any], batch_rows: Sequence[int]
) -> Phase | None:
    """Add a work item to validate each batch of a large file; return the phase that now has work items.

    A job that was cancelled meanwhile ends here: nothing is known about its rows.
    """
    _end_work(connection, lease)
    values = {"file_facts": dict(file_facts), "read_token": lease.token, "pieces_left": len(batch_rows)}
    if _change(connection, lease, **values).status == JobStatus.CANCELLING:
        return job_state.finish_cancellation(connection, lease.job_id)
    job_state.add_work_items(connection, lease.job_id, Phase.VALIDATE, dict(enumerate(batch_rows)))
    return Phase.VALIDATE


def complete_validate(connection: sa.Connection, lease: Lease, key: str) -> Phase | None:
    """Record a batch as validated, with its results under `key`; after the last batch add the CUT work item."""
    _end_work(connection, lease, result_key=key)
    job = _change(connection, lease, pieces_left=jobs.c.pieces_left - 1)
    if job.status == JobStatus.CANCELLING:
        return job_state.finish_cancellation(connection, lease.job_id)
    if job.pieces_left:
        return None
    job_state.add_work_items(connection, lease.job_id, Phase.CUT, {0: 0})
    return Phase.CUT


def complete_correct(
    connection: sa.Connection, lease: Lease, file_facts: Mapping[str, Any], batch_rows: Mapping[int, int]
) -> Phase | None:
    """Have the rows of some batches validated again, or all rows only cut again if there are none (R33).

    A batch that was validated by a work item of its own keeps the key of its results: only its changed rows are
    validated. A job that was cancelled meanwhile ends with the report of its last complete check.
    """
    _end_work(connection, lease)
    job = _change(connection, lease, file_facts=dict(file_facts), pieces_left=len(batch_rows))
    if job.status == JobStatus.CANCELLING:
        return job_state.finish_cancellation(connection, lease.job_id)
    _delete_chunks(connection, lease)
    if not batch_rows:
        job_state.add_work_items(connection, lease.job_id, Phase.CUT, {0: 0})
        return Phase.CUT
    again = {"state": ChunkState.PENDING, "attempt": 0, "setbacks": 0, "setback_since": None, "last_error": None}
    due = {"next_attempt_at": sa.func.now(), "hint_due_at": in_seconds(job_state.FIRST_WAKEUP_SECONDS)}
    of_batches = (job_chunks.c.job_id == lease.job_id) & (job_chunks.c.phase == Phase.VALIDATE)
    restarted = job_chunks.update().where(of_batches, job_chunks.c.number.in_(list(batch_rows)))
    existing = connection.execute(restarted.values(again | due).returning(job_chunks.c.number)).scalars().all()
    new = {number: rows for number, rows in batch_rows.items() if number not in existing}
    if new:
        job_state.add_work_items(connection, lease.job_id, Phase.VALIDATE, new)
    return Phase.VALIDATE


def complete_recut(connection: sa.Connection, lease: Lease, recut: RecutJob) -> Phase | None:
    """Put a job back into its review after a correction (R33): most of its chunks stay, some are replaced or added.

    A job that was cancelled meanwhile ends with the report of this check.
    """
    _end_work(connection, lease)
    checked = recut.checked
    status = _change(
        connection,
        lease,
        file_facts=dict(checked.file_facts),
        rows_done=checked.rows_total - recut.rows_to_write,
        tally=checked.tally.to_json(),
        check_token=lease.token,
        pieces_left=len(recut.kept) + len(recut.added),
    ).status
    if status == JobStatus.CANCELLING:
        return job_state.finish_cancellation(connection, lease.job_id)
    _delete_chunks(connection, lease, kept=recut.kept)
    for token in set(recut.kept.values()):
        numbers = [number for number, each in recut.kept.items() if each == token]
        stay = _chunks_of(lease.job_id) & job_chunks.c.number.in_(numbers)
        connection.execute(job_chunks.update().where(stay).values(check_token=token))
    if recut.added:
        job_state.add_work_items(connection, lease.job_id, Phase.WRITE, recut.added, check_token=lease.token)
    _put_into_review(connection, lease, checked)
    return None


def _put_into_review(connection: sa.Connection, lease: Lease, checked: CheckedJob) -> None:
    until = in_seconds(get_settings().review_seconds)
    _change(connection, lease, review=dict(checked.review or {}), review_until=until)
    job_state.change_status(connection, lease.job_id, JobStatus.REVIEW)


def _chunks_of(job_id: int) -> sa.ColumnElement[bool]:
    return (job_chunks.c.job_id == job_id) & (job_chunks.c.phase == Phase.WRITE)


def _delete_chunks(connection: sa.Connection, lease: Lease, kept: Collection[int] = ()) -> None:
    """Delete the work items of a review's chunks, except those with the numbers `kept`."""
    over = _chunks_of(lease.job_id) & job_chunks.c.number.not_in(list(kept))
    connection.execute(job_chunks.delete().where(over))


def chunks_of_review(connection: sa.Connection, lease: Lease) -> dict[int, int]:
    """Return the chunks of a review by number, each with the token of the check that stored it."""
    query = sa.select(job_chunks.c.number, sa.func.coalesce(job_chunks.c.check_token, lease.check))
    return {row[0]: row[1] for row in connection.execute(query.where(_chunks_of(lease.job_id)))}


def complete_check(connection: sa.Connection, lease: Lease, checked: CheckedJob) -> Following:
    """Add the chunks, or the report if there is nothing to write; return what follows.

    None for a job that waits for confirmation: its chunks are added, but cannot be claimed yet. A job cancelled during
    the check writes nothing, and its report contains the check's results. The only chunk of a small job is claimed at
    once, if the worker goes on.
    """
    _end_work(connection, lease)
    evidence = {} if checked.evidence is None else {"evidence": dict(checked.evidence)}
    status = _change(
        connection,
        lease,
        file_facts=dict(checked.file_facts) | evidence,
        rows_total=checked.rows_total,
        rows_done=checked.rows_total - sum(checked.chunk_rows),
        tally=checked.tally.to_json(),
        read_token=lease.read or lease.token,
        check_token=lease.token,
        pieces_left=len(checked.chunk_rows),
    ).status
    if status == JobStatus.CANCELLING:
        return job_state.finish_cancellation(connection, lease.job_id)
    is_small = checked.rows_total <= MOST_ROWS_AT_ONCE and len(checked.chunk_rows) <= 1
    lease = replace(lease, goes_on=lease.goes_on and is_small)
    if checked.review is None:
        job_state.change_status(connection, lease.job_id, JobStatus.RUNNING)
        if not checked.chunk_rows:
            return _start_report(connection, lease)
        if lease.goes_on:
            return claim_next(connection, lease, Phase.WRITE, checked.chunk_rows[0], get_settings().lease_seconds)
    if checked.chunk_rows:
        job_state.add_work_items(connection, lease.job_id, Phase.WRITE, dict(enumerate(checked.chunk_rows)))
    if checked.review is not None:
        _put_into_review(connection, lease, checked)
        return None
    return Phase.WRITE


def _start_report(connection: sa.Connection, lease: Lease) -> Following:
    if not lease.goes_on:
        return job_state.start_report(connection, lease.job_id)
    job_state.change_status(connection, lease.job_id, JobStatus.PUBLISHING)
    return claim_next(connection, lease, Phase.REPORT, 0, get_settings().lease_seconds)


def complete_unsettled(
    connection: sa.Connection, lease: Lease, file_facts: Mapping[str, Any], problem: Mapping[str, Any]
) -> Phase | None:
    """Put a job into review that cannot be confirmed: it is not settled which column of its file is which (R31).

    Its rows are not checked, so it has no report. A job that was cancelled meanwhile ends here.
    """
    _end_work(connection, lease)
    until = in_seconds(get_settings().review_seconds)
    status = _change(connection, lease, file_facts=dict(file_facts), problem=dict(problem), review_until=until).status
    if status == JobStatus.CANCELLING:
        return job_state.finish_cancellation(connection, lease.job_id)
    job_state.change_status(connection, lease.job_id, JobStatus.REVIEW)
    return None


def describe_file(connection: sa.Connection, lease: Lease, description: Mapping[str, Any]) -> None:
    """Record what the columns of the job's file are and may be, in the transaction that ends the reading."""
    insert = postgresql.insert(file_descriptions).values(job_id=lease.job_id, description=dict(description))
    connection.execute(
        insert.on_conflict_do_update(index_elements=["job_id"], set_={"description": insert.excluded.description})
    )


def change_options(connection: sa.Connection, lease: Lease, options: Mapping[str, Any]) -> None:
    """Record options that the reading has decided: those of an import profile (R32)."""
    _change(connection, lease, options=dict(options))


def complete_chunk(
    connection: sa.Connection, lease: Lease, result_key: str, tally: Tally, image_key: str | None = None
) -> Following:
    """Record a chunk as written; after the last one add the report. Call it last in the transaction.

    `LostLeaseError` if the lease is lost or the job has ended: the transaction must then roll back.
    """
    _end_work(connection, lease, result_key=result_key, tally=tally.to_json(), image_key=image_key)
    job = _change(connection, lease, pieces_left=jobs.c.pieces_left - 1, rows_done=jobs.c.rows_done + lease.rows)
    if job.status == JobStatus.CANCELLING:
        return job_state.finish_cancellation(connection, lease.job_id)
    return None if job.pieces_left else _start_report(connection, lease)


def halve(connection: sa.Connection, lease: Lease, rows: Sequence[int]) -> list[int]:
    """Replace a chunk by smaller ones; return their numbers.

    The numbers are those of child nodes in a heap: a repeated halving of the same chunk chooses the same numbers, and
    never those of another chunk. However often the halving was interrupted, the halves have two attempts left, single
    rows all attempts: a chance failure must not fail a valid row. They inherit the chunk's last error.
    """
    update_leased(connection, lease, {"state": ChunkState.DEAD, "lease_until": None})
    # Locks the job: of two concurrent halvings each sees all changes of the other or none.
    _change(connection, lease, pieces_left=jobs.c.pieces_left + len(rows) - 1)
    of_job = sa.select(sa.func.count(), sa.func.count().filter(job_chunks.c.state == ChunkState.DEAD)).where(
        job_chunks.c.job_id == lease.job_id, job_chunks.c.phase == lease.phase
    )
    pieces, halved = connection.execute(of_job).one()
    first = pieces - len(rows) * (halved - 1)  # number of chunks that the check created
    numbers = [first + len(rows) * lease.number + index for index in range(len(rows))]
    for number, count in zip(numbers, rows, strict=True):
        tried = max(get_settings().max_attempts - 2, 0) if count > 1 else 0
        beside = {"attempt": tried, "last_error": lease.last_error, "check_token": lease.check}
        job_state.add_work_items(connection, lease.job_id, lease.phase, {number: count}, **beside)
    return numbers


def count_halved_items(connection: sa.Connection, job_id: int) -> int:
    """Return how many chunks of a job were halved."""
    query = sa.select(sa.func.count()).where(
        job_chunks.c.job_id == job_id, job_chunks.c.phase == Phase.WRITE, job_chunks.c.state == ChunkState.DEAD
    )
    return connection.execute(query).scalar_one()


def complete_merge(connection: sa.Connection, lease: Lease, tally: Tally, batch_rows: Sequence[int]) -> Phase:
    """Record that every row's result is stored, adding up to `tally`; add a work item for each part of the report."""
    _end_work(connection, lease, tally=tally.to_json())
    _change(connection, lease, pieces_left=len(batch_rows))
    job_state.add_work_items(connection, lease.job_id, Phase.RENDER, dict(enumerate(batch_rows)))
    return Phase.RENDER


def complete_render(connection: sa.Connection, lease: Lease) -> Phase | None:
    """Record a part of the report as stored; the last part ends the job. Returns the same as `complete_report`."""
    _end_work(connection, lease)
    if _change(connection, lease, pieces_left=jobs.c.pieces_left - 1).pieces_left:
        return None
    merged = sa.select(job_chunks.c.tally).where(
        job_chunks.c.job_id == lease.job_id, job_chunks.c.phase == Phase.REPORT
    )
    return _finish(connection, lease, Tally.from_json(connection.execute(merged).scalar_one()))


def complete_report(connection: sa.Connection, lease: Lease, tally: Tally) -> Phase | None:
    """End the job: its counts are final and its report is stored. Return the phase that now has work items, if any."""
    _end_work(connection, lease)
    return _finish(connection, lease, tally)


def _finish(connection: sa.Connection, lease: Lease, tally: Tally) -> Phase | None:
    job = _change(connection, lease, tally=tally.to_json())
    ending = JobStatus.COMPLETED_WITH_ERRORS if tally.count(Outcome.FAILED) else JobStatus.COMPLETED
    cancelled = job.status == JobStatus.CANCELLING
    return job_state.end_job(connection, lease.job_id, JobStatus.CANCELLED if cancelled else ending)


def note_progress(connection: sa.Connection, lease: Lease, rows_total: int, rows_done: int) -> bool:
    """Record how far an export is; return False if it is being cancelled. `LostLeaseError`."""
    update_leased(connection, lease, {"lease_until": in_seconds(get_settings().lease_seconds)})
    job = _change(connection, lease, rows_total=max(rows_total, rows_done), rows_done=rows_done)
    return bool(job.status != JobStatus.CANCELLING)


def complete_export(
    connection: sa.Connection, lease: Lease, key: str, numbers: int, facts: Mapping[str, Any]
) -> tuple[Phase | None, bool]:
    """End an export: its file is stored under `key`, with so many numbers.

    Return the phase that now has work items, if any, and whether the file is kept: not if the job was cancelled
    meanwhile. `LostLeaseError`.
    """
    _end_work(connection, lease, result_key=key)
    exported = {(Outcome.UNCHANGED, Code.NO_CHANGE): Seen(numbers, 1)} if numbers else {}
    values = {"rows_total": numbers, "rows_done": numbers, "file_facts": dict(facts)}
    if _change(connection, lease, **values).status == JobStatus.CANCELLING:
        return job_state.finish_cancellation(connection, lease.job_id), False
    _change(connection, lease, tally=Tally(exported).to_json())
    quotas.take_bytes(connection, lease.job_id, lease.tenant_id, int(facts["size"]))
    job_state.change_status(connection, lease.job_id, JobStatus.PUBLISHING)
    return job_state.end_job(connection, lease.job_id, JobStatus.COMPLETED), True


def cancel_export(connection: sa.Connection, lease: Lease) -> Phase | None:
    """End the work item of an export that is being cancelled, and with it the job. `LostLeaseError`."""
    _end_work(connection, lease)
    _change(connection, lease, rows_done=0)
    return job_state.finish_cancellation(connection, lease.job_id)


def complete_delivery(connection: sa.Connection, lease: Lease, *, delivered: bool) -> None:
    """End the work item of a callback or e-mail: delivered or given up. The job does not change. `LostLeaseError`."""
    update_leased(connection, lease, {"state": ChunkState.DONE if delivered else ChunkState.DEAD, "lease_until": None})
    counters.add(connection, {(PIECES, (lease.phase.value,)): int(delivered)})


def fail_job(
    connection: sa.Connection, lease: Lease, problem: Mapping[str, Any], *, keeps_upload: bool = True
) -> Phase | None:
    """End a job that cannot be completed; keep its problem and the counts of what was written so far.

    `keeps_upload`: its file is kept, to be read again. Return the phase that now has work items, if any.
    """
    _end_work(connection, lease)
    if not keeps_upload:
        quotas.free_bytes(connection, lease.job_id, of_exports=False)
    # A retry (R33) has no file to keep.
    kept = jobs.c.keeps_upload if keeps_upload else sa.false()
    # Locks the job before the count: a chunk that is being committed is either in the tally or finds the job ended.
    _change(connection, lease, problem=dict(problem), keeps_upload=kept)
    _change(connection, lease, tally=tally_of(connection, lease.job_id).to_json())
    return job_state.end_job(connection, lease.job_id, JobStatus.FAILED)


def result_keys(connection: sa.Connection, job_id: int, phase: Phase = Phase.WRITE) -> list[str]:
    """Return the storage keys of the results of a job's chunks, or of its batches (VALIDATE), in order."""
    query = (
        sa.select(job_chunks.c.result_key)
        .where(job_chunks.c.job_id == job_id, job_chunks.c.phase == phase)
        .order_by(job_chunks.c.number)
    )
    return [key for key in connection.execute(query).scalars() if key is not None]


def last_result_key(connection: sa.Connection, lease: Lease) -> str | None:
    """Return the storage key of the results that a work item had before, if it is processed again (`CORRECT`)."""
    query = sa.select(job_chunks.c.result_key).where(
        job_chunks.c.job_id == lease.job_id,
        job_chunks.c.phase == lease.phase,
        job_chunks.c.number == lease.number,
    )
    key: str | None = connection.execute(query).scalar_one_or_none()
    return key


def image_keys(connection: sa.Connection, job_id: int) -> list[str]:
    """Return the storage keys of a job's before-images, in chunk order."""
    query = (
        sa.select(job_chunks.c.image_key)
        .where(job_chunks.c.job_id == job_id, job_chunks.c.image_key.is_not(None))
        .order_by(job_chunks.c.number)
    )
    return [str(key) for key in connection.execute(query).scalars()]


def tally_of(connection: sa.Connection, job_id: int) -> Tally:
    """Return the current tally of a job's rows: those settled by the check, and those of every written chunk."""
    checked = sa.select(jobs.c.tally).where(jobs.c.id == job_id)
    written = sa.select(job_chunks.c.tally).where(
        job_chunks.c.job_id == job_id, job_chunks.c.phase == Phase.WRITE, job_chunks.c.tally.is_not(None)
    )
    return total_of(map(Tally.from_json, connection.execute(sa.union_all(checked, written)).scalars()))


def job_row(connection: sa.Connection, job_id: int) -> sa.Row[Any]:
    """Return the row of a job by its database id, for a worker that holds a lease on one of its work items."""
    return connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one()


# Built once: that takes longer than running it.
_OPEN_JOB = (
    jobs.update()
    .where(jobs.c.id == sa.bindparam("of_job"), jobs.c.status.not_in(TERMINAL))
    .returning(jobs.c.status, jobs.c.pieces_left)
)


def _change(connection: sa.Connection, lease: Lease, **values: Any) -> sa.Row[Any]:  # noqa: ANN401 - columns
    """Update the job, which locks it; return its `status` and `pieces_left`. `LostLeaseError` if it has ended."""
    row = connection.execute(_OPEN_JOB.values(values), {"of_job": lease.job_id}).one_or_none()
    if row is None:
        raise LostLeaseError(f"job {lease.job_public_id} has ended")
    return row


def _end_work(connection: sa.Connection, lease: Lease, **values: Any) -> None:  # noqa: ANN401 - columns
    """Record a work item as done, with its result in `values`. `LostLeaseError` if the lease is lost."""
    done = {
        "state": ChunkState.DONE,
        "lease_until": None,
        "ended_at": sa.func.clock_timestamp(),
        "seconds": {stage: round(spent, 6) for stage, spent in lease.seconds.items()},
    }
    update_leased(connection, lease, done | values)
