"""Rows that were not uploaded as a file: numbers listed in a request or selected in the inventory, kept for the check.

Text only, as in a file; the same stages interpret it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from schemas.columns import Column, name_of
from schemas.jobs import LIST_FORMAT_KEY, ListFormat
from worker.storage import arrow_files, files


def put(
    job: str, columns: Mapping[Column, Sequence[str] | pa.Array], list_format: ListFormat = ListFormat.LIST
) -> None:
    """Store the rows of a job (its public id): columns of equal length, "" for an empty cell, in the given order."""
    arrays = [pa.array(values, pa.string()) for values in columns.values()]
    table = pa.table(arrays, names=[name_of(column) for column in columns])
    arrow_files.put_table(files.listed_key(job), table.replace_schema_metadata({LIST_FORMAT_KEY: list_format.value}))
