"""Reports of unexpected errors to Sentry, if `NUMBERYARD_SENTRY_DSN` is set and the extra `sentry` is installed.

A report has the types and the call stacks of the exception and its causes, and the ids of the request or the work item.
It has no message that could quote a cell, no local variable, no header, no body and no address of a client.
"""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

import structlog

from worker.config import extras
from worker.config.errors import reason_of
from worker.config.settings import get_settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

STOP_SECONDS = 2
TAGS = ("request_id", "trace_id", "route", "tenant", "job_id", "phase", "item")
_process: str | None = None  # the role of this process, once reports are on


def configure(process: str) -> None:
    """Turn reports on in this process, if they are configured; a thread sends them. A wrong DSN stops no process."""
    global _process  # noqa: PLW0603 - the process has one
    dsn = get_settings().sentry_dsn
    if _process is not None or dsn is None or extras.missing("sentry") or not is_dsn(dsn.get_secret_value()):
        return  # each process logs at its start what is missing or wrong
    import sentry_sdk  # noqa: PLC0415 - only if needed: an optional package

    sentry_sdk.init(
        dsn=dsn.get_secret_value(),
        default_integrations=False,
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        shutdown_timeout=STOP_SECONDS,
        before_send=_without_messages,
    )
    _process = process
    atexit.register(stop)


def is_dsn(text: str) -> bool:
    """Return whether Sentry's client accepts the text as a DSN. The extra must be installed."""
    from sentry_sdk.utils import Dsn  # noqa: PLC0415 - as above

    try:
        Dsn(text)
    except ValueError:  # `BadDsn`, or of the port
        return False
    return True


def report(error: BaseException) -> None:
    """Report an unexpected error, with the ids of the request or the work item. Does not wait."""
    if _process is None:
        return
    import sentry_sdk  # noqa: PLC0415 - as above

    bound = structlog.contextvars.get_contextvars()
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("process", _process)
        for name in TAGS:
            if name in bound:
                scope.set_tag(name, bound[name])
        scope.capture_exception(error)


def stop() -> None:
    """Send what waits, for at most `STOP_SECONDS`."""
    if _process is not None:
        import sentry_sdk  # noqa: PLC0415 - as above

        sentry_sdk.flush(STOP_SECONDS)


def _without_messages(event: Event, hint: Hint) -> Event:
    """Replace the messages of exceptions: they may quote cells, and statements with their values."""
    values: list[dict[str, Any]] = event.get("exception", {}).get("values", [])
    for each in values:
        each["value"] = ""
    if values and "exc_info" in hint:
        values[-1]["value"] = reason_of(hint["exc_info"][1])
    return event
