"""Queries about the work items of exports: how many a tenant has open, and where the file of one is."""

from __future__ import annotations

import sqlalchemy as sa

from schemas.database.tables import job_chunks, jobs
from schemas.job_kinds import JobKind
from schemas.jobs import ChunkState, Phase

MOST_OPEN = 20  # exports of a tenant that have not ended


def count_open(connection: sa.Connection, tenant_id: int) -> int:
    """Return how many exports of a tenant have not ended."""
    query = sa.select(sa.func.count()).where(
        jobs.c.finished_at.is_(None), jobs.c.kind == JobKind.EXPORT, jobs.c.tenant_id == tenant_id
    )
    count: int = connection.execute(query).scalar_one()
    return count


def key_of(connection: sa.Connection, job_id: int) -> str | None:
    """Return the storage key of a completed export's file; None if it has been removed."""
    query = sa.select(job_chunks.c.result_key).where(
        job_chunks.c.job_id == job_id, job_chunks.c.phase == Phase.EXPORT, job_chunks.c.state == ChunkState.DONE
    )
    key: str | None = connection.execute(query).scalar_one_or_none()
    return key
