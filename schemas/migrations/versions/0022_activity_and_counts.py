"""Jobs by tenant and time, for lists of jobs with filters; counts of numbers, for the overview."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

UNASSIGNED = "(holder_id = uploader_id) IS TRUE AND voice_user_id IS NULL AND sms_user_id IS NULL"
# Calling codes of one and of two digits; all others have three, and none is the beginning of another (ITU-T E.164).
ONE_DIGIT = "17"
TWO_DIGITS = (
    20, 27, 30, 31, 32, 33, 34, 36, 39, *range(40, 42), *range(43, 50), *range(51, 59), *range(60, 67),
    81, 82, 84, 86, *range(90, 96), 98,
)  # fmt: skip
DIGITS = f"""CASE WHEN left(start, 1) IN ({", ".join(f"'{code}'" for code in ONE_DIGIT)}) THEN 1
    WHEN left(start, 2) IN ({", ".join(f"'{code}'" for code in TWO_DIGITS)}) THEN 2 ELSE 3 END"""


def upgrade() -> None:
    op.create_index("ix_jobs_tenant_created", "jobs", ["tenant_id", "created_at", "id"])
    op.create_index("ix_jobs_created", "jobs", ["created_at", "id"])
    # Numbers written meanwhile by an older worker would not be counted; reading goes on.
    op.execute("LOCK TABLE phone_numbers IN SHARE MODE")
    op.create_table(
        "number_counts",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("key", sa.Integer, nullable=False),
        sa.Column("is_unassigned", sa.Boolean, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "dimension IN ('total', 'held', 'code', 'carrier')", name=op.f("ck_number_counts_dimension")
        ),
    )
    op.execute(f"""
        INSERT INTO number_counts (tenant_id, dimension, key, is_unassigned, count)
        SELECT line.tenant_id, counted.dimension, counted.key, held.is_unassigned, sum(held.count)
        FROM (SELECT holder_id, left(e164::text, 3) AS start, coalesce(voice_carrier_id, 0) AS voice,
                coalesce(sms_carrier_id, 0) AS sms, ({UNASSIGNED}) AS is_unassigned, count(*) AS count
            FROM phone_numbers GROUP BY 1, 2, 3, 4, 5) AS held
        JOIN tenants ON tenants.id = held.holder_id
        CROSS JOIN unnest(tenants.path) AS line (tenant_id)
        CROSS JOIN LATERAL (VALUES ('total', 0, true), ('held', 0, line.tenant_id = held.holder_id),
            ('code', left(start, {DIGITS})::int, true), ('carrier', held.voice, held.voice > 0),
            ('carrier', held.sms, held.sms > 0)) AS counted (dimension, key, is_one)
        WHERE counted.is_one GROUP BY 1, 2, 3, 4""")  # noqa: S608 - our own
    op.create_index("ix_number_counts_tenant_id", "number_counts", ["tenant_id", "dimension"])
    op.execute("ANALYZE number_counts")


def downgrade() -> None:
    op.drop_table("number_counts")
    op.drop_index("ix_jobs_created", "jobs")
    op.drop_index("ix_jobs_tenant_created", "jobs")
