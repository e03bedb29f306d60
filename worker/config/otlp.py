"""Spans of OpenTelemetry, sent by OTLP over HTTP from a thread of each process.

Imported only by `worker.config.tracing`, as the packages are optional. The SDK reads its own standard variables
(`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_EXPORTER_OTLP_*`). Spans wait in a queue of a fixed
length; those that find it full are dropped, so a receiver that does not respond delays nothing.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Mapping
from contextvars import Token
from typing import Any

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

STOP_MILLISECONDS = 2000  # in which a process that ends sends what waits
SERVICE = "numberyard"
_propagator = TraceContextTextMapPropagator()


class _Processor(BatchSpanProcessor):
    """The SDK's processor, which otherwise waits up to 30 s for its receiver when the process ends."""

    def shutdown(self) -> None:
        self._batch_processor.shutdown(timeout_millis=STOP_MILLISECONDS)


class Span:
    """A started span."""

    def __init__(self, recorded: trace.Span) -> None:
        self._recorded = recorded
        self._token: Token[context.Context] | None = context.attach(trace.set_span_in_context(recorded))

    def set(self, name: str, value: str | float) -> None:
        """Set an attribute."""
        self._recorded.set_attribute(name, value)

    def rename(self, name: str) -> None:
        """Give the span another name."""
        self._recorded.update_name(name)

    def fail(self, reason: str) -> None:
        """Mark the span as failed."""
        self._recorded.set_status(Status(StatusCode.ERROR, reason))

    def leave(self) -> None:
        """Make the span before it the running one again. Call it in the context in which the span was started."""
        if self._token is not None:
            context.detach(self._token)
            self._token = None

    def end(self) -> None:
        """End the span."""
        self._recorded.end()


class Tracer:
    """The spans of this process."""

    def __init__(self, process: str) -> None:
        # A receiver that does not respond: one line from the exporter for each batch is enough.
        # Of wrong headers, the SDK's warning quotes the value, often a token; the doctor and each start report them.
        for chatty in ("urllib3.connectionpool", "opentelemetry.sdk._shared_internal", "opentelemetry.util.re"):
            logging.getLogger(chatty).setLevel(logging.ERROR)
        name = os.environ.get("OTEL_SERVICE_NAME") or SERVICE
        resource = Resource.create({"service.name": name, "numberyard.process": process})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(_Processor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(SERVICE)
        atexit.register(self.stop)

    def stop(self) -> None:
        """Send what waits, for at most `STOP_MILLISECONDS`."""
        atexit.unregister(self.stop)
        self._provider.shutdown()

    def start(self, name: str, kind: str, parent: str | None, attributes: Mapping[str, Any] | None) -> Span:
        """Start a span; `parent`: a `traceparent`, else the running span is the parent."""
        within = None if parent is None else _propagator.extract({"traceparent": parent}, context.Context())
        return Span(self._tracer.start_span(name, within, SpanKind[kind], attributes))

    def is_recording(self) -> bool:
        """Return whether there is a running span that is recorded."""
        return trace.get_current_span().is_recording()

    def ids(self) -> Mapping[str, str]:
        """Return the ids of the running span as logs have them."""
        running = trace.get_current_span().get_span_context()
        if not running.is_valid:
            return {}
        return {"trace_id": trace.format_trace_id(running.trace_id), "span_id": trace.format_span_id(running.span_id)}

    def traceparent(self) -> str | None:
        """Return the running span as a header has it."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get("traceparent")
