"""Decide the meaning of columns such as “To” or “Quantity” from all of their values in the file (R14e).

Such a column is the end, or the size, of blocks only if each of its values fits a block that begins with the row's
Phone Number, and no block overlaps another block or a number that has a row of its own. Otherwise the column is
ignored, with a note that says why: in a block that was not intended, every number would be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.columns import Column, name_of
from worker.spreadsheet import cell_repair
from worker.stages.reading.model import RowBatch

MOST_CANDIDATES = 4  # each costs four bytes per row
LONGEST_SHOWN = 60
_PUNCTUATION = r"[\s+().\-/]"
_DIGITS = r"^[0-9]{1,18}$"  # that int64 can hold
_WHY = {
    Column.END_NUMBER: "can't be the end of a block that starts at the Phone Number",
    Column.BLOCK_SIZE: "can't be the size of a block",
}


@dataclass(frozen=True)
class _Digits:
    """n cells reduced to their digits: `value` int64, `size` the count of digits (0: no number).

    `plain`: the cell has only digits; `empty`: the cell is empty.
    """

    value: NDArray[np.int64]
    size: NDArray[np.int64]
    plain: NDArray[np.bool_]
    empty: NDArray[np.bool_]


@dataclass
class _Candidate:
    index: int
    name: str
    column: Column
    numbers: list[NDArray[np.int32]] = field(default_factory=list)  # per batch, the count of numbers from Phone Number
    misfit: str = ""

    @property
    def makes_blocks(self) -> bool:
        return not self.misfit and any((part > 1).any() for part in self.numbers)

    def all_numbers(self) -> NDArray[np.int32]:
        return np.concatenate(self.numbers)

    def refuse(self, why: str) -> None:
        self.misfit = f"“{self.name}” was not read as {name_of(self.column)}: {why}"
        self.numbers.clear()


class Tentative:
    """Observes the rows of a file as they are read, then decides the meaning of its tentative columns.

    `candidates`: column index -> the meaning that the column may have. `largest`: the most numbers that one row may
    stand for.
    """

    def __init__(
        self,
        names: Sequence[str],
        mapping: Mapping[Column, int],
        candidates: Mapping[int, Column],
        largest: int,
    ) -> None:
        few = islice(candidates.items(), MOST_CANDIDATES)
        self._candidates = [_Candidate(index, names[index][:LONGEST_SHOWN], column) for index, column in few]
        self._mapping = mapping
        self._largest = largest
        # Per batch: row number, country (a hash) and first number of each row, -1 if the cell has no number.
        self._rows: list[tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]] = []

    def add(self, batch: RowBatch) -> None:
        """Judge the next rows. Costs nothing once no candidate is left."""
        left = [candidate for candidate in self._candidates if not candidate.misfit]
        if not left:
            self._rows.clear()
            return
        first = _digits(batch.cells.column(self._mapping[Column.PHONE_NUMBER]))
        for candidate in left:
            self._judge(candidate, batch, first)
        country = self._mapping.get(Column.COUNTRY_CODE)
        countries = np.zeros(len(first.value), np.int64) if country is None else _hashes(batch.cells.column(country))
        start = np.where(first.size > 0, first.value, -1)
        self._rows.append((batch.row_number.astype(np.uint32), countries, start))

    def meanings(self) -> dict[Column, int]:
        """Return the column that fits every row, with its index: at most one."""
        able = [candidate for candidate in self._candidates if candidate.makes_blocks]
        for candidate in able:
            self._refuse_overlaps(candidate)
        able = [candidate for candidate in able if not candidate.misfit]
        first = able[0].all_numbers() if able else None
        for other in able[1:]:
            differing = np.flatnonzero(other.all_numbers() != first)
            if differing.size:
                row = self._row_numbers()[differing[0]]
                for candidate in able:
                    candidate.refuse(f"“{able[0].name}” and “{other.name}” do not agree in row {row:,}.")
                return {}
        return {able[0].column: able[0].index} if able else {}

    def notes(self, meanings: Mapping[Column, int]) -> Iterator[str]:
        """Yield the decisions as sentences for the uploader."""
        for candidate in self._candidates:
            if candidate.misfit:
                yield candidate.misfit
            elif candidate.index in meanings.values():
                numbers = candidate.all_numbers()
                blocks = numbers > 1
                rows, total = int(blocks.sum()), int(numbers[blocks].sum())
                subject = "1 row stands" if rows == 1 else f"{rows:,} rows stand"
                yield f"“{candidate.name}” was read as {name_of(candidate.column)}: {subject} for {total:,} numbers."

    def _judge(self, candidate: _Candidate, batch: RowBatch, first: _Digits) -> None:
        column = batch.cells.column(candidate.index)
        value = _digits(column)
        numbers = value.value if candidate.column is Column.BLOCK_SIZE else _numbers_until(first, value)
        fits = (value.size > 0) & (numbers >= 1) & (numbers <= self._largest)
        if candidate.column is Column.BLOCK_SIZE:
            fits &= value.plain
        else:
            # If the Phone Number is not a number, the row fails whatever its end is.
            fits &= (value.size == first.size) | value.plain & (value.size < first.size)
            fits |= (value.size > 0) & (first.size == 0)
        wrong = np.flatnonzero(~fits & ~value.empty)
        if wrong.size:
            row, text = batch.row_number[wrong[0]], column[int(wrong[0])].as_py()[:LONGEST_SHOWN]
            candidate.refuse(f"“{text}” in row {row:,} {_WHY[candidate.column]}.")
            return
        counted = ~value.empty & (first.size > 0)
        candidate.numbers.append(np.where(counted, numbers, 1).astype(np.int32))

    def _refuse_overlaps(self, candidate: _Candidate) -> None:
        row_number = self._row_numbers()
        countries, start = (np.concatenate([part[field_index] for part in self._rows]) for field_index in (1, 2))
        last = start + candidate.all_numbers() - 1
        order = np.lexsort((last, start, countries))
        order = order[start[order] >= 0]
        country, begin, end = countries[order], start[order], last[order]
        same = country[1:] == country[:-1]
        # Two rows with the same block are duplicates (R16), not overlaps.
        twice = (begin[1:] == begin[:-1]) & (end[1:] == end[:-1])
        overlapping = np.flatnonzero(same & ~twice & (begin[1:] <= end[:-1]))
        if overlapping.size:
            first_row, second_row = sorted(row_number[order[overlapping[0] + np.arange(2)]].tolist())
            candidate.refuse(f"the blocks of rows {first_row:,} and {second_row:,} would overlap.")

    def _row_numbers(self) -> NDArray[np.uint32]:
        return np.concatenate([part[0] for part in self._rows])


def _numbers_until(first: _Digits, last: _Digits) -> NDArray[np.int64]:
    """Return the count of numbers from `first` to `last`; a shorter `last` has only the last digits."""
    stem = np.where(last.size < first.size, 10 ** np.minimum(last.size, 18), 10**18)
    numbers: NDArray[np.int64] = first.value - first.value % stem + last.value - first.value + 1
    return numbers


def _digits(column: pa.StringArray) -> _Digits:
    text = cell_repair.repair_phone(column).text
    digits = pc.replace_substring_regex(text, _PUNCTUATION, "")
    valid = pc.match_substring_regex(digits, _DIGITS)
    number_text = pc.if_else(valid, digits, "0")
    plain = pc.equal(digits, text).to_numpy(zero_copy_only=False)
    size = np.where(valid.to_numpy(zero_copy_only=False), pc.binary_length(number_text).to_numpy(), 0).astype(np.int64)
    empty = pc.equal(text, "").to_numpy(zero_copy_only=False)
    return _Digits(pc.cast(number_text, pa.int64()).to_numpy(), size, plain, empty)


def _hashes(column: pa.StringArray) -> NDArray[np.int64]:
    """Return an integer for each distinct country cell; the values are equal only within this process."""
    encoded = pc.dictionary_encode(column)
    distinct_hashes = np.array(
        [hash(text.strip().casefold()) for text in encoded.dictionary.to_pylist()] or [0], np.int64
    )
    hashes: NDArray[np.int64] = distinct_hashes[encoded.indices.to_numpy()]
    return hashes
