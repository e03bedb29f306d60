"""What a claim costs, and what everybody looks at, while very many work items wait (R37).

Uses a database of its own, which it fills with jobs whose work items all wait. One worker claims them in turn, and each
is done as soon as it is claimed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from schemas.jobs import JobStatus, Phase
from schemas.permissions import Actor
from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, Findings, Limit, at_most, guarded
from tests.benchmarks.lab import Lab
from tests.support import factories
from tests.support.process_caches import forget
from worker import pipeline
from worker.config.settings import Settings, get_settings
from worker.database import migrate
from worker.database.engine import transaction
from worker.jobs import metrics_queries, queries
from worker.jobs.search import JobFilter
from worker.maintenance import rescue_queries
from worker.queue import broker, leases, turns
from worker.runtime.embedded import EmbeddedPostgres

MS = 1000.0
CLAIMS, LOOKS = 200, 20
MOST_CLAIM_MS, MOST_CLAIM_MS_LARGEST, MOST_TIMES = 8, 10, 2
MOST_LOOK_MS = 150


@dataclass(frozen=True)
class Backlog:
    """So many tenants, each with so many jobs, each with so many work items of one phase."""

    tenants: int
    jobs: int
    items: int
    phase: Phase = Phase.WRITE
    status: JobStatus = JobStatus.RUNNING

    def __str__(self) -> str:
        return f"{self.total:,} {'files' if self.phase is Phase.CHECK else 'items'} waiting"

    @property
    def total(self) -> int:
        return self.tenants * self.jobs * self.items


SMALL, MANY_JOBS, MANY_TENANTS = Backlog(5, 2, 40), Backlog(100, 50, 40), Backlog(10_000, 1, 100)
FILES = Backlog(100, 100, 1, Phase.CHECK, JobStatus.ACCEPTED)  # not read yet
_TENANTS = """
    INSERT INTO tenants (kind, name, path, parent_id)
    SELECT 'reseller', 'Waiting ' || n, ARRAY[:master, currval(pg_get_serial_sequence('tenants', 'id'))], :master
    FROM generate_series(1, :tenants) AS n"""
_JOBS = """
    INSERT INTO jobs (tenant_id, kind, status, options, created_by, started_at, file_name, file_size, file_sha256,
        file_facts, rows_total, rows_done, read_token, check_token, tally, pieces_left)
    SELECT tenants.id, 'upload', :status, '{}', 'token', now(), 'numbers.csv', 4000, sha256(tenants.id::text::bytea),
        '{"format": "csv"}', 1000, 0, 1, 1, '{"results": [], "rows_with_warnings": 0}', :items
    FROM generate_series(1, :jobs) AS n, tenants WHERE tenants.parent_id = :master ORDER BY n, tenants.id"""
_ITEMS = """
    INSERT INTO job_chunks (job_id, phase, number, rows)
    SELECT jobs.id, :phase, n, 25 FROM jobs, generate_series(0, :items - 1) AS n WHERE jobs.status = :status"""


def scenario(lab: Lab) -> Findings:
    """Claims at 400, 200,000 and 1,000,000 waiting work items; lists and metrics beside them."""
    judged = lab.sizes.judged
    limits = {MANY_JOBS: MOST_CLAIM_MS, FILES: MOST_CLAIM_MS, MANY_TENANTS: MOST_CLAIM_MS_LARGEST}
    found: list[Figure] = []
    rounds: dict[str, dict[str, list[float]]] = {}
    medians: dict[Backlog, float] = {}
    for backlog in (SMALL, MANY_JOBS, FILES, MANY_TENANTS):
        sized = replace(backlog, tenants=max(round(backlog.tenants * (1.0 if judged else 0.01)), 2))
        turns_of_each = min(CLAIMS, sized.total // 3)
        with filled(sized) as looker:
            claims = [claimed(sized) for _ in range(turns_of_each)]
            looks = looked(looker)
            busy = [claimed(sized, is_kept=True) for _ in range(turns_of_each)]
        medians[backlog] = figures.median(claims) or 0.0
        limit = guarded(judged, at_most(limits[backlog])) if backlog in limits else None
        found += [
            _figure(f"claim, {sized}", claims, limit),
            _figure(f"claim by a worker more, {sized}", busy, None),
            *(
                _figure(f"{look}, {sized}", spent, guarded(judged, at_most(MOST_LOOK_MS)))
                for look, spent in looks.items()
            ),
        ]
        rounds[str(sized)] = {"claims": claims, **looks}
    times = medians[MANY_JOBS] / (medians[SMALL] or 1)
    found.append(Figure("claim: 200,000 items waiting / 400", times, "x", guarded(judged, at_most(MOST_TIMES))))
    return Findings(found, rounds)


def _figure(name: str, spent: list[float], limit: Limit | None) -> Figure:
    tail = f"p95 {figures.percentile(spent, 95):.1f}"
    return Figure(f"{name}: median", figures.median(spent), "ms", limit, tail)


@contextmanager
def filled(backlog: Backlog) -> Iterator[Actor]:
    """A database with a backlog, which the settings point to; an actor who sees all of it."""
    with (
        tempfile.TemporaryDirectory(prefix="numberyard-backlog-") as folder,
        EmbeddedPostgres(Path(folder)) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        migrate.upgrade(Settings(database_url=SecretStr(server.url)))
        patch.setenv("NUMBERYARD_DATABASE_URL", server.url)
        forget()
        engine = sa.create_engine(server.url)
        with engine.begin() as connection:
            master = factories.tenant(connection, name="Everybody")
            values = {"master": master.id, **asdict(backlog)}
            for statement in (_TENANTS, _JOBS, _ITEMS):
                connection.execute(sa.text(statement), values)
        engine.dispose()
        try:
            yield Actor(master, "everybody")
        finally:
            forget()


def claimed(backlog: Backlog, *, is_kept: bool = False) -> float:
    """How long a claim took, in ms; the work item is done then, or its worker goes on with it."""
    phases = broker.PHASES[broker.QUEUES[backlog.phase]]
    began = time.perf_counter()
    lease = pipeline._claim(phases, get_settings())  # noqa: SLF001 - all that workers do, and no work
    spent = (time.perf_counter() - began) * MS
    assert lease is not None
    if not is_kept:
        with transaction() as connection:
            leases.update_leased(connection, lease, {"state": "done", "lease_until": None})
    return spent


def looked(actor: Actor) -> dict[str, list[float]]:
    """How long what everybody looks at takes, in ms."""

    def sweep(connection: sa.Connection) -> None:
        rescue_queries.release_expired_leases(connection)
        rescue_queries.expire_reviews(connection)
        rescue_queries.finish_cancellations(connection)
        turns.overdue(connection, get_settings().hint_seconds)

    asked: dict[str, Callable[[sa.Connection], Any]] = {
        "list of jobs": lambda connection: queries.page(connection, actor, JobFilter(), 50),
        "metrics": metrics_queries.read,
        "rescue round": sweep,
    }
    found: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(LOOKS):
        for name, ask in asked.items():
            with transaction() as connection:
                began = time.perf_counter()
                ask(connection)
                found[name].append((time.perf_counter() - began) * MS)
    return found
