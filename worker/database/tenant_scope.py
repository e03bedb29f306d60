"""The only module that limits queries to a tenant's tree: tenants, carriers, tokens, numbers and jobs (R3).

An admin sees its own tenant and those below. Everything else is not found, rather than forbidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.database.tables import (
    admins,
    carriers,
    import_profiles,
    jobs,
    number_counts,
    phone_numbers,
    tenants,
    tokens,
    users,
)
from schemas.permissions import Tenant, TenantKind, User, UserKind

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TENANT_COLUMNS = (
    tenants.c.id,
    tenants.c.public_id,
    tenants.c.kind,
    tenants.c.name,
    tenants.c.path,
    tenants.c.allow_external_numbers,
)


def tenant_of(row: sa.Row[Any]) -> Tenant:
    """Build a `Tenant` from a row of `select_tenants`."""
    return Tenant(row.id, row.public_id, TenantKind(row.kind), row.name, tuple(row.path), row.allow_external_numbers)


def select_tenants() -> sa.Select[Any]:
    """Return the query for all tenants: for code that acts for no tenant. Endpoints limit it with `below`."""
    return sa.select(*_TENANT_COLUMNS)


def below(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for tenants that the actor sees: itself and those below it."""
    return tenants.c.path.contains([actor.id])


def ids_below(actor: Tenant) -> sa.Select[tuple[int]]:
    """Return the query for the ids of the tenants that the actor sees."""
    return sa.select(tenants.c.id).where(below(actor))


def numbers_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for numbers that the actor sees, by holder: it is always at or below the uploader."""
    return sa.true() if actor.kind is TenantKind.MASTER_RESELLER else phone_numbers.c.holder_id.in_(ids_below(actor))


def counts_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for counts of the numbers of tenants that the actor sees."""
    is_master = actor.kind is TenantKind.MASTER_RESELLER
    return sa.true() if is_master else number_counts.c.tenant_id.in_(ids_below(actor))


def jobs_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for jobs that the actor sees."""
    return jobs.c.tenant_id.in_(ids_below(actor))


def carriers_for(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for carriers that the actor may use: those defined at its own level or above (R7)."""
    return carriers.c.tenant_id.in_(actor.path)


