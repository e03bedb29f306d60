"""The mapping of an upload (R31): which column of the file is which of ours, constants, and what other words mean.

Shapes and their validation only: `worker.stages.reading.header` finds the columns, `worker.spreadsheet.cell_sources`
fills in constants and translates values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from schemas.columns import Column, column_named, name_of

MOST_VALUES = 100  # translations of one column
CONFIDENT = 0.5  # confidence from which on a suggestion is filled in; below it, it is only named
LONGEST_TEXT = 200  # characters of a header, a constant or a value
ColumnReference = str | int | None
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class ColumnMapping:
    """What the uploader states about the columns; what it leaves out is recognised from the header as usual.

    `columns`: our column -> the file's header text, or the file's column counted from 1; None: not in the file, even
    where a header looks like it. `constants`: the text of a cell that every row has, for a column that the file does
    not have. `values`: our column -> text of a cell, as `value_key` writes it -> the text to read instead.
    """

    columns: Mapping[Column, ColumnReference] = field(default_factory=lambda: _NOTHING)
    constants: Mapping[Column, str] = field(default_factory=lambda: _NOTHING)
    values: Mapping[Column, Mapping[str, str]] = field(default_factory=lambda: _NOTHING)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any] | None) -> ColumnMapping:
        """Return the mapping in `raw`, as a request or `to_json` writes it.

        `ValueError` for an unknown or repeated column, and for a column that is both in the file and a constant.
        """
        raw = raw or {}
        columns = _by_column(raw.get("columns"))
        constants = _by_column(raw.get("constants"))
        values = {
            column: {value_key(text): meaning for text, meaning in translations.items()}
            for column, translations in _by_column(raw.get("values")).items()
        }
        for column in constants:
            if columns.get(column) is not None:
                raise ValueError(f"“{name_of(column)}” is both a column of the file and a constant")
        return cls(columns, constants, values)

    def to_json(self) -> dict[str, Any]:
        """Return the mapping with the names of our columns; without the members that are empty."""
        parts = {"columns": self.columns, "constants": self.constants, "values": self.values}
        return {
            name: {name_of(column): part[column] for column in sorted(part)} for name, part in parts.items() if part
        }

    def __bool__(self) -> bool:
        return bool(self.columns or self.constants or self.values)


NO_MAPPING = ColumnMapping()


def value_key(text: str) -> str:
    """Return the key under which all spellings of a value are the same: case and white space are ignored."""
    return " ".join(text.casefold().split())


def _by_column(raw: Mapping[str, Any] | None) -> dict[Column, Any]:
    columns: dict[Column, Any] = {}
    for name, value in (raw or {}).items():
        column = column_named(name)
        if column is None:
            raise ValueError(f"“{name[:60]}” is not one of our columns")
        if column in columns:
            raise ValueError(f"“{name_of(column)}” occurs twice")
        columns[column] = value
    return columns
