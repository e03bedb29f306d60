"""Fit rows to the width of the header row, and find blank rows and rows without values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.capabilities import CAPABILITIES
from schemas.columns import Column
from worker.arrays.text_columns import buffers
from worker.spreadsheet.cell_repair import read_boolean
from worker.stages.reading.model import Cells
from worker.stages.reading.workbooks.cell_table import has_text

LONGEST_SURPLUS = 1000  # characters that are kept of cells without a column
Mask = npt.NDArray[np.bool_]


def is_blank(cells: Cells) -> bool:
    """Return whether all cells are empty or white space."""
    return not any(cell.strip() for cell in cells)


Surplus = dict[int, str]


def columns_of(rows: Sequence[Cells], width: int) -> tuple[list[pa.Array], Mask, Surplus]:
    """Return rows of any width as `width` columns.

    Also returns a mask of the rows with text beyond the last column, and row index -> that text.
    """
    too_wide = np.fromiter(
        (len(row) > width and not is_blank(row[width:]) for row in rows), dtype=bool, count=len(rows)
    )
    padding = [""] * width
    even = (row[:width] if len(row) >= width else row + padding[len(row) :] for row in rows)
    surplus = {row_index: _joined(rows[row_index][width:]) for row_index in np.flatnonzero(too_wide).tolist()}
    return [pa.array(column, pa.string()) for column in zip(*even, strict=True)], too_wide, surplus


def fit(columns: list[pa.Array], width: int) -> tuple[list[pa.Array], Mask, Surplus]:
    """Cut or pad columns to `width`.

    Also returns a mask of the rows with text beyond the last column, and row index -> that text.
    """
    rows = len(columns[0])
    missing = [pc.fill_null(pa.nulls(rows, pa.string()), "") for _ in range(len(columns), width)]
    too_wide = ~blank_rows(columns[width:], rows)
    places = np.flatnonzero(too_wide)
    cells = zip(*(column.take(pa.array(places)).to_pylist() for column in columns[width:]), strict=True)
    surplus = {int(row_index): _joined(row) for row_index, row in zip(places, cells, strict=False)}
    return columns[:width] + missing, too_wide, surplus


def _joined(cells: Iterable[str]) -> str:
    """Join the text of surplus cells for display in a sentence."""
    return " | ".join(cell.strip() for cell in cells if cell.strip())[:LONGEST_SURPLUS]


def blank_rows(columns: list[pa.Array], rows: int) -> Mask:
    """Return the rows (bool) whose cells are all empty or white space; all true if there is no column."""
    return reduce(_still_blank, columns, np.ones(rows, dtype=bool))


def empty_rows(columns: list[pa.Array], mapping: Mapping[Column, int], rows: int) -> Mask:
    """Return the rows (bool) without values: blank, or FALSE in capability columns and columns without a meaning.

    Sheets with checkboxes have FALSE in every prepared row, far below the last number.
    """
    flags = {capability.column for capability in CAPABILITIES}
    checked_columns = {index for column, index in mapping.items() if column not in flags}
    empty = blank_rows([columns[index] for index in checked_columns], rows)
    for index, column in enumerate(columns):
        candidates = np.flatnonzero(empty)
        if candidates.size and index not in checked_columns and has_text(column):
            read = read_boolean(column.take(pa.array(candidates)), Column.VOICE)
            empty[candidates] = (read.value <= 0) & (read.faults == 0)
    return empty


def without_nuls(columns: list[pa.Array]) -> tuple[list[pa.Array], int | None]:
    """Replace NULs by U+FFFD, and return the index of the first row that had one, or None.

    No text contains NULs and no database accepts them. Columns without NULs are not copied.
    """
    places = [row for column in columns if (row := _first_nul(column)) is not None]
    if not places:
        return columns, None
    return [pc.replace_substring(column, "\0", "\ufffd") for column in columns], min(places)


def _first_nul(column: pa.StringArray) -> int | None:
    offsets, text = buffers(column)
    text_of_column = text[offsets[0] : offsets[-1]]
    if text_of_column.all():
        return None
    return int(np.searchsorted(offsets, int(np.argmin(text_of_column)) + offsets[0], side="right")) - 1


def _still_blank(blank: Mask, column: pa.Array) -> Mask:
    if not has_text(column):
        return blank
    # Few rows are blank: after the first column, few candidates are left.
    candidates = np.flatnonzero(blank)
    if not candidates.size:
        return blank
    looked_at = column if candidates.size == blank.size else column.take(pa.array(candidates))
    empty = pc.or_(pc.equal(pc.binary_length(looked_at), 0), pc.utf8_is_space(looked_at))
    blank[candidates] = empty.to_numpy(zero_copy_only=False)
    return blank
