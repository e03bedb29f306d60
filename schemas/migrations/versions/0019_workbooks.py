"""Workbook reports are built as work items of their own."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

PHASES = ("check", "validate", "cut", "write", "report", "render", "callback")


def upgrade() -> None:
    _allow((*PHASES, "workbook"))


def downgrade() -> None:
    # The older release builds workbooks when they are requested; the files stay until the report expires.
    op.execute("DELETE FROM job_chunks WHERE phase = 'workbook'")
    _allow(PHASES)


def _allow(phases: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_job_chunks_phase"), "job_chunks", type_="check")
    listed = ", ".join(f"'{phase}'" for phase in phases)
    op.create_check_constraint(op.f("ck_job_chunks_phase"), "job_chunks", f"phase IN ({listed})")
