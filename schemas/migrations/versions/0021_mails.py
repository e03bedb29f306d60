"""E-mails about jobs: who started a job, which events an admin gets an e-mail for, and the e-mails themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

PHASES = ("check", "validate", "cut", "write", "report", "render", "callback", "workbook")
EVENTS = ("finished", "failed", "review")


def upgrade() -> None:
    for event in EVENTS:
        op.add_column(
            "admins", sa.Column(f"mail_{event}", sa.Boolean(), server_default=sa.text("false"), nullable=False)
        )
    op.add_column("jobs", sa.Column("created_by_admin_id", sa.Integer()))
    _mails()
    _allow((*PHASES, "mail"))


def downgrade() -> None:
    op.execute("DELETE FROM job_chunks WHERE phase = 'mail'")
    _allow(PHASES)
    op.drop_table("mails")
    op.drop_column("jobs", "created_by_admin_id")
    for event in EVENTS:
        op.drop_column("admins", f"mail_{event}")


def _mails() -> None:
    op.create_table(
        "mails",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("admin_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("result", sa.Text()),
        sa.CheckConstraint("event IN ('finished', 'failed', 'review')", name=op.f("ck_mails_event")),
        sa.CheckConstraint("(ended_at IS NULL) = (result IS NULL)", name=op.f("ck_mails_ended")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_mails_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_mails_tenant_id")),
        sa.PrimaryKeyConstraint("job_id", "event", name=op.f("pk_mails")),
    )
    op.create_index(
        "ix_mails_tenant_id_counted_at",
        "mails",
        ["tenant_id", "counted_at"],
        postgresql_where=sa.text("counted_at IS NOT NULL"),
    )


def _allow(phases: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_job_chunks_phase"), "job_chunks", type_="check")
    listed = ", ".join(f"'{phase}'" for phase in phases)
    op.create_check_constraint(op.f("ck_job_chunks_phase"), "job_chunks", f"phase IN ({listed})")
