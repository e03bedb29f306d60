"""Puts what was decided about a chunk's numbers into the inventory, inside the caller's transaction.

Decides nothing: what to write was decided by `resolve`. Never commits.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv
from sqlalchemy import Connection

from schemas.phone import region
from worker.infra import inventory
from worker.stages.resolving.model import Decisions, Numbers

# What every new number has; the other columns only where a user is given the number at once, or it is brought back.
_PLAIN = tuple(name for name in inventory.COLUMNS if name not in {"voice_user_id", "sms_user_id", "voice_forwarded"})
_STAGED = ("e164", *inventory.CHANGEABLE)


def write(connection: Connection, decided: Decisions, job_id: int) -> None:
    """Create, update and delete numbers, and note in their histories which job did.

    `inventory.ConflictError` if another transaction created one of them meanwhile, or deleted what they refer to.
    """
    both = (decided.create, decided.update)
    inventory.hold(
        connection,
        _distinct(both, "holder_id"),
        _distinct(both, "voice_carrier_id", "sms_carrier_id"),
        _distinct(both, "voice_user_id", "sms_user_id"),
    )
    if len(decided.update):
        inventory.update(connection, _STAGED, decided.update.e164, _as_csv(decided.update, _STAGED))
    if len(decided.delete):
        inventory.delete(connection, decided.delete)
    if len(decided.create):
        columns = inventory.COLUMNS if _has_users(decided.create) else _PLAIN
        inventory.create(connection, columns, _as_csv(decided.create, columns))
    if decided.images.num_rows:
        # Numbers name the job that created them; what is in their histories came later.
        made = decided.create.e164[decided.create.state["created_job_id"] == job_id]
        changed = np.setdiff1d(decided.images.column("e164").to_numpy(), made, assume_unique=True)
        if len(changed):
            inventory.note(connection, changed, job_id)


def _has_users(numbers: Numbers) -> bool:
    return any(numbers.state[name].any() for name in ("voice_user_id", "sms_user_id"))


def _distinct(parts: Sequence[Numbers], *columns: str) -> list[int]:
    ids: list[NDArray[np.int32]] = [part.state[column] for part in parts for column in columns]
    return [int(found) for found in np.unique(np.concatenate(ids)) if found]


def _as_csv(numbers: Numbers, columns: Sequence[str]) -> bytes:
    """The rows as COPY reads them; Arrow writes a million in 0.3 s."""
    arrays = [_column(numbers, name) for name in columns]
    sink = io.BytesIO()
    csv.write_csv(pa.table(arrays, names=list(columns)), sink, csv.WriteOptions(include_header=False))
    return sink.getvalue()


def _column(numbers: Numbers, name: str) -> pa.Array:
    if name == "e164":
        return pa.array(numbers.e164)
    if name == "country":
        return region.names(region.regions_of(numbers.e164))
    values = numbers.state[name]
    # Id 0 stands for "none" between the stages and for NULL in the table.
    nullable = name.endswith(("carrier_id", "user_id"))
    return pa.array(values, mask=(values == 0)) if nullable else pa.array(values)
