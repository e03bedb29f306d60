"""Jobs: the request that submitted them, for logs and traces."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

web_since = "0019"
workers_since = "0034"


def upgrade() -> None:
    for name in ("request_id", "traceparent"):
        op.add_column("jobs", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("traceparent", "request_id"):
        op.drop_column("jobs", name)
