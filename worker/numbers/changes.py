"""The changes of the inventory, in the order of their commits and without a gap (R34).

A chunk adds its changes as the last statement of its transaction, under a lock that it holds until it has committed.
So ids ascend in the order of the commits, and a reader of all up to one of them has missed none before it.

A tenant sees the changes of numbers that it or a tenant below it held before or after them. They have positions of its
own; a cursor is the position of a chunk and, within the chunk, the count of its numbers that have been read. Positions
have marks, drawn by chance: a database that was restored from a backup gives out the same positions again, for other
changes. So it knows a cursor from before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from schemas.arrow_schemas import CHANGES
from schemas.database.tables import number_change_positions, number_changes, tenants
from schemas.http.changes import CURSOR
from schemas.permissions import Actor
from worker.arrays.distinct import distinct_ids
from worker.config.settings import get_settings

MOST_NUMBERS = 50_000  # of one row; a larger chunk has several rows
MOST_EXPIRED = 5_000  # rows removed at a time
DAY = 86_400.0  # seconds
_ROWS_FETCHED = 8
_LOCK = 0x6E756D6265727300  # any constant: it only has to differ from those of other locks
_MILLISECONDS = "5000"  # that a writer may be silent while all others wait for it
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)

_ADD = sa.text("""
    WITH change AS (
        INSERT INTO number_changes (job_id, paths, content)
        SELECT :job_id, (SELECT jsonb_object_agg(id, path) FROM tenants WHERE id = ANY(CAST(:holders AS int[]))),
            :content
        RETURNING id),
    seen_by AS (
        SELECT DISTINCT unnest(path) AS tenant_id FROM tenants WHERE id = ANY(CAST(:holders AS int[])))
    INSERT INTO number_change_positions (tenant_id, position, change_id)
    SELECT seen_by.tenant_id, coalesce((SELECT max(position) FROM number_change_positions AS own
        WHERE own.tenant_id = seen_by.tenant_id), 0) + 1, change.id
    FROM seen_by, change""")


class UnknownCursorError(Exception):
    """The cursor is none of this tenant's changes: it is another's, or from before the database was restored."""


class ExpiredCursorError(Exception):
    """Changes after the cursor are no longer kept."""


@dataclass(frozen=True)
class Cursor:
    """How far a tenant's changes have been read: up to a position, of that only the first `count` unless it is 0.

    The last change of a position has the cursor without a count: it says that none is left, even once all are removed.
    `mark`: of the position; None if the cursor comes from the database itself, and 0 if the position is removed.
    """

    position: int = 0
    count: int = 0
    mark: int | None = None

    @property
    def order_key(self) -> tuple[int, float]:
        """Return what orders cursors: one without a count is behind all others of its position."""
        return self.position, self.count or math.inf

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return a cursor. `UnknownCursorError` if the text is none."""
        if not re.fullmatch(CURSOR, text):
            raise UnknownCursorError
        whole, _, count = text.partition(".")
        position, _, mark = whole.partition("-")
        return cls(int(position), int(count or 0), int(mark) if mark else None)

    def __str__(self) -> str:
        if not self.position:
            return "0"
        position = f"{self.position}-{self.mark or 0}"
        return f"{position}.{self.count}" if self.count else position


@dataclass(frozen=True)
class ChangedNumber:
    """A number before and after a change: columns of `CHANGED_STATE`. `None`: not there, or not in the reader's tree.

    `existed`, `exists`: whether it was and is there at all.
    """

    cursor: Cursor
    at: datetime
    job_id: int
    e164: int
    before: Mapping[str, int] | None
    after: Mapping[str, int] | None
    existed: bool
    exists: bool
    paths: Mapping[int, Sequence[int]]


@dataclass(frozen=True)
class ChangedNumbers:
    """Changes in order, and the cursor behind the last one."""

    numbers: list[ChangedNumber]
    end: Cursor


def record(connection: sa.Connection, job_id: int, changes: pa.Table) -> None:
    """Add a chunk's changes (`schemas.arrow_schemas.CHANGES`), as the last statement of the transaction.

    Every other writer waits until the transaction ends.
    """
    contents = [_encoded(changes.slice(start, MOST_NUMBERS)) for start in range(0, changes.num_rows, MOST_NUMBERS)]
    if not contents:
        return
    # A statement of its own: what follows must see what has been committed until the lock was free.
    is_silent = sa.func.set_config("idle_in_transaction_session_timeout", _MILLISECONDS, True)  # noqa: FBT003
    connection.execute(sa.select(is_silent, sa.func.pg_advisory_xact_lock(_LOCK)))
    for holders, content in contents:
        connection.execute(_ADD, {"job_id": job_id, "holders": holders, "content": content})


