"""The catalogue of metrics at `/metrics`: names, types, labels and help, from which docs/reference/metrics.md is made.

Names follow the conventions of Prometheus: base units, `_total` for counters. Label values come from closed sets of our
own: none can be chosen by a client or identifies a tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """Metric types, named as in the exposition format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """A metric: its name, kind, label names in order, and one sentence of help."""

    name: str
    kind: MetricKind
    labels: tuple[str, ...]
    help: str


class Finding(StrEnum):
    """What the rescuer found and handled."""

    LEASES_EXPIRED = "leases_expired"
    REVIEWS_EXPIRED = "reviews_expired"
    SETTLED = "settled"
    ANNOUNCED = "announced"


ROWS = Metric(
    "numberyard_rows_total",
    MetricKind.COUNTER,
    ("outcome", "code"),
    "Rows of ended jobs, by outcome and result code.",
)
JOBS = Metric("numberyard_jobs_total", MetricKind.COUNTER, ("kind", "status"), "Ended jobs, by kind and final status.")
PIECES = Metric("numberyard_pieces_total", MetricKind.COUNTER, ("phase",), "Completed work items of ended jobs.")
STAGE_SECONDS = Metric(
    "numberyard_stage_seconds_total",
    MetricKind.COUNTER,
    ("stage",),
    "Time spent in each stage by ended jobs, in seconds; lost attempts do not count.",
)
SWEEP = Metric(
    "numberyard_sweep_findings_total",
    MetricKind.COUNTER,
    ("finding",),
    "Findings of the rescuer: expired leases and reviews, cancelled jobs that it ended, work items announced again.",
)
MAILS = Metric(
    "numberyard_mails_total",
    MetricKind.COUNTER,
    ("result",),
    "E-mails about jobs: sent, refused by the mail server, given up, over the tenant's limit, or no longer needed.",
)
OPEN_JOBS = Metric("numberyard_jobs_open", MetricKind.GAUGE, ("status",), "Jobs that have not ended, by status.")
PENDING = Metric(
    "numberyard_pieces_pending",
    MetricKind.GAUGE,
    ("phase",),
    "Work items that wait for a worker, now or later; at most 10,000 of each queue are counted.",
)
LEASED = Metric("numberyard_pieces_leased", MetricKind.GAUGE, ("phase",), "Work items that a worker is processing.")
QUEUE_AGE = Metric(
    "numberyard_queue_age_seconds",
    MetricKind.GAUGE,
    ("phase",),
    "How long the oldest work item has been ready for a worker, in seconds; 0 if there is none.",
)
HELD_UP = Metric(
    "numberyard_held_up_seconds",
    MetricKind.GAUGE,
    ("phase",),
    "How long the oldest delayed work item has waited for an unavailable database or storage, in seconds; 0 if none.",
)
LEDGER_UP = Metric(
    "numberyard_ledger_up",
    MetricKind.GAUGE,
    (),
    "1 if the metrics of jobs, rows and work items could be read from the database; if 0 they are missing.",
)
HTTP_SECONDS = Metric(
    "numberyard_http_request_duration_seconds",
    MetricKind.HISTOGRAM,
    ("method", "route", "status"),
    "Time from the start of a request to the last byte of its response, by method, route and status class.",
)
HTTP_IN_FLIGHT = Metric(
    "numberyard_http_requests_in_flight", MetricKind.GAUGE, (), "Requests in progress, including this one."
)
BUILD = Metric(
    "numberyard_build_info", MetricKind.GAUGE, ("version", "python"), "Always 1; the labels show the running versions."
)

OF_LEDGER = (ROWS, JOBS, PIECES, STAGE_SECONDS, SWEEP, MAILS, OPEN_JOBS, PENDING, LEASED, QUEUE_AGE, HELD_UP)
METRICS = (*OF_LEDGER, LEDGER_UP, HTTP_SECONDS, HTTP_IN_FLIGHT, BUILD)
