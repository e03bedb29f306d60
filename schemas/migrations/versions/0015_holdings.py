"""Which kinds of numbers each tenant holds, in a table of their own; numbers by holder and kind instead of by kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UNASSIGNED = "(holder_id = uploader_id) IS TRUE AND voice_user_id IS NULL AND sms_user_id IS NULL"
_IDS = "((uploader_id << 28) # (coalesce(voice_carrier_id, 0) << 16)) # (coalesce(sms_carrier_id, 0) << 4)"
_REST = f"(((({_IDS}) # (voice::int << 3)) # (sms::int << 2)) # (fax::int << 1)) # ({UNASSIGNED})::int"
KIND = f"(holder_id::bigint << 32) # ({_REST})"
KIND_BEFORE = (
    "(coalesce(voice_carrier_id, 0)::bigint << 33) + (coalesce(sms_carrier_id, 0)::bigint << 4) "
    f"+ (voice::int << 3) + (sms::int << 2) + (fax::int << 1) + ({UNASSIGNED})::int"
)


def upgrade() -> None:
    # Nothing may be written that is not looked at here. Locked at once as far as the change of indexes needs.
    op.execute("LOCK TABLE phone_numbers")
    op.create_table(
        "holdings",
        *(
            sa.Column(name, sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False)
            for name in ("holder_id", "uploader_id")
        ),
        *(sa.Column(f"{name}_carrier_id", sa.Integer, nullable=False) for name in ("voice", "sms")),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("voice", "sms", "fax", "is_unassigned")),
        sa.PrimaryKeyConstraint(
            *("holder_id", "uploader_id", "voice_carrier_id", "sms_carrier_id", "voice", "sms", "fax", "is_unassigned")
        ),
    )
    op.execute(f"""
        INSERT INTO holdings
        SELECT DISTINCT holder_id, uploader_id, coalesce(voice_carrier_id, 0), coalesce(sms_carrier_id, 0),
            voice, sms, fax, {UNASSIGNED}
        FROM phone_numbers""")  # noqa: S608 - our own
    op.execute("DROP INDEX IF EXISTS ix_phone_numbers_holder")  # of 0014, while it had one
    op.drop_index("ix_phone_numbers_kind", "phone_numbers")
    op.execute(f"CREATE INDEX ix_phone_numbers_kind ON phone_numbers (({KIND}), e164)")
    # Of expressions nothing is known before.
    op.execute("ANALYZE phone_numbers, holdings")


def downgrade() -> None:
    op.drop_index("ix_phone_numbers_kind", "phone_numbers")
    op.execute(f"CREATE INDEX ix_phone_numbers_kind ON phone_numbers (({KIND_BEFORE}), e164)")
    op.drop_table("holdings")
