"""Workarounds for faults of Celery and of Kombu, its transport, that would stop a worker or break its log.

Malformed messages: in Kombu's transport for Redis and Valkey, text that is not JSON, or JSON that is not a message,
ends the worker that receives it, and each further one ends the next worker. `Transport` logs and discards them.
Well-formed messages of unknown tasks are left to Celery, which ignores them.

Lost acknowledgements: a worker may hold as many unacknowledged messages as it has child processes. A message whose
acknowledgement meets a broken connection is counted forever: Celery logs the error and continues. After a few of them
the worker takes no more messages, and as it reads nothing, it never notices that its connection is gone.
`ConsumerWatchdog` makes it connect again: a new connection starts a new count.

Texts on standard output: beat prints a banner, and a worker that is stopped prints lines that are no log lines.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery import Celery, bootsteps
from celery.apps import worker as worker_program
from celery.apps.beat import Beat
from celery.worker import state
from kombu import transport
from kombu.transport import redis

log = structlog.get_logger(__name__)

NO_MESSAGE = (ValueError, TypeError, KeyError, AttributeError)
CHECK_SECONDS = 2.0
SUSPICIOUS = 2  # checks in a row: a message that was just received is counted before Celery processes it


class _Discarding:
    """What a channel does that discards malformed messages."""

    def _brpop_read(self, **options: Any) -> Any:  # noqa: ANN401 - kombu's own
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except NO_MESSAGE:
            log.exception("no_message")
            return True


class Channel(_Discarding, redis.Channel):
    """A channel to one server."""


class SentinelChannel(_Discarding, redis.SentinelChannel):
    """A channel to the primary that sentinels name."""


class Transport(redis.Transport):
    """The Redis transport with this module's `Channel`."""

    Channel = Channel


class SentinelTransport(redis.SentinelTransport):
    """The transport for Redis Sentinel with this module's `SentinelChannel`."""

    Channel = SentinelChannel


class QuietBeat(Beat):  # type: ignore[misc]
    """Beat that prints no banner."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Celery's own
        super().__init__(**(options | {"quiet": True}))


def silence_beat(app: Celery) -> None:
    """Make the app's beat print nothing."""
    app.Beat = app.subclass_with_self(QuietBeat)


def _log_message(text: str, *_stream: object) -> None:
    log.info("celery_message", text=text)


def install() -> None:
    """Make this process use the transports for redis://, rediss:// and sentinel://, and log its messages."""
    worker_program.safe_say = _log_message
    one, several = (f"{__name__}:{made.__name__}" for made in (Transport, SentinelTransport))
    transport.TRANSPORT_ALIASES.update(redis=one, rediss=one, sentinel=several)


class ConsumerWatchdog(bootsteps.StartStopStep):  # type: ignore[misc]
    """A bootstep of Celery's consumer that compares the counts periodically in the consumer's event loop."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_options: Any) -> None:  # noqa: ANN401 - Celery's own
        super().__init__(consumer)
        self._timer: Any = None
        self._uneven = 0

    def start(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's own
        """Start the periodic check; it requires an event loop."""
        self._uneven = 0
        if consumer.hub is not None:
            self._timer = consumer.hub.call_repeatedly(CHECK_SECONDS, self._check, consumer)

    def stop(self, consumer: Any) -> None:  # noqa: ANN401, ARG002 - Celery's own
        """Stop the periodic check."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's own
        """Raise `ConnectionResetError`, so that Celery reconnects, if messages are counted that it does not process."""
        account = consumer.task_consumer.channel.qos
        charged = len(account._delivered) - len(account._dirty)  # noqa: SLF001 - there is no public access
        self._uneven = self._uneven + 1 if charged > len(state.reserved_requests) else 0
        if self._uneven >= SUSPICIOUS:
            raise ConnectionResetError("an acknowledgement was lost")
