"""Repairs what spreadsheets do to the text of cells, and reads TRUE and FALSE, a whole column at a time.

Undoes only damage that left every digit in place, and says so in a warning; where digits are lost it says that
instead. Knows nothing of countries: `worker.phone` judges the repaired text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import Code, fault_bit, warning_bit
from schemas.columns import Column
from worker.arrays.text_columns import buffers, replaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Zero-width, bidirectional, byte order mark and soft hyphen: nobody sees them, nobody typed them.
_INVISIBLE = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_WRAPPED = r'^=\s*"([^"]*)"$'
_QUOTED = r'^"([^"]*)"$'
_FLOAT = r"^(\+?\d+)[.,]0+$"
_SCIENTIFIC = r"^\+?(?P<whole>\d)(?:[.,](?P<decimals>\d+))?[eE](?P<sign>[+-]?)(?P<exponent>\d{1,3})$"
_DIGITS_IN_INT64 = 18

_NUMERIC = warning_bit(Code.FLOAT_SUFFIX_REMOVED) | warning_bit(Code.SCIENTIFIC_RESTORED)

# Bytes of a cell that never needs repair; a blank counts only between others. Words for "nothing" and scientific
# notation have a letter that is none of them.
_HARMLESS = np.zeros(256, np.bool_)
_HARMLESS[list(b"0123456789+-()[] ABCDFGHIJKLMPQRSTUVWYZabcdfghijklmpqrstuvwyz")] = True

_POINT, _ZERO, _BLANK = b".0 "

# What exports write for "nothing". NA is a country as well, so it stays where a country may stand.
_NOTHING = ("n/a", "none", "null", "nan", "nil")
_NOTHING_BUT_COUNTRY = (*_NOTHING, "na")

_TRUE = "true yes y t 1 1.0 x on enabled active ✓ ✔ ja j wahr ein oui vrai si sí verdadero sim vero waar aan"
_FALSE = "false no n f 0 0.0 off disabled inactive ✗ ✘ nein falsch aus non faux falso não nao onwaar nee uit"
_BOOLEANS = {
    **dict.fromkeys(("", *_NOTHING_BUT_COUNTRY), -1),
    **dict.fromkeys(_TRUE.split(), 1),
    **dict.fromkeys(_FALSE.split(), 0),
}
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"  # people fill empty cells with them
_UNREADABLE = -2
_AROUND_BOOLEAN = " \t\r\n\u00a0'\ufeff\u200b"


@dataclass(frozen=True)
class Repaired:
    """n repaired cells: `text` (no nulls), `faults` uint64 and `warnings` uint32 as `schemas.codes` bit sets."""

    text: pa.StringArray
    faults: NDArray[np.uint64]
    warnings: NDArray[np.uint32]

    @property
    def was_numeric(self) -> NDArray[np.bool_]:
        """Cells the spreadsheet held as numbers (bool, n): they cannot have kept a plus."""
        numeric: NDArray[np.bool_] = self.warnings & np.uint32(_NUMERIC) != 0
        return numeric


@dataclass(frozen=True)
class Booleans:
    """n cells read: `value` int8, 1 true, 0 false, -1 empty or unreadable; `faults` uint64 for the latter."""

    value: NDArray[np.int8]
    faults: NDArray[np.uint64]


def repair_phone(column: pa.StringArray) -> Repaired:
    """Repair a Phone Number column (`pa.string()`, null: empty).

    White space around, a leading apostrophe, `="..."` and words for "nothing" go silently; invisible characters, `.0`
    and scientific notation with a warning, unless the latter hides digits: SCIENTIFIC_NOTATION_LOSS, text left as it
    is.
    """
    return _repaired(column, phone=True)


def repair_country(column: pa.StringArray) -> Repaired:
    """Repair a Country Code column: as `repair_phone`, but scientific notation and NA (Namibia) are left alone."""
    return _repaired(column, phone=False)


def is_nothing(text: str) -> bool:
    """Whether a cell says "nothing", such as N/A, NULL or a dash (country cells apart)."""
    word = text.strip(_AROUND_BOOLEAN).casefold()
    return word in _NOTHING_BUT_COUNTRY or _is_dash(word)


def trim(column: pa.StringArray) -> pa.StringArray:
    """The cells without white space around them, no-break spaces included; nulls become empty."""
    return pc.utf8_trim_whitespace(pc.fill_null(column, ""))


def read_boolean(column: pa.StringArray, which: Column) -> Booleans:
    """Read TRUE/FALSE and its relatives in any case and several languages (R10).

    Anything else is INVALID_BOOLEAN at `which`. Works once per distinct cell.
    """
    cells = pc.dictionary_encode(pc.fill_null(column, ""))
    known = np.array([_boolean(text) for text in cells.dictionary.to_pylist()], np.int8)
    value = known[cells.indices.to_numpy()]
    faults = np.where(value == _UNREADABLE, np.uint64(fault_bit(Code.INVALID_BOOLEAN, which)), np.uint64(0))
    return Booleans(np.maximum(value, np.int8(-1)), faults)


def _boolean(text: str) -> int:
    word = unicodedata.normalize("NFC", text).strip(_AROUND_BOOLEAN).casefold()
    return _BOOLEANS.get("" if _is_dash(word) else word, _UNREADABLE)


def _is_dash(word: str) -> bool:
    return word != "" and not word.strip(_DASHES)


def _repaired(column: pa.StringArray, *, phone: bool) -> Repaired:
    column = pc.fill_null(column.cast(pa.string()), "")
    rows = _suspects(column)
    faults, warnings = np.zeros(len(column), np.uint64), np.zeros(len(column), np.uint32)
    if not rows.any():
        return Repaired(column, faults, warnings)
    repair = _Repair(column.filter(pa.array(rows)))
    repair.unwrap()
    repair.drop_nothing(_NOTHING_BUT_COUNTRY if phone else _NOTHING)
    repair.drop_zero_decimals()
    if phone:
        repair.restore_scientific()
    faults[rows], warnings[rows] = repair.faults, repair.warnings
    return Repaired(replaced(column, rows, repair.text), faults, warnings)


def _suspects(column: pa.StringArray) -> NDArray[np.bool_]:
    """Rows that may need repair (bool, n), found in one pass over the bytes."""
    offsets, text = buffers(column)
    suspects = np.zeros(len(column), np.bool_)
    harmful = np.flatnonzero(~_HARMLESS[text[offsets[0] : offsets[-1]]]) + offsets[0]
    row, is_point = np.searchsorted(offsets, harmful, side="right") - 1, text[harmful] == _POINT
    # A point alone is punctuation, unless zeros behind it end the cell: by far the most points do not.
    suspects[row[~is_point | (text[offsets[row + 1] - 1] == _ZERO)]] = True
    filled = np.flatnonzero(np.diff(offsets))
    suspects[filled] |= (text[offsets[filled]] == _BLANK) | (text[offsets[filled + 1] - 1] == _BLANK)
    return suspects


class _Repair:
    """Suspect cells on their way through the repairs, each of which touches only the cells it is for."""

    def __init__(self, text: pa.StringArray) -> None:
        self.text = text
        self.faults = np.zeros(len(text), np.uint64)
        self.warnings = np.zeros(len(text), np.uint32)

    def unwrap(self) -> None:
        """Invisible characters, white space, apostrophe and formula wrapper."""
        self._replace(f"[{_INVISIBLE}]", "", Code.INVISIBLE_REMOVED)
        self.text = pc.utf8_trim_whitespace(self.text)
        self._replace(r"^'([^']*)'$", r"\1")
        self._replace(r"^'", "")
        self._replace(r"^(\+?[0-9][^']*)'$", r"\1")  # what is left of '+6566200799' in a report
        self._replace(_WRAPPED, r"\1")
        self._replace(_QUOTED, r"\1")
        self.text = pc.utf8_trim_whitespace(self.text)

    def drop_nothing(self, words: Sequence[str]) -> None:
        known = pc.is_in(pc.utf8_lower(self.text), value_set=pa.array(words))
        self.text = pc.if_else(known, "", self.text)

    def drop_zero_decimals(self) -> None:
        self._replace(_FLOAT, r"\1", Code.FLOAT_SUFFIX_REMOVED)

    def restore_scientific(self) -> None:
        """Write out numbers whose mantissa shows every digit; 4.41E+11 does not."""
        rows = self._matching(_SCIENTIFIC)
        if not rows.size:
            return
        whole, exact = _written_out(self.text.take(rows))
        mask = np.zeros(len(self.text), np.bool_)
        mask[rows[exact]] = True
        self.text = pc.replace_with_mask(self.text, pa.array(mask), whole.filter(pa.array(exact)))
        self.warnings[rows[exact]] |= np.uint32(warning_bit(Code.SCIENTIFIC_RESTORED))
        self.faults[rows[~exact]] |= np.uint64(fault_bit(Code.SCIENTIFIC_NOTATION_LOSS, Column.PHONE_NUMBER))

    def _matching(self, pattern: str) -> NDArray[np.int64]:
        return np.flatnonzero(pc.match_substring_regex(self.text, pattern).to_numpy(zero_copy_only=False))

    def _replace(self, pattern: str, replacement: str, warning: Code | None = None) -> None:
        rows = self._matching(pattern)
        if not rows.size:
            return
        mask = np.zeros(len(self.text), np.bool_)
        mask[rows] = True
        replaced = pc.replace_substring_regex(self.text.take(rows), pattern, replacement)
        self.text = pc.replace_with_mask(self.text, pa.array(mask), replaced)
        if warning is not None:
            self.warnings[rows] |= np.uint32(warning_bit(warning))


def _written_out(text: pa.StringArray) -> tuple[pa.StringArray, NDArray[np.bool_]]:
    """The integers behind scientific notation, and which of them show every digit (bool, n)."""
    parts = pc.extract_regex(text, _SCIENTIFIC)
    whole, decimals, sign, power = (parts.field(place) for place in range(4))
    exponent = power.cast(pa.int64()).to_numpy()
    shown = pc.utf8_length(decimals).to_numpy()
    exact = (exponent <= shown) & (exponent < _DIGITS_IN_INT64) & pc.not_equal(sign, "-").to_numpy(zero_copy_only=False)
    written = whole
    for size in np.unique(exponent[exact]).tolist():
        mine = exact & (exponent == size)
        taken, rest = pc.utf8_slice_codeunits(decimals, 0, size), pc.utf8_slice_codeunits(decimals, size)
        exact &= ~mine | pc.match_substring_regex(rest, "^0*$").to_numpy(zero_copy_only=False)
        written = pc.if_else(pa.array(mine), pc.binary_join_element_wise(whole, taken, ""), written)
    return written, exact
