"""Repairs what is kept beside the numbers for lists and overviews: `holdings`, `tenant_countries`, `number_counts`.

Workers keep these rows with each number they write. Workers of a release before these tables, and hands that change
`phone_numbers` itself, do not: such numbers are missing from narrowed lists and counts.
"""

from __future__ import annotations

import sqlalchemy as sa
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from schemas.capabilities import CAPABILITY_NAMES
from schemas.database.tables import UNASSIGNED

_CODES = f"unnest(ARRAY{sorted(COUNTRY_CODE_TO_REGION_CODE)}) AS code ON starts_with(start, code::text)"
# What is missing from each table, or wrong in it: rows to be inserted. A count is the sum of its rows.
_MISSING = {
    "holdings": f"""
        SELECT * FROM (
            SELECT DISTINCT holder_id, uploader_id, coalesce(voice_carrier_id, 0), coalesce(sms_carrier_id, 0),
                {", ".join(CAPABILITY_NAMES)}, ({UNASSIGNED}) FROM phone_numbers) AS held
        EXCEPT SELECT * FROM holdings""",  # noqa: S608 - our own
    "tenant_countries": f"""
        SELECT line.id AS tenant_id, code::smallint AS calling_code
        FROM (SELECT DISTINCT holder_id, left(e164::text, 3) AS start FROM phone_numbers) AS held
        JOIN tenants ON tenants.id = held.holder_id CROSS JOIN unnest(tenants.path) AS line (id) JOIN {_CODES}
        EXCEPT SELECT tenant_id, calling_code FROM tenant_countries""",  # noqa: S608 - our own
    "number_counts": f"""
        SELECT tenant_id, dimension, key, is_unassigned, sum(count) FROM (
            SELECT line.id AS tenant_id, counted.dimension, counted.key, held.is_unassigned, held.count
            FROM (SELECT holder_id, left(e164::text, 3) AS start, coalesce(voice_carrier_id, 0) AS voice,
                    coalesce(sms_carrier_id, 0) AS sms, ({UNASSIGNED}) AS is_unassigned, count(*) AS count
                FROM phone_numbers GROUP BY 1, 2, 3, 4, 5) AS held
            JOIN tenants ON tenants.id = held.holder_id CROSS JOIN unnest(tenants.path) AS line (id) LEFT JOIN {_CODES}
            CROSS JOIN LATERAL (VALUES ('total', 0, true), ('held', 0, line.id = held.holder_id),
                ('code', code, code IS NOT NULL), ('carrier', voice, voice > 0), ('carrier', sms, sms > 0))
                AS counted (dimension, key, is_one)
            WHERE counted.is_one
            UNION ALL SELECT tenant_id, dimension, key, is_unassigned, -count FROM number_counts) AS both_sides
        GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0""",  # noqa: S608 - our own
}
_COLUMNS = {"number_counts": " (tenant_id, dimension, key, is_unassigned, count)"}


def missing(connection: sa.Connection) -> dict[str, int]:
    """Return how many rows of each table are missing or wrong. Reads all numbers; no other transaction waits."""
    counts = {name: f"SELECT count(*) FROM ({query}) AS rows" for name, query in _MISSING.items()}  # noqa: S608 - our own
    return {name: connection.execute(sa.text(query)).scalar_one() for name, query in counts.items()}


def repair(connection: sa.Connection) -> dict[str, int]:
    """Add what is missing, and correct the counts; return how many rows of each table were missing or wrong.

    Reads all numbers: about two seconds for a million. Writers of numbers wait meanwhile, readers do not.
    """
    connection.execute(sa.text("LOCK TABLE phone_numbers IN SHARE MODE"))
    inserted = {name: f"INSERT INTO {name}{_COLUMNS.get(name, '')} {query}" for name, query in _MISSING.items()}
    return {name: connection.execute(sa.text(query)).rowcount for name, query in inserted.items()}
