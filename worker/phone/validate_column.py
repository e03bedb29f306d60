"""Validation of whole columns of Country Codes and Phone Numbers (R14, R15) with array operations.

Decides rows of digits and plain punctuation itself and passes all others to `reference`, each distinct one once; the
verdict is the same either way. Does no I/O and repairs no text.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import Code, warning_bit
from worker.arrays.text_columns import beginnings, buffers
from worker.phone import region
from worker.phone.cell_text import LEAST_PART
from worker.phone.compiled_tables import SHARED
from worker.phone.country import read_country
from worker.phone.digits import plain_punctuation, read_digits
from worker.phone.metadata import REGIONS
from worker.phone.reference import STRICT, Rules, check_one
from worker.phone.reference_vectorized import NO_COUNTRY, Block, Countries

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TEN = 10
_BLOCK = 1 << 14  # rows at a time: few enough to stay in the processor's cache
_REGION_DIFFERS = np.uint32(warning_bit(Code.REGION_DIFFERS))
_BEGINNINGS = np.array([ord("0"), ord("+"), ord("(")], np.uint8)
_LONGEST_CODE = 3  # digits of a calling code
_BEHIND_SLASH = r"/[^/0-9]*[0-9][^/]*[^0-9]*$"


@dataclass(frozen=True)
class PhoneColumn:
    """The verdicts on n rows, arrays of length n.

    `e164` int64, without the plus: +442079460958 -> 442079460958; 0 for every row with a fault.
    `faults` uint64, bits of `codes.fault_bit` for the Country Code and Phone Number columns.
    `warnings` uint32, bits of `codes.warning_bit`; 0 for every row with a fault.
    `evidence` uint8 (bits of `Evidence`) and `alternative` int64: as in `reference.Phone`.
    `by_library` bool, the rows that were passed to `phonenumbers`.
    """

    e164: NDArray[np.int64]
    faults: NDArray[np.uint64]
    warnings: NDArray[np.uint32]
    evidence: NDArray[np.uint8]
    alternative: NDArray[np.int64]
    by_library: NDArray[np.bool_]

    @classmethod
    def empty(cls, rows: int) -> PhoneColumn:
        """Return a column without a number or a fault in any row."""
        return cls(
            np.zeros(rows, np.int64),
            np.zeros(rows, np.uint64),
            np.zeros(rows, np.uint32),
            np.zeros(rows, np.uint8),
            np.zeros(rows, np.int64),
            np.zeros(rows, np.bool_),
        )

    def part(self, rows: slice | NDArray[np.int64]) -> PhoneColumn:
        """Return these rows only."""
        return PhoneColumn(*(getattr(self, field.name)[rows] for field in fields(self)))

    def put(self, rows: NDArray[np.bool_] | NDArray[np.int64], other: PhoneColumn) -> None:
        """Replace these rows by the rows of `other`, in place."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)


