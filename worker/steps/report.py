"""The report of a job: every row's result put back into file order, and rendered as CSV batch by batch."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from schemas import arrow_schemas
from schemas.codes import Code
from schemas.jobs import Stage, Tally
from worker.config.failpoints import Point, pass_by
from worker.queue import leases
from worker.reports import render as report
from worker.reports.row_messages import Layout
from worker.stages.merge import merge
from worker.storage import arrow_files, files


def merge_results(lease: leases.Lease, keys: Iterable[str], counted: Tally, unreached: Code | None) -> Tally:
    """Store the result of every row, from what checking settled and the chunks' results; answers how they stand.

    As `merge`: `IncompleteError` unless every row has exactly one and they add up to what the ledger `counted`.
    """
    with lease.timed(Stage.MERGE):
        checked = arrow_files.get_table(files.checked_key(lease.job, lease.check))
        merged = merge(checked, map(arrow_files.get_table, keys), counted, unreached)
        arrow_files.put_table(files.results_key(lease.job), merged)
        # Without rows that were not reached `merge` has just made sure that they are the same.
        return counted if unreached is None else arrow_schemas.tally(merged)


def batch_rows(lease: leases.Lease) -> list[int]:
    """How many rows each batch of the file has; the report has a part for each."""
    with arrow_files.batches(files.rows_key(lease.job, lease.read)) as cells:
        return [batch.num_rows for batch in cells]


def render(lease: leases.Lease, layout: Layout, part: int) -> None:
    """Store a part of the report. Whoever does it again stores the same bytes."""
    with (
        lease.timed(Stage.RENDER),
        arrow_files.batches(files.rows_key(lease.job, lease.read)) as cells,
        arrow_files.batches(files.results_key(lease.job)) as merged,
        files.Receiver(files.report_key(lease.job, part), digest=False) as file,
    ):
        if part == 0:
            file.write(report.csv_header(layout))
        pass_by(Point.REPORT_HALF_STORED)
        file.write(report.csv_rows(layout, cells[part], _results_of(part, cells, merged)))


def _results_of(part: int, cells: arrow_files.Batches, merged: arrow_files.Batches) -> pa.Table:
    """The results of a batch of rows: in the same batches, but for undos and what an older release checked."""
    if len(merged) == len(cells):
        return pa.Table.from_batches([merged[part]])
    start = sum(cells[place].num_rows for place in range(part))
    return merged.table().slice(start, cells[part].num_rows)
