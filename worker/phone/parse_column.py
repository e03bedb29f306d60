"""Parsing of rows of digits like `phonenumbers.parse`, step by step but for all rows at once.

Every function mirrors one step of the library, named in its docstring. `Verdict.UNDECIDED` marks rows that digits alone
do not decide; the library judges them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from worker.phone.automaton import COLUMNS, DEAD, PAD
from worker.phone.compiled_tables import CODE, CODE_DIGITS, IS_COUNTRY, MAIN
from worker.phone.metadata import Length
from worker.phone.reference import E164_DIGITS
from worker.phone.table_runner import TableRunner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_SHORTEST_ABROAD = 3
_NATIONAL = range(2, 18)  # lengths that the library parses
_TEN_TO = 10 ** np.arange(19, dtype=np.int64)
_ONES = (_TEN_TO - 1) // 9  # 0, 1, 11, 111, ...


class Verdict(IntEnum):
    """The result of a reading. POSSIBLE: the length fits, but the number is not known to be in use."""

    VALID = 0
    POSSIBLE = 1
    TOO_SHORT = 2
    TOO_LONG = 3
    INVALID = 4
    UNDECIDED = 5


_BY_LENGTH = np.zeros(len(Length), np.int8)
_BY_LENGTH[Length.POSSIBLE] = Verdict.POSSIBLE
_BY_LENGTH[[Length.LOCAL_ONLY, Length.TOO_SHORT]] = Verdict.TOO_SHORT
_BY_LENGTH[Length.TOO_LONG] = Verdict.TOO_LONG
_BY_LENGTH[Length.INVALID] = Verdict.INVALID


@dataclass(frozen=True)
class Reading:
    """One way to read each of n rows; arrays of length n, which `put` changes in place.

    `code`: main row of the calling code, -1 where the library finds none or stops before it.
    `start`, `count`: the digits of the national number. `verdict` int8.
    `repeated`: the calling code came before a national number. `trunk`: a national prefix was removed.
    """

    code: Ints
    start: Ints
    count: Ints
    verdict: NDArray[np.int8]
    repeated: Bools
    trunk: Bools

    @classmethod
    def of(cls, rows: int, verdict: Verdict) -> Reading:
        """Return a reading with the same verdict and no number in all rows."""
        start, count = np.zeros((2, rows), np.int64)
        repeated, trunk = np.zeros((2, rows), np.bool_)
        return cls(np.full(rows, -1, np.int64), start, count, np.full(rows, verdict, np.int8), repeated, trunk)

    def put(self, rows: Ints | Bools, other: Reading) -> None:
        """Replace these rows by the rows of `other`, in place."""
        self.code[rows], self.start[rows], self.count[rows] = other.code, other.start, other.count
        self.verdict[rows], self.repeated[rows], self.trunk[rows] = other.verdict, other.repeated, other.trunk

    def take(self, rows: Ints | Bools) -> Reading:
        """Return these rows only."""
        return Reading(
            self.code[rows],
            self.start[rows],
            self.count[rows],
            self.verdict[rows],
            self.repeated[rows],
            self.trunk[rows],
        )


class ColumnParser(TableRunner):
    """Parser for the digits of a block of rows."""

    def international(self, start: Ints, count: Ints) -> Reading:
        """Parse digits that begin with a calling code (`_extract_country_code` and the steps after it)."""
        reading = Reading.of(len(start), Verdict.INVALID)
        reading.verdict[count < _SHORTEST_ABROAD] = Verdict.TOO_SHORT
        code = self.spelled(start)
        rows_with_code = np.flatnonzero((code >= 0) & (count >= _SHORTEST_ABROAD))
        row = code[rows_with_code]
        self.need(row)
        size = CODE_DIGITS[row]
        reading.put(rows_with_code, self._judged(row, row, start[rows_with_code] + size, count[rows_with_code] - size))
        reading.code[(reading.count < _NATIONAL.start) | (reading.count >= _NATIONAL.stop)] = -1
        return reading

    def national(self, start: Ints, count: Ints, row: Ints) -> Reading:
        """Parse digits as dialled in a region: to abroad, or at home with or without the calling code."""
        self.need(row)
        reading = Reading.of(len(start), Verdict.INVALID)
        size = self.abroad_prefix(start, row)
        home, abroad = np.flatnonzero(size == 0), np.flatnonzero(size)
        if abroad.size:
            reading.put(abroad, self.international(start[abroad] + size[abroad], count[abroad] - size[abroad]))
        reading.put(home, self._at_home(start[home], count[home], row[home]))
        return reading

    def whole(self, row: Ints, start: Ints, count: Ints) -> Reading:
        """Parse digits that are a whole national number of a calling code (its main row)."""
        self.need(row)
        return self._judged(row, row, start, count)

    def may_begin_with_zero(self, row: Ints) -> Bools:
        """Return whether national numbers of a calling code (main row) may begin with a zero, as in Italy (R14d)."""
        self.need(row)
        may: Bools = self.tables.moves[self.tables.numbers[row]] != DEAD
        return may

    def has_long_trunk_prefix(self, row: Ints) -> Bools:
        """Return whether trunk prefixes of a region begin with a zero but are longer, such as Hungary's 06 (R14d)."""
        self.need(row)
        behind_zero = self.tables.moves[self.tables.trunk[row]]
        has_prefix: Bools = (behind_zero != DEAD) & ~self.tables.taken[behind_zero // COLUMNS]
        return has_prefix

    def values(self, reading: Reading) -> Ints:
        """Return E.164 numbers as int64. Accepts only judged numbers, which have at most 15 digits."""
        longest = int(reading.count.max(initial=0))
        value = np.zeros(len(reading.count), np.int64)
        for index in range(longest):
            value *= 10
            value += self.flat[reading.start + index]
        # Shorter numbers include their padding, whose value is known and subtracted.
        pads = longest - reading.count
        return CODE[reading.code] * _TEN_TO[reading.count] + (value - PAD * _ONES[pads]) // _TEN_TO[pads]

    def _at_home(self, start: Ints, count: Ints, row: Ints) -> Reading:
        """Apply the part of `_maybe_extract_country_code` that looks for the region's own calling code."""
        begun = np.flatnonzero((self.spelled(start) == MAIN[row]) & IS_COUNTRY[row])
        if not begun.size:
            return self._judged(row, MAIN[row], start, count)
        home, size = row[begun], CODE_DIGITS[row[begun]]
        cut = self.without_trunk(start[begun] + size, count[begun] - size, home, check_length=False)
        better = ~self.is_general(start[begun], count[begun], home) & self.is_general(cut.start, cut.count, home)
        better |= self.tables.lengths[home, count[begun]] == Length.TOO_LONG
        better_begun, cut = begun[better], cut.take(better)
        start, count, metadata = start.copy(), count.copy(), row.copy()
        start[better_begun], count[better_begun], metadata[better_begun] = cut.start, cut.count, MAIN[row[better_begun]]
        reading = self._judged(metadata, MAIN[row], start, count)
        reading.repeated[better_begun] = True
        reading.trunk[better_begun] |= cut.removed
        # After two cuts, the rest may end in the digits written only by chance: leave it to the library.
        reading.verdict[better_begun[cut.removed & (reading.start[better_begun] != cut.start)]] = Verdict.UNDECIDED
        return reading

    def _judged(self, metadata: Ints, code: Ints, start: Ints, count: Ints) -> Reading:
        """Apply the end of `parse`, then `is_valid_number` and `is_possible_number_with_reason`."""
        cut = self.without_trunk(start, count, metadata, check_length=True)
        state = self.ends(self.tables.numbers[code], cut.start, cut.count)
        verdict = _BY_LENGTH[self.tables.lengths[code, cut.count]]
        verdict[self.tables.valid_lengths[state] >> cut.count & 1 == 1] = Verdict.VALID
        verdict[CODE_DIGITS[code] + cut.count > E164_DIGITS] = Verdict.TOO_LONG
        verdict[self.tables.compiled[code] < 0] = Verdict.UNDECIDED
        return Reading(code, cut.start, cut.count, verdict, np.zeros(len(code), np.bool_), cut.removed)
