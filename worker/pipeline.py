"""READ THIS FIRST: the stages in order. One piece of work = one lease = one transaction.

    read -> validate | resolve -> write | report
    ---- check ----- | ---- write ----- | report

A file is checked once, which cuts it into chunks; chunks are written in any order, by any worker; the report puts the
results back into file order. Whatever runs twice has its effect once: only the holder of the lease can commit.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog

from schemas import permissions, report, results
from schemas.codes import text_of
from schemas.findings import Layout
from schemas.jobs import Phase, UploadOptions
from worker import giving_up
from worker.infra import arrow, broker, inventory, jobs, scope, storage
from worker.infra.db import TRANSIENT, transaction
from worker.infra.heartbeat import heartbeat
from worker.infra.settings import Settings, get_settings
from worker.stages.merge import merge
from worker.stages.read import FileFacts, FileFault, Limits, Sheet, read
from worker.stages.resolve import resolve
from worker.stages.validate import CheckedFile, Names, check_file, check_rows
from worker.stages.write import write
from worker.world import names_for, world_for

log = structlog.get_logger(__name__)
_TRY_AGAIN: tuple[type[Exception], ...] = (*TRANSIENT, inventory.ConflictError)

CONFLICTS = 5  # in a row, before a chunk makes way for others; every time at least one more number exists


def run(phase: Phase) -> bool:
    """Claim the next piece of work of a phase and do it. False if there was none."""
    settings = get_settings()
    with transaction() as connection:
        lease = jobs.claim(connection, phase, settings.lease_seconds)
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


def _attempt(lease: jobs.Lease, settings: Settings) -> None:
    """Do the work, or see to it that somebody will: nothing may end here without a trace in the ledger."""
    try:
        if lease.attempt > settings.max_attempts:
            giving_up.give_up(lease)
        else:
            STEPS[lease.phase](lease)
    except jobs.LostLeaseError:
        log.warning("lease_lost")
    except _TRY_AGAIN as error:
        log.warning("try_again", error=type(error).__name__)
        giving_up.postpone(lease, counts=False)
    except Exception:
        log.exception("failed", attempt=lease.attempt)
        giving_up.postpone(lease, counts=True)


def check(lease: jobs.Lease) -> None:
    """read -> validate: the file becomes chunks, or the job ends with the file's fault and nothing is kept."""
    with transaction() as connection:
        job = jobs.job_row(connection, lease.job_id)
        actor = scope.tenant_by_id(connection, job.tenant_id)
        names = names_for(connection, actor)
    refused = permissions.check_upload(actor)
    try:
        if refused is not None:
            raise FileFault(refused, text_of(refused).message)  # noqa: TRY301 - one way out for all faults of a file
        checked = _check_file(lease, UploadOptions.from_json(job.options), names)
    except FileFault as fault:
        giving_up.refuse(lease, fault.code, fault.detail, fault.context)
        return
    with transaction() as connection:
        following = jobs.end_check(connection, lease, checked)
    broker.wake(following, lease.job, len(checked.chunk_rows))


def _check_file(lease: jobs.Lease, options: UploadOptions, names: Names) -> jobs.CheckedJob:
    settings = get_settings()
    with (
        storage.local(storage.upload_key(lease.job)) as path,
        tempfile.TemporaryDirectory(prefix="numberyard-") as folder,
    ):
        workdir = Path(folder)
        with read(path, _limits(settings), workdir=workdir) as sheet:
            checked = _check_sheet(lease, sheet, options, names, workdir)
            facts = _facts(sheet.facts)
    table = checked.results()
    arrow.put_table(storage.checked_key(lease.job, lease.token), table)
    sizes = []
    for number, chunk in enumerate(checked.chunks(settings.rows_per_chunk)):
        arrow.put_table(storage.chunk_key(lease.job, lease.token, number), chunk)
        sizes.append(chunk.num_rows)
    return jobs.CheckedJob(facts, table.num_rows, results.tally(table), sizes)


def _check_sheet(lease: jobs.Lease, sheet: Sheet, options: UploadOptions, names: Names, workdir: Path) -> CheckedFile:
    """Check the rows batch by batch while their cells are put aside for the report."""
    parts = []
    mapping = sheet.facts.mapping
    path = workdir / "rows.arrow"
    # Places for names: two columns of a file may bear the same one.
    schema = pa.schema([(str(place), pa.string()) for place in range(len(sheet.facts.columns))])
    with arrow.writer(path, schema) as writer:
        for batch in sheet.batches():
            parts.append(check_rows(batch, mapping, names, options.accept))
            writer.write_batch(pa.record_batch(batch.cells.columns, schema=schema))
    storage.put(storage.rows_key(lease.job, lease.token), path)
    return check_file(parts, options.on_existing)


def write_chunk(lease: jobs.Lease) -> None:
    """resolve -> write: numbers, ledger and counts commit together, or not at all.

    Where another upload got in first, everything is decided anew from what the inventory says then.
    """
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
    if following is not None:
        broker.wake(following, lease.job)


def _write_once(lease: jobs.Lease, chunk: pa.Table) -> Phase | None:
    with transaction() as connection:
        job = jobs.job_row(connection, lease.job_id)
        actor = scope.tenant_by_id(connection, job.tenant_id)
        decided = resolve(chunk, world_for(connection, actor, UploadOptions.from_json(job.options), chunk))
        write(connection, decided.create, decided.update, lease.job_id)
        key = storage.result_key(lease.job, lease.number, lease.token)
        arrow.put_table(key, decided.results)
        tally = results.tally(decided.results.append_column("row", chunk.column("row")))
        return jobs.end_chunk(connection, lease, key, tally)


def publish(lease: jobs.Lease) -> None:
    """report: every row's result in file order, then the job's end."""
    with transaction() as connection:
        keys = jobs.result_keys(connection, lease.job_id)
        counted = jobs.tally_of(connection, lease.job_id)
        layout = Layout.from_json(jobs.job_row(connection, lease.job_id).file_facts)
    merged = merge(arrow.get_table(storage.checked_key(lease.job, lease.check)), map(arrow.get_table, keys), counted)
    arrow.put_table(storage.results_key(lease.job), merged)
    with (
        arrow.batches(storage.rows_key(lease.job, lease.check)) as cells,
        storage.Receiver(storage.report_key(lease.job)) as file,
    ):
        file.write(report.csv_header(layout))
        start = 0
        for batch in cells:
            file.write(report.csv_rows(layout, batch, merged.slice(start, batch.num_rows)))
            start += batch.num_rows
    with transaction() as connection:
        jobs.end_report(connection, lease, counted)


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
    )


STEPS: Mapping[Phase, Callable[[jobs.Lease], None]] = {
    Phase.CHECK: check,
    Phase.WRITE: write_chunk,
    Phase.REPORT: publish,
}
