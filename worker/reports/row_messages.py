"""Report columns for each row: its result, the messages for its faults, its number. Works on whole columns at a time.

Every message begins with a fixed word or a quotation mark, never with a cell's value, so a spreadsheet program runs
none of them as a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.codes import BY_NUMBER, CATALOGUE, FAULTS, Code, Outcome, text_of, warning_bit, warnings_of
from schemas.columns import CORRECTIONS_COLUMN, REPORT_COLUMNS, Column, name_of
from worker.arrays.text_columns import spread, with_first
from worker.phone.explain import NO_CONTEXT, Context, Row, explain
from worker.spreadsheet.cell_sources import CellSources
from worker.spreadsheet.corrected_cells import CorrectedCells, RowCorrections


def _table(text: Callable[[int], str]) -> pa.StringArray:
    """Return a column of texts indexed by the code's number; index 0 is for rows that are not settled yet."""
    return pa.array(["", *(text(number) for number in range(1, max(BY_NUMBER) + 1))], pa.string())


_CODE = _table(lambda number: BY_NUMBER[number].value)
_OUTCOME = _table(lambda number: CATALOGUE[BY_NUMBER[number]].outcome or "")
_NO_COLUMN = _table(lambda _: "")
_MESSAGE = _table(lambda number: text_of(BY_NUMBER[number]).message)
_PREVIEW = _table(lambda number: text_of(BY_NUMBER[number], preview=True).message)
_FIX = _table(lambda number: text_of(BY_NUMBER[number]).fix)
# Not among `_warnings`: `_corrections` says it, and a corrected file has the same `_warnings` as one corrected by hand.
_CORRECTED = np.uint32(warning_bit(Code.CORRECTED))


@dataclass(frozen=True)
class Layout:
    """A file's columns: their names as in the file, and the index of each recognized column.

    `context`: how the numbers of an action were parsed. `preview`: the job is under review, so messages say what would
    happen to its rows. `constants` and `values` are those of the mapping (`schemas.column_mapping`). `corrections`: the
    cells that were corrected during the review, if any (R33).
    """

    names: tuple[str, ...]
    mapping: Mapping[Column, int]
    context: Context = NO_CONTEXT
    preview: bool = False
    constants: Mapping[Column, str] = field(default_factory=dict)
    values: Mapping[Column, Mapping[str, str]] = field(default_factory=dict)
    corrections: CorrectedCells | None = None

    @property
    def report_columns(self) -> tuple[str, ...]:
        """The columns that the report adds to the file's own."""
        return REPORT_COLUMNS if self.corrections is None else (*REPORT_COLUMNS, CORRECTIONS_COLUMN)

    def sources(self, rows: NDArray[np.int64]) -> CellSources:
        """Return where the cells of our columns come from, for rows with these ascending numbers."""
        corrections = RowCorrections() if self.corrections is None else self.corrections.at(rows)
        return CellSources(self.mapping, self.constants, self.values, corrections)

    @classmethod
    def from_json(cls, facts: Mapping[str, object]) -> Layout:
        """Return the layout in a job's file facts; without columns if the file was not read."""
        names, mapping = facts.get("columns", ()), facts.get("mapping", {})
        if not isinstance(names, list | tuple) or not isinstance(mapping, dict):
            return cls((), {})
        return cls(
            tuple(names),
            _by_column(mapping),
            _context_of(facts),
            constants=_by_column(facts.get("constants")),
            values=_by_column(facts.get("values")),
        )


def _by_column(raw: object) -> dict[Column, Any]:
    """Return a mapping from the names of our columns as one from the columns. Older jobs have none: empty."""
    return {Column[name]: value for name, value in raw.items()} if isinstance(raw, dict) else {}


def _context_of(facts: Mapping[str, object]) -> Context:
    """Return how numbers were parsed, from a job's file facts; those of an upload have no calling codes."""
    codes, country = facts.get("calling_codes"), facts.get("country_code")
    if not isinstance(codes, list | tuple):
        return NO_CONTEXT
    return Context(True, tuple(map(int, codes)), country if isinstance(country, str) else None)  # noqa: FBT003


def outcome_mask(results: pa.Table, outcomes: frozenset[Outcome]) -> NDArray[np.bool_]:
    """Return whether each row ended with one of the outcomes (bool, n)."""
    failed = results.column("faults").to_numpy() != 0
    is_selected = np.array([name in outcomes for name in _OUTCOME.to_pylist()])
    return np.where(failed, Outcome.FAILED in outcomes, is_selected[results.column("code").to_numpy()])


