"""Puts what was decided about a chunk's numbers into the inventory, inside the caller's transaction.

Decides nothing: what to write was decided by `resolve`. Never commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from sqlalchemy import Connection

from schemas.arrow_schemas import STATE
from worker.arrays.distinct import distinct_ids, distinct_rows
from worker.numbers import copy_binary, inventory, isolate_refused, tree_countries
from worker.phone import region
from worker.stages.resolving.model import Decisions, Numbers

# What every new number has; the other columns only where a user is given the number at once, or it is brought back.
_PLAIN = tuple(name for name in inventory.COLUMNS if name not in {"voice_user_id", "sms_user_id", "voice_forwarded"})
_STAGED = ("e164", *inventory.CHANGEABLE)
_CODE_BITS = 10  # a calling code has at most three digits
_CODE_MASK = (1 << _CODE_BITS) - 1
_TYPES = {field.name: field.type.to_pandas_dtype() for field in STATE}


def write(connection: Connection, decided: Decisions, job_id: int) -> None:
    """Create, update and delete numbers, and note in their histories which job did.

    `inventory.ConflictError` if another transaction created or changed one of them meanwhile, or deleted what they
    refer to.
    """
    _hold(connection, decided)
    if len(decided.update):
        inventory.update(connection, _STAGED, decided.update.e164, _encoded(decided.update, _STAGED))
    if len(decided.delete):
        inventory.delete(connection, decided.delete)
    if len(decided.create):
        columns = _columns(decided.create)
        inventory.create(connection, columns, _encoded(decided.create, columns))
    note(connection, decided, job_id)


def write_singly(connection: Connection, decided: Decisions, most: int) -> isolate_refused.Refused:
    """As `write`, but leave out and return the numbers that the database refuses; `note` is left to the caller.

    Stops once `most` or more are refused.
    """
    _hold(connection, decided)
    refused = isolate_refused.NONE
    if len(decided.update):
        refused += isolate_refused.update(connection, _STAGED, _encoded(decided.update, _STAGED), most)
    if len(decided.delete):
        refused += isolate_refused.delete(connection, decided.delete, most)
    if len(decided.create):
        columns = _columns(decided.create)
        refused += isolate_refused.create(connection, columns, _encoded(decided.create, columns), most)
    return refused


def note(connection: Connection, decided: Decisions, job_id: int) -> None:
    """Note in the histories of numbers which job changed them, and the kinds that they are of."""
    if decided.images.num_rows:
        # Numbers name the job that created them; what is in their histories came later.
        made = decided.create.e164[decided.create.state["created_job_id"] == job_id]
        changed = np.setdiff1d(decided.images.column("e164").to_numpy(), made, assume_unique=True)
        if len(changed):
            inventory.note(connection, changed, job_id)
    both = (decided.create, decided.update)
    inventory.note_holdings(connection, _holdings(both))
    tree_countries.note(connection, {pair for part in both if len(part) for pair in _countries_of(part)})


def _holdings(parts: Sequence[Numbers]) -> set[inventory.Holding]:
    return {holding for part in parts if len(part) for holding in _holdings_of(part)}


def _holdings_of(numbers: Numbers) -> Iterator[inventory.Holding]:
    """The kinds that the numbers are of; `is_unassigned` is `schemas.database.tables.UNASSIGNED`."""
    state = numbers.state
    is_unassigned = state["holder_id"] == state["uploader_id"]
    for user in ("voice_user_id", "sms_user_id"):
        is_unassigned &= state[user] == 0
    ids = [state[name] for name in ("holder_id", "uploader_id", "voice_carrier_id", "sms_carrier_id")]
    columns = [*ids, *(state[name] != 0 for name in ("voice", "sms", "fax")), is_unassigned]
    places = distinct_rows(columns)
    return (inventory.Holding(*row) for row in zip(*(column[places].tolist() for column in columns), strict=True))


def _countries_of(numbers: Numbers) -> Iterator[tuple[int, int]]:
    """Yield the distinct pairs of holder and calling code of the numbers (R14c)."""
    codes = region.calling_code_numbers(numbers.e164)
    pairs = numbers.state["holder_id"].astype(np.int64) << _CODE_BITS | codes
    # The numbers ascend, so equal pairs mostly follow each other: what is left to sort is little.
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    distinct = np.unique(pairs[starts]).tolist()
    return ((pair >> _CODE_BITS, code) for pair in distinct if (code := pair & _CODE_MASK))


def _hold(connection: Connection, decided: Decisions) -> None:
    """Hold what is written, and what it refers to, until the transaction ends."""
    if not decided.held:
        _hold_unchanged(connection, decided)
    both = (decided.create, decided.update)
    inventory.hold(
        connection,
        _distinct(both, "holder_id"),
        _distinct(both, "voice_carrier_id", "sms_carrier_id"),
        _distinct(both, "voice_user_id", "sms_user_id"),
    )


def _hold_unchanged(connection: Connection, decided: Decisions) -> None:
    """Hold the numbers that existed when they were decided about, and see to it that they are as they were."""
    existed = decided.images.column("existed").to_numpy() != 0
    if existed.any():
        numbers, stamps = (decided.images.column(name).to_numpy()[existed] for name in ("e164", "changed_job_id"))
        inventory.hold_unchanged(connection, numbers, stamps)


def _columns(numbers: Numbers) -> Sequence[str]:
    """The columns to be filled in for new numbers."""
    has_users = any(numbers.state[name].any() for name in ("voice_user_id", "sms_user_id"))
    return inventory.COLUMNS if has_users else _PLAIN


def _distinct(parts: Sequence[Numbers], *columns: str) -> list[int]:
    return sorted({found for part in parts for column in columns for found in distinct_ids(part.state[column])})


def _encoded(numbers: Numbers, columns: Sequence[str]) -> bytes:
    """The rows as COPY reads them, in binary: twice as fast made as text, and the server takes either alike."""
    return copy_binary.copy_rows([_field(numbers, name) for name in columns])


def _field(numbers: Numbers, name: str) -> copy_binary.Field:
    if name == "e164":
        return copy_binary.bigints(numbers.e164)
    if name == "country":
        return copy_binary.texts(region.REGIONS, region.regions_of(numbers.e164))
    values = numbers.state[name]
    if _TYPES[name] == np.int8:
        return copy_binary.booleans(values)
    if _TYPES[name] == np.int64:
        return copy_binary.bigints(values)
    # Id 0 stands for "none" between the stages and for NULL in the table.
    return copy_binary.integers(values, values == 0 if name.endswith(("carrier_id", "user_id")) else None)
