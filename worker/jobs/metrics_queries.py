"""Metrics that are read from the database: open jobs, waiting work items, and totals.

Three queries that read only open work and totals: their cost grows neither with ended jobs nor with the inventory, even
if the planner's statistics date from the time when those jobs were open, and hardly with the work items that wait: of
each queue `MOST_COUNTED` are counted. Known label values are reported as 0 until
they occur, so that their first increase is visible.
"""

from __future__ import annotations

import itertools
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.codes import CATALOGUE, Outcome
from schemas.database.tables import jobs
from schemas.job_kinds import JobKind
from schemas.jobs import TERMINAL, ChunkState, JobStatus, Phase, Stage
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
from worker.queue.broker import PHASES, QUEUES
from worker.queue.turns import CLAIMABLE

Samples = dict[tuple[str, ...], float]
"""A metric's samples: its labels' values -> the figure."""

MOST_SECONDS = 5  # for each query: a late response to a scrape is useless
MOST_COUNTED = 10_000  # work items of each queue that wait

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
    for method in ("seqscan", "hashjoin", "mergejoin"):
        connection.exec_driver_sql(f"SET LOCAL enable_{method} = off")
    values: dict[Metric, Samples] = {metric: dict.fromkeys(_KNOWN.get(metric, ()), 0.0) for metric in OF_LEDGER}
    by_name = {metric.name: samples for metric, samples in values.items()}
    for (name, labels), value in counters.read(connection).items():
        if name in by_name:  # skips metrics of a later version that was rolled back
            by_name[name][labels] = value
    for status, count in connection.execute(_open_jobs()):
        values[OPEN_JOBS][status,] = count
    for row in connection.execute(_work_items()):
        phase = (row.phase,)
        values[PENDING][phase] = row.pending
        values[LEASED][phase] = row.leased
        values[QUEUE_AGE][phase] = max(float(row.queue_age or 0), 0.0)
        values[HELD_UP][phase] = max(float(row.held_up or 0), 0.0)
    return values


def _open_jobs() -> sa.Select[Any]:
    return sa.select(jobs.c.status, sa.func.count()).where(jobs.c.finished_at.is_(None)).group_by(jobs.c.status)


def _work_items() -> sa.TextClause:
    """Return the query for the work items of each phase that wait and that are leased.

    Those that cannot be claimed, of ended jobs or jobs under review, are not waiting.
    """
    # Those that have waited longest are counted. OFFSET 0: the planner keeps the order, job by job from the queue, also
    # where its statistics are old.
    return sa.text(f"""
        WITH waiting AS (
            SELECT item.phase, count(*) AS items, min(item.setback_since) AS setback_since,
                min(item.next_attempt_at) FILTER (WHERE item.next_attempt_at <= now()) AS since
            FROM unnest(:queues) AS of (queue) CROSS JOIN LATERAL (
                SELECT item.* FROM (
                    (SELECT job_id FROM queued_jobs WHERE queue = of.queue AND is_due ORDER BY due_at LIMIT :most)
                    UNION ALL
                    (SELECT job_id FROM queued_jobs WHERE queue = of.queue AND NOT is_due AND due_at < 'infinity'
                        ORDER BY due_at LIMIT :most)
                ) AS queued CROSS JOIN LATERAL (
                    SELECT job_chunks.phase, job_chunks.next_attempt_at, job_chunks.setback_since
                    FROM jobs JOIN job_chunks ON job_chunks.job_id = jobs.id
                    WHERE jobs.id = queued.job_id AND job_chunks.job_id = queued.job_id
                        AND job_chunks.state = '{ChunkState.PENDING}' AND queue_of_phase(job_chunks.phase) = of.queue
                        AND ({CLAIMABLE})
                    OFFSET 0) AS item
                LIMIT :most) AS item
            GROUP BY item.phase
        ), leased AS (
            SELECT phase, count(*) AS items, min(setback_since) AS setback_since
            FROM job_chunks WHERE state = '{ChunkState.LEASED}' GROUP BY phase
        )
        SELECT of.phase, coalesce(waiting.items, 0) AS pending, coalesce(leased.items, 0) AS leased,
            extract(epoch FROM now() - waiting.since) AS queue_age,
            extract(epoch FROM now() - least(waiting.setback_since, leased.setback_since)) AS held_up
        FROM unnest(:phases) AS of (phase)
        LEFT JOIN waiting ON waiting.phase = of.phase LEFT JOIN leased ON leased.phase = of.phase
    """).bindparams(  # noqa: S608 - ours
        sa.bindparam("phases", [phase.value for phase in QUEUES], type_=ARRAY(sa.Text)),
        sa.bindparam("queues", list(PHASES), type_=ARRAY(sa.Text)),
        most=MOST_COUNTED,
    )
