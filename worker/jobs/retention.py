"""Retention of a job's files: their classes by name, when each class has expired, and what is to be removed.

Files have expired if the current setting says so, by the database's clock, or if they have been removed already, even
if the setting has been raised since. Reads and removes no file itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from schemas.database.tables import correction_previews, corrections, file_descriptions, job_chunks, jobs
from schemas.jobs import TERMINAL, WORKED_IN, ChunkState, JobStatus, Phase
from worker.config.settings import get_settings
from worker.database import quotas
from worker.queue import job_state

DAY, HOUR = 86_400.0, 3600.0  # seconds
MOST_DUE = 10_000  # jobs of which a round chooses
_STAGED = re.compile(r"#\d+$")
_CHUNK = re.compile(r"batches/.*|\d+(-\d+)?\.arrow")


class FileClass(StrEnum):
    """A class of a job's files that are kept for the same time."""

    CHUNKS = "chunks"  # intermediate files, useless once the job has ended
    UPLOAD = "upload"  # the uploaded file or the listed rows
    REPORT = "report"  # results of the rows and data to undo them: all other files


def file_class_of(name: str, checks: Collection[int | None], *, failed: bool) -> FileClass:
    """Return the class of a file, completely written or not, by its name below the job's folder.

    `checks`: lease tokens of the committed read and check, whose files are the valid ones. The chunks' results of a
    `failed` job have not been merged, so an undo needs the results of each chunk.
    """
    folder, _, file = _STAGED.sub("", name).partition("/")
    if folder in {"upload", "listed.arrow"}:
        return FileClass.UPLOAD
    if folder == "results":
        return FileClass.REPORT if failed else FileClass.CHUNKS
    counts = folder in {f"check-{check}" for check in checks}
    if folder.startswith("check-") and (not counts or _CHUNK.fullmatch(file)):
        return FileClass.CHUNKS
    return FileClass.REPORT


def is_staged(name: str) -> bool:
    """Return whether the name is that of a file being written, as the local store names them: `upload#1`."""
    return _STAGED.search(name) is not None


_MARKS = {
    FileClass.CHUNKS: jobs.c.keeps_chunks,
    FileClass.UPLOAD: jobs.c.keeps_upload,
    FileClass.REPORT: jobs.c.keeps_report,
}


def is_gone(part: FileClass) -> sa.ColumnElement[bool]:
    """Return the condition that a class of a job's files is no longer available; the files may still exist briefly."""
    return sa.func.coalesce(~_MARKS[part] | _is_over(part), sa.false())


def _is_over(part: FileClass) -> sa.ColumnElement[bool]:
    """Return the condition that a class of files has expired; null as long as the job has not ended."""
    settings = get_settings()
    days = {
        FileClass.CHUNKS: settings.keep_chunks_days,
        FileClass.UPLOAD: settings.keep_uploads_days,
        FileClass.REPORT: settings.keep_reports_days,
    }
    # `now`, not `clock_timestamp`: an index is used only for a value that is constant while the statement runs.
    return jobs.c.finished_at <= job_state.in_seconds(-days[part] * DAY)


def is_needed(job_id: sa.ColumnElement[int] | int) -> sa.ColumnElement[bool]:
    """Return the condition that an undo that has not ended, or a retry that has not read its rows, needs the files."""
    undoing, retrying = jobs.alias("undoing"), jobs.alias("retrying")
    undo = sa.exists().where(undoing.c.undo_of_id == job_id, undoing.c.finished_at.is_(None))
    reads = retrying.c.options["only_failed"].as_boolean() & retrying.c.read_token.is_(None)
    return undo | sa.exists().where(retrying.c.parent_id == job_id, retrying.c.finished_at.is_(None), reads)


def due(connection: sa.Connection, most: int) -> list[int]:
    """Return up to `most` jobs with expired files, of the `MOST_DUE` oldest of each class.

    In random order: a job whose files cannot be removed must not block all others.
    """
    ended = jobs.c.finished_at
    over = (sa.select(jobs.c.id).where(mark, _is_over(part)) for part, mark in _MARKS.items())
    oldest = sa.union(*(each.order_by(ended).limit(MOST_DUE).subquery().select() for each in over)).subquery("oldest")
    query = sa.select(oldest.c.id).where(~is_needed(oldest.c.id)).order_by(sa.func.random()).limit(most)
    return list(connection.execute(query).scalars())


