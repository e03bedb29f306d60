"""Find the header row and the meaning of its cells (R10, R12, R31), by evidence: titles and remarks may come first.

Without a header row, columns in the order of the sample file are understood as well, and those that the uploader gives
by number. Does not correct names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from schemas.codes import Code
from schemas.column_mapping import NO_MAPPING, ColumnMapping
from schemas.columns import Column, Form, distinct, name_of, tentative
from worker.stages.reading import column_choice
from worker.stages.reading.column_choice import listed
from worker.stages.reading.headerless import columns_without_header, is_number
from worker.stages.reading.model import HEADER_WITHIN, NO_OPTIONS, Cells, FileFault, Limits, ReadOptions, Source, fault
from worker.stages.reading.text_files.formula_wrapped import unwrapped_cell
from worker.stages.reading.width import is_blank

# Faults after which the uploader can still say which column is which (R31).
_UNSETTLED = frozenset({Code.NO_HEADER, Code.MISSING_COLUMN, Code.DUPLICATE_COLUMN})


@dataclass(frozen=True)
class Header:
    """The header row: `width` cells wide. The columns in `kept` go on to the later stages.

    `row_number` is 0 if the file has no header row. `columns` are the kept cells as written. `mapping` has their
    indices in `columns` by meaning; `tentative` has the columns whose meaning depends on their values. `notes` are
    sentences for the uploader. `stated`: the mapping under which the columns were read.
    """

    row_number: int
    width: int
    kept: tuple[int, ...]
    columns: tuple[str, ...]
    mapping: Mapping[Column, int]
    ignored_columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    tentative: Mapping[int, Column] = field(default_factory=dict)
    stated: ColumnMapping = NO_MAPPING

    @cached_property
    def unique_names(self) -> list[str]:
        """One name per kept column; duplicate and empty names get a number."""
        return distinct(self.columns)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number of each kept column in the file, from 1."""
        return tuple(index + 1 for index in self.kept)


class UnsettledColumnsError(FileFault):
    """A table of which is not settled which column is which; `header` has what is certain (R31)."""

    def __init__(self, reason: FileFault, header: Header) -> None:
        super().__init__(reason.code, reason.detail, reason.context)
        self.header = header


Row = tuple[int, Cells]


def find_header(source: Source, limits: Limits, form: Form, hints: ReadOptions = NO_OPTIONS) -> Header:
    """Return the row that names the columns, or the one that `hints` give; `form` defines what its cells may mean.

    Raises `FileFault` EMPTY_FILE, BAD_ENCODING or TOO_MANY_COLUMNS, and `UnsettledColumnsError` NO_HEADER,
    MISSING_COLUMN or DUPLICATE_COLUMN.
    """
    filled = list(islice((row for row in top_rows(source) if not is_blank(row[1])), HEADER_WITHIN))
    if not filled:
        where = f"sheet “{source.sheet}”" if source.sheet else "file"
        fault(Code.EMPTY_FILE, f"The {where} is empty.", notes=list(source.notes))
    try:
        return _header_in(source, filled, limits, form, hints)
    except UnsettledColumnsError:
        raise
    except FileFault as reason:
        if reason.code not in _UNSETTLED:
            raise
        raise UnsettledColumnsError(reason, _nameless(filled, limits, hints.mapping)) from reason


def top_rows(source: Source) -> Iterator[Row]:
    """Yield row number and cells from the first row on, as far as a header is searched for."""
    return ((row_number, [unwrapped_cell(cell) for cell in cells]) for row_number, cells in source.top())


def _header_in(source: Source, filled: Sequence[Row], limits: Limits, form: Form, hints: ReadOptions) -> Header:
    stated = hints.mapping
    if hints.header_row == 0:
        return _without_header(filled, _columns_by_number(filled, form, stated), limits, form, stated)
    if hints.header_row is not None:
        return _header_at(source, _row_at(source, hints.header_row), limits, form, stated)
    best = max(filled, key=lambda row: _evidence(row[1], form, stated))  # the first, if several are equal
    if not column_choice.named_columns(best[1], form, stated):
        columns = _columns_by_number(filled, form, stated)
        if columns and (not stated or _has_number(filled[0][1], columns)):
            return _without_header(filled, columns, limits, form, stated)
    above = filled.index(best)
    note = f"The column names are in row {best[0]:,}; the rows above were ignored."
    return _header_at(source, best, limits, form, stated, (note,) if above else ())


def _row_at(source: Source, row_number: int) -> Row:
    row = next((row for row in top_rows(source) if row[0] == row_number), None)
    if row is None or is_blank(row[1]):
        fault(Code.NO_HEADER, f"Row {row_number:,} is empty, so it has no column names.", row=row_number)
    return row


