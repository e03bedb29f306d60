"""Rows that stand for a whole block of numbers (R12): `End Number`, or `212 555 0100-0199` in one cell.

A cell is a range only where it is no number as written (R14). Every number of a block is judged like one that has a row
of its own. Such rows are few, so they are read one by one.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import phone
from schemas.codes import Code, fault_bit
from schemas.columns import Column
from schemas.phone import region

_BETWEEN = r"\s*(?:[-\x{2010}-\x{2015}\x{2212}~]|\.\.+|\x{2026}|\b(?:to|bis|a|al|au|tot)\b)\s*"
_IN_CELL = re.compile(
    r"(?P<first>.*\d\)?)" + re.sub(r"\\x\{(\w+)\}", r"\\u\1", _BETWEEN) + r"(?P<last>\+?\d[\d\s().]*\d)", re.IGNORECASE
)
_LOOKS_LIKE = rf"(?i)^.*\d\)?{_BETWEEN}\+?\d[\d\s().]*\d$"
_IN_END, _IN_NUMBER = (
    np.uint64(fault_bit(Code.INVALID_RANGE, column)) for column in (Column.END_NUMBER, Column.PHONE_NUMBER)
)


@dataclass(frozen=True)
class Cells:
    """The cells of n rows, repaired: text without nulls; and how the Phone Number alone was judged."""

    country: pa.StringArray
    number: pa.StringArray
    end: pa.StringArray
    e164: np.ndarray
    faults: np.ndarray


@dataclass(frozen=True)
class Blocks:
    """n rows: the first number (int64), how many there are from it on (int64, 1 for most), and the faults (uint64)."""

    e164: np.ndarray
    numbers: np.ndarray
    faults: np.ndarray


def read_blocks(cells: Cells, *, accept_possible: bool, largest: int) -> Blocks:
    """Find the blocks among rows; rows that are none stay as they were judged. At most `largest` numbers each."""
    found = Blocks(cells.e164.copy(), np.ones(len(cells.e164), np.int64), cells.faults.copy())
    _take_apart(cells, found, accept_possible=accept_possible, largest=largest)
    ends = np.flatnonzero(pc.not_equal(cells.end, "").to_numpy(zero_copy_only=False))
    for row in ends[found.faults[ends] == 0]:
        if found.numbers[row] > 1:
            found.faults[row] |= _IN_END  # two ends, and nobody knows which is meant
        else:
            _stretch(found, row, cells.country[row].as_py(), cells.end[row].as_py(), largest, _IN_END)
    _judge_all(found, accept_possible=accept_possible, with_end=set(ends.tolist()))
    found.e164[found.faults != 0] = 0
    found.numbers[found.faults != 0] = 1
    return found


def _take_apart(cells: Cells, found: Blocks, *, accept_possible: bool, largest: int) -> None:
    """Ranges written into one cell: those whose first half is a number, which the whole is not."""
    candidates = np.flatnonzero(cells.faults != 0)
    if not candidates.size:
        return
    looks = pc.match_substring_regex(cells.number.take(pa.array(candidates)), _LOOKS_LIKE)
    halves = []
    for row in candidates[looks.to_numpy(zero_copy_only=False)]:
        match = _IN_CELL.fullmatch(cells.number[row].as_py().strip())
        if match is not None:
            halves.append((int(row), match["first"], match["last"]))
    if not halves:
        return
    rows = np.array([row for row, _, _ in halves])
    firsts = pa.array([first for _, first, _ in halves], pa.string())
    judged = phone.check_column(cells.country.take(pa.array(rows)), firsts, accept_possible=accept_possible)
    for place, (row, _, last) in enumerate(halves):
        if judged.faults[place] == 0:
            found.e164[row], found.faults[row] = judged.e164[place], 0
            _stretch(found, row, cells.country[row].as_py(), last, largest, _IN_NUMBER)


def _stretch(  # noqa: PLR0913, PLR0917 - a row, its two cells, and what to say of it
    found: Blocks, row: int, country: str, last: str, largest: int, fault: np.uint64
) -> None:
    """Have a row's block end with `last`: a whole number, or so many of its last digits."""
    first = int(found.e164[row])
    end = _end_of(first, country, last)
    if end is None or len(str(end)) != len(str(first)) or not 0 <= end - first < largest:
        found.faults[row] |= fault
    else:
        found.numbers[row] = end - first + 1