@dataclass(frozen=True)
class Ended:
    """A locked job, and which classes of its files to remove (`over`) and to keep."""

    job_id: int
    job: str  # its public id
    checks: tuple[int | None, ...]  # as in `file_class_of`
    failed: bool
    over: frozenset[FileClass]
    kept: frozenset[FileClass]


def hold(connection: sa.Connection, job_id: int) -> Ended | None:
    """Lock a job until the transaction ends, so that no undo or retry of it can begin.

    None if no file is to be removed now; also while another transaction has locked it: a cleaner, or a request to undo
    or to retry it.
    """
    query = (
        sa.select(
            jobs.c.public_id,
            jobs.c.read_token,
            jobs.c.check_token,
            jobs.c.status,
            *(mark.label(f"keeps_{part}") for part, mark in _MARKS.items()),
            *(is_gone(part).label(f"gone_{part}") for part in FileClass),
        )
        .where(jobs.c.id == job_id, jobs.c.finished_at.is_not(None))
        # Jobs that refer to it (the same file again, a file that corrects it) need not wait.
        .with_for_update(key_share=True, skip_locked=True)
    )
    row = connection.execute(query).one_or_none()
    # Queried after the lock: an undo or retry that began before it is visible.
    if row is None or connection.execute(sa.select(is_needed(job_id))).scalar_one():
        return None
    values = row._mapping  # noqa: SLF001 - the documented way to read a column by its name
    kept = frozenset(part for part in FileClass if values[f"keeps_{part}"])
    over = frozenset(part for part in kept if values[f"gone_{part}"])
    if FileClass.REPORT in over:
        over |= kept & {FileClass.CHUNKS}  # useless without the report
    failed, checks = row.status == JobStatus.FAILED, (row.read_token, row.check_token)
    return Ended(job_id, row.public_id, checks, failed, over, kept - over) if over else None


def mark(connection: sa.Connection, ended: Ended) -> None:
    """Record that expired files are removed. With the report, delete the work items: the job itself has the counts."""
    values = {_MARKS[part].name: False for part in ended.over}
    connection.execute(jobs.update().where(jobs.c.id == ended.job_id).values(values))
    for part, of_exports in ((FileClass.UPLOAD, False), (FileClass.REPORT, True)):
        if part in ended.over:
            quotas.free_bytes(connection, ended.job_id, of_exports=of_exports)
    if FileClass.UPLOAD in ended.over:
        connection.execute(file_descriptions.delete().where(file_descriptions.c.job_id == ended.job_id))
    if FileClass.REPORT in ended.over:
        # Open callbacks and e-mails, which are sent after a job's end, stay, and so do leased work items.
        never = [phase for phase, statuses in WORKED_IN.items() if not statuses & TERMINAL or phase is Phase.WORKBOOK]
        state = job_chunks.c.state
        over = sa.or_(
            state.in_([ChunkState.DONE, ChunkState.DEAD]),
            sa.and_(state == ChunkState.PENDING, job_chunks.c.phase.in_(never)),
        )
        connection.execute(job_chunks.delete().where(job_chunks.c.job_id == ended.job_id, over))
        for table in (corrections, correction_previews):
            connection.execute(table.delete().where(table.c.job_id == ended.job_id))


def keeping(connection: sa.Connection, public_ids: Iterable[str]) -> set[str]:
    """Return those of the ids that are jobs with files, or jobs that may still get some."""
    query = sa.select(jobs.c.public_id).where(jobs.c.public_id.in_(list(public_ids)), sa.or_(*_MARKS.values()))
    return set(connection.execute(query).scalars())


def orphans_before(connection: sa.Connection) -> datetime:
    """Return the time limit for files without a job: files written before it are removed."""
    query = sa.select(job_state.in_seconds(-get_settings().orphan_hours * HOUR))
    time: datetime = connection.execute(query).scalar_one()
    return time
