"""Validation of a block of rows of digits by the rules of `reference`, with array operations (R14, R14b, R14d, R15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from schemas.codes import Code, fault_bit, warning_bit
from schemas.columns import Column
from worker.phone.compiled_tables import MAIN
from worker.phone.digits import FIRST, WIDTH, Digits
from worker.phone.evidence import Evidence
from worker.phone.parse_column import ColumnParser, Reading, Verdict
from worker.phone.reference import Rules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

NO_COUNTRY = -1
_COUNTRY_MISSING = fault_bit(Code.MISSING_VALUE, Column.COUNTRY_CODE)
_COUNTRY_INVALID = fault_bit(Code.INVALID_COUNTRY_CODE, Column.COUNTRY_CODE)


def _number_bit(code: Code) -> int:
    return fault_bit(code, Column.PHONE_NUMBER)


_MISSING = _number_bit(Code.MISSING_VALUE)
_MISMATCH = _number_bit(Code.COUNTRY_MISMATCH)
_BY_VERDICT = np.zeros(len(Verdict), np.uint64)
_BY_VERDICT[[Verdict.POSSIBLE, Verdict.INVALID]] = _number_bit(Code.INVALID_NUMBER)
_BY_VERDICT[Verdict.TOO_SHORT] = _number_bit(Code.TOO_SHORT)
_BY_VERDICT[Verdict.TOO_LONG] = _number_bit(Code.TOO_LONG)


@dataclass(frozen=True)
class Countries:
    """n Country Code cells: `row` int64, the index in `metadata.REGIONS` or -1; `is_region`, `empty` bool."""

    row: Ints
    is_region: Bools
    empty: Bools

    def part(self, part: slice) -> Countries:
        """Return a slice of the rows."""
        return Countries(self.row[part], self.is_region[part], self.empty[part])

    def take(self, rows: Ints) -> Countries:
        """Return these rows only."""
        return Countries(self.row[rows], self.is_region[rows], self.empty[rows])


class Block:
    """A block of rows and their readings, judged by the rules of `reference`."""

    def __init__(self, digits: Digits, countries: Countries, rules: Rules) -> None:
        self._digits, self._countries, self._rules = digits, countries, rules
        self._plus, self._row, self._empty = digits.plus, countries.row, digits.empty
        self._start, self._count = np.arange(len(self._row)) * WIDTH + FIRST, digits.count
        self._reader = ColumnParser(digits.flat)
        self._has_country = self._row != NO_COUNTRY
        self._reading = Reading.of(len(self._row), Verdict.UNDECIDED)
        self._abroad = self._plus.copy()  # rows read as international numbers, regardless of the country
        self._read_as_written(digits.plain)
        self._read_otherwise()

    @property
    def accepted(self) -> Bools:
        """Return which rows pass when judged by their digits alone, before the comparison with the Country Code."""
        verdict = self._reading.verdict
        passes: Bools = verdict == Verdict.VALID
        return passes | (verdict == Verdict.POSSIBLE) if self._rules.accept_possible else passes

    @property
    def too_long(self) -> Bools:
        """Return which rows have too many digits; they may be two numbers."""
        is_too_long: Bools = self._reading.verdict == Verdict.TOO_LONG
        return is_too_long

    @property
    def is_number(self) -> Bools:
        """Return which rows are a valid number, in their country or as an international number."""
        is_valid: Bools = (self._reading.verdict == Verdict.VALID) & (self._has_country | self._abroad)
        return is_valid

    @property
    def undecided(self) -> Bools:
        """Return which rows the library has to judge."""
        verdict = self._reading.verdict
        undecided: Bools = (verdict == Verdict.UNDECIDED) & ~self._empty
        if self._rules.accept_possible:
            undecided |= self._may_lack_zero()
        return undecided

    def settle(self, numeric: Bools) -> None:
        """Turn the readings into E.164 numbers, faults, warnings and evidence."""
        reading, passes = self._reading, self.accepted
        self.evidence = np.zeros(len(passes), np.uint8)
        self.alternative = np.zeros(len(passes), np.int64)
        self._find_other_readings()
        if not self._rules.zero_tolerated:
            passes &= self.evidence & Evidence.SHOWS_ZERO_LOST == 0
        judged = self._abroad | self._has_country
        mismatch = passes & self._has_country & (reading.code != MAIN[self._row])
        self.faults = np.where(judged & ~passes, _BY_VERDICT[reading.verdict], np.uint64(0))
        self.faults[mismatch] = _MISMATCH
        self.faults[self._empty] = _MISSING
        self.faults |= self._country_faults()
        rows = np.flatnonzero(passes & ~mismatch & judged & (self.faults == 0))
        self.e164 = np.zeros(len(passes), np.int64)
        self.warnings = np.zeros(len(passes), np.uint32)
        good = reading.take(rows)
        self.e164[rows] = self._reader.values(good)
        restored = numeric[rows] | ~self._has_country[rows]
        self.warnings[rows] = _warnings(good, restored)
        self._drop_evidence(mismatch)

    def _country_faults(self) -> NDArray[np.uint64]:
        missing = self._countries.empty & (~self._abroad | self._empty)
        invalid = ~self._has_country & ~self._countries.empty
        faults = np.where(missing, np.uint64(_COUNTRY_MISSING), np.uint64(0))
        faults[invalid] = _COUNTRY_INVALID
        return faults

    def _drop_evidence(self, mismatch: Bools) -> None:
        """Clear evidence in rows with a fault or without a country; keep SHOWS_ZERO_LOST only in rows with a fault."""
        lost = (self.evidence & Evidence.SHOWS_ZERO_LOST != 0) & (self.faults != 0) & ~mismatch
        silent = ((self.faults != 0) | ~self._has_country | (self.evidence & Evidence.SHOWS_ZERO_LOST != 0)) & ~lost
        self.evidence[silent], self.alternative[silent] = 0, 0

    def _read_as_written(self, plain: Bools) -> None:
        abroad = np.flatnonzero(plain & self._plus)
        self._put_international(abroad, self._start[abroad], self._count[abroad])
        home = np.flatnonzero(plain & ~self._plus & self._has_country)
        self._reading.put(home, self._reader.national(self._start[home], self._count[home], self._row[home]))
        nowhere = plain & ~self._plus & ~self._has_country
        self._reading.verdict[nowhere] = Verdict.VALID
        if nowhere.any():
            self._read_without_country(nowhere & self._countries.empty)

    def _put_international(self, rows: Ints, start: Ints, count: Ints) -> None:
        reading = self._reader.international(start, count)
        # After a plus, the library tries a national number where it finds no calling code.
        reading.verdict[reading.code < 0] = Verdict.UNDECIDED
        self._reading.put(rows, reading)

    def _read_without_country(self, nowhere: Bools) -> None:
        """Read rows with an empty Country Code: 00 is a plus (R14); `Rules.international` decides on digits alone."""
        digits, start = self._reader.flat, self._start
        zeros = nowhere & (digits[start] == 0) & (digits[start + 1] == 0)
        rows = np.flatnonzero(zeros)
        self._put_international(rows, start[rows] + 2, self._count[rows] - 2)
        self._abroad |= zeros
        if self._rules.international:
            without_country = nowhere & self._digits.alone & (digits[start] != 0)
            rows = np.flatnonzero(without_country)
            self._put_international(rows, start[rows], self._count[rows])
            self._reading.repeated[rows] = True
            self._abroad |= without_country

    def _read_otherwise(self) -> None:
        """Read national numbers that are not valid as written: 00 as plus, or the calling code counted once (R14)."""
        settled = np.isin(self._reading.verdict, [Verdict.VALID, Verdict.UNDECIDED])
        rows = np.flatnonzero(~self._plus & self._has_country & ~settled)
        rows = self._read_in_main_region(rows)
        digits, start = self._reader.flat, self._start[rows]
        zeros = (digits[start] == 0) & (digits[start + 1] == 0)
        self._read_zeros_as_plus(rows[zeros])
        self._read_code_once(rows[~zeros])

    def _read_in_main_region(self, rows: Ints) -> Ints:
        """Read numbers of another country of the calling code as they are written there; return the remaining rows."""
        row = self._row[rows]
        other = rows[row != MAIN[row]]
        if not other.size:
            return rows
        main = MAIN[self._row[other]]
        reading = self._reader.national(self._start[other], self._count[other], main)
        valid = (reading.verdict == Verdict.VALID) & (reading.code == main)
        self._reading.put(other[valid], reading.take(valid))
        return np.setdiff1d(rows, other[valid], assume_unique=True)

    def _read_zeros_as_plus(self, rows: Ints) -> None:
        reading = self._reader.international(self._start[rows] + 2, self._count[rows] - 2)
        accepts_written = (self._reading.verdict[rows] == Verdict.POSSIBLE) & self._rules.accept_possible
        agrees = reading.code == MAIN[self._row[rows]]
        better = np.isin(reading.verdict, [Verdict.VALID, Verdict.UNDECIDED]) | (agrees & ~accepts_written)
        self._reading.put(rows[better], reading.take(better))

    def _read_code_once(self, rows: Ints) -> None:
        rows = rows[self._reader.spelled(self._start[rows]) == MAIN[self._row[rows]]]
        reading = self._reader.international(self._start[rows], self._count[rows])
        valid = reading.verdict == Verdict.VALID
        reading.repeated[:] = True
        self._reading.put(rows[valid], reading.take(valid))

    def _find_other_readings(self) -> None:
        """Find other readings of the digits, and what rows of digits alone show about the column (R14b, R14d)."""
        reading, evidence = self._reading, self.evidence
        in_own_country = ~self._plus & self._has_country & (reading.code == MAIN[self._row])
        valid = reading.verdict == Verdict.VALID
        is_unchanged = in_own_country & (reading.start == self._start) & (reading.count == self._count)
        self._read_as_international(np.flatnonzero(is_unchanged & self.accepted & ~reading.repeated))
        self._read_with_zero(is_unchanged)
        self._read_with_zero_of_trunk_prefix(np.flatnonzero(is_unchanged & valid & self._digits.alone))
        shows = in_own_country & valid & self._digits.alone & (evidence == 0)
        leads = self._reader.flat[self._start] == 0
        evidence[shows & reading.repeated] = Evidence.SHOWS_INTERNATIONAL
        evidence[shows & is_unchanged & ~reading.repeated] = Evidence.SHOWS_NATIONAL
        evidence[shows & is_unchanged & ~reading.repeated & leads] = Evidence.SHOWS_ZERO_KEPT

    def _read_as_international(self, rows: Ints) -> None:
        """Find the second reading of national numbers that begin with their own calling code (R14b)."""
        rows = rows[self._reader.spelled(self._start[rows]) == MAIN[self._row[rows]]]
        if not rows.size:
            return
        other = self._reader.international(self._start[rows], self._count[rows])
        passes = other.verdict == Verdict.VALID
        if self._rules.accept_possible:
            both = (other.verdict == Verdict.POSSIBLE) & (self._reading.verdict[rows] == Verdict.POSSIBLE)
            passes |= both
        rows, other = rows[passes], other.take(passes)
        self.alternative[rows] = self._reader.values(other)
        self.evidence[rows] |= np.uint8(Evidence.ALSO_INTERNATIONAL)

    def _read_with_zero(self, is_unchanged: Bools) -> None:
        """Find digits that one more leading zero makes another valid number, or makes valid at all (R14d)."""
        reading = self._reading
        leads = self._reader.flat[self._start] == 0
        rows = np.flatnonzero(is_unchanged & ~leads & ~reading.repeated)
        rows = rows[self._reader.may_begin_with_zero(MAIN[self._row[rows]])]
        valid = reading.verdict[rows] == Verdict.VALID
        rows = rows[~valid | self._digits.alone[rows]]
        if not rows.size:
            return
        main = MAIN[self._row[rows]]
        other = self._reader.whole(main, self._start[rows] - 1, self._count[rows] + 1)
        # Where a leading zero is a trunk prefix, it makes no other number.
        another = (other.verdict == Verdict.VALID) & (other.count == self._count[rows] + 1)
        rows, other = rows[another], other.take(another)
        valid = reading.verdict[rows] == Verdict.VALID
        self.evidence[rows[valid]] |= np.uint8(Evidence.ALSO_WITH_ZERO)
        lost = rows[~valid]
        self.evidence[lost] = np.uint8(Evidence.SHOWS_ZERO_LOST)
        self.alternative[lost] = self._reader.values(other.take(~valid))

    def _read_with_zero_of_trunk_prefix(self, rows: Ints) -> None:
        """Leave to the library digits that are another number after a trunk prefix that lost its zero (R14d)."""
        rows = rows[self._reader.has_long_trunk_prefix(self._row[rows])]
        if not rows.size:
            return
        other = self._reader.national(self._start[rows] - 1, self._count[rows] + 1, self._row[rows])
        is_other = (other.verdict == Verdict.VALID) & (other.count != self._reading.count[rows])
        self._reading.verdict[rows[is_other]] = Verdict.UNDECIDED

    def _may_lack_zero(self) -> Bools:
        """Return which rows are possible numbers whose zero after the calling code may be missing; for the library."""
        reading = self._reading
        rows = np.flatnonzero((reading.verdict == Verdict.POSSIBLE) & (reading.code >= 0))
        rows = rows[(reading.start[rows] != self._start[rows]) | self._plus[rows]]
        may_lack_zero = np.zeros(len(reading.code), np.bool_)
        may_lack_zero[rows[self._reader.may_begin_with_zero(MAIN[reading.code[rows]])]] = True
        return may_lack_zero


def _warnings(reading: Reading, restored: Bools) -> NDArray[np.uint32]:
    repeated = np.where(restored, warning_bit(Code.PLUS_RESTORED), warning_bit(Code.COUNTRY_CODE_REPEATED))
    warnings = np.where(reading.repeated, repeated, 0)
    warnings |= np.where(reading.trunk, warning_bit(Code.TRUNK_PREFIX_REMOVED), 0)
    warnings |= np.where(reading.verdict == Verdict.POSSIBLE, warning_bit(Code.POSSIBLE_NOT_VALID), 0)
    return warnings.astype(np.uint32)
