"""Rows of batched tables are replaced without copying the rest, and few decided rows are merged as many are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas.arrow_schemas import CHUNK_RESULTS, RESULTS
from worker.arrays.batched_tables import batch_ends, with_rows
from worker.stages.merge import IncompleteError, merge, merge_few

SIZES = (3, 1, 4)


def results(code: list[int]) -> pa.Table:
    """Results of eight rows in three batches; `code` 0: to be written."""
    columns = {name: np.zeros(len(code), RESULTS.field(name).type.to_pandas_dtype()) for name in RESULTS.names}
    columns |= {"row": np.arange(2, 2 + len(code)), "code": np.array(code, np.uint8)}
    table = pa.table([pa.array(columns[name]) for name in RESULTS.names], schema=RESULTS)
    ends = np.cumsum(SIZES).tolist()
    return pa.concat_tables(table.slice(end - size, size) for size, end in zip(SIZES, ends, strict=True))


def chunk(places: list[int], code: int) -> pa.Table:
    lines = [
        {"place": place, "row": place + 2, "code": code, "faults": 0, "warnings": 1, "written": 1} for place in places
    ]
    return pa.Table.from_pylist(lines, schema=CHUNK_RESULTS)


def test_only_changed_batches_are_copied() -> None:
    table = results([1] * 8)
    assert batch_ends(table).tolist() == [3, 4, 8]
    index = np.array([1, 7])
    changed = with_rows(table, index, {"code": np.array([9, 1], np.uint8), "e164": np.array([5, 6])})
    assert changed.column("code").to_pylist() == [1, 9, 1, 1, 1, 1, 1, 1]
    assert changed.column("e164").to_pylist() == [0, 5, 0, 0, 0, 0, 0, 6]
    assert batch_ends(changed).tolist() == [3, 4, 8]
    same = [
        changed.column("code").chunk(batch).buffers()[1].address
        == table.column("code").chunk(batch).buffers()[1].address
        for batch in range(3)
    ]
    assert same == [False, True, True], "batch 3 has the same values as before"
    assert table.column("code").to_pylist() == [1] * 8
    assert with_rows(table, index[:0], {"code": np.zeros(0, np.uint8)}).equals(table)


def test_few_rows_are_merged_as_many_are() -> None:
    checked = results([0, 10, 0, 0, 12, 12, 0, 10])
    chunks = [chunk([6, 0], 1), chunk([2, 3], 9)]
    assert merge_few(checked, chunks).equals(merge(checked, chunks))
    complete = results([1] * 8)
    assert merge_few(complete, []).equals(complete)


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ([chunk([0], 1)], "3 rows have no result"),
        ([chunk([0, 2, 3, 6], 1), chunk([6], 1)], "written twice"),
        ([chunk([0, 1, 2, 3, 6], 1)], "written twice"),
    ],
)
def test_no_row_is_lost_or_doubled(chunks: list[pa.Table], words: str) -> None:
    with pytest.raises(IncompleteError, match=words):
        merge_few(results([0, 10, 0, 0, 12, 12, 0, 10]), chunks)
