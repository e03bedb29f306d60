"""Merges what became of a job's chunks back into file order.

Refuses to go on when a row has no result, or two: that would be a row lost or doubled. The report itself is rendered
by `schemas.report`, which the doors use too.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from schemas.jobs import Tally
from schemas.results import RESULTS, tally


class IncompleteError(Exception):
    """A row has no result, or two: a fault of ours, never of the file."""


def merge(checked: pa.Table, chunks: Iterable[pa.Table], counted: Tally) -> pa.Table:
    """The result of every row in file order, from what checking settled and the chunks' results.

    `IncompleteError` unless every row has one result and they add up to what the ledger `counted` (R28).
    """
    code, faults, warnings = (checked.column(name).to_numpy().copy() for name in ("code", "faults", "warnings"))
    for chunk in chunks:
        place = chunk.column("place").to_numpy()
        if code[place].any():
            raise IncompleteError("a row was written twice")
        code[place] = chunk.column("code").to_numpy()
        faults[place] = chunk.column("faults").to_numpy()
        warnings[place] = chunk.column("warnings").to_numpy()
    if not np.all(code):
        raise IncompleteError(f"{np.count_nonzero(code == 0)} rows have no result")
    settled = {"code": pa.array(code), "faults": pa.array(faults), "warnings": pa.array(warnings)}
    merged = pa.table([settled.get(name, checked.column(name)) for name in RESULTS.names], schema=RESULTS)
    if tally(merged) != counted:
        raise IncompleteError("the report and the ledger count differently")
    return merged
