"""Distinguish a cell of several lines from rows of the table that two stray quotation marks enclose.

A row is recognized by what the rows at the head of the file have in common: their width and the columns of their
numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from worker.stages.reading.headerless import is_number
from worker.stages.reading.model import Cells

# With fewer cells, a line of an address or a remark can look like a row.
LEAST_WIDTH = 3
_MOST = 0.8  # share of the rows with numbers that have one in this column


class Enclosed(Enum):
    """What the lines inside a quoted cell are: text of its own, rows of the table, or partly rows."""

    TEXT = "text"
    ROWS = "rows"
    PARTLY_ROWS = "partly rows"


@dataclass(frozen=True)
class Rows:
    """The shape of the table's rows: their usual width, the largest width, and the column indices of their numbers."""

    width: int
    widest: int
    numbers: frozenset[int]

    def fits(self, cells: Cells) -> bool:
        """Return whether cells look like a row: the usual width, and only numbers in the number columns."""
        if len(cells) != self.width:
            return False
        filled = [cells[index] for index in self.numbers if cells[index].strip()]
        return bool(filled) and all(map(is_number, filled))

    def enclosed(self, lines: Sequence[str], split: Callable[[str], Cells]) -> Enclosed:
        """Classify a cell that begins in the first line and ends in the last one; the lines have no line ends."""
        if not self.numbers:
            return Enclosed.TEXT
        first, *others = [split(line) for line in lines]
        fitting = sum(self.fits(cells) for cells in others if any(cell.strip() for cell in cells))
        filled = sum(any(cell.strip() for cell in cells) for cells in others)
        if not fitting:
            return Enclosed.TEXT
        if fitting == filled and self.fits(first) and self.width >= LEAST_WIDTH:
            return Enclosed.ROWS
        return Enclosed.PARTLY_ROWS


NO_ROWS = Rows(0, 0, frozenset())


def rows_like(sample: Sequence[Cells]) -> Rows:
    """Return the shape that the rows at the head of a file have in common."""
    widths = Counter(len(cells) for cells in sample if any(cell.strip() for cell in cells))
    if not widths:
        return NO_ROWS
    width = widths.most_common(1)[0][0]
    number_columns = [
        {index for index, cell in enumerate(cells) if is_number(cell)} for cells in sample if len(cells) == width
    ]
    numbered = [places for places in number_columns if places]
    times = Counter(index for places in numbered for index in places)
    common = frozenset(index for index, count in times.items() if count >= _MOST * len(numbered))
    return Rows(width, max(widths), common)
