"""How long people with a hundred rows wait: alone, beside another tenant's million, and beside their own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

import httpx

from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, Findings, Json, Limit, at_most, guarded
from tests.benchmarks.imports import SUCCESSES, WAIT, begin, ended, warmed
from tests.benchmarks.lab import Lab, Service
from tests.support.servers.service import NO_TLS, block

ROWS = 100
LEAST_SAMPLES, MOST_FILES = 50, 10
MS = 1000.0
FIRST = 2_122_000_000

Item = TypeVar("Item")
Result = TypeVar("Result")


def scenario(lab: Lab) -> Findings:
    """Alone: half within 250 ms, 95 % within 500 ms. Beside a million rows of another tenant: 95 % within 2 s."""
    service, files = warmed(lab), contents()
    service.empty()
    with Client(service, service.account("reseller")) as client:
        alone: dict[str, list[float]] = {"wait": [], "polling": []}
        for _ in range(LEAST_SAMPLES):
            alone["wait"].append(timed(client.wait, next(files)))
            alone["polling"].append(timed(client.poll, next(files)))
        others = _beside(lab, service, client, service.account("reseller", 1), files)
        own = _beside(lab, service, client, service.account("reseller"), files)
    judged = lab.sizes.judged
    return Findings(
        [
            *waits("alone, POST that waits", alone["wait"], judged, at_most(250), at_most(500)),
            *waits("alone, POST and polling", alone["polling"], judged),
            *waits("beside a large import of another tenant", others, judged, None, at_most(2000)),
            *waits("beside a large import of its own", own, judged),
        ],
        {**alone, "beside another's": others, "beside its own": own},
    )


class Client:
    """One uploader's connection; both ways wait until the job has ended well."""

    def __init__(self, service: Service, account: Json) -> None:
        headers = {"Authorization": f"Bearer {account['token']}"}
        self.http = httpx.Client(
            base_url=service.stack.url, headers=headers, timeout=60.0, trust_env=False, verify=NO_TLS
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.http.close()

    def wait(self, content: bytes) -> None:
        """One request, which is answered when the job has ended; asks again only after ten seconds."""
        self._until_over(self.send(content, 10))

    def poll(self, content: bytes) -> None:
        """As the command line does it: the upload, and then a look, which waits for news."""
        self._until_over(self.send(content))

    def send(self, content: bytes, wait: int = 0) -> Json:
        """Upload a file; return the job as it is answered, with `wait` (seconds) once it has ended."""
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        answer = self.http.post("/v1/uploads", files={"file": ("numbers.csv", content)}, headers=headers)
        job: Json = answer.raise_for_status().json()
        return job

    def _until_over(self, job: Json) -> None:
        while job["finished_at"] is None:
            answer = self.http.get(f"/v1/jobs/{job['id']}", headers={"Prefer": f"wait={WAIT}"})
            job = answer.raise_for_status().json()
        if job["status"] not in SUCCESSES:
            raise RuntimeError(f"a small upload ended as {job['status']}")


def by_clients(
    service: Service, account: Json, clients: int, items: Sequence[Item], action: Callable[[Client, Item], Result]
) -> list[Result]:
    """Act on all items by so many clients at the same time, each with a connection; return the results in any order."""

    def share(number: int) -> list[Result]:
        with Client(service, account) as client:
            return [action(client, item) for item in items[number::clients]]

    with ThreadPoolExecutor(clients) as threads:
        return [result for results in threads.map(share, range(clients)) for result in results]


def _beside(lab: Lab, service: Service, client: Client, other: Json, files: Iterator[bytes]) -> list[float]:
    """Milliseconds of small uploads that begin while a large import of `other` runs; as many imports as that takes."""
    found: list[float] = []
    for _ in range(MOST_FILES):
        service.empty()
        with service.api(other) as api:
            large = begin(api, lab.file(lab.sizes.big))
            while api.job(large["id"])["finished_at"] is None:
                found.append(timed(client.wait, next(files)))
            ended(api, large)
        if len(found) >= LEAST_SAMPLES:
            break
    return found


def contents() -> Iterator[bytes]:
    """Files of a hundred numbers each that nobody has."""
    return (block(ROWS, first=FIRST + place * ROWS) for place in itertools.count())


def timed(action: Callable[[Item], object], item: Item) -> float:
    """Milliseconds that an action takes with an item."""
    began = time.perf_counter()
    action(item)
    return (time.perf_counter() - began) * MS


def waits(
    name: str, found: list[float], judged: bool, half: Limit | None = None, most: Limit | None = None
) -> list[Figure]:
    """The median and the 95th percentile of waits in milliseconds, with their limits."""
    of = f"of {len(found)}"
    limits = (guarded(judged, half) if half else None, guarded(judged, most) if most else None)
    return [
        Figure(f"{name}: p{percent}", figures.percentile(found, percent), "ms", limit, of)
        for percent, limit in zip((50, 95), limits, strict=True)
    ]
