"""Columns of text by their bytes: whole arrays, slices of arrays, and with nulls."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from worker.arrays.text_columns import buffers, first_bytes, longest, replaced, spread, with_first

TEXTS = pa.array(["left out", "", "plain", "=1", "é", None, "left out"], pa.string())
COLUMN = TEXTS.slice(1, 5)


def test_bytes_of_a_slice() -> None:
    offsets, data = buffers(COLUMN)
    assert bytes(data[offsets[0] : offsets[-1]]).decode() == "plain=1é"
    assert first_bytes(COLUMN).tolist() == [0, ord("p"), ord("="), 0xC3, 0]


def test_with_first() -> None:
    rows = np.array([True, False, True, True, False])
    assert with_first(COLUMN, rows, ord("'")).to_pylist() == ["'", "plain", "'=1", "'é", None]
    assert with_first(COLUMN.slice(0, 0), rows[:0], ord("'")).to_pylist() == []


def test_spread() -> None:
    rows = np.array([False, True, False, True, True, False])
    assert spread(COLUMN.slice(1, 3), rows).to_pylist() == ["", "plain", "", "=1", "é", ""]
    assert spread(COLUMN.slice(0, 0), np.zeros(2, np.bool_)).to_pylist() == ["", ""]


def test_longest() -> None:
    assert longest(COLUMN) == len("plain")
    assert longest(COLUMN.slice(0, 0)) == 0


def test_replaced() -> None:
    rows = np.array([True, False, False, True, False])
    assert replaced(COLUMN, rows, pa.array(["a", "b"])).to_pylist() == ["a", "plain", "=1", "b", None]
