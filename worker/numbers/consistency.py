"""Whether what the inventory refers to exists: tenants, carriers, users and jobs; for `numberyard verify`."""

from __future__ import annotations

import sqlalchemy as sa

# One pass over all numbers; no other transaction waits for it.
_DANGLING = sa.text("""
    SELECT count(*) FILTER (WHERE holder.id IS NULL) AS "a holder that does not exist",
        count(*) FILTER (WHERE uploader.id IS NULL) AS "an uploader that does not exist",
        count(*) FILTER (WHERE NOT uploader.id = ANY (holder.path)) AS "an uploader that is not above the holder",
        count(*) FILTER (WHERE numbers.voice_carrier_id IS NOT NULL AND voice.id IS NULL
            OR numbers.sms_carrier_id IS NOT NULL AND sms.id IS NULL) AS "a carrier that does not exist",
        count(*) FILTER (WHERE numbers.voice_user_id IS NOT NULL AND voice_user.id IS NULL
            OR numbers.sms_user_id IS NOT NULL AND sms_user.id IS NULL) AS "a user that does not exist",
        count(*) FILTER (WHERE numbers.changed_job_id > latest.id) AS "a version by a job that does not exist"
    FROM phone_numbers AS numbers
    CROSS JOIN (SELECT coalesce(max(id), 0) AS id FROM jobs) AS latest
    LEFT JOIN tenants AS holder ON holder.id = numbers.holder_id
    LEFT JOIN tenants AS uploader ON uploader.id = numbers.uploader_id
    LEFT JOIN carriers AS voice ON voice.id = numbers.voice_carrier_id
    LEFT JOIN carriers AS sms ON sms.id = numbers.sms_carrier_id
    LEFT JOIN users AS voice_user ON voice_user.id = numbers.voice_user_id
    LEFT JOIN users AS sms_user ON sms_user.id = numbers.sms_user_id""")


def dangling(connection: sa.Connection) -> dict[str, int]:
    """Return how many numbers refer to something that does not exist, by what that is; only where there are some."""
    row = connection.execute(_DANGLING).one()
    return {name: count for name, count in row._mapping.items() if count}  # noqa: SLF001 - the documented way
