"""Build the part of a job's body that is about its file: its format, its columns and how they were read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.columns import Column, name_of
from schemas.http import mapping as bodies
from schemas.http import resources
from worker.jobs.queries import JobView

_AS_STORED = ("format", "encoding", "delimiter", "sheet", "header_row", "ignored_columns", "profile")


def file(view: JobView) -> resources.JobFile | None:
    """Return the uploaded file of a job; None if its rows did not come as a file."""
    row, facts = view.row, view.row.file_facts
    if row.file_name is None:
        return None
    known = {name: facts[name] for name in _AS_STORED if name in facts}
    notes = list(facts.get("notes", ()))
    if row.duplicate_of is not None:
        notes = [f"The same file was uploaded before (job {row.duplicate_of}).", *notes]
    described: Mapping[str, Any] = view.description or {"columns": _columns(facts)}
    return resources.JobFile(
        name=row.file_name,
        size=row.file_size,
        sha256=row.file_sha256.hex(),
        notes=notes,
        mapping=_effective(facts),
        **known,
        **described,
    )


def _numbers(facts: Mapping[str, Any]) -> list[int]:
    """Return the number in the file, from 1, of each column; older jobs do not store it."""
    return list(facts.get("numbers") or range(1, len(facts.get("columns", ())) + 1))


def _columns(facts: Mapping[str, Any]) -> list[bodies.FileColumn]:
    """Return the columns of a file that is not described: their names, and what they were read as."""
    read_as: dict[int, list[str]] = {}
    for name, index in facts.get("mapping", {}).items():
        read_as.setdefault(index, []).append(name_of(Column[name]))
    names = zip(_numbers(facts), facts.get("columns", ()), strict=True)
    return [
        bodies.FileColumn(
            index=number,
            header=header,
            samples=[],
            values=[],
            column=next(iter(read_as.get(index, ())), None),
            also=read_as.get(index, [])[1:],
            confidence=1.0 if index in read_as else 0.0,
        )
        for index, (number, header) in enumerate(names)
    ]


def _effective(facts: Mapping[str, Any]) -> bodies.EffectiveMapping | None:
    if not facts.get("columns"):
        return None
    numbers = _numbers(facts)
    return bodies.EffectiveMapping(
        columns={name_of(Column[name]): numbers[index] for name, index in facts.get("mapping", {}).items()},
        constants={name_of(Column[name]): text for name, text in facts.get("constants", {}).items()},
        values={name_of(Column[name]): values for name, values in facts.get("values", {}).items()},
    )
