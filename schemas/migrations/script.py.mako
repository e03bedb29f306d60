"""${message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None

# The oldest version that workers and web processes may know to use the tables after this migration: its own if older
# ones would fail or write something incomplete, for workers with a new `WORKERS_SINCE` and constraint.
workers_since = "0034"
web_since = "0034"


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
