"""The order in which a file's rows are written, and how their chunks are cut."""

from __future__ import annotations

import numpy as np
import pytest

from worker.stages import number_ranges
from worker.stages.cut import _by_number


@pytest.mark.parametrize("most", [3, 10**4, 10**12, 10**15], ids=["many alike", "some alike", "one word", "two words"])
@pytest.mark.parametrize("rows", [0, 1, 2, 5000])
def test_rows_of_one_number_stay_in_file_order(most: int, rows: int) -> None:
    """R16, whether a number and its place fit into one integer or not."""
    random = np.random.default_rng(most + rows)
    e164 = random.integers(0, most, 2 * rows, dtype=np.int64)
    place = np.flatnonzero(random.random(2 * rows) < 0.8)
    expected = sorted(place.tolist(), key=lambda one: (e164[one], one))
    assert _by_number(e164, place).tolist() == expected


@pytest.mark.parametrize("most", [1, 7, 100, 10**6])
def test_chunks_are_cut_where_so_many_numbers_are_full(most: int) -> None:
    """R12: no row is split, however many numbers it stands for."""
    random = np.random.default_rng(most)
    sizes = np.where(random.random(500) < 0.1, random.integers(1, 300, 500), 1)
    before = np.cumsum(sizes) - sizes
    piece = before // most
    expected = [np.flatnonzero(piece == one) for one in np.unique(piece)]
    assert [np.arange(500)[cut].tolist() for cut in number_ranges.cuts(sizes, most)] == [
        one.tolist() for one in expected
    ]
