"""One-time passwords that expire: until when they are good, instead of that they are ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("admins", sa.Column("one_time_until", sa.DateTime(timezone=True)))
    # Whoever waits for one to be used has from now on as long as the setting gives by default.
    op.execute("UPDATE admins SET one_time_until = now() + interval '72 hours' WHERE must_change_password")
    op.drop_column("admins", "must_change_password")


def downgrade() -> None:
    op.add_column(
        "admins", sa.Column("must_change_password", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.execute("UPDATE admins SET must_change_password = true WHERE one_time_until IS NOT NULL")
    op.drop_column("admins", "one_time_until")
