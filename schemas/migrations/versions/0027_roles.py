"""Roles of people and tokens; scopes, networks, makers and last use of tokens (R35)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

SCOPES = "numbers:read,numbers:write,jobs:read,uploads:write,accounts:read,accounts:write,tokens:write"
IS_ROLE = "role IN ('viewer', 'operator', 'admin')"


def upgrade() -> None:
    # Constant defaults: no row is rewritten. People and tokens of before may do everything, as before.
    for table in ("admins", "tokens"):
        op.add_column(table, sa.Column("role", sa.Text(), server_default="admin", nullable=False))
        op.create_check_constraint(op.f(f"ck_{table}_role"), table, IS_ROLE)
    for column in (
        sa.Column("scopes", ARRAY(sa.Text()), server_default=sa.text(f"'{{{SCOPES}}}'"), nullable=False),
        sa.Column("networks", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_by_tenant_id", sa.Integer(), nullable=True),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("admin_id", sa.Integer(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_from", sa.Text(), nullable=True),
    ):
        op.add_column("tokens", column)
    for name, target in (("created_by_tenant_id", "tenants"), ("parent_id", "tokens"), ("admin_id", "admins")):
        op.create_foreign_key(op.f(f"fk_tokens_{name}"), "tokens", target, [name], ["id"])
    for name in ("parent_id", "admin_id"):
        op.create_index(f"ix_tokens_{name}", "tokens", [name], postgresql_where=sa.text(f"{name} IS NOT NULL"))


def downgrade() -> None:
    # The older release lets everybody do everything, so who was limited must not get in.
    op.execute("DELETE FROM tokens WHERE admin_id IN (SELECT id FROM admins WHERE role <> 'admin')")
    op.execute(f"""
        DELETE FROM tokens
        WHERE role <> 'admin' OR cardinality(networks) > 0 OR NOT scopes @> '{{{SCOPES}}}'""")  # noqa: S608 - our own
    op.execute("DELETE FROM admins WHERE role <> 'admin'")
    for name in ("last_used_from", "last_used_at", "admin_id", "parent_id", "created_by_tenant_id", "created_by"):
        op.drop_column("tokens", name)
    for name in ("networks", "scopes"):
        op.drop_column("tokens", name)
    for table in ("admins", "tokens"):
        op.drop_column(table, "role")
