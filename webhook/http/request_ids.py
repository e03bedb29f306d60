"""The id of a request, and the distributed trace that it belongs to: taken from the client, logged and sent back.

A client's `X-Request-Id` is kept if it is up to 128 visible characters of ASCII that logs and headers can hold as they
are; else the request gets a UUID. `traceparent` is kept if it is valid (W3C Trace Context), else it is ignored.
"""

from __future__ import annotations

import re
import uuid

import structlog
from flask import Response, request

from webhook.http.request_metrics import NO_ROUTE, ROUTE
from worker.config.tracing import TRACEPARENT as _TRACEPARENT

REQUEST_ID = "X-Request-Id"
TRACEPARENT = "traceparent"
LONGEST_ID = 128  # characters
_ID = re.compile(rf"[A-Za-z0-9._~:/+=@-]{{1,{LONGEST_ID}}}")


def begin() -> None:
    """Name the request in all log lines that it causes. Runs before everything else.

    By its route, not its path, which contains phone numbers and may contain what a client typed by mistake.
    """
    structlog.contextvars.clear_contextvars()
    given = request.headers.get(REQUEST_ID, "")
    request_id = given if _ID.fullmatch(given) else str(uuid.uuid4())
    names = {"request_id": request_id, "route": request.environ.get(ROUTE, NO_ROUTE)}
    trace = _TRACEPARENT.fullmatch(request.headers.get(TRACEPARENT, ""))
    if trace is not None:
        names |= {"trace_id": trace[1], "parent_span_id": trace[2]}
    structlog.contextvars.bind_contextvars(**names)


def end(response: Response) -> None:
    """Add the id to the response, and the trace that the client named."""
    names = structlog.contextvars.get_contextvars()
    response.headers[REQUEST_ID] = names.get("request_id", "")
    if "trace_id" in names:
        response.headers[TRACEPARENT] = request.headers[TRACEPARENT]
