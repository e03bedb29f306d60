"""Queries that list and show jobs: one query per page, limited to the actor's tree (R3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.database.tables import callbacks, file_descriptions, job_chunks, jobs, tenants
from schemas.job_kinds import JobKind
from schemas.jobs import APART, RECHECKED_IN, TERMINAL, ChunkState, JobStatus, Phase, Tally, total_of
from schemas.permissions import Actor, Tenant
from worker.config.settings import Settings, get_settings
from worker.database import tenant_scope
from worker.jobs import retention, search, undo_queries
from worker.jobs.retention import FileClass
from worker.jobs.search import JobFilter

LARGEST_FAMILY = 100
LATEST = 20  # jobs that determine the current pace
MOST_AHEAD = 10_000  # jobs that are counted for a position in the queue


@dataclass(frozen=True)
class QueuePosition:
    """The position in the queue of a job that no worker has begun: at most `MOST_AHEAD`, and the expected seconds."""

    position: int
    seconds: float | None = None


@dataclass(frozen=True)
class JobView:
    """A job with its tenant, and the tally of its rows.

    `family`: only for a single job that corrects another or is corrected: all jobs of that lineage, oldest first.
    `description`: only for a single job whose file can be checked again (`schemas.http.mapping`).
    `can_undo`: whether it has changed something that is still in effect, and is kept for long enough (R27).
    `queued`: only for a job that no worker has begun.
    """

    row: sa.Row[Any]
    tally: Tally
    family: tuple[JobView, ...] = ()
    description: Mapping[str, Any] | None = None
    can_undo: bool = False
    queued: QueuePosition | None = None


def _select(actor: Actor) -> sa.Select[Any]:
    return _seen_by(actor.tenant, get_settings())


@lru_cache(maxsize=256)
def _seen_by(looker: Tenant, _settings: Settings) -> sa.Select[Any]:
    """Return the query for jobs that a tenant sees; cached: building it takes longer than running it, at every poll."""
    earlier, undone, parent = (jobs.alias() for _ in range(3))
    below = tenant_scope.ids_below(looker)
    pieces = (
        sa.select(sa.func.count())
        .where(job_chunks.c.job_id == jobs.c.id)
        .where(job_chunks.c.phase == sa.case((jobs.c.status == JobStatus.CHECKING, Phase.VALIDATE), else_=Phase.RENDER))
        .scalar_subquery()
    )
    held_up = (
        sa.select(sa.func.min(job_chunks.c.setback_since))
        .where(job_chunks.c.job_id == jobs.c.id, job_chunks.c.state == ChunkState.PENDING)
        .where(job_chunks.c.phase.not_in(sorted(APART)))  # the job itself does not wait for these
        .scalar_subquery()
    )
    return (
        sa.select(
            jobs,
            tenants.c.public_id.label("tenant_public_id"),
            tenants.c.name.label("tenant_name"),
            tenants.c.kind.label("tenant_kind"),
            earlier.c.public_id.label("duplicate_of"),
            undone.c.public_id.label("undo_of"),
            parent.c.public_id.label("parent_job_id"),
            callbacks.c.public_id.label("callback"),
            sa.case((jobs.c.status.in_([JobStatus.CHECKING, JobStatus.PUBLISHING]), pieces)).label("pieces"),
            sa.case((jobs.c.finished_at.is_(None), held_up)).label("held_up_since"),
            sa.extract("epoch", sa.func.coalesce(jobs.c.finished_at, sa.func.now()) - jobs.c.started_at).label(
                "seconds"
            ),
            retention.is_gone(FileClass.REPORT).label("report_is_gone"),
            (retention.is_gone(FileClass.UPLOAD) | ~jobs.c.keeps_upload).label("upload_is_gone"),
        )
        .join(tenants, tenants.c.id == jobs.c.tenant_id)
        .outerjoin(earlier, earlier.c.id == jobs.c.duplicate_of_id)
        .outerjoin(parent, parent.c.id == jobs.c.parent_id)  # always of the same tenant
        # Only the job's own tenant sees its callback, not the tenants above.
        .outerjoin(callbacks, (callbacks.c.job_id == jobs.c.id) & (callbacks.c.tenant_id == looker.id))
        .outerjoin(undone, (undone.c.id == jobs.c.undo_of_id) & undone.c.tenant_id.in_(below))
        .where(tenant_scope.jobs_of(looker))
    )


def get(connection: sa.Connection, actor: Actor, public_id: str) -> JobView | None:
    """Return a job, or None if the actor sees none with that id."""
    row = connection.execute(_select(actor).where(_is(jobs, public_id))).one_or_none()
    if row is None:
        return None
    (view,) = _with_queue_positions(connection, actor.tenant, _with_tallies(connection, [row]))
    if may_be_rechecked(row):
        query = sa.select(file_descriptions.c.description).where(file_descriptions.c.job_id == row.id)
        view = replace(view, description=connection.execute(query).scalar_one_or_none())
    ids = _family(connection, row.id)
    if len(ids) == 1:
        return view
    rows = connection.execute(_select(actor).where(jobs.c.id.in_(ids)).order_by(jobs.c.id))
    return replace(view, family=tuple(_with_tallies(connection, list(rows))))


def _with_queue_positions(connection: sa.Connection, looker: Tenant, views: list[JobView]) -> list[JobView]:
    """Return the jobs, those that no worker has begun with their positions in the queue.

    Counts only jobs that the tenant sees: a number of other tenants' jobs would reveal them (R3).
    """
    waiting = [view.row.id for view in views if view.row.status == JobStatus.ACCEPTED]
    if not waiting:
        return views
    values = {"waiting": waiting, "newest": max(waiting)}
    found = {row.id: row for row in connection.execute(_queue_positions(looker), values)}
    behind_all = QueuePosition(MOST_AHEAD)
    positions = {
        job_id: QueuePosition(row.position, None if row.seconds is None else float(row.seconds))
        for job_id, row in found.items()
    }
    return [
        replace(view, queued=positions.get(view.row.id, behind_all)) if view.row.id in waiting else view
        for view in views
    ]


@lru_cache(maxsize=256)
def _queue_positions(looker: Tenant) -> sa.Select[Any]:
    """Return the query for the positions of jobs in the queue, by their submission, and for the sizes of files before.

    Reads at most `MOST_AHEAD` open jobs.
    """
    below = tenant_scope.ids_below(looker)
    newest = sa.bindparam("newest", type_=sa.BigInteger)
    ahead = (
        sa.select(jobs.c.id, jobs.c.status, jobs.c.file_size)
        .where(jobs.c.finished_at.is_(None), jobs.c.status != JobStatus.REVIEW, jobs.c.id <= newest)
        .where(jobs.c.tenant_id.in_(below))
        .order_by(jobs.c.id)
        .limit(MOST_AHEAD)
        .subquery("ahead")
    )
    has_not_begun = ahead.c.status == JobStatus.ACCEPTED
    line = sa.select(
        ahead.c.id,
        sa.func.count().filter(has_not_begun).over(order_by=ahead.c.id).label("position"),
        sa.func.sum(ahead.c.file_size).over(order_by=ahead.c.id).label("bytes"),
    ).subquery("line")
    # The pace of the latest jobs that the tenant sees.
    ended = (
        sa.select((jobs.c.finished_at - jobs.c.started_at).label("took"), jobs.c.file_size)
        .where(jobs.c.tenant_id.in_(below), jobs.c.file_size.is_not(None))
        .where(jobs.c.status.in_([JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS]))
        .order_by(jobs.c.id.desc())
        .limit(LATEST)
        .subquery("ended")
    )
    pace = sa.select(
        sa.extract("epoch", sa.func.sum(ended.c.took)) / sa.func.nullif(sa.func.sum(ended.c.file_size), 0)
    ).scalar_subquery()
    waiting = sa.bindparam("waiting", type_=ARRAY(sa.BigInteger))
    return sa.select(line.c.id, line.c.position, (line.c.bytes * pace).label("seconds")).where(
        line.c.id == sa.any_(waiting)
    )


def may_be_rechecked(row: sa.Row[Any]) -> bool:
    """Return whether the job's stored file can be checked again under other options (R31)."""
    return bool(row.kind == JobKind.UPLOAD and row.status in RECHECKED_IN and not row.upload_is_gone)


