"""Compiled calling codes in shared flat arrays, so that rows of all countries run through one table.

Compiles a calling code on first use and keeps it for the life of the process (all 215: about 0.8 s, 4 MB). Does not
judge numbers.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, REGION_CODE_FOR_NON_GEO_ENTITY

from worker.phone.automaton import COLUMNS, DEAD, PrefixFinder
from worker.phone.metadata import LENGTHS, MAIN_ROW, REGIONS, CodePlan, RegionPlan, compile_code
from worker.phone.pattern import UnsupportedPattern

Ints = NDArray[np.int64]

DIALS_ABROAD = 1  # numbers with these digits may begin with the region's international prefix
HAS_TRUNK = 2  # ... with its national prefix


@dataclass(frozen=True)
class Tables:
    """All states of all compiled calling codes, and one row per region of `metadata.REGIONS`.

    A state is an offset in `moves` (a multiple of 16): next = moves[state + digit]. Per-state arrays (`valid_lengths`
    to `group_end`) are indexed by state // 16. `hints[row, first digit * 16 + second digit]` holds DIALS_ABROAD and
    HAS_TRUNK. `compiled[row]` is 0 before the row's calling code is needed, 1 when it is ready, -1 when the library has
    to judge its numbers.
    """

    moves: Ints
    valid_lengths: Ints
    general: Ints
    taken: NDArray[np.bool_]
    taken_at_end: Ints
    group_start: Ints
    group_end: Ints
    compiled: NDArray[np.int8]
    numbers: Ints
    abroad: Ints
    trunk: Ints
    lengths: NDArray[np.int8]
    hints: NDArray[np.uint8]
    rules: tuple[tuple[int, ...] | None, ...]


def _blank() -> Tables:
    rows = len(REGIONS)
    zero, entries = np.zeros(1, np.int64), np.zeros(rows, np.int64)
    return Tables(
        moves=np.zeros(COLUMNS, np.int64),
        valid_lengths=zero,
        general=zero,
        taken=np.zeros(1, np.bool_),
        taken_at_end=zero,
        group_start=zero,
        group_end=zero,
        compiled=np.zeros(rows, np.int8),
        numbers=entries,
        abroad=entries,
        trunk=entries,
        lengths=np.zeros((rows, LENGTHS), np.int8),
        hints=np.zeros((rows, 256), np.uint8),
        rules=(None,) * rows,
    )


# Constants of each row: its calling code, the row of the code's main region (main row), its index among the code's
# regions.
CODE: Ints = np.array([code for code, _ in REGIONS], np.int64)
MAIN: Ints = np.array([MAIN_ROW[code] for code, _ in REGIONS], np.int64)
PLACE: Ints = np.arange(len(REGIONS)) - MAIN
IS_COUNTRY = np.array([region != REGION_CODE_FOR_NON_GEO_ENTITY for _, region in REGIONS], np.bool_)
SHARED = np.array([len(COUNTRY_CODE_TO_REGION_CODE[code]) > 1 for code, _ in REGIONS], np.bool_)
CODE_DIGITS: Ints = np.array([len(str(code)) for code, _ in REGIONS], np.int64)


def _spelled() -> Ints:
    """Return the main row of the calling code that digits a, b, c begin with, -1: none; indexed by 256 a + 16 b + c."""
    region_rows = np.full((COLUMNS,) * 3, -1, np.int64)
    for code, row in MAIN_ROW.items():
        region_rows[tuple(map(int, str(code)))] = row
    return region_rows.reshape(-1)


SPELLED: Ints = _spelled()


class _Builder:
    """Builder of a copy of the tables with more calling codes."""

    def __init__(self, tables: Tables) -> None:
        self._old = tables
        self._moves: list[list[int]] = []
        self._states: list[tuple[int, int, bool, bool, int, int]] = []
        self._entries = {name: getattr(tables, name).copy() for name in ("compiled", "numbers", "abroad", "trunk")}
        self._lengths, self._rules = tables.lengths.copy(), list(tables.rules)

    def add(self, code: int) -> None:
        try:
            self._add_plan(compile_code(code))
        except UnsupportedPattern:
            self._entries["compiled"][code == CODE] = -1

    def _add_plan(self, plan: CodePlan) -> None:
        states = [
            (lengths, general, False, False, -1, -1)
            for lengths, general in zip(plan.valid_lengths, plan.general, strict=True)
        ]
        entry = self._append(plan.numbers.moves, states)
        for region in plan.regions:
            self._add_region(region, entry)

    def _add_region(self, region: RegionPlan, entry: int) -> None:
        row = region.row
        self._entries["compiled"][row] = 1
        self._entries["numbers"][row] = entry
        self._entries["abroad"][row] = self._add_prefix(region.international_prefix)
        self._entries["trunk"][row] = self._add_prefix(region.national_prefix)
        self._lengths[row] = region.lengths
        self._rules[row] = region.rule

    def _add_prefix(self, prefix: PrefixFinder | None) -> int:
        if prefix is None:
            return DEAD
        states = [
            (0, 0, True, match.at_end, match.group_start, match.group_end) if match else (0, 0, False, False, -1, -1)
            for match in prefix.taken
        ]
        return self._append(prefix.moves, states)

    def _append(self, moves: list[list[int]], states: list[tuple[int, int, bool, bool, int, int]]) -> int:
        """Append states, all but the dead one; return the offset of their start state."""
        base = len(self._old.valid_lengths) + len(self._states) - 1
        self._moves += [[(base + to) * COLUMNS if to else DEAD for to in row] for row in moves[1:]]
        self._states += states[1:]
        return (base + 1) * COLUMNS

    def done(self) -> Tables:
        old = self._old
        columns = list(zip(*self._states, strict=True)) or [()] * 6
        names = ("valid_lengths", "general", "taken", "taken_at_end", "group_start", "group_end")
        states = {
            name: np.concatenate((getattr(old, name), np.array(column, getattr(old, name).dtype)))
            for name, column in zip(names, columns, strict=True)
        }
        moves = np.concatenate((old.moves, np.array(self._moves, np.int64).reshape(-1)))
        grown = replace(old, moves=moves, lengths=self._lengths, rules=tuple(self._rules), **states, **self._entries)
        return replace(grown, hints=_hints(grown))


def _hints(tables: Tables) -> NDArray[np.uint8]:
    """Return, by region and first two digits, which prefixes are possible. Runs both prefix tables over all pairs."""
    pairs = np.arange(256)
    hints = np.zeros((len(REGIONS), 256), np.uint8)
    for bit, entries in ((DIALS_ABROAD, tables.abroad), (HAS_TRUNK, tables.trunk)):
        first = tables.moves[entries[:, None] + pairs // 16]
        second = tables.moves[first + pairs % 16]
        hints |= np.where((second != DEAD) | tables.taken[first // COLUMNS], bit, 0).astype(np.uint8)
    return hints


NOTHING = _blank()
_lock = threading.Lock()
_current = NOTHING


def tables_for(rows: Ints) -> Tables:
    """Return tables in which the regions of these rows (int64, may repeat) are ready; compile what is missing."""
    global _current  # noqa: PLW0603  (a cache for the process; tables only ever grow)
    if _current.compiled[rows].all():
        return _current
    with _lock:
        missing = np.unique(CODE[rows[_current.compiled[rows] == 0]])
        builder = _Builder(_current)
        for code in missing.tolist():
            builder.add(code)
        _current = builder.done()
        return _current
