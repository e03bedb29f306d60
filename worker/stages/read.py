"""Turn an uploaded file into batches of text cells, with the row numbers that a spreadsheet program shows.

Raises faults of the whole file only. Validates no cell, and changes cells only to remove what reports and exports put
around their text (`as_shown`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import Code
from schemas.columns import UPLOAD_FORM, Column, Form
from worker.arrays.text_columns import longest
from worker.stages.reading.choose_sheet import Table, UnsettledTableError, open_table
from worker.stages.reading.description import ColumnCounter, FileDescription, sheets_of, top_of
from worker.stages.reading.header import Header
from worker.stages.reading.listed_rows import ListedRows
from worker.stages.reading.model import (
    HEADER_WITHIN,
    NO_OPTIONS,
    Block,
    FileFacts,
    FileFault,
    Limits,
    MatchingProfile,
    ReadOptions,
    RowBatch,
    Source,
    fault,
    no_profiles,
)
from worker.stages.reading.tentative_columns import Tentative
from worker.stages.reading.text_files.formula_wrapped import as_shown
from worker.stages.reading.width import empty_rows, without_nuls

__all__ = [
    "FileDescription",
    "FileFacts",
    "FileFault",
    "Limits",
    "MatchingProfile",
    "ReadOptions",
    "RowBatch",
    "Rows",
    "Sheet",
    "UnsettledTableError",
    "no_profiles",
    "read",
    "read_list",
]


class Rows(Protocol):
    """The rows of a job, from a file or a list, and the facts about them."""

    @property
    def facts(self) -> FileFacts: ...
    @property
    def description(self) -> FileDescription | None: ...

    def batches(self) -> Iterator[RowBatch]:
        """Yield the rows in order. Raises `FileFault` for a fault of the whole file, after the rows before it."""


@dataclass
class Sheet:
    """An opened file: its facts and its rows. `facts` are final once all rows have been read.

    `describes`: the columns are counted while the rows are read, for `description`.
    """

    table: Table
    limits: Limits
    describes: bool = False
    facts: FileFacts = field(init=False)
    _nul_row: int = 0
    _counter: ColumnCounter | None = None

    def __post_init__(self) -> None:
        self.facts = _facts(self.table)

    @property
    def description(self) -> FileDescription | None:
        """The description of the rows that have been read, if the file `describes`."""
        if self._counter is None:
            return None
        return FileDescription(self._counter.columns(), top_of(self.table.source), sheets_of(self.table.source))

    def batches(self) -> Iterator[RowBatch]:
        """Yield the rows below the header, in file order. Each call starts from the first row.

        Raises `FileFault` TOO_MANY_ROWS, EMPTY_FILE (only blank rows) or UNREADABLE_FILE, after the rows before it.
        """
        header, limits = self.table.header, self.limits
        tentative_columns = Tentative(header.columns, header.mapping, header.tentative, limits.block)
        self._counter = ColumnCounter(header.numbers, header.columns) if self.describes else None
        rows, only_blank = 0, True
        for block in self.table.source.blocks(header.width):
            for part in _parts(block, header.row_number, limits.batch_rows):
                rows += len(part.row_number)
                if rows > limits.rows:
                    fault(Code.TOO_MANY_ROWS, f"The file has more than {limits.rows:,} rows.", limit=limits.rows)
                batch = self._batch(part)
                only_blank = only_blank and bool(batch.blank.all())
                tentative_columns.add(batch)
                if self._counter is not None:
                    self._counter.add(batch)
                yield batch
        if only_blank:
            fault(Code.EMPTY_FILE, "The file has a header row and only empty rows below it.")
        self.facts = _final(_facts(self.table), tentative_columns, self._nul_row)

    def _batch(self, block: Block) -> RowBatch:
        header = self.table.header
        columns, nul = without_nuls([block.columns[column_index] for column_index in header.kept])
        if nul is not None and not self._nul_row:
            self._nul_row = int(block.row_number[nul])
        columns = [as_shown(column) for column in columns]
        for column in columns:
            self._check_lengths(column, block)
        blank = empty_rows(columns, header.mapping, len(block.row_number)) & ~block.too_wide
        cells = pa.RecordBatch.from_arrays(columns, names=header.unique_names)
        return RowBatch(block.row_number, cells, block.too_wide, blank, block.surplus)

    def _check_lengths(self, column: pa.Array, block: Block) -> None:
        most = self.limits.cell_chars
        # A text has at most as many characters as bytes, so the cheap test on bytes is nearly always enough.
        if longest(column) <= most:
            return
        too_long = np.flatnonzero(pc.greater(pc.utf8_length(column), most))
        if too_long.size:
            row = int(block.row_number[too_long[0]])
            detail = f"Row {row:,} has a cell of more than {most:,} characters; is a closing quotation mark missing?"
            fault(Code.UNREADABLE_FILE, detail, row=row, limit=most)


@contextmanager
def read(  # noqa: PLR0913 - keyword arguments, each with its default
    path: Path,
    limits: Limits,
    *,
    workdir: Path,
    form: Form = UPLOAD_FORM,
    hints: ReadOptions = NO_OPTIONS,
    describes: bool = False,
) -> Iterator[Sheet]:
    """Open a local copy of a file with the columns of `form`; `hints` are the uploader's options for reading it.

    Temporary files go to a folder inside `workdir` that is removed at the end.

    Raises `FileFault` for faults that the head of the file shows, and for a file without rows. If it is not settled
    which column is which, it is an `UnsettledTableError`; with `describes` its description has all that the file shows.
    """
    with TemporaryDirectory(prefix="read-", dir=workdir) as folder:
        try:
            table = open_table(path, limits, Path(folder), form, hints)
        except UnsettledTableError as unsettled:
            if describes:
                unsettled.facts, unsettled.description = _described(unsettled, limits)
            raise
        sheet = Sheet(table, limits, describes)
        _require_rows(sheet, table.source, table.header)
        yield sheet


def _described(unsettled: UnsettledTableError, limits: Limits) -> tuple[FileFacts, FileDescription | None]:
    """Read a table whose columns are not settled, to describe them. `FileFault` as for `Sheet.batches`."""
    sheet = Sheet(Table(unsettled.source, unsettled.header), limits, describes=True)
    for _ in sheet.batches():
        pass
    return sheet.facts, sheet.description


def read_list(table: pa.Table, limits: Limits, form: Form) -> Rows:
    """Return rows that did not come as a file (`worker.storage.number_lists`)."""
    return ListedRows(table, form, limits.batch_rows)


def _facts(table: Table) -> FileFacts:
    source, header = table.source, table.header
    return FileFacts(
        format=source.format,
        encoding=source.encoding,
        delimiter=source.delimiter,
        sheet=source.sheet,
        header_row=header.row_number,
        columns=header.columns,
        mapping=header.mapping,
        ignored_columns=header.ignored_columns,
        notes=(*source.notes, *header.notes),
        constants=dict(header.stated.constants),
        values=dict(header.stated.values),
        numbers=header.numbers,
        profile=table.profile,
    )


def _final(facts: FileFacts, tentative_columns: Tentative, nul_row: int) -> FileFacts:
    """Return the facts, completed with what only the whole file shows."""
    meanings = tentative_columns.meanings()
    ignored = list(facts.ignored_columns)
    for column_index in meanings.values():
        ignored.remove(facts.columns[column_index])
    notes = [*facts.notes, *tentative_columns.notes(meanings)]
    if nul_row:
        notes.append(f"Row {nul_row:,} contains NUL characters; they were read as “\ufffd”.")
    mapping = {**facts.mapping, **meanings}
    return replace(facts, mapping=mapping, ignored_columns=tuple(ignored), notes=tuple(notes))


def _require_rows(sheet: Sheet, source: Source, header: Header) -> None:
    """Look ahead to the first row that is not blank; it is nearly always the one below the header."""
    near = islice(source.top(), header.row_number + HEADER_WITHIN)
    below = (cells for row, cells in near if row > header.row_number)
    number = header.kept[header.mapping[Column.PHONE_NUMBER]]
    if any(number < len(cells) and cells[number].strip() for cells in below):
        return
    for batch in sheet.batches():
        if not batch.blank.all():
            return


def _parts(block: Block, header_row: int, size: int) -> Iterator[Block]:
    """Yield the rows below the header row, in parts of at most `size` rows."""
    first = int(np.searchsorted(block.row_number, header_row, side="right"))
    for start in range(first, len(block.row_number), size):
        part = slice(start, start + size)
        surplus = {
            row_index - start: text for row_index, text in block.surplus.items() if start <= row_index < part.stop
        }
        yield Block(block.row_number[part], [column[part] for column in block.columns], block.too_wide[part], surplus)
