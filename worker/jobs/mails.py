"""E-mails about jobs in the database, for the worker that sends them: what to send, and how it ended.

`worker.queue.job_state.change_status` adds them. Nothing is sent from here (`worker.mail.deliver`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import admins, jobs, mails, tenants
from schemas.mails import MailEvent, MailResult
from schemas.metrics import MAILS
from worker.config.settings import Settings
from worker.database import counters
from worker.queue import leases
from worker.queue.completion import complete_delivery
from worker.queue.leases import Lease, LostLeaseError


@dataclass(frozen=True)
class JobMail:
    """An e-mail to send: the event, the job's row, the address of its starter and the name of their tenant.

    The row of an undo also has the `undone_kind`, `undone_file_name` and `undone_rows_total` of the job that it undoes.
    """

    event: MailEvent
    job: sa.Row[Any]
    address: str
    tenant_name: str


def prepare(connection: sa.Connection, lease: Lease, settings: Settings) -> JobMail | MailResult:
    """Return the e-mail to send now, counted against its tenant's limit; or how it was ended without being sent.

    `LostLeaseError` if the lease is lost: a worker that was suspended does not send what another one has sent.
    """
    leases.extend(connection, lease, settings.lease_seconds)
    event = MailEvent.of_number(lease.number)
    row = connection.execute(_query(lease.job_id, event)).one_or_none()
    if row is None:
        raise LostLeaseError(f"job {lease.job_public_id} is gone")
    result = None
    if row.address is None or not event.is_current(row.status) or not settings.offers_mail:
        result = MailResult.OUTDATED
    elif row.counted_at is None and not _count(connection, row.tenant_id, lease.job_id, event, settings.mails_per_hour):
        result = MailResult.OVER_LIMIT
    if result is None:
        return JobMail(event, row, row.address, row.tenant_name)
    end(connection, lease, result)
    return result


def _query(job_id: int, event: MailEvent) -> sa.Select[Any]:
    """Select the job, with the address of the admin if the admin still exists and still chooses the event."""
    undone = jobs.alias()
    starter = sa.and_(
        admins.c.id == mails.c.admin_id, admins.c.tenant_id == mails.c.tenant_id, admins.c[f"mail_{event}"]
    )
    return (
        sa.select(
            jobs,
            mails.c.counted_at,
            *(undone.c[name].label(f"undone_{name}") for name in ("kind", "file_name", "rows_total")),
            admins.c.email.label("address"),
            tenants.c.name.label("tenant_name"),
        )
        .join(mails, mails.c.job_id == jobs.c.id)
        .join(tenants, tenants.c.id == mails.c.tenant_id)
        .outerjoin(admins, starter)
        .outerjoin(undone, undone.c.id == jobs.c.undo_of_id)
        .where(jobs.c.id == job_id, mails.c.event == event)
    )


def _count(connection: sa.Connection, tenant_id: int, job_id: int, event: MailEvent, limit: int) -> bool:
    """Count the e-mail against the limit of its tenant's last hour; return False if the limit is reached.

    Workers that send for the same tenant wait for each other here. Reads at most `limit` rows.
    """
    connection.execute(sa.select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update(key_share=True))
    # `clock_timestamp`: the transaction may have waited for the lock.
    now = sa.func.clock_timestamp()
    recent = (
        sa.select(sa.literal(1))
        .where(mails.c.tenant_id == tenant_id, mails.c.counted_at > now - sa.func.make_interval(0, 0, 0, 0, 1))
        .limit(limit)
        .subquery()
    )
    if connection.execute(sa.select(sa.func.count()).select_from(recent)).scalar_one() >= limit:
        return False
    connection.execute(mails.update().where(*_is(job_id, event)).values(counted_at=now))
    return True


def retry(connection: sa.Connection, lease: Lease, pause: float | None) -> None:
    """Schedule the next attempt in `pause` seconds; None: give up. `LostLeaseError`."""
    if pause is None:
        end(connection, lease, MailResult.GIVEN_UP)
    else:
        leases.release(connection, lease, pause, counts=True)


def end(connection: sa.Connection, lease: Lease, result: MailResult) -> None:
    """Record how the e-mail ended. `LostLeaseError`."""
    complete_delivery(connection, lease, delivered=result is MailResult.SENT)
    ended = mails.update().where(*_is(lease.job_id, MailEvent.of_number(lease.number)))
    connection.execute(ended.values(ended_at=sa.func.now(), result=result))
    counters.add(connection, {(MAILS, (result.value,)): 1})


def results_of(connection: sa.Connection, job_id: int, admin_id: int) -> list[str | None]:
    """Return the results of the e-mails to this admin about a job, oldest first; None for one that has not ended."""
    query = sa.select(mails.c.result).where(mails.c.job_id == job_id, mails.c.admin_id == admin_id)
    return list(connection.execute(query.order_by(mails.c.created_at)).scalars())


def _is(job_id: int, event: MailEvent) -> tuple[sa.ColumnElement[bool], ...]:
    return mails.c.job_id == job_id, mails.c.event == event
