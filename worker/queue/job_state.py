"""The steps that a job's life is made of: pieces of work, legal moves, and the end of a job that is being cancelled.

`jobs` (for workers), `lifecycle` (for admins) and `upkeep` (for the sweep) are written with them. Whoever changes a
piece and its job takes the piece first: so nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from schemas.database.tables import callbacks, job_chunks, jobs
from schemas.jobs import TERMINAL, ChunkState, JobStatus, Phase, may_move_from
from worker.database import counters

# How long the message that follows the commit may take before the sweep sends another.
FIRST_HINT_SECONDS = 2.0


def hold(connection: sa.Connection, job_id: int) -> sa.Row[Any]:
    """A job as it is now, and stays until the transaction ends: nobody claims, commits or moves anything of it.

    Locks the whole row, which waits for claims (`leases.claim`) too: no piece is being taken while it is held.
    """
    return connection.execute(sa.select(jobs).where(jobs.c.id == job_id).with_for_update()).one()


def add_work(
    connection: sa.Connection,
    job_id: int,
    phase: Phase,
    rows: Mapping[int, int],
    **columns: Any,  # noqa: ANN401 - columns
) -> None:
    """Enter pieces of work: number -> rows; `columns` are the same for all of them.

    One plain statement: what the driver runs for many sets of values is a pipeline, and behind one PostgreSQL does not
    end a transaction that stands still. Its locks on piece and job would then be held for as long as its worker stands.
    """
    arrays = (sa.cast(list(values), ARRAY(sa.BigInteger)) for values in (rows, rows.values()))
    pieces = sa.func.unnest(*arrays).table_valued("number", "rows").render_derived()
    fixed = {"job_id": job_id, "phase": phase.value, **columns}
    found = sa.select(
        pieces.c.number,
        pieces.c.rows,
        in_seconds(FIRST_HINT_SECONDS),
        *(sa.literal(value, job_chunks.c[name].type) for name, value in fixed.items()),
    )
    connection.execute(job_chunks.insert().from_select(["number", "rows", "hint_due_at", *fixed], found))


def move(connection: sa.Connection, job_id: int, status: JobStatus) -> bool:
    """Move a job along, by legal moves only. False if none leads there; where it already is, it stays.

    Every end of a job goes this way: a callback that it wants becomes work in the transaction that ends it, and what
    the job came to is counted there. Its tally is fixed by then.
    """
    values: dict[str, Any] = {"status": status}
    if status is JobStatus.CHECKING:
        values["started_at"] = sa.func.now()
    if status in TERMINAL:
        values["finished_at"] = sa.func.now()
    moved = connection.execute(
        jobs.update().where(jobs.c.id == job_id, jobs.c.status.in_(may_move_from(status))).values(values)
    )
    if moved.rowcount:
        if status in TERMINAL:
            if _wants_callback(connection, job_id):
                add_work(connection, job_id, Phase.CALLBACK, {0: 0})
            counters.add_job(connection, job_id)
        return True
    now: str = connection.execute(sa.select(jobs.c.status).where(jobs.c.id == job_id)).scalar_one()
    return now == status


def end(connection: sa.Connection, job_id: int, status: JobStatus) -> Phase | None:
    """Move a job to its end; answers the phase whose work is there now, if somebody is to be told."""
    move(connection, job_id, status)
    return Phase.CALLBACK if _wants_callback(connection, job_id) else None


def _wants_callback(connection: sa.Connection, job_id: int) -> bool:
    found: bool = connection.execute(sa.select(sa.exists().where(callbacks.c.job_id == job_id))).scalar_one()
    return found


def to_report(connection: sa.Connection, job_id: int) -> Phase:
    """All is written: the report is what is left to do."""
    move(connection, job_id, JobStatus.PUBLISHING)
    add_work(connection, job_id, Phase.REPORT, {0: 0})
    return Phase.REPORT


def is_waited_for() -> sa.ColumnElement[bool]:
    """Return the condition for jobs with a leased work item or a due report: when cancelled, they end with that.

    A workbook of the review that is being built changes nothing of the job.
    """
    of_job = (job_chunks.c.job_id == jobs.c.id) & (job_chunks.c.phase != Phase.WORKBOOK)
    return sa.exists().where(of_job, (job_chunks.c.state == ChunkState.LEASED) | (job_chunks.c.phase == Phase.REPORT))


def settle(connection: sa.Connection, job_id: int) -> Phase | None:
    """Bring a job that is being cancelled to its end, once nobody is at work on it. The caller has locked it.

    What was checked gets its report, which is then the work that is there; of anything else there is nothing to tell
    but that it has ended.
    """
    query = sa.select(jobs.c.check_token, is_waited_for().label("is_waited_for")).where(jobs.c.id == job_id)
    job = connection.execute(query).one()
    if job.is_waited_for:
        return None
    if job.check_token is None:
        return end(connection, job_id, JobStatus.CANCELLED)
    add_work(connection, job_id, Phase.REPORT, {0: 0})
    return Phase.REPORT


def same_work(
    one: ReadOnlyColumnCollection[str, Any], other: ReadOnlyColumnCollection[str, Any]
) -> sa.ColumnElement[bool]:
    """Whether two rows are the same piece of work."""
    return sa.and_(one.job_id == other.job_id, one.phase == other.phase, one.number == other.number)


def in_seconds(seconds: float | sa.ColumnElement[float]) -> sa.ColumnElement[Any]:
    """A moment from now, by the database's clock."""
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
