"""Numbers as short as numbering plans have them (R14f), and what the last try of a work item failed with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NAME = op.f("ck_phone_numbers_e164")
NOW = "e164 > 0 AND e164 < 1000000000000000"
BEFORE = "e164 BETWEEN 1000000 AND 999999999999999"
# A table of at most this size is validated here. A larger one would be locked while it is read; `worker.infra.migrate`
# validates it after the commit, beside reads and writes.
SMALL_BYTES = 64 * 1024 * 1024


def upgrade() -> None:
    op.add_column("job_chunks", sa.Column("last_error", sa.Text(), nullable=True))
    _check(NOW)


def downgrade() -> None:
    # Short numbers stay, and can be read; the older release cannot change them.
    _check(BEFORE)
    op.drop_column("job_chunks", "last_error")


def _check(condition: str) -> None:
    op.execute(f"ALTER TABLE phone_numbers DROP CONSTRAINT {NAME}")
    op.execute(f"ALTER TABLE phone_numbers ADD CONSTRAINT {NAME} CHECK ({condition}) NOT VALID")
    op.execute(
        f"""DO $$ BEGIN
            IF pg_relation_size('phone_numbers') <= {SMALL_BYTES}
                AND NOT EXISTS (SELECT FROM phone_numbers WHERE NOT ({condition}))
            THEN ALTER TABLE phone_numbers VALIDATE CONSTRAINT {NAME}; END IF; END $$"""
    )
