"""People who can sign in: admins of the own tenant and of those below are listed, added and removed (R1, R3).

A password made here is a one-time one: it is told by the answer, kept as a hash alone, and to be changed first thing,
before it expires.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas import permissions
from schemas.http.admins import NewAdmin
from schemas.permissions import Tenant
from schemas.request_problems import RequestCode
from webhook.http import auth
from webhook.http.concurrency_limits import PASSWORDS
from webhook.http.errors import refuse
from worker.accounts import admins, login_throttle, passwords, tenants
from worker.config.settings import get_settings
from worker.database import tenant_scope
from worker.database.engine import transaction

_TAKEN = "This e-mail address cannot be used."
_NOBODY = "There is no such person."


@dataclass(frozen=True)
class IssuedPassword:
    """Who can sign in with what, and for how many seconds; the only time the password is told."""

    email: str
    password: str
    tenant: Tenant
    seconds: float


def page(cursor: str | None, limit: int) -> list[sa.Row[Any]]:
    """Up to `limit` admins with their tenants (`admins.page`), oldest first, made after the one named by `cursor`."""
    with transaction() as connection:
        return admins.page(connection, auth.actor(), cursor, limit)


def one(admin_id: str) -> sa.Row[Any]:
    """The admin of this public id."""
    with transaction() as connection:
        return _find(connection, admin_id)


def create(body: NewAdmin) -> IssuedPassword:
    """Let somebody sign in."""
    email, password = admins.folded(body.email), passwords.made_up()
    hashed = _hash(password)
    with transaction() as connection:
        tenant = _tenant(connection, body.tenant_id)
        tenants.hold(connection, tenant)
        if not admins.add(connection, tenant.id, email, hashed, is_one_time=True):
            # Whether the account is here or elsewhere is not told (R3).
            raise refuse(RequestCode.NAME_TAKEN, _TAKEN, fix="Use another one.", field="email")
    return _issued(email, password, tenant)


def new_password(admin_id: str) -> IssuedPassword:
    """Another password for who has lost it, who is signed out everywhere and no longer locked out."""
    password = passwords.made_up()
    hashed = _hash(password)
    with transaction() as connection:
        person = _find(connection, admin_id)
        if _is_oneself(person):
            raise refuse(RequestCode.FORBIDDEN, "Your own password is changed under Account.", fix="Go there.")
        tenant = tenant_scope.tenant_by_id(connection, person.tenant_id)
        admins.set_password(connection, person.id, hashed, is_one_time=True)
        login_throttle.succeeded(connection, person.email)
    return _issued(person.email, password, tenant)


def delete(admin_id: str) -> str:
    """Remove an admin, who is signed out everywhere; the e-mail address of the one that was removed."""
    with transaction() as connection:
        person = _find(connection, admin_id)
        if _is_oneself(person):
            raise refuse(RequestCode.FORBIDDEN, "You cannot remove yourself.", fix="Have another admin do it.")
        admins.remove(connection, person.id)
    return str(person.email)


def _issued(email: str, password: str, tenant: Tenant) -> IssuedPassword:
    return IssuedPassword(email, password, tenant, get_settings().one_time_password_hours * 3600)


def _is_oneself(person: sa.Row[Any]) -> bool:
    """Admins act in the name of their e-mail address, of which there is one on the platform."""
    return bool(person.email == auth.actor().name)


def _hash(password: str) -> str:
    try:
        with PASSWORDS.held():
            return passwords.hashed(password)
    except passwords.BusyError as error:
        raise refuse(RequestCode.UNAVAILABLE) from error


def _tenant(connection: sa.Connection, public_id: str | None) -> Tenant:
    actor = auth.actor().tenant
    found = actor if public_id is None else tenant_scope.tenant_below(connection, actor, public_id)
    if found is None or permissions.check_tenant(actor, found) is not None:
        raise refuse(RequestCode.INVALID_FIELD, "Choose one of the list.", fix="", field="tenant_id")
    return found


def _find(connection: sa.Connection, public_id: str) -> sa.Row[Any]:
    """An admin that the caller sees; one elsewhere and one that does not exist are the same 404 (R3)."""
    found = admins.one(connection, auth.actor(), public_id)
    if found is None:
        raise refuse(RequestCode.NOT_FOUND, _NOBODY)
    return found
