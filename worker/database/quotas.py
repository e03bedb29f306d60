"""Quotas of tenants (R37): the limits in effect, what is used of them, and checks in the transactions that use them.

Requests per minute are counted by the broker (`worker.queue.request_rates`), uploads at a time in
`worker.jobs.upload_slots`; here are their limits only. Of two transactions of a tenant that could exceed a limit
together, the second waits for the first. No tenant waits for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from enum import IntEnum
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import jobs, tenant_quotas, tenant_usage, tenants
from schemas.job_kinds import JobKind
from schemas.quotas import Quota, QuotaExceededError
from worker.config.settings import get_settings
from worker.database import expired_rows, folded_sums

NO_LIMIT = 0
MOST_TRANSACTIONS = 1000  # more than a tenant's transactions that can run at a moment
MOST_COUNTED = 10_000  # open jobs, where no limit says how many are worth counting
NO_DAY = date(1970, 1, 1)  # of stored bytes, which are no daily sum
_today = sa.func.timezone("UTC", sa.func.clock_timestamp()).cast(sa.Date)


class LockClass(IntEnum):
    """The advisory locks of a tenant; numbers that nothing else uses as the first of two keys."""

    SUBMISSION = 0x6E79_7101
    ROWS = 0x6E79_7102
    UPLOADS = 0x6E79_7103


def hold(connection: sa.Connection, lock: LockClass, tenant_id: int) -> None:
    """Let other transactions of the tenant that take this lock wait until this one ends.

    A statement after it sees what those before it have committed.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock.value, tenant_id)))


def limit_of(quota: Quota, own: int | None) -> int:
    """Return the limit in effect: the tenant's own, if it has one, else that of the settings."""
    return int(getattr(get_settings(), f"quota_{quota}")) if own is None else own


def own_limit(quota: Quota) -> sa.ScalarSelect[int | None]:
    """Return the own limit of the tenant of a query's row of `tenants`."""
    return sa.select(tenant_quotas.c[quota.value]).where(tenant_quotas.c.tenant_id == tenants.c.id).scalar_subquery()


def own_limits(connection: sa.Connection, tenant_id: int) -> dict[Quota, int | None]:
    """Return the limits that are the tenant's own; None where the settings decide."""
    row = connection.execute(_own_limits(), {"of_tenant": tenant_id}).mappings().one_or_none()
    return {quota: None if row is None else row[quota.value] for quota in Quota}


@lru_cache(maxsize=1)
def _own_limits() -> sa.Select[Any]:
    columns = (tenant_quotas.c[quota.value] for quota in Quota)
    return sa.select(*columns).where(tenant_quotas.c.tenant_id == sa.bindparam("of_tenant"))


def limits_of(connection: sa.Connection, tenant_id: int) -> dict[Quota, int]:
    """Return the limits in effect for a tenant; `NO_LIMIT` for none."""
    return {quota: limit_of(quota, own) for quota, own in own_limits(connection, tenant_id).items()}


def admit_job(connection: sa.Connection, tenant_id: int, stored_bytes: int) -> None:
    """Check that a tenant may have one more job, and a file of this size, before the job is inserted.

    `QuotaExceededError`. Only near a limit do submissions of the tenant wait for each other.
    """
    limits = limits_of(connection, tenant_id)
    is_held = False
    for quota, requested, most in (
        (Quota.JOBS, 1, 1),
        (Quota.BYTES, stored_bytes, get_settings().max_upload_bytes),
    ):
        limit = limits[quota]
        if limit == NO_LIMIT or not requested:
            continue
        used = used_of(connection, tenant_id, quota, limit)
        if not is_held and limit - used < MOST_TRANSACTIONS * most:
            hold(connection, LockClass.SUBMISSION, tenant_id)
            is_held = True
            used = used_of(connection, tenant_id, quota, limit)
        if used + requested > limit:
            raise QuotaExceededError(quota, limit, used, requested)


def take_rows(connection: sa.Connection, job_id: int, rows: int) -> None:
    """Count the rows of a job, once they are read, against its tenant's rows of the day (UTC). `QuotaExceededError`.

    Rows that were counted for the job before, such as those of a file that is checked again, are not counted again.
    Call it last in the transaction: other jobs of the tenant whose rows are read wait for its end.
    """
    job = connection.execute(_counted_job(), {"of_job": job_id}).one()
    requested, day = rows - (job.counted_rows or 0), job.day
    if requested <= 0:
        return
    limit = limit_of(Quota.ROWS, job.own_limit)
    if limit != NO_LIMIT:
        hold(connection, LockClass.ROWS, job.tenant_id)
        used = _sum(connection, job.tenant_id, Quota.ROWS, day)
        if used + requested > limit:
            raise QuotaExceededError(Quota.ROWS, limit, used, requested, end_of(day))
    _use(connection, job.tenant_id, Quota.ROWS, day, requested)
    connection.execute(jobs.update().where(jobs.c.id == job_id).values(counted_rows=rows))


