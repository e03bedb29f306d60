"""Merge the results of a job's chunks back into file order.

Refuses a row without a result, or with two results: a row would be lost or counted twice. `worker.reports.render`,
which `webhook` also uses, renders the report.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from schemas.arrow_schemas import CHUNK_RESULTS, RESULTS, tally
from schemas.codes import Code, number_of
from schemas.jobs import Tally
from worker.arrays.batched_tables import with_rows


class IncompleteError(Exception):
    """A row has no result or two results: a defect of the service, never of the file."""


def merge_few(checked: pa.Table, chunks: Iterable[pa.Table]) -> pa.Table:
    """Return the same as `merge`, for few rows in chunks: most columns of most batches are not copied."""
    few = pa.concat_tables([CHUNK_RESULTS.empty_table(), *chunks])
    index, position = np.unique(few.column("place").to_numpy(), return_index=True)
    if len(index) < few.num_rows or checked.column("code").to_numpy()[index].any():
        raise IncompleteError("a row was written twice")
    values = {name: few.column(name).to_numpy()[position] for name in ("code", "faults", "warnings", "written")}
    merged = with_rows(checked, index, values)
    if (left := int(np.count_nonzero(merged.column("code").to_numpy() == 0))) > 0:
        raise IncompleteError(f"{left} rows have no result")
    return merged


def merge(
    checked: pa.Table, chunks: Iterable[pa.Table], counted: Tally | None = None, unreached: Code | None = None
) -> pa.Table:
    """Return the result of every row (RESULTS), in file order.

    `checked`: the results after deduplication (RESULTS); `chunks`: the results of the chunks (CHUNK_RESULTS). Rows that
    no chunk reached get the code `unreached` (for a job that was stopped). Raises `IncompleteError` if there are such
    rows and `unreached` is None, if a row has two results, or if the results do not add up to `counted`, the counts
    that the database has for the job (R28).
    """
    settled = {name: checked.column(name).to_numpy().copy() for name in ("code", "faults", "warnings", "written")}
    code = settled["code"]
    for chunk in chunks:
        row_index = chunk.column("place").to_numpy()
        if code[row_index].any():
            raise IncompleteError("a row was written twice")
        for name, values in settled.items():
            values_of_chunk = chunk.column(name).to_numpy()
            # Rows in chunks have no fault and nothing written in `checked`, so columns of zeros need no copy.
            if name in {"code", "warnings"} or values_of_chunk.any():
                values[row_index] = values_of_chunk
    left = code == 0
    if left.any() and unreached is None:
        raise IncompleteError(f"{np.count_nonzero(left)} rows have no result")
    columns = [pa.array(settled[name]) if name in settled else checked.column(name) for name in RESULTS.names]
    merged = pa.table(columns, schema=RESULTS)
    if counted is not None and tally(merged) != counted:
        raise IncompleteError("the counts of the report and of the database differ")
    if unreached is None or not left.any():
        return merged
    filled = pa.array(np.where(left, number_of(unreached), code).astype(np.uint8))
    return merged.set_column(RESULTS.get_field_index("code"), "code", filled)
