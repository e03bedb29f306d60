"""Escaping of cells that a spreadsheet program would run as formulas, and its reversal on upload.

Works on whole columns and does no I/O: the report writer escapes, the reader of uploads restores.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from worker.arrays.text_columns import buffers, first_bytes, replaced, with_first

# A spreadsheet program runs a cell that begins with one of these signs (OWASP, CSV injection). The patterns include
# apostrophes before the sign, so a text that already begins with one gets one more, and `restore` returns the original.
_SIGNS = r"[=+\-@\t\r\n\x{FEFF}\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
_RUNS = rf"^'*{_SIGNS}"
_NEUTRALISED = rf"^'+{_SIGNS}"
_QUOTE, _PLUS = ord("'"), ord("+")
# Classes of a cell's first byte: harmless, to be checked by the pattern, or a sign. 0xEF begins the full-width signs
# and the byte order mark.
_HARMLESS, _UNCLEAR, _SIGN = range(3)
_FIRST = np.full(256, _HARMLESS, np.uint8)
_FIRST[list(b"=+-@\t\r\n")] = _SIGN
_FIRST[[_QUOTE, 0xEF]] = _UNCLEAR
_ZERO = np.uint8(ord("0"))
_TEN = 10
_E164_DIGITS = range(7, 16)


def neutralise(cells: pa.Array) -> pa.Array:
    """Return text cells (`pa.string()`) with `'` before those that a spreadsheet would run; not before strict E.164."""
    first = first_bytes(cells)
    kind = _FIRST[first]
    if not kind.any():
        return cells
    runs = kind == _SIGN
    runs[_where(cells, kind == _UNCLEAR, _RUNS)] = True
    digits = np.diff(buffers(cells)[0]) - 1
    plus = np.flatnonzero((first == _PLUS) & (digits >= _E164_DIGITS.start) & (digits < _E164_DIGITS.stop))
    runs[plus[_are_plain(cells.take(pa.array(plus)))]] = False
    return with_first(cells, runs, _QUOTE) if runs.any() else cells


def restore(cells: pa.Array, first: NDArray[np.uint8] | None = None) -> pa.Array:
    """Undo `neutralise`, exactly for every text: `restore(neutralise(x)) == x`. Nulls stay null.

    `first`: the first bytes of the cells, if already known. Returns the same array if nothing changes.
    """
    rows = _where(cells, (first_bytes(cells) if first is None else first) == _QUOTE, _NEUTRALISED)
    if not rows.size:
        return cells
    neutralised = np.zeros(len(cells), np.bool_)
    neutralised[rows] = True
    return replaced(cells, neutralised, pc.utf8_slice_codeunits(cells.take(pa.array(rows)), 1))


def _where(cells: pa.StringArray, candidates: NDArray[np.bool_], pattern: str) -> NDArray[np.int64]:
    """Return the indices of the candidates (bool, n; few) that match the pattern."""
    rows = np.flatnonzero(candidates)
    if not rows.size:
        return rows
    matches = pc.fill_null(pc.match_substring_regex(cells.take(pa.array(rows)), pattern), False)  # noqa: FBT003 - Arrow's
    matching_rows: NDArray[np.int64] = rows[matches.to_numpy(zero_copy_only=False)]
    return matching_rows


def _are_plain(cells: pa.StringArray) -> NDArray[np.bool_]:
    """Return whether each cell, which begins with a plus, has only digits after it and the first is not 0 (bool, n)."""
    offsets, data = buffers(cells)
    text = data[offsets[0] : offsets[-1]]
    is_digit = text - _ZERO < _TEN
    before = np.zeros(len(text) + 1, np.int32)  # digits before each byte
    np.cumsum(is_digit, out=before[1:], dtype=np.int32)
    begins, size = offsets[:-1] - offsets[0], np.diff(offsets)
    is_plain: NDArray[np.bool_] = (before[begins + size] - before[begins] == size - 1) & (text[begins + 1] != _ZERO)
    return is_plain
