"""Metrics that are read from the database: open jobs, waiting work items, and totals.

Three queries that read only open work and totals: their cost grows neither with ended jobs nor with the inventory, even
if the planner's statistics date from the time when those jobs were open. Known label values are reported as 0 until
they occur, so that their first increase is visible.
"""

from __future__ import annotations

import itertools
from typing import Any

import sqlalchemy as sa

from schemas.codes import CATALOGUE, Outcome
from schemas.database.tables import job_chunks, jobs
from schemas.job_kinds import JobKind
from schemas.jobs import TERMINAL, WORKED_IN, ChunkState, JobStatus, Phase, Stage
from schemas.mails import MailResult
from schemas.metrics import (
    HELD_UP,
    JOBS,
    LEASED,
    MAILS,
    OF_LEDGER,
    OPEN_JOBS,
    PENDING,
    PIECES,
    QUEUE_AGE,
    ROWS,
    STAGE_SECONDS,
    SWEEP,
    Finding,
    Metric,
)
from schemas.request_problems import RequestCode
from worker.database import counters

Samples = dict[tuple[str, ...], float]
"""A metric's samples: its labels' values -> the figure."""

MOST_SECONDS = 5  # for each query: a late response to a scrape is useless

_PHASES = tuple((phase.value,) for phase in Phase)
_KNOWN: dict[Metric, tuple[tuple[str, ...], ...]] = {
    # A counter that begins with its first row is not an increase for Prometheus, and raises no alert.
    ROWS: (
        *((entry.outcome.value, code.value) for code, entry in CATALOGUE.items() if entry.outcome is not None),
        *((Outcome.UNPROCESSED.value, code.value) for code in (RequestCode.INTERNAL_ERROR, RequestCode.UNAVAILABLE)),
    ),
    JOBS: tuple((kind.value, end.value) for kind, end in itertools.product(JobKind, JobStatus) if end in TERMINAL),
    SWEEP: tuple((finding.value,) for finding in Finding),
    MAILS: tuple((result.value,) for result in MailResult),
    OPEN_JOBS: tuple((status.value,) for status in JobStatus if status not in TERMINAL),
    STAGE_SECONDS: tuple((stage.value,) for stage in Stage),
    **dict.fromkeys((PIECES, PENDING, LEASED, QUEUE_AGE, HELD_UP), _PHASES),
}


def read(connection: sa.Connection) -> dict[Metric, Samples]:
    """Return every metric of `OF_LEDGER`. Ages in seconds by the database's clock."""
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {MOST_SECONDS * 1000}")
    # Statistics from the run of a large job show all rows as open: the planner would scan tables instead of indexes.
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    values: dict[Metric, Samples] = {metric: dict.fromkeys(_KNOWN.get(metric, ()), 0.0) for metric in OF_LEDGER}
    by_name = {metric.name: samples for metric, samples in values.items()}
    for (name, labels), value in counters.read(connection).items():
        if name in by_name:  # skips metrics of a later version that was rolled back
            by_name[name][labels] = value
    for status, count in connection.execute(_open_jobs()):
        values[OPEN_JOBS][status,] = count
    for row in connection.execute(_pieces()):
        phase = (row.phase,)
        values[PENDING][phase] = row.pending
        values[LEASED][phase] = row.leased
        values[QUEUE_AGE][phase] = max(float(row.queue_age or 0), 0.0)
        values[HELD_UP][phase] = max(float(row.held_up or 0), 0.0)
    return values


def _open_jobs() -> sa.Select[Any]:
    return sa.select(jobs.c.status, sa.func.count()).where(jobs.c.finished_at.is_(None)).group_by(jobs.c.status)


def _pieces() -> sa.Select[Any]:
    """Count work items by phase. Those that cannot be claimed, of ended jobs or jobs under review, are not waiting."""
    # Separate steps: in a join with `jobs` the planner reads all jobs if it expects many work items.
    columns = list(job_chunks.c["job_id", "phase", "state", "next_attempt_at", "setback_since"])
    is_open = job_chunks.c.state.in_([ChunkState.PENDING, ChunkState.LEASED])
    chunks = _apart(sa.select(*columns).where(is_open), "chunks")
    job_ids = sa.select(chunks.c.job_id).distinct().subquery()
    status = sa.select(jobs.c.status).where(jobs.c.id == job_ids.c.job_id).scalar_subquery()
    job = _apart(sa.select(job_ids.c.job_id, status.label("status")), "job")
    given_out = sa.or_(
        *(sa.and_(chunks.c.phase == phase, job.c.status.in_(statuses)) for phase, statuses in WORKED_IN.items())
    )
    is_leased = chunks.c.state == ChunkState.LEASED
    waits = (chunks.c.state == ChunkState.PENDING) & given_out
    since = sa.func.min(chunks.c.next_attempt_at).filter(waits, chunks.c.next_attempt_at <= sa.func.now())
    return (
        sa.select(
            chunks.c.phase,
            sa.func.count().filter(waits).label("pending"),
            sa.func.count().filter(is_leased).label("leased"),
            sa.extract("epoch", sa.func.now() - since).label("queue_age"),
            sa.extract("epoch", sa.func.now() - sa.func.min(chunks.c.setback_since)).label("held_up"),
        )
        .join(job, job.c.job_id == chunks.c.job_id)
        .where(sa.or_(is_leased, given_out))
        .group_by(chunks.c.phase)
    )


def _apart(query: sa.Select[Any], name: str) -> sa.CTE:
    """Return a CTE that PostgreSQL plans and runs separately."""
    return query.cte(name).prefix_with("MATERIALIZED", dialect="postgresql")
