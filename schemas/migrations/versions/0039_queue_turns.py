"""The queue enters jobs that it forgot, in better turns; its indexes serve only the queries they are meant for.

E-mails and workbooks that waited for a review were forgotten; many small jobs kept a large one of their tenant waiting.
With old statistics, the planner took the indexes of jobs that are not due, or overdue, for the order of turns: a claim
then read all jobs of its queue.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

web_since = "0019"
workers_since = "0034"

FUNCTIONS = (
    # The turn of the last claim. A new job comes before the job of its tenant that was claimed from last, and after
    # the others that wait: it is claimed soon, and delays none of them for ever.
    """
    CREATE FUNCTION first_turn(job bigint, tenant integer, queue text) RETURNS bigint LANGUAGE sql STABLE AS $$
        SELECT coalesce(
            (SELECT max(queued_jobs.turn) FROM queued_jobs WHERE job_id = job),
            (SELECT greatest(queued_tenants.turn - 1, 0) FROM queued_tenants
                WHERE tenant_id = tenant AND queued_tenants.queue = first_turn.queue),
            0)
    $$""",
    """
    CREATE OR REPLACE FUNCTION enqueue_pending_items() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO queued_jobs AS queued (job_id, queue, tenant_id, turn, due_at, hint_due_at)
        SELECT jobs.id, queue_of_phase(changed.phase), jobs.tenant_id,
            first_turn(jobs.id, jobs.tenant_id, queue_of_phase(changed.phase)),
            min(changed.next_attempt_at), min(changed.hint_due_at)
        FROM changed JOIN jobs ON jobs.id = changed.job_id
        WHERE changed.state = 'pending'
        GROUP BY 1, 2, 3 ORDER BY 1, 2
        ON CONFLICT (job_id, queue) DO UPDATE SET
            due_at = CASE WHEN queued.is_due THEN queued.due_at ELSE least(queued.due_at, excluded.due_at) END,
            hint_due_at = least(queued.hint_due_at, excluded.hint_due_at);
        RETURN NULL;
    END $$""",
    # Chunks of a job under review wait for its confirmation. Its messages and workbooks are made then, and after it has
    # ended, but not in between.
    """
    CREATE OR REPLACE FUNCTION requeue_job() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        queues text[] := CASE
            WHEN NEW.finished_at IS NOT NULL THEN ARRAY['callbacks', 'mails', 'workbooks']
            WHEN NEW.status = 'review' THEN ARRAY['mails', 'previews', 'workbooks']
            ELSE ARRAY['checking', 'chunks', 'reports', 'callbacks', 'exports', 'mails', 'previews', 'workbooks'] END;
    BEGIN
        IF NEW.finished_at IS NOT NULL THEN
            DELETE FROM queued_jobs WHERE job_id = NEW.id;
        ELSIF NEW.status = 'review' THEN
            UPDATE queued_jobs SET is_due = false, due_at = 'infinity'
            WHERE job_id = NEW.id AND queue IN ('checking', 'chunks', 'reports');
        END IF;
        INSERT INTO queued_jobs AS queued (job_id, queue, tenant_id, turn, due_at, hint_due_at)
        SELECT NEW.id, queue_of_phase(phase), NEW.tenant_id,
            first_turn(NEW.id, NEW.tenant_id, queue_of_phase(phase)), min(next_attempt_at), min(hint_due_at)
        FROM job_chunks WHERE job_id = NEW.id AND state = 'pending' AND queue_of_phase(phase) = ANY (queues)
        GROUP BY 2 ORDER BY 2
        ON CONFLICT (job_id, queue) DO UPDATE SET
            due_at = CASE WHEN queued.is_due THEN queued.due_at ELSE least(queued.due_at, excluded.due_at) END,
            hint_due_at = least(queued.hint_due_at, excluded.hint_due_at);
        RETURN NULL;
    END $$""",
)
FORMER_FUNCTIONS = (
    """
    CREATE OR REPLACE FUNCTION enqueue_pending_items() RETURNS trigger LANGUAGE plpgsql AS $$
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
    """
    CREATE OR REPLACE FUNCTION requeue_job() RETURNS trigger LANGUAGE plpgsql AS $$
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
    "DROP FUNCTION first_turn(bigint, integer, text)",
)
# All that waits. A queue's first claim corrects what must not be claimed now, as of jobs under review.
ENQUEUE = """
    INSERT INTO queued_jobs AS queued (job_id, queue, tenant_id, turn, due_at, hint_due_at)
    SELECT jobs.id, queue_of_phase(phase), jobs.tenant_id, 0, min(next_attempt_at), min(hint_due_at)
    FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id WHERE state = 'pending'
    GROUP BY 1, 2, 3 ORDER BY 1, 2
    ON CONFLICT (job_id, queue) DO UPDATE SET due_at = excluded.due_at, hint_due_at = excluded.hint_due_at
    WHERE NOT queued.is_due"""
WORKBOOKS = "phase = 'workbook' AND state IN ('pending', 'leased')"


def upgrade() -> None:
    for name in ("ix_queued_jobs_due", "ix_queued_jobs_hint"):
        op.drop_index(name, table_name="queued_jobs")
    _create("ix_queued_jobs_due", ["queue", "due_at"], "NOT is_due")
    _create("ix_queued_jobs_hint", ["queue", "hint_due_at"], "is_due AND hint_due_at < 'infinity'")
    for statement in (*FUNCTIONS, ENQUEUE):
        op.execute(statement)
    op.create_index("ix_job_chunks_workbooks", "job_chunks", ["job_id"], postgresql_where=sa.text(WORKBOOKS))
    # A file may be received for a tenant while that is being deleted.
    op.drop_constraint("fk_upload_slots_tenant_id", "upload_slots", type_="foreignkey")


def downgrade() -> None:
    op.execute("DELETE FROM upload_slots WHERE tenant_id NOT IN (SELECT id FROM tenants)")
    op.create_foreign_key(
        "fk_upload_slots_tenant_id", "upload_slots", "tenants", ["tenant_id"], ["id"], ondelete="CASCADE"
    )
    op.drop_index("ix_job_chunks_workbooks", table_name="job_chunks")
    for statement in FORMER_FUNCTIONS:
        op.execute(statement)
    for name in ("ix_queued_jobs_due", "ix_queued_jobs_hint"):
        op.drop_index(name, table_name="queued_jobs")
    op.create_index("ix_queued_jobs_due", "queued_jobs", ["queue", "is_due", "due_at"])
    _create("ix_queued_jobs_hint", ["queue", "hint_due_at"], "is_due")


def _create(name: str, columns: list[str], condition: str) -> None:
    op.create_index(name, "queued_jobs", columns, postgresql_where=sa.text(condition))
