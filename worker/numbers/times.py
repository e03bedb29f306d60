"""When numbers were created and last changed: by the times of the jobs that did it (R34).

A number names its jobs, so these times cost imports nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.database.tables import jobs, phone_numbers

# The job that last wrote a number. An undo restores the version of an earlier one.
LAST_JOB = sa.func.coalesce(phone_numbers.c.restored_job_id, phone_numbers.c.changed_job_id, type_=sa.BigInteger)


@dataclass(frozen=True)
class JobTimes:
    """When a job was created, and when it ended (both with zone); for a job that has not ended, the present time."""

    created_at: datetime
    ended_at: datetime


def of_jobs(connection: sa.Connection, ids: Collection[int]) -> dict[int, JobTimes]:
    """Return the times of jobs by database id; ids of jobs that do not exist are missing."""
    ended_at = sa.func.coalesce(jobs.c.finished_at, sa.func.now(), type_=sa.DateTime(timezone=True))
    listed = sa.cast(list(ids), ARRAY(sa.BigInteger))  # one parameter: a page can have more jobs than parameters
    query = sa.select(jobs.c.id, jobs.c.created_at, ended_at.label("ended_at")).where(jobs.c.id == sa.any_(listed))
    rows = connection.execute(query) if ids else ()
    return {row.id: JobTimes(row.created_at, row.ended_at) for row in rows}


def updated_since(moment: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that the last job of a number has not ended before this time.

    What a job writes is visible before it ends, and it may end long after. So a client that requests the numbers
    updated since its last request gets some twice, but misses none.
    """
    has_not_ended_before = jobs.c.finished_at.is_(None) | (jobs.c.finished_at >= moment)
    return sa.exists().where(jobs.c.id == LAST_JOB, has_not_ended_before).correlate(phone_numbers)
