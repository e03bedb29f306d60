"""Distinct ids and their numbers agree with sorting, whether they are close together or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.arrays.distinct import distinct_ids, distinct_rows, numbered

COLUMNS = (
    np.zeros(0, np.int32),
    np.zeros(5, np.int32),
    np.full(5, 7, np.int64),
    np.array([3, 0, 9, 3], np.int32),
    np.array([3, 0, 2_000_000_000, 3], np.int32),
    np.array([1 << 40, (1 << 40) + 1, 1 << 40]),
)


@pytest.mark.parametrize("ids", COLUMNS, ids=str)
def test_distinct_ids(ids: np.ndarray) -> None:
    assert distinct_ids(ids) == sorted(set(ids.tolist()) - {0})


@pytest.mark.parametrize("values", [*COLUMNS, np.array([-1, 1, 0, -1], np.int8), np.array([True, False])], ids=str)
def test_numbered(values: np.ndarray) -> None:
    distinct, which = np.unique(values, return_inverse=True)
    count, found = numbered(values)
    assert count == len(distinct)
    assert found.tolist() == which.tolist()


ids = st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 2**31 - 1))
tables = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[ids] * width), min_size=1, max_size=40))


@given(tables)
@example([(2**31 - 1 - place,) * 8 for place in range(40)])
def test_distinct_rows(rows: list[tuple[int, ...]]) -> None:
    """Where each stands for the first time; also where the product of their counts is beyond any integer."""
    found = distinct_rows([np.array(column) for column in zip(*rows, strict=True)])
    assert found.tolist() == sorted({row: place for place, row in reversed([*enumerate(rows)])}.values())
