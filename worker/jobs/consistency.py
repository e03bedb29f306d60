"""Whether jobs, their work items and their files agree with each other; for `numberyard verify`.

A job that changes while it is checked is checked again, so this can run beside the service.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import job_chunks, jobs, lease_tokens
from schemas.job_kinds import JOB_KINDS, JobKind
from schemas.jobs import WORKED_IN, ChunkState, JobStatus, Phase, Tally
from worker.jobs import retention
from worker.jobs.retention import FileClass
from worker.storage import files

PAGE = 500  # jobs in one query
ATTEMPTS = 3
_ENDED_WELL = frozenset({JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS})
_CHANGING = frozenset({JobStatus.ACCEPTED, JobStatus.CHECKING, JobStatus.RUNNING, JobStatus.PUBLISHING})


@dataclass(frozen=True)
class Fault:
    """What is wrong with a job."""

    job: str  # its public id
    text: str


def faults(connection: sa.Connection) -> Iterator[Fault]:
    """Yield what is wrong with each job, the oldest first. `StoreError` if the storage is unavailable."""
    after = 0
    while ids := _page(connection, after):
        for job_id in ids:
            for _ in range(ATTEMPTS):
                before = _facts(connection, job_id)
                found = [] if before is None else list(_of_job(before))
                if not found or _facts(connection, job_id) == before:
                    yield from found
                    break
        after = ids[-1]


def last_token_is_behind(connection: sa.Connection) -> bool:
    """Return whether lease tokens would be given out again: the sequence was not restored with the tables."""
    highest = sa.select(sa.func.max(job_chunks.c.lease_token)).scalar_subquery()
    last = sa.text(f"SELECT last_value FROM {lease_tokens.name}")  # noqa: S608 - our own
    most: int | None = connection.execute(sa.select(highest)).scalar_one()
    return most is not None and most > connection.execute(last).scalar_one()


def _page(connection: sa.Connection, after: int) -> list[int]:
    """Return the next jobs that have not ended or still have files; of all others nothing is left to compare."""
    kept = jobs.c.finished_at.is_(None) | jobs.c.keeps_chunks | jobs.c.keeps_upload | jobs.c.keeps_report
    query = sa.select(jobs.c.id).where(jobs.c.id > after, kept).order_by(jobs.c.id).limit(PAGE)
    return list(connection.execute(query).scalars())


@dataclass(frozen=True)
class _Facts:
    job: sa.Row[Any]
    items: tuple[sa.Row[Any], ...]


def _facts(connection: sa.Connection, job_id: int) -> _Facts | None:
    gone = (retention.is_gone(part).label(f"gone_{part}") for part in FileClass)
    job = connection.execute(sa.select(jobs, *gone).where(jobs.c.id == job_id)).one_or_none()
    if job is None:
        return None
    own = job_chunks.c
    items: sa.Select[Any] = (
        sa.select(own.phase, own.number, own.state, own.check_token, own.result_key, own.image_key)
        .where(own.job_id == job_id)
        .order_by(own.phase, own.number)
    )
    return _Facts(job, tuple(connection.execute(items).all()))


def _of_job(facts: _Facts) -> Iterator[Fault]:
    job = facts.job
    counted = sum(seen.count for seen in Tally.from_json(job.tally).results.values())
    if job.status in _ENDED_WELL and counted != job.rows_total:
        yield Fault(job.public_id, f"has results for {counted:,} of {job.rows_total:,} rows")
    if job.status in _CHANGING and not any(
        item.state in {ChunkState.PENDING, ChunkState.LEASED} and job.status in WORKED_IN[Phase(item.phase)]
        for item in facts.items
    ):
        yield Fault(job.public_id, f"is {job.status}, and has no work item left")
    expected = _expected(facts)
    if missing := sorted(expected - _existing(job.public_id)) if expected else []:
        named = ", ".join(key.removeprefix(f"{files.folder_of(job.public_id)}/") for key in missing[:3])
        yield Fault(job.public_id, f"lacks {len(missing)} of its files: {named}{', ...' if len(missing) > 3 else ''}")  # noqa: PLR2004


def _expected(facts: _Facts) -> set[str]:
    """Return the keys of the files that the job still needs, or shows."""
    job, name = facts.job, facts.job.public_id
    # Of a refused file only the upload is kept; an export that was cancelled has no file.
    if job.status == JobStatus.FAILED and job.problem is not None:
        keys: set[str | None] = {files.upload_key(name)} if job.file_size is not None and job.keeps_upload else set()
        return {key for key in keys if key is not None and not _is_gone(facts, key)}
    done = [item for item in facts.items if item.state == ChunkState.DONE]
    if job.kind == JobKind.EXPORT and job.status != JobStatus.COMPLETED:
        done = []
    keys = {key for item in done for key in (item.result_key, item.image_key)}
    if job.file_size is not None:
        keys.add(files.upload_key(name))
    elif JOB_KINDS[JobKind(job.kind)].form is not None and job.finished_at is None:
        keys.add(files.listed_key(name))
    if job.read_token is not None:
        keys.add(files.rows_key(name, job.read_token))
    if job.check_token is not None:
        keys.add(files.checked_key(name, job.check_token))
        keys |= {
            files.chunk_key(name, item.check_token or job.check_token, item.number)
            for item in facts.items
            if item.phase == Phase.WRITE and item.state in {ChunkState.PENDING, ChunkState.LEASED}
        }
    if job.status in _ENDED_WELL and job.check_token is not None:
        parts = max(sum(item.phase == Phase.RENDER for item in facts.items), 1)
        keys |= {files.results_key(name), *(files.report_key(name, part) for part in range(parts))}
    return {key for key in keys if key is not None and not _is_gone(facts, key)}


def _is_gone(facts: _Facts, key: str) -> bool:
    """Return whether the class of the file is no longer kept."""
    job = facts.job
    below = key.removeprefix(f"{files.folder_of(job.public_id)}/")
    checks, failed = (job.read_token, job.check_token), job.status == JobStatus.FAILED
    part = retention.file_class_of(below, checks, failed=failed)
    return bool(getattr(job, f"gone_{part}"))


def _existing(job: str) -> set[str]:
    top = files.root()
    if top is None:
        return {entry["path"] for entry in files.entries(f"{files.folder_of(job)}/")}
    folder = top / files.folder_of(job)
    return {path.relative_to(top).as_posix() for path in folder.rglob("*") if path.is_file()}
