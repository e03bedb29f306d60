"""The cells of our columns, as a mapping gives them (R31): from a column of the file, a constant, or translated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from schemas.column_mapping import value_key
from schemas.columns import Column
from worker.spreadsheet.corrected_cells import RowCorrections


@dataclass(frozen=True)
class CellSources:
    """Where the cells of our columns come from: the index of a column of the file, or a text for every row.

    `values`: our column -> text of a cell (`schemas.column_mapping.value_key`) -> the text to read instead.
    `corrections` (R33): those of the rows that the cells are of; they replace cells, and are translated like them.
    """

    mapping: Mapping[Column, int]
    constants: Mapping[Column, str] = field(default_factory=dict)
    values: Mapping[Column, Mapping[str, str]] = field(default_factory=dict)
    corrections: RowCorrections = field(default_factory=RowCorrections)

    def __contains__(self, column: Column) -> bool:
        return column in self.mapping or column in self.constants or column in self.corrections.columns

    def cells(self, column: Column, rows: pa.RecordBatch) -> pa.StringArray:
        """Return the cells of one of our columns: as translated; "" if it is neither in the file nor a constant."""
        return translated(self.untranslated(column, rows), self.values.get(column, {}))

    def untranslated(self, column: Column, rows: pa.RecordBatch) -> pa.StringArray:
        """Return the cells of one of our columns before translation, as a message shows them."""
        cells, corrected = self.original(column, rows), self.corrections.columns.get(column)
        return cells if corrected is None else corrected.over(cells)

    def original(self, column: Column, rows: pa.RecordBatch) -> pa.StringArray:
        """Return the cells of one of our columns as they are in the file, or the constant."""
        index = self.mapping.get(column)
        if index is None:
            return pa.repeat(pa.scalar(self.constants.get(column, ""), pa.string()), rows.num_rows)
        return rows.column(index)


def translated(cells: pa.StringArray, values: Mapping[str, str]) -> pa.StringArray:
    """Return the cells with the values that `values` translates, each distinct text looked up once."""
    if not values:
        return cells
    encoded = cells.dictionary_encode()
    texts = [values.get(value_key(text), text) for text in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)
