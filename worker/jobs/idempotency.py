"""Requests that bear a name (`Idempotency-Key`): made once, answered as often as they are sent.

A key belongs to its tenant. It is claimed when a request begins and finished in the transaction that enters the job, so
there is never a job without its key or a key without its job. A claim is a lease, as everywhere: who says nothing for
two leases may be overtaken, and then cannot finish. Times are the database's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database.tables import idempotency_keys, lease_tokens
from worker.config.settings import get_settings
from worker.queue.job_state import in_seconds


class OvertakenError(Exception):
    """Another request has taken the key over: what this one did must not count."""


@dataclass(frozen=True)
class Claim:
    """The right to finish a key."""

    tenant_id: int
    key: str
    claim: int


@dataclass(frozen=True)
class Finished:
    """A key whose request made a job; `answer` is what it was answered, None if it died before it could say."""

    fingerprint: bytes
    job: str
    answer: str | None


def begin(connection: sa.Connection, tenant_id: int, key: str) -> Claim | Finished | None:
    """Claim a key, or tell what came of it; None while another request bears it."""
    claim: int = connection.execute(sa.select(lease_tokens.next_value())).scalar_one()
    values = {"claim": claim, "until": _while_under_way(), "fingerprint": None, "job": None, "answer": None}
    taken = (
        insert(idempotency_keys)
        .values(tenant_id=tenant_id, key=key, **values)
        .on_conflict_do_update(
            index_elements=["tenant_id", "key"], set_=values, where=idempotency_keys.c.until <= sa.func.now()
        )
        .returning(idempotency_keys.c.claim)
    )
    if connection.execute(taken).one_or_none() is not None:
        return Claim(tenant_id, key, claim)
    known = sa.select(idempotency_keys).where(
        idempotency_keys.c.tenant_id == tenant_id, idempotency_keys.c.key == key, idempotency_keys.c.job.is_not(None)
    )
    row = connection.execute(known).one_or_none()
    return None if row is None else Finished(row.fingerprint, row.job, row.answer)


def stay(connection: sa.Connection, claim: Claim) -> None:
    """Say that the request is still under way."""
    connection.execute(_of(claim).values(until=_while_under_way()))


def finish(connection: sa.Connection, claim: Claim, fingerprint: bytes, job: str) -> None:
    """Note the job that came of it, in the transaction that enters the job. `OvertakenError`."""
    until = in_seconds(get_settings().idempotency_hours * 3600)
    if not connection.execute(_of(claim).values(fingerprint=fingerprint, job=job, until=until)).rowcount:
        raise OvertakenError(claim.key)


def keep_answer(connection: sa.Connection, claim: Claim, answer: str) -> None:
    """Keep what was answered, for those who ask again."""
    connection.execute(
        idempotency_keys.update().where(_is(claim), idempotency_keys.c.job.is_not(None)).values(answer=answer)
    )


def drop(connection: sa.Connection, claim: Claim) -> None:
    """Forget a request that made no job: it may be sent again, mended."""
    connection.execute(idempotency_keys.delete().where(_is(claim), idempotency_keys.c.job.is_(None)))


def forget_expired(connection: sa.Connection) -> int:
    """Forget the keys whose time is over; answers how many."""
    return connection.execute(idempotency_keys.delete().where(idempotency_keys.c.until <= sa.func.now())).rowcount


def _while_under_way() -> sa.ColumnElement[Any]:
    """Twice as long as a piece of work: a request may be busy for a while with freezing a large selection."""
    return in_seconds(2 * get_settings().lease_seconds)


def _is(claim: Claim) -> sa.ColumnElement[bool]:
    return sa.and_(
        idempotency_keys.c.tenant_id == claim.tenant_id,
        idempotency_keys.c.key == claim.key,
        idempotency_keys.c.claim == claim.claim,
    )


def _of(claim: Claim) -> sa.Update:
    return idempotency_keys.update().where(_is(claim), idempotency_keys.c.job.is_(None))
