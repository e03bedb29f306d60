"""Assigning, changing and deleting many numbers against one bare statement on the same rows.

Each job is timed from the request to `completed` with its report published; the UPDATE or DELETE touches the same rows
of an identical table with the same indexes on the same server, and nothing else is asked of it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, Findings, at_least, at_most, guarded
from tests.benchmarks.imports import warmed
from tests.benchmarks.lab import Lab, Service

FIRST = 12_125_000_000  # numbers from here on: New York, one after the other
LEAST_ROWS_PER_SECOND = 50_000

Timed = Sequence[tuple[float, float]]  # seconds of the job, seconds of the bare statement


@dataclass(frozen=True)
class Action:
    """One job and its bare twin: the path, the body beside the selection, the statement on the table `bare`, and how
    many times its seconds the job may take.
    """

    path: str
    body: dict[str, Any]
    statement: str
    most_times: float = 3.0


def scenario(lab: Lab) -> Findings:
    """Every action at least 50,000 rows a second; at most three times its UPDATE, ten times its DELETE."""
    rows, judged = lab.sizes.actions, lab.sizes.judged
    bench = Bench(warmed(lab), rows)
    found = bench.rounds(lab.rounds)
    told = []
    for name, pairs in found.items():
        jobs, bare = zip(*pairs, strict=True)
        most, seconds = at_most(bench.actions[name].most_times), figures.median(jobs)
        told += [
            Figure(f"{name}: job / bare statement", figures.ratios(jobs, bare), "x", guarded(judged, most)),
            Figure(name, figures.ratio(rows, seconds), "rows/s", guarded(judged, at_least(LEAST_ROWS_PER_SECOND))),
        ]
    return Findings(told, dict(found))


class Bench:
    """A service with one reseller that holds `rows` numbers, and a table beside that holds the same."""

    def __init__(self, service: Service, rows: int) -> None:
        self._service, self._connection = service, service.connection
        self._rows = rows
        reseller = service.account("reseller")
        below = next(one for one in service.stack.accounts if one["parent_id"] == reseller["tenant_id"])
        ids = "SELECT id FROM tenants WHERE public_id::text = %s"
        self._reseller, self._target = (service.ask(ids, account["tenant_id"]) for account in (reseller, below))
        self._carrier = service.ask("SELECT min(id) FROM carriers WHERE service = 'voice'")
        headers = {"Authorization": f"Bearer {reseller['token']}"}
        self._api = httpx.Client(base_url=service.stack.url, headers=headers, timeout=120, trust_env=False)
        # Our own ids; the statements are what is measured, so they stand here as they run.
        target = f"UPDATE bare SET holder_id = {self._target}, changed_job_id = 2"  # noqa: S608
        back = f"UPDATE bare SET holder_id = {self._reseller}, changed_job_id = 3"  # noqa: S608
        fax = "UPDATE bare SET fax = true, changed_job_id = 4"
        self.actions: Mapping[str, Action] = {
            "assign, by list": Action("/v1/assignments", {"tenant_id": below["tenant_id"]}, target),
            "assign, by filter": Action("/v1/assignments", {"tenant_id": below["tenant_id"]}, target),
            "unassign, by filter": Action("/v1/unassignments", {}, back),
            "change, by filter": Action("/v1/capability-changes", {"fax": True}, fax),
            # A bare DELETE only marks rows. The job also locks the numbers, keeps them as images for undo, and enters
            # them in their histories, which is more than the DELETE itself.
            "delete, by filter": Action("/v1/deletions", {}, "DELETE FROM bare", most_times=10.0),
        }

    def rounds(self, count: int) -> Mapping[str, Timed]:
        """Every action so many times, job and bare statement one after the other."""
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for _ in range(count):
            for name, action in self.actions.items():
                found[name].append(self._measured(name, action))
        self._connection.execute("DROP TABLE bare")
        return found

    def _measured(self, name: str, action: Action) -> tuple[float, float]:
        self._fill(self._target if name.startswith("unassign") else self._reseller)
        body = dict(action.body)
        if name.endswith("list"):
            body["numbers"] = [f"+{FIRST + place}" for place in range(self._rows)]
        else:
            body |= {"filter": {}, "expected_count": self._rows}
        self._connection.execute("CHECKPOINT")
        began = time.perf_counter()
        job = self._api.post(action.path, json=body, headers={"Prefer": "wait=10"}).raise_for_status().json()
        while job["finished_at"] is None:
            job = self._api.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=10"}).raise_for_status().json()
        took = time.perf_counter() - began
        done = job["counts"]["updated"] + job["counts"]["deleted"]
        if done != self._rows:
            raise RuntimeError(f"{name}: {job['status']}, {job['counts']}")
        self._connection.execute("CHECKPOINT")
        began = time.perf_counter()
        self._connection.execute(action.statement)
        return took, time.perf_counter() - began

    def fill(self) -> None:
        """The numbers anew, all of them the reseller's."""
        self._fill(self._reseller)

    def _fill(self, holder: int) -> None:
        """The numbers anew, in the inventory and in the bare table beside it."""
        self._connection.execute("TRUNCATE phone_numbers, number_events")
        self._connection.execute(
            """INSERT INTO phone_numbers
                (e164, created_job_id, changed_job_id, holder_id, uploader_id, voice_carrier_id,
                 voice, sms, fax, country)
            SELECT %s + place, 1, 1, %s, %s, %s, true, false, false, 'US' FROM generate_series(0, %s - 1) AS place""",
            (FIRST, holder, self._reseller, self._carrier, self._rows),
        )
        self._connection.execute("DROP TABLE IF EXISTS bare")
        self._connection.execute("CREATE TABLE bare (LIKE phone_numbers INCLUDING ALL)")
        self._connection.execute("INSERT INTO bare SELECT * FROM phone_numbers")
        self._connection.execute("VACUUM ANALYZE phone_numbers")
        self._connection.execute("VACUUM ANALYZE bare")
