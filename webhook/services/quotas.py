"""Quotas of a tenant, and what it uses of them (R37)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.http.quotas import QuotaList, QuotaState
from schemas.quotas import Quota
from webhook.http.quotas import caller_of
from webhook.services import tenants
from worker.database import quotas
from worker.database.engine import transaction
from worker.jobs import upload_slots
from worker.numbers.number_bodies import tenant_ref
from worker.queue import request_rates


def get(tenant_id: str | None = None) -> QuotaList:
    """Return the quotas of the actor's own tenant, or of one below it. Others are not found (R3)."""
    with transaction() as connection:
        tenant = tenants.find(connection, tenant_id or tenants.ME)
        limits = quotas.limits_of(connection, tenant.id)
        used: dict[Quota, int | None] = {**quotas.usage(connection, tenant.id, limits)}
        used[Quota.UPLOADS] = upload_slots.count(connection, tenant.id)
        resets = {Quota.ROWS: quotas.end_of_today(connection)}
    minute = request_rates.counted(caller_of(tenant))
    used[Quota.REQUESTS] = None if minute is None else minute.requests
    if minute is not None:
        resets[Quota.REQUESTS] = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=minute.seconds_left)
    states = [_state(quota, limits[quota], used[quota], resets.get(quota)) for quota in Quota]
    return QuotaList(tenant=tenant_ref(tenant), data=states)


def _state(quota: Quota, limit: int, used: int | None, resets_at: datetime | None) -> QuotaState:
    has_limit = limit != quotas.NO_LIMIT
    remaining = max(limit - used, 0) if has_limit and used is not None else None
    return QuotaState(
        name=quota, limit=limit if has_limit else None, used=used, remaining=remaining, resets_at=resets_at
    )
