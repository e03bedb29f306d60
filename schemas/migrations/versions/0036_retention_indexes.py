"""Indexes by which ended callbacks, e-mails and tokens, and counts of past days are found and removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

web_since = "0019"
workers_since = "0034"

ENDED = {
    "tokens": ("LEAST(revoked_at, expires_at)", "revoked_at IS NOT NULL OR expires_at IS NOT NULL"),
    "callbacks": ("COALESCE(delivered_at, given_up_at)", "delivered_at IS NOT NULL OR given_up_at IS NOT NULL"),
    "mails": ("ended_at", "ended_at IS NOT NULL"),
}


def upgrade() -> None:
    for table, (ended_at, has_ended) in ENDED.items():
        op.create_index(f"ix_{table}_ended", table, [sa.text(ended_at)], postgresql_where=sa.text(has_ended))
    op.create_index("ix_daily_holdings_day", "daily_holdings", ["day"])


def downgrade() -> None:
    op.drop_index("ix_daily_holdings_day", table_name="daily_holdings")
    for table in reversed(ENDED):
        op.drop_index(f"ix_{table}_ended", table_name=table)
