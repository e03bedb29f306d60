"""Receivers of telemetry on a real socket: traces by OTLP over HTTP, and error reports of Sentry's client.

Traces are decoded with OpenTelemetry's own protocol buffers, envelopes as Sentry's documentation describes them.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}


@dataclass(frozen=True)
class Span:
    """A span as it came; ids in hexadecimal, `parent` empty for a root."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    process: str
    service: str
    attributes: dict[str, Any]
    is_error: bool
    message: str


@dataclass
class Telemetry:
    """What has come so far. `bodies`: all requests, unpacked."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        return f"http://publickey@127.0.0.1:{self.port}/1"

    def children(self, span: Span) -> list[Span]:
        return [each for each in self.spans if each.parent == span.id]

    def below(self, span: Span) -> list[Span]:
        """All descendants."""
        found = self.children(span)
        return found + [each for child in found for each in self.below(child)]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self._body()
        self.server.got.bodies.append(body)
        if self.path == "/v1/traces":
            self.server.got.spans += _spans_of(body)
            self._answer(ExportTraceServiceResponse().SerializeToString(), "application/x-protobuf")
        elif self.path == "/api/1/envelope/":
            self.server.got.reports += _events_of(body)
            self._answer(b"{}", "application/json")
        else:
            self.send_error(404)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:  # noqa: ANN401 - http.server's signature
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got = Telemetry(port=self.server_port)


def _spans_of(body: bytes) -> Iterator[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    for of_resource in request.resource_spans:
        resource = {each.key: each.value.string_value for each in of_resource.resource.attributes}
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Span(
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    name=span.name,
                    kind=KINDS[span.kind],
                    process=resource.get("numberyard.process", ""),
                    service=resource.get("service.name", ""),
                    attributes={each.key: _value(each.value) for each in span.attributes},
                    is_error=span.status.code == span.status.STATUS_CODE_ERROR,
                    message=span.status.message,
                )


def _value(value: Any) -> Any:  # noqa: ANN401 - a message of protocol buffers, and any value
    return getattr(value, value.WhichOneof("value"))


def _events_of(envelope: bytes) -> Iterator[dict[str, Any]]:
    """The error events in an envelope: after its header, pairs of an item header and a payload of that length."""
    _, _, rest = envelope.partition(b"\n")
    while rest:
        header, _, rest = rest.partition(b"\n")
        item = json.loads(header)
        length = item.get("length", len(rest.partition(b"\n")[0]))
        payload, rest = rest[:length], rest[length:].removeprefix(b"\n")
        if item["type"] == "event":
            yield json.loads(payload)


@contextmanager
def receiving() -> Iterator[Telemetry]:
    """A receiver for the length of a block."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
