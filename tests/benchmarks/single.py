"""How many assignments of a single number a second the service completes, and how long each client waits."""

from __future__ import annotations

import time
from collections.abc import Sequence

from schemas.jobs import JobStatus
from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, Findings, at_least, at_most, guarded
from tests.benchmarks.imports import warmed
from tests.benchmarks.lab import Lab, Service
from tests.benchmarks.small import Client, by_clients, timed, waits
from tests.support.servers.service import block

CLIENTS = 8
FIRST = 2_142_000_000  # numbers from here on: Dallas, one after the other
LEAST_REQUESTS, MOST_MS = 100, 250
IDLE_SECONDS = 60.0


def scenario(lab: Lab) -> Findings:
    """Eight clients that wait for each job: at least 100 requests a second, 95 % answered within 250 ms."""
    service, count, judged = warmed(lab), lab.sizes.single, lab.sizes.judged
    service.empty()
    rates: list[float] = []
    spent: list[float] = []
    for turn in range(lab.rounds):
        numbers = range(FIRST + turn * count, FIRST + (turn + 1) * count)
        with Client(service, service.account("reseller")) as client:
            client.wait(block(count, first=numbers.start))
        service.until_idle(IDLE_SECONDS)
        began = time.perf_counter()
        spent += _assigned(service, numbers)
        rates.append(count / (time.perf_counter() - began))
    rate, limit = figures.median(rates), guarded(judged, at_least(LEAST_REQUESTS))
    return Findings(
        [
            Figure(f"assignments of one number, {CLIENTS} clients", rate, "1/s", limit),
            *waits("assignment of one number", spent, judged, None, at_most(MOST_MS)),
        ],
        {"rates": rates, "milliseconds": spent},
    )


def _assigned(service: Service, numbers: Sequence[int]) -> list[float]:
    """Assign each number by a request of its own; return their milliseconds. RuntimeError if one does not succeed."""
    target = service.account("enterprise")["tenant_id"]  # of the first reseller

    def assign(client: Client, number: int) -> float:
        return timed(lambda one: _assign(client, target, one), number)

    return by_clients(service, service.account("reseller"), CLIENTS, numbers, assign)


def _assign(client: Client, target: str, number: int) -> None:
    body = {"numbers": [f"+1{number}"], "tenant_id": target}
    answer = client.http.post("/v1/assignments", json=body, headers={"Prefer": "wait=10"})
    job = answer.raise_for_status().json()
    if job["status"] != JobStatus.COMPLETED or job["counts"]["updated"] != 1:
        raise RuntimeError(f"an assignment of one number: {job['status']}, {job['counts']}")
