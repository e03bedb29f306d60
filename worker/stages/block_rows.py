"""Read rows that stand for a block of numbers (R12, R14e): End Number, Block Size, or `212 555 0100-0199` in a cell.

Every number of a block is validated like a number in a row of its own. A cell that is one number as written is no
block; one that is valid both ways is ambiguous. Rows are processed together, not one by one: a file may hold only
blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import Code, fault_bit, warning_bit
from schemas.columns import Column
from worker import phone
from worker.phone import AMBIGUOUS, Evidence, PhoneColumn, Rules, region
from worker.stages.block_candidates import may_be_blocks
from worker.stages.block_text import DASH, LOOKS_LIKE, BlockText, Widths, read_block
from worker.stages.number_ranges import Spans
from worker.stages.reading.model import fault

_IN_END, _IN_NUMBER, _IN_SIZE = (
    np.uint64(fault_bit(Code.INVALID_RANGE, column))
    for column in (Column.END_NUMBER, Column.PHONE_NUMBER, Column.BLOCK_SIZE)
)
_AMBIGUOUS = np.uint64(fault_bit(Code.AMBIGUOUS_NUMBER, Column.PHONE_NUMBER))
_PLUS_RESTORED = np.uint32(warning_bit(Code.PLUS_RESTORED))
_ALSO_INTERNATIONAL = np.uint8(Evidence.ALSO_INTERNATIONAL)
_JUDGED_AT_ONCE = 1 << 17  # numbers validated per call
_ANY_NUMBER = Rules(accept_possible=True, zero_tolerated=True)
_END = re.compile(rf"[\s(]*\+?(?:[\d\s().]|{DASH})*\d[\s)]*", re.ASCII)
_SIZE = re.compile(r"\s*(\d{1,9})\s*", re.ASCII)


@dataclass(frozen=True)
class Cells:
    """The repaired cells of n rows, as texts without nulls.

    `column`: the result of validating the Phone Number alone.
    """

    country: pa.StringArray
    number: pa.StringArray
    end: pa.StringArray
    size: pa.StringArray
    column: PhoneColumn


@dataclass(frozen=True)
class BlockLimits:
    """Limits on counts of numbers (R12): `largest` for one row, `together` for all blocks of a file."""

    largest: int = 10_000
    together: int = 10_000_000

    def check(self, numbers: int) -> None:
        """Raise `FileFault` TOO_MANY_ROWS if the blocks of a file have more numbers than the limit."""
        if numbers > self.together:
            detail = f"The blocks of the file have {numbers:,} numbers together, more than {self.together:,}."
            fault(Code.TOO_MANY_ROWS, detail, limit=self.together)


USUAL_LIMITS = BlockLimits()


@dataclass(frozen=True)
class Blocks:
    """n rows: the first number of each (`column.e164`) and its count of numbers (int64, 1 for most)."""

    column: PhoneColumn
    numbers: np.ndarray


def read_blocks(cells: Cells, rules: Rules, limits: BlockLimits) -> Blocks:
    """Find the blocks among rows, and update `cells.column`.

    A row above the limit of one row gets a fault. Raises `FileFault` TOO_MANY_ROWS, before any number is validated, if
    the blocks exceed the limit of a file.
    """
    blocks = Blocks(cells.column, np.ones(len(cells.number), np.int64))
    reader = _BlockReader(cells, blocks, rules, limits.largest)
    reader.read_cells()
    reader.read_ends()
    reader.read_sizes()
    sound = np.flatnonzero((blocks.numbers > 1) & (blocks.column.faults == 0))
    limits.check(Spans.of(blocks.column.e164[sound], blocks.numbers[sound]).numbers)
    _judge_all(blocks, rules, with_end=_filled(cells.end))
    failed = blocks.column.faults != 0
    for values in (blocks.column.e164, blocks.column.warnings):
        values[failed] = 0
    blocks.column.evidence[failed & (blocks.column.evidence & AMBIGUOUS != 0)] = 0
    blocks.numbers[failed] = 1
    return blocks


def _filled(column: pa.StringArray) -> np.ndarray:
    return np.flatnonzero(pc.not_equal(column, "").to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class _End:
    """The end of a row's block as written.

    `has_last_digits`: whether `text` holds only the last digits of the last number; if None, its length decides.
    """

    row: int
    first: int
    text: str
    has_last_digits: bool | None

    @property
    def is_short(self) -> bool:
        """Return whether only the last digits are written."""
        if self.has_last_digits is None:
            return len(self._digits) < self._national and not self.text.startswith("+")
        return self.has_last_digits

    def with_last_digits(self) -> int:
        """Return the first number with its last digits replaced by these.

        Returns 0 unless they are fewer than a national number has.
        """
        digits = self._digits
        return int(str(self.first)[: -len(digits)] + digits) if 0 < len(digits) < self._national else 0

    @property
    def _digits(self) -> str:
        return re.sub(r"\D", "", self.text)

    @property
    def _national(self) -> int:
        return len(str(self.first)) - len(str(region.calling_code_of(self.first)))


def _end_of(row: int, text: BlockText, first: PhoneColumn) -> _End:
    return _End(row, int(first.e164[0]), text.last, text.widths is Widths.ENDING)


@dataclass(frozen=True)
class _BlockReader:
    """Reads the blocks of a batch of rows."""

    cells: Cells
    found: Blocks
    rules: Rules
    largest: int

    def read_cells(self) -> None:
        """Read blocks written in the Phone Number cell.

        A cell that is not a valid number is a block if its first number is valid. A cell that is a valid number may be
        ambiguous (R14e).
        """
        column = self.found.column
        failed, sound = np.flatnonzero(column.faults), np.flatnonzero(column.e164)
        looks = pc.match_substring_regex(self.cells.number.take(pa.array(failed)), LOOKS_LIKE)
        self._read_texts(failed[looks.to_numpy(zero_copy_only=False)])
        # If all numbers of a country have the same length, a valid number cannot also be a block.
        sound = sound[region.may_be_cut_short(column.e164[sound])]
        plain = phone.plain_punctuation(self.cells.number.take(pa.array(sound)))
        sound = sound[pc.match_substring(plain, "-").to_numpy(zero_copy_only=False)]
        rows = sound[may_be_blocks(self.cells.number.take(pa.array(sound)))] if sound.size else sound
        if rows.size:
            self._refuse_ambiguous(rows)

    def _first_numbers(self, blocks: list[tuple[int, BlockText]]) -> Iterator[tuple[int, BlockText, PhoneColumn]]:
        """Yield the rows that begin with a valid number, with that number."""
        if not blocks:
            return
        places = pa.array([row for row, _ in blocks])
        firsts = pa.array([text.first for _, text in blocks], pa.string())
        judged = phone.check_column(self.cells.country.take(places), firsts, self.rules)
        for index, (row, text) in enumerate(blocks):
            if judged.faults[index] == 0:
                yield row, text, judged.part(slice(index, index + 1))

    def _texts(self, rows: np.ndarray) -> Iterator[tuple[int, BlockText]]:
        """Yield the rows whose text has the form of a block."""
        for row, cell in zip(rows.tolist(), self.cells.number.take(pa.array(rows)).to_pylist(), strict=True):
            text = read_block(cell)
            if text is not None:
                yield row, text

    def _read_texts(self, rows: np.ndarray) -> None:
        column, blocks = self.found.column, list[tuple[int, BlockText]]()
        for row, text in self._texts(rows):
            # With a word or two dashes in between, it is a block whatever its first number is.
            if text.widths is Widths.SHORTER_FIRST and (text.is_mixed or not text.by_dash):
                column.faults[row] = _IN_NUMBER
            else:
                blocks.append((row, text))
        ends = list[_End]()
        for row, text, first in self._first_numbers(blocks):
            column.put(np.array([row]), first)
            if text.widths is Widths.SHORTER_FIRST:
                column.faults[row] = _IN_NUMBER
            else:
                ends.append(_end_of(row, text, first))
        self._stretch(ends, _IN_NUMBER)

    def _refuse_ambiguous(self, rows: np.ndarray) -> None:
        """Refuse cells that are valid both as one number and as a block with endings of equal width (R14e)."""
        faults, blocks = self.found.column.faults, list[tuple[int, BlockText]]()
        for row, text in self._texts(rows):
            if text.is_mixed:
                faults[row] |= _IN_NUMBER if text.widths is Widths.SHORTER_FIRST else _AMBIGUOUS
            elif text.may_be_block:
                blocks.append((row, text))
        ends = list[_End]()
        for row, text, first in self._first_numbers(blocks):
            if text.widths is Widths.SHORTER_FIRST:
                faults[row] |= _IN_NUMBER
            else:
                ends.append(_end_of(row, text, first))
        both = [(end.row, last) for end, last in self._lasts(ends) if 0 < last - end.first < self.largest]
        if both:
            places, lasts = np.array(both).T
            faults[places[_all_valid(lasts, np.ones(len(lasts), np.int64), self.rules)]] |= _AMBIGUOUS

    def read_ends(self) -> None:
        """Read the End Number: a whole number, or the last digits."""
        faults, numbers = self.found.column.faults, self.found.numbers
        rows = _filled(self.cells.end)
        rows = rows[faults[rows] == 0]
        faults[rows[numbers[rows] > 1]] |= _IN_END  # two ends
        rows = rows[numbers[rows] == 1]
        texts = self.cells.end.take(pa.array(rows)).to_pylist()
        firsts = self.found.column.e164[rows].tolist()
        self._stretch([_End(*end, None) for end in zip(rows.tolist(), firsts, texts, strict=True)], _IN_END)

    def read_sizes(self) -> None:
        """Read the Block Size: the count of numbers of the row, which must match its end if it has one."""
        faults, numbers = self.found.column.faults, self.found.numbers
        for row in _filled(self.cells.size).tolist():
            if faults[row] != 0:
                continue
            match = _SIZE.fullmatch(self.cells.size[row].as_py())
            size = int(match[1]) if match else 0
            has_end = numbers[row] > 1 or self.cells.end[row].as_py() != ""
            if not 0 < size <= self.largest or (has_end and size != numbers[row]):
                faults[row] |= _IN_SIZE
            else:
                numbers[row] = size

    def _stretch(self, ends: Sequence[_End], bit: np.uint64) -> None:
        """Extend the rows' blocks to these ends; set the fault `bit` where that is not possible."""
        least = 1 if bit == _IN_NUMBER else 0  # an end in a cell of its own may equal the number
        for end, last in self._lasts(ends):
            if len(str(last)) != len(str(end.first)) or not least <= last - end.first < self.largest:
                self.found.column.faults[end.row] |= bit
            else:
                self.found.numbers[end.row] = last - end.first + 1

    def _lasts(self, ends: Sequence[_End]) -> Iterator[tuple[_End, int]]:
        """Yield each end with its last number, or 0 if the text is not a number.

        Validates all of them in one call, because every row may be a block.
        """
        whole = [end for end in ends if not end.is_short]
        if whole:
            countries = self.cells.country.take(pa.array([end.row for end in whole]))
            judged = phone.check_column(countries, pa.array([end.text for end in whole], pa.string()), _ANY_NUMBER)
            numbers = iter(judged.e164.tolist())
        for end in ends:
            last = end.with_last_digits() if end.is_short else next(numbers)
            yield end, last if _END.fullmatch(end.text) else 0


