"""Turns: which job's work item is claimed next. Found by index, however many work items, jobs and tenants wait (R37).

The tenant with the fewest running work items comes first, then the tenant whose last claim is longest ago; within a
tenant, the job whose last claim is longest ago. So a small file waits for work items of a large one, never for all of
it, and nothing waits forever. Lease tokens only grow, so the token of the last claim gives the order of turns.

Triggers (migration 0037) enter a job in `queued_jobs` when it gets work items. `promote` puts it into the order once
they are due, and `settle` takes it out when none are left. A job's row there is changed only under its lock, and
`settle` looks for work items only then: what another transaction adds is either seen, or enters the row afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.jobs import CLAIMED_APART, TERMINAL, WORKED_IN, ChunkState, Phase
from worker.queue.broker import MAX_WAKEUPS, PHASES, QUEUES

MOST_PROMOTED = 500  # jobs that a claim puts into the order of turns
TENANTS, JOBS_OF_TENANT = 8, 4  # that a claim considers
MOST_LEASES = 1000  # running work items of a phase that a claim counts: more than a service has workers
ROUNDS = 10  # that look for overdue jobs among those whose work items have been claimed or withdrawn
_IMPORT_QUEUES = [queue for queue, phases in PHASES.items() if CLAIMED_APART.isdisjoint(phases)]


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


CLAIMABLE = " OR ".join(
    f"(job_chunks.phase = '{phase}' AND jobs.status IN ({_listed(statuses)}))" for phase, statuses in WORKED_IN.items()
)
"""The condition, in SQL, that pending work items of `job_chunks` can be claimed by the status of their job."""


@dataclass(frozen=True)
class Candidate:
    """A job that has the next turn, unless its work items have been claimed or withdrawn meanwhile."""

    queue: str
    tenant_id: int
    job_id: int


def queues_of(phases: Iterable[Phase]) -> list[str]:
    """Return the queues of some phases."""
    return sorted({QUEUES[phase] for phase in phases})


def sharing_turns(queue: str) -> list[str]:
    """Return the queues among which a tenant has one turn: those of imports, or the queue alone."""
    return _IMPORT_QUEUES if queue in _IMPORT_QUEUES else [queue]


_PROMOTE = sa.text("""
    WITH due AS (
        SELECT job_id, tenant_id FROM queued_jobs
        WHERE queue = :queue AND NOT is_due AND due_at <= now()
        ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
    ), waiting AS (
        INSERT INTO queued_tenants (tenant_id, queue, turn, is_waiting)
        SELECT tenant_id, :queue, coalesce((
            SELECT max(turn) FROM queued_tenants AS other
            WHERE other.tenant_id = tenants.tenant_id AND other.queue = ANY(:alike)), 0), true
        FROM (SELECT DISTINCT tenant_id FROM due) AS tenants ORDER BY 1
        ON CONFLICT (tenant_id, queue) DO UPDATE SET is_waiting = true
    )
    UPDATE queued_jobs SET is_due = true
    WHERE queue = :queue AND job_id = ANY (ARRAY(SELECT job_id FROM due))""").bindparams(
    sa.bindparam("alike", type_=ARRAY(sa.Text))
)


def promote(connection: sa.Connection, queues: Iterable[str], most: int = MOST_PROMOTED) -> None:
    """Put jobs of which a work item has become due into the order of turns, in each queue at most so many.

    In a transaction without a claim: a claim waits for the lock of its job, and the holder of that for these locks.
    """
    for queue in queues:
        connection.execute(_PROMOTE, {"queue": queue, "most": most, "alike": sharing_turns(queue)})


# Tenants without running work items by index, and the few that have some. Statistics of a queue are always old, so
# nothing here is a join that the planner could turn into a scan: each step looks rows up, in the order of an index.
_CANDIDATES = sa.text("""
    WITH running AS MATERIALIZED (
        SELECT tenant_id, count(*) AS items
        FROM unnest(:alike) AS alike (phase) CROSS JOIN LATERAL (
            SELECT job_id FROM job_chunks WHERE state = 'leased' AND phase = alike.phase
            ORDER BY lease_until LIMIT :leases) AS leased
        CROSS JOIN LATERAL (SELECT tenant_id FROM jobs WHERE id = leased.job_id LIMIT 1) AS job
        GROUP BY 1
    ), first AS MATERIALIZED (
        SELECT queue, tenant_id, items, turn FROM (
            SELECT queue.name AS queue, idle.tenant_id, 0 AS items, idle.turn
            FROM unnest(:queues) AS queue (name) CROSS JOIN LATERAL (
                SELECT tenant_id, turn FROM queued_tenants
                WHERE queue = queue.name AND is_waiting
                    AND tenant_id <> ALL (ARRAY(SELECT running.tenant_id FROM running))
                ORDER BY turn, tenant_id LIMIT :tenants) AS idle
            UNION ALL
            SELECT queue.name, running.tenant_id, running.items, busy.turn
            FROM running CROSS JOIN unnest(:queues) AS queue (name) CROSS JOIN LATERAL (
                SELECT turn FROM queued_tenants
                WHERE tenant_id = running.tenant_id AND queue = queue.name AND is_waiting LIMIT 1) AS busy
        ) AS every ORDER BY items, turn, tenant_id LIMIT :tenants
    )
    SELECT first.queue, first.tenant_id, next.job_id
    FROM first LEFT JOIN LATERAL (
        SELECT job_id, turn FROM queued_jobs
        WHERE queue = first.queue AND tenant_id = first.tenant_id AND is_due
        ORDER BY turn, job_id LIMIT :jobs) AS next ON true
    ORDER BY first.items, first.turn, first.tenant_id, next.turn, next.job_id""").bindparams(
    sa.bindparam("queues", type_=ARRAY(sa.Text)),
    sa.bindparam("alike", type_=ARRAY(sa.Text)),
    tenants=TENANTS,
    jobs=JOBS_OF_TENANT,
    leases=MOST_LEASES,
)


def candidates(connection: sa.Connection, phases: tuple[Phase, ...]) -> list[Candidate]:
    """Return the jobs that have the next turns, in their order; locks nothing.

    Work items of callbacks, workbooks, e-mails, previews and exports count separately: they have their own workers, and
    a slow receiver or a large workbook must not delay its tenant's imports.
    """
    ordered = _ordered(connection, phases)
    return [Candidate(row.queue, row.tenant_id, row.job_id) for row in ordered if row.job_id is not None]


def _ordered(connection: sa.Connection, phases: tuple[Phase, ...]) -> list[sa.Row[Any]]:
    """Return the next candidates, and the tenants among them that have no job."""
    values = {"queues": queues_of(phases), "alike": _counted_with(phases)}
    return list(connection.execute(_CANDIDATES, values))


@lru_cache
def _counted_with(phases: tuple[Phase, ...]) -> list[str]:
    """Return the phases whose running work items count when one of these phases is claimed."""
    if CLAIMED_APART.issuperset(phases):
        return [phase.value for phase in phases]
    return [phase.value for phase in Phase if phase not in CLAIMED_APART]


_LOCK = sa.text("""
    WITH job AS (
        SELECT 1 FROM queued_jobs WHERE job_id = :job_id AND queue = :queue FOR UPDATE SKIP LOCKED
    ), tenants AS (
        SELECT queue FROM queued_tenants WHERE tenant_id = :tenant_id AND queue = ANY(:alike) FOR UPDATE SKIP LOCKED
    )
    SELECT EXISTS (SELECT 1 FROM job) AS has_job, ARRAY(SELECT queue FROM tenants) AS queues""").bindparams(
    sa.bindparam("alike", type_=ARRAY(sa.Text))
)
_SETTLE = sa.text(f"""
    WITH rest AS MATERIALIZED (
        SELECT jobs.status IN ({_listed(TERMINAL)}) AS has_ended, CASE
            WHEN EXISTS (
                SELECT 1 FROM job_chunks WHERE job_id = jobs.id AND state = '{ChunkState.PENDING}'
                AND phase = ANY(:phases) AND next_attempt_at <= now() AND ({CLAIMABLE})) THEN now()
            ELSE (
                SELECT coalesce(min(next_attempt_at), 'infinity') FROM job_chunks
                WHERE job_id = jobs.id AND state = '{ChunkState.PENDING}' AND phase = ANY(:phases) AND ({CLAIMABLE}))
            END AS due_at
        FROM jobs WHERE jobs.id = :job_id
    ), ended AS (
        DELETE FROM queued_jobs USING rest
        WHERE job_id = :job_id AND queue = :queue AND :has_job AND rest.has_ended AND rest.due_at = 'infinity'
    ), kept AS (
        UPDATE queued_jobs SET turn = greatest(turn, :token),
            is_due = is_due AND rest.due_at <= now(),
            due_at = CASE WHEN rest.due_at <= now() THEN least(queued_jobs.due_at, now()) ELSE rest.due_at END,
            hint_due_at = CASE WHEN rest.due_at > now() THEN rest.due_at
                WHEN :token > 0 THEN hint_due_at ELSE now() + make_interval(secs => :hint_seconds) END
        FROM rest
        WHERE job_id = :job_id AND queue = :queue AND :has_job
            AND NOT (rest.has_ended AND rest.due_at = 'infinity')
    )
    UPDATE queued_tenants SET turn = greatest(turn, :token),
        is_waiting = is_waiting AND (queue <> :queue OR NOT :has_job OR rest.due_at <= now() OR EXISTS (
            SELECT 1 FROM (
                SELECT job_id FROM queued_jobs WHERE queue = :queue AND tenant_id = :tenant_id AND is_due
                ORDER BY turn, job_id LIMIT 2) AS next
            WHERE job_id <> :job_id))
    FROM rest
    WHERE tenant_id = :tenant_id AND queue = ANY(:queues)""").bindparams(  # noqa: S608 - ours
    sa.bindparam("phases", type_=ARRAY(sa.Text)),
    sa.bindparam("queues", type_=ARRAY(sa.Text)),
    sa.bindparam("has_job", type_=sa.Boolean),
)


def settle(connection: sa.Connection, candidate: Candidate, hint_seconds: float, token: int = 0) -> None:
    """Bring a job's rows up to date after a claim with this token, or an attempt at one: the last statement.

    Never waits: a row that another transaction holds stays as it is, and a later claim finds it.
    """
    alike = sharing_turns(candidate.queue)
    key = {"job_id": candidate.job_id, "queue": candidate.queue, "tenant_id": candidate.tenant_id}
    locked = connection.execute(_LOCK, key | {"alike": alike}).one()
    phases = [phase.value for phase in PHASES[candidate.queue]]
    found = {"has_job": locked.has_job, "queues": locked.queues, "phases": phases}
    connection.execute(_SETTLE, key | found | {"token": token, "hint_seconds": hint_seconds})


_HAS_DUE = sa.text("""
    SELECT EXISTS (
        SELECT 1 FROM unnest(:queues) AS of (queue) CROSS JOIN LATERAL (
            SELECT 1 FROM queued_jobs WHERE queue = of.queue AND NOT is_due AND due_at <= now()
            ORDER BY due_at LIMIT 1) AS due)
