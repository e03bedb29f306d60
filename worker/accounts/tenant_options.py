"""Tenants as options of a field: the first few, one by its id, all of them, and names by id (R3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from schemas.database.tables import tenants
from schemas.permissions import Tenant, TenantKind
from worker.database import tenant_scope

_PARENT = tenants.alias("parent")


class TenantOption(NamedTuple):
    """A tenant that the actor sees. `parent`: the name of the tenant directly above it; None for the master."""

    id: int
    public_id: str
    kind: str
    name: str
    parent_id: int | None
    parent: str | None


class TenantOptions(NamedTuple):
    """The tenants that a field offers: those below the actor, and itself if `own`; of one `kind` if set."""

    actor: Tenant
    own: bool = True
    kind: TenantKind | None = None

    def first(self, connection: sa.Connection, most: int) -> list[TenantOption]:
        """Return up to `most` of them, in no order. It reads no more of them than that."""
        some = sa.select(tenants).where(*self._conditions()).limit(most).subquery("some")
        return [TenantOption(*row) for row in connection.execute(_select(some))]

    def find(self, connection: sa.Connection, public_id: str) -> TenantOption | None:
        """Return the one with this id; None for one elsewhere as for one that does not exist (R3)."""
        query = _select(tenants).where(*self._conditions(), tenant_scope.has_public_id(tenants, public_id))
        row = connection.execute(query).one_or_none()
        return None if row is None else TenantOption(*row)

    def every(self, connection: sa.Connection) -> list[TenantOption]:
        """Return all of them, in no order.

        As arrays: there can be thousands, and rows would take longer than the query.
        """
        query = _select(tenants).where(*self._conditions())
        columns = connection.execute(query.with_only_columns(*map(sa.func.array_agg, query.selected_columns))).one()
        return [TenantOption(*values) for values in zip(*(column or [] for column in columns), strict=True)]

    def _conditions(self) -> list[sa.ColumnElement[bool]]:
        conditions = [tenant_scope.below(self.actor)]
        if not self.own:
            conditions.append(tenants.c.id != self.actor.id)
        if self.kind is not None:
            conditions.append(tenants.c.kind == self.kind)
        return conditions


def names(connection: sa.Connection, actor: Tenant, public_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of those of these tenants that the actor sees, by public id."""
    query = sa.select(tenants.c.public_id, tenants.c.name).where(
        tenant_scope.below(actor), tenants.c.public_id.in_(set(public_ids))
    )
    return {row.public_id: row.name for row in connection.execute(query)}


def _select(table: sa.FromClause) -> sa.Select[Any]:
    """Return the query for the columns of `TenantOption`. Its limit prevents joins that read all tenants."""
    parent = sa.select(_PARENT.c.name).where(_PARENT.c.id == table.c.parent_id).limit(1).lateral("above")
    public_id = sa.cast(table.c.public_id, sa.Text).label("public_id")
    return sa.select(
        table.c.id, public_id, table.c.kind, table.c.name, table.c.parent_id, parent.c.name.label("parent")
    ).outerjoin_from(table, parent, sa.true())