def statuses_of(connection: sa.Connection, job_ids: Sequence[int]) -> dict[int, str]:
    """Return the statuses of jobs by database ids, which callers know only from jobs that they have loaded."""
    listed = sa.cast(list(job_ids), ARRAY(sa.BigInteger))
    rows = connection.execute(sa.select(jobs.c.id, jobs.c.status).where(jobs.c.id == sa.any_(listed)))
    return {row.id: row.status for row in rows}


def report_parts(connection: sa.Connection, job_id: int) -> int:
    """Return in how many parts the CSV report of a job (by its database id) is stored, if there is one."""
    query = sa.select(sa.func.count()).where(job_chunks.c.job_id == job_id, job_chunks.c.phase == Phase.RENDER)
    return max(int(connection.execute(query).scalar_one()), 1)


def _family(connection: sa.Connection, job_id: int) -> list[int]:
    """Return the ids of a job's lineage, the jobs it corrects and all that correct them; at most `LARGEST_FAMILY`."""
    return list(connection.execute(_family_of(), {"job_id": job_id}).scalars())


@lru_cache(maxsize=1)
def _family_of() -> sa.Select[Any]:
    job_id = sa.bindparam("job_id", type_=sa.BigInteger)
    up = sa.select(jobs.c.id, jobs.c.parent_id).where(jobs.c.id == job_id).cte("up", recursive=True)
    up = up.union(sa.select(jobs.c.id, jobs.c.parent_id).where(jobs.c.id == up.c.parent_id))
    root = sa.select(up.c.id).where(up.c.parent_id.is_(None)).scalar_subquery()
    down = sa.select(jobs.c.id).where(jobs.c.id == root).cte("down", recursive=True)
    down = down.union(sa.select(jobs.c.id).where(jobs.c.parent_id == down.c.id))
    return sa.select(down.c.id).order_by(down.c.id).limit(LARGEST_FAMILY)


