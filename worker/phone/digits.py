"""Extraction of the digits from a column of texts, all rows at once.

Handles only rows that need no interpretation: ASCII digits, one leading plus and plain punctuation. Marks every other
row (letters, extensions, other scripts, too many digits) as not plain and skips it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from worker.arrays.text_columns import buffers, replaced
from worker.phone.automaton import PAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Bytes per row of digits. Tables read up to 18 digits after any prefixes, whatever the row's own length. The first byte
# is a zero before the row's digits, for parsing them with one more leading zero (R14d).
WIDTH = 42
FIRST = 1
_MOST_DIGITS = 22
_FEWEST_DIGITS = 3  # with fewer, the library's verdict depends on more than the digits
_LONGEST_TEXT = 200  # the library's limit is 250, and a calling code may still be put in front

# Non-ASCII punctuation between digits, by the ASCII character it replaces. Soft hyphens and zero-width characters are
# invisible, but the library treats them as separators.
PUNCTUATION: dict[str, str] = {
    "/": "\uff0f",
    "(": "\uff08\uff3b",
    ")": "\uff09\uff3d",
    "-": "\u2010-\u2015\u2212\u30fc\uff0d",
    " ": "\u00a0\u00ad\u2000-\u200b\u202f\u205f\u2060\u3000\uff0e",
}

_FULL_WIDTH_PLUS = "\uff0b"
_TEN = 10
# Dates, and numbers that a spreadsheet has divided; patterns for `re` and for RE2.
DATE = (
    r"(?:[0-9]{1,2}[./]\s*[0-9]{1,2}[./]\s*[0-9]{4}|"
    r"(?:0[1-9]|[12][0-9]|3[01])-(?:0[1-9]|[12][0-9]|3[01])-(?:19|20)[0-9]{2}|"
    r"(?:19|20)[0-9]{2}[-./](?:0[1-9]|1[0-2])[-./](?:0[1-9]|[12][0-9]|3[01]))"
)
FRACTION = r"\+?[0-9]{7,}\.[0-9]{1,2}"
_OTHER_FORM = rf"^\s*(?:{DATE}|{FRACTION})\s*$|\.\."  # or two points in a row
# Digits in brackets after a number; a fraction or a date with blanks after it.
_OPEN_END = (
    r"[0-9][^0-9(\[]*[(\[][0-9\s]*[)\]][\s.]*$|"
    r"(?:\.[0-9]{1,2}|[-./ ][0-9]{4}|[-/][0-9]{2})\s+$"
)
_SHORTEST_FORM = 8  # bytes
_POINT = ord(".")
_IGNORED, _PLUS, _SLASH, _ODD = range(4)
_CLASS = np.full(256, _ODD, np.uint8)
_CLASS[list(b" -().[]")] = _IGNORED
_CLASS[ord("/")] = _SLASH
_CLASS[ord("+")] = _PLUS


@dataclass(frozen=True)
class Digits:
    """Digits of n rows.

    `flat` uint8 ((n + 1) * WIDTH): row r from r * WIDTH + FIRST on, PAD after its last digit; the last row is spare.
    `count` int64 (n): digits of the row, 0 where it is not plain; `plus`, `plain`, `empty` bool (n). `alone`: plain,
    and only digits. `slash`: the row has a slash.
    """

    flat: NDArray[np.uint8]
    count: NDArray[np.int64]
    plus: NDArray[np.bool_]
    plain: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    alone: NDArray[np.bool_]
    slash: NDArray[np.bool_]


def plain_punctuation(column: pa.StringArray) -> pa.StringArray:
    """Replace non-ASCII punctuation by ASCII punctuation, in the rows that have any."""
    offsets, data = buffers(column)
    high = np.flatnonzero(data[offsets[0] : offsets[-1]] > 0x7F) + offsets[0]  # noqa: PLR2004  (the end of ASCII)
    if not high.size:
        return column
    mask = np.zeros(len(column), np.bool_)
    mask[_rows_of(high, offsets)] = True
    touched = column.filter(pa.array(mask))
    for ascii_character, others in PUNCTUATION.items():
        touched = pc.replace_substring_regex(touched, f"[{others}]", ascii_character)
    return replaced(column, mask, touched)


def read_digits(column: pa.StringArray) -> Digits:
    """Return the digits of each text; the column has no nulls."""
    offsets, data = buffers(column)
    base = offsets[0]
    text = data[base : offsets[-1]]
    offsets = offsets - base
    is_digit = text - np.uint8(ord("0")) < _TEN
    other = np.flatnonzero(~is_digit)
    kinds = _CLASS[text[other]]
    before = np.zeros(len(text) + 1, np.int32)  # digits before each byte
    np.cumsum(is_digit, out=before[1:], dtype=np.int32)
    first = before[offsets].astype(np.int64)
    count, length = np.diff(first), np.diff(offsets)
    plain = (count >= _FEWEST_DIGITS) & (count <= _MOST_DIGITS) & (length <= _LONGEST_TEXT)
    plain[_rows_of(other[kinds == _ODD], offsets)] = False
    plus = _leading_plus(other[kinds == _PLUS], offsets, before, plain)
    plain[_ends_in_bracket(column, text, offsets)] = False
    plain[_has_other_form(column, text, offsets)] = False
    slash = np.zeros(len(count), np.bool_)
    slash[_rows_of(other[kinds == _SLASH], offsets)] = True
    flat = _lay_out(text[is_digit] - np.uint8(ord("0")), count, plain)
    return Digits(flat, np.where(plain, count, 0), plus, plain, length == 0, plain & (length == count), slash)


def _ends_in_bracket(column: pa.StringArray, text: NDArray[np.uint8], offsets: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the rows that end in digits in brackets, such as a footnote, or in blanks after a date or a fraction."""
    filled = np.flatnonzero(np.diff(offsets))
    rows = filled[text[offsets[filled + 1] - 1] - np.uint8(ord("0")) >= _TEN]
    if not rows.size:
        return rows
    brackets = pc.match_substring_regex(column.take(pa.array(rows)), _OPEN_END)
    bracketed: NDArray[np.int64] = rows[brackets.to_numpy(zero_copy_only=False)]
    return bracketed


