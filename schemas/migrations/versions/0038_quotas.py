"""Quotas of tenants, what they use, uploads that are being received, and what was counted for a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

web_since = "0019"
workers_since = "0034"

QUOTAS = ("requests_per_minute", "concurrent_uploads", "open_jobs", "rows_per_day", "stored_bytes")
COUNTED = ("counted_rows", "counted_bytes")


def upgrade() -> None:
    op.create_table(
        "tenant_quotas",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in QUOTAS),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        *(sa.CheckConstraint(f"{name} >= 0", name=op.f(f"ck_tenant_quotas_{name}")) for name in QUOTAS),
        _tenant("tenant_quotas"),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_tenant_quotas")),
    )
    op.create_table(
        "tenant_usage",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("quota", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quota IN ('rows_per_day', 'stored_bytes')", name=op.f("ck_tenant_usage_quota")),
        _tenant("tenant_usage"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_usage")),
    )
    op.create_index("ix_tenant_usage_tenant_id", "tenant_usage", ["tenant_id", "quota", "day"])
    op.create_table(
        "upload_slots",
        sa.Column("claim", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        _tenant("upload_slots"),
        sa.PrimaryKeyConstraint("claim", name=op.f("pk_upload_slots")),
    )
    op.create_index("ix_upload_slots_tenant_id", "upload_slots", ["tenant_id", "until"])
    op.create_index("ix_upload_slots_until", "upload_slots", ["until"])
    for name in COUNTED:
        op.add_column("jobs", sa.Column(name, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for name in reversed(COUNTED):
        op.drop_column("jobs", name)
    for table in ("upload_slots", "tenant_usage", "tenant_quotas"):
        op.drop_table(table)


def _tenant(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_tenant_id")
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=name, ondelete="CASCADE")
