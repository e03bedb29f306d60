"""A real Prometheus scrapes the whole service: the dashboard shows values, and the alert rules are evaluated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.servers import prometheus, service
from tests.support.servers.prometheus import Prometheus
from tests.support.servers.service import Service, wait_for

pytestmark = pytest.mark.xdist_group("prometheus")
DASHBOARD = json.loads(
    (Path(__file__).resolve().parents[2] / "deploy/grafana/numberyard.json").read_text(encoding="utf-8")
)
EXPRESSIONS = {
    f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "10m").replace("$job", ".+")
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", [])
}
# Nothing of the kind happens to a service that is well.
EMPTY = {"Mean duration of routes with errors A"}
TOKEN = "of-the-tests-alone"  # noqa: S105


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service.running(tmp_path_factory.mktemp("service"), 1, metrics_token=TOKEN, **service.CALM) as up:
        yield up


@pytest.fixture(scope="module")
def scraped(running: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus after two jobs, between which it has scraped the service."""
    folder = tmp_path_factory.mktemp("prometheus") / "data"
    client = running.client("Harbour")
    rows = [b"Country Code,Phone Number,Voice,SMS,Fax\n", b"1,212,TRUE,,\n"]
    with prometheus.scraping(folder, running.url.removeprefix("http://"), TOKEN) as server:
        for job in range(2):
            ended = client.ended(client.upload(b"".join([*rows, service.block(20, 2_126_000_000 + 100 * job)])))
            assert ended["counts"]["failed"] >= 1
            wait_for(partial(has_seen, server, job + 1), 60, "a scrape after the job", 0.2)
        yield server


def has_seen(server: Prometheus, jobs: int) -> bool:
    """Return whether so many ended jobs have been scraped."""
    return any(float(sample["value"][1]) >= jobs for sample in server.query("sum(numberyard_jobs_total)"))


def test_the_service_is_scraped(scraped: Prometheus) -> None:
    (target,) = scraped.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    (up,) = scraped.query('up{job="numberyard"}')
    assert up["value"][1] == "1"


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_the_dashboard_shows_values(scraped: Prometheus, name: str) -> None:
    found = scraped.query(EXPRESSIONS[name])
    if name in EMPTY:  # what failed before the first scrape, as /readyz may while a busy machine starts, has no rate
        found = [sample for sample in found if sample["value"][1] != "NaN"]
    assert bool(found) != (name in EMPTY), EXPRESSIONS[name]


def test_all_rules_are_evaluated_and_nothing_is_alarmed(scraped: Prometheus) -> None:
    def evaluated() -> bool:
        (group,) = scraped.get("rules")["groups"]
        return all(rule["health"] == "ok" for rule in group["rules"])

    wait_for(evaluated, 60, "the evaluation of all rules", 0.2)
    assert [alert for alert in scraped.get("alerts")["alerts"] if alert["state"] == "firing"] == []


def test_workers_that_stop_are_seen(running: Service, scraped: Prometheus) -> None:
    """The expression by which the chart scales workers rises while work waits, and falls when it is done."""
    age = 'max(numberyard_queue_age_seconds{phase=~"check|correct|validate|cut", job="numberyard"})'
    workers = running.workers()
    for worker in workers:
        worker.suspend()
    try:
        client = running.client("Harbour")
        job = client.upload(service.block(20, 2_127_000_000))
        wait_for(lambda: float(scraped.query(age)[0]["value"][1]) > 2, 60, "the age of the queue", 0.2)
    finally:
        for worker in workers:
            worker.resume()
    client.ended(job)
    wait_for(lambda: float(scraped.query(age)[0]["value"][1]) == 0, 60, "an empty queue", 0.2)
