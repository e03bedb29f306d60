"""Which request a job comes from: stored with the job, so that log lines and spans of its work items name it."""

from __future__ import annotations

from typing import NamedTuple

import structlog

from worker.config import tracing

SAMPLED = "01"


class Origin(NamedTuple):
    """The id of a request, and its span as `traceparent` (W3C Trace Context); None if there is none."""

    request_id: str | None
    traceparent: str | None

    def names(self) -> dict[str, str]:
        """Return the fields of log lines."""
        match = tracing.TRACEPARENT.fullmatch(self.traceparent or "")
        names = {"request_id": self.request_id, "trace_id": None if match is None else match[1]}
        return {name: value for name, value in names.items() if value is not None}


NO_ORIGIN = Origin(None, None)


def current() -> Origin:
    """Return the request that is being served: its running span, else the trace that the client named."""
    bound = structlog.contextvars.get_contextvars()
    traceparent = tracing.traceparent()
    if traceparent is None and "parent_span_id" in bound:
        traceparent = f"00-{bound['trace_id']}-{bound['parent_span_id']}-{SAMPLED}"
    return Origin(bound.get("request_id"), traceparent)
