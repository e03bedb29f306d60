"""The figures of the guide to maintenance are those of the code and of the deployments."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from sqlalchemy.pool import QueuePool

from tests.support import guides
from webhook.http import gunicorn_conf
from worker import tasks
from worker.config.settings import Settings
from worker.database.engine import make_engine
from worker.queue import broker

ROOT = Path(__file__).resolve().parents[2]
PAGE = (guides.GUIDES / "maintenance.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+")


def needed(web: int, children: int, upkeep: int) -> int:
    """Return the connections of an installation by the table; `web`: its processes."""
    most = guides.connections()
    own = most["web"] * web + most["worker"] * children + most["upkeep"] * upkeep
    return own + most["commands"] + most["reserved"]


def concurrency(command: list[str]) -> int:
    return next(int(part.partition("=")[2]) for part in command if part.startswith("--concurrency="))


def test_the_bound_of_a_process_is_that_of_its_pool() -> None:
    engine = make_engine(Settings(database_url=SecretStr("postgresql://numberyard@localhost/numberyard")))
    assert isinstance(engine.pool, QueuePool)
    size, overflow = engine.pool.size(), engine.pool._max_overflow  # noqa: SLF001 - there is no public access
    assert guides.connections()["web"] == size + overflow
    assert f"up to {size} stay open, and up to {overflow} more" in PAGE


def test_the_bound_of_upkeep_follows_from_its_threads() -> None:
    """A connection for the work and one for the lease of each thread, one more for each export, one registration."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    threads = concurrency(compose["upkeep"]["command"])
    assert guides.connections()["upkeep"] == 2 * threads + tasks.MOST_EXPORTS + 1
    assert f"`upkeep` with {threads} threads" in PAGE


def test_the_formula_has_the_figures_of_the_table() -> None:
    most = guides.connections()
    (formula,) = re.findall(r"^So `max_connections` ≥ (.*)\.", PAGE.replace(". During", ".\nDuring"), re.MULTILINE)
    figures = [int(figure) for figure in NUMBER.findall(formula)]
    assert figures == [most["web"], most["worker"], most["upkeep"], most["commands"] + most["reserved"]]


def test_the_examples_are_the_deployments() -> None:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    children = concurrency(compose["worker"]["command"])
    assert f"= {needed(gunicorn_conf.workers, children, 1)}:" in line_of("Docker Compose: 1 `web`")
    values: dict[str, Any] = yaml.safe_load((ROOT / "deploy/helm/numberyard/values.yaml").read_text(encoding="utf-8"))
    web, groups = values["web"], [values["workerDefaults"] | group for group in values["workers"].values()]
    all_children = sum(group["replicas"] * group["concurrency"] for group in groups)
    total = needed(web["replicas"] * web["processes"], all_children, values["upkeep"]["replicas"])
    assert f"= {total}," in line_of("Helm chart: 2 `web`")


def line_of(start: str) -> str:
    (line,) = re.findall(rf"^\| {re.escape(start)}.*$", PAGE, re.MULTILINE)
    return str(line)


@pytest.mark.parametrize("number", range(3))
def test_the_workers_of_the_guide_serve_queues_that_exist(number: int) -> None:
    command = shlex.split(guides.blocks("maintenance", "Add and remove workers")[number])
    (queues,) = [part.partition("=")[2].split(",") for part in command if part.startswith("--queues=")]
    assert set(queues) <= set(broker.QUEUES_OF_WORKER)


def test_the_groups_of_the_guide_leave_no_queue_without_a_worker() -> None:
    everything, *groups = (
        {queue for part in shlex.split(block) if part.startswith("--queues=") for queue in part[9:].split(",")}
        for block in guides.blocks("maintenance", "Add and remove workers")
    )
    assert everything == set.union(*groups) == set(broker.QUEUES_OF_WORKER)
