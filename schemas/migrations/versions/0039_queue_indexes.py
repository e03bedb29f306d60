"""The indexes of the queue that serve jobs that are not due, or overdue, can serve no other query.

With old statistics, the planner took them for the order of turns: a claim then read all jobs of its queue.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

web_since = "0019"
workers_since = "0034"


def upgrade() -> None:
    for name in ("ix_queued_jobs_due", "ix_queued_jobs_hint"):
        op.drop_index(name, table_name="queued_jobs")
    _create("ix_queued_jobs_due", ["queue", "due_at"], "NOT is_due")
    _create("ix_queued_jobs_hint", ["queue", "hint_due_at"], "is_due AND hint_due_at < 'infinity'")


def downgrade() -> None:
    for name in ("ix_queued_jobs_due", "ix_queued_jobs_hint"):
        op.drop_index(name, table_name="queued_jobs")
    op.create_index("ix_queued_jobs_due", "queued_jobs", ["queue", "is_due", "due_at"])
    _create("ix_queued_jobs_hint", ["queue", "hint_due_at"], "is_due")


def _create(name: str, columns: list[str], condition: str) -> None:
    op.create_index(name, "queued_jobs", columns, postgresql_where=sa.text(condition))
