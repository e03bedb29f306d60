"""Callbacks that a tenant lists and sends again. Only its own tenant sees a callback, not the tenants above.

A URL may contain secrets of its receiver, which the job's tenant does not share with its reseller.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from schemas.callback_signing import ID_PREFIX
from schemas.database.tables import callback_deliveries, callbacks, job_chunks, jobs
from schemas.http.callbacks import CallbackState
from schemas.jobs import TERMINAL, ChunkState, Phase
from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from worker.accounts.tenants import GoneError
from worker.database import tenant_scope
from worker.database.tenant_scope import UnknownCursorError
from worker.jobs.control import WrongStateError
from worker.queue import job_state

MOST_DELIVERIES = 100  # listed for one callback

_STATE: sa.ColumnElement[str] = sa.case(
    (jobs.c.status.not_in(TERMINAL), CallbackState.WAITING.value),
    (callbacks.c.delivered_at.is_not(None), CallbackState.DELIVERED.value),
    (callbacks.c.given_up_at.is_not(None), CallbackState.FAILED.value),
    else_=CallbackState.PENDING.value,
)


def page(
    connection: sa.Connection, actor: Actor, state: CallbackState | None, cursor: str | None, limit: int
) -> list[sa.Row[Any]]:
    """Return up to `limit` callbacks, newest first, older than the one whose id is `cursor`."""
    query = _select(actor).order_by(callbacks.c.job_id.desc()).limit(limit)
    if state is not None:
        query = query.where(_STATE.in_([state.value]))
    if cursor is not None:
        last = sa.select(callbacks.c.job_id).where(_is_visible(actor), _is(cursor))
        job_id = connection.execute(last).scalar_one_or_none()
        if job_id is None:
            raise UnknownCursorError(cursor)
        query = query.where(callbacks.c.job_id < job_id)
    return list(connection.execute(query))


def get(connection: sa.Connection, actor: Actor, public_id: str) -> sa.Row[Any] | None:
    """Return a callback (`msg_...`), or None if the actor sees none with that id."""
    return connection.execute(_select(actor).where(_is(public_id))).one_or_none()


def deliveries(connection: sa.Connection, job_id: int) -> list[sa.Row[Any]]:
    """Return the latest delivery attempts of a callback that the actor sees, newest last."""
    query = (
        sa.select(callback_deliveries)
        .where(callback_deliveries.c.job_id == job_id)
        .order_by(callback_deliveries.c.id.desc())
        .limit(MOST_DELIVERIES)
    )
    return list(connection.execute(query))[::-1]


def replay(connection: sa.Connection, row: sa.Row[Any]) -> None:
    """Send a callback again, from the beginning of its schedule, with the same id.

    `WrongStateError` before the job's end, `GoneError` if the callback was removed meanwhile. An attempt in progress
    may still be delivered, but is not recorded.
    """
    if row.state == CallbackState.WAITING:
        raise WrongStateError(RequestCode.JOB_NOT_ENDED, row.job_status)
    again = {
        "state": ChunkState.PENDING,
        "lease_until": None,
        "attempt": 0,
        "next_attempt_at": sa.func.now(),
        "hint_due_at": job_state.in_seconds(job_state.FIRST_WAKEUP_SECONDS),
    }
    piece = (job_chunks.c.job_id == row.job_id, job_chunks.c.phase == Phase.CALLBACK)
    if not connection.execute(job_chunks.update().where(*piece).values(again)).rowcount:
        job_state.add_work_items(
            connection, row.job_id, Phase.CALLBACK, {0: 0}
        )  # it was deleted with the expired report
    whole = callbacks.update().where(callbacks.c.job_id == row.job_id)
    if not connection.execute(whole.values(delivered_at=None, given_up_at=None)).rowcount:
        raise GoneError


def _select(actor: Actor) -> sa.Select[Any]:
    is_due = job_chunks.c.state == ChunkState.PENDING
    return (
        sa.select(
            callbacks,
            _STATE.label("state"),
            jobs.c.public_id.label("job"),
            jobs.c.status.label("job_status"),
            sa.func.coalesce(job_chunks.c.attempt, 0).label("attempts"),
            sa.case((is_due, job_chunks.c.next_attempt_at)).label("next_attempt_at"),
        )
        .join(jobs, jobs.c.id == callbacks.c.job_id)
        .outerjoin(job_chunks, (job_chunks.c.job_id == jobs.c.id) & (job_chunks.c.phase == Phase.CALLBACK))
        .where(_is_visible(actor))
    )


def _is_visible(actor: Actor) -> sa.ColumnElement[bool]:
    return callbacks.c.tenant_id == actor.tenant.id


def _is(public_id: str) -> sa.ColumnElement[bool]:
    """Return the condition for the id; an id without our prefix is not found."""
    if not public_id.startswith(ID_PREFIX):
        return sa.false()
    return tenant_scope.has_public_id(callbacks, public_id.removeprefix(ID_PREFIX))
