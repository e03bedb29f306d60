"""Makes a worker reconnect after lost acknowledgements, which would otherwise stop it silently.

A worker may hold as many unacknowledged messages as it has child processes. A message whose acknowledgement meets a
broken connection is counted forever: Celery logs the error and continues. After a few of them the worker takes no more
messages, and as it reads nothing, it never notices that its connection is gone. A new connection starts a new count.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.worker import state

LOOK_SECONDS = 2.0
SUSPICIOUS = 2  # checks in a row: a message that was just received is counted before Celery processes it


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
            self._timer = consumer.hub.call_repeatedly(LOOK_SECONDS, self._look, consumer)

    def stop(self, consumer: Any) -> None:  # noqa: ANN401, ARG002 - Celery's own
        """Stop the periodic check."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's own
        """Raise `ConnectionResetError`, so that Celery reconnects, if messages are counted that it does not process."""
        account = consumer.task_consumer.channel.qos
        charged = len(account._delivered) - len(account._dirty)  # noqa: SLF001 - there is no public access
        self._uneven = self._uneven + 1 if charged > len(state.reserved_requests) else 0
        if self._uneven >= SUSPICIOUS:
            raise ConnectionResetError("an acknowledgement was lost")
