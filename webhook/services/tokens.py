"""API tokens (R4). Only the response that creates a token contains its secret."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import url_for

from schemas.http import tenants as tenant_bodies
from schemas.request_problems import RequestCode
from webhook.http import auth, idempotency, serializers
from webhook.http.errors import refuse
from webhook.services.tenants import ME
from webhook.services.tenants import find as find_tenant
from worker.accounts import tenants, tokens
from worker.database.engine import transaction


def page(query: tenant_bodies.PageQuery) -> tenant_bodies.TokenList:
    """Return the tokens of the actor's own tenant and of those below it."""
    with transaction() as connection:
        rows = tokens.page(connection, auth.actor(), query.cursor, query.limit)
    cursor = rows[-1].public_id if len(rows) == query.limit else None
    return tenant_bodies.TokenList(data=[serializers.token(row) for row in rows], next_cursor=cursor)


def get(token_id: str) -> tenant_bodies.Token:
    """Return the token with this id, without its secret."""
    with transaction() as connection:
        row = _find(connection, token_id)
    return serializers.token(row)


def create(body: tenant_bodies.NewToken) -> tenant_bodies.IssuedToken:
    """Create a token. Only this response contains its secret."""
    with transaction() as connection:
        owner = find_tenant(connection, body.tenant_id or ME)
        tenants.hold(connection, owner)
        issued = tokens.create(connection, owner.id, body.name, body.expires_at)
        row = _find(connection, issued.public_id)
        idempotency.record(connection, url_for("tokens.show", token_id=issued.public_id))
    return tenant_bodies.IssuedToken(**serializers.token(row).model_dump(), token=issued.secret)


def delete(token_id: str) -> None:
    """Revoke a token; it stays in the list."""
    with transaction() as connection:
        tokens.revoke(connection, _find(connection, token_id).id)


def _find(connection: sa.Connection, public_id: str) -> sa.Row[Any]:
    """Return a token that the actor sees. Invisible and missing ones give the same 404 (R3)."""
    row = tokens.get(connection, auth.actor(), public_id)
    if row is None:
        raise refuse(RequestCode.NOT_FOUND, "Token not found.")
    return row
