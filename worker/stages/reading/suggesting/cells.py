"""Cells of a column as text that is safe to examine: bounded, and never a surrogate or a NUL (R31)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from worker.stages.reading.suggesting.model import LONGEST_CELL, MOST_CELLS, ColumnSample

UNREADABLE = "\ufffd"  # stands for a cell that is too long, or is no text


def safe_cells(cells: Iterable[str]) -> list[str]:
    """Return cells without surrounding white space; those that cannot be examined become `UNREADABLE`."""
    return [_safe(cell) for cell in cells]


def samples_of(column: ColumnSample) -> list[str]:
    """Return the cells of the first rows, at most 200, "" for an empty one."""
    return safe_cells(column.samples[:MOST_CELLS])


def values_of(column: ColumnSample) -> list[tuple[str, int]]:
    """Return the distinct values, as written, with their counts: of the whole column, or else of the first rows."""
    if column.distinct:
        return [(text, max(count, 1)) for text, count in column.distinct[:MOST_CELLS] if text.strip()]
    return [(text, count) for text, count in Counter(column.samples[:MOST_CELLS]).items() if text.strip()]


def spread(cells: Sequence[str], most: int) -> list[str]:
    """Return at most `most` distinct cells that are not empty, from all parts of the column, in order."""
    distinct = list(dict.fromkeys(cell for cell in cells if cell))
    step = max(1, -(-len(distinct) // most))
    return distinct[::step]


def _safe(cell: str) -> str:
    if len(cell) > LONGEST_CELL or "\0" in cell:
        return UNREADABLE
    if not cell.isascii() and any("\ud800" <= char <= "\udfff" for char in cell):
        return UNREADABLE
    return cell.strip()
