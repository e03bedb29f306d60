"""Traces: spans of requests, jobs, work items and SQL statements, for OpenTelemetry.

Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` is set and the extra `tracing` is installed. While it is off, no package of
OpenTelemetry is imported and every function here returns at once. `worker.config.otlp` does the work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from worker.config import extras
from worker.config.errors import reason_of
from worker.config.settings import get_settings

if TYPE_CHECKING:
    from worker.config.otlp import Span, Tracer

Attributes = Mapping[str, str | int | float | bool]
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_tracer: Tracer | None = None


class Kind(StrEnum):
    """Kinds of spans, with the names of OpenTelemetry."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"
    INTERNAL = "INTERNAL"


def configure(process: str) -> None:
    """Turn tracing on in this process, if it is configured. A forked child keeps it, with a queue of its own."""
    global _tracer  # noqa: PLW0603 - the process has one
    if _tracer is not None or get_settings().otlp_endpoint is None or extras.missing("tracing"):
        return
    from worker.config.otlp import Tracer  # noqa: PLC0415 - only if needed: an optional package

    _tracer = Tracer(process)


def stop() -> None:
    """Send what waits, within a bounded time, and turn tracing off."""
    global _tracer  # noqa: PLW0603 - as above
    if _tracer is not None:
        _tracer.stop()
        _tracer = None


def is_on() -> bool:
    """Return whether this process records spans."""
    return _tracer is not None


def ids() -> Mapping[str, str]:
    """Return `trace_id` and `span_id` of the running span; empty if there is none."""
    return {} if _tracer is None else _tracer.ids()


def traceparent() -> str | None:
    """Return the running span as W3C Trace Context has it; None if there is none."""
    return None if _tracer is None else _tracer.traceparent()


def start(name: str, kind: Kind, parent: str | None = None, attributes: Attributes | None = None) -> Span | None:
    """Start a span and make it the running one; the caller ends it. None if tracing is off.

    `parent`: a `traceparent`. Without one, the parent is the running span.
    """
    return None if _tracer is None else _tracer.start(name, kind.value, parent, attributes)


def start_in_trace(name: str, kind: Kind, attributes: Attributes | None = None) -> Span | None:
    """Start a span below the running one, as `start`; None if no span is running."""
    return None if _tracer is None or not _tracer.is_recording() else _tracer.start(name, kind.value, None, attributes)


@contextmanager
def span(
    name: str, kind: Kind = Kind.INTERNAL, parent: str | None = None, attributes: Attributes | None = None
) -> Iterator[Span | None]:
    """Run the block in a span, as `start`; an exception marks it as failed."""
    started = start(name, kind, parent, attributes)
    try:
        yield started
    except BaseException as error:
        if started is not None:
            started.fail(reason_of(error))
        raise
    finally:
        if started is not None:
            started.leave()
            started.end()
