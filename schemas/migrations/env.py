"""Run by Alembic: applies the migrations on the connection that `worker.database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from schemas.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