@lru_cache(maxsize=1)
def _counted_job() -> sa.Select[Any]:
    own = sa.select(tenant_quotas.c[Quota.ROWS.value]).where(tenant_quotas.c.tenant_id == jobs.c.tenant_id)
    columns = (jobs.c.tenant_id, jobs.c.counted_rows, _today.label("day"), own.scalar_subquery().label("own_limit"))
    return sa.select(*columns).where(jobs.c.id == sa.bindparam("of_job"))


def take_bytes(connection: sa.Connection, job_id: int, tenant_id: int, size: int) -> None:
    """Count a stored file, in the transaction that creates its job, or that ends the export whose file it is."""
    _use(connection, tenant_id, Quota.BYTES, NO_DAY, size)
    connection.execute(jobs.update().where(jobs.c.id == job_id).values(counted_bytes=size))


def free_bytes(connection: sa.Connection, job_id: int, *, of_exports: bool) -> None:
    """Take a job's stored file off, in the transaction after which it is no longer kept. The job is locked.

    Does nothing if it was not counted, or if the job is an export and `of_exports` is false, or the other way round.
    """
    is_counted = (jobs.c.id == job_id) & jobs.c.counted_bytes.is_not(None)
    is_export = jobs.c.kind == JobKind.EXPORT
    is_meant = is_counted & (is_export if of_exports else ~is_export)
    freed = sa.select(
        jobs.c.tenant_id, sa.literal(Quota.BYTES.value), sa.literal(NO_DAY, sa.Date), -jobs.c.counted_bytes
    ).where(is_meant)
    connection.execute(tenant_usage.insert().from_select(["tenant_id", "quota", "day", "amount"], freed))
    connection.execute(jobs.update().where(is_meant).values(counted_bytes=None))


def usage(connection: sa.Connection, tenant_id: int, limits: Mapping[Quota, int]) -> dict[Quota, int]:
    """Return what a tenant uses of the quotas that are counted here: open jobs, rows of today, stored bytes.

    Open jobs are counted up to the limit, or up to `MOST_COUNTED`.
    """
    counted = (Quota.JOBS, Quota.ROWS, Quota.BYTES)
    return {quota: used_of(connection, tenant_id, quota, limits[quota] or MOST_COUNTED) for quota in counted}


def end_of_today(connection: sa.Connection) -> datetime:
    """Return when the present day (UTC) ends, by the database's clock."""
    return end_of(connection.execute(sa.select(_today)).scalar_one())


def end_of(day: date) -> datetime:
    """Return when a day (UTC) ends."""
    return datetime.combine(day + timedelta(days=1), time_of_day(), UTC)


def used_of(connection: sa.Connection, tenant_id: int, quota: Quota, most: int) -> int:
    """Return what a tenant uses of a quota: open jobs, counted up to `most`, rows of today, or stored bytes."""
    if quota is Quota.JOBS:
        # Without an order: the index of open jobs is read until there are enough.
        some = sa.select(sa.literal(1)).where(jobs.c.tenant_id == tenant_id, jobs.c.finished_at.is_(None)).limit(most)
        return int(connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one())
    return _sum(connection, tenant_id, quota, NO_DAY if quota is Quota.BYTES else _today)


def _sum(connection: sa.Connection, tenant_id: int, quota: Quota, day: date | sa.ColumnElement[Any]) -> int:
    own = tenant_usage.c
    query = sa.select(sa.func.coalesce(sa.func.sum(own.amount), 0)).where(
        own.tenant_id == tenant_id, own.quota == quota.value, own.day == day
    )
    return int(connection.execute(query).scalar_one())


def _use(connection: sa.Connection, tenant_id: int, quota: Quota, day: date, amount: int) -> None:
    values = {"tenant_id": tenant_id, "quota": quota.value, "day": day, "amount": amount}
    connection.execute(tenant_usage.insert().values(values))


def fold(connection: sa.Connection) -> int:
    """Replace the rows of sums that have many by one each; return by how many rows that reduces the table."""
    return folded_sums.fold(connection, tenant_usage, ("tenant_id", "quota", "day"), "amount")


def forget_days(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` rows about days before yesterday; return how many."""
    own = tenant_usage.c
    is_over = (own.quota == Quota.ROWS.value) & (own.day < _today - 1)
    return expired_rows.remove(connection, tenant_usage, is_over, own.day, most)
