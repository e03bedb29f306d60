"""The log line and the span of a request; both name its route, never its path or its query."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import structlog

from schemas.permissions import Actor

if TYPE_CHECKING:
    from worker.config.otlp import Span

NO_ROUTE = "none"
SERVER_ERROR = 500
# Requested every few seconds by machines: logged at DEBUG unless they fail.
HEALTH = frozenset({"/livez", "/readyz", "/metrics"})
log = structlog.get_logger(__name__)


def write(method: str, route: str, status: int, seconds: float, size: str | None = None) -> None:
    """Log a request that has ended. `size`: the bytes of the response body, if its head has them.

    The request id, the tenant and the actor are in the context.
    """
    fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
    if size is not None:
        fields["bytes"] = int(size)
    log.log(_level(route, status), "http_request", **fields)


def _level(route: str, status: int) -> int:
    if status >= SERVER_ERROR:
        return logging.WARNING
    return logging.DEBUG if route in HEALTH and status < 400 else logging.INFO  # noqa: PLR2004


def end_span(span: Span, method: str, route: str, status: int) -> None:
    """End the span of a request, with the attributes of OpenTelemetry's conventions for HTTP servers."""
    bound = structlog.contextvars.get_contextvars()
    span.rename(f"{method} {route}")
    span.set("http.request.method", method)
    span.set("http.route", route)
    span.set("http.response.status_code", status)
    for name in ("request_id", "tenant"):
        if name in bound:
            span.set(f"numberyard.{name}", bound[name])
    if status >= SERVER_ERROR:
        span.fail(str(bound.get("reason", "")))
    span.end()


def bind_actor(actor: Actor) -> None:
    """Name the actor in all further log lines of the request: by ids, as names are personal data."""
    name = f"admin:{actor.admin_id}" if actor.token is None else f"token:{actor.token.id}"
    structlog.contextvars.bind_contextvars(tenant=actor.tenant.public_id, actor=name)
