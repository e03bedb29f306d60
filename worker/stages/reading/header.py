"""Finds the header row and what its cells mean (R10, R12), by evidence: titles and remarks may stand above it.

Where there is none, columns that stand in the order of the sample are understood all the same. Mends no names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

from schemas.codes import Code
from schemas.columns import Column, Form, distinct, meant, name_of, recognise
from worker.stages.reading.bare import columns_without_header
from worker.stages.reading.model import HEADER_WITHIN, Cells, Limits, Source, fault
from worker.stages.reading.shape import is_blank

# What a data row has and a header row has not: a cell that is a number, a phone number or a boolean.
_DATA_CELL = re.compile(r"\s*'?\+?[\d(][\d\s().,/eE+-]*|\s*(?:true|false|yes|no)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """The header row: `width` cells wide, of which the columns in `kept` go on to the later stages.

    `row_number` is 0 where the file has none. `columns` are the cells kept, as given; `mapping` tells their places in
    `columns` by meaning; `notes` are sentences for the uploader.
    """

    row_number: int
    width: int
    kept: tuple[int, ...]
    columns: tuple[str, ...]
    mapping: Mapping[Column, int]
    ignored_columns: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def unique_names(self) -> list[str]:
        """One name per column kept; what is there twice, or has no name, gets a number."""
        return distinct(self.columns)


Row = tuple[int, Cells]


def find_header(source: Source, limits: Limits, form: Form, told: int | None = None) -> Header:
    """The row that names the columns, or the one that is `told`; `form` tells what its cells may mean.

    `FileFault` EMPTY_FILE, BAD_ENCODING, NO_HEADER, MISSING_COLUMN, DUPLICATE_COLUMN or TOO_MANY_COLUMNS.
    """
    if told is not None:
        return _header_at(source, _row_at(source, told), limits, form, ())
    filled = list(islice((row for row in source.top() if not is_blank(row[1])), HEADER_WITHIN))
    if not filled:
        where = f"sheet “{source.sheet}”" if source.sheet else "file"
        fault(Code.EMPTY_FILE, f"The {where} is empty.", notes=list(source.notes))
    best = max(filled, key=lambda row: _evidence(row[1], form))  # of equals the first
    if not _known(best[1], form) and (bare := columns_without_header([cells for _, cells in filled], form)):
        return _without_header(filled, bare, limits)
    above = filled.index(best)
    note = f"The columns are named in row {best[0]:,}; what stands above was passed over."
    return _header_at(source, best, limits, form, (note,) if above else ())


def _row_at(source: Source, told: int) -> Row:
    row = next((row for row in source.top() if row[0] == told), None)
    if row is None or is_blank(row[1]):
        fault(Code.NO_HEADER, f"Row {told:,} is empty, so it names no columns.", row=told)
    return row


def _known(cells: Cells, form: Form) -> set[Column]:
    return {meaning for cell in cells if (meaning := recognise(cell, form)) is not None}


def _evidence(cells: Cells, form: Form) -> tuple[bool, int]:
    """How much a row looks like names of columns: whether all that must be there are, and how many are known."""
    known = _known(cells, form)
    return known.issuperset(form.required), len(known)


def _header_at(source: Source, row: Row, limits: Limits, form: Form, notes: tuple[str, ...]) -> Header:
    row_number, cells = row
    if any("\0" in cell for cell in cells):
        fault(Code.BAD_ENCODING, "The header row holds NUL characters, which no text has.")
    named = max(place for place, cell in enumerate(cells, start=1) if cell.strip())
    # Cells without a name at the end count only if something stands below them.
    width = named if named == len(cells) else max(named, min(len(cells), source.reach(row_number)))
    _check_width(width, limits)
    # Our own report columns: a report sent again gets fresh ones.
    kept = tuple(place for place in range(width) if not cells[place].lstrip().startswith("_"))
    columns = tuple(cells[place] for place in kept)
    mapping = _mapping(columns, form)
    unknown = (name for place, name in enumerate(columns) if place not in mapping.values())
    ignored = tuple(name for name in unknown if name.strip())
    suggestions = _suggestions(ignored, form, mapping)
    return Header(row_number, width, kept, columns, mapping, ignored, (*notes, *suggestions))


def _without_header(filled: Sequence[Row], bare: Mapping[Column, int], limits: Limits) -> Header:
    width = max(len(cells) for _, cells in filled)
    _check_width(width, limits)
    names = {place: name_of(column) for column, place in bare.items()}
    columns = tuple(names.get(place, "") for place in range(width))
    note = f"The file has no row of column names; its columns were taken to be {_listed(list(names.values()))}."
    return Header(0, width, tuple(range(width)), columns, bare, (), (note,))


def _check_width(width: int, limits: Limits) -> None:
    if width > limits.columns:
        detail = f"The file has {width:,} columns, more than {limits.columns:,}."
        fault(Code.TOO_MANY_COLUMNS, detail, found=width, limit=limits.columns)


def _suggestions(ignored: Sequence[str], form: Form, mapping: Mapping[Column, int]) -> list[str]:
    """What columns may have been meant that are not known, unless the meaning is there already."""
    found = ((name, meant(name, form)) for name in ignored)
    return [
        f"The column {_listed([name])} is not known here; did you mean “{name_of(column)}”?"
        for name, column in found
        if column is not None and column not in mapping
    ]


def _mapping(columns: tuple[str, ...], form: Form) -> dict[Column, int]:
    meanings = [recognise(name, form) for name in columns]
    known = Counter(meaning for meaning in meanings if meaning is not None)
    missing = [name_of(column) for column in form.required if column not in known]
    if missing:
        _refuse(columns, missing, known, form)
    for column, times in known.items():
        if times > 1:
            found = [name for name, meaning in zip(columns, meanings, strict=True) if meaning is column]
            detail = f"The column “{name_of(column)}” is there {times} times: {_listed(found)}."
            fault(Code.DUPLICATE_COLUMN, detail, column=name_of(column), found=found)
    return {meaning: place for place, meaning in enumerate(meanings) if meaning is not None}


def _refuse(columns: tuple[str, ...], missing: list[str], known: Counter[Column], form: Form) -> NoReturn:
    found = [name for name in columns if name.strip()]
    looks_like_data = len(found) <= 1 or any(_DATA_CELL.fullmatch(name) for name in found)
    if not known and looks_like_data:
        detail = f"The first row holds no column names: {_listed(found)}."
        fault(Code.NO_HEADER, detail, found=found)
    noun = "column is" if len(missing) == 1 else "columns are"
    unknown = [name for name in found if recognise(name, form) is None]
    detail = f"The {noun} missing: {_listed(missing)}. Found: {_listed(found)}."
    detail = " ".join((detail, *_suggestions(unknown, form, dict.fromkeys(known, 0))))
    fault(Code.MISSING_COLUMN, detail, missing=missing, found=found)


def _listed(names: list[str], most: int = 20, longest: int = 60) -> str:
    shown = [f"“{name if len(name) <= longest else name[:longest] + '…'}”" for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most:,} more" if len(names) > most else "")
