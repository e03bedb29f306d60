"""The calling codes of the numbers in a tenant's tree: a number without a country is read in these countries (R14c).

A code stays once any number had it, so that the meaning of a file does not change with what the file itself deletes.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from schemas.permissions import Tenant, TenantKind
from schemas.phone import region
from schemas.tables import tenant_countries
from worker.infra import scope

_NOTE = sa.text("""
    INSERT INTO tenant_countries (holder_id, calling_code)
    SELECT * FROM unnest(CAST(:holders AS int[]), CAST(:codes AS smallint[])) AS pair (holder_id, calling_code)
    ORDER BY holder_id, calling_code ON CONFLICT DO NOTHING""")


def calling_codes_in_tree(connection: sa.Connection, actor: Tenant) -> list[int]:
    """Return every calling code that the actor's tenant or a tenant below it holds or once held, ascending (R3)."""
    own = tenant_countries.c
    query = sa.select(own.calling_code).distinct().order_by(own.calling_code)
    if actor.kind is not TenantKind.MASTER_RESELLER:
        query = query.where(own.holder_id.in_(scope.ids_below(actor)))
    # A code that a later version of the numbering plans has dropped reads no number.
    return [code for code in connection.execute(query).scalars() if region.is_calling_code(code)]


def note(connection: sa.Connection, found: Collection[tuple[int, int]]) -> None:
    """Keep pairs of a tenant's id and a calling code of its numbers; known ones cost one look each.

    Call it last, as `inventory.note_holdings`: another transaction that adds the same pair waits until this one ends.
    The pairs are written in ascending order, so two transactions never wait for each other.
    """
    if found:
        holders, codes = zip(*found, strict=True)
        connection.execute(_NOTE, {"holders": list(holders), "codes": list(codes)})


def leave_to_parent(connection: sa.Connection, tenant: Tenant) -> None:
    """Add the calling codes of a tenant that is about to be deleted, and is held, to its parent's."""
    if len(tenant.path) > 1:
        own = tenant_countries.c
        codes = connection.execute(sa.select(own.calling_code).where(own.holder_id == tenant.id)).scalars()
        note(connection, [(tenant.path[-2], code) for code in codes])
