"""THE place that scopes by tree: queries for tenants, carriers, tokens, numbers and jobs are limited from here (R3).

An admin sees its own tenant and those below. What is outside is not refused but absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import admins, carriers, jobs, phone_numbers, tenants, tokens, users
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
    """A row of `select_tenants` as the rules see it."""
    return Tenant(row.id, row.public_id, TenantKind(row.kind), row.name, tuple(row.path), row.allow_external_numbers)


def select_tenants() -> sa.Select[Any]:
    """Every tenant there is: for the code that acts for nobody. Doors use `below`."""
    return sa.select(*_TENANT_COLUMNS)


def below(actor: Tenant) -> sa.ColumnElement[bool]:
    """Tenants that the actor sees: itself and those below it."""
    return tenants.c.path.contains([actor.id])


def ids_below(actor: Tenant) -> sa.Select[tuple[int]]:
    """Ids of the tenants that the actor sees."""
    return sa.select(tenants.c.id).where(below(actor))


def numbers_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Numbers that the actor sees. The holder is always at or below the uploader, so the holder alone decides."""
    return sa.true() if actor.kind is TenantKind.MASTER_RESELLER else phone_numbers.c.holder_id.in_(ids_below(actor))


def jobs_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Jobs that the actor sees."""
    return jobs.c.tenant_id.in_(ids_below(actor))


def carriers_for(actor: Tenant) -> sa.ColumnElement[bool]:
    """Carriers that the actor may use: those defined at its own level or above (R7)."""
    return carriers.c.tenant_id.in_(actor.path)


def carriers_seen(actor: Tenant) -> sa.ColumnElement[bool]:
    """Carriers that the actor sees: those that it may use, and those defined below it (R3, R7)."""
    return carriers_for(actor) | carriers.c.tenant_id.in_(ids_below(actor))


def tokens_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Tokens that the actor sees: its own tenant's and those of the tenants below it."""
    return tokens.c.tenant_id.in_(ids_below(actor))


def admins_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Admins that the actor sees: its own tenant's and those of the tenants below it."""
    return admins.c.tenant_id.in_(ids_below(actor))


def has_public_id(table: sa.FromClause, public_id: str) -> sa.ColumnElement[bool]:
    """What is no UUID, in the form that is handed out, is merely not found."""
    if _UUID.fullmatch(public_id):
        return table.c.public_id == public_id
    # False; but asked of the database, which refuses what is no text (NUL) as it does everywhere else.
    return sa.literal(public_id, sa.Text).is_(None)


def after(table: sa.FromClause, seen: sa.ColumnElement[bool], cursor: str) -> sa.ColumnElement[bool]:
    """Rows made after the one whose public id is `cursor`; none if the actor does not see that one (R3)."""
    last = sa.select(table.c.id).where(seen, has_public_id(table, cursor)).correlate(None)
    after_it: sa.ColumnElement[bool] = table.c.id > last.scalar_subquery()
    return after_it


def tenant_by_id(connection: sa.Connection, tenant_id: int) -> Tenant:
    """Any tenant by its inner id. `LookupError` if it is not there."""
    row = connection.execute(select_tenants().where(tenants.c.id == tenant_id)).one_or_none()
    if row is None:
        raise LookupError(f"tenant {tenant_id}")
    return tenant_of(row)


def tenants_below(connection: sa.Connection, actor: Tenant) -> dict[int, Tenant]:
    """The tenants that the actor sees, by inner id."""
    return {row.id: tenant_of(row) for row in connection.execute(select_tenants().where(below(actor)))}


def tenants_by_id(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Tenant]:
    """Some tenants by inner id, wherever they stand: for the rules to judge, never to be shown."""
    return {row.id: tenant_of(row) for row in connection.execute(select_tenants().where(tenants.c.id.in_(ids)))}


