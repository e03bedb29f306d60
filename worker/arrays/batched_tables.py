"""Replace rows of large tables that are stored in batches: only what changes is copied."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def batch_ends(table: pa.Table) -> NDArray[np.int64]:
    """Return the row index behind the last row of each batch of a table; all its columns have the same batches."""
    ends: NDArray[np.int64] = np.cumsum([len(chunk) for chunk in table.column(0).chunks], dtype=np.int64)
    return ends


def with_rows(table: pa.Table, index: NDArray[np.int64], values: Mapping[str, np.ndarray]) -> pa.Table:
    """Return a table with the values of some columns replaced at ascending row indices; one value per index.

    The table has the same batches; columns in which nothing changes in a batch are not copied there.
    """
    ends = batch_ends(table)
    cuts = np.searchsorted(index, ends)
    columns = []
    for name in table.column_names:
        column = table.column(name)
        if name not in values:
            columns.append(column)
            continue
        chunks = []
        for chunk, begin, stop, end in zip(column.chunks, [0, *cuts[:-1]], cuts, ends, strict=True):
            old, new = chunk.to_numpy(), values[name][begin:stop]
            places = index[begin:stop] - (end - len(old))
            if np.array_equal(old[places], new):
                chunks.append(chunk)
                continue
            changed = old.copy()
            changed[places] = new
            chunks.append(pa.array(changed, column.type))
        columns.append(pa.chunked_array(chunks, column.type))
    return pa.table(columns, schema=table.schema)
