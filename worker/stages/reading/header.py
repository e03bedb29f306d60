"""Find the header row and the meaning of its cells (R10, R12), by evidence: titles and remarks may come first.

Without a header row, columns in the order of the sample file are understood as well. Does not correct names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import NoReturn

from schemas.codes import Code
from schemas.columns import Column, Form, distinct, is_exact, meant, name_of, recognise, tentative
from worker.stages.reading.headerless import columns_without_header
from worker.stages.reading.model import HEADER_WITHIN, Cells, Limits, Source, fault
from worker.stages.reading.text_files.formula_wrapped import unwrapped_cell
from worker.stages.reading.width import is_blank

# A cell that only data rows have: a number, a phone number or a boolean.
_DATA_CELL = re.compile(r"\s*'?\+?[\d(][\d\s().,/eE+-]*|\s*(?:true|false|yes|no)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """The header row: `width` cells wide. The columns in `kept` go on to the later stages.

    `row_number` is 0 if the file has no header row. `columns` are the kept cells as written. `mapping` has their
    indices in `columns` by meaning; `tentative` has the columns whose meaning depends on their values. `notes` are
    sentences for the uploader.
    """

    row_number: int
    width: int
    kept: tuple[int, ...]
    columns: tuple[str, ...]
    mapping: Mapping[Column, int]
    ignored_columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    tentative: Mapping[int, Column] = field(default_factory=dict)

    @cached_property
    def unique_names(self) -> list[str]:
        """One name per kept column; duplicate and empty names get a number."""
        return distinct(self.columns)


Row = tuple[int, Cells]


def find_header(source: Source, limits: Limits, form: Form, row_number: int | None = None) -> Header:
    """Return the row that names the columns, or row `row_number` if given; `form` defines what its cells may mean.

    Raises `FileFault` EMPTY_FILE, BAD_ENCODING, NO_HEADER, MISSING_COLUMN, DUPLICATE_COLUMN or TOO_MANY_COLUMNS.
    """
    if row_number is not None:
        return _header_at(source, _row_at(source, row_number), limits, form, ())
    filled = list(islice((row for row in _top(source) if not is_blank(row[1])), HEADER_WITHIN))
    if not filled:
        where = f"sheet “{source.sheet}”" if source.sheet else "file"
        fault(Code.EMPTY_FILE, f"The {where} is empty.", notes=list(source.notes))
    best = max(filled, key=lambda row: _evidence(row[1], form))  # the first, if several are equal
    if not _recognized(best[1], form) and (bare := columns_without_header([cells for _, cells in filled], form)):
        return _without_header(filled, bare, limits)
    above = filled.index(best)
    note = f"The column names are in row {best[0]:,}; the rows above were ignored."
    return _header_at(source, best, limits, form, (note,) if above else ())


def _top(source: Source) -> Iterator[Row]:
    return ((row_number, [unwrapped_cell(cell) for cell in cells]) for row_number, cells in source.top())


def _row_at(source: Source, row_number: int) -> Row:
    row = next((row for row in _top(source) if row[0] == row_number), None)
    if row is None or is_blank(row[1]):
        fault(Code.NO_HEADER, f"Row {row_number:,} is empty, so it has no column names.", row=row_number)
    return row


def _recognized(cells: Cells, form: Form) -> set[Column]:
    return {meaning for cell in cells if (meaning := recognise(cell, form)) is not None}


def _evidence(cells: Cells, form: Form) -> tuple[bool, int]:
    """Return whether a row names all required columns, and how many known columns it names."""
    known_columns = _recognized(cells, form)
    return known_columns.issuperset(form.required), len(known_columns)


def _header_at(source: Source, row: Row, limits: Limits, form: Form, notes: tuple[str, ...]) -> Header:
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
    mapping, decided = _mapping(columns, form)
    unsettled = _tentative(columns, form, mapping)
    unknown = (index for index in range(len(columns)) if index not in mapping.values())
    ignored = tuple(columns[index] for index in unknown if columns[index].strip())
    # The values of a tentative column decide its meaning, so no suggestion is made for it.
    suggestions = _suggestions([name for name in ignored if tentative(name, form) is None], form, mapping)
    return Header(row_number, width, kept, columns, mapping, ignored, (*notes, *decided, *suggestions), unsettled)


def _without_header(filled: Sequence[Row], bare: Mapping[Column, int], limits: Limits) -> Header:
    width = max(len(cells) for _, cells in filled)
    _check_width(width, limits)
    names = {index: name_of(column) for column, index in bare.items()}
    columns = tuple(names.get(index, "") for index in range(width))
    note = f"The file has no header row; its columns were read as {_listed(list(names.values()))}."
    return Header(0, width, tuple(range(width)), columns, bare, (), (note,))


def _check_width(width: int, limits: Limits) -> None:
    if width > limits.columns:
        detail = f"The file has {width:,} columns, more than {limits.columns:,}."
        fault(Code.TOO_MANY_COLUMNS, detail, found=width, limit=limits.columns)


def _suggestions(
    ignored: Sequence[str], form: Form, mapping: Collection[Column], missing: Collection[Column] = ()
) -> list[str]:
    """Suggest columns for unknown names: preferably a missing column, never one that the file already has."""
    suggestions = ((name, meant(name, form, missing)) for name in ignored)
    return [
        f"The column {_listed([name])} is not recognized; did you mean “{name_of(column)}”?"
        for name, column in suggestions
        if column is not None and column not in mapping
    ]


def _mapping(columns: tuple[str, ...], form: Form) -> tuple[dict[Column, int], list[str]]:
    """Return the index of each column that is understood, and a note on each choice among several."""
    meanings = [recognise(name, form) for name in columns]
    mapped = {meaning for meaning in meanings if meaning is not None}
    missing = [column for column in form.required if column not in mapped]
    if missing:
        _refuse(columns, missing, mapped, form)
    mapping, notes = dict[Column, int](), list[str]()
    for column in sorted(mapped):
        places = [index for index, meaning in enumerate(meanings) if meaning is column]
        mapping[column] = places[0] if len(places) == 1 else _exact(columns, places, column)
        others = [columns[index] for index in places if index != mapping[column]]
        if others:
            used = columns[mapping[column]]
            notes.append(f"{_listed([used])} was read as {name_of(column)}; {_listed(others)} was ignored.")
    return mapping, notes


def _exact(columns: tuple[str, ...], places: list[int], column: Column) -> int:
    """Return the index of the one column with the column's own name, among several that mean the same."""
    exact = [index for index in places if is_exact(columns[index], column)]
    if len(exact) != 1:
        _refuse_several(column, [columns[index] for index in places], len(exact))
    return exact[0]