def _has_other_form(column: pa.StringArray, text: NDArray[np.uint8], offsets: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the rows that are a date or a fraction, or have two points in a row."""
    long = np.flatnonzero(np.diff(offsets) >= _SHORTEST_FORM)
    points = np.flatnonzero((text[:-1] == _POINT) & (text[1:] == _POINT))
    rows = np.union1d(long[_may_have_form(text, offsets[long + 1])], _rows_of(points, offsets))
    if not rows.size:
        return rows
    form = pc.match_substring_regex(column.take(pa.array(rows)), _OTHER_FORM)
    rows_of_form: NDArray[np.int64] = rows[form.to_numpy(zero_copy_only=False)]
    return rows_of_form


def _may_have_form(text: NDArray[np.uint8], ends: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return whether the last bytes of each text allow a date or fraction; `ends`: the ends of texts in `text`.

    Each text has at least _SHORTEST_FORM bytes. Filters rows so that few dashed numbers are matched against the
    pattern.
    """

    def digit(position: int, among: NDArray[np.int32] = ends) -> NDArray[np.bool_]:
        """Return whether a byte is a digit; `position` 1 is the last byte of a text, 2 the byte before it."""
        is_digit: NDArray[np.bool_] = text[among - position] - np.uint8(ord("0")) < _TEN
        return is_digit

    may = np.zeros(len(ends), np.bool_)
    year = np.flatnonzero(~digit(5))  # after a month of one or two digits, or after a blank and a sign
    candidates = ends[year]
    blank = text[candidates - 5] == ord(" ")
    may[year] = np.where(blank, ~digit(6, candidates), ~digit(7, candidates) | ~digit(8, candidates))
    day = np.flatnonzero(~digit(3))
    candidates = ends[day]
    may[day] |= ~digit(6, candidates) & digit(7, candidates) & digit(9, candidates)
    may[day] |= (text[candidates - 3] == _POINT) & digit(6, candidates)
    may |= (text[ends - 2] == _POINT) & digit(6)
    return may


def _leading_plus(
    places: NDArray[np.int64], offsets: NDArray[np.int32], before: NDArray[np.int32], plain: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which rows have a plus; a second plus, or one after a digit, makes the row not plain."""
    rows = _rows_of(places, offsets)
    plain[rows[1:][rows[1:] == rows[:-1]]] = False
    plain[rows[before[places] != before[offsets[rows]]]] = False
    plus = np.zeros(len(plain), np.bool_)
    plus[rows] = True
    return plus


def _lay_out(digits: NDArray[np.uint8], count: NDArray[np.int64], plain: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the digits, `count` of each row, in rows of WIDTH; rows that are not plain have none."""
    rows = len(count)
    flat = np.full((rows + 1) * WIDTH, PAD, np.uint8)
    flat[::WIDTH] = 0
    if not plain.all():
        digits, count = digits[np.repeat(plain, count)], np.where(plain, count, 0)
    longest = int(count.max(initial=0))
    is_digit = np.arange(longest, dtype=np.uint8) < count.astype(np.uint8)[:, None]  # at most _MOST_DIGITS
    flat[: rows * WIDTH].reshape(rows, WIDTH)[:, FIRST : FIRST + longest][is_digit] = digits
    return flat


def _rows_of(places: NDArray[np.int64], offsets: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.searchsorted(offsets, places, side="right") - 1


def ascii_digits(text: str) -> str:
    """Convert digits of other scripts, and a full-width plus, to ASCII."""
    return re.sub(r"\d", lambda found: str(unicodedata.decimal(found.group())), text.replace(_FULL_WIDTH_PLUS, "+"))
