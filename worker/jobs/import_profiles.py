"""Import profiles in the database: column mappings with options, saved by name for a tenant and those below it (R32).

No rules: callers check `schemas.permissions` first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.columns import comparison_key
from schemas.database.tables import import_profiles
from schemas.name_matching import fold
from schemas.permissions import Actor, Tenant
from worker.accounts import tenants
from worker.accounts.tenants import GoneError
from worker.database import tenant_scope

MOST_PER_TENANT = 200
MOST_APPLICABLE = 500
LARGEST = 64 * 1024  # bytes of a profile's mapping, options and column names together, as JSON


class NameTakenError(Exception):
    """The tenant has a profile with this name already."""


class TooManyError(Exception):
    """The tenant has as many profiles as it may have: `MOST_PER_TENANT`."""


class TooLargeError(Exception):
    """The mapping, options and column names are larger than `LARGEST`."""


@dataclass(frozen=True)
class Profile:
    """A profile. `mapping`: as `ColumnMapping.to_json` writes it. `options`: the set fields of `ProfileOptions`.

    `headers`: the column names of the file that it was made for, in order; empty if that file has none.
    """

    id: int
    public_id: str
    name: str
    tenant_id: int
    mapping: dict[str, Any]
    options: dict[str, Any]
    headers: tuple[str, ...]
    signature: bytes


@dataclass(frozen=True)
class ProfileView:
    """A profile and its tenant. `row` has all columns; not all of them are for tenants below (R3)."""

    row: sa.Row[Any]
    owner: Tenant


def signature(headers: Sequence[str]) -> bytes:
    """Return what files with the same column names in any order and spelling share: 32 bytes, or b"" without names.

    Columns without a name, and those that begin with "_" and are therefore ignored, do not count.
    """
    keys = sorted(comparison_key(header) for header in headers if not header.lstrip().startswith("_"))
    keys = [key for key in keys if key]
    return hashlib.sha256(json.dumps(keys).encode()).digest() if keys else b""


def applicable(connection: sa.Connection, tenant: Tenant) -> list[Profile]:
    """Return the profiles that a tenant may use, the nearest tenant's first, then by name: at most `MOST_APPLICABLE`.

    They are its own and those of the tenants above it (R32).
    """
    query = _select(tenant).limit(MOST_APPLICABLE)
    return [_profile(row) for row in connection.execute(query)]


def taken(profiles: Sequence[Profile], file_signature: bytes) -> Profile | tuple[Profile, ...] | None:
    """Return the profile to take without being asked, from those that `applicable` returned: the nearest tenant's.

    Where that tenant has several for such a file, return them all (two or more): the admin is asked. None if there is
    none, and for a file without column names: one such file looks like any other (R32).
    """
    alike = [profile for profile in profiles if profile.signature == file_signature] if file_signature else []
    nearest = tuple(profile for profile in alike if profile.tenant_id == alike[0].tenant_id)
    return nearest if len(nearest) > 1 else next(iter(nearest), None)


def find(connection: sa.Connection, tenant: Tenant, name_or_id: str) -> Profile | None:
    """Return the profile with this public id or, if there is none, name (R12); the nearest tenant's first.

    None if it does not exist or the tenant may not use it (R3).
    """
    by_id = _select(tenant).where(tenant_scope.has_public_id(import_profiles, name_or_id))
    row = connection.execute(by_id).one_or_none()
    if row is None:
        named = [id_ for id_, name in choices(connection, tenant) if fold(name) == fold(name_or_id)]
        by_name = _select(tenant).where(import_profiles.c.public_id.in_(named))
        row = connection.execute(by_name).one_or_none()
    return None if row is None else _profile(row)


def choices(connection: sa.Connection, tenant: Tenant) -> list[tuple[str, str]]:
    """Return the public id and name of the profiles that `find` finds by name, in the order of `applicable`.

    If a nearer tenant has a profile with the same name, the other one is not among them.
    """
    columns = (import_profiles.c.public_id, import_profiles.c.name)
    rows = connection.execute(_select(tenant).with_only_columns(*columns).limit(MOST_APPLICABLE)).all()
    nearest = {fold(row.name): (row.public_id, row.name) for row in reversed(rows)}
    return [(row.public_id, row.name) for row in rows if nearest[fold(row.name)][0] == row.public_id]


def page(connection: sa.Connection, actor: Actor, cursor: str | None, limit: int) -> list[ProfileView]:
    """Return up to `limit` profiles that the actor may use, oldest first, created after the public id `cursor`."""
    visible = tenant_scope.import_profiles_for(actor.tenant)
    query = sa.select(import_profiles).where(visible).order_by(import_profiles.c.id).limit(limit)
    if cursor is not None:
        query = query.where(tenant_scope.after(connection, import_profiles, visible, cursor))
    return _views(connection, connection.execute(query).all())


def get(connection: sa.Connection, actor: Actor, public_id: str) -> ProfileView | None:
    """Return a profile, or None if the actor may use none with this id."""
    query = _select(actor.tenant).where(tenant_scope.has_public_id(import_profiles, public_id))
    return next(iter(_views(connection, connection.execute(query).all())), None)


def save(  # noqa: PLR0913, PLR0917 - the parts of a profile
    connection: sa.Connection,
    tenant_id: int,
    name: str,
    mapping: Mapping[str, Any],
    options: Mapping[str, Any],
    headers: Sequence[str],
    created_by: str,
) -> str:
    """Create a profile of a tenant, which is locked until the transaction ends; return the profile's public id.

    Raises `NameTakenError`, `TooManyError` and `TooLargeError`; `GoneError` if the tenant does not exist any more.
    """
    values: dict[str, Any] = {"mapping": dict(mapping), "options": dict(options), "headers": list(headers)}
    _check_size(values)
    taken_names = _names_of(connection, tenant_id)
    if fold(name) in taken_names.values():
        raise NameTakenError(name)
    if len(taken_names) >= MOST_PER_TENANT:
        raise TooManyError(name)
    values |= {"tenant_id": tenant_id, "name": name, "signature": signature(headers), "created_by": created_by}
    insertion = import_profiles.insert().values(values).returning(import_profiles.c.public_id)
    public_id: str = connection.execute(insertion).scalar_one()
    return public_id


def change(connection: sa.Connection, profile_id: int, changes: Mapping[str, Any]) -> None:
    """Set any of `name`, `mapping`, `options` and `headers`, as for `save`, of a profile; its tenant is locked.

    Raises `NameTakenError` and `TooLargeError`; `GoneError` if the profile does not exist any more.
    """
    query = sa.select(import_profiles).where(import_profiles.c.id == profile_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise GoneError
    taken_names = _names_of(connection, row.tenant_id)
    current = connection.execute(query).mappings().one_or_none()  # it may have changed before the lock
    if current is None:
        raise GoneError
    taken_names.pop(profile_id)
    if "name" in changes and fold(changes["name"]) in taken_names.values():
        raise NameTakenError(changes["name"])
    values = dict(changes)
    _check_size({**current, **values})
    if "headers" in values:
        values |= {"headers": list(values["headers"]), "signature": signature(values["headers"])}
    update = import_profiles.update().where(import_profiles.c.id == profile_id)
    connection.execute(update.values(**values, updated_at=sa.func.now()))


def delete(connection: sa.Connection, profile_id: int) -> None:
    """Delete a profile. Jobs that were read with it keep the mapping that they took from it."""
    connection.execute(import_profiles.delete().where(import_profiles.c.id == profile_id))


def mark_used(connection: sa.Connection, profile_id: int) -> None:
    """Note that a file is read with a profile. Never waits: jobs that use the same profile do not delay each other."""
    free = sa.select(import_profiles.c.id).where(import_profiles.c.id == profile_id)
    free = free.with_for_update(skip_locked=True, key_share=True)
    # The transaction that holds the lock notes the same, or changes or deletes the profile.
    used = import_profiles.update().where(import_profiles.c.id == free.scalar_subquery())
    connection.execute(used.values(last_used_at=sa.func.now()))


def _select(tenant: Tenant) -> sa.Select[Any]:
    """Return the query for the profiles that a tenant may use, the nearest tenant's first, then by name."""
    # Counted from the root, which is first in the path.
    depth = sa.case({id_: level for level, id_ in enumerate(tenant.path)}, value=import_profiles.c.tenant_id)
    return (
        sa.select(import_profiles)
        .where(tenant_scope.import_profiles_for(tenant))
        .order_by(depth.desc(), sa.func.lower(import_profiles.c.name), import_profiles.c.id)
    )


