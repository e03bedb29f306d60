"""Rows that did not come as a file: numbers listed in a request or selected in the inventory, kept for the check.

Texts only, as a file would hold them; what they mean is found out by the same stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from schemas.columns import Column, name_of
from worker.infra import arrow, storage


def put(job: str, columns: Mapping[Column, Sequence[str] | pa.Array]) -> None:
    """Keep the rows of a job (its public id): columns of one length, "" for an empty cell, in the order given."""
    arrays = [pa.array(values, pa.string()) for values in columns.values()]
    arrow.put_table(storage.listed_key(job), pa.table(arrays, names=[name_of(column) for column in columns]))
