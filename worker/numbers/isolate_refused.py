"""Writes numbers although the database refuses some: finds and returns the refused ones, and writes all others.

The database refuses a whole statement and does not always name the row. So numbers are written in small groups, each in
a subtransaction, and a refused group is repeated number by number: n numbers with k refused ones cost O(n + k)
statements, all inside the server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from worker.config.errors import HIDDEN, VALUES
from worker.database.engine import REFUSALS
from worker.numbers import copy_binary, inventory

# A larger group saves subtransactions, a smaller one saves repeated rows.
_GROUP = 32
_TABLES = (
    "CREATE TEMP TABLE IF NOT EXISTS apart ON COMMIT {at_commit} AS SELECT * FROM phone_numbers WHERE false",
    # Unique, so that the planner expects one row per number, as in `phone_numbers`.
    "CREATE UNIQUE INDEX IF NOT EXISTS ix_apart_e164 ON apart (e164)",
    "CREATE TEMP TABLE IF NOT EXISTS refused (e164 bigint, reason text) ON COMMIT {at_commit}",
    "TRUNCATE apart, refused",
)
# Errors that do not refuse a row are raised again: a number that exists by now, a lost lock, a full disk.
_IS_REFUSAL = f"sqlstate ~ '^({'|'.join(REFUSALS)})' AND broken <> '{inventory.PRIMARY_KEY}'"


def _without_values(message: str) -> str:
    """Return the SQL for a message without the values that it quotes."""
    for values in VALUES:
        pattern = values.replace("'", "''")
        message = f"regexp_replace({message}, '{pattern}', '{HIDDEN}', 'g')"
    return message


# The first line of the server's message without values, as reasons go into the log.
_MESSAGE = rf"left(split_part({_without_values('sqlerrm')}, E'\n', 1), 200)"
_SINGLY = """DO $$
DECLARE
    numbers bigint[];
    single bigint;
    broken text;
    refusals bigint := 0;
BEGIN
    FOR numbers IN
        SELECT array_agg(e164)
        FROM (SELECT e164, (row_number() OVER (ORDER BY e164) - 1) / {group} AS part FROM apart) parts
        GROUP BY part ORDER BY part
    LOOP
        EXIT WHEN refusals >= {most};
        BEGIN
            {write_group};
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
            IF NOT ({is_refusal}) THEN RAISE; END IF;
            FOREACH single IN ARRAY numbers LOOP
                BEGIN
                    {write_single};
                EXCEPTION WHEN OTHERS THEN
                    GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
                    IF NOT ({is_refusal}) THEN RAISE; END IF;
                    INSERT INTO refused VALUES (single, concat_ws(' ', sqlstate, nullif(broken, ''), {message}));
                    refusals := refusals + 1;
                END;
            END LOOP;
        END;
    END LOOP;
END $$"""


@dataclass(frozen=True)
class Refused:
    """The numbers (int64, ascending) that the database refuses, and how many for each reason."""

    numbers: NDArray[np.int64]
    reasons: Counter[str]

    def __add__(self, other: Refused) -> Refused:
        numbers = np.union1d(self.numbers, other.numbers)
        return Refused(numbers, self.reasons + other.reasons)


NONE = Refused(np.zeros(0, np.int64), Counter())


def create(connection: sa.Connection, columns: Sequence[str], rows: bytes, most: int) -> Refused:
    """Create numbers like `inventory.create`, except for those that the database refuses.

    Stops once `most` or more are refused. `ConflictError` if a number exists.
    """
    names = ", ".join(columns)
    statement = f"INSERT INTO phone_numbers ({names}) SELECT {names} FROM apart WHERE e164 "  # noqa: S608 - constants
    with inventory.conflicts():
        return _write(connection, columns, rows, statement, most)


def update(connection: sa.Connection, columns: Sequence[str], rows: bytes, most: int) -> Refused:
    """Change locked numbers like `inventory.update`, except for those that the database refuses."""
    changes = ", ".join(f"{name} = s.{name}" for name in inventory.CHANGEABLE)
    statement = f"UPDATE phone_numbers n SET {changes} FROM apart s WHERE n.e164 = s.e164 AND s.e164 "  # noqa: S608
    return _write(connection, columns, rows, statement, most)


def delete(connection: sa.Connection, numbers: NDArray[np.int64], most: int) -> Refused:
    """Delete locked numbers like `inventory.delete`, except for those that the database refuses."""
    rows = copy_binary.copy_rows([copy_binary.bigints(numbers)])
    return _write(connection, ("e164",), rows, "DELETE FROM phone_numbers WHERE e164 ", most)


def _write(connection: sa.Connection, columns: Sequence[str], rows: bytes, statement: str, most: int) -> Refused:
    """Run a statement for all rows that the database accepts. `statement` ends before the condition on the number."""
    for prepare in _TABLES:
        connection.exec_driver_sql(prepare.format(at_commit=inventory.at_commit()))
    inventory.copy_into(connection, "apart", columns, rows)
    block = _SINGLY.format(
        group=_GROUP,
        most=most,
        is_refusal=_IS_REFUSAL,
        message=_MESSAGE,
        write_group=f"{statement} = ANY (numbers)",
        write_single=f"{statement} = single",
    )
    connection.exec_driver_sql(block)
    refused = connection.exec_driver_sql("SELECT e164, reason FROM refused ORDER BY e164").all()
    return Refused(np.array([row.e164 for row in refused], np.int64), Counter(str(row.reason) for row in refused))
