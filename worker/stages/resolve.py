"""Decide the result of each row of a chunk, from the rows and the facts about them (`ChunkFacts`).

No database access: lookups happen before, writing happens after. The rules are in `schemas.permissions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from schemas.arrow_schemas import CHUNK_RESULTS, IMAGES
from schemas.codes import Code, Outcome, number_of, outcome_of
from schemas.job_kinds import JobKind
from worker.stages.resolving.assign import assign
from worker.stages.resolving.change import change
from worker.stages.resolving.delete import delete
from worker.stages.resolving.model import ChunkFacts, Decisions, Defaults, Numbers
from worker.stages.resolving.refused import without
from worker.stages.resolving.rows import Rows
from worker.stages.resolving.unassign import unassign
from worker.stages.resolving.undo import undo
from worker.stages.resolving.upload import upload

__all__ = ["ChunkFacts", "Decisions", "Defaults", "Numbers", "abort", "resolve", "without"]

DECIDE: Mapping[JobKind, Callable[[Rows], Decisions]] = {
    JobKind.UPLOAD: upload,
    JobKind.ASSIGN: assign,
    JobKind.UNASSIGN: unassign,
    JobKind.CHANGE: change,
    JobKind.DELETE: delete,
    JobKind.UNDO: undo,
}
_WRITTEN = (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED)


def resolve(chunk: pa.Table, world: ChunkFacts) -> Decisions:
    """Decide a chunk (`schemas.arrow_schemas.CHUNK`, or `UNDO_CHUNK` for an undo)."""
    return DECIDE[world.kind](Rows(chunk, world))


def abort(decided: Decisions, *, other_rows_failed: bool) -> Decisions:
    """Apply all-or-nothing: if any row failed, here or in another chunk, write nothing.

    Rows that would have been written get the code ABORTED.
    """
    code, faults = (decided.results.column(name).to_numpy() for name in ("code", "faults"))
    if not other_rows_failed and not faults.any():
        return decided
    written = [number_of(row_code) for row_code in Code if _is_row_code(row_code) and outcome_of(row_code) in _WRITTEN]
    stopped = np.where((faults == 0) & np.isin(code, written), number_of(Code.ABORTED), code).astype(np.uint8)
    nothing = pa.array(np.zeros(len(code), np.int32))
    columns = {"code": pa.array(stopped), "written": nothing}
    results = pa.table(
        [columns.get(name, decided.results.column(name)) for name in CHUNK_RESULTS.names], schema=CHUNK_RESULTS
    )
    return Decisions(Numbers.none(), Numbers.none(), np.zeros(0, np.int64), results, IMAGES.empty_table())


def _is_row_code(code: Code) -> bool:
    try:
        outcome_of(code)
    except ValueError:
        return False
    return True
