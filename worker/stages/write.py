"""Write a chunk's decisions to the inventory, inside the caller's transaction.

Decides nothing (`resolve` did) and never commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Connection

from schemas.arrow_schemas import CHANGED_STATE, CHANGES, STATE
from schemas.capabilities import CAPABILITY_NAMES, CARRIER_FIELDS
from worker.arrays.distinct import distinct_ids, distinct_rows
from worker.numbers import copy_binary, counts, inventory, isolate_refused, tree_countries
from worker.phone import region
from worker.stages.resolving.model import Decisions, Numbers

# Columns that a new number has only if it gets a user at once, or is restored.
_OF_USERS = ("voice_user_id", "sms_user_id", "voice_forwarded")
_RARE = {*_OF_USERS, inventory.RESTORED}
_STAGED = ("e164", *inventory.CHANGEABLE)
_CODE_BITS = 10  # a calling code has at most three digits
_CODE_MASK = (1 << _CODE_BITS) - 1
_TYPES = {field.name: field.type.to_pandas_dtype() for field in STATE}


def write(connection: Connection, decided: Decisions, job_id: int) -> None:
    """Create, update and delete numbers, and record the job in their histories.

    Raises `inventory.ConflictError` if another transaction has created or changed one of them, or deleted what they
    refer to.
    """
    _hold(connection, decided)
    if len(decided.update):
        inventory.update(connection, _STAGED, decided.update.e164, _encoded(decided.update, _STAGED, job_id))
    if len(decided.delete):
        inventory.delete(connection, decided.delete)
    if len(decided.create):
        columns = _columns(decided.create, job_id)
        inventory.create(connection, columns, _encoded(decided.create, columns, job_id))
    note(connection, decided, job_id)


def write_singly(connection: Connection, decided: Decisions, job_id: int, most: int) -> isolate_refused.Refused:
    """Write like `write`, but skip and return the numbers that the database refuses; the caller calls `note`.

    Stops once `most` or more numbers are refused.
    """
    _hold(connection, decided)
    refused = isolate_refused.NONE
    if len(decided.update):
        refused += isolate_refused.update(connection, _STAGED, _encoded(decided.update, _STAGED, job_id), most)
    if len(decided.delete):
        refused += isolate_refused.delete(connection, decided.delete, most)
    if len(decided.create):
        columns = _columns(decided.create, job_id)
        refused += isolate_refused.create(connection, columns, _encoded(decided.create, columns, job_id), most)
    return refused


def note(connection: Connection, decided: Decisions, job_id: int) -> None:
    """Record the job in the histories of the numbers that it changed, and their holdings, countries and counts."""
    if decided.images.num_rows:
        # A number's row names the job that created it; its history holds the later jobs.
        created = decided.create.e164[decided.create.state["created_job_id"] == job_id]
        changed = np.setdiff1d(decided.images.column("e164").to_numpy(), created, assume_unique=True)
        if len(changed):
            inventory.note(connection, changed, job_id)
    both = (decided.create, decided.update)
    inventory.note_holdings(connection, _holdings(both))
    tree_countries.note(connection, {pair for part in both if len(part) for pair in _countries_of(part)})
    counts.note(connection, _differences(decided))


def changes_of(decided: Decisions) -> pa.Table:
    """Return what the decisions change in the inventory (`schemas.arrow_schemas.CHANGES`)."""
    parts = [part for part in (decided.create, decided.update) if len(part)]
    e164 = np.concatenate([*(part.e164 for part in parts), decided.delete])
    order = np.argsort(e164, kind="stable")
    e164 = e164[order]
    none = np.zeros(len(decided.delete), np.int8)
    existed = decided.images.column("existed").to_numpy() != 0
    index = np.searchsorted(e164, decided.images.column("e164").to_numpy()[existed])
    columns = {"e164": e164}
    for name in CHANGED_STATE:
        after = np.concatenate([*(part.state[name] for part in parts), none])[order]
        before = np.zeros(len(e164), after.dtype)
        before[index] = decided.images.column(name).to_numpy()[existed]
        columns |= {f"before_{name}": before, f"after_{name}": after}
    return pa.table([pa.array(columns[field.name], field.type) for field in CHANGES], schema=CHANGES)


def _differences(decided: Decisions) -> counts.Differences:
    """Return by how much the counts of numbers change: new states come, the states that existed before go."""
    differences: dict[tuple[int, ...], int] = {}
    for part in (decided.create, decided.update):
        counts.add(differences, part.e164, part.state, 1)
    if decided.images.num_rows:
        existed = decided.images.column("existed").to_numpy() != 0
        before = {name: decided.images.column(name).to_numpy()[existed] for name in ("e164", *STATE.names)}
        counts.add(differences, before["e164"], before, -1)
    return differences


def _holdings(parts: Sequence[Numbers]) -> set[tuple[int, ...]]:
    return {holding for part in parts if len(part) for holding in _holdings_of(part)}


def _holdings_of(numbers: Numbers) -> Iterator[tuple[int, ...]]:
    """Yield the distinct holdings of the numbers, as values of `inventory.HOLDING_COLUMNS`.

    `is_unassigned` is `schemas.database.tables.UNASSIGNED`.
    """
    state = numbers.state
    is_unassigned = state["holder_id"] == state["uploader_id"]
    for user in ("voice_user_id", "sms_user_id"):
        is_unassigned &= state[user] == 0
    flags = {name: state[name] != 0 for name in CAPABILITY_NAMES} | {"is_unassigned": is_unassigned}
    values = {**state, **flags}
    columns = [values[name] for name in inventory.HOLDING_COLUMNS]
    indices = distinct_rows(columns)
    return zip(*(column[indices].tolist() for column in columns), strict=True)


def _countries_of(numbers: Numbers) -> Iterator[tuple[int, int]]:
    """Yield the distinct pairs of holder and calling code of the numbers (R14c)."""
    codes = region.calling_code_numbers(numbers.e164)
    pairs = numbers.state["holder_id"].astype(np.int64) << _CODE_BITS | codes
    # The numbers ascend, so equal pairs are mostly adjacent and few are left to sort.
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    distinct = np.unique(pairs[starts]).tolist()
    return ((pair >> _CODE_BITS, code) for pair in distinct if (code := pair & _CODE_MASK))


def _hold(connection: Connection, decided: Decisions) -> None:
    """Lock the numbers to write, and what they refer to, until the transaction ends."""
    if not decided.held:
        _hold_unchanged(connection, decided)
    both = (decided.create, decided.update)
    inventory.hold(
        connection,
        _distinct(both, "holder_id"),
        _distinct(both, *(carrier.id_name for carrier in CARRIER_FIELDS)),
        _distinct(both, "voice_user_id", "sms_user_id"),
    )


def _hold_unchanged(connection: Connection, decided: Decisions) -> None:
    """Lock the numbers that existed when they were decided on, and check that they have not changed since."""
    existed = decided.images.column("existed").to_numpy() != 0
    if existed.any():
        numbers, stamps = (decided.images.column(name).to_numpy()[existed] for name in ("e164", "changed_job_id"))
        inventory.hold_unchanged(connection, numbers, stamps)


def _columns(numbers: Numbers, job_id: int) -> Sequence[str]:
    """Return the columns to fill in for new numbers."""
    left_out = set(_RARE)
    if any(numbers.state[name].any() for name in ("voice_user_id", "sms_user_id")):
        left_out -= {*_OF_USERS}
    if _is_restored(numbers, job_id).any():
        left_out.remove(inventory.RESTORED)
    return [name for name in inventory.COLUMNS if name not in left_out]


def _is_restored(numbers: Numbers, job_id: int) -> NDArray[np.bool_]:
    """Return which numbers get a version from before (R27), so that the job is an undo."""
    is_restored: NDArray[np.bool_] = numbers.state["changed_job_id"] != job_id
    return is_restored


def _distinct(parts: Sequence[Numbers], *columns: str) -> list[int]:
    return sorted({id_ for part in parts for column in columns for id_ in distinct_ids(part.state[column])})


def _encoded(numbers: Numbers, columns: Sequence[str], job_id: int) -> bytes:
    """Return the rows in binary COPY format: encoded in half the time of text, and loaded in the same time."""
    return copy_binary.copy_rows([_field(numbers, name, job_id) for name in columns])


def _field(numbers: Numbers, name: str, job_id: int) -> copy_binary.Field:
    if name == "e164":
        return copy_binary.bigints(numbers.e164)
    if name == "country":
        return copy_binary.texts(region.REGIONS, region.regions_of(numbers.e164))
    if name == inventory.RESTORED:
        return copy_binary.bigints(np.full(len(numbers), job_id), null=~_is_restored(numbers, job_id))
    values = numbers.state[name]
    if _TYPES[name] == np.int8:
        return copy_binary.booleans(values)
    if _TYPES[name] == np.int64:
        return copy_binary.bigints(values)
    # Id 0 means "none" in the Arrow files and NULL in the table.
    return copy_binary.integers(values, values == 0 if name.endswith(("carrier_id", "user_id")) else None)
