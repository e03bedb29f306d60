"""Tries that failed for want of a database or a storage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_chunks", sa.Column("setbacks", sa.Integer(), server_default="0", nullable=False))
    op.add_column("job_chunks", sa.Column("setback_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("job_chunks", "setback_since")
    op.drop_column("job_chunks", "setbacks")
