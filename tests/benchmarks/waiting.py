"""How fast many small files are imported that wait for the workers, and whether a file costs more the more wait (R37).

The files are accepted while the worker processes are stopped. All times are the database's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from schemas.jobs import JobStatus
from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, Findings, at_least, guarded
from tests.benchmarks.imports import warmed
from tests.benchmarks.lab import Lab, Service
from tests.benchmarks.small import ROWS, Client, by_clients, contents

CONNECTIONS = 4
IDLE_SECONDS, END_SECONDS = 60.0, 600.0
LEAST_JOBS, LEAST_TIMES = 60, 0.8
_ENDED = "SELECT count(finished_at) FROM jobs WHERE public_id::text = ANY(%s)"
_ENDS = """
    SELECT extract(epoch FROM finished_at)::float8 FROM jobs WHERE public_id::text = ANY(%s) ORDER BY finished_at"""


@dataclass(frozen=True)
class Drained:
    """How a queue of files was worked off: jobs per second of all, of the first and the last fifth that ended.

    `first_seconds`: until the first job had ended.
    """

    rate: float
    first: float
    last: float
    first_seconds: float


def scenario(lab: Lab) -> Findings:
    """At least 60 jobs a second, and the first fifth of the files as fast as the last."""
    service, files = warmed(lab), contents()
    found = [_drained(service, list(itertools.islice(files, lab.sizes.waiting))) for _ in range(lab.rounds)]
    first, last = [one.first for one in found], [one.last for one in found]
    judged, of = lab.sizes.judged, f"{lab.sizes.waiting:,} files of {ROWS} rows waiting"
    return Findings(
        [
            Figure(
                "all files, from the start of the workers",
                figures.median(one.rate for one in found),
                "jobs/s",
                guarded(judged, at_least(LEAST_JOBS)),
                of,
            ),
            Figure("first fifth", figures.median(first), "jobs/s"),
            Figure("last fifth", figures.median(last), "jobs/s"),
            *(
                Figure(name, figures.ratios(*pair), "x", guarded(judged, at_least(LEAST_TIMES)))
                for name, pair in (
                    ("rate of the first fifth / last", (first, last)),
                    ("rate of the last fifth / first", (last, first)),
                )
            ),
            Figure("until the first file has ended", figures.median(one.first_seconds for one in found), "s"),
        ],
        {"waiting": [asdict(one) for one in found]},
    )


def drained(began: float, ends: Sequence[float]) -> Drained:
    """The rates of jobs that ended at these times (ascending) after the workers began; seconds on one clock."""
    fifth = len(ends) // 5
    return Drained(
        rate=len(ends) / (ends[-1] - began),
        first=fifth / (ends[fifth - 1] - began),
        last=fifth / (ends[-1] - ends[-fifth - 1]),
        first_seconds=ends[0] - began,
    )


def _drained(service: Service, files: Sequence[bytes]) -> Drained:
    service.until_idle(IDLE_SECONDS)
    service.empty()
    account = service.account("reseller")
    with service.paused("worker"):
        jobs = by_clients(service, account, CONNECTIONS, files, lambda client, content: client.send(content)["id"])
        if service.ask(_ENDED, jobs):
            raise RuntimeError("jobs ended although the workers were stopped")
        began = float(service.ask("SELECT extract(epoch FROM clock_timestamp())::float8"))
    service.until_idle(END_SECONDS)
    _check(service, jobs)
    return drained(began, [end for (end,) in service.connection.execute(_ENDS.encode(), (jobs,))])


def _check(service: Service, jobs: Sequence[str]) -> None:
    """Raise RuntimeError unless every row of every file was written and reported, each by one job and one commit."""
    faults = dict(_faults(service, jobs))
    if any(faults.values()):
        raise RuntimeError(f"files that waited: {faults}")


def _faults(service: Service, jobs: Sequence[str]) -> Iterator[tuple[str, int]]:
    def is_faulty(client: Client, job_id: str) -> bool:
        job = client.http.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        report = client.http.get(f"/v1/jobs/{job_id}/report.csv").raise_for_status()
        is_whole = job["counts"]["created"] == job["counts"]["total"] == len(report.text.splitlines()) - 1 == ROWS
        return job["status"] != JobStatus.COMPLETED or not is_whole

    yield "jobs without all rows", sum(by_clients(service, service.account("reseller"), CONNECTIONS, jobs, is_faulty))
    yield "files that share a job", len(jobs) - len(set(jobs))
    for table, each in (("phone_numbers", ROWS), ("number_changes", 1)):
        yield f"{table} too many or too few", abs(service.ask(f"SELECT count(*) FROM {table}") - each * len(jobs))  # noqa: S608
