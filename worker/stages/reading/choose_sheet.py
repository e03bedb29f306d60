"""Open a file at the sheet that has the columns: the first sheet, or another if a workbook begins with remarks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NoReturn

from schemas.codes import Code
from schemas.columns import Column, Form, recognise
from worker.stages.reading.column_choice import listed
from worker.stages.reading.description import FileDescription
from worker.stages.reading.header import Header, UnsettledColumnsError, find_header, top_rows
from worker.stages.reading.model import (
    HEADER_WITHIN,
    FileFacts,
    FileFault,
    Limits,
    MatchingProfile,
    ReadOptions,
    Source,
    fault,
)
from worker.stages.reading.open_file import open_source
from worker.stages.reading.width import LONGEST_SURPLUS
from worker.stages.reading.workbooks.workbook import FEWEST_SECONDS, Workbook, open_other_sheet

MOST_TRIED = 10  # sheets besides the first
NO_TABLE = frozenset({Code.EMPTY_FILE, Code.NO_HEADER, Code.MISSING_COLUMN})


@dataclass(frozen=True)
class Table:
    """A table whose columns are settled. `profile`: the import profile that was taken without being asked for (R32)."""

    source: Source
    header: Header
    profile: MatchingProfile | None = None


class UnsettledTableError(FileFault):
    """A table in `source` of which is not settled which column is which; `header` has what is certain (R31).

    `facts` and `description`: what the uploader needs to settle it, if that was asked for.
    """

    def __init__(self, reason: FileFault, source: Source, header: Header, hint: str = "") -> None:
        super().__init__(reason.code, f"{reason.detail} {hint}".strip(), reason.context)
        self.source = source
        self.header = header
        self.facts: FileFacts | None = None
        self.description: FileDescription | None = None


def open_table(path: Path, limits: Limits, folder: Path, form: Form, hints: ReadOptions) -> Table:
    """Return the file's table and its header row; of a workbook, the first sheet that has the columns.

    Raises the `FileFault` of the first sheet if no sheet has them; `UnsettledTableError` if the uploader can say which
    column is which. A sheet that names the phone number among other columns is a table with a fault: no other sheet is
    read in its place.
    """
    source = open_source(path, limits, folder, hints)
    try:
        return _table_in(source, limits, form, hints)
    except FileFault as first:
        if first.code not in NO_TABLE:
            raise
        unsettled = [first] if isinstance(first, UnsettledTableError) else []
        for other in _other_tables(source, limits, folder, form, hints):
            if isinstance(other, UnsettledTableError):
                unsettled.append(other)
            elif not _is_faulty_table(source, form):
                return other
            else:
                _point_to(other, first)
        if not unsettled:
            raise
        raise max(unsettled, key=_promise) from first  # the first, if several are equal


def _table_in(source: Source, limits: Limits, form: Form, hints: ReadOptions) -> Table:
    """Return the table of a sheet, by an import profile if it does not explain itself (R32)."""
    try:
        return _with_notes(Table(source, find_header(source, limits, form, hints)))
    except UnsettledColumnsError as unsettled:
        hint = ""
        for row_number, cells in islice(top_rows(source), HEADER_WITHIN):
            profile = hints.profiles(cells)
            if isinstance(profile, MatchingProfile):
                by_profile = replace(hints, mapping=profile.mapping, header_row=row_number)
                with suppress(FileFault):
                    return _with_notes(Table(source, find_header(source, limits, form, by_profile), profile))
                hint = f"The import profile “{profile.name}” has these column names, but does not fit the file."
            elif profile:
                hint = f"Several import profiles have these column names; choose one: {listed(profile)}."
        raise UnsettledTableError(unsettled, source, unsettled.header, hint) from unsettled


def _point_to(other: Table, first: FileFault) -> NoReturn:
    """Raise the fault of the first sheet, and name another one that has all columns."""
    hint = f"The sheet “{other.source.sheet}” has all required columns; select it if you meant that one."
    if isinstance(first, UnsettledTableError):
        raise UnsettledTableError(first, first.source, first.header, hint) from first
    fault(first.code, f"{first.detail} {hint}", **first.context)


def _promise(table: UnsettledTableError) -> tuple[int, int]:
    """Return how likely a sheet is the one that was meant: by the columns understood, then by the columns."""
    return len(table.header.mapping), table.header.width


def _other_tables(
    source: Source, limits: Limits, folder: Path, form: Form, hints: ReadOptions
) -> Iterator[Table | UnsettledTableError]:
    """Yield the other sheets that have a table, in order, within the time limit of one sheet."""
    if not isinstance(source, Workbook) or hints.sheet is not None:
        return
    deadline = time.monotonic() + limits.child_seconds
    for position in range(1, min(source.origin.sheets, MOST_TRIED + 1)):
        left = deadline - time.monotonic()
        if left < FEWEST_SECONDS:
            return
        try:
            target = folder / f"sheet-{position}"
            other = open_other_sheet(source, position, replace(limits, child_seconds=left), target)
            table = _table_in(other, limits, form, hints)
        except UnsettledTableError as unsettled:
            yield unsettled
        except FileFault:
            continue
        else:
            if table.header.row_number:
                yield table


def _with_notes(table: Table) -> Table:
    """Add a note on stray cells, far right of the header row or of rows above it, that no row of the table contains."""
    source, header = table.source, table.header
    strays = (
        [cells for row, cells in source.strays.items() if row <= header.row_number]
        if isinstance(source, Workbook)
        else []
    )
    if not strays:
        return table
    note = f"Cells far to the right of the table were ignored ({' | '.join(strays)[:LONGEST_SURPLUS]})."
    return replace(table, header=replace(header, notes=(*header.notes, note)))


def _is_faulty_table(source: Source, form: Form) -> bool:
    rows = islice((cells for _, cells in source.top()), HEADER_WITHIN)
    meanings = ({recognise(cell, form) for cell in cells} - {None} for cells in rows)
    return any(Column.PHONE_NUMBER in meaning_set and len(meaning_set) > 1 for meaning_set in meanings)
