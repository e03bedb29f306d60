"""API tokens (R4). Only the response that creates a token contains its secret."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import url_for

from schemas import permissions
from schemas.http import tenants as tenant_bodies
from schemas.permissions import TokenLimits
from schemas.request_problems import RequestCode
from webhook.http import auth, idempotency, serializers
from webhook.http.errors import refuse
from webhook.services.tenants import ME
from webhook.services.tenants import find as find_tenant
from worker.accounts import tenants, tokens
from worker.database.engine import transaction

_LESS = "A token can't do more than who creates it: ask for less, or leave the field out."


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
    """Create a token, which never exceeds who creates it (R35). Only this response contains its secret."""
    with transaction() as connection:
        owner = find_tenant(connection, body.tenant_id or ME)
        limits = _limits(body)
        tenants.hold(connection, owner)
        try:
            admin_id = tokens.hold_maker(connection, auth.actor())
        except tenants.GoneError as error:  # revoked or removed since the request began
            raise refuse(RequestCode.UNAUTHENTICATED) from error
        issued = tokens.create(connection, owner.id, body.name, limits, maker=auth.actor(), admin_id=admin_id)
        row = _find(connection, issued.public_id)
        idempotency.record(connection, url_for("tokens.show", token_id=issued.public_id))
    return tenant_bodies.IssuedToken(**serializers.token(row).model_dump(), token=issued.secret)


def delete(token_id: str) -> None:
    """Revoke a token and those created with it (R35); they stay in the list."""
    with transaction() as connection:
        tokens.revoke(connection, _find(connection, token_id).id)


def _limits(body: tenant_bodies.NewToken) -> TokenLimits:
    """Return the limits of a new token. Raises `Refused` with every limit in which it would exceed its maker (R35)."""
    maker = auth.actor().limits
    limits = body.limits(maker)
    fields = permissions.check_new_token(maker, limits)
    if fields:
        errors = [{"field": field, "message": _exceeds(field, maker)} for field in fields]
        detail = " ".join(error["message"] for error in errors)
        raise refuse(RequestCode.INVALID_FIELD, detail, fix=_LESS, field=fields[0], errors=errors)
    return limits


def _exceeds(field: str, maker: TokenLimits) -> str:
    texts = {
        "role": f"Your own role is {maker.role}.",
        "scopes": f"You have only the scopes {', '.join(sorted(maker.scopes))}.",
        "networks": f"Your own token works only from {', '.join(maker.networks)}.",
    }
    return texts.get(field) or f"Your own token expires at {maker.expires_at:%Y-%m-%dT%H:%M:%SZ}."


def _find(connection: sa.Connection, public_id: str) -> sa.Row[Any]:
    """Return a token that the actor sees. Invisible and missing ones give the same 404 (R3)."""
    row = tokens.get(connection, auth.actor(), public_id)
    if row is None:
        raise refuse(RequestCode.NOT_FOUND, "Token not found.")
    return row
