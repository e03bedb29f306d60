"""The id of a request, and the distributed trace that it belongs to: taken from the client, logged and sent back.

A client's `X-Request-Id` is kept if it is up to 128 visible characters of ASCII that logs and headers can hold as they
are; else the request gets a UUID. `traceparent` is kept if it is valid (W3C Trace Context), else it is ignored.
"""

from __future__ import annotations

import re
import uuid

import structlog
from flask import Response, request

REQUEST_ID = "X-Request-Id"
TRACEPARENT = "traceparent"
LONGEST_ID = 128  # characters
_ID = re.compile(rf"[A-Za-z0-9._~:/+=@-]{{1,{LONGEST_ID}}}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")


def begin() -> None:
    """Name the request in all log lines that it causes. Runs before everything else."""
    structlog.contextvars.clear_contextvars()
    given = request.headers.get(REQUEST_ID, "")
    names = {"request_id": given if _ID.fullmatch(given) else str(uuid.uuid4()), "path": request.path}
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
