"""Thousands of tenants that have nothing, to compare what is read on a small platform and on a large one."""

from __future__ import annotations

import sqlalchemy as sa

from tests.support.factories import World

ENTERPRISES = 20  # of each reseller
_TENANTS = """
    WITH resellers AS (
        INSERT INTO tenants (parent_id, path, kind, name)
        SELECT :master, '{}', 'reseller', concat_ws('-', 'Grown', CAST(:resellers AS int), place)
        FROM generate_series(1, :resellers) AS place
        RETURNING id)
    INSERT INTO tenants (parent_id, path, kind, name)
    SELECT id, '{}', 'enterprise', concat_ws('-', 'Grown', id, place)
    FROM resellers, generate_series(1, :enterprises) AS place"""
_PATHS = """
    WITH RECURSIVE line AS (
        SELECT id, ARRAY[id] AS path FROM tenants WHERE parent_id IS NULL
        UNION ALL SELECT tenants.id, line.path || tenants.id FROM tenants JOIN line ON line.id = tenants.parent_id)
    UPDATE tenants SET path = line.path FROM line WHERE line.id = tenants.id AND tenants.path = '{}'"""


def add(database: sa.Engine, world: World, resellers: int) -> None:
    """Add so many resellers with their enterprises below the master. The planner's statistics are of all."""
    values = {"master": world.master.id, "resellers": resellers, "enterprises": ENTERPRISES}
    with database.begin() as connection:
        connection.execute(sa.text(_TENANTS), values)
        connection.execute(sa.text(_PATHS))
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
