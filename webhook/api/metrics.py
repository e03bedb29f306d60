"""`/metrics`: figures of the whole service for Prometheus. For operators only, since they cover all tenants (R3)."""

from __future__ import annotations

import hmac
import platform
from collections.abc import Iterable
from importlib.metadata import version
from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog
from apiflask import APIBlueprint
from flask import Response, request
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from schemas import metrics as metric_catalogue
from schemas.metrics import BUILD, LEDGER_UP, MetricKind
from schemas.request_problems import RequestCode
from webhook.http import request_metrics
from webhook.http.errors import refuse
from webhook.http.openapi.declarations import declares
from worker.config.errors import reason_of
from worker.config.settings import get_settings
from worker.database.engine import transaction
from worker.jobs.metrics_queries import Samples, read

log = structlog.get_logger(__name__)
bp = APIBlueprint("metrics", __name__, tag="Service")

# Headers that a proxy adds. With one of them, the peer is the proxy, and the client's address is not proven.
FORWARDING = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FAMILIES = {MetricKind.COUNTER: CounterMetricFamily, MetricKind.GAUGE: GaugeMetricFamily}
_FORMATS = ("text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0")
_RESPONSES = {
    200: "The metrics, in the format that Accept asks for",
    401: "Not the operator's token",
    403: "No token is configured, and the client is not on the same machine",
}


@bp.get("/metrics")
@bp.doc(
    operation_id="get_metrics",
    summary="Get the service's metrics in Prometheus text format or OpenMetrics, for operators",
    responses=_RESPONSES,
)
@declares(files=_FORMATS)
def metrics() -> Response:
    """Covers all tenants, so no tenant's token is accepted."""
    _admit()
    registry = CollectorRegistry()
    registry.register(_Service())
    registry.register(request_metrics.requests())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type, headers={"Cache-Control": "no-store"})


def _admit() -> None:
    """Admit the bearer of a token of the operators; without a configured token, only clients on this machine."""
    tokens = get_settings().metrics_tokens
    if tokens:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        sent = secret.strip().encode()
        matches = [hmac.compare_digest(sent, token.encode()) for token in tokens]  # all of them, in constant time
        if scheme.lower() != "bearer" or not any(matches):
            raise refuse(RequestCode.UNAUTHENTICATED)
    elif not _is_from_here():
        raise refuse(
            RequestCode.FORBIDDEN, "Without NUMBERYARD_METRICS_TOKEN, metrics are available only on the same machine."
        )


def _is_from_here() -> bool:
    """Return whether the peer is on this machine, uses one of its local names, and is not a proxy.

    The name is checked because a proxy on this machine that keeps the Host header may add no other header, and because
    a browser may have been given a wrong address for a name (DNS rebinding).
    """
    host, colon, port = request.host.rpartition(":")
    name = host if colon and port.isdecimal() else request.host
    return (
        _is_loopback(request.remote_addr or "")
        and name in LOCAL_NAMES
        and not any(header in request.headers for header in FORWARDING)
    )


def _is_loopback(text: str) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:  # not a TCP socket
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


class _Service(Collector):
    """The build, and the metrics read from the database; if it is unavailable, `LEDGER_UP` is 0."""

    def collect(self) -> Iterable[Metric]:
        yield _family(BUILD, {(version("numberyard"), platform.python_version()): 1})
        try:
            with transaction() as connection:
                values = read(connection)
        except SQLAlchemyError as error:
            log.warning("ledger_unread", error=type(error).__name__, reason=reason_of(error))
            yield _family(LEDGER_UP, {(): 0})
            return
        yield _family(LEDGER_UP, {(): 1})
        for metric, samples in values.items():
            yield _family(metric, samples)


def _family(metric: metric_catalogue.Metric, samples: Samples) -> Metric:
    family: CounterMetricFamily | GaugeMetricFamily = _FAMILIES[metric.kind](
        metric.name, metric.help, labels=metric.labels
    )
    for labels, value in sorted(samples.items()):
        family.add_metric(labels, value)
    return family
