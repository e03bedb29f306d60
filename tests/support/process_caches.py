"""What a process keeps once it was made from its settings; tests that change these have it forgotten.

But for what engines have learned: statements that were compiled once, which takes longer than most of them do. So an
engine is made once for an address, as in a process that lives on; from one test to the next it keeps no connections.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from webhook.http import usable_schema
from worker.config import settings
from worker.config.settings import Settings
from worker.database import engine as database_engine
from worker.queue import broker, request_rates
from worker.storage import files


def forget() -> None:
    """The next use makes everything anew."""
    if database_engine.engine.cache_info().currsize:
        database_engine.engine().dispose()
    for kept in (
        settings.get_settings,
        database_engine.engine,
        files.store,
        files._probing_store,  # noqa: SLF001
        broker.app,
        broker._publisher,  # noqa: SLF001
        broker._client,  # noqa: SLF001
    ):
        kept.cache_clear()
    request_rates.forget()
    usable_schema.verdict.forget()


def _once(make: Callable[[Settings], sa.Engine]) -> Callable[[Settings], sa.Engine]:
    made: dict[str, sa.Engine] = {}

    def engine(given: Settings) -> sa.Engine:
        url = database_engine.sqlalchemy_url(given).render_as_string(hide_password=False)
        key = f"{url} {database_engine.connection_options(given)} {given.database_wait_seconds}"
        if key not in made:
            made[key] = make(given)
        return made[key]

    return engine


database_engine.make_engine = _once(database_engine.make_engine)  # type: ignore[assignment]  # its parameter has a name
