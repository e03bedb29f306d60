"""Kombu's way to Redis and Valkey, but for a message that is none: it is told and thrown away.

As kombu has it, text that is no JSON, or JSON that is no message, ends the worker that was given it, and each one after
it the next. Messages that are well formed and unknown are Celery's affair, which passes over them.
"""

from __future__ import annotations

from typing import Any

import structlog
from kombu import transport
from kombu.transport import redis

log = structlog.get_logger(__name__)

NO_MESSAGE = (ValueError, TypeError, KeyError, AttributeError)


class Channel(redis.Channel):
    """Takes messages off the queues."""

    def _brpop_read(self, **options: Any) -> Any:  # noqa: ANN401 - kombu's own
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except NO_MESSAGE:
            log.exception("no_message")
            return True


class Transport(redis.Transport):
    """The transport with that channel."""

    Channel = Channel


def install() -> None:
    """Have this process speak so wherever an address begins with redis:// or rediss://."""
    name = f"{__name__}:{Transport.__name__}"
    transport.TRANSPORT_ALIASES.update(redis=name, rediss=name)