def _profile(row: sa.Row[Any]) -> Profile:
    return Profile(
        id=row.id,
        public_id=row.public_id,
        name=row.name,
        tenant_id=row.tenant_id,
        mapping=row.mapping,
        options=row.options,
        headers=tuple(row.headers),
        signature=row.signature,
    )


def _views(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[ProfileView]:
    owners = tenant_scope.tenants_by_id(connection, sorted({row.tenant_id for row in rows}))
    return [ProfileView(row, owners[row.tenant_id]) for row in rows]


def _names_of(connection: sa.Connection, tenant_id: int) -> dict[int, str]:
    """Lock a tenant's profiles against additions and changes, and return their folded names by id."""
    try:
        tenants.hold(connection, tenant_scope.tenant_by_id(connection, tenant_id))
    except LookupError as error:
        raise GoneError from error
    query = sa.select(import_profiles.c.id, import_profiles.c.name).where(import_profiles.c.tenant_id == tenant_id)
    return {row.id: fold(row.name) for row in connection.execute(query)}


def _check_size(values: Mapping[str, Any]) -> None:
    stored = {name: values[name] for name in ("mapping", "options", "headers")}
    if len(json.dumps(stored, ensure_ascii=False).encode(errors="replace")) > LARGEST:
        raise TooLargeError
