"""Bearer tokens (R4, R35): shown once in plain text, stored only as a hash.

A token created with another one is its child: revoked with it, and limited by the same account.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import admins, tenants, tokens
from schemas.permissions import ActingToken, Actor, TokenLimits
from schemas.quotas import Quota
from schemas.roles import Role, Scope
from worker.accounts.tenants import GoneError
from worker.config.settings import get_settings
from worker.database import expired_rows, quotas, tenant_scope
from worker.queue.job_state import in_seconds

PREFIX = "nyk_"
UNLIMITED = TokenLimits()
DAY = 86_400.0  # seconds
_ended_at = sa.func.least(tokens.c.revoked_at, tokens.c.expires_at, type_=sa.DateTime(timezone=True))
_USED_EVERY = 60  # seconds: the last use of a token is written once a minute, not with every request


@dataclass(frozen=True)
class Issued:
    """A new token: its public id, and the secret, which cannot be retrieved later."""

    public_id: str
    secret: str


@dataclass(frozen=True)
class Bearer:
    """The actor of a valid token. `is_due`: whether its last use is to be recorded (`record_use`).

    `request_limit`: requests that its tenant may send per minute (R37); 0 for no limit.
    """

    actor: Actor
    token: ActingToken
    is_due: bool
    request_limit: int


def create(  # noqa: PLR0913 - the columns
    connection: sa.Connection,
    tenant_id: int,
    name: str,
    limits: TokenLimits = UNLIMITED,
    *,
    maker: Actor | None = None,
    admin_id: int | None = None,
) -> Issued:
    """Create a token for a tenant. Only this call returns the secret.

    `maker`: who creates it, locked by `hold_maker`, which returns `admin_id`. Without: the operator of the database.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    values = {
        "tenant_id": tenant_id,
        "name": name,
        "hash": _hash(secret),
        "role": limits.role.value,
        "scopes": [scope.value for scope in Scope if scope in limits.scopes],
        "networks": list(limits.networks),
        "expires_at": limits.expires_at,
    }
    if maker is not None:
        parent_id = None if maker.token is None else maker.token.id
        made = {"created_by": maker.name, "created_by_tenant_id": maker.tenant.id}
        values |= made | {"parent_id": parent_id, "admin_id": admin_id}
    public_id: str = connection.execute(tokens.insert().values(values).returning(tokens.c.public_id)).scalar_one()
    return Issued(public_id, secret)


def issue(connection: sa.Connection, tenant_id: int, name: str) -> str:
    """Create a token without limits; return only its secret."""
    return create(connection, tenant_id, name).secret


def hold_maker(connection: sa.Connection, maker: Actor) -> int | None:
    """Lock who creates a token, so that revoking or removing it waits and includes the new token (R35).

    Return the id of the account behind it, if any. `GoneError` if it was revoked or removed meanwhile. Accounts are
    locked before tokens, here as in `admins.remove`.
    """
    account_id = maker.admin_id if maker.token is None else maker.token.admin_id
    account = sa.select(admins.c.id).where(admins.c.id == account_id).with_for_update(read=True, key_share=True)
    held_id: int | None = connection.execute(account).scalar_one_or_none()
    if maker.token is None:
        if held_id is None:
            raise GoneError
        return held_id
    # FOR SHARE: not compatible with the update that revokes it.
    query = sa.select(tokens.c.admin_id).where(tokens.c.id == maker.token.id, tokens.c.revoked_at.is_(None))
    row = connection.execute(query.with_for_update(read=True)).one_or_none()
    if row is None:
        raise GoneError
    return None if row.admin_id is None else int(row.admin_id)


def find(connection: sa.Connection, secret: str) -> Bearer | None:
    """Return who acts with a token; None if it is unknown, expired or revoked.

    Its role is limited by the present role of the account behind it (R35).
    """
    row = connection.execute(_bearers(), {"secret_hash": _hash(secret)}).one_or_none()
    if row is None:
        return None
    role = min((Role(name) for name in (row.token_role, row.admin_role) if name), key=list(Role).index)
    limits = TokenLimits(role, frozenset(map(Scope, row.scopes)), tuple(row.networks), row.expires_at)
    token = ActingToken(row.token_id, row.admin_id, limits)
    actor = Actor(tenant_scope.tenant_of(row), row.token_name, role=role, scopes=limits.scopes, token=token)
    return Bearer(actor, token, row.is_due, quotas.limit_of(Quota.REQUESTS, row.request_limit))


@lru_cache(maxsize=1)
def _bearers() -> sa.Select[Any]:
    """Return the query of `find`. Made once, because every request needs it (0.4 ms)."""
    shown = ("admin_id", "scopes", "networks", "expires_at")
    return (
        tenant_scope.select_tenants()
        .add_columns(
            tokens.c.id.label("token_id"),
            tokens.c.name.label("token_name"),
            tokens.c.role.label("token_role"),
            admins.c.role.label("admin_role"),
            _is_due().label("is_due"),
            quotas.own_limit(Quota.REQUESTS).label("request_limit"),
            *(tokens.c[name] for name in shown),
        )
        .join(tokens, tokens.c.tenant_id == tenants.c.id)
        .outerjoin(admins, admins.c.id == tokens.c.admin_id)
        .where(
            tokens.c.hash == sa.bindparam("secret_hash"),
            tokens.c.revoked_at.is_(None),
            sa.func.coalesce(tokens.c.expires_at > sa.func.now(), sa.true()),
        )
    )