""").bindparams(sa.bindparam("queues", type_=ARRAY(sa.Text)))
_SETTLE_TENANT = sa.text("""
    UPDATE queued_tenants SET is_waiting = EXISTS (
        SELECT 1 FROM (
            SELECT 1 FROM queued_jobs WHERE queue = :queue AND tenant_id = :tenant_id AND is_due
            ORDER BY turn, job_id LIMIT 1) AS next)
    WHERE tenant_id = :tenant_id AND queue = :queue AND queue = ANY(:queues)""").bindparams(
    sa.bindparam("queues", type_=ARRAY(sa.Text))
)


def settle_all(connection: sa.Connection, phases: tuple[Phase, ...], hint_seconds: float) -> bool:
    """Bring the rows of the next candidates up to date, of which none could be claimed; return whether any was there.

    A job counts, too, that another worker is just putting into the order of turns. In a transaction without a claim, as
    `promote`.
    """
    ordered = _ordered(connection, phases)
    for row in ordered:
        if row.job_id is not None:
            settle(connection, Candidate(row.queue, row.tenant_id, row.job_id), hint_seconds)
            continue
        key = {"queue": row.queue, "tenant_id": row.tenant_id}
        locked = connection.execute(_LOCK, key | {"job_id": 0, "alike": [row.queue]}).one()
        connection.execute(_SETTLE_TENANT, key | {"queues": locked.queues})
    return bool(ordered) or bool(connection.execute(_HAS_DUE, {"queues": queues_of(phases)}).scalar_one())


# Literals, as a parameter rules the partial indexes out.
_OVERDUE = sa.text(f"""
    SELECT queued_jobs.job_id, queued_jobs.tenant_id, jobs.public_id, (
        SELECT count(*) FROM (
            SELECT 1 FROM job_chunks
            WHERE job_id = jobs.id AND state = '{ChunkState.PENDING}' AND phase = ANY(:phases)
                AND next_attempt_at <= now() AND ({CLAIMABLE}) LIMIT {MAX_WAKEUPS}) AS claimable) AS items
    FROM queued_jobs JOIN jobs ON jobs.id = queued_jobs.job_id
    WHERE queue = :queue AND is_due AND hint_due_at <= now() AND hint_due_at < 'infinity'
    ORDER BY hint_due_at LIMIT {MAX_WAKEUPS} FOR UPDATE OF queued_jobs SKIP LOCKED""").bindparams(  # noqa: S608 - ours
    sa.bindparam("phases", type_=ARRAY(sa.Text))
)
Due = tuple[Phase, str, int]
"""Work to be announced: its phase, its job's public id, the count of work items."""


def overdue(connection: sa.Connection, hint_seconds: float) -> list[Due]:
    """Return jobs that no worker has claimed from in time, of each queue those that have waited longest.

    No more than a queue takes messages, each with at most as many work items. They are overdue again after
    `hint_seconds`. In a transaction without a claim, as `promote`.
    """
    found: list[Due] = []
    for queue, phases in PHASES.items():
        for _ in range(ROUNDS):
            values = {"queue": queue, "phases": [phase.value for phase in phases]}
            rows = connection.execute(_OVERDUE, values).all()
            for row in rows:
                settle(connection, Candidate(queue, row.tenant_id, row.job_id), hint_seconds)
            waiting = [(phases[0], str(row.public_id), int(row.items)) for row in rows if row.items]
            found += waiting
            if waiting or not rows:
                break
    return found