def _judge_all(blocks: Blocks, rules: Rules, *, with_end: np.ndarray) -> None:
    """Validate every number of each block (R15); a block with an invalid number gets a fault.

    The other reading (`alternative`) counts only if all of its numbers are valid.
    """
    column = blocks.column
    rows = np.flatnonzero((blocks.numbers > 1) & (column.faults == 0))
    if not rows.size:
        return
    holds = _all_valid(column.e164[rows], blocks.numbers[rows], rules)
    also = np.flatnonzero(column.evidence[rows] & _ALSO_INTERNATIONAL)
    other = np.zeros(len(rows), np.bool_)
    other[also] = _all_valid(column.alternative[rows[also]], blocks.numbers[rows[also]], rules)
    column.evidence[rows[~(holds & other)]] &= ~_ALSO_INTERNATIONAL
    only_other = rows[other & ~holds]
    column.e164[only_other] = column.alternative[only_other]
    column.warnings[only_other] |= _PLUS_RESTORED
    failed = rows[~(holds | other)]
    column.faults[failed] |= np.where(np.isin(failed, with_end), _IN_END, _IN_NUMBER)


def _all_valid(first: np.ndarray, numbers: np.ndarray, rules: Rules) -> np.ndarray:
    """Return whether all numbers of each block are valid.

    Numbers that several blocks share are validated once, `_JUDGED_AT_ONCE` at a time.
    """
    spans, invalid = Spans.of(first, numbers), list[np.ndarray]()
    for e164 in spans.batches(_JUDGED_AT_ONCE):
        text = pc.binary_join_element_wise("+", pc.cast(pa.array(e164), pa.string()), "")
        judged = phone.check_column(region.calling_codes_of(e164), text, rules)
        invalid.append(e164[judged.faults != 0])
    refused = np.concatenate(invalid) if invalid else first[:0]
    is_valid: np.ndarray = np.searchsorted(refused, first) == np.searchsorted(refused, first + numbers)
    return is_valid
