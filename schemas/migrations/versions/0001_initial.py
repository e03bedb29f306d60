"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("lease_tokens", data_type=sa.BigInteger)))
    op.create_table(
        "phone_numbers",
        sa.Column("e164", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_job_id", sa.BigInteger(), nullable=False),
        sa.Column("changed_job_id", sa.BigInteger(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("uploader_id", sa.Integer(), nullable=False),
        sa.Column("voice_carrier_id", sa.Integer(), nullable=True),
        sa.Column("sms_carrier_id", sa.Integer(), nullable=True),
        sa.Column("voice", sa.Boolean(), nullable=False),
        sa.Column("sms", sa.Boolean(), nullable=False),
        sa.Column("fax", sa.Boolean(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.CheckConstraint("e164 BETWEEN 1000000 AND 999999999999999", name=op.f("ck_phone_numbers_e164")),
        sa.PrimaryKeyConstraint("e164", name=op.f("pk_phone_numbers")),
    )
    op.create_index("ix_phone_numbers_holder_e164", "phone_numbers", ["holder_id", "e164"], unique=False)
    op.create_table(
        "tenants",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.UUID(as_uuid=False), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("path", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("allow_external_numbers", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("default_voice_carrier_id", sa.Integer(), nullable=True),
        sa.Column("default_sms_carrier_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'master_reseller') = (parent_id IS NULL)", name=op.f("ck_tenants_one_root")),
        sa.CheckConstraint("kind IN ('master_reseller', 'reseller', 'enterprise')", name=op.f("ck_tenants_kind")),
        sa.ForeignKeyConstraint(["parent_id"], ["tenants.id"], name=op.f("fk_tenants_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("public_id", name=op.f("uq_tenants_public_id")),
    )
    op.create_index("ix_tenants_path", "tenants", ["path"], unique=False, postgresql_using="gin")
    op.create_index("uq_tenants_parent_name", "tenants", ["parent_id", sa.literal_column("lower(name)")], unique=True)
    op.create_table(
        "admins",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_admins_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admins")),
        sa.UniqueConstraint("email", name=op.f("uq_admins_email")),
    )
    op.create_table(
        "carriers",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.UUID(as_uuid=False), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("service IN ('voice', 'sms')", name=op.f("ck_carriers_service")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_carriers_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carriers")),
        sa.UniqueConstraint("public_id", name=op.f("uq_carriers_public_id")),
    )
    op.create_index(
        "uq_carriers_name", "carriers", ["tenant_id", "service", sa.literal_column("lower(name)")], unique=True
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.UUID(as_uuid=False), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_size", sa.BigInteger(), nullable=False),
        sa.Column("file_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("file_facts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("rows_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("chunks_left", sa.Integer(), server_default="0", nullable=False),
        sa.Column("check_token", sa.BigInteger(), nullable=True),
        sa.Column("tally", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("problem", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("duplicate_of_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["duplicate_of_id"], ["jobs.id"], name=op.f("fk_jobs_duplicate_of_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_jobs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("public_id", name=op.f("uq_jobs_public_id")),
    )
    op.create_index("ix_jobs_tenant_id", "jobs", ["tenant_id", "id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.UUID(as_uuid=False), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tokens_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
        sa.UniqueConstraint("public_id", name=op.f("uq_tokens_public_id")),
    )
    op.create_table(
        "job_chunks",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("lease_token", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("hint_due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("result_key", sa.Text(), nullable=True),
        sa.Column("tally", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name=op.f("ck_job_chunks_lease")),
        sa.CheckConstraint("phase IN ('check', 'write', 'report')", name=op.f("ck_job_chunks_phase")),
        sa.CheckConstraint("state IN ('pending', 'leased', 'done', 'dead')", name=op.f("ck_job_chunks_state")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_chunks_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "phase", "number", name=op.f("pk_job_chunks")),
    )
    op.create_index(
        "ix_job_chunks_open",
        "job_chunks",
        ["state", "phase"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'leased')"),
    )
    op.create_foreign_key(
        op.f("fk_tenants_default_sms_carrier_id"), "tenants", "carriers", ["default_sms_carrier_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_tenants_default_voice_carrier_id"), "tenants", "carriers", ["default_voice_carrier_id"], ["id"]
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_tenants_default_sms_carrier_id"), "tenants")
    op.drop_constraint(op.f("fk_tenants_default_voice_carrier_id"), "tenants")
    op.drop_index(
        "ix_job_chunks_open", table_name="job_chunks", postgresql_where=sa.text("state IN ('pending', 'leased')")
    )
    op.drop_table("job_chunks")
    op.drop_table("tokens")
    op.drop_index("ix_jobs_tenant_id", table_name="jobs")
    op.drop_table("jobs")
    op.drop_index("uq_carriers_name", table_name="carriers")
    op.drop_table("carriers")
    op.drop_table("admins")
    op.drop_index("uq_tenants_parent_name", table_name="tenants")
    op.drop_index("ix_tenants_path", table_name="tenants", postgresql_using="gin")
    op.drop_table("tenants")
    op.drop_index("ix_phone_numbers_holder_e164", table_name="phone_numbers")
    op.drop_table("phone_numbers")
    op.execute(sa.schema.DropSequence(sa.Sequence("lease_tokens")))
