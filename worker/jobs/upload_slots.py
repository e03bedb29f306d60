"""Files that a tenant is sending at the same moment (R37). Times are the database's.

A slot is a lease, as the claim of an idempotency key is: one that its request does not extend, because its process was
killed, does not count any more after two lease times.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from schemas.database.tables import lease_tokens, upload_slots
from schemas.quotas import Quota, QuotaExceededError
from worker.config.settings import get_settings
from worker.database import expired_rows, quotas
from worker.database.quotas import LockClass
from worker.queue.job_state import in_seconds


def take(connection: sa.Connection, tenant_id: int) -> int | None:
    """Take a slot and return its claim; None if the tenant's uploads have no limit. `QuotaExceededError`.

    Requests of the tenant take their slots one after the other, in short transactions that do not wait for the disk.
    """
    limit = quotas.limits_of(connection, tenant_id)[Quota.UPLOADS]
    if limit == quotas.NO_LIMIT:
        return None
    _without_disk(connection)
    quotas.hold(connection, LockClass.UPLOADS, tenant_id)
    used = count(connection, tenant_id)
    if used >= limit:
        raise QuotaExceededError(Quota.UPLOADS, limit, used)
    values = {"claim": lease_tokens.next_value(), "tenant_id": tenant_id, "until": _until()}
    claim: int = connection.execute(upload_slots.insert().values(values).returning(upload_slots.c.claim)).scalar_one()
    return claim


def keep(connection: sa.Connection, claim: int) -> None:
    """Extend the slot of a request whose body still arrives."""
    _without_disk(connection)
    connection.execute(upload_slots.update().where(upload_slots.c.claim == claim).values(until=_until()))


def free(connection: sa.Connection, claim: int) -> None:
    """Give a slot back."""
    _without_disk(connection)
    connection.execute(upload_slots.delete().where(upload_slots.c.claim == claim))


def count(connection: sa.Connection, tenant_id: int) -> int:
    """Return how many files the tenant is sending."""
    is_counted = (upload_slots.c.tenant_id == tenant_id) & (upload_slots.c.until > sa.func.clock_timestamp())
    return int(connection.execute(sa.select(sa.func.count()).where(is_counted)).scalar_one())


def forget_expired(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` slots of requests that ended without giving them back; return how many."""
    until = upload_slots.c.until
    return expired_rows.remove(connection, upload_slots, until <= sa.func.now(), until, most)


def _until() -> sa.ColumnElement[Any]:
    return in_seconds(2 * get_settings().lease_seconds)


def _without_disk(connection: sa.Connection) -> None:
    """Let the transaction end before it is on disk: after a crash of the server, no upload goes on."""
    connection.execute(sa.text("SET LOCAL synchronous_commit TO off"))
