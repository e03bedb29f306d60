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
    """A metric: its label names in order, and one sentence of help."""

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
    "Rows of jobs that have ended, by what became of them.",
)
JOBS = Metric(
    "numberyard_jobs_total", MetricKind.COUNTER, ("kind", "status"), "Jobs that have ended, by kind and how they ended."
)
PIECES = Metric(
    "numberyard_pieces_total", MetricKind.COUNTER, ("phase",), "Pieces of work done, counted when their job has ended."
)
STAGE_SECONDS = Metric(
    "numberyard_stage_seconds_total",
    MetricKind.COUNTER,
    ("stage",),
    "Seconds that the stages took, counted when the job has ended; tries that were lost do not count.",
)
SWEEP = Metric(
    "numberyard_sweep_findings_total",
    MetricKind.COUNTER,
    ("finding",),
    "What the sweep found: leases and reviews that ran out, cancelled jobs that it ended, pieces announced again.",
)
OPEN_JOBS = Metric("numberyard_jobs_open", MetricKind.GAUGE, ("status",), "Jobs that have not ended.")
PENDING = Metric(
    "numberyard_pieces_pending", MetricKind.GAUGE, ("phase",), "Pieces of work that wait to be taken, now or later."
)
LEASED = Metric("numberyard_pieces_leased", MetricKind.GAUGE, ("phase",), "Pieces of work that a worker has in hand.")
QUEUE_AGE = Metric(
    "numberyard_queue_age_seconds",
    MetricKind.GAUGE,
    ("phase",),
    "How long the oldest piece of work has been free to be taken; 0 if there is none.",
)
HELD_UP = Metric(
    "numberyard_held_up_seconds",
    MetricKind.GAUGE,
    ("phase",),
    "How long the oldest piece of work has been held up by a database or storage that is away; 0 if none is.",
)
LEDGER_UP = Metric(
    "numberyard_ledger_up",
    MetricKind.GAUGE,
    (),
    "1 if the figures of jobs, rows and pieces could be read from the database; at 0 they are left out.",
)
HTTP_SECONDS = Metric(
    "numberyard_http_request_duration_seconds",
    MetricKind.HISTOGRAM,
    ("method", "route", "status"),
    "Time from a request to the last byte of its answer, by method, route and class of status.",
)
HTTP_IN_FLIGHT = Metric(
    "numberyard_http_requests_in_flight", MetricKind.GAUGE, (), "Requests that are being answered, this one included."
)
BUILD = Metric("numberyard_build_info", MetricKind.GAUGE, ("version", "python"), "1; the labels tell what is running.")

OF_LEDGER = (ROWS, JOBS, PIECES, STAGE_SECONDS, SWEEP, OPEN_JOBS, PENDING, LEASED, QUEUE_AGE, HELD_UP)
METRICS = (*OF_LEDGER, LEDGER_UP, HTTP_SECONDS, HTTP_IN_FLIGHT, BUILD)
