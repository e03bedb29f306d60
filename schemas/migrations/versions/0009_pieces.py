"""Large files are validated and rendered in pieces; and what each piece took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PHASES = ("check", "write", "report", "callback")
PHASES_NOW = ("check", "validate", "cut", "write", "report", "render", "callback")
TIMES = ("claimed_at", "ended_at")


def upgrade() -> None:
    _rename("chunks_left", "pieces_left")
    op.add_column("jobs", sa.Column("read_token", sa.BigInteger(), nullable=True))
    op.execute("UPDATE jobs SET read_token = check_token WHERE check_token IS NOT NULL")
    for name in TIMES:
        op.add_column("job_chunks", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("job_chunks", sa.Column("seconds", JSONB(), nullable=True))
    _allow(PHASES_NOW)


def downgrade() -> None:
    # The older release looks for the rows beside the check. Those of a file that was checked in pieces stand elsewhere:
    # its job would fail after everything is written, and could not be undone.
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM jobs WHERE finished_at IS NULL AND read_token <> check_token) THEN "
        "RAISE EXCEPTION 'Jobs whose files were checked in pieces have not ended; let them end, or cancel them.'; "
        "END IF; END $$"
    )
    # What else is in pieces begins anew as one. Of reports that are kept in parts the older release shows the first. It
    # adds up the tallies of all pieces, so the report's must not be one of them.
    op.execute(
        "UPDATE job_chunks c SET state = 'pending', lease_until = NULL, next_attempt_at = now(), hint_due_at = now(), "
        "attempt = 0, tally = NULL "
        "FROM jobs j, job_chunks p WHERE j.id = c.job_id AND j.finished_at IS NULL "
        "AND p.job_id = c.job_id AND p.state <> 'done' AND (c.phase, p.phase) IN "
        "(('check', 'validate'), ('check', 'cut'), ('report', 'render'))"
    )
    op.execute("DELETE FROM job_chunks WHERE phase IN ('validate', 'cut', 'render')")
    _allow(PHASES)
    for name in ("seconds", *TIMES):
        op.drop_column("job_chunks", name)
    op.drop_column("jobs", "read_token")
    _rename("pieces_left", "chunks_left")


def _rename(old: str, new: str) -> None:
    """By a new column: PostgreSQL 18 names a constraint after the old one, and earlier releases have none to rename."""
    op.add_column("jobs", sa.Column(new, sa.Integer(), server_default="0", nullable=False))
    op.execute(f"UPDATE jobs SET {new} = {old} WHERE finished_at IS NULL")  # noqa: S608 - our names
    op.drop_column("jobs", old)


def _allow(phases: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_job_chunks_phase"), "job_chunks", type_="check")
    listed = ", ".join(f"'{phase}'" for phase in phases)
    op.create_check_constraint(op.f("ck_job_chunks_phase"), "job_chunks", f"phase IN ({listed})")
