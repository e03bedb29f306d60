"""Makes cells safe to open in a spreadsheet program, and takes that back when the file returns (DESIGN section 5).

Whole columns at a time. Knows nothing of files: report writer and reader each use their half of the pair.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from worker.arrays.text_columns import buffers, first_bytes, replaced, with_first

# A spreadsheet runs a cell that begins with one of these (OWASP, CSV injection). Apostrophes before it are counted in
# so that a text which already looks neutralised gets one more, and `restore` gives back exactly what was there.
_SIGNS = r"[=+\-@\t\r\n\x{FEFF}\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
_RUNS = rf"^'*{_SIGNS}"
_NEUTRALISED = rf"^'+{_SIGNS}"
_QUOTE, _PLUS = ord("'"), ord("+")
# What the first byte alone tells: nothing to do, look closer, or a sign. 0xEF begins the full-width signs and the byte
# order mark.
_HARMLESS, _UNCLEAR, _SIGN = range(3)
_FIRST = np.full(256, _HARMLESS, np.uint8)
_FIRST[list(b"=+-@\t\r\n")] = _SIGN
_FIRST[[_QUOTE, 0xEF]] = _UNCLEAR
_ZERO = np.uint8(ord("0"))
_TEN = 10
_E164_DIGITS = range(7, 16)


def neutralise(cells: pa.Array) -> pa.Array:
    """Text cells (`pa.string()`) with a leading `'` where a spreadsheet would run them; strict E.164 is left alone."""
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
    """The inverse of `neutralise`, exact for every text: `restore(neutralise(x)) == x`. Nulls stay null.

    `first` are the first bytes of the cells, if they are known already. Where nothing changes, it is the same array.
    """
    rows = _where(cells, (first_bytes(cells) if first is None else first) == _QUOTE, _NEUTRALISED)
    if not rows.size:
        return cells
    neutralised = np.zeros(len(cells), np.bool_)
    neutralised[rows] = True
    return replaced(cells, neutralised, pc.utf8_slice_codeunits(cells.take(pa.array(rows)), 1))


def _where(cells: pa.StringArray, candidates: NDArray[np.bool_], pattern: str) -> NDArray[np.int64]:
    """The places among some cells (bool), hardly any, that match."""
    rows = np.flatnonzero(candidates)
    if not rows.size:
        return rows
    matches = pc.fill_null(pc.match_substring_regex(cells.take(pa.array(rows)), pattern), False)  # noqa: FBT003 - Arrow's
    found: NDArray[np.int64] = rows[matches.to_numpy(zero_copy_only=False)]
    return found


def _are_plain(cells: pa.StringArray) -> NDArray[np.bool_]:
    """Which of some cells (a plus, then something) hold nothing but digits behind the plus, the first no 0 (bool)."""
    offsets, data = buffers(cells)
    text = data[offsets[0] : offsets[-1]]
    is_digit = text - _ZERO < _TEN
    before = np.zeros(len(text) + 1, np.int32)  # digits before each byte
    np.cumsum(is_digit, out=before[1:], dtype=np.int32)
    begins, size = offsets[:-1] - offsets[0], np.diff(offsets)
    found: NDArray[np.bool_] = (before[begins + size] - before[begins] == size - 1) & (text[begins + 1] != _ZERO)
    return found
