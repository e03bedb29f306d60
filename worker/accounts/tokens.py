"""Bearer tokens: shown once in plain text, stored only as a hash."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import tenants, tokens
from schemas.permissions import Actor
from worker.database import tenant_scope

PREFIX = "nyk_"


@dataclass(frozen=True)
class Issued:
    """A new token: its public id, and the secret, which cannot be retrieved later."""

    public_id: str
    secret: str


def create(connection: sa.Connection, tenant_id: int, name: str, expires_at: dt.datetime | None = None) -> Issued:
    """Create a token for a tenant. Only this call returns the secret."""
    secret = PREFIX + secrets.token_urlsafe(32)
    values = {"tenant_id": tenant_id, "name": name, "hash": _hash(secret), "expires_at": expires_at}
    public_id: str = connection.execute(tokens.insert().values(values).returning(tokens.c.public_id)).scalar_one()
    return Issued(public_id, secret)


def issue(connection: sa.Connection, tenant_id: int, name: str) -> str:
    """Create a token that does not expire; return only its secret."""
    return create(connection, tenant_id, name).secret


def actor_of(connection: sa.Connection, token: str) -> Actor | None:
    """Return the actor of a token; None if it is unknown, expired or revoked."""
    query = (
        tenant_scope.select_tenants()
        .add_columns(tokens.c.name.label("token_name"))
        .join(tokens, tokens.c.tenant_id == tenants.c.id)
        .where(
            tokens.c.hash == _hash(token),
            tokens.c.revoked_at.is_(None),
            sa.func.coalesce(tokens.c.expires_at > sa.func.now(), sa.true()),
        )
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Actor(tenant_scope.tenant_of(row), row.token_name)


def page(connection: sa.Connection, actor: Actor, cursor: str | None, limit: int) -> list[sa.Row[Any]]:
    """Return up to `limit` tokens with their tenants, oldest first, created after the public id `cursor`."""
    visible = tenant_scope.tokens_of(actor.tenant)
    query = _select().where(visible).order_by(tokens.c.id).limit(limit)
    if cursor is not None:
        query = query.where(tenant_scope.after(connection, tokens, visible, cursor))
    return list(connection.execute(query))


def get(connection: sa.Connection, actor: Actor, public_id: str) -> sa.Row[Any] | None:
    """Return a token with its tenant, or None if the actor sees none with this id."""
    query = _select().where(tenant_scope.tokens_of(actor.tenant), tenant_scope.has_public_id(tokens, public_id))
    return connection.execute(query).one_or_none()


def revoke(connection: sa.Connection, token_id: int) -> None:
    """Revoke a token; it stops working at once. A token that is revoked already keeps its time of revocation."""
    query = tokens.update().where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
    connection.execute(query.values(revoked_at=sa.func.now()))


def _select() -> sa.Select[Any]:
    """Return a query for tokens with all columns but the hash."""
    shown = ("id", "public_id", "name", "created_at", "expires_at", "revoked_at")
    tenant = (tenants.c[name].label(f"tenant_{name}") for name in ("public_id", "name", "kind"))
    return sa.select(*(tokens.c[name] for name in shown), *tenant).join(tenants, tenants.c.id == tokens.c.tenant_id)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
