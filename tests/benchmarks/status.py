"""How long a look at a large job takes while it is imported."""

from __future__ import annotations

import time

from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.imports import begin, warmed
from tests.benchmarks.lab import Lab

EVERY = 0.02  # seconds
MS = 1000.0


def scenario(lab: Lab) -> Findings:
    """A look every 20 ms: 99 % of them are answered within 50 ms."""
    service, file = warmed(lab), lab.file(lab.sizes.big)
    found: list[float] = []
    for _ in range(lab.rounds):
        service.empty()
        with service.api() as uploading, service.api() as looking:
            job = begin(uploading, file)
            due = time.perf_counter()
            while job["finished_at"] is None:
                due += EVERY
                time.sleep(max(due - time.perf_counter(), 0.0))
                began = time.perf_counter()
                job = looking.job(job["id"])
                found.append((time.perf_counter() - began) * MS)
                due = max(due, began)
    limits = {50: None, 99: guarded(lab.sizes.judged, at_most(50)), 100: None}
    of = f"of {len(found)}"
    return Findings(
        [
            Figure(f"status of a running job: p{percent}", figures.percentile(found, percent), "ms", limit, of)
            for percent, limit in limits.items()
        ],
        {"milliseconds": found},
    )
