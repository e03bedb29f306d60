"""Rows from a list or a selection, read like a file's rows: text columns under names that the form understands."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from schemas.codes import Code
from schemas.columns import Form, recognise
from schemas.jobs import LIST_FORMAT_KEY, ListFormat
from worker.stages.reading.model import FileFacts, RowBatch, fault


class ListedRows:
    """The rows of a table; row numbers count from 1."""

    description = None

    def __init__(self, table: pa.Table, form: Form, batch_rows: int) -> None:
        self._table = table.combine_chunks()
        self._batch_rows = batch_rows
        meanings = {column: index for index, name in enumerate(table.column_names) if (column := recognise(name, form))}
        self.facts = FileFacts(
            format=ListFormat((table.schema.metadata or {}).get(LIST_FORMAT_KEY, b"list").decode()).value,
            encoding=None,
            delimiter=None,
            sheet=None,
            header_row=0,
            columns=tuple(table.column_names),
            mapping=meanings,
            ignored_columns=(),
            notes=(),
        )

    def batches(self) -> Iterator[RowBatch]:
        """Yield the rows in batches. Raises `FileFault` EMPTY_FILE if there are none."""
        if not self._table.num_rows:
            fault(Code.EMPTY_FILE, "The list is empty.")
        for start in range(0, self._table.num_rows, self._batch_rows):
            part = self._table.slice(start, self._batch_rows).combine_chunks()
            columns = [column.chunk(0) for column in part.columns]
            row_number = np.arange(start + 1, start + 1 + part.num_rows, dtype=np.int64)
            # An empty item of a list is a mistake to report, not a blank row to skip.
            nothing = np.zeros(part.num_rows, dtype=bool)
            yield RowBatch(row_number, pa.RecordBatch.from_arrays(columns, names=part.column_names), nothing, nothing)
