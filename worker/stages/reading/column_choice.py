"""Decide which column of the file is which of ours: as the uploader states (R31), else by their names (R12)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

from schemas.codes import Code
from schemas.column_mapping import ColumnMapping
from schemas.columns import Column, Form, is_exact, meant, name_of, recognise, same_header, tentative
from worker.stages.reading.model import fault

# A cell that only data rows have: a number, a phone number or a boolean.
_DATA_CELL = re.compile(r"\s*'?\+?[\d(][\d\s().,/eE+-]*|\s*(?:true|false|yes|no)\s*", re.IGNORECASE)

Names = Sequence[str]
Numbers = Sequence[int]


def choose(
    names: Names, numbers: Numbers, form: Form, stated: ColumnMapping, row_number: int = 1
) -> tuple[dict[Column, int], list[str]]:
    """Return the index of each column that is understood, and a note on each choice among several.

    `numbers`: the number of each column in the file, from 1; `row_number`: that of the header row. Raises `FileFault`
    MISSING_COLUMN, NO_HEADER or DUPLICATE_COLUMN.
    """
    mapping = _stated(names, numbers, stated)
    meanings = _meanings(names, form, stated)
    known = {meaning for meaning in meanings if meaning is not None} | mapping.keys()
    missing = missing_columns(known, form, stated)
    if missing:
        _refuse(names, missing, known, form, row_number)
    notes = list[str]()
    for column in sorted(known - mapping.keys()):
        indices = [index for index, meaning in enumerate(meanings) if meaning is column]
        mapping[column] = indices[0] if len(indices) == 1 else _exact(names, indices, column)
        others = [names[index] for index in indices if index != mapping[column]]
        if others:
            used = names[mapping[column]]
            verb = "was" if len(others) == 1 else "were"
            notes.append(f"{listed([used])} was read as {name_of(column)}; {listed(others)} {verb} ignored.")
    return dict(sorted(mapping.items())), notes


def understood(names: Names, numbers: Numbers, form: Form, stated: ColumnMapping) -> dict[Column, int]:
    """Return the index of each column whose meaning is certain, of a file whose columns are not settled."""
    meanings = _meanings(names, form, stated)
    certain = {column: meanings.index(column) for column in set(meanings) if column and meanings.count(column) == 1}
    for column, reference in stated.columns.items():
        indices = _indices(reference, names, numbers)
        if len(indices) == 1:
            certain[column] = indices[0]
    return dict(sorted(certain.items()))


def missing_columns(known: Collection[Column], form: Form, stated: ColumnMapping) -> list[Column]:
    """Return the required columns that are neither known nor constants."""
    return [column for column in form.required if column not in known and column not in stated.constants]


def named_columns(names: Names, form: Form, stated: ColumnMapping) -> set[Column]:
    """Return the columns that the cells of a row name, by a name that we know or that the uploader states."""
    by_us = {meaning for meaning in _meanings(names, form, stated) if meaning is not None}
    by_uploader = {
        column
        for column, reference in stated.columns.items()
        if isinstance(reference, str) and any(same_header(name, reference) for name in names)
    }
    return by_us | by_uploader


def tentative_columns(
    names: Names, form: Form, mapping: Mapping[Column, int], stated: ColumnMapping
) -> dict[int, Column]:
    """Return index -> meaning if the values fit (R14e); empty if another column defines the blocks."""
    if {Column.END_NUMBER, Column.BLOCK_SIZE} & (mapping.keys() | stated.columns.keys()):
        return {}
    return {index: column for index, name in enumerate(names) if (column := tentative(name, form)) is not None}


def suggestions(
    ignored: Sequence[str], form: Form, mapping: Collection[Column], missing: Collection[Column] = ()
) -> list[str]:
    """Suggest columns for unknown names: preferably a missing column, never one that the file already has."""
    pairs = ((name, meant(name, form, missing)) for name in ignored)
    return [
        f"The column {listed([name])} is not recognized; did you mean “{name_of(column)}”?"
        for name, column in pairs
        if column is not None and column not in mapping
    ]


def listed(names: Sequence[str], most: int = 20, longest: int = 60) -> str:
    """Return names in quotation marks, at most `most` of them."""
    shown = [f"“{name if len(name) <= longest else name[:longest] + '…'}”" for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _meanings(names: Names, form: Form, stated: ColumnMapping) -> list[Column | None]:
    decided = stated.columns.keys() | stated.constants.keys()
    meanings = (recognise(name, form) for name in names)
    return [None if meaning in decided else meaning for meaning in meanings]


def _stated(names: Names, numbers: Numbers, stated: ColumnMapping) -> dict[Column, int]:
    mapping = {}
    for column, reference in stated.columns.items():
        if reference is None:
            continue
        indices = _indices(reference, names, numbers)
        if not indices:
            _refuse_reference(column, reference, names)
        if len(indices) > 1:
            found = [names[index] for index in indices]
            name = listed([str(reference)])
            detail = f"{len(found)} columns are named {name}; say which is {name_of(column)} by its number."
            fault(Code.DUPLICATE_COLUMN, detail, column=name_of(column), found=found)
        mapping[column] = indices[0]
    return mapping


def _indices(reference: str | int | None, names: Names, numbers: Numbers) -> list[int]:
    """Return the indices of the columns that a mapping refers to; exact names go before similar ones."""
    if reference is None:
        return []
    if isinstance(reference, int):
        return [index for index, number in enumerate(numbers) if number == reference]
    exact = [index for index, name in enumerate(names) if name == reference]
    return exact or [index for index, name in enumerate(names) if same_header(name, reference)]


def _refuse_reference(column: Column, reference: str | int, names: Names) -> NoReturn:
    what = f"column {reference}" if isinstance(reference, int) else f"the column {listed([reference])}"
    present = [name for name in names if name.strip()]
    detail = f"{name_of(column)} is to be read from {what}, which the file does not have. Found: {listed(present)}."
    fault(Code.MISSING_COLUMN, detail, missing=[name_of(column)], found=present)


def _exact(names: Names, indices: list[int], column: Column) -> int:
    """Return the index of the one column with the column's own name, among several that mean the same."""
    exact = [index for index in indices if is_exact(names[index], column)]
    if len(exact) != 1:
        _refuse_several(column, [names[index] for index in indices], [names[index] for index in exact])
    return exact[0]


