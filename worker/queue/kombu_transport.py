"""Kombu's transport for Redis and Valkey, which additionally logs and discards malformed messages.

In kombu's own transport, text that is not JSON, or JSON that is not a message, ends the worker that receives it, and
each further one ends the next worker. Well-formed messages of unknown tasks are left to Celery, which ignores them.
"""

from __future__ import annotations

from typing import Any

import structlog
from kombu import transport
from kombu.transport import redis

log = structlog.get_logger(__name__)

NO_MESSAGE = (ValueError, TypeError, KeyError, AttributeError)


class Channel(redis.Channel):
    """A channel that discards malformed messages."""

    def _brpop_read(self, **options: Any) -> Any:  # noqa: ANN401 - kombu's own
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except NO_MESSAGE:
            log.exception("no_message")
            return True


class Transport(redis.Transport):
    """The Redis transport with this module's `Channel`."""

    Channel = Channel


def install() -> None:
    """Make this process use the transport for addresses that begin with redis:// or rediss://."""
    name = f"{__name__}:{Transport.__name__}"
    transport.TRANSPORT_ALIASES.update(redis=name, rediss=name)
