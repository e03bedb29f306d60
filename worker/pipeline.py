"""READ THIS FIRST: the stages in order. One piece of work = one lease = one transaction.

    read -> validate | resolve -> write | report
    ---- check ----- | ---- write ----- | report

Uploads, assignments, changes, deletions and undos all go this way; only where the rows come from differs (a file, a
list, a selection, the job to be undone). They are checked once, which cuts them into chunks; chunks are written in any
order, by any worker; the report puts the results back into file order. Whoever asked for it is then told that the job
has ended (`worker.notify`). Whatever runs twice has its effect once: only the holder of the lease can commit.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog
from sqlalchemy import Row

from schemas import permissions, report, results
from schemas.codes import Code, Outcome, text_of
from schemas.findings import Layout
from schemas.jobs import FORMS, JobKind, JobStatus, Mode, OnError, Phase, Tally
from schemas.problems import RequestCode
from worker import giving_up, notify
from worker.infra import arrow, broker, inventory, jobs, scratch, storage
from worker.infra.db import transaction
from worker.infra.faults import Point, pass_by
from worker.infra.heartbeat import heartbeat
from worker.infra.settings import Settings, get_settings
from worker.preview import preview
from worker.stages.merge import merge
from worker.stages.plan import plan_undo
from worker.stages.read import FileFacts, FileFault, Hints, Limits, Rows, read, read_list
from worker.stages.resolve import abort, resolve
from worker.stages.validate import CheckedFile, check_file, check_rows
from worker.stages.write import write
from worker.world import Job, job_of, names_for, world_for

log = structlog.get_logger(__name__)
ROWS_PER_IDLE_SECOND = 5_000  # what the slowest storage takes in
CONFLICTS = 5  # in a row, before a chunk makes way for others; every time at least one more number exists


def run(phase: Phase) -> bool:
    """Claim the next piece of work of a phase and do it. False if there was none."""
    settings = get_settings()
    # Twice: a claim that had to wait for a job which was just being cancelled comes back with nothing.
    lease = _claim(phase, settings) or _claim(phase, settings)
    if lease is None:
        return False
    with (
        structlog.contextvars.bound_contextvars(job_id=lease.job, phase=phase.value, piece=lease.number),
        heartbeat(lease, settings.lease_seconds),
    ):
        began = time.perf_counter()
        _attempt(lease, settings)
        log.info("piece_over", rows=lease.rows, attempt=lease.attempt, seconds=round(time.perf_counter() - began, 3))
    return True


def _claim(phase: Phase, settings: Settings) -> jobs.Lease | None:
    with transaction() as connection:
        return jobs.claim(connection, phase, settings.lease_seconds)


def _attempt(lease: jobs.Lease, settings: Settings) -> None:
    """Do the work, or see to it that somebody will: nothing may end here without a trace in the ledger."""
    try:
        if giving_up.is_out_of_patience(lease, settings):
            giving_up.end_job(lease, RequestCode.UNAVAILABLE)
        elif lease.attempt > giving_up.most_attempts(lease.phase, settings):
            giving_up.give_up(lease)
        else:
            STEPS[lease.phase](lease)
    except jobs.LostLeaseError:
        log.warning("lease_lost")
    except Exception as error:
        theirs = giving_up.is_of_the_surroundings(error)
        if theirs:
            log.warning("try_again", error=type(error).__name__)
        else:
            log.exception("failed", attempt=lease.attempt)
        giving_up.postpone(lease, counts=not theirs)


def check(lease: jobs.Lease) -> None:
    """read -> validate: the rows become chunks, or the job ends with the file's fault and nothing is kept."""
    pass_by(Point.CHECK_CLAIMED)
    with transaction() as connection:
        row = jobs.job_row(connection, lease.job_id)
        job = job_of(connection, row)
    # Asked again after the door did: the enterprise may have lost the right since.
    refused = permissions.check_upload(job.actor) if job.kind is JobKind.UPLOAD else None
    try:
        if refused is not None:
            raise FileFault(refused, text_of(refused).message)  # noqa: TRY301 - one way out for all faults of a file
        checked = _check_undo(lease, job, row) if job.kind is JobKind.UNDO else _check_rows(lease, job, row)
    except FileFault as fault:
        giving_up.refuse(lease, fault.code, fault.detail, fault.context)
        return
    with transaction() as connection:
        following = jobs.end_check(connection, lease, checked)
        pass_by(Point.CHECK_ENTERED)
    pass_by(Point.CHECK_COMMITTED)
    if following is not None:
        broker.wake(following, lease.job, max(len(checked.chunk_rows), 1))
    pass_by(Point.CHECK_ANNOUNCED)


