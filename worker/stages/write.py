"""Puts a chunk's numbers into the inventory, inside the caller's transaction.

Decides nothing: what to write was decided by `resolve`. Never commits.
"""

from __future__ import annotations

import io

import pyarrow as pa
from pyarrow import csv
from sqlalchemy import Connection

from worker.infra import inventory
from worker.stages.resolve import Numbers


def write(connection: Connection, create: Numbers, update: Numbers, job_id: int) -> None:
    """Create and update numbers. `inventory.ConflictError` if another transaction created one of them meanwhile."""
    if len(update):
        inventory.update(connection, _as_csv(update, job_id), job_id)
    if len(create):
        inventory.create(connection, _as_csv(create, job_id))


def _as_csv(numbers: Numbers, job_id: int) -> bytes:
    """The rows as COPY reads them, in the order of `inventory.COLUMNS`; Arrow writes a million in a third of a second."""
    job = pa.repeat(job_id, len(numbers))
    columns = {name: getattr(numbers, name) for name in inventory.COLUMNS if not name.endswith("job_id")}
    arrays = [
        job if name.endswith("job_id") else _nullable(name, columns[name]) for name in inventory.COLUMNS
    ]
    sink = io.BytesIO()
    csv.write_csv(pa.table(arrays, names=list(inventory.COLUMNS)), sink, csv.WriteOptions(include_header=False))
    return sink.getvalue()


def _nullable(name: str, values: object) -> pa.Array:
    """Id 0 stands for "no carrier" between the stages and for NULL in the table."""
    array = pa.array(values)
    return array if not name.endswith("carrier_id") else pa.array(values, mask=(values == 0))
