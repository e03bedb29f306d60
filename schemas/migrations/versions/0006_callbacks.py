"""Callbacks: whom to tell that a job has ended, every try, and what they are signed with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PHASES = "phase IN ('check', 'write', 'report')"
PHASES_NOW = "phase IN ('check', 'write', 'report', 'callback')"


def upgrade() -> None:
    _allow(PHASES_NOW)
    op.create_table(
        "callbacks",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.UUID(as_uuid=False), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("delivered_at IS NULL OR given_up_at IS NULL", name=op.f("ck_callbacks_one_end")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_callbacks_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_callbacks_tenant_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_callbacks")),
        sa.UniqueConstraint("public_id", name=op.f("uq_callbacks_public_id")),
    )
    op.create_index("ix_callbacks_tenant_id", "callbacks", ["tenant_id", "job_id"])
    op.create_table(
        "callback_deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["callbacks.job_id"], name=op.f("fk_callback_deliveries_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_deliveries")),
    )
    op.create_index("ix_callback_deliveries_job_id", "callback_deliveries", ["job_id", "id"])
    op.create_table(
        "callback_secrets",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("length(secret) BETWEEN 24 AND 64", name=op.f("ck_callback_secrets_secret")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_callback_secrets_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_secrets")),
    )
    op.create_index("ix_callback_secrets_tenant_id", "callback_secrets", ["tenant_id"])
    op.create_index(
        "uq_callback_secrets_current",
        "callback_secrets",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("until IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("callback_secrets")
    op.drop_table("callback_deliveries")
    op.drop_table("callbacks")
    op.execute("DELETE FROM job_chunks WHERE phase = 'callback'")
    _allow(PHASES)


def _allow(phases: str) -> None:
    """Change which kinds of work there are."""
    op.drop_constraint(op.f("ck_job_chunks_phase"), "job_chunks", type_="check")
    op.create_check_constraint(op.f("ck_job_chunks_phase"), "job_chunks", phases)
