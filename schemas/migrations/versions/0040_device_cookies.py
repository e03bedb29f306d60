"""Attempts at signing in by address and network, and the browsers in which people have signed in before.

Web processes of earlier releases go on counting in `sign_in_failures`, which a later release removes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

web_since = "0019"
workers_since = "0034"


def upgrade() -> None:
    now = sa.text("now()")
    op.create_table(
        "sign_in_attempts",
        sa.Column("email_hash", sa.LargeBinary(), nullable=False),
        sa.Column("source_hash", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("allowed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("email_hash", "source_hash", name=op.f("pk_sign_in_attempts")),
    )
    op.create_index("ix_sign_in_attempts_last_at", "sign_in_attempts", ["last_at"])
    op.create_table(
        "device_cookies",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("admin_id", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.ForeignKeyConstraint(
            ["admin_id"], ["admins.id"], name=op.f("fk_device_cookies_admin_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", "admin_id", name=op.f("pk_device_cookies")),
    )
    op.create_index("ix_device_cookies_admin_id", "device_cookies", ["admin_id"])
    op.create_index("ix_device_cookies_signed_in_at", "device_cookies", ["signed_in_at"])


def downgrade() -> None:
    op.drop_table("device_cookies")
    op.drop_table("sign_in_attempts")