def _check_rows(lease: jobs.Lease, job: Job, row: Row[Any]) -> jobs.CheckedJob:
    """Check a file, a list or a selection."""
    with scratch.folder() as workdir, _rows_of(lease, job, row, workdir) as rows:
        checked = _check_each(lease, rows, job, workdir)
        facts = _facts(rows.facts)
    return _cut(lease, job, facts, checked.results(), checked.chunks)


@contextmanager
def _rows_of(lease: jobs.Lease, job: Job, row: Row[Any], workdir: Path) -> Iterator[Rows]:
    form = FORMS[job.kind]
    if row.file_name is None:
        yield read_list(arrow.get_table(storage.listed_key(lease.job)), form)
        return
    told = job.options
    hints = Hints(told.delimiter, told.encoding, told.sheet, told.header_row)
    with (
        _as_it_came(lease, row) as path,
        read(path, _limits(get_settings()), workdir=workdir, form=form, hints=hints) as sheet,
    ):
        yield sheet


@contextmanager
def _as_it_came(lease: jobs.Lease, row: Row[Any]) -> Iterator[Path]:
    """The uploaded file. `FileFault` if it is not what arrived at the door any more."""
    with storage.local(storage.upload_key(lease.job)) as path:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if not hmac.compare_digest(digest, row.file_sha256):
            raise FileFault(Code.DIGEST_MISMATCH, "The stored file is not what was uploaded any more.")
        yield path


def _check_each(lease: jobs.Lease, rows: Rows, job: Job, workdir: Path) -> CheckedFile:
    """Check the rows batch by batch while their cells are put aside for the report."""
    parts = []
    mapping = rows.facts.mapping
    with transaction() as connection:
        names = names_for(connection, job.actor, mapping)
    path = workdir / "rows.arrow"
    # Places for names: two columns of a file may bear the same one. The last is for cells without a column.
    schema = pa.schema([(str(place), pa.string()) for place in range(len(rows.facts.columns) + 1)])
    with arrow.writer(path, schema) as writer:
        for batch in rows.batches():
            parts.append(check_rows(batch, mapping, names, job.kind, job.options, get_settings().max_block))
            surplus = pa.repeat(pa.scalar("", pa.string()), len(batch.row_number))
            if batch.surplus:
                surplus = pa.array(
                    [batch.surplus.get(place, "") for place in range(len(batch.row_number))], pa.string()
                )
            writer.write_batch(pa.record_batch([*batch.cells.columns, surplus], schema=schema))
    pass_by(Point.CHECK_READ)
    storage.put(storage.rows_key(lease.job, lease.token), path)
    pass_by(Point.CHECK_ROWS_STORED)
    checked, most = check_file(parts, job.kind, job.options), get_settings().max_rows
    if checked.numbers > most:
        detail = f"The blocks of the file have {checked.numbers:,} numbers together, more than {most:,}."
        raise FileFault(Code.TOO_MANY_ROWS, detail, {"limit": most})
    return checked


def _check_undo(lease: jobs.Lease, job: Job, row: Row[Any]) -> jobs.CheckedJob:
    """The rows of the job to be undone, and how the numbers stood before it (R27)."""
    with transaction() as connection:
        undone = jobs.job_row(connection, row.undo_of_id)
        result_keys = jobs.result_keys(connection, undone.id)
        image_keys = jobs.image_keys(connection, undone.id)
    if undone.status == JobStatus.FAILED:  # it never came to a report
        reached = merge(
            arrow.get_table(storage.checked_key(undone.public_id, undone.check_token)),
            map(arrow.get_table, result_keys),
            unreached=Code.CANCELLED,
        )
    else:
        reached = arrow.get_table(storage.results_key(undone.public_id))
    plan = plan_undo(reached, [arrow.get_table(key) for key in image_keys], undone.id)
    with storage.local(storage.rows_key(undone.public_id, undone.check_token)) as path:
        storage.put(storage.rows_key(lease.job, lease.token), path)
    return _cut(lease, job, undone.file_facts, plan.results, plan.chunks)


def _cut(
    lease: jobs.Lease,
    job: Job,
    facts: Mapping[str, Any],
    table: pa.Table,
    chunks: Callable[[int], Iterator[pa.Table]],
) -> jobs.CheckedJob:
    """Store what checking found, and the rows to be written in chunks. All or nothing wants all in one transaction."""
    arrow.put_table(storage.checked_key(lease.job, lease.token), table)
    all_at_once = job.options.on_error is OnError.ABORT
    size = sys.maxsize if all_at_once else get_settings().rows_per_chunk
    sizes = []
    for number, chunk in enumerate(chunks(size)):
        arrow.put_table(storage.chunk_key(lease.job, lease.token, number), chunk)
        pass_by(Point.CHECK_CHUNK_STORED)
        sizes.append(int(results.first_lines(chunk).sum()))
    tally = results.tally(table)
    review = None if job.options.mode is Mode.APPLY else preview(lease, job, table, len(sizes), tally)
    return jobs.CheckedJob(facts, table.num_rows, tally, sizes, review)


