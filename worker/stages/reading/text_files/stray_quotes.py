"""Tells a cell of several lines from rows of the table that two stray quotation marks enclose.

A row is known by what the rows at the head of the file have in common: how many cells, and where their numbers are.
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
_MOST = 0.8  # of the rows that have any number: so many have one in this place


class Enclosed(Enum):
    """What the lines inside a quoted cell are: text of its own, rows of the table, or partly rows."""

    TEXT = "text"
    ROWS = "rows"
    PARTLY_ROWS = "partly rows"


@dataclass(frozen=True)
class Rows:
    """What rows of the table look like: their usual width, that of the widest, and the places of their numbers."""

    width: int
    widest: int
    numbers: frozenset[int]

    def fits(self, cells: Cells) -> bool:
        """Whether it looks like a row: as many cells, a number where numbers are and nothing else there."""
        if len(cells) != self.width:
            return False
        there = [cells[place] for place in self.numbers if cells[place].strip()]
        return bool(there) and all(map(is_number, there))

    def enclosed(self, lines: Sequence[str], split: Callable[[str], Cells]) -> Enclosed:
        """What a cell is that begins in the first line and ends in the last; all of them without line ends."""
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
    """What the rows at the head of a file have in common."""
    widths = Counter(len(cells) for cells in sample if any(cell.strip() for cell in cells))
    if not widths:
        return NO_ROWS
    width = widths.most_common(1)[0][0]
    found = [{place for place, cell in enumerate(cells) if is_number(cell)} for cells in sample if len(cells) == width]
    numbered = [places for places in found if places]
    times = Counter(place for places in numbered for place in places)
    common = frozenset(place for place, count in times.items() if count >= _MOST * len(numbered))
    return Rows(width, max(widths), common)
