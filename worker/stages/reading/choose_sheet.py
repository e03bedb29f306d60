"""Open a file at the sheet that has the columns: the first sheet, or another if a workbook begins with remarks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from schemas.codes import Code
from schemas.columns import Column, Form, recognise
from worker.stages.reading.header import Header, find_header
from worker.stages.reading.model import HEADER_WITHIN, FileFault, Limits, ReadOptions, Source, fault
from worker.stages.reading.open_file import open_source
from worker.stages.reading.width import LONGEST_SURPLUS
from worker.stages.reading.workbooks.workbook import FEWEST_SECONDS, Workbook, open_other_sheet

MOST_TRIED = 10  # sheets besides the first
NO_TABLE = frozenset({Code.EMPTY_FILE, Code.NO_HEADER, Code.MISSING_COLUMN})


def open_table(path: Path, limits: Limits, folder: Path, form: Form, hints: ReadOptions) -> tuple[Source, Header]:
    """Return the file's table and its header row; of a workbook, the first sheet that has the columns.

    Raises the `FileFault` of the first sheet if no sheet has them. A sheet that names the phone number among other
    columns is a table with a fault: no other sheet is read in its place.
    """
    source = open_source(path, limits, folder, hints)
    try:
        return _with_notes(source, find_header(source, limits, form, hints.header_row))
    except FileFault as first:
        others = _other_tables(source, limits, folder, form, hints) if first.code in NO_TABLE else ()
        other = next(iter(others), None)
        if other is None:
            raise
        if _is_faulty_table(source, form):
            hint = f"The sheet “{other[0].sheet}” has all required columns; select it if you meant that one."
            fault(first.code, f"{first.detail} {hint}", **first.context)
        return other


def _other_tables(
    source: Source, limits: Limits, folder: Path, form: Form, hints: ReadOptions
) -> Iterator[tuple[Source, Header]]:
    """Yield the other sheets that have the columns, in order, within the time limit of one sheet."""
    if not isinstance(source, Workbook) or hints.sheet is not None:
        return
    deadline = time.monotonic() + limits.child_seconds
    for position in range(1, min(source.origin.sheets, MOST_TRIED + 1)):
        left = deadline - time.monotonic()
        if left < FEWEST_SECONDS:
            return
        with suppress(FileFault):
            target = folder / f"sheet-{position}"
            other = open_other_sheet(source, position, replace(limits, child_seconds=left), target)
            header = find_header(other, limits, form, hints.header_row)
            if header.row_number:
                yield _with_notes(other, header)


def _with_notes(source: Source, header: Header) -> tuple[Source, Header]:
    """Add a note on stray cells, far right of the header row or of rows above it, that no row of the table contains."""
    strays = (
        [cells for row, cells in source.strays.items() if row <= header.row_number]
        if isinstance(source, Workbook)
        else []
    )
    if not strays:
        return source, header
    note = f"Cells far to the right of the table were ignored ({' | '.join(strays)[:LONGEST_SURPLUS]})."
    return source, replace(header, notes=(*header.notes, note))


def _is_faulty_table(source: Source, form: Form) -> bool:
    rows = islice((cells for _, cells in source.top()), HEADER_WITHIN)
    meanings = ({recognise(cell, form) for cell in cells} - {None} for cells in rows)
    return any(Column.PHONE_NUMBER in meaning_set and len(meaning_set) > 1 for meaning_set in meanings)
