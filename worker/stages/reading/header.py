"""Finds the header row and what its cells mean (R10, R12); reads no data rows and mends no names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from schemas.codes import Code
from schemas.columns import Column, Form, distinct, name_of, recognise
from worker.stages.reading.model import Cells, Limits, Source, fault
from worker.stages.reading.shape import is_blank

# What a data row has and a header row has not: a cell that is a number, a phone number or a boolean.
_DATA_CELL = re.compile(r"\s*'?\+?[\d(][\d\s().,/eE+-]*|\s*(?:true|false|yes|no)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """The header row: `width` cells wide, of which the columns in `kept` go on to the later stages.

    `columns` are the cells kept, as given; `mapping` tells their places in `columns` by meaning.
    """

    row_number: int
    width: int
    kept: tuple[int, ...]
    columns: tuple[str, ...]
    mapping: Mapping[Column, int]
    ignored_columns: tuple[str, ...]

    @property
    def unique_names(self) -> list[str]:
        """One name per column kept; what is there twice, or has no name, gets a number."""
        return distinct(self.columns)


def find_header(source: Source, limits: Limits, form: Form) -> Header:
    """The first row that is not blank; `form` tells what its cells may mean.

    `FileFault` EMPTY_FILE, BAD_ENCODING, NO_HEADER, MISSING_COLUMN, DUPLICATE_COLUMN or TOO_MANY_COLUMNS.
    """
    row_number, cells = _first_filled(source)
    if any("\0" in cell for cell in cells):
        fault(Code.BAD_ENCODING, "The header row holds NUL characters, which no text has.")
    named = max(place for place, cell in enumerate(cells, start=1) if cell.strip())
    # Cells without a name at the end count only if something stands below them.
    width = named if named == len(cells) else max(named, min(len(cells), source.reach(row_number)))
    if width > limits.columns:
        detail = f"The file has {width:,} columns, more than {limits.columns:,}."
        fault(Code.TOO_MANY_COLUMNS, detail, found=width, limit=limits.columns)
    # Our own report columns: a report sent again gets fresh ones.
    kept = tuple(place for place in range(width) if not cells[place].lstrip().startswith("_"))
    columns = tuple(cells[place] for place in kept)
    mapping = _mapping(columns, form)
    unknown = (name for place, name in enumerate(columns) if place not in mapping.values())
    return Header(row_number, width, kept, columns, mapping, tuple(name for name in unknown if name.strip()))


def _first_filled(source: Source) -> tuple[int, Cells]:
    filled = next((row for row in source.top() if not is_blank(row[1])), None)
    if filled is None:
        where = f"sheet “{source.sheet}”" if source.sheet else "file"
        fault(Code.EMPTY_FILE, f"The {where} is empty.", notes=list(source.notes))
    return filled


def _mapping(columns: tuple[str, ...], form: Form) -> dict[Column, int]:
    meanings = [recognise(name, form) for name in columns]
    known = Counter(meaning for meaning in meanings if meaning is not None)
    missing = [name_of(column) for column in form.required if column not in known]
    if missing:
        _refuse(columns, missing, known)
    for column, times in known.items():
        if times > 1:
            found = [name for name, meaning in zip(columns, meanings, strict=True) if meaning is column]
            detail = f"The column “{name_of(column)}” is there {times} times: {_listed(found)}."
            fault(Code.DUPLICATE_COLUMN, detail, column=name_of(column), found=found)
    return {meaning: place for place, meaning in enumerate(meanings) if meaning is not None}


def _refuse(columns: tuple[str, ...], missing: list[str], known: Counter[Column]) -> NoReturn:
    found = [name for name in columns if name.strip()]
    looks_like_data = len(found) <= 1 or any(_DATA_CELL.fullmatch(name) for name in found)
    if not known and looks_like_data:
        detail = f"The first row holds no column names: {_listed(found)}."
        fault(Code.NO_HEADER, detail, found=found)
    noun = "column is" if len(missing) == 1 else "columns are"
    detail = f"The {noun} missing: {_listed(missing)}. Found: {_listed(found)}."
    fault(Code.MISSING_COLUMN, detail, missing=missing, found=found)


def _listed(names: list[str], most: int = 20, longest: int = 60) -> str:
    shown = [f"“{name if len(name) <= longest else name[:longest] + '…'}”" for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most:,} more" if len(names) > most else "")
