"""Assigning, changing and deleting many numbers against one bare statement on the same rows (`make bench`).

Each job is timed from the request to `completed` with its report published; the UPDATE or DELETE touches the same rows
of an identical table with the same indexes on the same server, and nothing else is asked of it.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from worker.infra.ports import free_port
from worker.infra.settings import Settings
from worker.infra.stack import Stack

FIRST = 12_125_000_000  # numbers from here on: New York, one after the other
MOST_TIMES = 3.0
LEAST_ROWS_PER_SECOND = 50_000


@dataclass(frozen=True)
class Action:
    """One job and its bare twin: the path, the body beside the selection, and the statement on the table `bare`."""

    path: str
    body: dict[str, Any]
    statement: str


def main() -> None:
    """Print the table, and write it as JSON; exit code 1 if an action is slower than it may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(".bench/actions.json"))
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="numberyard-bench-") as folder:
        figures = measure(Path(folder), wanted.rows, wanted.rounds, wanted.workers)
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    wanted.out.write_text(json.dumps(figures, indent=2))
    print(f"{'':26}{'job s':>9}{'rows/s':>10}{'bare s':>9}{'ratio':>8}   (medians of {wanted.rounds} rounds)")
    for name, found in figures["actions"].items():
        rate = figures["rows"] / found["job_seconds"]
        print(f"{name:26}{found['job_seconds']:>9.2f}{rate:>10,.0f}{found['bare_seconds']:>9.2f}{found['ratio']:>8.2f}")
    sys.exit(any(found["ratio"] > MOST_TIMES for found in figures["actions"].values()))


def measure(folder: Path, rows: int, rounds: int, workers: int) -> dict[str, Any]:
    """Figures of all actions, `rounds` times each, job and bare statement one after the other on one server."""
    with Stack(Settings(data_dir=folder / "data", workers=workers), free_port()) as stack:
        stack.start(with_demo=True)
        address = stack.settings.database_url.get_secret_value().replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as connection:
            bench = _Bench(stack, connection, rows)
            found: dict[str, list[tuple[float, float]]] = {}
            for _ in range(rounds):
                for name, pair in bench.round().items():
                    found.setdefault(name, []).append(pair)
    return {
        "rows": rows,
        "workers": workers,
        "actions": {
            name: {
                "job_seconds": statistics.median(job for job, _ in pairs),
                "bare_seconds": statistics.median(bare for _, bare in pairs),
                "ratio": statistics.median(job / bare for job, bare in pairs),
            }
            for name, pairs in found.items()
        },
        "machine": {"python": sys.version.split()[0], "processor": platform.processor() or platform.machine()},
    }


class _Bench:
    """A service with one reseller that holds `rows` numbers, and a table beside that holds the same."""

    def __init__(self, stack: Stack, connection: psycopg.Connection, rows: int) -> None:
        self._connection = connection
        self._rows = rows
        reseller = next(account for account in stack.accounts if account["kind"] == "reseller")
        below = next(account for account in stack.accounts if account["parent_id"] == reseller["tenant_id"])
        self._reseller, self._target = (self._id_of(account["tenant_id"]) for account in (reseller, below))
        self._carrier = self._one("SELECT min(id) FROM carriers WHERE service = 'voice'")
        headers = {"Authorization": f"Bearer {reseller['token']}"}
        self._api = httpx.Client(base_url=stack.url, headers=headers, timeout=120)
        # Our own ids; the statements are what is measured, so they stand here as they run.
        target = f"UPDATE bare SET holder_id = {self._target}, changed_job_id = 2"  # noqa: S608
        self._actions = {
            "assign, by list": Action("/v1/assignments", {"tenant_id": below["tenant_id"]}, target),
            "assign, by filter": Action("/v1/assignments", {"tenant_id": below["tenant_id"]}, target),
            "unassign, by filter": Action(
                "/v1/unassignments",
                {},
                f"UPDATE bare SET holder_id = {self._reseller}, changed_job_id = 3",  # noqa: S608
            ),
            "change, by filter": Action(
                "/v1/capability-changes", {"fax": True}, "UPDATE bare SET fax = true, changed_job_id = 4"
            ),
            "delete, by filter": Action("/v1/deletions", {}, "DELETE FROM bare"),
        }

    def round(self) -> dict[str, tuple[float, float]]:
        """Every action once: name -> seconds of the job, seconds of the bare statement."""
        return {name: self._measured(name, action) for name, action in self._actions.items()}

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

    def _id_of(self, public_id: str) -> int:
        found = self._connection.execute("SELECT id FROM tenants WHERE public_id::text = %s", (public_id,)).fetchone()
        return int(found[0]) if found else 0

    def _one(self, query: str) -> int:
        found = self._connection.execute(query.encode()).fetchone()
        return int(found[0]) if found else 0


if __name__ == "__main__":
    main()
