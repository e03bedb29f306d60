"""Arithmetic on ranges of numbers: merge, expand in parts, cut into chunks, find overlaps (R16).

Works on arrays only. `worker.stages.block_rows` reads the range that a row stands for.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spans:
    """The numbers of some blocks, as ascending ranges that do not overlap.

    `begin` (int64): the first number of each range; `size` (int64): its count of numbers.
    """

    begin: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, first: np.ndarray, numbers: np.ndarray) -> Spans:
        """Merge blocks, each of `numbers` (int64, at least 1) consecutive numbers starting at `first` (int64)."""
        order = np.argsort(first, kind="stable")
        begin, end = first[order], np.maximum.accumulate(first[order] + numbers[order])
        is_new = np.r_[True, begin[1:] > end[:-1]][: len(order)]
        is_last = np.r_[is_new[1:], True][: len(order)]
        return cls(begin[is_new], end[is_last] - begin[is_new])

    @property
    def numbers(self) -> int:
        """Return the total count of numbers."""
        return int(self.size.sum())

    def batches(self, most: int) -> Iterator[np.ndarray]:
        """Yield all numbers (int64), ascending, in arrays of at most `most`."""
        ends = np.cumsum(self.size)
        for start in range(0, self.numbers, most):
            index = np.arange(start, min(start + most, self.numbers))
            span = np.searchsorted(ends, index, side="right")
            yield self.begin[span] + index - (ends - self.size)[span]


def repeated(rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Repeat each row once for each of its numbers."""
    return rows if (numbers == 1).all() else np.repeat(rows, numbers)  # blocks are rare


def expanded(first: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return every number of the blocks (int64), block by block."""
    if (numbers == 1).all():
        return first
    before = np.concatenate([[0], np.cumsum(numbers)[:-1]]) if len(numbers) else numbers
    return np.repeat(first - before, numbers) + np.arange(int(numbers.sum()))


def cuts(sizes: np.ndarray, most: int) -> Iterator[slice]:
    """Yield slices of rows with about `most` numbers each, without splitting a row.

    `sizes`: the count of numbers of each row.
    """
    if not len(sizes):
        return
    before = np.cumsum(sizes) - sizes
    starts = np.unique(np.searchsorted(before, np.arange(0, int(before[-1]) + 1, most)))
    for start, end in zip(starts, [*starts[1:], len(sizes)], strict=True):
        yield slice(int(start), int(end))


@dataclass(frozen=True)
class Overlaps:
    """Rows whose block shares numbers with an earlier row's, and those earlier rows (row indices, int64)."""

    later: np.ndarray
    earlier: np.ndarray


def overlapping(e164: np.ndarray, numbers: np.ndarray, sound: np.ndarray) -> Overlaps:
    """Return the blocks that overlap an earlier one: in file order, the first valid row keeps its numbers (R16).

    Rows with exactly the same number or block are duplicates, not overlaps. A row that is refused here claims no
    numbers, so it does not exclude rows that overlap with it alone.
    """
    later, earlier = list[int](), list[int]()
    if not ((numbers > 1) & sound).any():
        return Overlaps(np.array(later, np.int64), np.array(earlier, np.int64))
    # Rows that keep their numbers, which do not overlap: where they begin, ascending, and where they end.
    begins, ends = list[int](), dict[int, tuple[int, int]]()
    for row_index in _near_blocks(e164, numbers, sound).tolist():
        first, last = int(e164[row_index]), int(e164[row_index] + numbers[row_index] - 1)
        at = bisect_right(begins, last) - 1
        end, owner = ends[begins[at]] if at >= 0 else (-1, 0)
        if end < first:
            insort(begins, first)
            ends[first] = (last, row_index)
        elif (begins[at], end) != (first, last):
            later.append(row_index)
            earlier.append(owner)
    return Overlaps(np.array(later, np.int64), np.array(earlier, np.int64))


def _near_blocks(e164: np.ndarray, numbers: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """Return the row indices, in file order, of valid rows that are blocks or single numbers inside one."""
    blocks = np.flatnonzero(sound & (numbers > 1))
    order = blocks[np.argsort(e164[blocks])]
    reach = np.maximum.accumulate(e164[order] + numbers[order])
    at = np.searchsorted(e164[order], e164, side="right") - 1
    inside = sound & (at >= 0) & (e164 < reach[np.maximum(at, 0)])
    near_rows: np.ndarray = np.flatnonzero(inside)
    return near_rows
