"""How long a small upload takes while another tenant sends files and exports as fast as it can (R37).

The other tenant's client (`flood_client`) has a process of its own, on the cores of the service. One round: before the
flood, during it, and after all its jobs have ended.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import httpx

from schemas.quotas import Quota
from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, Findings, Json, at_most, guarded
from tests.benchmarks.flood_client import CONNECTIONS
from tests.benchmarks.imports import warmed
from tests.benchmarks.lab import Lab, Service
from tests.benchmarks.small import LEAST_SAMPLES, Client, contents, timed, waits
from tests.support.servers.service import wait_for
from worker.config.settings import Settings
from worker.runtime.processes.child import Child, Command

FIRST = 2_132_000_000  # numbers of Los Angeles; those of `small` are others
IDLE_SECONDS, BEGIN_SECONDS, END_SECONDS = 60.0, 60.0, 3600.0
MOST_TIMES = 2
_NEWEST = "SELECT coalesce(max(id), 0) FROM jobs"


@dataclass
class Waits:
    """Milliseconds of small uploads, and how many of them were not answered with an ended job."""

    idle: list[float] = field(default_factory=list)
    flooded: list[float] = field(default_factory=list)
    refused: int = 0


class Flood:
    """The running client of the other tenant."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def is_running(self) -> bool:
        return self._child.ended() is None

    def answers(self) -> Json:
        """What it has printed; RuntimeError if it failed."""
        if self._child.ended() != 0:
            raise RuntimeError(f"the client of the flood failed: {self._child.last_lines(3)}")
        answers: Json = json.loads(self._child.last_lines())
        return answers


def scenario(lab: Lab) -> Findings:
    """The median during 10,000 uploads over 100 connections is at most twice the median of an idle service."""
    service, judged = warmed(lab), lab.sizes.judged
    service.until_idle(IDLE_SECONDS)
    spent, answers = _measured(service, lab.sizes.flood)
    times = figures.ratio(figures.median(spent.flooded), figures.median(spent.idle))
    note = f"{quotas_of(service.stack.settings)}; {told(answers['uploads'])}"
    return Findings(
        [
            *waits("idle, before and after", spent.idle, judged),
            *waits("beside the flood of another tenant", spent.flooded, judged),
            Figure("median beside the flood / idle", times, "x", guarded(judged, at_most(MOST_TIMES)), note),
            Figure("refused beside the flood", spent.refused, "", at_most(0)),
            *_figures(answers),
        ],
        {"idle": spent.idle, "flooded": spent.flooded, "answers by status": answers},
    )


def told(answers: Mapping[str, int]) -> str:
    """How many requests were accepted, and how many refused with which status."""
    accepted = str(HTTPStatus.ACCEPTED.value)
    refused = ", ".join(f"{status}: {count:,}" for status, count in sorted(answers.items()) if status != accepted)
    return f"accepted: {answers.get(accepted, 0):,}, refused: {refused or 0}"


def quotas_of(settings: Settings) -> str:
    """The quotas of every tenant that has none of its own."""
    return "quotas: " + ", ".join(f"{quota} {getattr(settings, f'quota_{quota}'):,}" for quota in Quota)


def _figures(answers: Json) -> Iterator[Figure]:
    for name in ("uploads", "exports"):
        accepted = answers[name].get(str(HTTPStatus.ACCEPTED.value), 0)
        yield Figure(f"{name} of the flood, accepted", accepted)
        yield Figure(f"{name} of the flood, refused", sum(answers[name].values()) - accepted, note=told(answers[name]))
    rate = figures.ratio(sum(answers["uploads"].values()), answers["seconds"])
    yield Figure("uploads of the flood, sent", rate, "1/s", None, f"over {CONNECTIONS} connections")


def _measured(service: Service, count: int) -> tuple[Waits, Json]:
    """Small uploads of the first reseller, before, while and after the second one floods the service."""
    spent, files = Waits(), contents()
    service.empty()
    with Client(service, service.account("reseller")) as client:
        _add_idle(spent, client, files)
        with _flooding(service, count) as flood:
            while flood.is_running:
                try:
                    spent.flooded.append(timed(client.wait, next(files)))
                except httpx.HTTPError:
                    spent.refused += 1
            answers = flood.answers()
        service.until_idle(END_SECONDS)
        service.empty()
        _add_idle(spent, client, files)
    return spent, answers


def _add_idle(spent: Waits, client: Client, files: Iterator[bytes]) -> None:
    spent.idle += [timed(client.wait, next(files)) for _ in range(LEAST_SAMPLES)]


@contextmanager
def _flooding(service: Service, count: int) -> Iterator[Flood]:
    """The flood, from its first job on; its process has ended after the block."""
    account = service.account("reseller", 1)
    before = service.ask(_NEWEST)
    with tempfile.TemporaryDirectory(prefix="numberyard-flood-") as folder:
        host = httpx.URL(service.stack.url).netloc.decode()
        command = (sys.executable, "-m", "tests.benchmarks.flood_client", host, str(count), str(FIRST))
        environment = {**os.environ, "BENCH_TOKEN": account["token"]}
        child = Child(Command(command, env=environment, log_path=Path(folder) / "answers"))
        flood = Flood(child)
        try:
            wait_for(lambda: service.ask(_NEWEST) > before or not flood.is_running, BEGIN_SECONDS, "the flood", 0.01)
            yield flood
        finally:
            child.kill()
