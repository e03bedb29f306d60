"""Alembic's entry script: applies the migrations on the connection that `worker.database.migrate` passes."""

from __future__ import annotations

from alembic import context

from schemas.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
