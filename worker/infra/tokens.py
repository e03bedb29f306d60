"""Bearer tokens: issued once in the clear, kept only as a hash."""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy as sa

from schemas.permissions import Actor
from schemas.tables import tenants, tokens
from worker.infra import scope

PREFIX = "nyk_"


def issue(connection: sa.Connection, tenant_id: int, name: str) -> str:
    """A new token for a tenant. This is the only time it can be seen."""
    token = PREFIX + secrets.token_urlsafe(32)
    connection.execute(tokens.insert().values(tenant_id=tenant_id, name=name, hash=_hash(token)))
    return token


def actor_of(connection: sa.Connection, token: str) -> Actor | None:
    """Whom a token speaks for; None if it is unknown, expired or revoked."""
    query = (
        scope.select_tenants()
        .add_columns(tokens.c.name.label("token_name"))
        .join(tokens, tokens.c.tenant_id == tenants.c.id)
        .where(
            tokens.c.hash == _hash(token),
            tokens.c.revoked_at.is_(None),
            sa.func.coalesce(tokens.c.expires_at > sa.func.now(), sa.true()),
        )
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Actor(scope.tenant_of(row), row.token_name)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
