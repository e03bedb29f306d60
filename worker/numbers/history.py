"""Retention of the histories of numbers: which jobs changed a number is kept for `NUMBERYARD_KEEP_HISTORY_DAYS`.

The jobs that created a number and last changed it are columns of the number, and stay. Every change of a number adds a
row, and no row is read by its job. An index for that would cost each import as much as the rows themselves. So a
cleaning round reads a part of the table that begins at a random block: every block has its turn, no position is stored,
and any number of rounds may run at once.
"""

from __future__ import annotations

import random

import sqlalchemy as sa

from schemas.database.tables import jobs
from worker.config.settings import get_settings
from worker.queue.job_state import in_seconds

MOST_BLOCKS = 1_000  # read in one round: up to 185 rows each
DAY = 86_400.0  # seconds

_BLOCKS = sa.text("SELECT pg_relation_size('number_events') / current_setting('block_size')::integer")
_REMOVE = sa.text("""
    DELETE FROM number_events
    WHERE ctid >= CAST(:first AS tid) AND ctid < CAST(:end AS tid) AND job_id <= :last_job_id""")


def expire(connection: sa.Connection) -> int:
    """Remove expired rows of up to `MOST_BLOCKS` adjacent blocks; return how many."""
    expired = jobs.c.created_at < in_seconds(-get_settings().keep_history_days * DAY)
    last = sa.select(jobs.c.id).where(expired).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(1)
    last_job_id = connection.execute(last).scalar_one_or_none()
    if last_job_id is None:
        return 0
    blocks: int = connection.execute(_BLOCKS).scalar_one()
    # From before the first block on, so that the first blocks are read as often as all others.
    first = random.randrange(1 - MOST_BLOCKS, max(blocks, 1)) if blocks > MOST_BLOCKS else 0  # noqa: S311 - no secret
    part = {"first": f"({max(first, 0)},0)", "end": f"({first + MOST_BLOCKS},0)"}
    return connection.execute(_REMOVE, {**part, "last_job_id": last_job_id}).rowcount