def _refuse_several(column: Column, names: list[str], exact: int) -> NoReturn:
    name = name_of(column)
    detail = f"The column “{name}” occurs {exact} times: {_listed(names)}."
    if not exact:
        detail = f"These columns all mean “{name}”: {_listed(names)}. Rename the right one to “{name}”."
    fault(Code.DUPLICATE_COLUMN, detail, column=name, found=names)


def _tentative(columns: tuple[str, ...], form: Form, mapping: Mapping[Column, int]) -> dict[int, Column]:
    """Return index -> meaning if the values fit (R14e); empty if another column defines the blocks."""
    if mapping.keys() & {Column.END_NUMBER, Column.BLOCK_SIZE}:
        return {}
    return {index: column for index, name in enumerate(columns) if (column := tentative(name, form)) is not None}


def _refuse(
    columns: tuple[str, ...], missing: list[Column], columns_present: Collection[Column], form: Form
) -> NoReturn:
    present = [name for name in columns if name.strip()]
    looks_like_data = len(present) <= 1 or any(_DATA_CELL.fullmatch(name) for name in present)
    if not columns_present and looks_like_data:
        detail = f"The first row has no column names: {_listed(present)}."
        fault(Code.NO_HEADER, detail, found=present)
    noun = "column is" if len(missing) == 1 else "columns are"
    unknown = [name for name in present if recognise(name, form) is None]
    names = [name_of(column) for column in missing]
    detail = f"The {noun} missing: {_listed(names)}. Found: {_listed(present)}."
    detail = " ".join((detail, *_suggestions(unknown, form, columns_present, missing), *_on_country(columns_present)))
    fault(Code.MISSING_COLUMN, detail, missing=names, found=present)


def _on_country(columns_present: Collection[Column]) -> list[str]:
    """Return a sentence on the Country Code if it is missing, too: it is not required (R14)."""
    if Column.PHONE_NUMBER not in columns_present or Column.COUNTRY_CODE in columns_present:
        return []
    return ["Numbers that begin with + or 00 are understood without a Country Code."]


def _listed(names: list[str], most: int = 20, longest: int = 60) -> str:
    shown = [f"“{name if len(name) <= longest else name[:longest] + '…'}”" for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most:,} more" if len(names) > most else "")
