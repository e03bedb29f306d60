"""Requests with an `Idempotency-Key`: executed once, with the same response however often they are sent.

A key belongs to its tenant. It is claimed when a request begins and finished in the transaction that creates the job,
or any other resource, so there is never a job without its key or a key without its job. A claim is a lease: a request
that does not extend it for two lease times may be overtaken, and then cannot finish. Times are the database's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database.tables import idempotency_keys, lease_tokens
from worker.config.settings import get_settings
from worker.database import expired_rows
from worker.queue.job_state import in_seconds


class OvertakenError(Exception):
    """Another request has taken over the key: this request's changes must not be committed."""


@dataclass(frozen=True)
class Claim:
    """The right to finish a key."""

    tenant_id: int
    key: str
    claim: int


@dataclass(frozen=True)
class Created:
    """What a request has created: the path of the resource, the status of the response, and its job, if it is one."""

    location: str | None
    status: int
    job: str | None = None


@dataclass(frozen=True)
class Finished:
    """A key whose request was carried out; `answer`: the response, None if the process died before it stored one."""

    fingerprint: bytes
    created: Created
    answer: str | None


def begin(connection: sa.Connection, tenant_id: int, key: str) -> Claim | Finished | None:
    """Claim a key, or return it as `Finished`; None while another request has claimed it."""
    claim: int = connection.execute(sa.select(lease_tokens.next_value())).scalar_one()
    emptied = dict.fromkeys(("fingerprint", "job", "status", "location", "answer"))
    values = {"claim": claim, "until": _while_under_way(), **emptied}
    insertion = (
        insert(idempotency_keys)
        .values(tenant_id=tenant_id, key=key, **values)
        .on_conflict_do_update(
            index_elements=["tenant_id", "key"], set_=values, where=idempotency_keys.c.until <= sa.func.now()
        )
        .returning(idempotency_keys.c.claim)
    )
    if connection.execute(insertion).one_or_none() is not None:
        return Claim(tenant_id, key, claim)
    existing = sa.select(idempotency_keys).where(
        idempotency_keys.c.tenant_id == tenant_id, idempotency_keys.c.key == key, _is_finished()
    )
    row = connection.execute(existing).one_or_none()
    return None if row is None else Finished(row.fingerprint, _created(row), row.answer)


def _created(row: sa.Row[Any]) -> Created:
    """Return what a request has created. Processes of an earlier version have not kept status and Location of jobs."""
    if row.status is None:
        return Created(f"/v1/jobs/{row.job}", HTTPStatus.ACCEPTED, row.job)
    return Created(row.location, row.status, row.job)


def stay(connection: sa.Connection, claim: Claim) -> None:
    """Extend the claim of a request that is still in progress."""
    connection.execute(_of(claim).values(until=_while_under_way()))


def finish(connection: sa.Connection, claim: Claim, fingerprint: bytes, created: Created) -> None:
    """Record what the request created, in the transaction that creates it. `OvertakenError`."""
    values = {"fingerprint": fingerprint, "until": in_seconds(get_settings().idempotency_hours * 3600)}
    if not connection.execute(_of(claim).values(**values, **asdict(created))).rowcount:
        raise OvertakenError(claim.key)


def keep_answer(connection: sa.Connection, claim: Claim, answer: str) -> None:
    """Store the response for repeated requests."""
    connection.execute(idempotency_keys.update().where(_is(claim), _is_finished()).values(answer=answer))


def drop(connection: sa.Connection, claim: Claim) -> None:
    """Delete the key of a request that was not carried out: it may be corrected and sent again."""
    connection.execute(idempotency_keys.delete().where(_is(claim), ~_is_finished()))


def forget_expired(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` expired keys; return how many."""
    until = idempotency_keys.c.until
    return expired_rows.remove(connection, idempotency_keys, until <= sa.func.now(), until, most)


def _while_under_way() -> sa.ColumnElement[Any]:
    """Return the end of a claim. It is twice as long as a lease: storing a large selection may take a request long."""
    return in_seconds(2 * get_settings().lease_seconds)


def _is(claim: Claim) -> sa.ColumnElement[bool]:
    return sa.and_(
        idempotency_keys.c.tenant_id == claim.tenant_id,
        idempotency_keys.c.key == claim.key,
        idempotency_keys.c.claim == claim.claim,
    )


def _of(claim: Claim) -> sa.Update:
    return idempotency_keys.update().where(_is(claim), ~_is_finished())


def _is_finished() -> sa.ColumnElement[bool]:
    return idempotency_keys.c.fingerprint.is_not(None)
