"""Reduce the decisions of a chunk to the numbers that the database accepts (R28)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.arrow_schemas import CHUNK_RESULTS, first_code, first_lines
from schemas.codes import Code, fault_bit
from schemas.columns import Column
from worker.stages.resolving.model import Decisions, Numbers
from worker.stages.resolving.rows import DEFAULT_USED

_FAULT = np.uint64(fault_bit(Code.INTERNAL_ERROR, Column.NONE))


def without(decided: Decisions, chunk: pa.Table, refused: NDArray[np.int64]) -> Decisions:
    """Return the decisions of a chunk without the refused numbers (int64), whose rows fail with INTERNAL_ERROR.

    A row that stands for a block of numbers keeps those that are written, as with any other fault.
    """
    kept_images = ~np.isin(decided.images.column("e164").to_numpy(), refused)
    return Decisions(
        _numbers(decided.create, refused),
        _numbers(decided.update, refused),
        decided.delete[~np.isin(decided.delete, refused)],
        _results(decided.results, chunk, refused),
        decided.images.filter(pa.array(kept_images)),
        held=decided.held,
    )


def _numbers(numbers: Numbers, refused: NDArray[np.int64]) -> Numbers:
    kept = ~np.isin(numbers.e164, refused)
    return Numbers(numbers.e164[kept], {name: values[kept] for name, values in numbers.state.items()})


def _results(results: pa.Table, chunk: pa.Table, refused: NDArray[np.int64]) -> pa.Table:
    """Return the results (`CHUNK_RESULTS`, one line per row) with the rows of refused numbers failed."""
    row = np.cumsum(first_lines(chunk)) - 1
    lost = np.bincount(row[np.isin(chunk.column("e164").to_numpy(), refused)], minlength=results.num_rows)
    values = {name: results.column(name).to_numpy() for name in CHUNK_RESULTS.names}
    failed = lost > 0
    faults = np.where(failed, values["faults"] | _FAULT, values["faults"])
    written = values["written"] - lost
    warnings = np.where(failed & (written == 0), values["warnings"] & ~DEFAULT_USED, values["warnings"])
    values |= {"faults": faults, "written": written, "warnings": warnings}
    values["code"] = np.where(failed, first_code(faults), values["code"])
    return pa.table([pa.array(values[field.name], field.type) for field in CHUNK_RESULTS], schema=CHUNK_RESULTS)