def findings(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> list[pa.Array]:
    """Return the columns of `Layout.report_columns`, in their order, for rows with these cells and results."""
    code, faults, warnings, e164, duplicate_of = (
        results.column(name).to_numpy() for name in ("code", "faults", "warnings", "e164", "duplicate_of")
    )
    failed = np.flatnonzero(faults)
    sources = layout.sources(results.column("row").to_numpy())
    words = _words(layout, sources, cells, faults, failed)
    numbers = pa.array(code)
    # The texts of failed rows follow the texts of the codes, so that one `take` writes them all.
    code_index = code.astype(np.int32)
    code_index[failed] = len(_CODE) + np.arange(len(failed))
    templates = _PREVIEW if layout.preview else _MESSAGE
    messages = [
        pa.concat_arrays([base, pa.array(text, pa.string())]).take(pa.array(code_index))
        for base, text in ((_NO_COLUMN, words.column), (templates, words.message), (_FIX, words.fix))
    ]
    messages[1] = _with_blocks(messages[1], results, preview=layout.preview)
    return [
        results.column("row").combine_chunks(),
        pc.if_else(pa.array(faults != 0), Outcome.FAILED.value, _OUTCOME.take(numbers)),
        _CODE.take(numbers),
        *messages,
        _unless_zero(e164, "+"),
        _warning_names(warnings & ~_CORRECTED),
        _unless_zero(duplicate_of),
        *([] if layout.corrections is None else [_corrections(sources, cells)]),
    ]


def _with_blocks(message: pa.StringArray, results: pa.Table, *, preview: bool) -> pa.StringArray:
    """Return the messages; a row that stands for a block of numbers (R12) also states how many of them were written."""
    numbers = results.column("numbers").to_numpy()
    rows = np.flatnonzero(numbers > 1)
    if not rows.size:
        return message
    first, written = (results.column(name).to_numpy()[rows].tolist() for name in ("e164", "written"))
    messages = [
        f"{text} {_block_words(begin, count, done, preview=preview)}".strip()
        for text, begin, count, done in zip(
            message.take(pa.array(rows)).to_pylist(), first, numbers[rows].tolist(), written, strict=True
        )
    ]
    return pc.replace_with_mask(message, pa.array(numbers > 1), pa.array(messages, pa.string()))


def _block_words(first: int, count: int, done: int, *, preview: bool) -> str:
    block = f"{count:,} numbers, +{first} to +{first + count - 1}"
    if preview:
        return f"{block}: {done:,} would be written." if done else f"{block}: none would be written."
    return f"{block}: {done:,} were written." if done else f"{block}: none was written."


@dataclass(frozen=True)
class _Words:
    """Report texts for the failed rows: arrays of `str`, one entry per failed row."""

    column: NDArray[np.object_]
    message: NDArray[np.object_]
    fix: NDArray[np.object_]


def corrections_at(sources: CellSources, cells: pa.RecordBatch) -> dict[int, list[tuple[str, str, str]]]:
    """Return the corrected cells by row index: our column's name, the text in the file, the text that replaced it."""
    found: dict[int, list[tuple[str, str, str]]] = {}
    for column, corrected in sorted(sources.corrections.columns.items()):
        before = sources.original(column, cells).take(pa.array(corrected.index)).to_pylist()
        for index, was, now in zip(corrected.index.tolist(), before, corrected.text.to_pylist(), strict=True):
            if was != now:  # a later correction has restored it
                found.setdefault(index, []).append((name_of(column), was, now))
    return found


def _corrections(sources: CellSources, cells: pa.RecordBatch) -> pa.StringArray:
    """Return what was replaced by what in each row; begins with a column's name. Empty for the others."""
    corrected = corrections_at(sources, cells)
    is_set = np.zeros(cells.num_rows, np.bool_)
    is_set[list(corrected)] = True
    texts = [
        "; ".join(f"{column}: “{was}” → “{now}”" for column, was, now in corrected[index])
        for index in sorted(corrected)
    ]
    return spread(pa.array(texts, pa.string()), is_set)


def _words(
    layout: Layout,
    sources: CellSources,
    cells: pa.RecordBatch,
    faults: NDArray[np.uint64],
    failed: NDArray[np.int64],
) -> _Words:
    """Return the texts for every fault of every failed row, in the order of `FAULTS`: the most informative first.

    Renders once per kind of fault, not per row.
    """
    words = _Words(*(np.full(len(failed), "", object) for _ in range(3)))
    for bit, fault in enumerate(FAULTS):
        rows_at_fault = np.flatnonzero(faults[failed].astype(np.uint64) >> np.uint64(bit) & 1)
        if not len(rows_at_fault):
            continue
        text = text_of(fault.code, fault.column, preview=layout.preview)
        given = sources.untranslated(fault.column, cells)
        if fault.code is Code.ROW_TOO_WIDE and cells.num_columns > len(layout.names):
            given = cells.column(len(layout.names))  # cells beyond the last column are in one more column
        values = given.take(pa.array(failed[rows_at_fault])).to_pylist()
        rows = _number_cells(sources, cells, failed[rows_at_fault]) if fault.column is Column.PHONE_NUMBER else []
        texts = explain(fault, rows, layout.context) if rows else [None] * len(rows_at_fault)
        filled = [(own or text).with_value(value) for own, value in zip(texts, values, strict=True)]
        first = words.message[rows_at_fault] == ""
        words.column[rows_at_fault[first]] = name_of(fault.column)
        _append(words.message, rows_at_fault, [each.message for each in filled])
        _append(words.fix, rows_at_fault, [each.fix for each in filled])
    return words


def _number_cells(sources: CellSources, cells: pa.RecordBatch, rows: NDArray[np.int64]) -> list[Row]:
    """Return the Country Code and Phone Number of these rows, as they were validated."""
    given = (sources.cells(column, cells) for column in (Column.COUNTRY_CODE, Column.PHONE_NUMBER))
    columns = [column.take(pa.array(rows)).to_pylist() for column in given]
    return [Row(*row) for row in zip(*columns, strict=True)]


def _append(words: NDArray[np.object_], rows: NDArray[np.int64], more: list[str]) -> None:
    words[rows] = [f"{message} {text}".strip() for message, text in zip(words[rows], more, strict=True)]


def _unless_zero(values: NDArray[np.int64], prefix: str = "") -> pa.StringArray:
    """Return numbers as text, each after `prefix` (one ASCII character or none); 0 becomes an empty text."""
    is_set = values != 0
    texts = pc.cast(pa.array(values[is_set]), pa.string())
    if prefix:
        texts = with_first(texts, np.ones(len(texts), np.bool_), ord(prefix))
    return spread(texts, is_set)


def _warning_names(bits: NDArray[np.uint32]) -> pa.StringArray:
    """Return the names of each row's warnings, separated by spaces. Formats each combination once."""
    which = pa.array(bits).dictionary_encode()
    names = [" ".join(code.value for code in warnings_of(value)) for value in which.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(which.indices)
