"""The report of a job: merges every row's result into file order and renders it as CSV, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from schemas import arrow_schemas
from schemas.codes import Code
from schemas.jobs import Stage, Tally
from worker.config.failpoints import Failpoint, hit
from worker.queue import leases
from worker.reports import render as report
from worker.reports.row_messages import Layout
from worker.stages.merge import merge
from worker.storage import arrow_files, files


def merge_results(lease: leases.Lease, keys: Iterable[str], counted: Tally, unreached: Code | None) -> Tally:
    """Merge and store the result of every row, from the check's and the chunks' results; return their tally.

    `IncompleteError`, as for `merge`, unless every row has exactly one result and they add up to `counted`, the tally
    in the database.
    """
    with lease.timed(Stage.MERGE):
        checked = arrow_files.get_table(files.checked_key(lease.job_public_id, lease.check))
        merged = merge(checked, map(arrow_files.get_table, keys), counted, unreached)
        arrow_files.put_table(files.results_key(lease.job_public_id), merged)
        # Without unreached rows, `merge` has verified that both tallies are equal.
        return counted if unreached is None else arrow_schemas.tally(merged)


def batch_rows(lease: leases.Lease) -> list[int]:
    """Return the number of rows of each batch of the file; the report has one part for each batch."""
    with arrow_files.batches(files.rows_key(lease.job_public_id, lease.read)) as cells:
        return [batch.num_rows for batch in cells]


def render(lease: leases.Lease, layout: Layout, part: int) -> None:
    """Store a part of the report. A repeated attempt stores the same bytes."""
    with (
        lease.timed(Stage.RENDER),
        arrow_files.batches(files.rows_key(lease.job_public_id, lease.read)) as cells,
        arrow_files.batches(files.results_key(lease.job_public_id)) as merged,
        files.Receiver(files.report_key(lease.job_public_id, part), digest=False) as file,
    ):
        if part == 0:
            file.write(report.csv_header(layout))
        hit(Failpoint.REPORT_HALF_STORED)
        file.write(report.csv_rows(layout, cells[part], _results_of(part, cells, merged)))


def _results_of(part: int, cells: arrow_files.Batches, merged: arrow_files.Batches) -> pa.Table:
    """Return the results of one batch of rows. Only undos and jobs of an older release have other result batches."""
    if len(merged) == len(cells):
        return pa.Table.from_batches([merged[part]])
    start = sum(cells[index].num_rows for index in range(part))
    return merged.table().slice(start, cells[part].num_rows)
