"""Which of its files a job still has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MARKS = ("keeps_chunks", "keeps_upload", "keeps_report")


def upgrade() -> None:
    for mark in MARKS:
        op.add_column("jobs", sa.Column(mark, sa.Boolean(), server_default=sa.true(), nullable=False))
        where = sa.text(f"{mark} AND finished_at IS NOT NULL")
        op.create_index(f"ix_jobs_{mark}", "jobs", ["finished_at"], postgresql_where=where)
    where = sa.text("undo_of_id IS NOT NULL AND finished_at IS NULL")
    op.create_index("ix_jobs_undoing", "jobs", ["undo_of_id"], postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_jobs_undoing", "jobs")
    for mark in MARKS:
        op.drop_column("jobs", mark)
