"""Numbers without a country against the same numbers with one, in files that change what the numbers can do (R14c).

The tenant's tree has numbers of four countries, so every number without a country is read in each of them. Both files
change the same numbers, one after the other; the cost is that of all rows, read, found and reported.
"""

from __future__ import annotations

import time

import httpx

from tests.benchmarks import figures
from tests.benchmarks.actions import FIRST, Bench
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.imports import warmed
from tests.benchmarks.lab import Lab

COUNTRIES = (
    1,
    33,
    36,
    44,
)  # calling codes; a number of New York, as it is written there, is valid in none of the others
MOST_TIMES = 1.5


def scenario(lab: Lab) -> Findings:
    """A file without countries takes at most 1.5 times as long as one with them."""
    rows = lab.sizes.big
    bench = Readings(lab, rows)
    pairs = [(bench.seconds(with_country=False), bench.seconds(with_country=True)) for _ in range(lab.rounds)]
    without, with_country = zip(*pairs, strict=True)
    ratio = figures.ratios(without, with_country)
    told = [Figure("without / with a country", ratio, "x", guarded(lab.sizes.judged, at_most(MOST_TIMES)))]
    return Findings(told, {"without, with": pairs})


class Readings:
    """A service whose reseller holds `rows` numbers, in a tree that has numbers of several countries."""

    def __init__(self, lab: Lab, rows: int) -> None:
        service = warmed(lab)
        Bench(service, rows).fill()
        service.connection.execute("TRUNCATE tenant_countries")  # of the numbers that warming up has imported
        service.connection.execute(
            """INSERT INTO tenant_countries SELECT id, code FROM tenants, unnest(%s::smallint[]) AS code
            ON CONFLICT DO NOTHING""",
            (list(COUNTRIES),),
        )
        headers = {"Authorization": f"Bearer {service.account('reseller')['token']}"}
        self._api = httpx.Client(base_url=service.stack.url, headers=headers, timeout=120, trust_env=False)
        numbers = [str(FIRST - 10**10 + place) for place in range(rows)]
        self._rows = rows
        self._files = {
            True: "\n".join(["Country Code,Phone Number", *(f"1,{number}" for number in numbers)]),
            False: "\n".join(["Phone Number", *numbers]),
        }
        self._fax = False

    def seconds(self, *, with_country: bool) -> float:
        """Have every number changed; the time from the request to the report."""
        self._fax = not self._fax
        file = {"file": ("numbers.csv", self._files[with_country].encode(), "text/csv")}
        began = time.perf_counter()
        answer = self._api.post("/v1/capability-changes", files=file, data={"fax": str(self._fax).lower()})
        job = answer.raise_for_status().json()
        while job["finished_at"] is None:
            job = self._api.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=10"}).raise_for_status().json()
        took = time.perf_counter() - began
        if job["counts"]["updated"] != self._rows:
            raise RuntimeError(f"{job['status']}, {job['counts']}, {job['error_summary']}")
        return took
