"""Subscriptions: the last delivery, and how many attempts have failed since."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

# Of subscriptions from before, as far as their messages are kept.
DELIVERED = """
    UPDATE webhooks SET delivered_at =
        (SELECT max(ended_at) FROM webhook_messages WHERE webhook_id = webhooks.id AND state = 'delivered')"""


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("webhooks", sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
    op.execute(DELIVERED)


def downgrade() -> None:
    for name in ("failures", "delivered_at"):
        op.drop_column("webhooks", name)
