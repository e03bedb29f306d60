"""What is recorded of every request: metrics, a log line and a span, around the whole application, streams included.

The route label is the URL rule that matched, never the requested path; requests without a match share the label `none`.
Counted in this process, or in the folder of all web processes if there is one (`webhook.http.gunicorn_conf`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import prometheus_client
from flask import request
from prometheus_client import CollectorRegistry, Gauge, Histogram, multiprocess
from prometheus_client.registry import Collector
from werkzeug.wsgi import ClosingIterator

from schemas.metrics import HTTP_IN_FLIGHT, HTTP_SECONDS
from webhook.http import request_logs
from webhook.http.gunicorn_conf import FOLDER
from worker.config import tracing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROUTE = "numberyard.route"  # in the WSGI environment
NO_ROUTE = request_logs.NO_ROUTE
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
_registry = CollectorRegistry()
_seconds = Histogram(HTTP_SECONDS.name, HTTP_SECONDS.help, HTTP_SECONDS.labels, registry=_registry, buckets=BUCKETS)
_in_flight = Gauge(HTTP_IN_FLIGHT.name, HTTP_IN_FLIGHT.help, registry=_registry, multiprocess_mode="livesum")


class Measured:
    """A WSGI application that measures its requests."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in METHODS else OTHER
        status, size = "500", None  # if the application fails before it starts a response
        parent = environ.get("HTTP_TRACEPARENT", "")
        span = tracing.start(method, tracing.Kind.SERVER, parent if tracing.TRACEPARENT.fullmatch(parent) else None)

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ANN401 - as in WSGI
            nonlocal status, size
            status = line
            size = next((value for name, value in headers if name.lower() == "content-length"), None)
            return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

        def ended() -> None:
            _in_flight.dec()
            seconds, route = time.perf_counter() - began, environ.get(ROUTE, NO_ROUTE)
            _seconds.labels(method, route, f"{status[0]}xx").observe(seconds)
            request_logs.write(method, route, int(status[:3]), seconds, size)
            if span is not None:
                request_logs.end_span(span, method, route, int(status[:3]))

        _in_flight.inc()
        try:
            body = self._app(environ, start)
        except BaseException:
            ended()
            raise
        finally:
            if span is not None:
                span.leave()
        return ClosingIterator(body, ended)


def note_route() -> None:
    """Record the matched URL rule for `Measured`. Runs before every request."""
    if request.url_rule is not None:
        request.environ[ROUTE] = request.url_rule.rule


def requests() -> Collector:
    """Return the metrics of all web processes together."""
    if FOLDER not in os.environ:
        return _registry
    all_of_them = CollectorRegistry()
    multiprocess.MultiProcessCollector(all_of_them)  # type: ignore[no-untyped-call]
    return all_of_them
