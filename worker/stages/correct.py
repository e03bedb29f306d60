"""Correct rows of an upload under review (R33): find the cells that rules are about, and validate only what changed.

Rules are about rows that fail, as the review predicts it, so that no rule changes a row that is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.arrow_schemas import CORRECTED_CELLS
from schemas.codes import fault_bit
from schemas.column_mapping import value_key
from schemas.columns import Column
from schemas.corrections import LONGEST_BY_RULE, Correction, Rule
from worker.arrays.text_columns import replaced
from worker.spreadsheet.corrected_cells import corrected_table

Cells = Callable[[Column], pa.StringArray]


def corrections_of(  # noqa: PLR0913, PLR0917 - a correction, and everything that it is about
    correction: Correction,
    number: int,
    row: NDArray[np.int64],
    faults: NDArray[np.uint64],
    cells: Cells,
    originals: Cells,
) -> pa.Table:
    """Return what a correction changes in some rows (`schemas.arrow_schemas.CORRECTED_CELLS`, unsorted).

    `number`: the correction's number. `row`, `faults`: row numbers, ascending, and the faults that the review shows.
    `cells`: the current cells of one of our columns, one text per row; `originals`: those of the file. A cell that
    would not change has no entry, unless an earlier correction made it so, which may be taken back.
    """
    failed = np.flatnonzero(faults)
    current = _Current(cells, failed)
    parts = []
    for rule in correction.rules:
        index = matched(rule, faults[failed], current)
        if rule.leave_out:
            parts.append(_left_out(row[failed[index]], number))
        else:
            current.put(rule.column, index, _new_text(rule, current(rule.column).take(pa.array(index))))
    for column, (index, text) in current.changes().items():
        parts.append(corrected_table(row[failed[index]], column, number, text))
    for column, texts in _cells_by_column(correction, row).items():
        index = np.array(sorted(texts), np.int64)
        before = [each(column).take(pa.array(index)).to_pylist() for each in (cells, originals)]
        index = index[[{texts[place]} != {*both} for place, *both in zip(index.tolist(), *before, strict=True)]]
        text = pa.array([texts[place] for place in index.tolist()], pa.string())
        parts.append(corrected_table(row[index], column, number, text))
    out = np.array(sorted(set(correction.leave_out)), np.int64)
    parts.append(_left_out(row[np.isin(row, out)], number))
    return _last_of_each_cell(parts)


class _Current:
    """The current cells of the failed rows, column by column, while rules replace them."""

    def __init__(self, cells: Cells, failed: NDArray[np.int64]) -> None:
        self._cells, self._failed = cells, pa.array(failed)
        self._before: dict[Column, pa.StringArray] = {}
        self._now: dict[Column, pa.StringArray] = {}

    def __call__(self, column: Column) -> pa.StringArray:
        if column not in self._now:
            self._before[column] = self._now[column] = self._cells(column).take(self._failed)
        return self._now[column]

    def put(self, column: Column, index: NDArray[np.int64], text: pa.StringArray) -> None:
        self._now[column] = replaced(self(column), index, text)

    def changes(self) -> Mapping[Column, tuple[NDArray[np.int64], pa.StringArray]]:
        """Return the changed cells of each column: their indices among the failed rows, and their texts."""
        changed = {}
        for column, now in self._now.items():
            index = np.flatnonzero(pc.not_equal(self._before[column], now).to_numpy(zero_copy_only=False))
            if len(index):
                changed[column] = index, now.take(pa.array(index))
        return changed


def matched(rule: Rule, faults: NDArray[np.uint64], cells: Cells) -> NDArray[np.int64]:
    """Return the indices of the rows that a rule is about; `faults` and `cells` are those of rows that fail."""
    is_matched = np.ones(len(faults), np.bool_)
    if rule.fault is not None:
        is_matched &= faults & np.uint64(fault_bit(rule.fault.code, rule.fault.column)) != 0
    if rule.equals is not None or rule.replace is not None:
        index = np.flatnonzero(is_matched)
        texts = cells(rule.column).take(pa.array(index)).dictionary_encode()
        distinct = texts.dictionary.to_pylist()
        of_value = np.array([_is_meant(rule, text) for text in distinct] or [False])
        is_matched[index] = of_value[texts.indices.to_numpy(zero_copy_only=False)]
    return np.flatnonzero(is_matched)


def _is_meant(rule: Rule, text: str) -> bool:
    has_value = rule.equals is None or value_key(text) == value_key(rule.equals)
    return has_value and (rule.replace is None or _is_replaceable(text, *rule.replace))


def _is_replaceable(text: str, old: str, new: str) -> bool:
    """Return whether a text has `old` in it, and does not grow beyond `LONGEST_BY_RULE`.

    A few rules in a row could otherwise multiply one character until no memory is left.
    """
    count = text.count(old)
    growth = count * (len(new) - len(old))
    return count > 0 and (growth <= 0 or len(text) + growth <= LONGEST_BY_RULE)


def _new_text(rule: Rule, texts: pa.StringArray) -> pa.StringArray:
    if rule.replace is not None:
        return pc.replace_substring(texts, pattern=rule.replace[0], replacement=rule.replace[1])
    return pa.repeat(pa.scalar(rule.set or "", pa.string()), len(texts))


def _cells_by_column(correction: Correction, row: NDArray[np.int64]) -> dict[Column, dict[int, str]]:
    """Return the texts of the corrected cells: by column, then by the index of their row, if it is one of these."""
    numbers = np.array([cell.row for cell in correction.cells], np.int64)
    index = np.searchsorted(row, numbers)
    by_column: dict[Column, dict[int, str]] = {}
    for cell, place in zip(correction.cells, index.tolist(), strict=True):
        if place < len(row) and row[place] == cell.row:
            by_column.setdefault(cell.column, {})[place] = cell.value
    return by_column


def _left_out(row: NDArray[np.int64], number: int) -> pa.Table:
    return corrected_table(row, Column.NONE, number, pa.repeat(pa.scalar("", pa.string()), len(row)))


def _last_of_each_cell(parts: Iterable[pa.Table]) -> pa.Table:
    """Return the entries of all parts, of each cell only the last one."""
    joined = pa.concat_tables([CORRECTED_CELLS.empty_table(), *parts])
    row, column = (joined.column(name).to_numpy() for name in ("row", "column"))
    order = np.lexsort((np.arange(len(row)), column, row))
    row, column = row[order], column[order]
    is_last = np.r_[(row[1:] != row[:-1]) | (column[1:] != column[:-1]), True][: len(row)]
    return joined.take(pa.array(order[is_last]))


def spliced(base: pa.Table, index: NDArray[np.int64], changed: pa.Table) -> pa.Table:
    """Return a table with the rows at some indices replaced by those of another one, in their order."""
    source = np.arange(base.num_rows)
    source[index] = base.num_rows + np.arange(changed.num_rows)
    return pa.concat_tables([base, changed]).take(pa.array(source)).combine_chunks()
