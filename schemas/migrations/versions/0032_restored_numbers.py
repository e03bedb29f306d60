"""The undo that restored a number: its state and version are those from before, but it has changed since (R27)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("phone_numbers", sa.Column("restored_job_id", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("phone_numbers", "restored_job_id")
