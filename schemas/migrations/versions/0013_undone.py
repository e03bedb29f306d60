"""What undid a job is looked up long after: all undos are in the index, not only those under way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_jobs_undo_of_id", "jobs", ["undo_of_id"], postgresql_where=sa.text("undo_of_id IS NOT NULL"))
    op.drop_index("ix_jobs_undoing", "jobs")


def downgrade() -> None:
    where = sa.text("undo_of_id IS NOT NULL AND finished_at IS NULL")
    op.create_index("ix_jobs_undoing", "jobs", ["undo_of_id"], postgresql_where=where)
    op.drop_index("ix_jobs_undo_of_id", "jobs")
