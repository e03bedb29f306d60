"""External ids and metadata of jobs; keys of requests that create something else than a job.

An idempotency key keeps status and Location of the response, so that any POST can be answered again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_INDEX = "ix_jobs_external_id"
# Keys of import profiles were kept in the column of the job.
_FILL = """
UPDATE idempotency_keys k SET
  status = CASE WHEN j.id IS NULL THEN 201 ELSE 202 END,
  location = CASE WHEN j.id IS NULL THEN '/v1/import-profiles/' ELSE '/v1/jobs/' END || k.job
FROM idempotency_keys same LEFT JOIN jobs j ON j.public_id = same.job
WHERE same.tenant_id = k.tenant_id AND same.key = k.key AND k.job IS NOT NULL
"""


def upgrade() -> None:
    op.add_column("idempotency_keys", sa.Column("status", sa.SmallInteger(), nullable=True))
    op.add_column("idempotency_keys", sa.Column("location", sa.Text(), nullable=True))
    op.drop_constraint(op.f("ck_idempotency_keys_finished"), "idempotency_keys")
    op.create_check_constraint(
        op.f("ck_idempotency_keys_finished"), "idempotency_keys", "fingerprint IS NOT NULL OR job IS NULL"
    )
    op.execute(_FILL)
    op.add_column("jobs", sa.Column("external_id", sa.Text(), nullable=True))
    op.add_column(
        "jobs", sa.Column("metadata", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False)
    )
    op.create_index(_INDEX, "jobs", ["tenant_id", "external_id"], postgresql_where=sa.text("external_id IS NOT NULL"))


def downgrade() -> None:
    op.drop_index(_INDEX, "jobs")
    op.drop_column("jobs", "metadata")
    op.drop_column("jobs", "external_id")
    op.execute("DELETE FROM idempotency_keys WHERE (fingerprint IS NULL) <> (job IS NULL)")
    op.drop_constraint(op.f("ck_idempotency_keys_finished"), "idempotency_keys")
    op.create_check_constraint(
        op.f("ck_idempotency_keys_finished"), "idempotency_keys", "(fingerprint IS NULL) = (job IS NULL)"
    )
    op.drop_column("idempotency_keys", "location")
    op.drop_column("idempotency_keys", "status")
