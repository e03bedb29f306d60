"""Puts a chunk's numbers into the inventory, inside the caller's transaction.

Decides nothing: what to write was decided by `resolve`. Never commits.
"""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv
from sqlalchemy import Connection

from worker.infra import inventory
from worker.stages.resolve import Numbers


def write(connection: Connection, create: Numbers, update: Numbers, job_id: int) -> None:
    """Create and update numbers.

    `inventory.ConflictError` if another transaction created one of them meanwhile, or deleted a tenant or a carrier.
    """
    both = (create, update)
    inventory.hold(
        connection,
        _distinct(*(numbers.holder_id for numbers in both)),
        _distinct(*(getattr(numbers, name) for numbers in both for name in ("voice_carrier_id", "sms_carrier_id"))),
    )
    if len(update):
        inventory.update(connection, _as_csv(update, job_id))
    if len(create):
        inventory.create(connection, _as_csv(create, job_id))


def _distinct(*ids: NDArray[np.int32]) -> list[int]:
    return [int(found) for found in np.unique(np.concatenate(ids)) if found]


def _as_csv(numbers: Numbers, job_id: int) -> bytes:
    """The rows as COPY reads them, in the order of `inventory.COLUMNS`; Arrow writes a million in 0.3 s."""
    job = pa.repeat(job_id, len(numbers))
    columns = {name: getattr(numbers, name) for name in inventory.COLUMNS if not name.endswith("job_id")}
    arrays = [job if name.endswith("job_id") else _nullable(name, columns[name]) for name in inventory.COLUMNS]
    sink = io.BytesIO()
    csv.write_csv(pa.table(arrays, names=list(inventory.COLUMNS)), sink, csv.WriteOptions(include_header=False))
    return sink.getvalue()


def _nullable(name: str, values: object) -> pa.Array:
    """Id 0 stands for "no carrier" between the stages and for NULL in the table."""
    array = pa.array(values)
    return array if not name.endswith("carrier_id") else pa.array(values, mask=(values == 0))
