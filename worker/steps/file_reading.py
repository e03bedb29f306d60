"""How a file was read: what is stored about it and its columns, for the person who says which is which (R31).

`schemas.http.mapping` has the shape of the description. Suggestions are made from the cells as well as from the column
names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from schemas.columns import Column, Form, name_of
from schemas.jobs import JobOptions
from schemas.permissions import Tenant
from worker.database.engine import transaction
from worker.numbers import tree_countries
from worker.queue import completion
from worker.queue.leases import Lease
from worker.spreadsheet import cell_repair
from worker.stages.read import FileDescription, FileFacts
from worker.stages.reading.suggest import ColumnSample, Suggestions, suggest
from worker.steps import file_profiles
from worker.steps.chunk_facts import Job
from worker.steps.file_profiles import Profiles

SAMPLES = 5  # cells that are shown of a column
MOST_DESCRIBED = 300  # columns; more are read, but not described


@dataclass(frozen=True)
class FileReading:
    """How the rows were read: the job's options, with those of an import profile that was taken.

    `facts`: those stored in `jobs`, None if the columns are not settled. `description`: only under review.
    """

    options: JobOptions
    facts: dict[str, Any] | None
    description: Mapping[str, Any] | None = None
    profiles: Profiles | None = None


def record(connection: Connection, lease: Lease, job: Job, reading: FileReading) -> None:
    """Record how the file was read, in the transaction that ends the reading: its description, and its profile."""
    if reading.description is not None:
        completion.describe_file(connection, lease, reading.description)
    if reading.options != job.options:
        completion.change_options(connection, lease, reading.options.to_json())
        if reading.profiles is not None:
            reading.profiles.mark_used(connection, reading.options.profile)
    if reading.facts is not None and reading.options.save_profile:
        created_by = completion.job_row(connection, lease.job_id).created_by
        note = file_profiles.save(connection, job.actor, created_by, reading.options, reading.facts)
        reading.facts["notes"] = [*reading.facts["notes"], *filter(None, [note])]


def described(description: FileDescription, facts: FileFacts, form: Form, actor: Tenant) -> dict[str, Any]:
    """Return the description as stored in `jobs.file_columns`, with suggestions for what is not settled.

    `facts` have the columns that are settled. Suggestions try the countries of the tenant's numbers first.
    """
    columns = description.columns[:MOST_DESCRIBED]
    samples = [ColumnSample(column.header, column.samples, column.distinct) for column in columns]
    with transaction() as connection:
        calling_codes = tuple(tree_countries.calling_codes_in_tree(connection, actor))
    found = suggest(samples, form, calling_codes)
    settled: dict[int, list[str]] = {}
    for column, index in facts.mapping.items():
        settled.setdefault(index, []).append(name_of(column))
    taken = set(facts.mapping) | set(facts.constants)
    return {
        "columns": [
            {
                "index": column.number,
                "header": column.header,
                "samples": _first_filled(column.samples),
                "values": _values(column.distinct),
                **_read_as(index, settled, found, {name_of(each) for each in taken}),
            }
            for index, column in enumerate(columns)
        ],
        "top_rows": [{"row": row, "cells": cells} for row, cells in description.top],
        "sheets": list(description.sheets),
        "missing": [name_of(column) for column in form.required if column not in taken],
        "suggested": {
            "constants": {name_of(column): text for column, text in found.constants.items() if column not in taken},
            "values": {name_of(column): dict(values) for column, values in found.values.items()},
            "number_format": found.number_format,
        },
    }


def _values(distinct: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return values with their counts, and what each means as a boolean: TRUE, FALSE, or None."""
    texts = pa.array([value for value, _ in distinct], pa.string())
    read = cell_repair.read_boolean(texts, Column.VOICE)
    meanings = np.where((read.faults != 0) | (read.value < 0), "", np.where(read.value > 0, "TRUE", "FALSE")).tolist()
    return [
        {"value": value, "count": count, "reads_as": meaning or None}
        for (value, count), meaning in zip(distinct, meanings, strict=True)
    ]


def file_facts(facts: FileFacts) -> dict[str, Any]:
    """Return the facts about a file, as stored in `jobs`."""
    by_name = {
        part: {column.name: value for column, value in getattr(facts, part).items()}
        for part in ("mapping", "constants", "values")
    }
    profile = None if facts.profile is None else {"id": facts.profile.id, "name": facts.profile.name}
    plain = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return plain | by_name | {"profile": profile}


def _first_filled(samples: Sequence[str]) -> list[str]:
    return [text for text in samples if text.strip()][:SAMPLES]


def _read_as(index: int, settled: dict[int, list[str]], found: Suggestions, taken: set[str]) -> dict[str, Any]:
    """Return the columns of ours that a column of the file is read as, or that we suggest for it."""
    if names := settled.get(index):
        return {"column": names[0], "also": names[1:], "confidence": 1.0, "reason": ""}
    suggestion = found.columns[index]
    column = None if suggestion.column is None or name_of(suggestion.column) in taken else suggestion.column
    also = [name_of(other) for other, place in found.also.items() if place == index and name_of(other) not in taken]
    if column is None:
        reason = suggestion.reason if suggestion.column is None else ""
        return {"column": None, "also": also, "confidence": 0.0, "reason": reason}
    return {
        "column": name_of(column),
        "also": also,
        "confidence": round(suggestion.confidence, 2),
        "reason": suggestion.reason,
    }
