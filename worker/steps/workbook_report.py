"""Builds a job's report as a workbook, once for each requested kind, and stores it beside the CSV report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from schemas.codes import Outcome
from schemas.jobs import Tally, counts_of, error_summary
from schemas.workbooks import OUTCOMES, WorkbookKind
from worker.config.failpoints import Failpoint, hit
from worker.database.engine import transaction
from worker.jobs import workbook_items
from worker.queue import leases
from worker.reports import workbook
from worker.reports.row_messages import outcome_mask
from worker.storage import arrow_files, corrected_files, files, scratch
from worker.storage.report_reader import PORTION


def build(lease: leases.Lease) -> None:
    """Build and store the workbook of a work item; drop the item if the workbook can no longer be requested."""
    hit(Failpoint.WORKBOOK_CLAIMED)
    kind = WorkbookKind.of_number(lease.number)
    with transaction() as connection:
        job = workbook_items.described(connection, lease)
        if job.is_gone or not kind.is_current(job.status):
            workbook_items.drop(connection, lease)
            return
    key = files.workbook_key(lease.job_public_id, kind.name, lease.token)
    _store(lease, job, kind, key)
    hit(Failpoint.WORKBOOK_STORED)
    is_kept = False
    try:
        with transaction() as connection:
            is_kept = workbook_items.end(connection, lease, key)
            hit(Failpoint.WORKBOOK_ENTERED)
    except leases.LostLeaseError:
        _remove(key)
        raise
    hit(Failpoint.WORKBOOK_COMMITTED)
    if not is_kept:
        _remove(key)


def _remove(key: str) -> None:
    """Delete a file that no work item refers to; if that fails, it is removed with the job's report."""
    with suppress(files.StoreError):
        files.remove(key)


def _store(lease: leases.Lease, job: sa.Row[Any], kind: WorkbookKind, key: str) -> None:
    results_key = (
        files.preview_key(lease.job_public_id, lease.check)
        if kind.is_review
        else files.results_key(lease.job_public_id)
    )
    with (
        scratch.folder() as folder,
        arrow_files.batches(files.rows_key(lease.job_public_id, lease.read)) as cells,
        arrow_files.batches(results_key) as results,
    ):
        path = folder / "report.xlsx"
        outcomes = OUTCOMES[kind.rows]
        contents = _contents(job, kind, _count(results, outcomes))
        workbook.write(path, contents, _selected(cells, results, outcomes))
        files.put(key, path)


def _count(results: arrow_files.Batches, outcomes: frozenset[Outcome] | None) -> int:
    """Return how many rows have one of the outcomes (None: any)."""
    if outcomes is None:
        return sum(batch.num_rows for batch in results)
    tables = (pa.Table.from_batches([batch]) for batch in results)
    return sum(int(np.count_nonzero(outcome_mask(table, outcomes))) for table in tables)


def _selected(
    cells: arrow_files.Batches, results: arrow_files.Batches, outcomes: frozenset[Outcome] | None
) -> Iterator[tuple[pa.RecordBatch, pa.Table]]:
    """Yield cells and results of the rows with one of the outcomes, in file order, in small portions.

    The two files may have different batches, as for undo jobs.
    """
    sliced = _Sliced(results)
    for batch in cells:
        for start in range(0, batch.num_rows, PORTION):
            portion = batch.slice(start, PORTION)
            part = sliced.take(portion.num_rows)
            if outcomes is not None:
                mask = pa.array(outcome_mask(part, outcomes))
                portion, part = portion.filter(mask), part.filter(mask)
            if portion.num_rows:
                yield portion, part


class _Sliced:
    """Reads batches in slices of any length; one batch is in memory at a time."""

    def __init__(self, batches: arrow_files.Batches) -> None:
        self._rest = iter(batches)
        self._batch: pa.RecordBatch | None = None

    def take(self, count: int) -> pa.Table:
        """Return the next `count` rows."""
        parts: list[pa.RecordBatch] = []
        while count:
            if self._batch is None or not self._batch.num_rows:
                self._batch = next(self._rest)
                continue
            parts.append(self._batch.slice(0, count))
            self._batch = self._batch.slice(parts[-1].num_rows)
            count -= parts[-1].num_rows
        return pa.Table.from_batches(parts)


def _contents(job: sa.Row[Any], kind: WorkbookKind, count: int) -> workbook.Contents:
    """Return the workbook's contents about the job. Every build has the same contents, and so the same bytes."""
    tally = Tally.from_json(job.tally)
    counts = counts_of(tally, job.rows_total)
    if kind.is_review:
        counts |= {outcome.value: job.review["effect"][outcome.value] for outcome in Outcome}
    notes = list(job.file_facts.get("notes", ())) if job.file_name is not None else []
    if job.duplicate_of is not None:
        notes.insert(0, f"The same file was uploaded before (job {job.duplicate_of}).")
    return workbook.Contents(
        title=job.file_name or job.kind,
        job=job.public_id,
        status=job.status,
        accepted_at=job.created_at,
        ended_at=job.finished_at,
        notes=notes,
        counts=counts,
        causes=error_summary(tally),
        layout=corrected_files.layout_of(job.public_id, job.read_token, job.file_facts, preview=kind.is_review),
        rows=kind.rows,
        count=count,
    )
