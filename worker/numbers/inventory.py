"""Bulk reads and writes of the table of phone numbers.

No rules: every caller has checked permissions. `worker.database.tenant_scope` limits queries to a tenant's tree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import sqlalchemy as sa
from psycopg.errors import UniqueViolation
from sqlalchemy.exc import IntegrityError

from schemas.arrow_schemas import STATE
from schemas.capabilities import CAPABILITY_NAMES
from schemas.database.tables import carriers, holdings, phone_numbers, tenants, users
from worker.config.settings import get_settings
from worker.database import query_spans
from worker.numbers import copy_binary

PRIMARY_KEY = "pk_phone_numbers"  # name of the constraint
COLUMNS: tuple[str, ...] = tuple(column.name for column in phone_numbers.columns)
# Columns that a job may change in an existing number; the others never change.
RESTORED = "restored_job_id"
CHANGEABLE = (*(name for name in STATE.names if name not in {"created_job_id", "uploader_id"}), RESTORED)
# What a lookup returns of each number, packed into bigints: one column, two ids, or flags from the lowest bit on.
# 25,000 numbers packed like this take the server 22 ms, with one array per column 38 ms.
_PACKED: tuple[tuple[str, ...], ...] = (
    ("created_job_id",),
    ("changed_job_id",),
    ("holder_id", "uploader_id"),
    ("voice_carrier_id", "sms_carrier_id"),
    ("voice_user_id", "sms_user_id"),
    (*CAPABILITY_NAMES, "voice_forwarded"),
)
# A kind of numbers that a tenant holds is a tuple of these columns' values; carriers are 0 for none.
HOLDING_COLUMNS: tuple[str, ...] = tuple(column.name for column in holdings.columns)
_DTYPES = {field.name: field.type.to_pandas_dtype() for field in STATE}
# Redundant with the join by number, but it shows the planner that only a part of the index is needed.
_RANGE = b"AND n.e164 BETWEEN %s AND %s"


class ConflictError(Exception):
    """Another transaction has created or changed one of the numbers, or deleted a row that they refer to.

    The caller rolls back and decides again; nothing was written.
    """


def look_up(
    connection: sa.Connection, numbers: np.ndarray, *, lock: bool, columns: Collection[str] = STATE.names
) -> Mapping[str, np.ndarray]:
    """Look up which numbers (int64, ascending, at least one) exist: column name -> array, ascending by `e164`.

    The columns are `e164` and those of `schemas.arrow_schemas.STATE`, with 0 for NULL and false; columns that are not
    in `columns` may be all 0. `lock` locks the rows until the transaction ends, in ascending order to avoid deadlocks
    between chunks.
    """
    parts = [names for names in _PACKED if not set(columns).isdisjoint(names)]
    aggregated = ", ".join(f"array_agg(part{index})" for index in range(len(parts)))
    packed = ", ".join(f"{_packed(names)} AS part{index}" for index, names in enumerate(parts))
    # One binary array per part: fetching row by row takes the driver longer than the query.
    query = f"""SELECT array_agg(e164), {aggregated} FROM (
            SELECT n.e164, {packed} FROM phone_numbers n
            WHERE n.e164 = ANY(%s::bigint[]) {_RANGE.decode()} ORDER BY n.e164 {"FOR UPDATE" if lock else ""}) found
        """  # noqa: S608 - constants
    with copy_binary.cursor_of(connection) as cursor:
        cursor.execute(query.encode(), _range_of(numbers), binary=True)
        e164, *arrays = cursor.fetchone() or (None,)
    looked_up = {"e164": copy_binary.bigints_of(e164)}
    values = {name: array for names, part in zip(parts, arrays, strict=True) for name, array in _unpacked(names, part)}
    return looked_up | {
        name: values.get(name, np.zeros(len(looked_up["e164"]), dtype)) for name, dtype in _DTYPES.items()
    }


def _packed(names: tuple[str, ...]) -> str:
    """Return the SQL that packs several columns into one bigint."""
    if _is_flag(names[0]):
        return f"({' + '.join(f'(n.{name}::int << {bit})' for bit, name in enumerate(names))})::bigint"
    ids = [f"coalesce(n.{name}, 0)::bigint" for name in names]
    return f"({ids[0]} << 32 | {ids[1]})" if len(ids) > 1 else ids[0]


def _unpacked(names: tuple[str, ...], part: object) -> Iterator[tuple[str, np.ndarray]]:
    if _is_flag(names[0]):
        flags = copy_binary.bigints_of(part).astype(np.int8)
        return zip(names, (flags >> bit & 1 for bit in range(len(names))), strict=True)
    return zip(names, copy_binary.pairs_of(part) if len(names) > 1 else (copy_binary.bigints_of(part),), strict=True)


def _is_flag(name: str) -> bool:
    return isinstance(phone_numbers.c[name].type, sa.Boolean)


def hold(
    connection: sa.Connection, tenant_ids: Sequence[int], carrier_ids: Sequence[int], user_ids: Sequence[int] = ()
) -> None:
    """Lock tenants, carriers and users against deletion until the transaction ends.

    `ConflictError` if one does not exist any more. This replaces the foreign key checks of `phone_numbers`: once per
    chunk instead of once per row.
    """
    for table, ids in ((tenants, tenant_ids), (carriers, carrier_ids), (users, user_ids)):
        if not ids:
            continue
        query = sa.select(table.c.id).where(table.c.id.in_(ids)).order_by(table.c.id)
        if len(connection.execute(query.with_for_update(key_share=True, read=True)).all()) < len(ids):
            raise ConflictError


def hold_unchanged(connection: sa.Connection, numbers: np.ndarray, stamps: np.ndarray) -> None:
    """Lock numbers (int64, ascending) until the transaction ends, as `look_up` does.

    `ConflictError` if one is gone or has another version (`changed_job_id`, int64) than expected: number and version
    identify one state (R27). A row that another transaction held is compared in its state after the wait.
    """
    statement = b"""SELECT count(*) FROM (
            SELECT FROM phone_numbers n JOIN unnest(%s::bigint[], %s::bigint[]) AS w (e164, stamp) USING (e164)
            WHERE n.changed_job_id = w.stamp AND n.e164 BETWEEN %s AND %s ORDER BY n.e164 FOR UPDATE OF n) held"""
    with copy_binary.cursor_of(connection) as cursor:
        cursor.execute(statement, (numbers, stamps, *_range_of(numbers)[1:]))
        if cursor.fetchone() != (len(numbers),):
            raise ConflictError


def slots(connection: sa.Connection, user_ids: Sequence[int], *, lock: bool) -> dict[int, int]:
    """Return the number that each user has as its own or as Default DID: user id -> number (R2).

    `lock` locks the users until the transaction ends, in ascending order: other assignments of such a number wait.
    """
    ids = sorted(user_ids)
    if lock:
        locked_users = sa.select(users.c.id).where(users.c.id.in_(ids)).order_by(users.c.id)
        connection.execute(locked_users.with_for_update(key_share=True))
    number = phone_numbers.c
    slots_in_use = sa.select(number.voice_user_id, number.e164).where(
        number.voice_user_id.in_(ids), sa.not_(number.voice_forwarded)
    )
    return {row.voice_user_id: row.e164 for row in connection.execute(slots_in_use)}


def create(connection: sa.Connection, columns: Sequence[str], rows: bytes) -> None:
    """COPY new numbers (`copy_binary.copy_rows` of these columns, sorted by number) straight into the table.

    `ConflictError` if one of them exists: the transaction is then aborted and the caller starts it again.
    """
    with conflicts():
        copy_into(connection, "phone_numbers", columns, rows)


@contextmanager
def conflicts() -> Iterator[None]:
    """Raise `ConflictError` if the block creates a number that exists."""
    try:
        yield
    except (UniqueViolation, IntegrityError) as error:
        violated = error.orig if isinstance(error, IntegrityError) else error
        if isinstance(violated, UniqueViolation) and violated.diag.constraint_name == PRIMARY_KEY:
            raise ConflictError from error
        raise


def update(connection: sa.Connection, columns: Sequence[str], numbers: np.ndarray, rows: bytes) -> None:
    """Change locked numbers (int64, ascending).

    `rows` are `copy_binary.copy_rows` of these columns, which must include `e164` and all of `CHANGEABLE`.
    """
    _stage(connection, columns, rows)
    assignments = ", ".join(f"{name} = s.{name}" for name in CHANGEABLE)
    statement = f"""UPDATE phone_numbers n SET {assignments} FROM staging s
        WHERE n.e164 = s.e164 {_RANGE.decode()}"""  # noqa: S608 - constants
    with copy_binary.cursor_of(connection) as cursor:
        cursor.execute(statement.encode(), _range_of(numbers)[1:])


def delete(connection: sa.Connection, numbers: np.ndarray) -> None:
    """Delete locked numbers (int64, ascending)."""
    statement = b"DELETE FROM phone_numbers n USING unnest(%s::bigint[]) AS w (e164) WHERE n.e164 = w.e164 " + _RANGE
    with copy_binary.cursor_of(connection) as cursor:
        cursor.execute(statement, _range_of(numbers))


def note(connection: sa.Connection, numbers: np.ndarray, job_id: int) -> None:
    """Add the job to the histories of numbers that it changed. Once per number and job."""
    statement = b"INSERT INTO number_events (e164, job_id) SELECT w, %s FROM unnest(%s::bigint[]) AS w"
    with copy_binary.cursor_of(connection) as cursor:
        cursor.execute(statement, (job_id, numbers))


def note_holdings(connection: sa.Connection, kinds: Collection[tuple[int, ...]]) -> None:
    """Add the kinds (values of `HOLDING_COLUMNS`) of the transaction's numbers to the table of holdings, if new.

    Call it last: another transaction that adds the same holding waits until this one ends, and must not hold a lock
    that this one needs. Rows are written in ascending order to avoid deadlocks.
    """
    if not kinds:
        return
    columns = ", ".join(HOLDING_COLUMNS)
    arrays = ", ".join(f"%s::{'int' if name.endswith('_id') else 'boolean'}[]" for name in HOLDING_COLUMNS)
    statement = f"""INSERT INTO holdings ({columns}) SELECT * FROM unnest({arrays}) AS w ({columns})
        ORDER BY {columns} ON CONFLICT DO NOTHING"""  # noqa: S608 - constants
    with copy_binary.cursor_of(connection) as cursor:
        cursor.execute(statement.encode(), [list(values) for values in zip(*kinds, strict=True)])


def _range_of(numbers: np.ndarray) -> tuple[np.ndarray, int, int]:
    return numbers, int(numbers[0]), int(numbers[-1])


def _stage(connection: sa.Connection, columns: Sequence[str], rows: bytes) -> None:
    staged_columns = ", ".join(("e164", *CHANGEABLE))
    # Same columns as the numbers, but without constraints. Kept for the next transaction, unless that may meet another
    # version of the tables: a pooler keeps connections longer than a process lives.
    shape = f"SELECT {staged_columns} FROM phone_numbers WHERE false"  # noqa: S608 - constants
    connection.execute(sa.text(f"CREATE TEMP TABLE IF NOT EXISTS staging ON COMMIT {at_commit()} AS {shape}"))
    copy_into(connection, "staging", columns, rows)


def at_commit() -> str:
    """Return what becomes of a temporary table when its transaction ends."""
    return "DROP" if get_settings().database_pooled else "DELETE ROWS"


def copy_into(connection: sa.Connection, table: str, columns: Sequence[str], rows: bytes) -> None:
    """COPY rows (`copy_binary.copy_rows` of these columns) into a table."""
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)"
    with (
        query_spans.span(f"COPY {table}"),
        copy_binary.cursor_of(connection) as cursor,
        cursor.copy(statement.encode()) as copy,
    ):
        copy.write(rows)
