"""Turns an uploaded file into batches of text cells with the row numbers a spreadsheet program shows (DESIGN 3.2).

Raises whole-file faults only. Judges no cell, changes no cell beyond taking back what our own reports add (`restore`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.cells_safe import restore
from schemas.codes import Code
from schemas.columns import UPLOAD_FORM, Form
from schemas.texts import longest
from worker.stages.reading.choosing import open_table
from worker.stages.reading.header import Header
from worker.stages.reading.listed import ListedRows
from worker.stages.reading.model import (
    HEADER_WITHIN,
    NO_HINTS,
    Block,
    FileFacts,
    FileFault,
    Hints,
    Limits,
    RowBatch,
    Source,
    fault,
)
from worker.stages.reading.shape import blank_rows

__all__ = ["FileFacts", "FileFault", "Hints", "Limits", "RowBatch", "Rows", "Sheet", "read", "read_list"]


class Rows(Protocol):
    """What a job's rows are, whether they came as a file or as a list: what was decided about them, and they."""

    @property
    def facts(self) -> FileFacts: ...

    def batches(self) -> Iterator[RowBatch]:
        """The rows in their order. `FileFault` for faults of the whole, after the rows before it."""


@dataclass(frozen=True)
class Sheet:
    """An opened file: what was decided about it, and its rows."""

    facts: FileFacts
    _source: Source
    _header: Header
    _limits: Limits

    def batches(self) -> Iterator[RowBatch]:
        """The rows below the header, in file order; may be called again and starts anew.

        `FileFault` TOO_MANY_ROWS, EMPTY_FILE (nothing but blank rows) or UNREADABLE_FILE, after the rows before it.
        """
        rows, only_blank = 0, True
        for block in self._source.blocks(self._header.width):
            for part in _parts(block, self._header.row_number, self._limits.batch_rows):
                rows += len(part.row_number)
                if rows > self._limits.rows:
                    detail = f"The file has more than {self._limits.rows:,} rows."
                    fault(Code.TOO_MANY_ROWS, detail, limit=self._limits.rows)
                batch = self._batch(part)
                only_blank = only_blank and bool(batch.blank.all())
                yield batch
        if only_blank:
            fault(Code.EMPTY_FILE, "The file has a header row and nothing below it.")

    def _batch(self, block: Block) -> RowBatch:
        columns = [restore(block.columns[place]) for place in self._header.kept]
        for column in columns:
            self._check_lengths(column, block)
        blank = blank_rows(columns, len(block.row_number)) & ~block.too_wide
        cells = pa.RecordBatch.from_arrays(columns, names=self._header.unique_names)
        return RowBatch(block.row_number, cells, block.too_wide, blank, block.surplus)

    def _check_lengths(self, column: pa.Array, block: Block) -> None:
        most = self._limits.cell_chars
        # A text has at most as many characters as bytes, so the cheap look is enough nearly always.
        if longest(column) <= most:
            return
        too_long = np.flatnonzero(pc.greater(pc.utf8_length(column), most))
        if too_long.size:
            row = int(block.row_number[too_long[0]])
            detail = f"Row {row:,} holds a cell of more than {most:,} characters; is a closing quotation mark missing?"
            fault(Code.UNREADABLE_FILE, detail, row=row, limit=most)


@contextmanager
def read(
    path: Path, limits: Limits, *, workdir: Path, form: Form = UPLOAD_FORM, hints: Hints = NO_HINTS
) -> Iterator[Sheet]:
    """Open a local copy of a file whose columns are those of `form`; `hints` are what the uploader says of it.

    What it needs beside is kept in a folder inside `workdir` and removed at the end.

    `FileFault` for everything that can be told from the head of the file, and for a file without rows.
    """
    with TemporaryDirectory(prefix="read-", dir=workdir) as folder:
        source, header = open_table(path, limits, Path(folder), form, hints)
        sheet = Sheet(_facts(source, header), source, header, limits)
        _require_rows(sheet, source, header)
        yield sheet


def read_list(table: pa.Table, limits: Limits, form: Form) -> Rows:
    """Rows that did not come as a file (`worker.infra.listed`)."""
    return ListedRows(table, form, limits.batch_rows)


def _facts(source: Source, header: Header) -> FileFacts:
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
    )


def _require_rows(sheet: Sheet, source: Source, header: Header) -> None:
    """Look ahead to the first row that is not blank; it nearly always stands right below the header."""
    near = islice(source.top(), header.row_number + HEADER_WITHIN)
    below = (cells for row, cells in near if row > header.row_number)
    if any(place < len(cells) and cells[place].strip() for cells in below for place in header.kept):
        return
    for batch in sheet.batches():
        if not batch.blank.all():
            return


def _parts(block: Block, header_row: int, size: int) -> Iterator[Block]:
    """The block without the header row and what stands above it, in parts of so many rows."""
    first = int(np.searchsorted(block.row_number, header_row, side="right"))
    for start in range(first, len(block.row_number), size):
        part = slice(start, start + size)
        surplus = {place - start: text for place, text in block.surplus.items() if start <= place < part.stop}
        yield Block(block.row_number[part], [column[part] for column in block.columns], block.too_wide[part], surplus)
