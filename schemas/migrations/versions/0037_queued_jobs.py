"""The queue: which jobs have work items that wait, and which tenants have such jobs, in the order of their turns.

Triggers keep the jobs, so that processes of earlier releases, which do not know these tables, can add work items.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

web_since = "0019"
workers_since = "0034"

# A table of which every row is changed again and again.
VACUUM = "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500"
FUNCTIONS = (
    """
    CREATE FUNCTION queue_of_phase(phase text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE phase
            WHEN 'write' THEN 'chunks'
            WHEN 'report' THEN 'reports' WHEN 'render' THEN 'reports'
            WHEN 'callback' THEN 'callbacks'
            WHEN 'workbook' THEN 'workbooks'
            WHEN 'mail' THEN 'mails'
            WHEN 'preview' THEN 'previews'
            WHEN 'export' THEN 'exports'
            ELSE 'checking' END
    $$""",
    # In the order of their keys: transactions that enqueue the same jobs wait for each other, and in no circle.
    """
    CREATE FUNCTION enqueue_pending_items() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO queued_jobs AS queued (job_id, queue, tenant_id, turn, due_at, hint_due_at)
        SELECT jobs.id, queue_of_phase(changed.phase), jobs.tenant_id,
            coalesce((SELECT max(turn) FROM queued_jobs WHERE job_id = jobs.id), 0),
            min(changed.next_attempt_at), min(changed.hint_due_at)
        FROM changed JOIN jobs ON jobs.id = changed.job_id
        WHERE changed.state = 'pending'
        GROUP BY 1, 2, 3 ORDER BY 1, 2
        ON CONFLICT (job_id, queue) DO UPDATE SET
            due_at = CASE WHEN queued.is_due THEN queued.due_at ELSE least(queued.due_at, excluded.due_at) END,
            hint_due_at = least(queued.hint_due_at, excluded.hint_due_at);
        RETURN NULL;
    END $$""",
    # Chunks of a job under review wait for its confirmation; after a job has ended, only its messages and workbooks are
    # still made.
    """
    CREATE FUNCTION requeue_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.finished_at IS NOT NULL THEN
            DELETE FROM queued_jobs WHERE job_id = NEW.id AND queue NOT IN ('callbacks', 'workbooks', 'mails');
        ELSIF NEW.status = 'review' THEN
            UPDATE queued_jobs SET is_due = false, due_at = 'infinity'
            WHERE job_id = NEW.id AND queue IN ('checking', 'chunks', 'reports');
        ELSE
            INSERT INTO queued_jobs AS queued (job_id, queue, tenant_id, turn, due_at, hint_due_at)
            SELECT NEW.id, queue_of_phase(phase), NEW.tenant_id,
                coalesce((SELECT max(turn) FROM queued_jobs WHERE job_id = NEW.id), 0),
                min(next_attempt_at), min(hint_due_at)
            FROM job_chunks WHERE job_id = NEW.id AND state = 'pending' GROUP BY 2 ORDER BY 2
            ON CONFLICT (job_id, queue) DO UPDATE SET
                due_at = CASE WHEN queued.is_due THEN queued.due_at ELSE least(queued.due_at, excluded.due_at) END,
                hint_due_at = least(queued.hint_due_at, excluded.hint_due_at);
        END IF;
        RETURN NULL;
    END $$""",
)
TRIGGERS = (
    """
    CREATE TRIGGER enqueue_added AFTER INSERT ON job_chunks REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION enqueue_pending_items()""",
    """
    CREATE TRIGGER enqueue_changed AFTER UPDATE ON job_chunks REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION enqueue_pending_items()""",
    """
    CREATE TRIGGER requeue AFTER UPDATE OF status ON jobs FOR EACH ROW
        WHEN (OLD.status IS DISTINCT FROM NEW.status
            AND (OLD.status = 'review' OR NEW.status = 'review' OR NEW.finished_at IS NOT NULL))
        EXECUTE FUNCTION requeue_job()""",
)
INDEXES = {
    "ix_job_chunks_leased": (["phase", "lease_until"], "state = 'leased'"),
    "ix_job_chunks_pending": (["job_id", "number", "phase"], "state = 'pending'"),
}
JOB_INDEXES = {
    "ix_jobs_open_tenant": (["tenant_id", "id"], "finished_at IS NULL"),
    "ix_jobs_review_until": (["review_until"], "status = 'review'"),
}
# What waits already. A queue's first claim corrects what must not be claimed now, as of jobs under review.
ENQUEUE = """
    INSERT INTO queued_jobs (job_id, queue, tenant_id, turn, due_at, hint_due_at)
    SELECT jobs.id, queue_of_phase(phase), jobs.tenant_id, coalesce(max(turns.turn), 0), min(next_attempt_at),
        min(hint_due_at)
    FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id
    CROSS JOIN LATERAL (
        SELECT max(lease_token) AS turn FROM job_chunks AS earlier WHERE earlier.job_id = jobs.id) AS turns
    WHERE state = 'pending'
    GROUP BY 1, 2, 3"""


def upgrade() -> None:
    op.create_table(
        "queued_jobs",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("turn", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("is_due", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hint_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_queued_jobs_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "queue", name=op.f("pk_queued_jobs")),
    )
    op.create_table(
        "queued_tenants",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("is_waiting", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_queued_tenants_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "queue", name=op.f("pk_queued_tenants")),
    )
    for table in ("queued_jobs", "queued_tenants"):
        op.execute(f"ALTER TABLE {table} SET ({VACUUM})")
    is_due, is_waiting = sa.text("is_due"), sa.text("is_waiting")
    op.create_index(
        "ix_queued_jobs_turn", "queued_jobs", ["queue", "tenant_id", "turn", "job_id"], postgresql_where=is_due
    )
    op.create_index("ix_queued_jobs_due", "queued_jobs", ["queue", "is_due", "due_at"])
    op.create_index("ix_queued_jobs_hint", "queued_jobs", ["queue", "hint_due_at"], postgresql_where=is_due)
    op.create_index(
        "ix_queued_tenants_turn", "queued_tenants", ["queue", "turn", "tenant_id"], postgresql_where=is_waiting
    )
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)
    op.execute(ENQUEUE)
    for name, (columns, condition) in INDEXES.items():
        op.create_index(name, "job_chunks", columns, postgresql_where=sa.text(condition))
    op.drop_index("ix_job_chunks_open", table_name="job_chunks")
    for name, (columns, condition) in JOB_INDEXES.items():
        op.create_index(name, "jobs", columns, postgresql_where=sa.text(condition))


def downgrade() -> None:
    for name in reversed(JOB_INDEXES):
        op.drop_index(name, table_name="jobs")
    is_open = sa.text("state IN ('pending', 'leased')")
    op.create_index("ix_job_chunks_open", "job_chunks", ["state", "phase"], postgresql_where=is_open)
    for name in reversed(INDEXES):
        op.drop_index(name, table_name="job_chunks")
    for name, table in (("requeue", "jobs"), ("enqueue_changed", "job_chunks"), ("enqueue_added", "job_chunks")):
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for function in ("requeue_job()", "enqueue_pending_items()"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("queued_tenants")
    op.drop_table("queued_jobs")
    op.execute("DROP FUNCTION queue_of_phase(text)")
