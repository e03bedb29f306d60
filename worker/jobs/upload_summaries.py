"""Results of the latest uploads that an actor sees, from the tallies that ended jobs store (R3, R28)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.database.tables import jobs
from schemas.job_kinds import JobKind
from schemas.jobs import JobStatus, Tally
from schemas.permissions import Actor
from worker.jobs import search
from worker.jobs.search import JobFilter

_DONE = (JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS)


@dataclass(frozen=True)
class UploadSummary:
    """An upload that has ended: when it was created, and its rows by result."""

    created_at: datetime
    tally: Tally


def latest(connection: sa.Connection, actor: Actor, since: datetime, most: int) -> tuple[Sequence[UploadSummary], bool]:
    """Return the ended uploads among the `most` newest ones created since then, and whether there are more.

    Its cost is that of a page of `worker.jobs.search`.
    """
    found = search.find(connection, actor, JobFilter(kind=JobKind.UPLOAD, created_after=since), most)
    if not found.ids:
        return (), found.cursor is not None
    listed = sa.literal(list(found.ids), ARRAY(sa.BigInteger))  # one parameter for up to a thousand jobs
    query = sa.select(jobs.c.created_at, jobs.c.tally).where(jobs.c.id == sa.any_(listed), jobs.c.status.in_(_DONE))
    summaries = [UploadSummary(row.created_at, Tally.from_json(row.tally)) for row in connection.execute(query)]
    return summaries, found.cursor is not None
