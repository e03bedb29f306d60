"""Admins: the portal's accounts, each for one tenant (R1). No rules, and no plain-text passwords.

An e-mail address has one account on the whole platform, because it is the login name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database.tables import admins, tenants
from schemas.mails import MailEvent
from schemas.permissions import Actor
from schemas.roles import Role
from worker.accounts import device_cookies, sessions, tokens
from worker.accounts.tenants import GoneError
from worker.config.settings import get_settings
from worker.database import tenant_scope
from worker.queue.job_state import in_seconds


@dataclass(frozen=True)
class Admin:
    """An admin with the hash of the password. `is_expired`: the password was a one-time password that has expired."""

    id: int
    tenant_id: int
    email: str
    password_hash: str
    is_expired: bool


def folded(email: str) -> str:
    """Normalise an e-mail address for storage and lookup: case and surrounding blanks are ignored."""
    return email.strip().casefold()


def by_email(connection: sa.Connection, email: str) -> Admin | None:
    """Return the admin with this folded e-mail address, or None."""
    query = sa.select(admins, _is_expired()).where(admins.c.email == email)
    row = connection.execute(query).one_or_none()
    return None if row is None else Admin(row.id, row.tenant_id, row.email, row.password_hash, row.is_expired)


def page(connection: sa.Connection, actor: Actor, cursor: str | None, limit: int) -> list[sa.Row[Any]]:
    """Return up to `limit` admins with their tenants, oldest first, created after the public id `cursor` (R3)."""
    visible = tenant_scope.admins_of(actor.tenant)
    query = _select().where(visible).order_by(admins.c.id).limit(limit)
    if cursor is not None:
        query = query.where(tenant_scope.after(connection, admins, visible, cursor))
    return list(connection.execute(query))


def get(connection: sa.Connection, actor: Actor, public_id: str) -> sa.Row[Any] | None:
    """Return an admin that the actor sees, with its tenant, or None."""
    query = _select().where(tenant_scope.admins_of(actor.tenant), tenant_scope.has_public_id(admins, public_id))
    return connection.execute(query).one_or_none()


def add(  # noqa: PLR0913 - the columns
    connection: sa.Connection,
    tenant_id: int,
    email: str,
    password_hash: str,
    role: Role = Role.ADMIN,
    *,
    is_one_time: bool = False,
) -> bool:
    """Create an admin. Return False if the folded e-mail address has an account already, in any tenant.

    `is_one_time`: the password was created by another person and expires unless the admin chooses another.
    """
    password = _password(password_hash, is_one_time=is_one_time)
    values = {"tenant_id": tenant_id, "email": email, "role": role.value, **password}
    insertion = insert(admins).values(values).on_conflict_do_nothing()
    return connection.execute(insertion.returning(admins.c.id)).one_or_none() is not None


def set_password(connection: sa.Connection, admin_id: int, password_hash: str, *, is_one_time: bool = False) -> None:
    """Change the password, delete all sessions of the admin and forget the known browsers."""
    changed = _password(password_hash, is_one_time=is_one_time)
    connection.execute(admins.update().where(admins.c.id == admin_id).values(changed))
    sessions.end_all(connection, admin_id)
    device_cookies.forget(connection, admin_id)


def set_role(connection: sa.Connection, admin_id: int, role: Role) -> None:
    """Change the role of an admin. It applies to the next request, also of tokens that the admin created (R35)."""
    connection.execute(admins.update().where(admins.c.id == admin_id).values(role=role.value))


def mail_events(connection: sa.Connection, admin_id: int) -> frozenset[MailEvent]:
    """Return the events that the admin gets an e-mail for."""
    columns = [admins.c[f"mail_{event}"].label(event.value) for event in MailEvent]
    row = connection.execute(sa.select(*columns).where(admins.c.id == admin_id)).mappings().one_or_none()
    return frozenset(event for event in MailEvent if row is not None and row[event.value])


def set_mail_events(connection: sa.Connection, admin_id: int, events: Collection[MailEvent]) -> None:
    """Choose the events that the admin gets an e-mail for."""
    values = {f"mail_{event}": event in events for event in MailEvent}
    connection.execute(admins.update().where(admins.c.id == admin_id).values(values))


def rehash(connection: sa.Connection, admin: Admin, password_hash: str) -> None:
    """Replace the hash of the same password; do nothing if the password has been changed meanwhile."""
    same = (admins.c.id == admin.id) & (admins.c.password_hash == admin.password_hash)
    connection.execute(admins.update().where(same).values(password_hash=password_hash))


def remove(connection: sa.Connection, admin_id: int, heir_id: int | None = None) -> None:
    """Delete an admin and, with it, its sessions. Its tokens go to the admin `heir_id`, or are revoked (R35).

    `GoneError` if one of the two does not exist any more.
    """
    # Locked first: a token that is being created with this account is waited for, and is one of its tokens then.
    ids = sorted({admin_id, *(() if heir_id is None else (heir_id,))})
    locked = sa.select(admins.c.id).where(admins.c.id.in_(ids)).order_by(admins.c.id).with_for_update()
    if len(connection.execute(locked).all()) < len(ids):
        raise GoneError
    if heir_id is None:
        tokens.revoke_of_admin(connection, admin_id)
    else:
        tokens.hand_over(connection, admin_id, heir_id)
    connection.execute(admins.delete().where(admins.c.id == admin_id))


def heirs(connection: sa.Connection, person: sa.Row[Any]) -> list[sa.Row[Any]]:
    """Return the other people of the same tenant with the role admin, by e-mail address: who may get its tokens."""
    is_heir = (admins.c.tenant_id == person.tenant_id) & (admins.c.role == Role.ADMIN) & (admins.c.id != person.id)
    return list(connection.execute(_select().where(is_heir).order_by(admins.c.email)))


def _password(password_hash: str, *, is_one_time: bool) -> dict[str, Any]:
    until = in_seconds(get_settings().one_time_password_hours * 3600) if is_one_time else None
    return {"password_hash": password_hash, "one_time_until": until}


def _is_expired() -> sa.Label[bool]:
    return sa.func.coalesce(admins.c.one_time_until <= sa.func.now(), sa.false()).label("is_expired")


def _select() -> sa.Select[Any]:
    shown = ("id", "public_id", "email", "role", "one_time_until", "created_at", "signed_in_at")
    tenant = (tenants.c[name].label(f"tenant_{name}") for name in ("id", "public_id", "name", "kind"))
    return sa.select(*(admins.c[name] for name in shown), _is_expired(), *tenant).join(
        tenants, tenants.c.id == admins.c.tenant_id
    )