def check_column(
    country: pa.StringArray,
    number: pa.StringArray,
    rules: Rules = STRICT,
    *,
    was_numeric: NDArray[np.bool_] | None = None,
) -> PhoneColumn:
    """Validate n Country Codes and n Phone Numbers: `pa.string()` arrays with null for an empty cell.

    Casts other string types, at the cost of a copy. `rules` and `was_numeric` (bool, n) are as for `check_one`, and
    every row gets the same verdict.
    """
    country, number = (pc.fill_null(column.cast(pa.string()), "") for column in (country, number))
    numeric = np.zeros(len(number), np.bool_) if was_numeric is None else was_numeric
    checked = PhoneColumn.empty(len(number))
    countries = read_countries(country)
    plain = plain_punctuation(number)
    may_be_two = np.zeros(len(number), np.bool_)
    for begin in range(0, len(number), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        may_be_two[part] = _settle(plain[part], countries.part(part), checked, part, numeric[part], rules)
    checked.by_library[_second_numbers(plain, countries, np.flatnonzero(may_be_two))] = True
    _ask_library(country, number, checked, numeric, rules)
    _compare_regions(countries, checked)
    return checked


def read_countries(column: pa.StringArray) -> Countries:
    """Parse n Country Code cells, each distinct one once."""
    cells = pc.dictionary_encode(column)
    distinct_countries = [(text, read_country(text)) for text in cells.dictionary.to_pylist()]
    index = cells.indices.to_numpy()
    return Countries(
        np.array([country.row if country else NO_COUNTRY for _, country in distinct_countries], np.int64)[index],
        np.array([country is not None and country.is_region for _, country in distinct_countries], np.bool_)[index],
        np.array([not text.strip() for text, _ in distinct_countries], np.bool_)[index],
    )


def _settle(  # noqa: PLR0913, PLR0917 - the cells, the rules and the output arrays
    number: pa.StringArray,
    countries: Countries,
    column: PhoneColumn,
    part: slice,
    numeric: NDArray[np.bool_],
    rules: Rules,
) -> NDArray[np.bool_]:
    """Decide the rows that digits and plain punctuation decide; mark the others for the library.

    Return which rows may be two numbers: they are one as a whole, or would be if they were not too long.
    """
    digits = read_digits(number)
    block = Block(digits, countries, rules)
    block.settle(numeric)
    column.e164[part], column.faults[part], column.warnings[part] = block.e164, block.faults, block.warnings
    column.evidence[part], column.alternative[part] = block.evidence, block.alternative
    column.by_library[part] = block.undecided
    divided = digits.slash | (~digits.alone & (digits.count >= 2 * LEAST_PART))
    return divided & (block.accepted | block.too_long)


def _second_numbers(number: pa.StringArray, countries: Countries, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows, out of `rows`, that may hold a second number, or a part of one after a slash (R14a).

    Splits cells like `reference`, and requires that the first part is a number. The library judges the second part.
    """
    if not rows.size:
        return rows
    texts = number.take(pa.array(rows))
    index = np.flatnonzero(pc.match_substring_regex(texts, _BEHIND_SLASH).to_numpy(zero_copy_only=False))
    before = pc.replace_substring_regex(texts.take(pa.array(index)), _BEHIND_SLASH, "")
    other, before_blank = _before_blanks(texts)
    index, before = np.concatenate((index, other)), pa.concat_arrays([before, before_blank])
    if not index.size:
        return index
    is_number = _are_numbers(pc.utf8_rtrim(before, " )]/.-"), countries.take(rows[index]))
    return rows[np.unique(index[is_number])]


def _before_blanks(number: pa.StringArray) -> tuple[NDArray[np.int64], pa.StringArray]:
    """Return row indices, and the texts before each blank that may separate two whole numbers."""
    offsets, data = buffers(number)
    text = data[offsets[0] : offsets[-1]]
    offsets = (offsets - offsets[0]).astype(np.int64)
    digits = np.zeros(len(text) + 1, np.int64)
    np.cumsum(text - np.uint8(ord("0")) < _TEN, out=digits[1:])
    blanks = np.flatnonzero(text == ord(" "))
    row = np.repeat(np.arange(len(number)), np.diff(offsets))[blanks]
    first, second = digits[blanks] - digits[offsets[row]], digits[offsets[row + 1]] - digits[blanks]
    # The second part begins like a number, or is as long as the first (`reference`), which may have a calling code.
    behind = text[np.minimum(blanks + 1, len(text) - 1)]
    begins = np.isin(behind, _BEGINNINGS) | ((first >= second) & (first <= second + _LONGEST_CODE))
    splits = (first >= LEAST_PART) & (second >= LEAST_PART) & begins
    row, blanks = row[splits], blanks[splits]
    return row, beginnings(number, row, blanks - offsets[row])


def _are_numbers(number: pa.StringArray, countries: Countries) -> NDArray[np.bool_]:
    block = Block(read_digits(number), countries, STRICT)
    enough = pc.greater_equal(pc.binary_length(number), LEAST_PART).to_numpy(zero_copy_only=False)
    is_number: NDArray[np.bool_] = block.is_number | (block.undecided & enough)
    return is_number


def _ask_library(
    country: pa.StringArray, number: pa.StringArray, column: PhoneColumn, numeric: NDArray[np.bool_], rules: Rules
) -> None:
    rows = np.flatnonzero(column.by_library)
    cells = zip(country.take(rows).to_pylist(), number.take(rows).to_pylist(), numeric[rows].tolist(), strict=True)
    verdicts = {}
    for row, cell in zip(rows.tolist(), cells, strict=True):
        if cell not in verdicts:
            verdicts[cell] = check_one(cell[0], cell[1], rules, was_numeric=cell[2])
        phone = verdicts[cell]
        column.e164[row], column.faults[row], column.warnings[row] = phone.e164, phone.faults, phone.warnings
        column.evidence[row], column.alternative[row] = phone.evidence, phone.alternative


def _compare_regions(countries: Countries, column: PhoneColumn) -> None:
    """Set REGION_DIFFERS where a row names one country of a shared calling code and the number is of another."""
    possible = np.uint32(warning_bit(Code.POSSIBLE_NOT_VALID))
    rows = np.flatnonzero(countries.is_region & SHARED[countries.row] & (column.e164 != 0) & ~column.by_library)
    rows = rows[column.warnings[rows] & possible == 0]
    for row in np.unique(countries.row[rows]).tolist():
        rows_of_code = rows[countries.row[rows] == row]
        fits = region.is_valid_in(column.e164[rows_of_code], REGIONS[row][1])
        column.warnings[rows_of_code[~fits]] |= _REGION_DIFFERS
