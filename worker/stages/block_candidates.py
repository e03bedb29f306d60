"""Find the cells of a column that may hold a block of numbers (R14e), so that only these are read one by one.

A filter with array operations; `worker.stages.block_text` decides.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import phone
from schemas.texts import buffers
from worker.stages.block_text import LEAST_TAIL, OTHER_DASH

_WIDEST = 10  # digits on either side of a dash
_LAST_DIGITS = 2
_TEN = 10
_BLANK_OR_DASH = np.array([ord(" "), ord("-")], np.uint8)


def may_be_blocks(number: pa.StringArray) -> np.ndarray:
    """Return the rows (int64) for which `BlockText.may_be_block` or `is_mixed` may hold, and a few others.

    `number`: texts without nulls. Decides by bytes, because a file of dashed numbers has such texts in nearly all rows.
    """
    plain = phone.plain_punctuation(number)
    offsets, data = buffers(plain)
    offsets = offsets.astype(np.int64)
    dashes = np.flatnonzero(data == ord("-"))
    dashes = dashes[(dashes >= offsets[0]) & (dashes < offsets[-1])]
    row = np.repeat(np.arange(len(plain)), np.diff(offsets))[dashes - offsets[0]]
    beside = (data[dashes - 1], data[np.minimum(dashes + 1, len(data) - 1)])
    spaced = row[np.isin(beside[0], _BLANK_OR_DASH) | (beside[1] == ord(" "))]
    last = np.r_[row[1:] != row[:-1], True][: len(row)]
    dashes, row = dashes[last], row[last]
    width = offsets[row + 1] - dashes - 1
    fits = (width > 0) & (width <= _WIDEST) & (dashes - width >= offsets[row])
    kept, width, dashes, begin = row[fits], width[fits], dashes[fits], offsets[row[fits]]
    first = dashes - width
    alike = np.ones(len(kept), np.bool_)  # as long as the digits are the same
    digits, differing = np.ones(len(kept), np.bool_), np.zeros(len(kept), np.int64)
    runs = np.ones(len(kept), np.bool_)
    for place in range(int(width.max(initial=0))):
        inside = place < width
        one, other = data[np.where(inside, first + place, 0)], data[np.where(inside, dashes + 1 + place, 0)]
        is_digit = (one - np.uint8(ord("0")) < _TEN) & (other - np.uint8(ord("0")) < _TEN)
        digits &= is_digit | ~inside
        alike &= (one == other) | ~inside
        differing += inside & ~alike
        runs &= alike | ~inside | ((one == ord("0")) & (other == ord("9")))
    whole = _is_other(data, first - 1, begin) | (width >= LEAST_TAIL)
    # Groups of equal width are punctuation (`BlockText.is_pattern`).
    pattern = _is_other(data, first - 1, begin) & (first - begin > width) & _is_other(data, first - 2 - width, begin)
    for place in range(int(width.max(initial=0))):
        before = data[np.maximum(first - 2 - place, 0)]
        pattern &= (before - np.uint8(ord("0")) < _TEN) | (place >= width)
    found = kept[digits & whole & ~pattern & ((differing <= _LAST_DIGITS) | runs)]
    other = pc.match_substring_regex(number, OTHER_DASH).to_numpy(zero_copy_only=False)
    return np.union1d(found, np.r_[spaced, np.flatnonzero(other)]).astype(np.int64)


def _is_other(data: np.ndarray, place: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Return whether each byte is not a digit, or lies before the begin of its text."""
    found: np.ndarray = (place < begin) | (data[np.maximum(place, 0)] - np.uint8(ord("0")) >= _TEN)
    return found
