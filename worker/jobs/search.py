"""Search for jobs, newest first, at a bounded cost: by file or person, kind, state, time, and causes of failed rows.

No index could serve every filter, and the list must not slow down with a million jobs. So a page examines jobs in the
order of the list, each tenant's by one index, until it is full or has examined about `MOST_EXAMINED`. The page then
ends early, and the next one continues there. Only jobs of the actor's tree are read, so the time reveals no others
(R3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from schemas.codes import Outcome
from schemas.database.tables import jobs, tenants
from schemas.permissions import Actor, Tenant, TenantKind
from worker.database import tenant_scope
from worker.database.tenant_scope import UnknownCursorError

MOST_EXAMINED = 5_000  # jobs, for one page
_FIRST = 50  # jobs of each tenant that the first round examines at most, if there are conditions
_LEAST_SPAN = timedelta(hours=1)  # of a round
_GROWTH = 8  # from the span of a round that examined few jobs to that of the next one
_WHOLE = timedelta(days=36_500)  # a span beyond which a round goes back to the first job
_LAST_ID = 2**63 - 1

Position = tuple[datetime | str, int]
"""A position in the list: a job's time of creation ("infinity" for its beginning) and id. Newer jobs come first."""


@dataclass(frozen=True)
class JobFilter:
    """A filter for jobs; None does not restrict. `cursor`: public id of the last job of the previous page.

    `q`: a part of the file's name, or of the name of the token or account that started the job. `code`: a code of its
    failed rows. The times are inclusive, except `created_before`. `external_id`: the client's own id.
    """

    kind: str | None = None
    status: str | None = None
    cursor: str | None = None
    q: str | None = None
    code: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    finished_after: datetime | None = None
    external_id: str | None = None


@dataclass(frozen=True)
class SearchPage:
    """A page of jobs by database id, newest first. `cursor`: the id after which to continue; None at the end."""

    ids: Sequence[int]
    cursor: int | None


@dataclass(frozen=True)
class _Round:
    """What one round found. `bound`: where the tenant begins whose further jobs were not examined; None if none.

    `newest`, `oldest`: the positions of the first and the last examined job; None if there was none.
    """

    ids: list[int]
    examined: int
    bound: Position | None
    newest: Position | None
    oldest: Position | None


@dataclass(frozen=True)
class _Search:
    """A search of a tenant: the conditions on jobs, and the times that limit it."""

    looker: Tenant
    filters: JobFilter
    conditions: Sequence[sa.ColumnElement[bool]]


def find(connection: sa.Connection, actor: Actor, filters: JobFilter, limit: int) -> SearchPage:
    """Return up to `limit` matching jobs. With fewer and a cursor, about `MOST_EXAMINED` jobs were examined.

    The first round examines some jobs of each of the tenants that have the newest: enough without conditions, or for
    what many jobs have. Further rounds examine all jobs of a span of time, the longer the fewer jobs the last one had.
    """
    begin: Position = ("infinity", _LAST_ID)
    if filters.cursor is not None:
        begin = _position_of(connection, actor.tenant, filters.cursor)
    search = _Search(actor.tenant, filters, _conditions(filters))
    if filters.external_id is not None:
        return _labelled(connection, search, begin, limit)
    # Otherwise the planner may sort what another index returns: all jobs of a tenant.
    connection.exec_driver_sql("SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off")
    found = _find(connection, search, begin, limit)
    connection.exec_driver_sql("SET LOCAL enable_sort TO DEFAULT; SET LOCAL enable_incremental_sort TO DEFAULT")
    return found


def _labelled(connection: sa.Connection, search: _Search, begin: Position, limit: int) -> SearchPage:
    """Return the jobs with an external id, which an index has: all of them are read and sorted."""
    first, last = _bounds(search.filters, (None, begin))
    position = sa.tuple_(jobs.c.created_at, jobs.c.id)
    query = (
        sa.select(jobs.c.id)
        .where(tenant_scope.jobs_of(search.looker), jobs.c.external_id == search.filters.external_id)
        .where(*search.conditions, position >= sa.tuple_(*first), position < sa.tuple_(*last))
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        .limit(limit)
    )
    ids = connection.execute(query).scalars().all()
    return SearchPage(ids, ids[-1] if len(ids) == limit else None)