def carriers_seen(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for carriers that the actor sees: those it may use, and those defined below (R3, R7)."""
    if actor.kind is TenantKind.MASTER_RESELLER:
        return sa.true()
    return carriers_for(actor) | carriers.c.tenant_id.in_(ids_below(actor))


def import_profiles_for(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for import profiles that the actor may use: its own and those of the tenants above (R32)."""
    return import_profiles.c.tenant_id.in_(actor.path)


def tokens_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for tokens that the actor sees: its own tenant's and those of the tenants below it."""
    return tokens.c.tenant_id.in_(ids_below(actor))


def token_makers_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for tokens whose maker the actor sees: one of its own tenant or of a tenant below (R35)."""
    return tokens.c.created_by_tenant_id.in_(ids_below(actor))


def admins_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for admins that the actor sees: its own tenant's and those of the tenants below it."""
    return admins.c.tenant_id.in_(ids_below(actor))


def has_public_id(table: sa.FromClause, public_id: str) -> sa.ColumnElement[bool]:
    """Return the condition for a public id. An id that is not a UUID in our format is not found."""
    if _UUID.fullmatch(public_id):
        return table.c.public_id == public_id
    # False, but evaluated by the database, which refuses invalid text (NUL) as everywhere else.
    return sa.literal(public_id, sa.Text).is_(None)


class UnknownCursorError(Exception):
    """A page was requested after a row that does not exist, or that the actor does not see (R3)."""


def after(
    connection: sa.Connection, table: sa.FromClause, visible: sa.ColumnElement[bool], cursor: str
) -> sa.ColumnElement[bool]:
    """Return the condition for rows after the visible one with public id `cursor`. `UnknownCursorError` (R3)."""
    last = connection.execute(sa.select(table.c.id).where(visible, has_public_id(table, cursor))).scalar_one_or_none()
    if last is None:
        raise UnknownCursorError(cursor)
    after_it: sa.ColumnElement[bool] = table.c.id > last
    return after_it


def tenant_by_id(connection: sa.Connection, tenant_id: int) -> Tenant:
    """Return any tenant by its database id. `LookupError` if there is none."""
    row = connection.execute(select_tenants().where(tenants.c.id == tenant_id)).one_or_none()
    if row is None:
        raise LookupError(f"tenant {tenant_id}")
    return tenant_of(row)


def is_uploader_seen(connection: sa.Connection, actor: Tenant, public_id: str) -> bool:
    """Return whether numbers that the actor sees may be uploaded by the tenant: one of its tree, or above it."""
    query = sa.select(tenants.c.id).where(
        below(actor) | tenants.c.id.in_(actor.path), has_public_id(tenants, public_id)
    )
    return connection.execute(query).first() is not None


def tenants_below(connection: sa.Connection, actor: Tenant) -> dict[int, Tenant]:
    """Return the tenants that the actor sees, by database id."""
    return {row.id: tenant_of(row) for row in connection.execute(select_tenants().where(below(actor)))}


def tenants_by_id(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Tenant]:
    """Return tenants by database id, outside the actor's tree, too: for permission rules, not for display."""
    return {row.id: tenant_of(row) for row in connection.execute(select_tenants().where(tenants.c.id.in_(ids)))}


def tenant_below(connection: sa.Connection, actor: Tenant, public_id: str) -> Tenant | None:
    """Return a tenant that the actor sees; None for one elsewhere as for one that does not exist (R3)."""
    query = select_tenants().where(below(actor), has_public_id(tenants, public_id))
    row = connection.execute(query).one_or_none()
    return None if row is None else tenant_of(row)


def carriers_of(connection: sa.Connection, actor: Tenant, service: str) -> list[tuple[str, int]]:
    """Return the carriers of a service ("voice" or "sms") that the actor may use: (name, id)."""
    query = sa.select(carriers.c.name, carriers.c.id).where(carriers_for(actor), carriers.c.service == service)
    return [(row.name, row.id) for row in connection.execute(query)]


def carriers_by_service(connection: sa.Connection, actor: Tenant) -> dict[str, list[tuple[str, int]]]:
    """Return the carriers that the actor may use, by service ("voice" and "sms"): (name, id)."""
    query = sa.select(carriers.c.service, carriers.c.name, carriers.c.id).where(carriers_for(actor))
    found: dict[str, list[tuple[str, int]]] = {"voice": [], "sms": []}
    for row in connection.execute(query):
        found[row.service].append((row.name, row.id))
    return found


def default_carriers(connection: sa.Connection, ids: Sequence[int]) -> Mapping[int, tuple[int, int]]:
    """Return the effective default carriers of tenants: tenant id -> (voice, sms), 0 for none.

    A tenant without its own default inherits its parent's (R7); the result also contains all ancestors.
    """
    chosen_tenants = tenants.alias()
    line = sa.select(sa.func.unnest(chosen_tenants.c.path)).where(chosen_tenants.c.id.in_(ids))
    query = sa.select(
        tenants.c.id, tenants.c.path, tenants.c.default_voice_carrier_id, tenants.c.default_sms_carrier_id
    ).where(tenants.c.id.in_(line))
    holds: dict[int, tuple[int, int]] = {}
    for row in sorted(connection.execute(query), key=lambda row: len(row.path)):
        voice, sms = holds.get(row.path[-2], (0, 0)) if len(row.path) > 1 else (0, 0)
        holds[row.id] = (row.default_voice_carrier_id or voice, row.default_sms_carrier_id or sms)
    return holds


def carrier_owners(connection: sa.Connection, ids: Sequence[int]) -> dict[int, int]:
    """Return which tenants defined some carriers, in any tree: carrier -> tenant. For permission rules only."""
    if not ids:
        return {}
    query = sa.select(carriers.c.id, carriers.c.tenant_id).where(carriers.c.id.in_(ids))
    return {row.id: row.tenant_id for row in connection.execute(query)}


def carrier_names(connection: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return the names of carriers, whose ids the caller has from numbers that the actor sees."""
    query = sa.select(carriers.c.id, carriers.c.name).where(carriers.c.id.in_(ids))
    return {row.id: row.name for row in connection.execute(query)}


def carriers_by_id(connection: sa.Connection, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return service and name of carriers, whose ids the caller has from numbers that the actor sees."""
    query = sa.select(carriers.c.id, carriers.c.service, carriers.c.name).where(carriers.c.id == _any_of(ids))
    return {row.id: (row.service, row.name) for row in connection.execute(query)}


def users_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Return the condition for users that the actor sees: those of its own tenant and of the tenants below it."""
    return sa.true() if actor.kind is TenantKind.MASTER_RESELLER else users.c.tenant_id.in_(ids_below(actor))


def user_names(connection: sa.Connection, actor: Tenant) -> list[tuple[str, int]]:
    """Return the spreadsheet names of the users that the actor sees: (e-mail address or public id, id)."""
    rows = connection.execute(sa.select(users.c.id, users.c.email, users.c.public_id).where(users_of(actor))).all()
    return [(row.email, row.id) for row in rows] + [(row.public_id, row.id) for row in rows]


def user_below(connection: sa.Connection, actor: Tenant, public_id: str) -> User | None:
    """Return a user that the actor sees; None for one elsewhere as for one that does not exist (R3)."""
    query = sa.select(users.c.id).where(users_of(actor), has_public_id(users, public_id))
    user_id = connection.execute(query).scalar_one_or_none()
    return None if user_id is None else users_by_id(connection, [user_id])[user_id]


def users_by_id(connection: sa.Connection, ids: Sequence[int]) -> dict[int, User]:
    """Return users by database id, outside the actor's tree, too: for permission rules, not for display."""
    if not ids:
        return {}
    rows = connection.execute(sa.select(users).where(users.c.id.in_(ids))).all()
    homes = tenants_by_id(connection, sorted({row.tenant_id for row in rows}))
    return {row.id: User(row.id, homes[row.tenant_id], UserKind(row.kind), row.sms_enabled) for row in rows}


def names_of_users(connection: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return the names of users, whose ids the caller has from numbers that the actor sees."""
    query = sa.select(users.c.id, users.c.name).where(users.c.id.in_(ids))
    return {row.id: row.name for row in connection.execute(query)}


class UserColumns(NamedTuple):
    """What others see of some users, a list for each column."""

    ids: list[int]
    public_ids: list[str]
    names: list[str]
    emails: list[str]
    kinds: list[str]


def user_columns(connection: sa.Connection, ids: Iterable[int]) -> UserColumns:
    """Return users, in any order, whose ids the caller has from numbers that the actor sees.

    As arrays: there can be thousands, and rows would take longer than the query.
    """
    user = users.c
    shown = (user.id, sa.cast(user.public_id, sa.Text), user.name, user.email, user.kind)
    query = sa.select(*map(sa.func.array_agg, shown)).where(user.id == _any_of(ids))
    return UserColumns(*(column or [] for column in connection.execute(query).one()))


def _any_of(ids: Iterable[int]) -> sa.ColumnElement[Any]:
    """Return any of these ids, as one parameter: there can be thousands."""
    return sa.any_(sa.literal(list(ids), ARRAY(sa.Integer)))
