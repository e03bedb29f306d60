"""The phone numbers' table, written and looked up by the thousand.

No rules here; every caller has decided already. Scoping to a tenant's tree is done in `worker.infra.scope`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sqlalchemy as sa
from psycopg.errors import UniqueViolation

from schemas.tables import carriers, phone_numbers, tenants

COLUMNS: tuple[str, ...] = tuple(column.name for column in phone_numbers.columns)
_CHANGEABLE = ("holder_id", "voice_carrier_id", "sms_carrier_id", "voice", "sms", "fax", "changed_job_id")
_LOOKED_UP = {
    "e164": np.int64,
    "holder_id": np.int32,
    "uploader_id": np.int32,
    "voice": np.int8,
    "sms": np.int8,
    "fax": np.int8,
    "voice_carrier_id": np.int32,
    "sms_carrier_id": np.int32,
}


class ConflictError(Exception):
    """Another transaction was first: it created one of the numbers, or deleted what they refer to.

    The caller rolls back and decides anew; nothing was written.
    """


def look_up(connection: sa.Connection, numbers: np.ndarray, *, lock: bool) -> Mapping[str, np.ndarray]:
    """Which of some numbers (int64, ascending, at least one) exist: column name -> array, by ascending `e164`.

    Ids are int32 with 0 for NULL, capabilities int8.
    `lock` holds the rows until the transaction ends; in ascending order, so that two chunks never wait for each other.
    """
    # Handed over as one text: the driver's own way, number by number, takes as long as the search itself.
    array = sa.cast(sa.bindparam("numbers", type_=sa.Text), sa.ARRAY(sa.BigInteger))
    wanted = sa.func.unnest(array).table_valued("e164").render_derived()
    query = (
        sa.select(*(phone_numbers.c[name] for name in _LOOKED_UP))
        .join(wanted, phone_numbers.c.e164 == wanted.c.e164)
        # Says no more than the join, but lets the planner see that only a stretch of the index is concerned.
        .where(phone_numbers.c.e164.between(sa.bindparam("first"), sa.bindparam("last")))
        .order_by(phone_numbers.c.e164)
    )
    if lock:
        query = query.with_for_update(of=phone_numbers)
    wanted_numbers = {
        "numbers": f"{{{','.join(map(str, numbers.tolist()))}}}",
        "first": int(numbers[0]),
        "last": int(numbers[-1]),
    }
    found = connection.execute(query, wanted_numbers).all()
    columns = zip(*found, strict=True) if found else [()] * len(_LOOKED_UP)
    return {
        name: np.array([value or 0 for value in values], dtype=kind)
        for (name, kind), values in zip(_LOOKED_UP.items(), columns, strict=True)
    }


def hold(connection: sa.Connection, tenant_ids: Sequence[int], carrier_ids: Sequence[int]) -> None:
    """Keep tenants and carriers from being deleted until the transaction ends; `ConflictError` if one is gone already.

    This is the foreign key check of `phone_numbers`, made once per chunk instead of once per row.
    """
    for table, ids in ((tenants, tenant_ids), (carriers, carrier_ids)):
        query = sa.select(table.c.id).where(table.c.id.in_(ids)).order_by(table.c.id)
        if len(connection.execute(query.with_for_update(key_share=True, read=True)).all()) < len(ids):
            raise ConflictError


def create(connection: sa.Connection, rows: bytes) -> None:
    """COPY new numbers (CSV in the order of `COLUMNS`, sorted by number) straight into the table.

    `ConflictError` if one of them exists: the transaction is then lost and the caller starts it again.
    """
    try:
        _copy(connection, "phone_numbers", rows)
    except UniqueViolation as error:
        raise ConflictError from error


def update(connection: sa.Connection, rows: bytes) -> None:
    """Change numbers that `look_up` has locked (CSV in the order of `COLUMNS`)."""
    connection.execute(sa.text("CREATE TEMP TABLE IF NOT EXISTS staging (LIKE phone_numbers) ON COMMIT DELETE ROWS"))
    _copy(connection, "staging", rows)
    assignments = ", ".join(f"{name} = s.{name}" for name in _CHANGEABLE)
    statement = f"UPDATE phone_numbers n SET {assignments} FROM staging s WHERE n.e164 = s.e164"  # noqa: S608 - our names
    connection.execute(sa.text(statement))


def _copy(connection: sa.Connection, table: str, rows: bytes) -> None:
    raw = connection.connection.driver_connection
    if raw is None:
        raise ConnectionError("the database connection is closed")
    with raw.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT csv)") as copy:
        copy.write(rows)
