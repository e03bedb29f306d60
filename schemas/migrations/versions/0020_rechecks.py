"""Uploads can be checked again under another column mapping: the description of their columns, and how often (R31)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("rechecks", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "file_descriptions",
        sa.Column("job_id", sa.BigInteger, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("description", JSONB, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("file_descriptions")
    op.drop_column("jobs", "rechecks")
