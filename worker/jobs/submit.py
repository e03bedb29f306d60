"""Job submission: creates a job with its first work item. Callers check permissions first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from psycopg.errors import ForeignKeyViolation
from sqlalchemy.exc import IntegrityError

from schemas.database.tables import callbacks, jobs
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions, JobStatus, Phase
from worker.accounts.tenants import GoneError
from worker.config import request_origin, tracing
from worker.config.request_origin import Origin
from worker.database import quotas
from worker.jobs import callback_secrets
from worker.queue import job_state


@dataclass(frozen=True)
class File:
    """An uploaded file that has not been read yet: `size` in bytes."""

    name: str
    size: int
    sha256: bytes


@dataclass(frozen=True)
class NewJob:
    """A job to create.

    Its rows are in the storage: as `file` under `worker.storage.files.upload_key`, as a list or selection under
    `listed_key`, or they are those of the job `undo_of_id`. An export has none. The caller has checked `callback_url`.
    `admin_id`: the account that started the job in the portal. `external_id`, `metadata`: what the client attaches to
    the job. `counted_rows`: rows that were counted against the quota of rows for the job whose file is read again.
    """

    job: str  # its public id
    tenant_id: int
    created_by: str
    kind: JobKind
    options: JobOptions
    file: File | None = None
    undo_of_id: int | None = None
    parent_id: int | None = None
    callback_url: str | None = None
    external_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    admin_id: int | None = None
    counted_rows: int | None = None


def submit(connection: sa.Connection, order: NewJob) -> int:
    """Create a job and its first work item; return its database id. `GoneError` if its tenant was deleted meanwhile.

    `QuotaExceededError` if the tenant has as many open jobs or stored bytes as it may have (R37). A file that
    the tenant has uploaded before is recorded as a duplicate, not refused.
    """
    with tracing.span(f"submit {order.kind}", tracing.Kind.PRODUCER, attributes={"numberyard.job": order.job}):
        return _insert(connection, order, request_origin.current())


def _insert(connection: sa.Connection, order: NewJob, origin: Origin) -> int:
    # A retry (R33) has no file of its own; of an export's file, the size is not known yet.
    size = order.file.size if order.file is not None and not order.options.only_failed else 0
    quotas.admit_job(connection, order.tenant_id, 1 if order.kind is JobKind.EXPORT else size)
    values: dict[str, Any] = {
        "public_id": order.job,
        "tenant_id": order.tenant_id,
        "kind": order.kind,
        "status": JobStatus.ACCEPTED,
        "options": order.options.to_json(),
        "created_by": order.created_by,
        "created_by_admin_id": order.admin_id,
        "undo_of_id": order.undo_of_id,
        "parent_id": order.parent_id,
        "external_id": order.external_id,
        "metadata": dict(order.metadata),
        "request_id": origin.request_id,
        "traceparent": origin.traceparent,
        # The rows of a retry (R33) are those of its parent: it has no file of its own.
        "keeps_upload": not order.options.only_failed,
        "counted_rows": order.counted_rows,
    }
    if order.file is not None:
        same = sa.select(sa.func.max(jobs.c.id)).where(
            jobs.c.tenant_id == order.tenant_id,
            jobs.c.kind == order.kind,
            jobs.c.file_sha256 == order.file.sha256,
        )
        values |= {
            "file_name": order.file.name,
            "file_size": order.file.size,
            "file_sha256": order.file.sha256,
            "duplicate_of_id": same.scalar_subquery(),
        }
    try:
        job_id: int = connection.execute(jobs.insert().values(values).returning(jobs.c.id)).scalar_one()
    except IntegrityError as error:
        if isinstance(error.orig, ForeignKeyViolation):
            raise GoneError from error
        raise
    if order.callback_url is not None:
        callback = {"job_id": job_id, "tenant_id": order.tenant_id, "url": order.callback_url}
        connection.execute(callbacks.insert().values(callback))
        callback_secrets.ensure(connection, order.tenant_id)
    if size:
        quotas.take_bytes(connection, job_id, order.tenant_id, size)
    job_state.add_work_items(connection, job_id, first_phase(order.kind), {0: 0})
    return job_id


def first_phase(kind: JobKind) -> Phase:
    """Return the phase of the first work item of a job."""
    return Phase.EXPORT if kind is JobKind.EXPORT else Phase.CHECK
