"""Undo relations between jobs: the undos of a job, the job of an undo, and how many rows are restored now (R27).

Read from the database and computed; nothing is decided or changed here (`worker.jobs.control`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from schemas.codes import Outcome
from schemas.database.tables import jobs
from schemas.job_kinds import JobKind
from schemas.jobs import JobStatus, Tally
from schemas.permissions import Actor
from worker.database import tenant_scope
from worker.jobs import retention
from worker.jobs.retention import FileClass

WRITTEN = (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED)


@dataclass(frozen=True)
class RelatedJob:
    """A job of an undo graph. `rows`: row count of its file; `wrote`: how many of them changed something."""

    id: int
    public_id: str
    undo_of_id: int | None
    kind: JobKind
    status: JobStatus
    file_name: str | None
    rows: int
    wrote: int
    finished_at: datetime | None  # UTC
    is_expired: bool  # it can no longer be undone


class State(StrEnum):
    """How far the changes of a job have been undone."""

    UNDER_WAY = "under way"  # an undo has not ended
    WHOLE = "whole"  # all rows are restored
    STOPPED = "stopped"  # an undo was cancelled or failed, and not all rows are restored
    PART = "part"  # an undo skipped rows
    AGAIN = "again"  # the undo was undone: all changes of the job are in effect again


@dataclass(frozen=True)
class Undone:
    """How far a job is undone. `by`: the undo to show; `put_back`: restored rows, of those that the job `wrote`."""

    state: State
    by: RelatedJob
    put_back: int
    wrote: int


class UndoGraph:
    """The undo graph around some jobs: all jobs that they undo and all that undo them, at any depth."""

    def __init__(self, kin: Iterable[RelatedJob]) -> None:
        self._jobs = {each.id: each for each in kin}
        self._undos: dict[int, list[RelatedJob]] = {}
        self._left: dict[int, int] = {}
        # An undo has a higher id than its job: in descending order, a job comes after all its undos.
        for job_id in sorted(self._jobs, reverse=True):
            each = self._jobs[job_id]
            put_back = sum(self._put_back(undo) for undo in self.of(each))
            self._left[job_id] = max(each.wrote - put_back, 0)
            if each.undo_of_id is not None:
                self._undos.setdefault(each.undo_of_id, []).insert(0, each)

    def __iter__(self) -> Iterator[RelatedJob]:
        return iter(self._jobs.values())

    def of(self, job: RelatedJob) -> list[RelatedJob]:
        """Return the undos of a job, oldest first."""
        return self._undos.get(job.id, [])

    def job_undone_by(self, undo: RelatedJob) -> RelatedJob | None:
        """Return the job that this undo undoes; None if it is no undo."""
        return None if undo.undo_of_id is None else self._jobs.get(undo.undo_of_id)

    def left(self, job_id: int) -> int:
        """Return how many rows that a job changed are not restored now; an undo may itself have been undone."""
        return self._left[job_id]

    def undone(self, job: RelatedJob) -> Undone | None:
        """Return how far a job is undone; None if it has no undos."""
        undos = self.of(job)
        if not undos:
            return None
        put_back, last = job.wrote - self.left(job.id), undos[-1]
        if under_way := [each for each in undos if each.finished_at is None]:
            return Undone(State.UNDER_WAY, under_way[-1], put_back, job.wrote)
        # An undo that found nothing to restore is not worth showing.
        telling = next((each for each in reversed(undos) if self._put_back(each)), last)
        if put_back == job.wrote:
            return Undone(State.WHOLE, telling, put_back, job.wrote)
        if last.status in {JobStatus.CANCELLED, JobStatus.FAILED}:
            return Undone(State.STOPPED, last, put_back, job.wrote)
        state = State.AGAIN if not put_back and any(each.wrote for each in undos) else State.PART
        return Undone(state, telling, put_back, job.wrote)

    def _put_back(self, undo: RelatedJob) -> int:
        """Return how many rows an undo has restored that still are; 0 while the undo itself is being undone."""
        return 0 if any(each.finished_at is None for each in self.of(undo)) else self.left(undo.id)


def undo_graph_of(connection: sa.Connection, actor: Actor, public_ids: Iterable[str]) -> UndoGraph:
    """Return the undo graph around the jobs with these ids, in one query; only jobs that the actor sees (R3)."""
    return _around(connection, jobs.c.public_id.in_(list(public_ids)), tenant_scope.jobs_of(actor.tenant))


def undo_graph_of_locked(connection: sa.Connection, job_id: int) -> UndoGraph:
    """Return the undo graph around a job (by its database id). The caller has locked it, so no new undo can begin."""
    return _around(connection, jobs.c.id == job_id, sa.true())


def undoable(connection: sa.Connection, job_ids: Sequence[int]) -> set[int]:
    """Return those of ended jobs that can be undone now. The caller has found that the actor sees them."""
    if not job_ids:
        return set()
    graph = _around(connection, jobs.c.id.in_(job_ids), sa.true())
    return {each.id for each in graph if each.id in job_ids and not each.is_expired and graph.left(each.id)}


def count_written(tally: Tally) -> int:
    """Return how many rows of a job have changed something."""
    return sum(tally.count(outcome) for outcome in WRITTEN)


def _around(connection: sa.Connection, selected: sa.ColumnElement[bool], visible: sa.ColumnElement[bool]) -> UndoGraph:
    """Load the graph. An undo has the tenant of the job that it undoes, so the actor sees all of a graph or nothing."""
    up = sa.select(jobs.c.id, jobs.c.undo_of_id).where(selected).cte("up", recursive=True)
    up = up.union(sa.select(jobs.c.id, jobs.c.undo_of_id).where(jobs.c.id == up.c.undo_of_id))
    down = sa.select(up.c.id).cte("down", recursive=True)
    down = down.union(sa.select(jobs.c.id).where(jobs.c.undo_of_id == down.c.id))
    query: sa.Select[Any] = sa.select(
        jobs.c.id,
        jobs.c.public_id,
        jobs.c.undo_of_id,
        jobs.c.kind,
        jobs.c.status,
        jobs.c.file_name,
        jobs.c.rows_total,
        jobs.c.check_token,
        jobs.c.tally,
        jobs.c.finished_at,
        retention.is_gone(FileClass.REPORT).label("is_expired"),
    ).where(jobs.c.id.in_(sa.select(down.c.id)), visible)
    return UndoGraph([_kin(row) for row in connection.execute(query)])


def _kin(row: sa.Row[Any]) -> RelatedJob:
    # Until a job ends, its tally contains only the rows that the check settled.
    tally = Tally.from_json(row.tally if row.finished_at is not None and row.check_token is not None else None)
    return RelatedJob(
        id=row.id,
        public_id=row.public_id,
        undo_of_id=row.undo_of_id,
        kind=JobKind(row.kind),
        status=JobStatus(row.status),
        file_name=row.file_name,
        rows=row.rows_total,
        wrote=count_written(tally),
        finished_at=row.finished_at,
        is_expired=row.is_expired,
    )