def _encoded(changes: pa.Table) -> tuple[list[int], bytes]:
    """Return all holders, before and after, and the table as a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, changes.schema, options=_COMPRESSED) as writer:
        writer.write_table(changes)
    held = np.concatenate([changes.column(f"{when}_holder_id").to_numpy() for when in ("before", "after")])
    return distinct_ids(held), sink.getvalue().to_pybytes()


def read(connection: sa.Connection, actor: Actor, after: Cursor | None, most: int) -> ChangedNumbers:
    """Return the next changes that the actor sees. The connection has one snapshot.

    Raises `UnknownCursorError` or `ExpiredCursorError`.
    """
    own = number_change_positions.c
    if after is None:
        after = oldest(connection, actor)
    else:
        _check(connection, actor, after)
    query = (
        sa.select(own.position, own.mark, number_changes)
        .outerjoin(number_changes, number_changes.c.id == own.change_id)
        .where(own.tenant_id == actor.tenant.id, own.position >= after.position + (not after.count))
        .order_by(own.position)
    )
    found = list[ChangedNumber]()
    end, expected = after, after.position + (not after.count)
    with connection.execute(query.execution_options(yield_per=_ROWS_FETCHED)) as rows:
        for row in rows:
            if row.position != expected or row.content is None:
                raise ExpiredCursorError
            numbers, end = _numbers_of(row, actor, after, most - len(found))
            found += numbers
            expected += 1
            if len(found) == most:
                return ChangedNumbers(found, end)
    if end.count:  # of an expired position, the rest is lost
        raise ExpiredCursorError
    return ChangedNumbers(found, end)


def _check(connection: sa.Connection, actor: Actor, after: Cursor) -> None:
    """Raise `UnknownCursorError` if there is no such position yet, or one with another mark."""
    latest = last(connection, actor)
    if after.position > latest.position:
        raise UnknownCursorError
    if after.position and after.mark is not None and marked(connection, actor, after).mark not in {after.mark, 0}:
        raise UnknownCursorError


def marked(connection: sa.Connection, actor: Actor, cursor: Cursor) -> Cursor:
    """Return a cursor with the mark of its position; 0 if the position is removed."""
    own = number_change_positions.c
    query = sa.select(own.mark).where(own.tenant_id == actor.tenant.id, own.position == cursor.position)
    return replace(cursor, mark=connection.execute(query).scalar_one_or_none() or 0)


def oldest(connection: sa.Connection, actor: Actor) -> Cursor:
    """Return the cursor before the oldest change that is kept."""
    own = number_change_positions.c
    query = (
        sa.select(own.position)
        .join(number_changes, number_changes.c.id == own.change_id)
        .where(own.tenant_id == actor.tenant.id)
        .order_by(own.position)
        .limit(1)
    )
    position = connection.execute(query).scalar_one_or_none()
    return last(connection, actor) if position is None else Cursor(position - 1)


def last(connection: sa.Connection, actor: Actor) -> Cursor:
    """Return the cursor behind all changes that the transaction's snapshot contains."""
    own = number_change_positions.c
    query = sa.select(own.position, own.mark).where(own.tenant_id == actor.tenant.id)
    row = connection.execute(query.order_by(own.position.desc()).limit(1)).one_or_none()
    return Cursor() if row is None else Cursor(row.position, mark=row.mark)


def _numbers_of(row: sa.Row[Any], actor: Actor, after: Cursor, most: int) -> tuple[list[ChangedNumber], Cursor]:
    """Return up to `most` changes of a row that the actor sees, and the cursor behind them."""
    paths = {int(holder): path for holder, path in row.paths.items()}
    below = np.array([holder for holder, path in paths.items() if actor.tenant.id in path], np.int32)
    table = pa.ipc.open_stream(row.content).read_all()
    columns = {name: table.column(name).to_numpy() for name in CHANGES.names}
    was_seen, is_seen = (np.isin(columns[f"{when}_holder_id"], below) for when in ("before", "after"))
    seen = np.flatnonzero(was_seen | is_seen)
    if row.position == after.position:
        seen = seen[seen >= after.count]
    taken = seen[:most]
    last_seen = int(seen[-1]) if len(seen) else None

    def cursor(index: int) -> Cursor:
        return Cursor(row.position, 0 if index == last_seen else index + 1, row.mark)

    end = cursor(int(taken[-1])) if len(taken) else Cursor(row.position, mark=row.mark)
    states = {when: _states(columns, when, taken) for when in ("before", "after")}
    numbers = [
        ChangedNumber(
            cursor(index),
            row.at,
            row.job_id,
            e164,
            before if was_seen[index] else None,
            after_ if is_seen[index] else None,
            existed=before["holder_id"] != 0,
            exists=after_["holder_id"] != 0,
            paths=paths,
        )
        for index, e164, before, after_ in zip(
            taken.tolist(), columns["e164"][taken].tolist(), states["before"], states["after"], strict=True
        )
    ]
    return numbers, end


def _states(columns: Mapping[str, np.ndarray], when: str, index: np.ndarray) -> Iterator[dict[str, int]]:
    prefix = f"{when}_"
    names = [name for name in columns if name.startswith(prefix)]
    rows = zip(*(columns[name][index].tolist() for name in names), strict=True)
    keys = [name.removeprefix(prefix) for name in names]
    return (dict(zip(keys, row, strict=True)) for row in rows)


def expire(connection: sa.Connection) -> int:
    """Remove changes that are no longer kept, oldest first, up to `MOST_EXPIRED`; return how many.

    The last of a tenant's positions without changes stays: the numbering goes on, and the mark of a cursor before the
    oldest change that is kept is known. Not those of deleted tenants.
    """
    change, own, later = number_changes.c, number_change_positions.c, number_change_positions.alias()
    oldest = sa.select(change.id, change.at).order_by(change.id).limit(MOST_EXPIRED).subquery()
    kept_since = sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 0, 0, get_settings().keep_changes_days * DAY)
    up_to = connection.execute(sa.select(sa.func.max(oldest.c.id)).where(oldest.c.at < kept_since)).scalar_one()
    if up_to is None:
        return 0
    # Of the next position only: a tenant may have many.
    following = sa.select(later.c.change_id).where(later.c.tenant_id == own.tenant_id, later.c.position > own.position)
    is_next_kept = sa.func.coalesce(following.order_by(later.c.position).limit(1).scalar_subquery() > up_to, sa.true())
    is_last = is_next_kept & sa.exists().where(tenants.c.id == own.tenant_id)
    connection.execute(number_change_positions.delete().where(own.change_id <= up_to, ~is_last))
    return connection.execute(number_changes.delete().where(change.id <= up_to)).rowcount
