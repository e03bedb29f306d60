"""Users in the database: list, create, change, delete (R2). No rules: callers check `schemas.permissions` first.

Only jobs assign numbers to users (`worker.numbers.inventory`); this module only reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import phone_numbers, tenants, users
from schemas.http.users import MOST_NUMBERS
from schemas.permissions import Actor, Tenant
from schemas.user_services import Service
from worker.accounts.tenants import GoneError
from worker.database import tenant_scope


@dataclass(frozen=True)
class UserView:
    """A user, its enterprise, and up to 1,000 of its numbers per service, ascending."""

    row: sa.Row[Any]
    tenant: Tenant
    numbers: Mapping[Service, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class UserFilter:
    """A filter on users; None does not filter. `q` is the beginning of the name or of the e-mail address."""

    tenant_id: str | None = None
    kind: str | None = None
    q: str | None = None


def page(
    connection: sa.Connection, actor: Actor, filters: UserFilter, cursor: str | None, limit: int
) -> list[UserView]:
    """Return up to `limit` users, oldest first, created after the one whose public id is `cursor`."""
    visible = tenant_scope.users_of(actor.tenant)
    query = sa.select(users).where(visible, *_conditions(filters)).order_by(users.c.id).limit(limit)
    if cursor is not None:
        query = query.where(tenant_scope.after(connection, users, visible, cursor))
    return _views(connection, connection.execute(query).all())


def get(connection: sa.Connection, actor: Actor, public_id: str) -> UserView | None:
    """Return a user, or None if the actor sees none with this id."""
    query = sa.select(users).where(tenant_scope.users_of(actor.tenant), tenant_scope.has_public_id(users, public_id))
    return next(iter(_views(connection, connection.execute(query).all())), None)


def has_email(connection: sa.Connection, tenant: Tenant, email: str, but: int | None = None) -> bool:
    """Return whether a user of the tenant has this e-mail address, ignoring case and the user with the id `but`."""
    query = sa.select(users.c.id).where(users.c.tenant_id == tenant.id, sa.func.lower(users.c.email) == email.lower())
    if but is not None:
        query = query.where(users.c.id != but)
    return connection.execute(query).first() is not None


def create(connection: sa.Connection, tenant: Tenant, columns: Mapping[str, Any]) -> sa.Row[Any]:
    """Create a user of a locked tenant; return its id and public id."""
    insertion = users.insert().values(tenant_id=tenant.id, **columns).returning(users.c.id, users.c.public_id)
    return connection.execute(insertion).one()


def hold(connection: sa.Connection, user_id: int) -> None:
    """Lock a user until the transaction ends: no changes, no new numbers. `GoneError` if it does not exist any more."""
    query = sa.select(users.c.id).where(users.c.id == user_id).with_for_update()
    if connection.execute(query).one_or_none() is None:
        raise GoneError


def change(connection: sa.Connection, user_id: int, columns: Mapping[str, Any]) -> None:
    """Set columns of a user."""
    connection.execute(users.update().where(users.c.id == user_id).values(columns))


def used_by(connection: sa.Connection, user_id: int, *, sms_only: bool = False) -> list[str]:
    """Return what prevents a locked user from being deleted, or from losing its SMS service: ["numbers"] or []."""
    number = phone_numbers.c
    is_user = number.sms_user_id == user_id
    uses = sa.exists().where(is_user if sms_only else sa.or_(is_user, number.voice_user_id == user_id))
    return ["numbers"] if connection.execute(sa.select(uses)).scalar_one() else []


def remove(connection: sa.Connection, user_id: int) -> None:
    """Delete a user without numbers."""
    connection.execute(users.delete().where(users.c.id == user_id))


def _conditions(filters: UserFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.tenant_id is not None:
        tenant_ids = sa.select(tenants.c.id).where(tenant_scope.has_public_id(tenants, filters.tenant_id))
        conditions.append(users.c.tenant_id.in_(tenant_ids))
    if filters.kind is not None:
        conditions.append(users.c.kind == filters.kind)
    if filters.q is not None:
        beginning = filters.q.lower()
        conditions.append(
            sa.or_(
                sa.func.lower(users.c.name).startswith(beginning, autoescape=True),
                sa.func.lower(users.c.email).startswith(beginning, autoescape=True),
            )
        )
    return conditions


def _views(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[UserView]:
    homes = tenant_scope.tenants_by_id(connection, sorted({row.tenant_id for row in rows}))
    numbers = _numbers(connection, [row.id for row in rows])
    return [UserView(row, homes[row.tenant_id], numbers.get(row.id, {})) for row in rows]


def _numbers(connection: sa.Connection, user_ids: Sequence[int]) -> dict[int, dict[Service, list[int]]]:
    """Return the numbers of users by service, at most the first `MOST_NUMBERS` of each."""
    number = phone_numbers.c
    voice = sa.case((number.voice_forwarded, int(Service.FORWARDED)), else_=int(Service.VOICE))
    had = sa.union_all(
        sa.select(number.voice_user_id.label("user_id"), voice.label("service"), number.e164).where(
            number.voice_user_id.in_(user_ids)
        ),
        sa.select(number.sms_user_id, sa.literal(int(Service.SMS)), number.e164).where(
            number.sms_user_id.in_(user_ids)
        ),
    ).subquery()
    rank = sa.func.row_number().over(partition_by=(had.c.user_id, had.c.service), order_by=had.c.e164).label("rank")
    ranked = sa.select(had, rank).subquery()
    query = sa.select(ranked).where(ranked.c.rank <= MOST_NUMBERS).order_by(ranked.c.e164)
    numbers_of: dict[int, dict[Service, list[int]]] = {}
    for row in connection.execute(query) if user_ids else ():
        numbers_of.setdefault(row.user_id, {}).setdefault(Service(row.service), []).append(row.e164)
    return numbers_of
