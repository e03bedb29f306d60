"""All checks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator

from worker.doctor import environment, servers
from worker.doctor.findings import Finding


def examine() -> Iterator[Finding]:
    """Yield what is found, each as soon as it is known; in about ten seconds, if nothing responds."""
    settings, found = environment.loaded()
    yield from found
    if settings is None:
        return
    yield from environment.offline(settings)
    yield from environment.data_folder(settings)
    for check in (servers.database, servers.redis_server, servers.storage, servers.mail_server):
        yield from check(settings)
