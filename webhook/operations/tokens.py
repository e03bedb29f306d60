"""Tokens: who gets in (R4). A token's secret is told by the answer that makes it, and never again."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from schemas import accounts
from schemas.problems import RequestCode
from webhook import auth, views
from webhook.errors import refuse
from webhook.operations.tenants import ME
from webhook.operations.tenants import find as find_tenant
from worker.infra import tenants, tokens
from worker.infra.db import transaction


def page(query: accounts.PageQuery) -> accounts.TokenList:
    """The tokens of the actor's own tenant and those below it."""
    with transaction() as connection:
        found = tokens.page(connection, auth.actor(), query.cursor, query.limit)
    cursor = found[-1].public_id if len(found) == query.limit else None
    return accounts.TokenList(data=[views.token(row) for row in found], next_cursor=cursor)


def one(token_id: str) -> accounts.Token:
    """The token of this id, without its secret."""
    with transaction() as connection:
        row = _find(connection, token_id)
    return views.token(row)


def create(body: accounts.NewToken) -> accounts.IssuedToken:
    """Make a token; its secret is told this once."""
    with transaction() as connection:
        owner = find_tenant(connection, body.tenant_id or ME)
        tenants.hold(connection, owner)
        issued = tokens.create(connection, owner.id, body.name, body.expires_at)
        row = _find(connection, issued.public_id)
    return accounts.IssuedToken(**views.token(row).model_dump(), token=issued.secret)


def delete(token_id: str) -> None:
    """Revoke a token; it stays in the list."""
    with transaction() as connection:
        tokens.revoke(connection, _find(connection, token_id).id)


def _find(connection: sa.Connection, public_id: str) -> sa.Row[Any]:
    """A token that the caller sees; one elsewhere and one that does not exist are the same 404 (R3)."""
    row = tokens.one(connection, auth.actor(), public_id)
    if row is None:
        raise refuse(RequestCode.NOT_FOUND, "There is no such token.")
    return row
