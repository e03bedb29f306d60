"""Twenty tenants with a thousand rows each, who come right after one with a million."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, Findings, Json, at_most, guarded
from tests.benchmarks.imports import begin, ended, warmed
from tests.benchmarks.lab import Lab, Service
from tests.benchmarks.small import Client
from tests.support.servers.service import block

TENANTS, ROWS = 20, 1000
FIRST = 4_152_000_000  # numbers of San Francisco


def scenario(lab: Lab) -> Findings:
    """All twenty are done before the million is half done."""
    service, file = warmed(lab), lab.file(lab.sizes.big)
    small = _tenants(service)
    shares = []
    for _ in range(lab.rounds):
        service.empty()
        with service.api(service.account("reseller", 1)) as api, ThreadPoolExecutor(TENANTS) as threads:
            large = begin(api, file)
            list(threads.map(lambda place: _upload(service, small[place], place), range(TENANTS)))
            progress = api.job(large["id"])["progress"]
            shares.append(progress["rows_done"] / progress["rows_total"] if progress["rows_total"] else 0.0)
            ended(api, large)
    limit = guarded(lab.sizes.judged, at_most(0.5))
    name = "done of the large file when the last of twenty ends"
    return Findings([Figure(name, figures.median(shares), "", limit)], {"shares": shares})


def _upload(service: Service, account: Json, place: int) -> None:
    with Client(service, account) as client:
        client.wait(block(ROWS, first=FIRST + place * ROWS))


def _tenants(service: Service) -> list[Json]:
    """Enterprises of the first reseller that may add numbers of their own, with a token each."""
    with service.api() as api:
        made = []
        for _ in range(TENANTS):
            name = f"Neighbour {secrets.token_hex(4)}"
            body = {"name": name, "kind": "enterprise", "allow_external_numbers": True}
            tenant = api.create("tenants", body)
            token = api.create("tokens", {"name": "bench", "tenant_id": tenant["id"]})
            made.append({"token": token["token"]})
        return made
