"""Describe a file to the person who says which column is which (R31): samples, distinct values, the first rows.

Costs little beside the reading: a column is left alone as soon as it has too many distinct values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from worker.stages.reading.header import top_rows
from worker.stages.reading.model import Cells, RowBatch, Source
from worker.stages.reading.workbooks.workbook import Workbook

MOST_DISTINCT = 50  # values of a column that are listed
FIRST_ROWS = 200  # of which samples are taken
MOST_COLUMNS = 60  # whose values are counted
LONGEST = 60  # characters of a value that are shown
TOP_ROWS, TOP_COLUMNS = 10, 30
_TRIED = 1000  # rows that show that a column has too many distinct values


@dataclass(frozen=True)
class DescribedColumn:
    """A column: its number in the file from 1, its name as written, and its cells in the first rows, "" where empty.

    `distinct`: all values of the whole column with their row counts, most frequent first; empty if there are more than
    `MOST_DISTINCT`. Cells and values are cut to `LONGEST` characters; a column with a longer value has no `distinct`.
    """

    number: int
    header: str
    samples: Sequence[str]
    distinct: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class FileDescription:
    """A file's columns, its first rows (row number, cells) and the names of its sheets, the one that was read first."""

    columns: Sequence[DescribedColumn]
    top: Sequence[tuple[int, Cells]]
    sheets: Sequence[str]


@dataclass
class ColumnCounter:
    """Observes the rows of a file as they are read."""

    numbers: Sequence[int]
    headers: Sequence[str]
    _samples: list[list[str]] = field(default_factory=list)
    _counts: dict[int, Counter[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._counts = {index: Counter() for index in range(min(len(self.headers), MOST_COLUMNS))}

    def add(self, batch: RowBatch) -> None:
        """Count the values of the next rows."""
        if not self._samples:
            head = batch.cells.slice(0, FIRST_ROWS)
            self._samples = [[text[:LONGEST] for text in column.to_pylist()] for column in head.columns]
        for index in list(self._counts):
            if not _count(batch.cells.column(index), self._counts[index]):
                del self._counts[index]

    def columns(self) -> list[DescribedColumn]:
        """Return what was seen."""
        samples = self._samples or [[] for _ in self.headers]
        return [
            DescribedColumn(number, header[:LONGEST], samples[index], self._distinct(index))
            for index, (number, header) in enumerate(zip(self.numbers, self.headers, strict=True))
        ]

    def _distinct(self, index: int) -> list[tuple[str, int]]:
        return sorted(self._counts.get(index, Counter()).items(), key=lambda pair: (-pair[1], pair[0]))


def _count(column: pa.StringArray, counts: Counter[str]) -> bool:
    """Add a column's values to `counts`; return False if there are too many, or too long ones."""
    for part in (column[:_TRIED], column[_TRIED:]):
        if not len(part):
            continue
        counted = pc.value_counts(part)
        if len(counted) > MOST_DISTINCT:
            return False
        for value, count in zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True):
            if len(value) > LONGEST:
                return False
            counts[value] += count
    return len(counts) <= MOST_DISTINCT


def top_of(source: Source) -> list[tuple[int, Cells]]:
    """Return the first rows of a file, cut to a size that can be shown."""
    return [(row, list(_cut(cells))) for row, cells in islice(top_rows(source), TOP_ROWS)]


def _cut(cells: Cells) -> Iterator[str]:
    return (cell[:LONGEST].replace("\0", "\ufffd") for cell in cells[:TOP_COLUMNS])


def sheets_of(source: Source) -> tuple[str, ...]:
    """Return the names of a workbook's visible sheets, as far as they are listed; the one that was read first."""
    return (source.sheet, *source.origin.others) if isinstance(source, Workbook) else ()
