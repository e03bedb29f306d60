"""At most one tenant without a parent: the Master Reseller (R1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("uq_tenants_root", "tenants", ["kind"], unique=True, postgresql_where=sa.text("parent_id IS NULL"))


def downgrade() -> None:
    op.drop_index("uq_tenants_root", table_name="tenants", postgresql_where=sa.text("parent_id IS NULL"))
