"""First access: create the Master Reseller of an empty database with a token, and accounts or new passwords for it.

Only for operators with access to the database; no API leads here. Never creates a second root (R1).
"""

from __future__ import annotations

import sqlalchemy as sa
from psycopg.errors import UniqueViolation
from sqlalchemy.exc import IntegrityError

from schemas.database.tables import tenants
from schemas.permissions import Tenant, TenantKind
from schemas.roles import Role
from worker.accounts import admins, login_throttle, passwords, tokens
from worker.accounts import tenants as tenant_rows
from worker.accounts.tokens import Issued
from worker.database import tenant_scope


class RootExistsError(Exception):
    """There is a Master Reseller already."""


def has_tables(connection: sa.Connection) -> bool:
    """Return whether the database was ever migrated."""
    return sa.inspect(connection).has_table(tenants.name)


def create_master_reseller(connection: sa.Connection, name: str, token_name: str) -> tuple[Tenant, Issued]:
    """Create the Master Reseller and its first token. `RootExistsError` if there is one, even a concurrent one."""
    if root(connection) is not None:
        raise RootExistsError
    try:
        owner = tenant_rows.create(connection, None, TenantKind.MASTER_RESELLER, name, allow_external_numbers=False)
    except IntegrityError as error:
        if isinstance(error.orig, UniqueViolation):
            raise RootExistsError from error
        raise
    return owner, tokens.create(connection, owner.id, token_name)


def create_admin(connection: sa.Connection, email: str, password: str) -> bool:
    """Create an account of the Master Reseller for a folded e-mail address, or set a new password for an existing one.

    Either has the role admin (R35). The password must be changed at the first sign-in. Return False if there is no
    Master Reseller, or if the account belongs to another tenant.
    """
    owner = root(connection)
    if owner is None:
        return False
    hashed = passwords.hashed(password)
    if admins.add(connection, owner.id, email, hashed, is_one_time=True):
        return True
    existing_admin = admins.by_email(connection, email)
    if existing_admin is None or existing_admin.tenant_id != owner.id:
        return False
    admins.set_password(connection, existing_admin.id, hashed, is_one_time=True)
    admins.set_role(connection, existing_admin.id, Role.ADMIN)
    login_throttle.forgive(connection, email)  # unlock the account
    return True


def root(connection: sa.Connection) -> Tenant | None:
    """Return the Master Reseller, or None if there is none."""
    row = connection.execute(tenant_scope.select_tenants().where(tenants.c.parent_id.is_(None))).one_or_none()
    return None if row is None else tenant_scope.tenant_of(row)