def _evidence(cells: Cells, form: Form, stated: ColumnMapping) -> tuple[bool, int]:
    """Return whether a row names all required columns, and how many known columns it names."""
    known = column_choice.named_columns(cells, form, stated)
    given = {column for column, reference in stated.columns.items() if isinstance(reference, int)}
    return not column_choice.missing_columns(known | given, form, stated), len(known)


def _header_at(  # noqa: PLR0913, PLR0917 - the row, and everything that gives it a meaning
    source: Source, row: Row, limits: Limits, form: Form, stated: ColumnMapping, notes: tuple[str, ...] = ()
) -> Header:
    row_number, cells = row
    if any("\0" in cell for cell in cells):
        fault(Code.BAD_ENCODING, "The header row contains NUL characters.")
    last_named = max(index for index, cell in enumerate(cells, start=1) if cell.strip())
    # Trailing cells without a name count only if a row below has text there.
    width = last_named if last_named == len(cells) else max(last_named, min(len(cells), source.reach(row_number)))
    _check_width(width, limits)
    # Columns of the service's own reports: a corrected report that is uploaded gets new ones.
    kept = tuple(index for index in range(width) if not cells[index].lstrip().startswith("_"))
    columns = tuple(cells[index] for index in kept)
    numbers = tuple(index + 1 for index in kept)
    try:
        mapping, decided = column_choice.choose(columns, numbers, form, stated, row_number)
    except FileFault as reason:
        if reason.code is Code.NO_HEADER:
            raise
        certain = column_choice.understood(columns, numbers, form, stated)
        known = Header(row_number, width, kept, columns, certain, _ignored(columns, certain), notes, stated=stated)
        raise UnsettledColumnsError(reason, known) from reason
    unsettled = column_choice.tentative_columns(columns, form, mapping, stated)
    ignored = _ignored(columns, mapping)
    # The values of a tentative column decide its meaning, so no suggestion is made for it.
    unclear = [] if stated else [name for name in ignored if tentative(name, form) is None]
    notes = (*notes, *decided, *column_choice.suggestions(unclear, form, mapping))
    return Header(row_number, width, kept, columns, mapping, ignored, notes, unsettled, stated)


def _ignored(columns: Sequence[str], mapping: Mapping[Column, int]) -> tuple[str, ...]:
    unknown = (index for index in range(len(columns)) if index not in mapping.values())
    return tuple(columns[index] for index in unknown if columns[index].strip())


def _columns_by_number(filled: Sequence[Row], form: Form, stated: ColumnMapping) -> Mapping[Column, int]:
    """Return the columns of a table without names: as the uploader numbers them, else in the order of the sample."""
    if not stated:
        return columns_without_header([cells for _, cells in filled], form) or {}
    return {column: reference - 1 for column, reference in stated.columns.items() if isinstance(reference, int)}


def _has_number(cells: Cells, columns: Mapping[Column, int]) -> bool:
    """Return whether a row has a phone number where the uploader says they are: such a row names no columns."""
    index = columns.get(Column.PHONE_NUMBER, len(cells))
    return index < len(cells) and is_number(cells[index])


def _without_header(
    filled: Sequence[Row], mapping: Mapping[Column, int], limits: Limits, form: Form, stated: ColumnMapping
) -> Header:
    nameless = _nameless(filled, limits, stated)
    beyond = [column for column, index in mapping.items() if index >= nameless.width]
    missing = [*beyond, *column_choice.missing_columns(mapping, form, stated)]
    if missing:
        names = [name_of(column) for column in missing]
        detail = f"The file has no column names, so say in which of its columns these are: {listed(names)}."
        fault(Code.NO_HEADER, detail, missing=names)
    names_by_index = {index: name_of(column) for column, index in reversed(list(mapping.items()))}
    columns = tuple(names_by_index.get(index, "") for index in range(nameless.width))
    read_as = [name_of(column) for column in mapping]
    note = f"The file has no header row; its columns were read as {listed(read_as)}."
    return Header(0, nameless.width, nameless.kept, columns, mapping, (), (note,), stated=stated)


def _nameless(filled: Sequence[Row], limits: Limits, stated: ColumnMapping) -> Header:
    """Return the columns of a table without names, none of them understood."""
    width = max(len(cells) for _, cells in filled)
    _check_width(width, limits)
    return Header(0, width, tuple(range(width)), ("",) * width, {}, (), stated=stated)


def _check_width(width: int, limits: Limits) -> None:
    if width > limits.columns:
        detail = f"The file has {width:,} columns, more than {limits.columns:,}."
        fault(Code.TOO_MANY_COLUMNS, detail, found=width, limit=limits.columns)
