"""Retention of callbacks and of the results of e-mails: `NUMBERYARD_KEEP_DELIVERIES_DAYS` from their end.

Their work items go with them. Those who send or resend lock the work item first, the callback or e-mail second; the
removal locks in the other order, but waits for no lock.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from schemas.database.tables import callbacks, job_chunks, jobs, mails
from schemas.jobs import ChunkState, Phase
from schemas.mails import MailEvent
from worker.config.settings import get_settings
from worker.queue.job_state import in_seconds

DAY, HOUR = 86_400.0, 3600.0  # seconds
_callback_ended_at = sa.func.coalesce(
    callbacks.c.delivered_at, callbacks.c.given_up_at, type_=sa.DateTime(timezone=True)
)
_HAS_ENDED = callbacks.c.delivered_at.is_not(None) | callbacks.c.given_up_at.is_not(None)  # as the index has it
_OVER = (ChunkState.DONE, ChunkState.DEAD)


def forget_callbacks(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` callbacks with their attempts; return how many. Skips those that are locked."""
    over = _HAS_ENDED & (_callback_ended_at < _kept_since())
    query = sa.select(callbacks.c.job_id).where(over).order_by(_callback_ended_at).limit(most)
    job_ids = connection.execute(query.with_for_update(skip_locked=True)).scalars().all()
    left = {job_id for job_id, _ in _drop_items(connection, Phase.CALLBACK, [(job_id, 0) for job_id in job_ids])}
    removed = [job_id for job_id in job_ids if job_id not in left]
    return connection.execute(callbacks.delete().where(callbacks.c.job_id == sa.any_(_listed(removed)))).rowcount


def forget_mails(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` e-mails of ended jobs; return how many. Skips those that are locked.

    Kept for the hour for which they count against their tenant's limit; and until the job ends, which gets one of each.
    """
    since = sa.func.least(_kept_since(), in_seconds(-HOUR))
    has_ended = sa.exists().where(jobs.c.id == mails.c.job_id, jobs.c.finished_at.is_not(None))
    query = sa.select(mails.c.job_id, mails.c.event).where(mails.c.ended_at < since, has_ended)
    rows = connection.execute(
        query.order_by(mails.c.ended_at).limit(most).with_for_update(of=mails, skip_locked=True)
    ).all()
    events = {(row.job_id, MailEvent(row.event).number): row.event for row in rows}
    left = _drop_items(connection, Phase.MAIL, list(events))
    removed = [(job_id, event) for (job_id, number), event in events.items() if (job_id, number) not in left]
    listed = sa.tuple_(mails.c.job_id, mails.c.event).in_(removed)
    return connection.execute(mails.delete().where(listed)).rowcount if removed else 0


def _drop_items(connection: sa.Connection, phase: Phase, items: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """Delete work items, by job and number; return those that stay: not ended, or locked."""
    own = job_chunks.c
    listed = (own.phase == phase) & (own.job_id == sa.any_(_listed([job_id for job_id, _ in items])))
    free = sa.select(own.job_id, own.number).where(listed, own.state.in_(_OVER)).with_for_update(skip_locked=True)
    ended = {(row.job_id, row.number) for row in connection.execute(free)} & set(items)
    there = {(row.job_id, row.number) for row in connection.execute(sa.select(own.job_id, own.number).where(listed))}
    if ended:
        connection.execute(
            job_chunks.delete().where(own.phase == phase, sa.tuple_(own.job_id, own.number).in_(list(ended)))
        )
    return there & set(items) - ended


def _listed(ids: list[int]) -> sa.ColumnElement[Any]:
    return sa.cast(ids, sa.ARRAY(sa.BigInteger))


def _kept_since() -> sa.ColumnElement[Any]:
    return in_seconds(-get_settings().keep_deliveries_days * DAY)
