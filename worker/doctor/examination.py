"""All checks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from worker.config.settings import Settings
from worker.doctor import environment, servers
from worker.doctor.findings import Finding, error

_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    environment.offline,
    environment.data_folder,
    servers.database,
    servers.redis_server,
    servers.storage,
    servers.mail_server,
)


def examine() -> Iterator[Finding]:
    """Yield what is found, each as soon as it is known; in about ten seconds, if nothing responds."""
    settings, found = environment.loaded()
    yield from found
    if settings is None:
        return
    for check in _CHECKS:
        try:
            yield from check(settings)
        except Exception as failure:  # noqa: BLE001 - the other checks are made all the same
            name = check.__name__.replace("_", " ")
            yield error(
                name, f"The check failed with {type(failure).__name__}.", "Report this as a fault of the service."
            )
