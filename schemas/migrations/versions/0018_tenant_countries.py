"""Which calling codes the numbers of each tenant and of those below it have, in a table of their own (R14c)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# Calling codes of one and of two digits; all others have three, and none is the beginning of another (ITU-T E.164).
ONE_DIGIT = "17"
TWO_DIGITS = (
    20, 27, 30, 31, 32, 33, 34, 36, 39, *range(40, 42), *range(43, 50), *range(51, 59), *range(60, 67),
    81, 82, 84, 86, *range(90, 96), 98,
)  # fmt: skip
DIGITS = f"""CASE WHEN left(start, 1) IN ({", ".join(f"'{code}'" for code in ONE_DIGIT)}) THEN 1
    WHEN left(start, 2) IN ({", ".join(f"'{code}'" for code in TWO_DIGITS)}) THEN 2 ELSE 3 END"""


def upgrade() -> None:
    # A number written meanwhile by an older worker would be missing from the table; reading goes on.
    op.execute("LOCK TABLE phone_numbers IN SHARE MODE")
    op.create_table(
        "tenant_countries",
        sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
        sa.Column("calling_code", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "calling_code"),
    )
    op.execute(f"""
        INSERT INTO tenant_countries
        SELECT DISTINCT line.tenant_id, left(start, {DIGITS})::smallint
        FROM (SELECT DISTINCT holder_id, left(e164::text, 3) AS start FROM phone_numbers) AS held
        JOIN tenants ON tenants.id = held.holder_id
        CROSS JOIN unnest(tenants.path) AS line (tenant_id)""")  # noqa: S608 - our own
    op.execute("ANALYZE tenant_countries")


def downgrade() -> None:
    op.drop_table("tenant_countries")
