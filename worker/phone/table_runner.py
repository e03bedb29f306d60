"""Execution of the compiled tables on the digits of many rows at once, one lookup per digit.

Finds prefixes, patterns and calling codes in slices of digits; `parse_column` combines them into readings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from worker.phone.automaton import COLUMNS, PAD
from worker.phone.compiled_tables import DIALS_ABROAD, HAS_TRUNK, PLACE, SPELLED, Tables, tables_for
from worker.phone.digits import WIDTH
from worker.phone.metadata import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_DEEPEST = 18  # digits after which no national number can match
_KEEPS_PREFIX = [Length.TOO_SHORT, Length.LOCAL_ONLY, Length.INVALID]


@dataclass(frozen=True)
class Cut:
    """National numbers as slices of the digits, and whether written digits were removed; arrays of length n."""

    start: Ints
    count: Ints
    removed: Bools

    def take(self, rows: Ints | Bools) -> Cut:
        """Return these rows only."""
        return Cut(self.start[rows], self.count[rows], self.removed[rows])

    def put(self, rows: Ints, other: Cut) -> Cut:
        """Return a copy in which these rows are the rows of `other`."""
        start, count, removed = self.start.copy(), self.count.copy(), self.removed.copy()
        start[rows], count[rows], removed[rows] = other.start, other.count, other.removed
        return Cut(start, count, removed)


class TableRunner:
    """The digits of a block of rows, followed by rewritten numbers (Argentina's mobile 15 replaced by a 9).

    `start` and `count` give the position of a row's relevant digits; `row` is the index of its region in
    `metadata.REGIONS`.
    """

    def __init__(self, flat: NDArray[np.uint8]) -> None:
        self.flat = flat
        self.tables: Tables = tables_for(np.zeros(0, np.int64))

    def need(self, row: Ints) -> None:
        """Compile these regions, before rows are matched in them."""
        self.tables = tables_for(row)

    def spelled(self, start: Ints) -> Ints:
        """Return the calling code that the digits begin with, as its main row; -1: none."""
        first, second, third = self.flat[start], self.flat[start + 1], self.flat[start + 2]
        return SPELLED[first.astype(np.int64) * 256 + second * np.int64(16) + third]

    def ends(self, entry: Ints, start: Ints, count: Ints) -> Ints:
        """Return the final states of the numbers, as indices of the per-state arrays."""
        state, position = entry, start
        for _ in range(min(int(count.max(initial=0)), _DEEPEST)):
            state = self.tables.moves[state + self.flat[position]]
            position = position + 1
        return state // COLUMNS

    def is_general(self, start: Ints, count: Ints, row: Ints) -> Bools:
        """Return whether the general description of the region's numbers matches."""
        state = self.ends(self.tables.numbers[row], start, count)
        matches: Bools = self.tables.general[state] >> PLACE[row] & 1 == 1
        return matches

    def abroad_prefix(self, start: Ints, row: Ints) -> Ints:
        """Return the length of the international prefix (`_parse_prefix_as_idd`), 0 where there is none."""
        size = np.zeros(len(start), np.int64)
        rows = self._hinted(start, row, DIALS_ABROAD)
        if rows.size:
            size_of_prefix, _ = self._prefix(self.tables.abroad[row[rows]], start[rows])
            size[rows] = np.where(self.flat[start[rows] + size_of_prefix] == 0, 0, size_of_prefix)
        return size

    def without_trunk(self, start: Ints, count: Ints, row: Ints, *, check_length: bool) -> Cut:
        """Apply `_maybe_strip_national_prefix_carrier_code`; `check_length`: undo it where `parse` would."""
        whole = Cut(start, count, np.zeros(len(start), np.bool_))
        rows = self._hinted(start, row, HAS_TRUNK)
        if rows.size:
            size, state = self._prefix(self.tables.trunk[row[rows]], start[rows])
            rows, size, state = rows[size > 0], size[size > 0], state[size > 0]
        if not rows.size:
            return whole
        home, before = row[rows], whole.take(rows)
        after = self._behind_prefix(before, home, size, state // COLUMNS)
        was, is_now = (self.is_general(cut.start, cut.count, home) for cut in (before, after))
        applies = ~was | is_now
        if check_length:
            applies &= ~np.isin(self.tables.lengths[home, after.count], _KEEPS_PREFIX)
        return whole.put(rows[applies], after.take(applies))

    def _behind_prefix(self, cut: Cut, row: Ints, size: Ints, state: Ints) -> Cut:
        """Return the rest after the prefix, rewritten where the region has a rule for that."""
        begin, end = self.tables.group_start[state], self.tables.group_end[state]
        after = Cut(cut.start + size, cut.count - size, (begin != 0) | (end != size))
        for home in np.unique(row[begin >= 0]).tolist():
            rows_of_home = np.flatnonzero((row == home) & (begin >= 0))
            group = begin[rows_of_home], end[rows_of_home]
            start, count = self._rewritten(
                cut.take(rows_of_home), self.tables.rules[home] or (), group, size[rows_of_home]
            )
            after = after.put(rows_of_home, Cut(start, count, after.removed[rows_of_home]))
        return after

    def _rewritten(self, cut: Cut, rule: tuple[int, ...], group: tuple[Ints, Ints], size: Ints) -> tuple[Ints, Ints]:
        """Append the rule's digits, the captured ones and the rest as new rows; return their starts and counts."""
        width, column = len(rule), np.arange(WIDTH)
        begin, captured = group[0][:, None], (group[1] - group[0])[:, None]
        source = np.where(column - width < captured, begin + column, size[:, None] + column - captured) - width
        count = width + captured[:, 0] + cut.count - size
        numbers = self.flat[np.minimum(cut.start[:, None] + np.maximum(source, 0), len(self.flat) - 1)]
        numbers[:, :width] = rule
        numbers[column >= count[:, None]] = PAD
        start = len(self.flat) + np.arange(len(count)) * WIDTH
        self.flat = np.concatenate((self.flat, numbers.reshape(-1), np.full(WIDTH, PAD, np.uint8)))
        return start, count

    def _hinted(self, start: Ints, row: Ints, hint: int) -> Ints:
        pair = self.flat[start] * np.uint8(COLUMNS) + self.flat[start + 1]
        return np.flatnonzero(self.tables.hints[row, pair] & hint)

    def _prefix(self, entry: Ints, start: Ints) -> tuple[Ints, Ints]:
        """Return the number of digits that a prefix pattern takes, and the state of the match."""
        tables, state = self.tables, entry
        size, matched_state = np.zeros(len(start), np.int64), np.zeros(len(start), np.int64)
        for index in range(WIDTH):
            state = tables.moves[state + self.flat[start + index]]
            if not state.any():
                break
            is_match = tables.taken[state // COLUMNS]
            size[is_match] = index + 1 - tables.taken_at_end[state[is_match] // COLUMNS]
            matched_state[is_match] = state[is_match]
        return size, matched_state
