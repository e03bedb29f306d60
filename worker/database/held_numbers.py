"""Repairs what is kept beside the numbers for lists and overviews: `holdings`, `tenant_countries`, `number_counts`.

Workers keep these rows with each number they write. Workers of a release before these tables, and hands that change
`phone_numbers` itself, do not: such numbers are missing from narrowed lists and counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from schemas.capabilities import CAPABILITY_NAMES
from schemas.database.tables import UNASSIGNED

_CODES = f"unnest(ARRAY{sorted(COUNTRY_CODE_TO_REGION_CODE)}) AS code ON starts_with(start, code::text)"
_HOLDINGS = f"""
    INSERT INTO holdings
    SELECT DISTINCT holder_id, uploader_id, coalesce(voice_carrier_id, 0), coalesce(sms_carrier_id, 0),
        {", ".join(CAPABILITY_NAMES)}, ({UNASSIGNED}) FROM phone_numbers
    ON CONFLICT DO NOTHING"""  # noqa: S608 - our own
_COUNTRIES = f"""
    INSERT INTO tenant_countries (tenant_id, calling_code)
    SELECT DISTINCT line.id, code
    FROM (SELECT DISTINCT holder_id, left(e164::text, 3) AS start FROM phone_numbers) AS held
    JOIN tenants ON tenants.id = held.holder_id CROSS JOIN unnest(tenants.path) AS line (id) JOIN {_CODES}
    ON CONFLICT DO NOTHING"""  # noqa: S608 - our own
# The differences, as rows of their own: a count is the sum of its rows.
_COUNTS = f"""
    INSERT INTO number_counts (tenant_id, dimension, key, is_unassigned, count)
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
    GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0"""  # noqa: S608 - our own


@dataclass(frozen=True)
class Repaired:
    """How many rows of each table were missing or wrong."""

    holdings: int
    tenant_countries: int
    number_counts: int


def repair(connection: sa.Connection) -> Repaired:
    """Add what is missing, and correct the counts.

    Reads all numbers: about two seconds for a million. Writers of numbers wait meanwhile, readers do not.
    """
    connection.execute(sa.text("LOCK TABLE phone_numbers IN SHARE MODE"))
    return Repaired(*(connection.execute(sa.text(query)).rowcount for query in (_HOLDINGS, _COUNTRIES, _COUNTS)))
