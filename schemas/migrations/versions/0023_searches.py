"""Pasted lists of numbers, saved searches, and a billing reference of tenants."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tenants", sa.Column("billing_reference", sa.Text))
    _create("pasted_lists", sa.BigInteger, "session_id", "numbers", "failures")
    op.create_index("ix_pasted_lists_session_id", "pasted_lists", ["session_id", "id"])
    _create("saved_searches", sa.Integer, "admin_id", "name", "filter")
    op.create_index("uq_saved_searches_name", "saved_searches", ["admin_id", sa.text("lower(name)")], unique=True)


def downgrade() -> None:
    op.drop_table("saved_searches")
    op.drop_table("pasted_lists")
    op.drop_column("tenants", "billing_reference")


_TYPES: dict[str, Any] = {"numbers": ARRAY(sa.BigInteger), "failures": JSONB(), "name": sa.Text(), "filter": JSONB()}


def _create(table: str, key: type[sa.Integer], owner: str, *columns: str) -> None:
    """Create a table whose rows belong to a session or an admin and are deleted with it."""
    owners = {"session_id": "sessions", "admin_id": "admins"}[owner]
    op.create_table(
        table,
        sa.Column("id", key, sa.Identity(always=True), nullable=False),
        sa.Column("public_id", UUID(as_uuid=False), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column(owner, key, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        *(sa.Column(name, _TYPES[name], nullable=False) for name in columns),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint([owner], [f"{owners}.id"], name=op.f(f"fk_{table}_{owner}"), ondelete="CASCADE"),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{table}_public_id")),
    )
