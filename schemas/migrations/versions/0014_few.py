"""Changes nothing: an index that was added here has been taken back. Databases may have it; 0015 removes it."""

from __future__ import annotations

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
