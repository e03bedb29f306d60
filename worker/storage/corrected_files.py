"""The stored corrections of an upload under review (R33), and the layout of its report.

The facts about a job's file name the file that counts: `corrected` once the rows are validated with it, `correcting`
before that. `overrides` is the file of validated rows that replace those of the batches. Each holds the token of the
lease under which the file was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from worker.queue.leases import Lease
from worker.reports.row_messages import Layout
from worker.spreadsheet.corrected_cells import CorrectedCells
from worker.storage import arrow_files, background_writes, files

CORRECTED, CORRECTING, OVERRIDES = "corrected", "correcting", "overrides"


def load(job: str, read_token: int, facts: Mapping[str, Any], which: str = CORRECTED) -> CorrectedCells:
    """Return the corrected cells of a job; none if it has none. `files.MissingFileError` if the file is gone."""
    token = facts.get(which)
    if token is None:
        return CorrectedCells.none()
    return CorrectedCells(arrow_files.get_table(files.corrected_key(job, read_token, token)))


def put(job: str, read_token: int, token: int, cells: CorrectedCells, changed: NDArray[np.int64]) -> None:
    """Store the corrected cells, and the ascending numbers of the rows that have changed since the last time."""
    with background_writes.storing() as writes:
        writes.put(files.corrected_key(job, read_token, token), cells.table)
        writes.put(files.changed_key(job, read_token, token), pa.table({"row": changed}))


def copied(
    lease: Lease, job: str, read_token: int, facts: Mapping[str, Any], rows: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    """Store the corrected cells of another job for the one of the lease, as if they were all one correction.

    `rows`: only those of the rows with these ascending numbers. Return the facts that name them, if there are any.
    """
    cells = load(job, read_token, facts)
    if not cells.table.num_rows:
        return {}
    kept = cells.only(np.unique(cells.table.column("row").to_numpy()) if rows is None else rows)
    put(lease.job_public_id, lease.token, lease.token, kept, np.zeros(0, np.int64))
    return {CORRECTED: lease.token}


def changed_rows(job: str, read_token: int, token: int) -> NDArray[np.int64]:
    """Return the numbers of the rows that a correction has changed, as `put` stored them."""
    rows: NDArray[np.int64] = arrow_files.get_table(files.changed_key(job, read_token, token)).column("row").to_numpy()
    return rows


def layout_of(
    job: str, read_token: int | None, facts: Mapping[str, Any], which: str = CORRECTED, *, preview: bool = False
) -> Layout:
    """Return the layout of a job's report, with the cells that were corrected."""
    cells = None if read_token is None or which not in facts else load(job, read_token, facts, which)
    corrections = cells if cells is not None and cells.table.num_rows else None
    return replace(Layout.from_json(facts), preview=preview, corrections=corrections)
