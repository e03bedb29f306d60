"""The check of a job: its rows, wherever they come from, are read, validated and cut into chunks.

A file, a list, a selection, the rows of a job to be undone. Stores what it finds beside each other under the lease's
token; enters nothing in the ledger.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Row

from schemas import results
from schemas.codes import Code
from schemas.jobs import FORMS, JobStatus, Mode, OnError
from worker.infra import arrow, jobs, leases, scratch, storage
from worker.infra.db import transaction
from worker.infra.faults import Point, pass_by
from worker.infra.settings import Settings, get_settings
from worker.preview import preview
from worker.stages.merge import merge
from worker.stages.plan import plan_undo
from worker.stages.read import FileFacts, FileFault, Hints, Limits, Rows, read, read_list
from worker.stages.validate import CheckedFile, check_file, check_rows
from worker.world import Job, names_for


def check_rows_of(lease: leases.Lease, job: Job, row: Row[Any]) -> jobs.CheckedJob:
    """Check a file, a list or a selection."""
    with scratch.folder() as workdir, _rows_of(lease, job, row, workdir) as rows:
        checked = _check_each(lease, rows, job, workdir)
        facts = _facts(rows.facts)
    return _cut(lease, job, facts, checked.results(), checked.chunks)


@contextmanager
def _rows_of(lease: leases.Lease, job: Job, row: Row[Any], workdir: Path) -> Iterator[Rows]:
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
def _as_it_came(lease: leases.Lease, row: Row[Any]) -> Iterator[Path]:
    """The uploaded file. `FileFault` if it is not what arrived at the door any more."""
    with storage.local(storage.upload_key(lease.job)) as path:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if not hmac.compare_digest(digest, row.file_sha256):
            raise FileFault(Code.DIGEST_MISMATCH, "The stored file is not what was uploaded any more.")
        yield path


def _check_each(lease: leases.Lease, rows: Rows, job: Job, workdir: Path) -> CheckedFile:
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


def check_undo(lease: leases.Lease, job: Job, row: Row[Any]) -> jobs.CheckedJob:
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
    lease: leases.Lease,
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
