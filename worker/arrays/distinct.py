"""Distinct values of id columns, which have few values that repeat in many rows. Works on whole columns at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Values within a range this narrow are counted in a table; others are sorted or hashed, at ten times the cost.
_CLOSE = 1 << 16


def distinct_ids(ids: NDArray[np.integer]) -> list[int]:
    """Return the distinct ids in ascending order, without 0. No id is negative."""
    if not len(ids):
        return []
    most = int(ids.max())
    present = np.flatnonzero(np.bincount(ids)) if most < _CLOSE else np.unique(ids)
    return [int(id_) for id_ in present if id_]


def numbered(values: NDArray[np.generic]) -> tuple[int, NDArray[np.int64]]:
    """Return the number of distinct values, and each row's rank among them: from 0, in ascending order of value."""
    if not len(values):
        return 0, np.zeros(0, np.int64)
    whole = values.astype(np.int64, copy=False)
    least, most = int(whole.min()), int(whole.max())
    if most - least >= _CLOSE:
        distinct, which = np.unique(whole, return_inverse=True)
        return len(distinct), which
    if least == most:
        return 1, np.zeros(len(whole), np.int64)
    is_there = np.zeros(most - least + 1, np.int64)
    is_there[whole - least] = 1
    numbers = np.cumsum(is_there)
    return int(numbers[-1]), (numbers - 1)[whole - least]


def distinct_rows(columns: Sequence[NDArray[np.generic]]) -> NDArray[np.int64]:
    """Return the index of the first occurrence of each distinct row, ascending.

    `columns`: at least one, all of the same length.
    """
    return np.sort(np.unique(_ranks(columns), return_index=True)[1])


def counted_rows(columns: Sequence[NDArray[np.generic]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the index of one occurrence of each distinct row of `columns`, as `distinct_rows`, and how many it has."""
    ranks = _ranks(columns)
    counts = np.bincount(ranks)
    indices = np.zeros(len(counts), np.int64)
    indices[ranks] = np.arange(len(ranks))  # any one will do
    return indices, counts


def _ranks(columns: Sequence[NDArray[np.generic]]) -> NDArray[np.int64]:
    """Return each row's rank among the distinct rows, from 0."""
    which = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        many, numbers = numbered(column)
        if many > 1:
            # Renumber after each column, so that no product exceeds the square of the row count.
            _, which = numbered(which * many + numbers)
    return which
