"""Indexes for the lists of numbers: by holder in two halves, by kind; and users by how their names begin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UNASSIGNED = "(holder_id = uploader_id) IS TRUE AND voice_user_id IS NULL AND sms_user_id IS NULL"
ASSIGNED = "holder_id <> uploader_id OR voice_user_id IS NOT NULL OR sms_user_id IS NOT NULL"
KIND = (
    "(coalesce(voice_carrier_id, 0)::bigint << 33) + (coalesce(sms_carrier_id, 0)::bigint << 4) "
    f"+ (voice::int << 3) + (sms::int << 2) + (fax::int << 1) + ({UNASSIGNED})::int"
)
BESIDE = ["voice_carrier_id", "sms_carrier_id", "voice", "sms", "fax"]


def upgrade() -> None:
    for name, columns, where in (
        ("unassigned", ["holder_id", "e164"], UNASSIGNED),
        ("assigned", ["holder_id", "uploader_id", "e164"], ASSIGNED),
    ):
        op.create_index(
            f"ix_phone_numbers_{name}",
            "phone_numbers",
            columns,
            postgresql_include=BESIDE,
            postgresql_where=sa.text(where),
        )
    op.execute(f"CREATE INDEX ix_phone_numbers_kind ON phone_numbers (({KIND}), e164)")
    op.drop_index("ix_phone_numbers_holder_e164", "phone_numbers")
    for name in ("name", "email"):
        op.execute(f"CREATE INDEX ix_users_{name} ON users (lower({name}) text_pattern_ops)")
    # Of expressions nothing is known before.
    op.execute("ANALYZE phone_numbers, users")


def downgrade() -> None:
    for name in ("name", "email"):
        op.drop_index(f"ix_users_{name}", "users")
    op.create_index("ix_phone_numbers_holder_e164", "phone_numbers", ["holder_id", "e164"])
    for name in ("kind", "assigned", "unassigned"):
        op.drop_index(f"ix_phone_numbers_{name}", "phone_numbers")
