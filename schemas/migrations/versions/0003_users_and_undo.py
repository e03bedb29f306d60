"""Users and the numbers they have, what undo and review need, and which jobs touched a number (R2, R20, R27)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FILE: dict[str, sa.types.TypeEngine[Any]] = {
    "file_name": sa.Text(),
    "file_size": sa.BigInteger(),
    "file_sha256": sa.LargeBinary(),
}
OF_USERS = ("voice_user_id", "sms_user_id")


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.UUID(as_uuid=False), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("sms_enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("extension", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('pbx', 'trunk')", name=op.f("ck_users_kind")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_users_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("public_id", name=op.f("uq_users_public_id")),
    )
    op.create_index("ix_users_tenant_id", "users", ["tenant_id", "id"])
    op.create_index("uq_users_email", "users", ["tenant_id", sa.literal_column("lower(email)")], unique=True)
    for name in OF_USERS:
        op.add_column("phone_numbers", sa.Column(name, sa.Integer(), nullable=True))
        op.create_index(
            f"ix_phone_numbers_{name}", "phone_numbers", [name], postgresql_where=sa.text(f"{name} IS NOT NULL")
        )
    op.add_column(
        "phone_numbers", sa.Column("voice_forwarded", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_table(
        "number_events",
        sa.Column("e164", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("e164", "job_id", name=op.f("pk_number_events")),
    )
    for name, kind in FILE.items():
        op.alter_column("jobs", name, existing_type=kind, nullable=True)
    op.add_column("jobs", sa.Column("undo_of_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_jobs_undo_of_id"), "jobs", "jobs", ["undo_of_id"], ["id"])
    op.add_column("jobs", sa.Column("review", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("jobs", sa.Column("review_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_jobs_unsettled", "jobs", ["status"], postgresql_where=sa.text("status IN ('review', 'cancelling')")
    )
    op.add_column("job_chunks", sa.Column("image_key", sa.Text(), nullable=True))


def downgrade() -> None:
    """Jobs that were no uploads go, since the older tables cannot tell what they are."""
    op.drop_index("ix_jobs_unsettled", "jobs")
    op.drop_column("job_chunks", "image_key")
    op.execute("UPDATE jobs SET duplicate_of_id = NULL, undo_of_id = NULL")
    op.execute("DELETE FROM jobs WHERE kind <> 'upload'")
    for name in ("review_until", "review", "undo_of_id"):
        op.drop_column("jobs", name)
    for name, kind in FILE.items():
        op.alter_column("jobs", name, existing_type=kind, nullable=False)
    op.drop_table("number_events")
    for name in ("voice_forwarded", *OF_USERS):
        op.drop_column("phone_numbers", name)
    op.drop_table("users")