def _end_of(first: int, country: str, last: str) -> int | None:
    digits = re.sub(r"\D", "", last)
    national = len(str(first)) - len(region.calling_codes_of(np.array([first]))[0].as_py())
    if digits.isascii() and 1 < len(digits) < national and not last.startswith("+"):
        return int(str(first)[: -len(digits)] + digits)
    judged = phone.check_column(pa.array([country]), pa.array([last]), accept_possible=True)
    return int(judged.e164[0]) if judged.faults[0] == 0 else None


def _judge_all(found: Blocks, *, accept_possible: bool, with_end: set[int]) -> None:
    """R15: a block in which any number is not valid is none."""
    rows = np.flatnonzero((found.numbers > 1) & (found.faults == 0))
    if not rows.size:
        return
    numbers = expanded(found.e164[rows], found.numbers[rows])
    text = pc.binary_join_element_wise("+", pc.cast(pa.array(numbers), pa.string()), "")
    judged = phone.check_column(region.calling_codes_of(numbers), text, accept_possible=accept_possible)
    owner = np.repeat(rows, found.numbers[rows])
    for row in np.unique(owner[judged.faults != 0]).tolist():
        found.faults[row] |= _IN_END if row in with_end else _IN_NUMBER


def repeated(rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Each row as often as it stands for numbers."""
    return rows if (numbers == 1).all() else np.repeat(rows, numbers)  # blocks are rare


def expanded(first: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Every number of some blocks (int64), block by block."""
    if (numbers == 1).all():
        return first
    before = np.concatenate([[0], np.cumsum(numbers)[:-1]]) if len(numbers) else numbers
    return np.repeat(first - before, numbers) + np.arange(int(numbers.sum()))


def cuts(sizes: np.ndarray, most: int) -> Iterator[slice]:
    """Slices of some rows that stand for so many numbers each, of about `most` numbers together; no row is split."""
    if not len(sizes):
        return
    before = np.cumsum(sizes) - sizes
    starts = np.unique(np.searchsorted(before, np.arange(0, int(before[-1]) + 1, most)))
    for start, end in zip(starts, [*starts[1:], len(sizes)], strict=True):
        yield slice(int(start), int(end))


@dataclass(frozen=True)
class Overlaps:
    """Rows (places, int64) whose block shares numbers with that of an earlier row, and those earlier rows."""

    later: np.ndarray
    earlier: np.ndarray


def overlapping(e164: np.ndarray, numbers: np.ndarray, sound: np.ndarray) -> Overlaps:
    """Blocks that overlap, in file order: the first sound row keeps its numbers (R16).

    Rows of the very same number or block are duplicates and none of these. A row that is refused here takes no part, so
    what overlaps with it alone stays.
    """
    later, earlier = list[int](), list[int]()
    if not ((numbers > 1) & sound).any():
        return Overlaps(np.array(later, np.int64), np.array(earlier, np.int64))
    # Rows that keep their numbers, which are disjoint: where they begin, ascending, and where they end.
    begins, ends = list[int](), dict[int, tuple[int, int]]()
    for place in _near_blocks(e164, numbers, sound).tolist():
        first, last = int(e164[place]), int(e164[place] + numbers[place] - 1)
        at = bisect_right(begins, last) - 1
        end, owner = ends[begins[at]] if at >= 0 else (-1, 0)
        if end < first:
            insort(begins, first)
            ends[first] = (last, place)
        elif (begins[at], end) != (first, last):
            later.append(place)
            earlier.append(owner)
    return Overlaps(np.array(later, np.int64), np.array(earlier, np.int64))


def _near_blocks(e164: np.ndarray, numbers: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """The places, in file order, of sound rows that are blocks, or single numbers inside one."""
    blocks = np.flatnonzero(sound & (numbers > 1))
    order = blocks[np.argsort(e164[blocks])]
    reach = np.maximum.accumulate(e164[order] + numbers[order])
    at = np.searchsorted(e164[order], e164, side="right") - 1
    inside = sound & (at >= 0) & (e164 < reach[np.maximum(at, 0)])
    found: np.ndarray = np.flatnonzero(inside)
    return found
