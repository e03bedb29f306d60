"""The changes of the inventory, in the order of their commits (R34).

Old workers may go on meanwhile, but what they write is missing from the changes: stop them, as the guide says.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "number_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("paths", postgresql.JSONB(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_changes")),
    )
    # It is compressed already.
    op.execute("ALTER TABLE number_changes ALTER COLUMN content SET STORAGE EXTERNAL")
    op.create_table(
        "number_change_positions",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "position", name=op.f("pk_number_change_positions")),
    )
    op.create_index(
        op.f("ix_number_change_positions_change_id"), "number_change_positions", ["change_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("number_change_positions")
    op.drop_table("number_changes")
