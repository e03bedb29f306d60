"""Alembic's entry script: applies the migrations on the connection that `worker.database.migrate` passes.

Each migration from 0034 on states which older processes can use the tables after it (`workers_since`, `web_since`: the
version that they know). That is stored with it, for processes that do not know the migration.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context

from schemas.database.tables import metadata, schema_versions

FIRST = "0034"  # creates the table of versions


def record(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:  # noqa: ANN401, ARG001 - Alembic's own
    """Store which processes can use the tables after a migration, or remove that with the migration."""
    version = step.up_revision_id
    if version < FIRST or (version == FIRST and not step.is_upgrade):
        return
    if not step.is_upgrade:
        ctx.connection.execute(sa.delete(schema_versions).where(schema_versions.c.version == version))
        return
    module = step.up_revision.module
    since = {name: getattr(module, name) for name in ("workers_since", "web_since")}
    ctx.connection.execute(sa.insert(schema_versions).values(version=version, **since))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
    on_version_apply=record,
)
with context.begin_transaction():
    context.run_migrations()
