"""Request metrics: durations and requests in flight, measured around the whole application, streams included.

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
from webhook.http.gunicorn_conf import FOLDER

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROUTE = "numberyard.route"  # in the WSGI environment
NO_ROUTE = "none"
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
        status = "500"  # if the application fails before it starts a response

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ANN401 - as in WSGI
            nonlocal status
            status = line
            return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

        def ended() -> None:
            _in_flight.dec()
            method = environ["REQUEST_METHOD"]
            labels = (
                method if method in METHODS else OTHER,
                environ.get(ROUTE, NO_ROUTE),
                f"{status[0]}xx",
            )
            _seconds.labels(*labels).observe(time.perf_counter() - began)

        _in_flight.inc()
        try:
            body = self._app(environ, start)
        except BaseException:
            ended()
            raise
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
