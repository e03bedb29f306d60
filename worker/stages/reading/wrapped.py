"""Takes back `="..."`, in which some exports wrap every cell to keep a spreadsheet program from changing it."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.texts import first_bytes, replaced

_WRAPPED = r'^=\s*"((?:[^"]|"")*)"\s*$'
_EQUALS = ord("=")


def unwrapped(cells: pa.StringArray) -> pa.StringArray:
    """A column (`pa.string()`) with the text inside each wrapper. Columns without any are not copied."""
    begins = first_bytes(cells) == _EQUALS
    if not begins.any():
        return cells
    rows = np.flatnonzero(begins)
    matches = pc.match_substring_regex(cells.take(pa.array(rows)), _WRAPPED).to_numpy(zero_copy_only=False)
    wrapped = np.zeros(len(cells), np.bool_)
    wrapped[rows[matches]] = True
    inner = pc.replace_substring_regex(cells.filter(pa.array(wrapped)), _WRAPPED, r"\1")
    return replaced(cells, wrapped, pc.replace_substring(inner, '""', '"'))


def unwrapped_cell(cell: str) -> str:
    """One cell, as `unwrapped` reads it."""
    match = re.fullmatch(_WRAPPED[1:-1], cell) if cell.startswith("=") else None
    return cell if match is None else match[1].replace('""', '"')
