"""Corrections of uploads under review, and previews of them (R33)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

PHASES = ("check", "validate", "cut", "write", "report", "render", "callback", "workbook", "mail")

# Of entries [outcome, code, rows, first row]: one for each outcome and code.
LEFT_OUT_AS_BLANK = """
    UPDATE {table} SET tally = jsonb_set(tally, '{{results}}', (
        SELECT jsonb_agg(jsonb_build_array(outcome, code, rows, first_row)) FROM (
            SELECT entry->0 AS outcome,
                CASE entry->>1 WHEN 'LEFT_OUT' THEN '"BLANK_ROW"'::jsonb ELSE entry->1 END AS code,
                sum((entry->>2)::bigint) AS rows, min((entry->>3)::bigint) AS first_row
            FROM jsonb_array_elements(tally->'results') AS entry GROUP BY 1, 2) AS merged))
    WHERE tally->'results' @> '[["skipped", "LEFT_OUT"]]'"""


def upgrade() -> None:
    _allow((*PHASES, "correct", "preview"))
    op.add_column("jobs", sa.Column("corrections", sa.Integer(), server_default="0", nullable=False))
    op.add_column("job_chunks", sa.Column("check_token", sa.BigInteger()))
    op.create_table(
        "corrections",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("is_removed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_corrections_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_corrections")),
    )
    op.create_table(
        "correction_previews",
        sa.Column("number", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("answer", JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_correction_previews_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_correction_previews")),
    )
    op.create_index(op.f("ix_correction_previews_job_id"), "correction_previews", ["job_id"])


def downgrade() -> None:
    op.drop_table("correction_previews")
    op.drop_table("corrections")
    op.drop_column("jobs", "corrections")
    op.drop_column("job_chunks", "check_token")
    op.execute("DELETE FROM job_chunks WHERE phase IN ('correct', 'preview')")
    # The older release refuses to show a review with more than it knows.
    op.execute("UPDATE jobs SET review = review - 'faults' WHERE review ? 'faults'")
    # A code that the older release does not know; it counts these rows as skipped like empty ones.
    for table in ("jobs", "job_chunks"):
        op.execute(LEFT_OUT_AS_BLANK.format(table=table))


def _allow(phases: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_job_chunks_phase"), "job_chunks", type_="check")
    listed = ", ".join(f"'{phase}'" for phase in phases)
    op.create_check_constraint(op.f("ck_job_chunks_phase"), "job_chunks", f"phase IN ({listed})")