def _find(connection: sa.Connection, search: _Search, begin: Position, limit: int) -> SearchPage:
    first_depth = min(limit, _FIRST) if search.conditions else limit
    first_tenants = max(MOST_EXAMINED // first_depth, 1) if search.conditions else limit
    count = _tenants(connection, search.looker)
    low, latest = _latest(connection, search, begin, first_tenants) if count > first_tenants else (None, None)
    found = _examine(connection, search, (low, begin), first_depth, limit, latest)
    ids, examined, last = found.ids, found.examined, found.oldest
    position = found.bound or low
    span = max(_LEAST_SPAN, _between(found.newest, position))
    depth = max(limit, MOST_EXAMINED // count)
    while len(ids) < limit and position is not None and examined < MOST_EXAMINED:
        low = _before(position, span, search.filters)
        found = _examine(connection, search, (low, position), depth, limit - len(ids))
        ids, examined, last = ids + found.ids, examined + found.examined, found.oldest or last
        position = found.bound or low
        crowded = found.bound is not None or found.examined > MOST_EXAMINED // _GROWTH
        span = span if crowded else span * _GROWTH
    if len(ids) == limit:
        return SearchPage(ids, ids[-1])
    return SearchPage(ids, None if position is None or last is None else last[1])


def _between(newest: Position | None, oldest: Position | None) -> timedelta:
    if newest is None or oldest is None or isinstance(newest[0], str) or isinstance(oldest[0], str):
        return _LEAST_SPAN
    return newest[0] - oldest[0]


def _before(position: Position, span: timedelta, filters: JobFilter) -> Position | None:
    """Return where a round ends that begins at a position; None if it goes back to the first job."""
    time = position[0]
    if isinstance(time, str) or span > _WHOLE:
        return None
    low = time - span
    return None if filters.created_after is not None and low <= filters.created_after else (low, 0)


def _tenants(connection: sa.Connection, looker: Tenant) -> int:
    """Return by how many tenants' jobs the search goes: one for the master, who sees all."""
    if looker.kind is TenantKind.MASTER_RESELLER:
        return 1
    query = sa.select(sa.func.count()).select_from(tenants).where(tenant_scope.below(looker))
    return int(connection.execute(query).scalar_one())


def _latest(
    connection: sa.Connection, search: _Search, begin: Position, most: int
) -> tuple[Position | None, list[int]]:
    """Return the position from which on `most` tenants have jobs, and these tenants; None and all if fewer have any.

    One job of each tenant is read.
    """
    own = _newest(search, (None, begin), 1).subquery("own")
    query = sa.select(own.c.tenant_id, own.c.created_at, own.c.id).order_by(own.c.created_at.desc(), own.c.id.desc())
    rows = connection.execute(query.limit(most)).all()
    ids = [row.tenant_id for row in rows]
    return (None, ids) if len(rows) < most else ((rows[-1].created_at, rows[-1].id), ids)


def _conditions(filters: JobFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.kind is not None:
        conditions.append(jobs.c.kind == filters.kind)
    if filters.status is not None:
        conditions.append(jobs.c.status == filters.status)
    if filters.q is not None and filters.q.strip():
        part = filters.q.strip()
        in_file_name = jobs.c.file_name.icontains(part, autoescape=True)
        conditions.append(in_file_name | jobs.c.created_by.icontains(part, autoescape=True))
    if filters.finished_after is not None:
        conditions.append(jobs.c.finished_at >= filters.finished_after)
    if filters.code is not None:
        # An array contains another if it contains each of its members, so this matches any count and row (`Tally`).
        result = sa.cast({"results": [[Outcome.FAILED.value, filters.code]]}, JSONB)
        conditions.append(jobs.c.tally.contains(result))
    return conditions


def _position_of(connection: sa.Connection, looker: Tenant, public_id: str) -> Position:
    """Return the position of a job that the tenant sees. `UnknownCursorError` for any other (R3)."""
    query = sa.select(jobs.c.created_at, jobs.c.id).where(
        tenant_scope.has_public_id(jobs, public_id), tenant_scope.jobs_of(looker)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise UnknownCursorError(public_id)
    return row.created_at, row.id


def _examine(  # noqa: PLR0913, PLR0917 - all describe the round
    connection: sa.Connection,
    search: _Search,
    span: tuple[Position | None, Position],
    depth: int,
    most: int,
    among: Sequence[int] | None = None,
) -> _Round:
    """Examine jobs from one position up to another, at most `depth` of each tenant; return up to `most` matching ones.

    `among`: ids of the only tenants that have jobs there, if known. A tenant may have more jobs than were examined. The
    newest position at which that happens is the bound: above it, the jobs of all tenants were examined.
    """
    examined = _newest(search, span, depth, among).cte("examined").prefix_with("MATERIALIZED")
    order = (examined.c.created_at.desc(), examined.c.id.desc())
    cut = sa.select(examined.c.created_at, examined.c.id).where(examined.c.place == depth).order_by(*order).limit(1)
    bound = cut.cte("bound").prefix_with("MATERIALIZED")
    above = sa.tuple_(examined.c.created_at, examined.c.id) >= sa.tuple_(bound.c.created_at, bound.c.id)
    complete = (
        sa.select(examined.c.id, examined.c.created_at, examined.c.matches)
        .select_from(examined.outerjoin(bound, sa.true()))
        .where(bound.c.id.is_(None) | above)
        .cte("complete")
        .prefix_with("MATERIALIZED")
    )
    late = (complete.c.created_at.desc(), complete.c.id.desc())
    matching = sa.select(complete.c.id).where(complete.c.matches).order_by(*late).limit(most)
    newest = sa.select(complete.c.created_at, complete.c.id).order_by(*late).limit(1).cte("newest")
    early = (complete.c.created_at, complete.c.id)
    oldest = sa.select(complete.c.created_at, complete.c.id).order_by(*early).limit(1).cte("oldest")
    count = sa.select(sa.func.count()).select_from(examined).scalar_subquery()
    one = sa.select(count.label("examined"), sa.func.array(matching.scalar_subquery()).label("ids")).subquery("one")
    joined = one.outerjoin(bound, sa.true()).outerjoin(newest, sa.true()).outerjoin(oldest, sa.true())
    ends = [column for part in (bound, newest, oldest) for column in (part.c.created_at, part.c.id)]
    values = connection.execute(sa.select(*one.c, *ends).select_from(joined)).one()
    positions = [None if values[at + 1] is None else (values[at], values[at + 1]) for at in (2, 4, 6)]
    return _Round(list(values[1]), values[0], *positions)


def _newest(
    search: _Search, span: tuple[Position | None, Position], depth: int, among: Sequence[int] | None = None
) -> sa.Select[Any]:
    """Return the query for the newest jobs in a span: `depth` of each tenant, or of all for the master."""
    keys: list[sa.ColumnElement[Any]] = [jobs.c.created_at, jobs.c.id]
    first, last = _bounds(search.filters, span)
    if search.looker.kind is TenantKind.MASTER_RESELLER:
        return _range(keys, first, last, search.conditions, depth)
    keys = [jobs.c.tenant_id, *keys]
    # Row comparisons, which only the index by tenant and time can serve: with an equality, the planner may read the
    # jobs of all tenants in the order of time.
    of_tenant = _range(keys, [tenants.c.id, *first], [tenants.c.id, *last], search.conditions, depth)
    newest = of_tenant.correlate(tenants).lateral("newest")
    query = sa.select(tenants.c.id.label("tenant_id"), newest).select_from(tenants.join(newest, sa.true()))
    if among is not None:
        query = query.where(tenants.c.id == sa.any_(sa.literal(list(among), ARRAY(sa.Integer))))
    return query.where(tenant_scope.below(search.looker))


def _range(
    keys: list[sa.ColumnElement[Any]],
    first: list[Any],
    last: list[Any],
    conditions: Sequence[sa.ColumnElement[bool]],
    depth: int,
) -> sa.Select[Any]:
    order = [key.desc() for key in keys]
    row = sa.tuple_(*keys)
    matches = sa.and_(sa.true(), *conditions).label("matches")
    place = sa.func.row_number().over(order_by=order).label("place")
    return (
        sa.select(jobs.c.id, jobs.c.created_at, matches, place)
        .where(row >= sa.tuple_(*first), row < sa.tuple_(*last))
        .order_by(*order)
        .limit(depth)
    )


def _bounds(filters: JobFilter, span: tuple[Position | None, Position]) -> tuple[list[Any], list[Any]]:
    """Return the first position (included) and the last one (not included) of the jobs to examine, ascending."""
    low, (time, job_id) = span
    if filters.created_before is not None and (isinstance(time, str) or filters.created_before <= time):
        time, job_id = filters.created_before, 0
    low_time, low_id = low or (filters.created_after or "-infinity", 0)
    first = [_time(low_time), sa.literal(low_id, sa.BigInteger)]
    return first, [_time(time), sa.literal(job_id, sa.BigInteger)]


def _time(time: datetime | str) -> sa.ColumnElement[datetime]:
    kind = sa.DateTime(timezone=True)
    return sa.cast(sa.literal(time, sa.Text), kind) if isinstance(time, str) else sa.literal(time, kind)
