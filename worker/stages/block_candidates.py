"""Filter a column for cells that may hold a block of numbers (R14e), so that only those are read one by one.

Uses array operations; `worker.stages.block_text` decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from worker import phone
from worker.arrays.text_columns import buffers
from worker.stages.block_text import LEAST_TAIL, OTHER_DASH, WHOLE_DIGITS

_MOST_COMPARED = 20  # digits of a cell; a number has fewer
_LAST_DIGITS = 2
_TEN = 10
_BLANK_OR_DASH = np.array([ord(" "), ord("-")], np.uint8)


def may_be_blocks(number: pa.StringArray) -> np.ndarray:
    """Return the rows (int64) for which `BlockText.may_be_block` or `is_mixed` may be true, and a few others.

    `number`: texts without nulls. Has to be cheap: in a file of dashed numbers, nearly every row has a dash.
    """
    cells = _Digits.of(phone.plain_punctuation(number))
    text = cells.text
    dashes = np.flatnonzero(text == ord("-"))
    row = np.repeat(np.arange(len(number)), np.diff(cells.offsets))[dashes]
    behind = text[np.minimum(dashes + 1, len(text) - 1)]
    spaced = np.isin(text[dashes - 1], _BLANK_OR_DASH) | (behind == ord(" "))
    begin, end = cells.count[cells.offsets[row]], cells.count[cells.offsets[row + 1]]
    before = cells.count[dashes] - begin
    divides_whole = (before == end - cells.count[dashes]) & (before >= WHOLE_DIGITS)
    is_last = np.r_[row[1:] != row[:-1], True][: len(row)]
    last = np.flatnonzero(is_last)
    ends = last[_may_end_block(cells, begin[last], cells.count[dashes[last]], end[last])]
    other = np.flatnonzero(pc.match_substring_regex(number, OTHER_DASH).to_numpy(zero_copy_only=False))
    return np.unique(np.concatenate((row[spaced | divides_whole], row[ends], other))).astype(np.int64)


@dataclass(frozen=True)
class _Digits:
    """The digits of n texts.

    `text` uint8: the bytes of all texts; `offsets` int64 (n + 1): where each text begins. `count` int64: the number of
    digits before each byte. One value per digit: `digit` uint8, and `group` int64, the index of the first digit of its
    group.
    """

    text: np.ndarray
    offsets: np.ndarray
    count: np.ndarray
    digit: np.ndarray
    group: np.ndarray

    @classmethod
    def of(cls, column: pa.StringArray) -> _Digits:
        offsets, data = buffers(column)
        text = data[offsets[0] : offsets[-1]]
        offsets = (offsets - offsets[0]).astype(np.int64)
        is_digit = text - np.uint8(ord("0")) < _TEN
        count = np.zeros(len(text) + 1, np.int64)
        np.cumsum(is_digit, out=count[1:])
        starts = is_digit & np.r_[True, ~is_digit[:-1]][: len(text)]
        begins = offsets[:-1][offsets[:-1] < offsets[1:]]
        starts[begins] = is_digit[begins]  # the previous text may end in a digit
        position = np.arange(count[-1])
        group = np.maximum.accumulate(np.where(starts[is_digit], position, 0))
        return cls(text, offsets, count, text[is_digit], group)


def _may_end_block(cells: _Digits, begin: np.ndarray, at: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the indices of the cells in which the digits after the last dash may be the end of a block.

    Digit indices, one per cell: `begin` of the cell's first digit, `at` of the first one after the dash, `end` of the
    next cell's first digit.
    """
    behind = end - at
    kept = np.flatnonzero((behind > 0) & (at - begin >= behind))
    begin, at, behind = begin[kept], at[kept], behind[kept]
    group, from_end = cells.group[at - 1], at - behind
    width = at - group
    # The end is as wide as one group or several groups, or shorter.
    fits = (behind <= width) | (cells.group[from_end] == from_end)
    fits &= (behind >= width) | (behind >= LEAST_TAIL)
    before = cells.group[np.maximum(group - 1, 0)]
    fits &= (behind != width) | (group == begin) | (group - before != width)  # equal widths are punctuation
    fits &= _runs(cells.digit, at, at + behind, np.minimum(np.minimum(width, behind), _MOST_COMPARED))
    rows: np.ndarray = kept[fits]
    return rows


def _runs(digit: np.ndarray, first: np.ndarray, last: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return whether two sequences of digits differ in the last two digits only, or run from zeros to nines.

    The sequences are the `size` digits before the digit indices `first` and `last`.
    """
    alike, runs = np.ones(len(size), np.bool_), np.ones(len(size), np.bool_)
    differing = np.zeros(len(size), np.int64)
    for position in range(int(size.max(initial=0)), 0, -1):
        inside = position <= size
        first_digit, last_digit = (digit[np.maximum(end - position, 0)] for end in (first, last))
        alike &= (first_digit == last_digit) | ~inside
        differing += inside & ~alike
        runs &= alike | ~inside | ((first_digit == ord("0")) & (last_digit == ord("9")))
    is_run: np.ndarray = (differing <= _LAST_DIGITS) | runs
    return is_run
