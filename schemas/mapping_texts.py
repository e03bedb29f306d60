"""A column mapping (R31) in words, for people: in the portal and on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.columns import Column, column_named


def phrases(mapping: Mapping[str, Any], most_values: int = 3) -> list[str]:
    """Return one phrase for each of our columns in a mapping, in their order: "Voice: Type (Y = TRUE)".

    `mapping`: as `ColumnMapping.to_json` writes it. `most_values`: translations of a column that are written out.
    """
    columns, constants, values = (mapping.get(part) or {} for part in ("columns", "constants", "values"))
    stated = {name: _place(place) for name, place in columns.items()}
    stated |= {name: f"always {text or 'empty'}" for name, text in constants.items()}
    return [
        f"{name}: {' '.join(filter(None, (stated.get(name), _translations(values.get(name) or {}, most_values))))}"
        for name in sorted({**stated, **values}, key=_place_of_ours)
    ]


def _place_of_ours(name: str) -> int:
    return column_named(name) or len(Column)


def _place(place: object) -> str:
    if place is None:
        return "not in the file"
    return f"column {place}" if isinstance(place, int) else str(place)


def _translations(values: Mapping[str, str], most: int) -> str:
    shown = [f"{text or 'empty'} = {meaning or 'empty'}" for text, meaning in list(values.items())[:most]]
    more = [f"{len(values) - most} more"] if len(values) > most else []
    return f"({', '.join(shown + more)})" if values else ""