def record_use(connection: sa.Connection, token_id: int, address: str) -> None:
    """Record the last use of a token, unless another request has, or has it locked: no request waits for this.

    Nor for the disk: if the server crashes, at most the last fraction of a second of these times is lost.
    """
    query = sa.select(tokens.c.id).where(tokens.c.id == token_id, _is_due())
    free = query.with_for_update(key_share=True, skip_locked=True).scalar_subquery()
    connection.execute(sa.text("SET LOCAL synchronous_commit TO off"))
    used = {"last_used_at": sa.func.now(), "last_used_from": address}
    connection.execute(tokens.update().where(tokens.c.id == free).values(used))


def page(connection: sa.Connection, actor: Actor, cursor: str | None, limit: int) -> list[sa.Row[Any]]:
    """Return up to `limit` tokens with their tenants, oldest first, created after the public id `cursor`."""
    visible = tenant_scope.tokens_of(actor.tenant)
    query = _select(actor).where(visible).order_by(tokens.c.id).limit(limit)
    if cursor is not None:
        query = query.where(tenant_scope.after(connection, tokens, visible, cursor))
    return list(connection.execute(query))


def get(connection: sa.Connection, actor: Actor, public_id: str) -> sa.Row[Any] | None:
    """Return a token with its tenant, or None if the actor sees none with this id."""
    query = _select(actor).where(tenant_scope.tokens_of(actor.tenant), tenant_scope.has_public_id(tokens, public_id))
    return connection.execute(query).one_or_none()


def revoke(connection: sa.Connection, token_id: int) -> None:
    """Revoke a token and all that were created with it, level by level (R35); they stop working at once.

    Tokens that are revoked already keep their time of revocation. Each level is read after the one above is locked, so
    tokens that are being created meanwhile (`hold_maker`) are among them.
    """
    level: Sequence[int] = [token_id]
    while level:
        query = tokens.update().where(tokens.c.id.in_(level), tokens.c.revoked_at.is_(None))
        connection.execute(query.values(revoked_at=sa.func.now()))
        level = connection.execute(sa.select(tokens.c.id).where(tokens.c.parent_id.in_(level))).scalars().all()


def revoke_of_admin(connection: sa.Connection, admin_id: int) -> None:
    """Revoke the tokens of an account, and those created with them, which bear its id too. The account is locked."""
    revoked_at = sa.func.coalesce(tokens.c.revoked_at, sa.func.now())
    query = tokens.update().where(tokens.c.admin_id == admin_id)
    connection.execute(query.values(revoked_at=revoked_at, admin_id=None))


def hand_over(connection: sa.Connection, admin_id: int, heir_id: int) -> None:
    """Put the tokens of an account under another one, whose role limits them from now on (R35)."""
    connection.execute(tokens.update().where(tokens.c.admin_id == admin_id).values(admin_id=heir_id))


def count_of_admin(connection: sa.Connection, admin_id: int) -> int:
    """Return how many tokens that still work are those of an account, or were created with them."""
    counted = sa.select(sa.func.count()).where(
        tokens.c.admin_id == admin_id,
        tokens.c.revoked_at.is_(None),
        sa.func.coalesce(tokens.c.expires_at > sa.func.now(), sa.true()),
    )
    return int(connection.execute(counted).scalar_one())


def remove_ended(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` tokens that were revoked, or expired, before those that are kept; return how many.

    Those that created others stay until these are deleted.
    """
    children = tokens.alias("children")
    is_over = _ended_at < in_seconds(-get_settings().keep_tokens_days * DAY)
    is_childless = ~sa.exists().where(children.c.parent_id == tokens.c.id)
    has_ended = tokens.c.revoked_at.is_not(None) | tokens.c.expires_at.is_not(None)  # as the index has it
    return expired_rows.remove(connection, tokens, has_ended & is_over & is_childless, _ended_at, most)


def _is_due() -> sa.ColumnElement[bool]:
    return sa.func.coalesce(tokens.c.last_used_at <= in_seconds(-_USED_EVERY), sa.true())


def _select(actor: Actor) -> sa.Select[Any]:
    """Return a query for tokens with all columns but the hash; who created one only as far as the actor sees it."""
    shown = ("id", "public_id", "name", "created_at", "expires_at", "revoked_at", "role", "scopes", "networks")
    used = ("last_used_at", "last_used_from")
    maker = sa.case((tenant_scope.token_makers_of(actor.tenant), tokens.c.created_by)).label("created_by")
    tenant = (tenants.c[name].label(f"tenant_{name}") for name in ("public_id", "name", "kind"))
    return sa.select(*(tokens.c[name] for name in (*shown, *used)), maker, *tenant).join(
        tenants, tenants.c.id == tokens.c.tenant_id
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
