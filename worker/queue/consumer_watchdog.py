"""Keeps a worker from standing still in silence: gives it back the right to take messages that a lost ack has cost it.

A worker may hold as many unacknowledged messages as it has children. One whose acknowledgement meets a broken
connection stays in that account for ever: Celery logs it and goes on. After a few of them the worker takes nothing
more, and with nothing to read it never notices that its connection is gone. A new connection begins a new account.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.worker import state

LOOK_SECONDS = 2.0
SUSPICIOUS = 2  # looks in a row: between taking a message and entering it as work the account may be uneven


class Credit(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of Celery's consumer, beside its event loop."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_options: Any) -> None:  # noqa: ANN401 - Celery's own
        super().__init__(consumer)
        self._timer: Any = None
        self._uneven = 0

    def start(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's own
        """Begin to look. Only an event loop can be told of it."""
        self._uneven = 0
        if consumer.hub is not None:
            self._timer = consumer.hub.call_repeatedly(LOOK_SECONDS, self._look, consumer)

    def stop(self, consumer: Any) -> None:  # noqa: ANN401, ARG002 - Celery's own
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's own
        """`ConnectionResetError`, for which Celery connects anew, if messages are charged that nobody works on."""
        account = consumer.task_consumer.channel.qos
        charged = len(account._delivered) - len(account._dirty)  # noqa: SLF001 - it has no other way to be seen
        self._uneven = self._uneven + 1 if charged > len(state.reserved_requests) else 0
        if self._uneven >= SUSPICIOUS:
            raise ConnectionResetError("an acknowledgement was lost")
