"""The metrics' catalogue keeps to Prometheus' conventions."""

from __future__ import annotations

import re

import pytest

from schemas.metrics import METRICS, Metric, MetricKind

CLOSED = {
    "outcome",
    "code",
    "kind",
    "status",
    "phase",
    "stage",
    "finding",
    "result",
    "method",
    "route",
    "version",
    "python",
}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_are_by_the_conventions(metric: Metric) -> None:
    """As `promtool check metrics` has it: `_total` for counters alone, base units, help, labels of closed sets."""
    assert re.fullmatch(r"numberyard(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
    assert not re.search(r"_(count|sum|bucket|created|milliseconds|minutes|hours|kilobytes|percent)$", metric.name)
    assert metric.kind not in metric.name.split("_")
    assert metric.help
    assert metric.help[-1] == "."
    assert set(metric.labels) <= CLOSED


def test_names_are_there_once() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
