"""The calling codes of the numbers in a tenant's tree: numbers without a country are read in these countries (R14c).

A code is kept once a number had it, so that a file that deletes numbers does not change its own meaning. A tenant has a
row for its own numbers and for those of every tenant below it: a lookup costs the same for a tree of any size, and
reveals nothing about other trees (R3).
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from schemas.database.tables import tenant_countries
from schemas.permissions import Tenant
from worker.phone import region

# If the holder has a row, so have all tenants above: the rows are committed together and deleted with their tenants.
_NOTE = sa.text("""
    INSERT INTO tenant_countries (tenant_id, calling_code)
    SELECT DISTINCT line.tenant_id, pair.calling_code
    FROM unnest(CAST(:holders AS int[]), CAST(:codes AS smallint[])) AS pair (holder_id, calling_code)
    JOIN tenants AS holder ON holder.id = pair.holder_id
    CROSS JOIN unnest(holder.path) AS line (tenant_id)
    WHERE NOT EXISTS (SELECT FROM tenant_countries AS known
        WHERE known.tenant_id = pair.holder_id AND known.calling_code = pair.calling_code)
    ORDER BY 1, 2 ON CONFLICT DO NOTHING""")


def calling_codes_in_tree(connection: sa.Connection, actor: Tenant) -> list[int]:
    """Return every calling code that the actor's tenant or a tenant below it holds or once held, ascending (R3)."""
    own = tenant_countries.c
    query = sa.select(own.calling_code).where(own.tenant_id == actor.id).order_by(own.calling_code)
    # A code that a later version of the numbering plans has dropped cannot be used for reading numbers.
    return [code for code in connection.execute(query).scalars() if region.is_calling_code(code)]


def note(connection: sa.Connection, pairs: Collection[tuple[int, int]]) -> None:
    """Store pairs of a holder's id and a calling code of its numbers, for the holder and all tenants above it.

    Known pairs cost one lookup each. Call it last in the transaction, like `inventory.note_holdings`: another
    transaction that adds the same pair waits until this one ends. Rows are written in ascending order to avoid
    deadlocks.
    """
    if pairs:
        holders, codes = zip(*pairs, strict=True)
        connection.execute(_NOTE, {"holders": list(holders), "codes": list(codes)})
