"""Admin accounts: list, create and remove admins of the actor's tenant and of those below it (R1, R3).

A password generated here is a one-time password: the response shows it, only its hash is stored, and it must be changed
at the first sign-in, before it expires.
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

_TAKEN = "This e-mail address can't be used."
_NOBODY = "Person not found."


@dataclass(frozen=True)
class IssuedPassword:
    """A one-time password: for which account, and for how many seconds it is valid. It is shown only once."""

    email: str
    password: str
    tenant: Tenant
    seconds: float


def page(cursor: str | None, limit: int) -> list[sa.Row[Any]]:
    """Return up to `limit` admins with their tenants (`admins.page`), oldest first, created after admin `cursor`."""
    with transaction() as connection:
        return admins.page(connection, auth.actor(), cursor, limit)


def get(admin_id: str) -> sa.Row[Any]:
    """Return the admin with this public id."""
    with transaction() as connection:
        return _find(connection, admin_id)


def create(body: NewAdmin) -> IssuedPassword:
    """Create an admin with a one-time password."""
    email, password = admins.folded(body.email), passwords.made_up()
    hashed = _hash(password)
    with transaction() as connection:
        tenant = _tenant(connection, body.tenant_id)
        tenants.hold(connection, tenant)
        if not admins.add(connection, tenant.id, email, hashed, is_one_time=True):
            # Whether the account is here or elsewhere is not revealed (R3).
            raise refuse(RequestCode.NAME_TAKEN, _TAKEN, fix="Use another address.", field="email")
    return _issued(email, password, tenant)


def new_password(admin_id: str) -> IssuedPassword:
    """Issue a new one-time password for a lost one. Ends the admin's sessions and a lockout."""
    password = passwords.made_up()
    hashed = _hash(password)
    with transaction() as connection:
        person = _find(connection, admin_id)
        if _is_oneself(person):
            raise refuse(
                RequestCode.FORBIDDEN,
                "You can't reset your own password here.",
                fix="Change it under Account and password.",
            )
        tenant = tenant_scope.tenant_by_id(connection, person.tenant_id)
        admins.set_password(connection, person.id, hashed, is_one_time=True)
        login_throttle.succeeded(connection, person.email)
    return _issued(person.email, password, tenant)


def delete(admin_id: str) -> str:
    """Remove an admin and end all their sessions; return the e-mail address."""
    with transaction() as connection:
        person = _find(connection, admin_id)
        if _is_oneself(person):
            raise refuse(RequestCode.FORBIDDEN, "You can't remove yourself.", fix="Ask another admin to do it.")
        admins.remove(connection, person.id)
    return str(person.email)


def _issued(email: str, password: str, tenant: Tenant) -> IssuedPassword:
    return IssuedPassword(email, password, tenant, get_settings().one_time_password_hours * 3600)


def _is_oneself(person: sa.Row[Any]) -> bool:
    """Return whether this admin is the actor. Actors bear e-mail addresses, which are unique on the platform."""
    return bool(person.email == auth.actor().name)


def _hash(password: str) -> str:
    try:
        with PASSWORDS.held():
            return passwords.hashed(password)
    except passwords.BusyError as error:
        raise refuse(RequestCode.UNAVAILABLE) from error


def _tenant(connection: sa.Connection, public_id: str | None) -> Tenant:
    actor = auth.actor().tenant
    tenant = actor if public_id is None else tenant_scope.tenant_below(connection, actor, public_id)
    if tenant is None or permissions.check_tenant(actor, tenant) is not None:
        raise refuse(RequestCode.INVALID_FIELD, "Choose one from the list.", fix="", field="tenant_id")
    return tenant


def _find(connection: sa.Connection, public_id: str) -> sa.Row[Any]:
    """Return an admin that the actor sees. Invisible and missing ones give the same 404 (R3)."""
    admin = admins.get(connection, auth.actor(), public_id)
    if admin is None:
        raise refuse(RequestCode.NOT_FOUND, _NOBODY)
    return admin
