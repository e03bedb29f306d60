"""The faults of a review with the cells that cause them: what a person corrects by rule (R33)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.codes import FAULTS
from schemas.columns import Column, name_of
from worker.queue import leases
from worker.storage import arrow_files, corrected_files, files

MOST_VALUES = 20  # of one fault that are listed
MOST_COUNTED = 2_000  # different values of one fault that are counted; more are not to be corrected by their value
LONGEST_VALUE = 200  # characters


def faults(lease: leases.Lease, facts: Mapping[str, Any], results: pa.Table) -> list[dict[str, Any]]:
    """Return the faults of all rows (`schemas.arrow_schemas.RESULTS`), the most frequent first.

    A row counts for each of its faults. Each is a `schemas.http.resources.ReviewFault`.
    """
    bits, row = results.column("faults").to_numpy(), results.column("row").to_numpy()
    failed = bits[bits != 0]
    counts = {bit: int(np.count_nonzero(failed >> np.uint64(bit) & np.uint64(1))) for bit in range(len(FAULTS))}
    found = {bit: count for bit, count in counts.items() if count}
    if not found:
        return []
    values = _values(lease, facts, row, bits, list(found))
    return [
        {
            "code": FAULTS[bit].code.value,
            "column": name_of(FAULTS[bit].column) or None,
            "rows": count,
            "values": [{"value": value, "count": times} for value, times in values[bit].most_common(MOST_VALUES)],
            "has_more_values": len(values[bit]) > MOST_VALUES,
        }
        for bit, count in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def _values(
    lease: leases.Lease, facts: Mapping[str, Any], row: np.ndarray, faults: np.ndarray, which: list[int]
) -> dict[int, Counter[str]]:
    """Return the texts of the cells with each fault, by its bit, with their counts."""
    read = lease.read or lease.token
    layout = corrected_files.layout_of(lease.job_public_id, read, facts)
    counted: dict[int, Counter[str]] = {bit: Counter() for bit in which}
    start = 0
    with arrow_files.batches(files.rows_key(lease.job_public_id, read)) as batches:
        for cells in batches:
            part = slice(start, start + cells.num_rows)
            start = part.stop
            failed = np.flatnonzero(faults[part])
            if not len(failed):
                continue
            of_failed = cells.take(pa.array(failed))
            sources = layout.sources(row[part][failed])
            for bit in which:
                if FAULTS[bit].column is Column.NONE or len(counted[bit]) > MOST_COUNTED:
                    continue
                rows = np.flatnonzero(faults[part][failed] >> np.uint64(bit) & np.uint64(1))
                if not len(rows):
                    continue
                texts = sources.untranslated(FAULTS[bit].column, of_failed).take(pa.array(rows))
                for value in texts.value_counts():
                    counted[bit][value["values"].as_py()[:LONGEST_VALUE]] += value["counts"].as_py()
    return counted
