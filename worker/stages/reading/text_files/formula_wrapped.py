"""Remove `="..."`, in which some exports wrap every cell to keep a spreadsheet program from changing it."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from worker.arrays.text_columns import first_bytes, replaced
from worker.spreadsheet.formula_escape import restore

# Blanks are listed: Arrow's `\s` has fewer than Python's.
_WRAPPED = r'^=[\t\n\f\r ]*"((?:[^"]|"")*)"[\t\n\f\r ]*$'
_EQUALS = ord("=")


def as_shown(cells: pa.StringArray) -> pa.StringArray:
    """Return a column (`pa.string()`) without the wrappers that our own reports or other exports put around cells."""
    first = first_bytes(cells)
    restored = restore(cells, first)
    return _unwrapped(restored, first if restored is cells else first_bytes(restored))


def _unwrapped(cells: pa.StringArray, first: NDArray[np.uint8]) -> pa.StringArray:
    """Replace each wrapped cell by its text. Columns without wrappers are not copied."""
    begins = first == _EQUALS
    if not begins.any():
        return cells
    rows = np.flatnonzero(begins)
    matches = pc.match_substring_regex(cells.take(pa.array(rows)), _WRAPPED).to_numpy(zero_copy_only=False)
    wrapped = np.zeros(len(cells), np.bool_)
    wrapped[rows[matches]] = True
    inner = pc.replace_substring_regex(cells.filter(pa.array(wrapped)), _WRAPPED, r"\1")
    return replaced(cells, wrapped, pc.replace_substring(inner, '""', '"'))


def unwrapped_cell(cell: str) -> str:
    """Return one cell without its `="..."` wrapper."""
    match = re.fullmatch(_WRAPPED[1:-1], cell) if cell.startswith("=") else None
    return cell if match is None else match[1].replace('""', '"')
