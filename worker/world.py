"""Gathers what the stages need to know of the world, as plain data: names for checking, facts for deciding.

Runs inside the caller's transaction; the stages themselves never see a connection.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from schemas.columns import Column
from schemas.jobs import OnExisting, UploadOptions
from schemas.names import unambiguous
from schemas.permissions import Tenant
from worker.infra import inventory, scope
from worker.stages.resolve import Defaults, Existing, World
from worker.stages.validate import Names


def names_for(connection: sa.Connection, actor: Tenant) -> Names:
    """What names in a row mean to this uploader (R12): carriers at its level or above, tenants at or below."""
    below = scope.tenants_below(connection, actor).values()
    targets = [(tenant.name, tenant.id) for tenant in below] + [(tenant.public_id, tenant.id) for tenant in below]
    return Names(
        {
            Column.VOICE_CARRIER: unambiguous(scope.carriers_of(connection, actor, "voice")),
            Column.SMS_CARRIER_PROFILE: unambiguous(scope.carriers_of(connection, actor, "sms")),
            Column.TARGET: unambiguous(targets),
        }
    )


def world_for(connection: sa.Connection, actor: Tenant, options: UploadOptions, chunk: pa.Table) -> World:
    """What a chunk (`schemas.results.CHUNK`) meets. Existing numbers are locked if they may be changed."""
    numbers = chunk.column("e164").to_numpy()
    found = inventory.look_up(connection, numbers, lock=options.on_existing is OnExisting.UPDATE)
    existing = Existing(**found)
    ids = {actor.id, options.target_id or actor.id, *_distinct(chunk.column("target_id").to_numpy())}
    ids |= _distinct(existing.holder_id) | _distinct(existing.uploader_id)
    defaults = scope.default_carriers(connection, sorted(ids))
    return World(
        actor=actor,
        options=options,
        tenants=scope.tenants_by_id(connection, sorted(ids)),
        voice_carriers=frozenset(carrier_id for _, carrier_id in scope.carriers_of(connection, actor, "voice")),
        sms_carriers=frozenset(carrier_id for _, carrier_id in scope.carriers_of(connection, actor, "sms")),
        defaults={tenant_id: Defaults(*pair) for tenant_id, pair in defaults.items()},
        existing=existing,
    )


def _distinct(values: np.ndarray[Any, Any]) -> set[int]:
    return {int(value) for value in np.unique(values) if value}
