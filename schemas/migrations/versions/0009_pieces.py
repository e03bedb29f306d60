"""When a piece of work was done, and what its stages took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_chunks", sa.Column("seconds", postgresql.JSONB(), nullable=True))
    op.add_column("job_chunks", sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("job_chunks", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in ("ended_at", "claimed_at", "seconds"):
        op.drop_column("job_chunks", name)
