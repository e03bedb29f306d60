"""Quotas of requests (R37): requests per minute with their header fields, uploads at a time, and refusals.

The fields `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-10, in structured fields
(RFC 9651).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Response, g

from schemas import request_problems
from schemas.permissions import Tenant
from schemas.quotas import WINDOW_SECONDS, Quota, QuotaExceededError
from webhook.http.errors import Refused
from worker.config.settings import get_settings
from worker.database.engine import TRANSIENT, transaction
from worker.jobs import upload_slots
from worker.queue import request_rates
from worker.queue.request_rates import Minute

POLICY = "requests"  # the policy's name in the header fields
# Seconds after which it is worth trying again, where no time is known.
_RETRY_SECONDS = {Quota.UPLOADS: 2, Quota.JOBS: 10, Quota.BYTES: 3600}


@dataclass(frozen=True)
class _Rate:
    """The limit of the requests of a tenant in a minute, and how many there were; None if that is not known."""

    limit: int
    minute: Minute | None


def caller_of(tenant: Tenant) -> str:
    """Return the name under which a tenant's requests are counted. By public id: installations may share a broker."""
    return f"tenant/{tenant.public_id}"


def count_request(tenant: Tenant, limit: int) -> None:
    """Count a request of the API; refuse it (RATE_LIMITED) if its tenant has sent more than `limit` in this minute.

    0 is no limit. Without an answer of the broker, requests are not limited.
    """
    if limit:
        minute = request_rates.count(caller_of(tenant))
        g.request_rate = _Rate(limit, minute)
        _check(limit, minute)


def count_page(tenant: Tenant, admin_id: int, limit: int) -> None:
    """Count a request of a person in the portal, apart from all others: no script of the company keeps people out."""
    if limit:
        _check(limit, request_rates.count(f"{caller_of(tenant)}/person/{admin_id}"))


def add_headers(response: Response) -> None:
    """Add the header fields about the rate of requests, if one applies to this request."""
    rate: _Rate | None = g.get("request_rate")
    if rate is None:
        return
    response.headers["RateLimit-Policy"] = f'"{POLICY}";q={rate.limit};w={WINDOW_SECONDS}'
    if rate.minute is not None:
        left = max(rate.limit - rate.minute.requests, 0)
        response.headers["RateLimit"] = f'"{POLICY}";r={left};t={rate.minute.seconds_left}'


def refused(exceeded: QuotaExceededError) -> Refused:
    """Return the refusal of a request that exceeds a quota, with `Retry-After`."""
    seconds = _RETRY_SECONDS.get(exceeded.quota, WINDOW_SECONDS)
    if exceeded.resets_at is not None:
        seconds = max(int((exceeded.resets_at - datetime.now(UTC)).total_seconds()) + 1, 1)
    return Refused(request_problems.of_quota(exceeded), {"Retry-After": str(seconds)})


@contextmanager
def upload_slot(tenant: Tenant) -> Iterator[None]:
    """Hold one of the tenant's slots for uploads while a file is received. Refuses (QUOTA_EXCEEDED) if none is free."""
    try:
        with transaction() as connection:
            claim = upload_slots.take(connection, tenant.id)
    except QuotaExceededError as exceeded:
        raise refused(exceeded) from exceeded
    g.upload_slot, g.upload_slot_kept = claim, time.monotonic()
    try:
        yield
    finally:
        g.upload_slot = None
        if claim is not None:
            # A slot that is not given back expires.
            with suppress(*TRANSIENT), transaction() as connection:
                upload_slots.free(connection, claim)


def keep_upload_slot() -> None:
    """Extend the slot while a long body arrives."""
    claim = g.get("upload_slot")
    if claim is not None and time.monotonic() - g.upload_slot_kept > get_settings().lease_seconds / 4:
        g.upload_slot_kept = time.monotonic()
        with transaction() as connection:
            upload_slots.keep(connection, claim)


def _check(limit: int, minute: Minute | None) -> None:
    if minute is None or minute.requests <= limit:
        return
    next_minute = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=minute.seconds_left)
    raise Refused(
        request_problems.of_quota(QuotaExceededError(Quota.REQUESTS, limit, minute.requests - 1, 1, next_minute)),
        {"Retry-After": str(minute.seconds_left)},
    )
