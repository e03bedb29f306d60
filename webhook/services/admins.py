"""Admin accounts: list, create and remove admins of the actor's tenant and of those below it (R1, R3).

A password generated here is a one-time password: the response shows it, only its hash is stored, and it must be changed
at the first sign-in, before it expires.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas import permissions
from schemas.http.admins import AdminChange, AdminRemoval, NewAdmin
from schemas.permissions import Tenant
from schemas.request_problems import RequestCode
from schemas.roles import Role
from webhook.http import auth
from webhook.http.concurrency_limits import PASSWORDS
from webhook.http.errors import refuse, stop_if
from worker.accounts import admins, login_throttle, passwords, tenants, tokens
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


@dataclass(frozen=True)
class Removal:
    """A person to remove, how many tokens would be revoked, and the admins (public id, address) who could get them."""

    person: sa.Row[Any]
    tokens: int
    heirs: list[tuple[str, str]]


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
        if not admins.add(connection, tenant.id, email, hashed, Role(body.role), is_one_time=True):
            # Whether the account is here or elsewhere is not revealed (R3).
            raise refuse(RequestCode.NAME_TAKEN, _TAKEN, fix="Use another address.", field="email")
    return _issued(email, password, tenant)


def new_password(admin_id: str) -> IssuedPassword:
    """Issue a new one-time password for a lost one. Ends the admin's sessions and a lockout."""
    password = passwords.made_up()
    hashed = _hash(password)
    with transaction() as connection:
        person = _find(connection, admin_id)
        if permissions.check_change_person(auth.actor(), person.id) is not None:
            raise refuse(
                RequestCode.FORBIDDEN,
                "You can't reset your own password here.",
                fix="Change it under Account and password.",
            )
        tenant = tenant_scope.tenant_by_id(connection, person.tenant_id)
        admins.set_password(connection, person.id, hashed, is_one_time=True)
        login_throttle.forgive(connection, person.email)
    return _issued(person.email, password, tenant)


def change_role(admin_id: str, body: AdminChange) -> str:
    """Change the role of an admin, and with it what their tokens may do (R35); return the e-mail address."""
    with transaction() as connection:
        person = _find(connection, admin_id)
        _stop_if_oneself(person, "You can't change your own role.")
        admins.set_role(connection, person.id, Role(body.role))
    return str(person.email)


def delete(admin_id: str, body: AdminRemoval) -> str:
    """Remove an admin and end all their sessions; return the e-mail address.

    Their tokens, and those created with them, are revoked unless they are handed over (R35).
    """
    with transaction() as connection:
        person = _find(connection, admin_id)
        _stop_if_oneself(person, "You can't remove yourself.")
        admins.remove(connection, person.id, _heir(connection, person, body.hand_over_to))
    return str(person.email)


def removal_of(admin_id: str) -> Removal:
    """Return what removing an admin concerns: their tokens that still work, and who could get them."""
    with transaction() as connection:
        person = _find(connection, admin_id)
        heirs = [(row.public_id, row.email) for row in admins.heirs(connection, person)]
        return Removal(person, tokens.count_of_admin(connection, person.id), heirs)


def _heir(connection: sa.Connection, person: sa.Row[Any], public_id: str | None) -> int | None:
    """Return the id of the admin who gets the tokens of a person: another one of the same tenant."""
    if public_id is None:
        return None
    heir = admins.get(connection, auth.actor(), public_id)
    facts = None if heir is None or heir.id == person.id else heir
    if facts is None or permissions.check_heir(Role(facts.role), person.tenant_id, facts.tenant_id) is not None:
        detail = "Tokens can be handed over to another admin of the same company only."
        raise refuse(RequestCode.INVALID_FIELD, detail, fix="Choose one from the list.", field="hand_over_to")
    return int(facts.id)


def _stop_if_oneself(person: sa.Row[Any], detail: str) -> None:
    code = permissions.check_change_person(auth.actor(), person.id)
    stop_if(code, {RequestCode.FORBIDDEN: detail}, fix="Ask another admin to do it.")


def _issued(email: str, password: str, tenant: Tenant) -> IssuedPassword:
    return IssuedPassword(email, password, tenant, get_settings().one_time_password_hours * 3600)


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