@dataclass(frozen=True)
class Page:
    """A page of jobs, newest first. `cursor`: public id after which to continue; None at the end."""

    views: list[JobView]
    cursor: str | None


def page(connection: sa.Connection, actor: Actor, filters: JobFilter, limit: int) -> Page:
    """Return up to `limit` jobs; fewer, with a cursor, if the search had to end early (`worker.jobs.search`)."""
    found = search.find(connection, actor, filters, limit)
    query = _select(actor).where(jobs.c.id.in_(found.ids)).order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    views = _with_tallies(connection, list(connection.execute(query)) if found.ids else [])
    views = _with_queue_positions(connection, actor.tenant, views)
    if found.cursor is None:
        return Page(views, None)
    cursor = sa.select(jobs.c.public_id).where(jobs.c.id == found.cursor, tenant_scope.jobs_of(actor.tenant))
    return Page(views, connection.execute(cursor).scalar_one_or_none())


def _with_tallies(connection: sa.Connection, rows: list[sa.Row[Any]]) -> list[JobView]:
    """Return the jobs with their tallies: an ended job stores it, for others the written chunks are added up.

    Not for a job that was not checked yet when its row was read: that row has no total number of rows (R28).
    """
    open_ids = [row.id for row in rows if row.finished_at is None and row.check_token is not None]
    written: dict[int, list[Tally]] = {}
    if open_ids:
        query = sa.select(job_chunks.c.job_id, job_chunks.c.tally).where(
            job_chunks.c.job_id.in_(open_ids), job_chunks.c.phase == Phase.WRITE, job_chunks.c.tally.is_not(None)
        )
        for job_id, tally in connection.execute(query):
            written.setdefault(job_id, []).append(Tally.from_json(tally))
    views = [JobView(row, total_of([Tally.from_json(row.tally), *written.get(row.id, [])])) for row in rows]
    ended = [view.row.id for view in views if view.row.status in TERMINAL and undo_queries.count_written(view.tally)]
    undoable = undo_queries.undoable(connection, ended)
    return [replace(view, can_undo=view.row.id in undoable) for view in views]


def _is(table: sa.FromClause, public_id: str) -> sa.ColumnElement[bool]:
    """Return the condition for the id; compared as text, so that a malformed id is not found."""
    return sa.cast(table.c.public_id, sa.Text) == public_id