def write_chunk(lease: jobs.Lease) -> None:
    """resolve -> write: numbers, ledger and counts commit together, or not at all.

    Where another upload got in first, everything is decided anew from what the inventory says then.
    """
    pass_by(Point.WRITE_CLAIMED)
    chunk = arrow.get_table(storage.chunk_key(lease.job, lease.check, lease.number))
    for _ in range(CONFLICTS):
        try:
            following = _write_once(lease, chunk)
        except inventory.ConflictError:
            log.info("conflict")
        else:
            break
    else:
        raise inventory.ConflictError
    pass_by(Point.WRITE_COMMITTED)
    if following is not None:
        broker.wake(following, lease.job)
    pass_by(Point.WRITE_ANNOUNCED)


def _write_once(lease: jobs.Lease, chunk: pa.Table) -> Phase | None:
    # All or nothing is one chunk of any size: its results take as long to store as they are large.
    idle = max(get_settings().lease_seconds, lease.rows / ROWS_PER_IDLE_SECOND)
    with transaction(idle_seconds=idle) as connection:
        row = jobs.job_row(connection, lease.job_id)
        job = job_of(connection, row)
        decided = resolve(chunk, world_for(connection, job, chunk))
        if job.options.on_error is OnError.ABORT:
            decided = abort(decided, other_rows_failed=Tally.from_json(row.tally).count(Outcome.FAILED) > 0)
        pass_by(Point.WRITE_RESOLVED, chunk.column("e164").to_numpy())
        write(connection, decided, lease.job_id)
        pass_by(Point.WRITE_COPIED)
        key = storage.result_key(lease.job, lease.number, lease.token)
        arrow.put_table(key, decided.results)
        pass_by(Point.WRITE_RESULT_STORED)
        image_key = None
        if decided.images.num_rows:
            image_key = storage.image_key(lease.job, lease.number, lease.token)
            arrow.put_table(image_key, decided.images)
            pass_by(Point.WRITE_IMAGE_STORED)
        following = jobs.end_chunk(connection, lease, key, results.tally(decided.results), image_key)
        pass_by(Point.WRITE_ENTERED)
        return following


def publish(lease: jobs.Lease) -> None:
    """report: every row's result in file order, then the job's end."""
    pass_by(Point.REPORT_CLAIMED)
    with transaction() as connection:
        keys = jobs.result_keys(connection, lease.job_id)
        counted = jobs.tally_of(connection, lease.job_id)
        row = jobs.job_row(connection, lease.job_id)
    layout = Layout.from_json(row.file_facts)
    merged = merge(
        arrow.get_table(storage.checked_key(lease.job, lease.check)),
        map(arrow.get_table, keys),
        counted,
        unreached=Code.CANCELLED if row.status == JobStatus.CANCELLING else None,
    )
    arrow.put_table(storage.results_key(lease.job), merged)
    pass_by(Point.REPORT_MERGED)
    with (
        arrow.batches(storage.rows_key(lease.job, lease.check)) as cells,
        storage.Receiver(storage.report_key(lease.job)) as file,
    ):
        file.write(report.csv_header(layout))
        start = 0
        for batch in cells:
            file.write(report.csv_rows(layout, batch, merged.slice(start, batch.num_rows)))
            start += batch.num_rows
        pass_by(Point.REPORT_HALF_STORED)
    pass_by(Point.REPORT_STORED)
    with transaction() as connection:
        following = jobs.end_report(connection, lease, results.tally(merged))
        pass_by(Point.REPORT_ENTERED)
    pass_by(Point.REPORT_COMMITTED)
    if following is not None:
        broker.wake(following, lease.job)


def _facts(facts: FileFacts) -> dict[str, Any]:
    """What was decided about the file, as the ledger keeps it."""
    return asdict(facts) | {"mapping": {column.name: place for column, place in facts.mapping.items()}}


def _limits(settings: Settings) -> Limits:
    return Limits(
        bytes=settings.max_upload_bytes,
        rows=settings.max_rows,
        columns=settings.max_columns,
        cell_chars=settings.max_cell_chars,
        inflated_bytes=settings.max_inflated_bytes,
        child_memory_bytes=settings.workbook_memory_bytes,
        child_seconds=settings.workbook_seconds,
        inflated_ratio=settings.max_inflated_ratio,
        sheets=settings.max_sheets,
    )


STEPS: Mapping[Phase, Callable[[jobs.Lease], None]] = {
    Phase.CHECK: check,
    Phase.WRITE: write_chunk,
    Phase.REPORT: publish,
    Phase.CALLBACK: notify.deliver,
}
