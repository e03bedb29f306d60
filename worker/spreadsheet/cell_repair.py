"""Repair of the damage that spreadsheet programs do to cell texts, and parsing of TRUE and FALSE, by whole columns.

Repairs only damage that left every digit in place, and sets a warning; lost digits are a fault. Contains no country
rules: `worker.phone` validates the repaired text.
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

# Zero-width and bidirectional characters, byte order mark and soft hyphen: invisible, and not typed by users.
_INVISIBLE = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_WRAPPED = r'^=\s*"([^"]*)"$'
_QUOTED = r'^"([^"]*)"$'
_FLOAT = r"^(\+?\d+)[.,]0+$"
_SCIENTIFIC = r"^\+?(?P<whole>\d)(?:[.,](?P<decimals>\d+))?[eE](?P<sign>[+-]?)(?P<exponent>\d{1,3})$"
_DIGITS_IN_INT64 = 18

_NUMERIC = warning_bit(Code.FLOAT_SUFFIX_REMOVED) | warning_bit(Code.SCIENTIFIC_RESTORED)

# Bytes that never need repair, except a blank at either end of a cell. Words for "nothing" and scientific notation
# contain at least one of the missing letters E, N, O and X.
_HARMLESS = np.zeros(256, np.bool_)
_HARMLESS[list(b"0123456789+-()[] ABCDFGHIJKLMPQRSTUVWYZabcdfghijklmpqrstuvwyz")] = True

_POINT, _ZERO, _BLANK = b".0 "

# Words that exports write for "nothing". NA is also the country Namibia, so Country Code cells keep it.
_NOTHING = ("n/a", "none", "null", "nan", "nil")
_NOTHING_BUT_COUNTRY = (*_NOTHING, "na")

_TRUE = "true yes y t 1 1.0 x on enabled active ✓ ✔ ja j wahr ein oui vrai si sí verdadero sim vero waar aan"
_FALSE = "false no n f 0 0.0 off disabled inactive ✗ ✘ nein falsch aus non faux falso não nao onwaar nee uit"
_BOOLEANS = {
    **dict.fromkeys(("", *_NOTHING_BUT_COUNTRY), -1),
    **dict.fromkeys(_TRUE.split(), 1),
    **dict.fromkeys(_FALSE.split(), 0),
}
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"  # used to fill empty cells
_UNREADABLE = -2
_AROUND_BOOLEAN = " \t\r\n\u00a0'\ufeff\u200b"


@dataclass(frozen=True)
class Repaired:
    """n repaired cells: `text` (no nulls), `faults` uint64 and `warnings` uint32 as bit sets of `schemas.codes`."""

    text: pa.StringArray
    faults: NDArray[np.uint64]
    warnings: NDArray[np.uint32]

    @property
    def was_numeric(self) -> NDArray[np.bool_]:
        """Return which cells the spreadsheet held as numbers (bool, n): they cannot have kept a plus."""
        numeric: NDArray[np.bool_] = self.warnings & np.uint32(_NUMERIC) != 0
        return numeric


@dataclass(frozen=True)
class Booleans:
    """n parsed cells: `value` int8, 1 true, 0 false, -1 empty or unreadable; `faults` uint64 for unreadable cells."""

    value: NDArray[np.int8]
    faults: NDArray[np.uint64]


def repair_phone(column: pa.StringArray) -> Repaired:
    """Repair a Phone Number column (`pa.string()`, null: empty).

    Without a warning: remove surrounding white space, a leading apostrophe, `="..."` and words for "nothing".
    With a warning: remove invisible characters and `.0`, write out scientific notation.
    Scientific notation that hides digits is SCIENTIFIC_NOTATION_LOSS; its text is left as it is.
    """
    return _repaired(column, phone=True)


def repair_country(column: pa.StringArray) -> Repaired:
    """Repair a Country Code column like `repair_phone`, but leave scientific notation and NA (Namibia) as they are."""
    return _repaired(column, phone=False)


def is_nothing(text: str) -> bool:
    """Return whether a cell means "nothing", such as N/A, NULL or a dash. Not for Country Code cells."""
    word = text.strip(_AROUND_BOOLEAN).casefold()
    return word in _NOTHING_BUT_COUNTRY or _is_dash(word)


def trim(column: pa.StringArray) -> pa.StringArray:
    """Return the cells without surrounding white space, including no-break spaces; nulls become empty."""
    return pc.utf8_trim_whitespace(pc.fill_null(column, ""))


def read_boolean(column: pa.StringArray, which: Column) -> Booleans:
    """Parse TRUE, FALSE and their equivalents in any case and several languages (R10).

    Any other text is INVALID_BOOLEAN in the column `which`. Parses each distinct cell once.
    """
    cells = pc.dictionary_encode(pc.fill_null(column, ""))
    values = np.array([_boolean(text) for text in cells.dictionary.to_pylist()], np.int8)
    value = values[cells.indices.to_numpy()]
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
    """Return the rows that may need repair (bool, n), in one pass over the bytes."""
    offsets, text = buffers(column)
    suspects = np.zeros(len(column), np.bool_)
    harmful = np.flatnonzero(~_HARMLESS[text[offsets[0] : offsets[-1]]]) + offsets[0]
    row, is_point = np.searchsorted(offsets, harmful, side="right") - 1, text[harmful] == _POINT
    # A point is punctuation unless the cell ends in zeros after it. Few cells with a point end in a zero.
    suspects[row[~is_point | (text[offsets[row + 1] - 1] == _ZERO)]] = True
    filled = np.flatnonzero(np.diff(offsets))
    suspects[filled] |= (text[offsets[filled]] == _BLANK) | (text[offsets[filled + 1] - 1] == _BLANK)
    return suspects


class _Repair:
    """Suspect cells; each method repairs one kind of damage and touches only the cells that have it."""

    def __init__(self, text: pa.StringArray) -> None:
        self.text = text
        self.faults = np.zeros(len(text), np.uint64)
        self.warnings = np.zeros(len(text), np.uint32)

    def unwrap(self) -> None:
        """Remove invisible characters, white space, apostrophes and formula wrappers."""
        self._replace(f"[{_INVISIBLE}]", "", Code.INVISIBLE_REMOVED)
        self.text = pc.utf8_trim_whitespace(self.text)
        self._replace(r"^'([^']*)'$", r"\1")
        self._replace(r"^'", "")
        self._replace(r"^(\+?[0-9][^']*)'$", r"\1")  # '+6566200799' after `formula_escape.restore`
        self._replace(_WRAPPED, r"\1")
        self._replace(_QUOTED, r"\1")
        self.text = pc.utf8_trim_whitespace(self.text)

    def drop_nothing(self, words: Sequence[str]) -> None:
        is_word_for_nothing = pc.is_in(pc.utf8_lower(self.text), value_set=pa.array(words))
        self.text = pc.if_else(is_word_for_nothing, "", self.text)

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
    """Return the integers that scientific notation stands for, and whether each shows every digit (bool, n)."""
    parts = pc.extract_regex(text, _SCIENTIFIC)
    whole, decimals, sign, power = (parts.field(index) for index in range(4))
    exponent = power.cast(pa.int64()).to_numpy()
    shown = pc.utf8_length(decimals).to_numpy()
    exact = (exponent <= shown) & (exponent < _DIGITS_IN_INT64) & pc.not_equal(sign, "-").to_numpy(zero_copy_only=False)
    written = whole
    for size in np.unique(exponent[exact]).tolist():
        rows_of_size = exact & (exponent == size)
        kept_decimals, rest = pc.utf8_slice_codeunits(decimals, 0, size), pc.utf8_slice_codeunits(decimals, size)
        exact &= ~rows_of_size | pc.match_substring_regex(rest, "^0*$").to_numpy(zero_copy_only=False)
        written = pc.if_else(pa.array(rows_of_size), pc.binary_join_element_wise(whole, kept_decimals, ""), written)
    return written, exact
