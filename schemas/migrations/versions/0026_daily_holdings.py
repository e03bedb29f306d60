"""Numbers held at the end of each day, for the report."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counted_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_counted_days")),
    )
    op.create_table(
        "daily_holdings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("voice_carrier_id", sa.Integer(), nullable=True),
        sa.Column("voice", sa.Boolean(), nullable=False),
        sa.Column("sms", sa.Boolean(), nullable=False),
        sa.Column("fax", sa.Boolean(), nullable=False),
        sa.Column("numbers", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["counted_days.day"], name=op.f("fk_daily_holdings_day"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["tenants.id"], name=op.f("fk_daily_holdings_holder_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_holdings")),
    )
    op.create_index("ix_daily_holdings_holder_id", "daily_holdings", ["holder_id", "day"])


def downgrade() -> None:
    op.drop_table("daily_holdings")
    op.drop_table("counted_days")
