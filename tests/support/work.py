"""The work that is due, done in the test's own process: what workers do, one work item of each phase in turn."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import sqlalchemy as sa

from schemas.database.tables import job_chunks
from schemas.jobs import ChunkState, Phase
from worker import pipeline
from worker.queue import leases, turns

_TURN = threading.RLock()
_WAITING = sa.select(job_chunks.c.phase).where(job_chunks.c.state == ChunkState.PENDING).distinct()


def work_off(engine: sa.Engine, phases: Sequence[Phase] = tuple(Phase)) -> None:
    """Carry out all that is due of some phases, until nothing is left.

    One thread at a time: what another one is carrying out has been done when this returns.
    """
    with _TURN:
        while one_round(engine, phases):
            pass


def one_round(engine: sa.Engine, phases: Sequence[Phase] = tuple(Phase)) -> bool:
    """Carry out one work item of each phase that has one; return whether there was any.

    Phases without waiting work items are not claimed from: that takes two transactions to find nothing, and of all
    phases hardly ever more than one has anything. `engine` is the test's own, so that no setting disturbs it. As by
    workers, small jobs are carried out in one go, if none of their phases is left out.
    """
    goes_on = {Phase.CHECK, Phase.WRITE, Phase.REPORT}.issubset(phases)
    has_worked, waiting = False, _waiting(engine)
    for phase in phases:
        if phase in waiting and pipeline.run(phase, goes_on=goes_on):
            has_worked, waiting = True, _waiting(engine)
    return has_worked


def claim(connection: sa.Connection, phases: Phase | tuple[Phase, ...], seconds: float) -> leases.Lease | None:
    """Claim the next work item as workers do, but in the transaction of the test."""
    phases = (phases,) if isinstance(phases, Phase) else phases
    turns.promote(connection, turns.queues_of(phases))
    return leases.claim(connection, phases, seconds)


def _waiting(engine: sa.Engine) -> set[str]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return set(connection.execute(_WAITING).scalars())
