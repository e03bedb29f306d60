"""What undid a job, what an undo undid, and how much of it is put back at present (R27).

Read from the ledger and reckoned; nothing is decided or changed here (`lifecycle`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from schemas.codes import Outcome
from schemas.database.tables import jobs
from schemas.jobs import JobKind, JobStatus, Tally
from schemas.permissions import Actor
from worker.database import tenant_scope
from worker.jobs import retention
from worker.jobs.file_classes import Part

WRITTEN = (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED)


@dataclass(frozen=True)
class Kin:
    """A job among those that undo one another. `rows`: of its file; `wrote`: how many of them changed something."""

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
    """What became of what a job wrote, since it was undone."""

    UNDER_WAY = "under way"  # an undo of it has not ended
    WHOLE = "whole"  # all of it is put back
    STOPPED = "stopped"  # an undo ended before its time, and not all is put back
    PART = "part"  # an undo left rows alone
    AGAIN = "again"  # it was undone, and the undo was undone: all of it stands again


@dataclass(frozen=True)
class Undone:
    """How a job is undone. `by`: the undo that tells of it; `put_back`: rows, of those that the job `wrote`."""

    state: State
    by: Kin
    put_back: int
    wrote: int


class Undos:
    """Jobs with all that they undo and all that undoes them, however often there and back."""

    def __init__(self, kin: Iterable[Kin]) -> None:
        self._jobs = {each.id: each for each in kin}
        self._undos: dict[int, list[Kin]] = {}
        self._left: dict[int, int] = {}
        # An undo comes after what it undoes: from the latest on, its own undos are known by then.
        for job_id in sorted(self._jobs, reverse=True):
            each = self._jobs[job_id]
            put_back = sum(self._put_back(undo) for undo in self.of(each))
            self._left[job_id] = max(each.wrote - put_back, 0)
            if each.undo_of_id is not None:
                self._undos.setdefault(each.undo_of_id, []).insert(0, each)

    def __iter__(self) -> Iterator[Kin]:
        return iter(self._jobs.values())

    def of(self, job: Kin) -> list[Kin]:
        """The undos of a job, oldest first."""
        return self._undos.get(job.id, [])

    def undone_by(self, job: Kin) -> Kin | None:
        """What a job undoes, if it is an undo."""
        return None if job.undo_of_id is None else self._jobs.get(job.undo_of_id)

    def left(self, job_id: int) -> int:
        """Of how many rows that a job wrote the effect still stands: what undos put back may itself be undone."""
        return self._left[job_id]

    def undone(self, job: Kin) -> Undone | None:
        """How a job is undone; None if nobody has tried."""
        undos = self.of(job)
        if not undos:
            return None
        put_back, last = job.wrote - self.left(job.id), undos[-1]
        if under_way := [each for each in undos if each.finished_at is None]:
            return Undone(State.UNDER_WAY, under_way[-1], put_back, job.wrote)
        # One that found nothing left to do tells nothing.
        telling = next((each for each in reversed(undos) if self._put_back(each)), last)
        if put_back == job.wrote:
            return Undone(State.WHOLE, telling, put_back, job.wrote)
        if last.status in {JobStatus.CANCELLED, JobStatus.FAILED}:
            return Undone(State.STOPPED, last, put_back, job.wrote)
        state = State.AGAIN if not put_back and any(each.wrote for each in undos) else State.PART
        return Undone(state, telling, put_back, job.wrote)

    def _put_back(self, undo: Kin) -> int:
        """How many rows are put back by an undo and still are; of one that is being undone none is counted on."""
        return 0 if any(each.finished_at is None for each in self.of(undo)) else self.left(undo.id)


def known(connection: sa.Connection, actor: Actor, public_ids: Iterable[str]) -> Undos:
    """The jobs of these ids with their kin, in one query: of those that the actor sees (R3)."""
    return _around(connection, jobs.c.public_id.in_(list(public_ids)), tenant_scope.jobs_of(actor.tenant))


def of_held(connection: sa.Connection, job_id: int) -> Undos:
    """A job (by its inner id), which the caller holds, so that no undo of it comes to be, with its kin."""
    return _around(connection, jobs.c.id == job_id, sa.true())


def _around(connection: sa.Connection, wanted: sa.ColumnElement[bool], seen: sa.ColumnElement[bool]) -> Undos:
    """An undo is of the same tenant as what it undoes, so of kin either all are seen or none."""
    up = sa.select(jobs.c.id, jobs.c.undo_of_id).where(wanted).cte("up", recursive=True)
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
        retention.is_gone(Part.REPORT).label("is_expired"),
    ).where(jobs.c.id.in_(sa.select(down.c.id)), seen)
    return Undos([_kin(row) for row in connection.execute(query)])


def _kin(row: sa.Row[Any]) -> Kin:
    # Until a job ends its tally is only what checking settled.
    tally = Tally.from_json(row.tally if row.finished_at is not None and row.check_token is not None else None)
    return Kin(
        id=row.id,
        public_id=row.public_id,
        undo_of_id=row.undo_of_id,
        kind=JobKind(row.kind),
        status=JobStatus(row.status),
        file_name=row.file_name,
        rows=row.rows_total,
        wrote=sum(tally.count(outcome) for outcome in WRITTEN),
        finished_at=row.finished_at,
        is_expired=row.is_expired,
    )
