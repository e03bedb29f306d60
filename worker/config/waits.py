"""Where a request begins to wait for others: for a job or for the storage. Its web process then starts another one."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

on_wait: ContextVar[Callable[[], None] | None] = ContextVar("on_wait", default=None)
"""Set by the web process for each request; unset elsewhere."""


def begins() -> None:
    """Say that from now on the request mostly waits."""
    waits = on_wait.get()
    if waits is not None:
        waits()
