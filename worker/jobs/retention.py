"""How long files are kept: what is over, for readers and removers by one rule, and what a round finds to remove.

Over is what the setting says at this moment by the database's clock, and what is removed already, should the setting
have been longer since. Removes no file itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from schemas.database.tables import job_chunks, jobs
from schemas.jobs import TERMINAL, WORKED_IN, ChunkState, JobStatus, Phase
from worker.config.settings import get_settings
from worker.jobs.file_classes import Part
from worker.queue import job_state

DAY, HOUR = 86_400.0, 3600.0  # seconds
_MARKS = {Part.CHUNKS: jobs.c.keeps_chunks, Part.UPLOAD: jobs.c.keeps_upload, Part.REPORT: jobs.c.keeps_report}


def is_gone(part: Part) -> sa.ColumnElement[bool]:
    """Whether a part of a job's files is no longer to be had; it may still be there for a moment."""
    return sa.func.coalesce(~_MARKS[part] | _is_over(part), sa.false())


def _is_over(part: Part) -> sa.ColumnElement[bool]:
    """Whether a part's time is over; null as long as the job has not ended."""
    settings = get_settings()
    days = {
        Part.CHUNKS: settings.keep_chunks_days,
        Part.UPLOAD: settings.keep_uploads_days,
        Part.REPORT: settings.keep_reports_days,
    }
    # `now`, not `clock_timestamp`: only what stands still while a statement runs can be looked up in an index.
    return jobs.c.finished_at <= job_state.in_seconds(-days[part] * DAY)


def is_being_undone(job_id: sa.ColumnElement[int] | int) -> sa.ColumnElement[bool]:
    """Whether an undo that has not ended needs the job's files."""
    undoing = jobs.alias("undoing")
    return sa.exists().where(undoing.c.undo_of_id == job_id, undoing.c.finished_at.is_(None))


def due(connection: sa.Connection, most: int) -> list[int]:
    """Up to `most` jobs with files whose time is over.

    In no order: one whose files cannot be removed must not stand before all others for ever.
    """
    over = (sa.and_(mark, _is_over(part)) for part, mark in _MARKS.items())
    query = (
        sa.select(jobs.c.id).where(sa.or_(*over), ~is_being_undone(jobs.c.id)).order_by(sa.func.random()).limit(most)
    )
    return list(connection.execute(query).scalars())


@dataclass(frozen=True)
class Ended:
    """A job that is held, and which of its files are to go and to stay."""

    job_id: int
    job: str  # its public id
    checks: tuple[int | None, ...]  # as in `parts.part_of`
    failed: bool
    over: frozenset[Part]
    kept: frozenset[Part]


def hold(connection: sa.Connection, job_id: int) -> Ended | None:
    """Hold a job until the transaction ends, so that nobody begins to undo it; None if nothing of it is to go now.

    None as well while another has it in hand: a round, or somebody who asks to undo it.
    """
    query = (
        sa.select(
            jobs.c.public_id,
            jobs.c.read_token,
            jobs.c.check_token,
            jobs.c.status,
            *(mark.label(f"keeps_{part}") for part, mark in _MARKS.items()),
            *(is_gone(part).label(f"gone_{part}") for part in Part),
        )
        .where(jobs.c.id == job_id, jobs.c.finished_at.is_not(None))
        # Jobs that refer to it (the same file again, a file that mends it) need not wait.
        .with_for_update(key_share=True, skip_locked=True)
    )
    row = connection.execute(query).one_or_none()
    # Asked only now that it is held: what began until then is seen.
    if row is None or connection.execute(sa.select(is_being_undone(job_id))).scalar_one():
        return None
    found = row._mapping  # noqa: SLF001 - the documented way to read a column by its name
    kept = frozenset(part for part in Part if found[f"keeps_{part}"])
    over = frozenset(part for part in kept if found[f"gone_{part}"])
    if Part.REPORT in over:
        over |= kept & {Part.CHUNKS}  # of no use without it
    failed, checks = row.status == JobStatus.FAILED, (row.read_token, row.check_token)
    return Ended(job_id, row.public_id, checks, failed, over, kept - over) if over else None


def mark(connection: sa.Connection, ended: Ended) -> None:
    """Note that what is over is gone. With the report go its pieces of work: the job itself has the counts."""
    values = {_MARKS[part].name: False for part in ended.over}
    connection.execute(jobs.update().where(jobs.c.id == ended.job_id).values(values))
    if Part.REPORT in ended.over:
        # Callbacks, which are sent after a job's end, stay, and so does what somebody is at.
        never = [phase for phase, found in WORKED_IN.items() if not found & TERMINAL or phase is Phase.WORKBOOK]
        state = job_chunks.c.state
        over = sa.or_(
            state.in_([ChunkState.DONE, ChunkState.DEAD]),
            sa.and_(state == ChunkState.PENDING, job_chunks.c.phase.in_(never)),
        )
        connection.execute(job_chunks.delete().where(job_chunks.c.job_id == ended.job_id, over))


def keeping(connection: sa.Connection, public_ids: Iterable[str]) -> set[str]:
    """Those of the ids that are jobs which have files, or may yet have some."""
    query = sa.select(jobs.c.public_id).where(jobs.c.public_id.in_(list(public_ids)), sa.or_(*_MARKS.values()))
    return set(connection.execute(query).scalars())


def orphans_before(connection: sa.Connection) -> datetime:
    """Files that belong to nobody are removed if they are older than this."""
    query = sa.select(job_state.in_seconds(-get_settings().orphan_hours * HOUR))
    found: datetime = connection.execute(query).scalar_one()
    return found
