"""Saved searches in the database: each belongs to one person; a name is used once, whatever its case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database.tables import admins, saved_searches
from worker.database import tenant_scope

MOST = 50  # of a person


class TooManyError(Exception):
    """The person has `MOST` saved searches."""


@dataclass(frozen=True)
class SavedSearch:
    """A saved search: the filter as in the page's URL, perhaps of an earlier version."""

    public_id: str
    name: str
    filter: Mapping[str, str]


def of_admin(connection: sa.Connection, admin_id: int) -> list[SavedSearch]:
    """Return all saved searches of a person, by name."""
    query = _select(admin_id).order_by(sa.func.lower(saved_searches.c.name)).limit(MOST)
    return [SavedSearch(row.public_id, row.name, row.filter) for row in connection.execute(query)]


def get(connection: sa.Connection, admin_id: int, public_id: str) -> SavedSearch | None:
    """Return a saved search of a person; None for other people's as for one that does not exist."""
    query = _select(admin_id).where(tenant_scope.has_public_id(saved_searches, public_id))
    row = connection.execute(query).one_or_none()
    return None if row is None else SavedSearch(row.public_id, row.name, row.filter)


def add(connection: sa.Connection, admin_id: int, name: str, number_filter: Mapping[str, str]) -> bool:
    """Add a saved search; return False if the name is taken. Raises `TooManyError`."""
    # The lock makes concurrent requests of one person count one after the other.
    connection.execute(sa.select(admins.c.id).where(admins.c.id == admin_id).with_for_update(key_share=True))
    counted = sa.select(sa.func.count()).where(saved_searches.c.admin_id == admin_id)
    if connection.execute(counted).scalar_one() >= MOST:
        raise TooManyError
    values = {"admin_id": admin_id, "name": name, "filter": dict(number_filter)}
    insertion = insert(saved_searches).values(values).on_conflict_do_nothing().returning(saved_searches.c.id)
    return connection.execute(insertion).one_or_none() is not None


def rename(connection: sa.Connection, admin_id: int, public_id: str, name: str) -> bool:
    """Rename a saved search; return False if the name is taken."""
    own = saved_searches.c.admin_id == admin_id
    this = tenant_scope.has_public_id(saved_searches, public_id)
    same_name = sa.func.lower(saved_searches.c.name) == sa.func.lower(sa.literal(name, sa.Text))
    connection.execute(sa.select(admins.c.id).where(admins.c.id == admin_id).with_for_update(key_share=True))
    if connection.execute(sa.select(saved_searches.c.id).where(own, same_name, sa.not_(this))).first() is not None:
        return False
    connection.execute(saved_searches.update().where(own, this).values(name=name))
    return True


def remove(connection: sa.Connection, admin_id: int, public_id: str) -> None:
    """Delete a saved search of a person."""
    this = tenant_scope.has_public_id(saved_searches, public_id)
    connection.execute(saved_searches.delete().where(saved_searches.c.admin_id == admin_id, this))


def _select(admin_id: int) -> sa.Select[tuple[str, str, dict[str, str]]]:
    columns = saved_searches.c
    return sa.select(columns.public_id, columns.name, columns.filter).where(columns.admin_id == admin_id)
