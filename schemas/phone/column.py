"""Checks whole columns of Country Codes and Phone Numbers (R14, R15) with array operations.

Settles the rows made of digits and plain punctuation by itself and hands all others to `single`, distinct ones once;
the verdict is the same either way. Touches no file and repairs no text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import Code, fault_bit, warning_bit
from schemas.columns import Column
from schemas.phone.country import read_country
from schemas.phone.digits import WIDTH, plain_punctuation, read_digits
from schemas.phone.readings import Reader, Reading, Verdict
from schemas.phone.single import check_one
from schemas.phone.tables import MAIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1 << 14  # rows at a time: small enough that the work stays in the processor's cache
_NO_COUNTRY = -1


def _number_bit(code: Code) -> int:
    return fault_bit(code, Column.PHONE_NUMBER)


_MISSING = _number_bit(Code.MISSING_VALUE)
_MISMATCH = _number_bit(Code.COUNTRY_MISMATCH)
_BY_VERDICT = np.zeros(len(Verdict), np.uint64)
_BY_VERDICT[[Verdict.POSSIBLE, Verdict.INVALID]] = _number_bit(Code.INVALID_NUMBER)
_BY_VERDICT[Verdict.TOO_SHORT] = _number_bit(Code.TOO_SHORT)
_BY_VERDICT[Verdict.TOO_LONG] = _number_bit(Code.TOO_LONG)


@dataclass(frozen=True)
class PhoneColumn:
    """The verdict on n rows, arrays of length n.

    `e164` int64, without the plus: +442079460958 -> 442079460958; 0 for every row with a fault.
    `faults` uint64, bits of `codes.fault_bit` for the Country Code and Phone Number columns.
    `warnings` uint32, bits of `codes.warning_bit`; 0 for every row with a fault.
    `by_library` bool, the rows that were handed to `phonenumbers`.
    """

    e164: NDArray[np.int64]
    faults: NDArray[np.uint64]
    warnings: NDArray[np.uint32]
    by_library: NDArray[np.bool_]


@dataclass(frozen=True)
class _Countries:
    """The country cells: `row` of `metadata.REGIONS` or -1, and their faults."""

    row: NDArray[np.int64]
    faults: NDArray[np.uint64]


def check_column(
    country: pa.StringArray,
    number: pa.StringArray,
    *,
    accept_possible: bool = False,
    was_numeric: NDArray[np.bool_] | None = None,
) -> PhoneColumn:
    """Check n Country Codes and n Phone Numbers, given as `pa.string()` arrays with null for an empty cell.

    Other string types are cast, at the cost of a copy. `accept_possible` and `was_numeric` (bool, n) are as for
    `check_one`, whose verdict every row gets.
    """
    country, number = (pc.fill_null(column.cast(pa.string()), "") for column in (country, number))
    numeric = np.zeros(len(number), np.bool_) if was_numeric is None else was_numeric
    found = _nothing_found(len(number))
    countries = _read_countries(country)
    plain = plain_punctuation(number)
    for begin in range(0, len(number), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        block = _Block(plain[part], countries.row[part], accept_possible=accept_possible)
        block.settle(numeric[part])
        found.e164[part], found.faults[part], found.warnings[part] = block.e164, block.faults, block.warnings
        found.by_library[part] = block.undecided
    np.bitwise_or(found.faults, countries.faults, out=found.faults)
    _ask_library(country, number, found, numeric, accept_possible=accept_possible)
    return found


def _nothing_found(rows: int) -> PhoneColumn:
    return PhoneColumn(
        np.zeros(rows, np.int64), np.zeros(rows, np.uint64), np.zeros(rows, np.uint32), np.zeros(rows, np.bool_)
    )


def _read_countries(column: pa.StringArray) -> _Countries:
    cells = pc.dictionary_encode(column)
    known = [(text, read_country(text)) for text in cells.dictionary.to_pylist()]
    rows = np.array([found.row if found else _NO_COUNTRY for _, found in known], np.int64)
    faults = np.array([0 if found else check_one(text, "").faults & ~_MISSING for text, found in known], np.uint64)
    place = cells.indices.to_numpy()
    return _Countries(rows[place], faults[place])


def _ask_library(
    country: pa.StringArray,
    number: pa.StringArray,
    found: PhoneColumn,
    numeric: NDArray[np.bool_],
    *,
    accept_possible: bool,
) -> None:
    rows = np.flatnonzero(found.by_library)
    cells = zip(country.take(rows).to_pylist(), number.take(rows).to_pylist(), numeric[rows].tolist(), strict=True)
    known = {}
    for row, cell in zip(rows.tolist(), cells, strict=True):
        if cell not in known:
            known[cell] = check_one(cell[0], cell[1], accept_possible=accept_possible, was_numeric=cell[2])
        phone = known[cell]
        found.e164[row], found.faults[row], found.warnings[row] = phone.e164, phone.faults, phone.warnings


class _Block:
    """Some rows on their way to a verdict, by the rules of `single._best_reading`."""

    def __init__(self, number: pa.StringArray, row: NDArray[np.int64], *, accept_possible: bool) -> None:
        digits = read_digits(number)
        self._plus, self._row, self._accept_possible = digits.plus, row, accept_possible
        self._start, self._count = np.arange(len(row)) * WIDTH, digits.count
        self._reader = Reader(digits.flat)
        self._empty = digits.empty
        self._reading = Reading.of(len(row), Verdict.UNDECIDED)
        self._read_as_written(digits.plain)
        self._read_otherwise()

    def settle(self, numeric: NDArray[np.bool_]) -> None:
        """Turn the readings into E.164, faults and warnings."""
        reading = self._reading
        passes = reading.verdict == Verdict.VALID
        if self._accept_possible:
            passes |= reading.verdict == Verdict.POSSIBLE
        judged = self._plus | (self._row != _NO_COUNTRY)
        mismatch = passes & (self._row != _NO_COUNTRY) & (reading.code != MAIN[self._row])
        self.undecided = (reading.verdict == Verdict.UNDECIDED) & ~self._empty
        self.faults = np.where(judged & ~passes, _BY_VERDICT[reading.verdict], np.uint64(0))
        self.faults[mismatch] = _MISMATCH
        self.faults[self._empty] = _MISSING
        rows = np.flatnonzero(passes & ~mismatch & (self._row != _NO_COUNTRY))
        self.e164 = np.zeros(len(passes), np.int64)
        self.warnings = np.zeros(len(passes), np.uint32)
        good = reading.take(rows)
        self.e164[rows] = self._reader.values(good)
        self.warnings[rows] = _warnings(good, numeric[rows])

    def _read_as_written(self, plain: NDArray[np.bool_]) -> None:
        abroad = np.flatnonzero(plain & self._plus)
        reading = self._reader.international(self._start[abroad], self._count[abroad])
        # Behind a plus the library looks again for a national number where it finds no calling code.
        reading.verdict[reading.code < 0] = Verdict.UNDECIDED
        self._reading.put(abroad, reading)
        home = np.flatnonzero(plain & ~self._plus & (self._row != _NO_COUNTRY))
        self._reading.put(home, self._reader.national(self._start[home], self._count[home], self._row[home]))
        self._reading.verdict[plain & ~self._plus & (self._row == _NO_COUNTRY)] = Verdict.VALID

    def _read_otherwise(self) -> None:
        """Where a national number is not valid as written: 00 as plus, or the calling code counted once (R14)."""
        open_ = ~self._plus & ~np.isin(self._reading.verdict, [Verdict.VALID, Verdict.UNDECIDED])
        rows = np.flatnonzero(open_)
        digits, start = self._reader.flat, self._start[rows]
        zeros = (digits[start] == 0) & (digits[start + 1] == 0)
        self._read_zeros_as_plus(rows[zeros])
        self._read_code_once(rows[~zeros])

    def _read_zeros_as_plus(self, rows: NDArray[np.int64]) -> None:
        reading = self._reader.international(self._start[rows] + 2, self._count[rows] - 2)
        kept = (self._reading.verdict[rows] == Verdict.POSSIBLE) & self._accept_possible
        agrees = reading.code == MAIN[self._row[rows]]
        better = np.isin(reading.verdict, [Verdict.VALID, Verdict.UNDECIDED]) | (agrees & ~kept)
        self._reading.put(rows[better], reading.take(better))

    def _read_code_once(self, rows: NDArray[np.int64]) -> None:
        rows = rows[self._reader.spelled(self._start[rows]) == MAIN[self._row[rows]]]
        reading = self._reader.international(self._start[rows], self._count[rows])
        valid = reading.verdict == Verdict.VALID
        reading.repeated[:] = True
        self._reading.put(rows[valid], reading.take(valid))


def _warnings(reading: Reading, numeric: NDArray[np.bool_]) -> NDArray[np.uint32]:
    repeated = np.where(numeric, warning_bit(Code.PLUS_RESTORED), warning_bit(Code.COUNTRY_CODE_REPEATED))
    found = np.where(reading.repeated, repeated, 0)
    found |= np.where(reading.trunk, warning_bit(Code.TRUNK_PREFIX_REMOVED), 0)
    found |= np.where(reading.verdict == Verdict.POSSIBLE, warning_bit(Code.POSSIBLE_NOT_VALID), 0)
    return found.astype(np.uint32)
