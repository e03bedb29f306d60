"""Callbacks in the database, for the worker that sends them: the message to send, and the result of each attempt.

Nothing is sent from here (`worker.callbacks.deliver`), and no URL is logged: it may contain a secret of its receiver.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from schemas import callback_signing
from schemas.database.tables import callback_deliveries, callbacks, jobs
from schemas.http.callbacks import DeliveryResult, EndedJob, EndedLinks, JobEnded
from schemas.jobs import Tally, counts_of, error_summary
from worker.jobs import callback_secrets
from worker.queue.completion import complete_delivery
from worker.queue.leases import Lease, LostLeaseError, release


@dataclass(frozen=True)
class Message:
    """A callback ready to be sent: URL, body and headers."""

    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Try:
    """The result of one delivery attempt. `retry_after`: seconds that the receiver asked to wait."""

    result: DeliveryResult
    status: int | None = None
    retry_after: float | None = None
    duration_ms: int = 0


def message(connection: sa.Connection, lease: Lease) -> Message:
    """Build a callback from the database, signed with the current time of the database's clock.

    `LostLeaseError` if the job was removed meanwhile.
    """
    now = sa.cast(sa.extract("epoch", sa.func.now()), sa.BigInteger)
    query = sa.select(callbacks, now.label("now")).where(callbacks.c.job_id == lease.job_id)
    row = connection.execute(query).one_or_none()
    event = ended_job(connection, lease.job_id)
    if row is None or event is None:
        raise LostLeaseError(f"job {lease.job_public_id} is gone")
    body = event.model_dump_json().encode()
    secrets = callback_secrets.signing(connection, row.tenant_id)
    return Message(
        row.url, body, callback_signing.signed(secrets, callback_signing.message_id(row.public_id), row.now, body)
    )


def ended_job(connection: sa.Connection, job_id: int) -> JobEnded | None:
    """Return the payload about a job that has ended; None if there is no such job."""
    earlier = jobs.alias()
    query = (
        sa.select(jobs, earlier.c.public_id.label("duplicate_of"))
        .outerjoin(earlier, earlier.c.id == jobs.c.duplicate_of_id)
        .where(jobs.c.id == job_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    tally = Tally.from_json(row.tally)  # complete, because the job has ended
    job = EndedJob.model_validate(
        {
            **{name: getattr(row, name) for name in ("kind", "status", "created_at", "started_at", "finished_at")},
            "id": row.public_id,
            "counts": counts_of(tally, row.rows_total),
            "error_summary": error_summary(tally),
            "problem": row.problem,
            "duplicate_of": row.duplicate_of,
            "links": EndedLinks(self=f"/v1/jobs/{row.public_id}"),
        }
    )
    return JobEnded.model_validate({"type": f"job.{row.status}", "timestamp": row.finished_at, "data": job})


def note(connection: sa.Connection, lease: Lease, tried: Try, pause: float | None) -> None:
    """Record an attempt: end the callback, or schedule the next attempt in `pause` seconds. `LostLeaseError`."""
    if tried.result is DeliveryResult.DELIVERED:
        complete_delivery(connection, lease, delivered=True)
        connection.execute(_of(lease).values(delivered_at=sa.func.now()))
    elif pause is None:
        give_up(connection, lease)
    else:
        release(connection, lease, pause, counts=True)
    entry = {
        "job_id": lease.job_id,
        "attempt": lease.attempt,
        "result": tried.result,
        "status": tried.status,
        "duration_ms": tried.duration_ms,
    }
    connection.execute(callback_deliveries.insert().values(entry))


def give_up(connection: sa.Connection, lease: Lease) -> None:
    """End a callback without further attempts; its log stays, and a user can send it again. `LostLeaseError`."""
    complete_delivery(connection, lease, delivered=False)
    connection.execute(_of(lease).values(given_up_at=sa.func.now()))


def _of(lease: Lease) -> sa.Update:
    return callbacks.update().where(callbacks.c.job_id == lease.job_id)
