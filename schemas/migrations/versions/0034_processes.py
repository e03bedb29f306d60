"""Processes register with their version; work items go to workers that know the tables, and to no others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

web_since = "0019"
workers_since = "0034"

CHECK = "state <> 'leased' OR coalesce(worker_token = lease_token AND worker_version >= 34, false)"
# Also of a worker that still runs: its commit finds the lease lost, and the work item is done again.
RELEASE_LEASES = """
    UPDATE job_chunks SET state = 'pending', lease_until = NULL, attempt = greatest(attempt - 1, 0),
        next_attempt_at = now(), hint_due_at = now()
    WHERE state = 'leased'"""


def upgrade() -> None:
    op.create_table(
        "schema_versions",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("workers_since", sa.Text(), nullable=False),
        sa.Column("web_since", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("repaired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_schema_versions")),
    )
    op.create_table(
        "processes",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("schema_version", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('web', 'worker')", name=op.f("ck_processes_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.add_column("job_chunks", sa.Column("worker_version", sa.Integer(), nullable=True))
    op.add_column("job_chunks", sa.Column("worker_token", sa.BigInteger(), nullable=True))
    op.execute(RELEASE_LEASES)  # after a change of the table, which keeps others from claiming
    op.create_check_constraint(op.f("ck_job_chunks_worker_version"), "job_chunks", CHECK)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_job_chunks_worker_version"), "job_chunks", type_="check")
    op.execute(RELEASE_LEASES)
    op.drop_column("job_chunks", "worker_token")
    op.drop_column("job_chunks", "worker_version")
    op.drop_table("processes")
    op.drop_table("schema_versions")
