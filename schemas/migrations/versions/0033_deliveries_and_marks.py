"""Subscriptions: the last delivery, failures since, where it ended. Changes of numbers: marks of their positions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

# Of subscriptions from before, as far as their messages are kept.
DELIVERED = """
    UPDATE webhooks SET delivered_at =
        (SELECT max(ended_at) FROM webhook_messages WHERE webhook_id = webhooks.id AND state = 'delivered')"""


# Messages about numbers go on where the last one ended.
SENT = "UPDATE webhooks SET sent_position = cursor_position, sent_count = cursor_count"
PREVIOUS = """
    UPDATE webhook_messages SET previous_position = after_position, previous_count = after_count
    WHERE kind = 'numbers'"""
MARK = "(random() * 2147483646)::integer + 1"


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("webhooks", sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
    op.execute(DELIVERED)
    op.add_column("webhooks", sa.Column("sent_position", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("webhooks", sa.Column("sent_count", sa.Integer(), server_default="0", nullable=False))
    op.execute(SENT)
    op.add_column("webhook_messages", sa.Column("previous_position", sa.BigInteger(), nullable=True))
    op.add_column("webhook_messages", sa.Column("previous_count", sa.Integer(), nullable=True))
    op.execute(PREVIOUS)
    mark = sa.Column("mark", sa.Integer(), server_default=sa.text(MARK), nullable=False)
    op.add_column("number_change_positions", mark)  # a mark for each row, as random() is volatile


def downgrade() -> None:
    op.drop_column("number_change_positions", "mark")
    for name in ("previous_count", "previous_position"):
        op.drop_column("webhook_messages", name)
    for name in ("sent_count", "sent_position", "failures", "delivered_at"):
        op.drop_column("webhooks", name)
