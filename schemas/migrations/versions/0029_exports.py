"""Exports as jobs: their work item (R34)."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

PHASES = (
    "check",
    "validate",
    "cut",
    "write",
    "report",
    "render",
    "callback",
    "workbook",
    "mail",
    "correct",
    "preview",
)


def upgrade() -> None:
    _allow((*PHASES, "export"))


def downgrade() -> None:
    # The older release cannot show them; the cleaning round removes their files.
    op.execute("DELETE FROM jobs WHERE kind = 'export'")
    op.execute("DELETE FROM job_chunks WHERE phase = 'export'")
    _allow(PHASES)


def _allow(phases: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_job_chunks_phase"), "job_chunks", type_="check")
    listed = ", ".join(f"'{phase}'" for phase in phases)
    op.create_check_constraint(op.f("ck_job_chunks_phase"), "job_chunks", f"phase IN ({listed})")
