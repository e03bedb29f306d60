"""What a process keeps once it was made from its settings; tests that change these have it forgotten."""

from __future__ import annotations

from worker.infra import broker, db, settings, storage


def forget() -> None:
    """The next use makes everything anew."""
    if db.engine.cache_info().currsize:
        db.engine().dispose()
    for kept in (settings.get_settings, db.engine, storage.store, broker.app, broker._publisher, broker._client):  # noqa: SLF001
        kept.cache_clear()
