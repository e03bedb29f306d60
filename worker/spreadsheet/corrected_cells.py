"""Corrected cells of an upload under review (R33): a table of replacements beside the file's own cells.

The file's cells are never changed: a report shows both. Rows are named by their number in the spreadsheet, which is
ascending and unique in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.arrow_schemas import CORRECTED_CELLS
from schemas.columns import Column
from worker.arrays.text_columns import replaced


@dataclass(frozen=True)
class CorrectedColumn:
    """Corrected cells of one column of n rows: ascending row indices (int64, k), and their texts (k)."""

    index: NDArray[np.int64]
    text: pa.StringArray

    def over(self, cells: pa.StringArray) -> pa.StringArray:
        """Return the cells (n) with the corrected ones instead."""
        return replaced(cells, self.index, self.text)


@dataclass(frozen=True)
class RowCorrections:
    """The corrections of some rows. `left_out`: bool, one per row, or None if no row is left out."""

    columns: Mapping[Column, CorrectedColumn] = field(default_factory=dict)
    left_out: NDArray[np.bool_] | None = None

    def touched(self, rows: int) -> NDArray[np.bool_]:
        """Return which of the rows have corrected cells (bool, one per row)."""
        touched = np.zeros(rows, np.bool_)
        for column in self.columns.values():
            touched[column.index] = True
        return touched


@dataclass(frozen=True)
class CorrectedCells:
    """All corrections of a file (`schemas.arrow_schemas.CORRECTED_CELLS`), sorted by row, column and correction.

    Where several corrections replace one cell, the last one counts.
    """

    table: pa.Table

    @classmethod
    def none(cls) -> CorrectedCells:
        return cls(CORRECTED_CELLS.empty_table())

    @cached_property
    def _current(self) -> tuple[NDArray[np.int64], NDArray[np.int8], pa.StringArray]:
        """The rows, columns and texts that count."""
        row, column = (self.table.column(name).to_numpy() for name in ("row", "column"))
        is_last = np.r_[(row[1:] != row[:-1]) | (column[1:] != column[:-1]), True][: len(row)]
        text = self.table.column("text").combine_chunks()
        return row[is_last], column[is_last], text.filter(pa.array(is_last))

    @cached_property
    def columns(self) -> frozenset[Column]:
        """The columns with corrected cells."""
        return frozenset(Column(value) for value in np.unique(self._current[1]).tolist() if value)

    def at(self, rows: NDArray[np.int64]) -> RowCorrections:
        """Return the corrections of some rows, given by their ascending numbers."""
        row, column, text = self._current
        if not len(rows) or not len(row):
            return RowCorrections()
        begin, end = np.searchsorted(row, (rows[0], rows[-1] + 1)).tolist()
        index = np.searchsorted(rows, row[begin:end])
        here = np.flatnonzero(rows[np.minimum(index, len(rows) - 1)] == row[begin:end])
        index, columns = index[here], column[begin:end][here]
        texts = text.slice(begin, end - begin).take(pa.array(here))
        corrected: dict[Column, CorrectedColumn] = {}
        left_out = None
        for value in np.unique(columns).tolist():
            at_column = np.flatnonzero(columns == value)
            if value == Column.NONE:
                left_out = np.zeros(len(rows), np.bool_)
                left_out[index[at_column]] = True
            else:
                corrected[Column(value)] = CorrectedColumn(index[at_column], texts.take(pa.array(at_column)))
        return RowCorrections(corrected, left_out)

    def rows_of(self, number: int) -> NDArray[np.int64]:
        """Return the numbers of the rows that a correction concerns, ascending."""
        row, correction = (self.table.column(name).to_numpy() for name in ("row", "correction"))
        rows: NDArray[np.int64] = np.unique(row[correction == number])
        return rows

    def without(self, number: int) -> CorrectedCells:
        """Return the corrections without one of them."""
        return CorrectedCells(self.table.filter(pc.not_equal(self.table.column("correction"), number)))

    def only(self, rows: NDArray[np.int64]) -> CorrectedCells:
        """Return the corrections of some rows (ascending numbers) alone, as if they were all one, with the number 0."""
        row, column, text = self._current
        index = np.minimum(np.searchsorted(rows, row), max(len(rows) - 1, 0))
        kept = np.flatnonzero(rows[index] == row) if len(rows) else np.zeros(0, np.int64)
        return CorrectedCells(corrected_table(row[kept], column[kept], 0, text.take(pa.array(kept))))

    def added(self, more: pa.Table) -> CorrectedCells:
        """Return the corrections with those of another table."""
        joined = pa.concat_tables([self.table, more])
        row, column, correction = (joined.column(name).to_numpy() for name in ("row", "column", "correction"))
        return CorrectedCells(joined.take(pa.array(np.lexsort((correction, column, row)))).combine_chunks())


def corrected_table(row: NDArray[np.int64], column: NDArray[np.int8] | Column, number: int, text: pa.Array) -> pa.Table:
    """Return corrected cells of one correction (`schemas.arrow_schemas.CORRECTED_CELLS`), in the given order."""
    size = len(row)
    columns = np.broadcast_to(np.asarray(column, np.int8), size)
    values = (row.astype(np.int64), columns, np.full(size, number, np.int32))
    return pa.table([*map(pa.array, values), text.cast(pa.string())], schema=CORRECTED_CELLS)
