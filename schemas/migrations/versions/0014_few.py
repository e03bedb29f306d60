"""An index by holder, capabilities and carriers: whether a tree has any numbers with these, and which, if few."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_phone_numbers_holder",
        "phone_numbers",
        ["holder_id", "voice_carrier_id", "sms_carrier_id", "voice", "sms", "fax"],
        postgresql_where=sa.text("holder_id::bigint <> 0"),
    )


def downgrade() -> None:
    op.drop_index("ix_phone_numbers_holder", "phone_numbers")
