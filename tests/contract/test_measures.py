"""The metrics' catalogue keeps to Prometheus' conventions, and the alerts of the operations guide use existing ones."""

from __future__ import annotations

import re

import pytest
import yaml

from schemas.codes import CATALOGUE
from schemas.metrics import METRICS, Metric, MetricKind
from schemas.request_problems import RequestCode
from tests.contract.doc_tables import ROOT

OPERATIONS = (ROOT / "docs" / "guides" / "operations.md").read_text(encoding="utf-8")
RULES = yaml.safe_load(re.search(r"```yaml\n(groups:.*?)```", OPERATIONS, re.DOTALL)[1])["groups"][0]["rules"]
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
OF_HISTOGRAM = ("", "_count", "_sum", "_bucket")


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


def test_five_alerts_and_all_they_ask_for_exists() -> None:
    names = {metric.name + end for metric in METRICS for end in OF_HISTOGRAM if not end or metric.kind == "histogram"}
    codes = {code.value for code in (*CATALOGUE, *RequestCode)}
    assert len({rule["alert"] for rule in RULES}) == len(RULES) == 5
    for rule in RULES:
        assert set(re.findall(r"numberyard_\w+", rule["expr"])) <= names
        assert set(re.findall(r"[A-Z]+_?[A-Z]+", rule["expr"])) <= codes
