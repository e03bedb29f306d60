"""The phone numbers' table, written and looked up by the thousand.

No rules here; every caller has decided already. Scoping to a tenant's tree is done in `worker.infra.scope`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from psycopg import Cursor
from psycopg.errors import UniqueViolation
from pyarrow import csv

from schemas.results import STATE
from schemas.tables import carriers, phone_numbers, tenants, users

COLUMNS: tuple[str, ...] = tuple(column.name for column in phone_numbers.columns)
# What a job may make of a number that exists; the rest stays for good.
CHANGEABLE = tuple(name for name in STATE.names if name not in {"created_job_id", "uploader_id"})
_FOUND = pa.schema([("e164", pa.int64()), *STATE])
# Says no more than a join by number, but lets the planner see that only a stretch of the index is concerned.
_RANGE = b"AND n.e164 BETWEEN %s AND %s"


class ConflictError(Exception):
    """Another transaction was first: it created one of the numbers, or deleted what they refer to.

    The caller rolls back and decides anew; nothing was written.
    """


def look_up(connection: sa.Connection, numbers: np.ndarray, *, lock: bool) -> Mapping[str, np.ndarray]:
    """Which of some numbers (int64, ascending, at least one) exist: column name -> array, by ascending `e164`.

    The columns are `e164` and those of `schemas.results.STATE`, with 0 for NULL and false.
    `lock` holds the rows until the transaction ends; in ascending order, so that two chunks never wait for each other.
    """
    columns = [f"coalesce(n.{name}::{'int' if _is_flag(name) else 'bigint'}, 0)" for name in STATE.names]
    query = f"""WITH found AS MATERIALIZED (
            SELECT concat_ws(',', n.e164, {", ".join(columns)}) AS line
            FROM phone_numbers n JOIN unnest(%s::bigint[]) AS w (e164) USING (e164)
            WHERE true {_RANGE.decode()} ORDER BY n.e164 {"FOR UPDATE OF n" if lock else ""})
        SELECT string_agg(line, E'\n') FROM found"""  # noqa: S608 - our names
    # Asked with one text, and answered with one: row by row the driver takes longer than the search itself.
    with _cursor(connection) as cursor:
        cursor.execute(query.encode(), _range_of(numbers))
        found = cursor.fetchone()
    if found is None or found[0] is None:
        return {field.name: np.zeros(0, field.type.to_pandas_dtype()) for field in _FOUND}
    table = csv.read_csv(
        io.BytesIO(str(found[0]).encode()),
        read_options=csv.ReadOptions(column_names=_FOUND.names),
        convert_options=csv.ConvertOptions(column_types=_FOUND),
    )
    return {name: table.column(name).to_numpy() for name in _FOUND.names}


def _is_flag(name: str) -> bool:
    return isinstance(phone_numbers.c[name].type, sa.Boolean)


def hold(
    connection: sa.Connection, tenant_ids: Sequence[int], carrier_ids: Sequence[int], user_ids: Sequence[int] = ()
) -> None:
    """Keep tenants, carriers and users from being deleted until the transaction ends.

    `ConflictError` if one is gone already. This is the foreign key check of `phone_numbers`, made once per chunk
    instead of once per row.
    """
    for table, ids in ((tenants, tenant_ids), (carriers, carrier_ids), (users, user_ids)):
        query = sa.select(table.c.id).where(table.c.id.in_(ids)).order_by(table.c.id)
        if len(connection.execute(query.with_for_update(key_share=True, read=True)).all()) < len(ids):
            raise ConflictError


def slots(connection: sa.Connection, user_ids: Sequence[int], *, lock: bool) -> dict[int, int]:
    """The number that each of some users has as its own, or as Default DID: user -> number (R2).

    `lock` holds the users until the transaction ends, in ascending order: whoever else would give them one waits.
    """
    ids = sorted(user_ids)
    if lock:
        held = sa.select(users.c.id).where(users.c.id.in_(ids)).order_by(users.c.id)
        connection.execute(held.with_for_update(key_share=True))
    number = phone_numbers.c
    taken = sa.select(number.voice_user_id, number.e164).where(
        number.voice_user_id.in_(ids), sa.not_(number.voice_forwarded)
    )
    return {row.voice_user_id: row.e164 for row in connection.execute(taken)}


def create(connection: sa.Connection, columns: Sequence[str], rows: bytes) -> None:
    """COPY new numbers (CSV with these columns, sorted by number) straight into the table.

    `ConflictError` if one of them exists: the transaction is then lost and the caller starts it again.
    """
    try:
        _copy(connection, "phone_numbers", columns, rows)
    except UniqueViolation as error:
        raise ConflictError from error


def update(connection: sa.Connection, columns: Sequence[str], numbers: np.ndarray, rows: bytes) -> None:
    """Change numbers (int64, ascending) that `look_up` has locked.

    `rows` is CSV with these columns, `e164` and all of `CHANGEABLE` among them.
    """
    _stage(connection, columns, rows)
    assignments = ", ".join(f"{name} = s.{name}" for name in CHANGEABLE)
    statement = f"""UPDATE phone_numbers n SET {assignments} FROM staging s
        WHERE n.e164 = s.e164 {_RANGE.decode()}"""  # noqa: S608 - our names
    with _cursor(connection) as cursor:
        cursor.execute(statement.encode(), _range_of(numbers)[1:])


def delete(connection: sa.Connection, numbers: np.ndarray) -> None:
    """Remove numbers (int64, ascending) that `look_up` has locked."""
    statement = b"DELETE FROM phone_numbers n USING unnest(%s::bigint[]) AS w (e164) WHERE n.e164 = w.e164 " + _RANGE
    with _cursor(connection) as cursor:
        cursor.execute(statement, _range_of(numbers))


def note(connection: sa.Connection, numbers: np.ndarray, job_id: int) -> None:
    """Write into the numbers' histories that the job changed them. Each number once per job."""
    statement = b"INSERT INTO number_events (e164, job_id) SELECT w, %s FROM unnest(%s::bigint[]) AS w"
    with _cursor(connection) as cursor:
        cursor.execute(statement, (job_id, _as_text(numbers)))


def _as_text(numbers: np.ndarray) -> str:
    """Numbers as one array literal: the driver's own way, number by number, takes as long as a search for them."""
    return f"{{{','.join(map(str, numbers.tolist()))}}}"


def _range_of(numbers: np.ndarray) -> tuple[str, int, int]:
    return _as_text(numbers), int(numbers[0]), int(numbers[-1])


def _stage(connection: sa.Connection, columns: Sequence[str], rows: bytes) -> None:
    wanted = ", ".join(("e164", *CHANGEABLE))
    # Shaped like the numbers, but with nothing that has to be filled in.
    shape = f"SELECT {wanted} FROM phone_numbers WHERE false"  # noqa: S608 - our names
    connection.execute(sa.text(f"CREATE TEMP TABLE IF NOT EXISTS staging ON COMMIT DELETE ROWS AS {shape}"))
    _copy(connection, "staging", columns, rows)


def _copy(connection: sa.Connection, table: str, columns: Sequence[str], rows: bytes) -> None:
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)"
    with _cursor(connection) as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(rows)


def _cursor(connection: sa.Connection) -> Cursor[tuple[object, ...]]:
    raw = connection.connection.driver_connection
    if raw is None:
        raise ConnectionError("the database connection is closed")
    cursor: Cursor[tuple[object, ...]] = raw.cursor()
    return cursor