def tenant_below(connection: sa.Connection, actor: Tenant, public_id: str) -> Tenant | None:
    """A tenant that the actor sees, or None: one elsewhere and one that does not exist are the same (R3)."""
    query = select_tenants().where(below(actor), has_public_id(tenants, public_id))
    row = connection.execute(query).one_or_none()
    return None if row is None else tenant_of(row)


def carriers_of(connection: sa.Connection, actor: Tenant, service: str) -> list[tuple[str, int]]:
    """The carriers of a service ("voice" or "sms") that the actor may use: (name, id)."""
    query = sa.select(carriers.c.name, carriers.c.id).where(carriers_for(actor), carriers.c.service == service)
    return [(row.name, row.id) for row in connection.execute(query)]


def default_carriers(connection: sa.Connection, ids: Sequence[int]) -> Mapping[int, tuple[int, int]]:
    """The defaults that hold for tenants: id -> (voice, sms), 0 where none holds.

    A tenant that names none has its parent's (R7); the answer also names everyone above.
    """
    chosen = tenants.alias()
    line = sa.select(sa.func.unnest(chosen.c.path)).where(chosen.c.id.in_(ids))
    query = sa.select(
        tenants.c.id, tenants.c.path, tenants.c.default_voice_carrier_id, tenants.c.default_sms_carrier_id
    ).where(tenants.c.id.in_(line))
    holds: dict[int, tuple[int, int]] = {}
    for row in sorted(connection.execute(query), key=lambda row: len(row.path)):
        voice, sms = holds.get(row.path[-2], (0, 0)) if len(row.path) > 1 else (0, 0)
        holds[row.id] = (row.default_voice_carrier_id or voice, row.default_sms_carrier_id or sms)
    return holds


def carrier_owners(connection: sa.Connection, ids: Sequence[int]) -> dict[int, int]:
    """Who defined some carriers, wherever they stand: carrier -> tenant. For the rules to judge, never to be shown."""
    query = sa.select(carriers.c.id, carriers.c.tenant_id).where(carriers.c.id.in_(ids))
    return {row.id: row.tenant_id for row in connection.execute(query)}


def carrier_names(connection: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    """The names of some carriers that the caller has found through numbers it sees."""
    query = sa.select(carriers.c.id, carriers.c.name).where(carriers.c.id.in_(ids))
    return {row.id: row.name for row in connection.execute(query)}


def users_of(actor: Tenant) -> sa.ColumnElement[bool]:
    """Users that the actor sees: those of its own tenant and of the tenants below it."""
    return users.c.tenant_id.in_(ids_below(actor))


def user_names(connection: sa.Connection, actor: Tenant) -> list[tuple[str, int]]:
    """What the users that the actor sees are called in a spreadsheet: (e-mail address or public id, id)."""
    found = connection.execute(sa.select(users.c.id, users.c.email, users.c.public_id).where(users_of(actor))).all()
    return [(row.email, row.id) for row in found] + [(row.public_id, row.id) for row in found]


def user_below(connection: sa.Connection, actor: Tenant, public_id: str) -> User | None:
    """A user that the actor sees, or None: one elsewhere and one that does not exist are the same (R3)."""
    query = sa.select(users.c.id).where(users_of(actor), has_public_id(users, public_id))
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else users_by_id(connection, [found])[found]


def users_by_id(connection: sa.Connection, ids: Sequence[int]) -> dict[int, User]:
    """Some users by inner id, wherever they are: for the rules to judge, never to be shown."""
    if not ids:
        return {}
    found = connection.execute(sa.select(users).where(users.c.id.in_(ids))).all()
    homes = tenants_by_id(connection, sorted({row.tenant_id for row in found}))
    return {row.id: User(row.id, homes[row.tenant_id], UserKind(row.kind), row.sms_enabled) for row in found}


def names_of_users(connection: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    """The names of some users that the caller has found through numbers it sees."""
    query = sa.select(users.c.id, users.c.name).where(users.c.id.in_(ids))
    return {row.id: row.name for row in connection.execute(query)}