def _refuse_several(column: Column, found: list[str], exact: list[str]) -> NoReturn:
    name = name_of(column)
    detail = f"The column “{name}” occurs {len(exact)} times: {listed(exact)}."
    if not exact:
        detail = f"These columns all mean “{name}”: {listed(found)}. Rename the right one to “{name}”."
    fault(Code.DUPLICATE_COLUMN, detail, column=name, found=found)


def _refuse(names: Names, missing: list[Column], known: Collection[Column], form: Form, row_number: int) -> NoReturn:
    present = [name for name in names if name.strip()]
    looks_like_data = len(present) <= 1 or any(_DATA_CELL.fullmatch(name) for name in present)
    if not known and looks_like_data:
        row = "The first row" if row_number == 1 else f"Row {row_number:,}"
        detail = f"{row} has no column names: {listed(present)}."
        fault(Code.NO_HEADER, detail, found=present)
    noun = "column is" if len(missing) == 1 else "columns are"
    unknown = [name for name in present if recognise(name, form) is None]
    missing_names = [name_of(column) for column in missing]
    detail = f"The {noun} missing: {listed(missing_names)}. Found: {listed(present)}."
    detail = " ".join((detail, *suggestions(unknown, form, known, missing), *_on_country(known)))
    fault(Code.MISSING_COLUMN, detail, missing=missing_names, found=present)


def _on_country(known: Collection[Column]) -> list[str]:
    """Return a sentence on the Country Code if it is missing, too: it is not required (R14)."""
    if Column.PHONE_NUMBER not in known or Column.COUNTRY_CODE in known:
        return []
    return ["Numbers that begin with + or 00 are understood without a Country Code."]
