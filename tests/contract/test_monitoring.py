"""Alert rules and dashboard: judged by promtool and by Grafana's own types, and they name metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from schemas.codes import Code
from schemas.jobs import Phase
from schemas.metrics import HTTP_SECONDS, METRICS, Finding, Metric, MetricKind
from schemas.request_problems import RequestCode
from tests.support.programs import need
from worker.queue import broker

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
TESTS = ROOT / "deploy/prometheus/alerts.test.yml"
DASHBOARD = ROOT / "deploy/grafana/numberyard.json"
HELM = ROOT / "deploy/helm/numberyard"
OF_PROMETHEUS = {"job", "instance", "namespace", "le"}
SELECTOR = re.compile(r"(numberyard_[a-z_]+)(?:\{([^}]*)\})?")
Json = dict[str, Any]


def alerts() -> list[Json]:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def targets(panels: list[Json]) -> Iterator[tuple[str, str]]:
    """Yield the title of each panel with each of its expressions."""
    for panel in panels:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", []))
        yield from targets(panel.get("panels", []))


def dashboard() -> Json:
    return dict(json.loads(DASHBOARD.read_text(encoding="utf-8")))


def expressions() -> list[tuple[str, str]]:
    """Return every expression of deploy/ with its name."""
    found = [(rule["alert"], rule["expr"]) for rule in alerts()] + list(targets(dashboard()["panels"]))
    queries = re.findall(
        r"^ +query: (.+)$", (HELM / "templates/autoscaling.yaml").read_text(encoding="utf-8"), re.MULTILINE
    )
    return [*found, *(("autoscaling", re.sub(r"\{\{.*?\}\}", "x", query)) for query in queries)]


def series() -> dict[str, Metric]:
    """Return the metric of each name that Prometheus stores."""
    found = {metric.name: metric for metric in METRICS if metric.kind is not MetricKind.HISTOGRAM}
    return found | {f"{HTTP_SECONDS.name}{ending}": HTTP_SECONDS for ending in ("_bucket", "_count", "_sum")}


def watched() -> dict[str, list[str]]:
    """Return the other cells of the row of each alert in the guide to operations."""
    text = (ROOT / "docs/guides/operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(Numberyard\w+)` \| (.+) \|$", text, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "an alert has two rows"
    return {name: cells.split(" | ") for name, cells in rows}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([need("promtool"), *arguments], capture_output=True, text=True, check=False)


def test_promtool_accepts_the_rules() -> None:
    ended = promtool("check", "rules", str(ALERTS))
    assert ended.returncode == 0, ended.stderr
    assert f"{len(alerts())} rules found" in ended.stdout


def test_alerts_fire_when_they_should_and_only_then() -> None:
    ended = promtool("test", "rules", str(TESTS))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_is_tested_both_ways() -> None:
    cases = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    for rule in alerts():
        fires = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == rule["alert"]}
        assert fires == {True, False}, rule["alert"]


def test_the_guide_says_of_every_alert_what_to_do() -> None:
    assert list(watched()) == [rule["alert"] for rule in alerts()]
    for rule in alerts():
        metrics, *texts = watched()[rule["alert"]]
        assert set(re.findall(r"`(\w+)`", metrics)) == set(re.findall(r"numberyard_\w+|\bup\b", rule["expr"]))
        assert len([text for text in texts if text.strip()]) == 2, "meaning, and what to do"


def test_metrics_of_the_guide_exist() -> None:
    text = (ROOT / "docs/guides/operations.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(numberyard_\w+)`", text, re.MULTILINE))
    assert named
    assert named <= set(series())


@pytest.mark.parametrize(("right", "wrong"), [("> 300", "> 30000"), ("for: 2m", "for: 1h"), ("0.01 *", "0.001 *")])
def test_a_wrong_rule_is_noticed(tmp_path: Path, right: str, wrong: str) -> None:
    """The unit tests of the rules can fail."""
    (tmp_path / TESTS.name).write_text(TESTS.read_text())
    text = ALERTS.read_text()
    assert text.count(right) == 1
    (tmp_path / ALERTS.name).write_text(text.replace(right, wrong))
    assert promtool("test", "rules", str(tmp_path / TESTS.name)).returncode != 0


def test_promtool_parses_every_expression(tmp_path: Path) -> None:
    """Those of the dashboard with its variables replaced, as recording rules."""
    filled = [text.replace("$__rate_interval", "5m").replace("$job", ".+") for _, text in expressions()]
    rules = [{"record": f"parsed:{number}", "expr": text} for number, text in enumerate(filled)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "parsed", "rules": rules}]}))
    ended = promtool("check", "rules", str(path))
    assert ended.returncode == 0, ended.stderr
    assert f"{len(rules)} rules found" in ended.stdout
    path.write_text(yaml.safe_dump({"groups": [{"name": "parsed", "rules": [{"record": "a:b", "expr": "sum by ("}]}]}))
    assert promtool("check", "rules", str(path)).returncode != 0


@pytest.mark.parametrize(("name", "expression"), expressions())
def test_metrics_and_labels_exist(name: str, expression: str) -> None:
    named = SELECTOR.findall(expression)
    assert named or "up{" in expression, name
    for metric, selector in named:
        assert metric in series(), metric
        labels = set(re.findall(r"(\w+) *(?:=~|!~|!=|=)", selector))
        assert labels <= {*series()[metric].labels, *OF_PROMETHEUS}, (name, labels)
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        known = {label for metric, _ in named for label in series()[metric].labels}
        assert {label.strip() for label in grouped.split(",")} <= {*known, *OF_PROMETHEUS}, (name, grouped)


def test_values_of_labels_exist() -> None:
    """A closed set, whose members a typing error would leave without effect."""
    text = "\n".join(expression for _, expression in expressions())
    values = {
        "phase": {phase.value for phase in Phase},
        "finding": {finding.value for finding in Finding},
        "code": {code.value for code in (*Code, *RequestCode)},
        "status": {f"{first}xx" for first in range(1, 6)},
        "outcome": {"failed"},
    }
    for label, known in values.items():
        named = {value for values in re.findall(rf'{label}[=!]~?"([^"$]+)"', text) for value in values.split("|")}
        assert named - {"x"} <= known, label
    messages = {phase.value for phase in (*broker.PHASES["callbacks"], *broker.PHASES["mails"])}
    assert set(re.findall(r'phase=~"([^"]+)"', ALERTS.read_text())) == {"|".join(sorted(messages))}


def test_the_dashboard_shows_every_metric() -> None:
    shown = {series()[name].name for _, text in targets(dashboard()["panels"]) for name, _ in SELECTOR.findall(text)}
    assert shown == {metric.name for metric in METRICS}


def test_grafana_knows_every_field_of_the_dashboard() -> None:
    register_default_plugins()
    read = Dashboard.from_json(dashboard())
    written = json.loads(JSONEncoder(sort_keys=True).encode(read))
    assert lost(dashboard(), written) == []
    assert lost(dashboard() | {"titel": "a slip of the finger"}, written) == ["titel"]


def lost(read: object, written: object, path: str = "") -> list[str]:
    """Return the paths of what one JSON value has and another does not."""
    if isinstance(read, dict) and isinstance(written, dict):
        return [
            fault
            for name, value in read.items()
            for fault in (lost(value, written[name], f"{path}{name}.") if name in written else [f"{path}{name}"])
        ]
    if isinstance(read, list) and isinstance(written, list) and len(read) == len(written):
        pairs = enumerate(zip(read, written, strict=True))
        return [fault for at, (one, other) in pairs for fault in lost(one, other, f"{path}{at}.")]
    return [] if read == written else [path]


def test_panels_have_a_place_and_a_description() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
