"""One reseller's small world for tests of what is decided about rows: tenants, carriers, users, and one number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.arrow_schemas import CHUNK, STATE, UNDO_CHUNK
from schemas.codes import BY_NUMBER, Code
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions
from schemas.permissions import Tenant, TenantKind, User, UserKind
from worker.stages.resolve import ChunkFacts, Decisions, Defaults, Numbers, resolve

MASTER = Tenant(1, "m", TenantKind.MASTER_RESELLER, "Master", (1,))
RESELLER = Tenant(2, "r", TenantKind.RESELLER, "Reseller", (1, 2))
SIBLING = Tenant(3, "s", TenantKind.RESELLER, "Sibling", (1, 3))
ENTERPRISE = Tenant(4, "e", TenantKind.ENTERPRISE, "Enterprise", (1, 2, 4), allow_external_numbers=True)
CLINIC = Tenant(5, "c", TenantKind.ENTERPRISE, "Clinic", (1, 2, 5))
TENANTS = {tenant.id: tenant for tenant in (MASTER, RESELLER, SIBLING, ENTERPRISE, CLINIC)}
NUMBER = 12125550142


def existing(**values: int) -> Numbers:
    """One number on the platform, or none."""
    if not values:
        return Numbers.none()
    row = dict.fromkeys(STATE.names, 0) | {"holder_id": 2, "uploader_id": 2, "voice": 1, "voice_carrier_id": 10}
    return Numbers(np.array([NUMBER]), {name: np.array([value]) for name, value in (row | values).items()})


# Users of the enterprise: a PBX user, a trunk user with SMS, and a PBX user with SMS of the clinic.
PBX, TRUNK, NURSE = 31, 32, 33
USERS = {
    PBX: User(PBX, ENTERPRISE, UserKind.PBX),
    TRUNK: User(TRUNK, ENTERPRISE, UserKind.TRUNK, sms_enabled=True),
    NURSE: User(NURSE, CLINIC, UserKind.PBX, sms_enabled=True),
}

WORLD = ChunkFacts(
    actor=RESELLER,
    options=JobOptions(),
    tenants=TENANTS,
    voice_carriers=frozenset({10, 11}),
    sms_carriers=frozenset({20, 21}),
    defaults={1: Defaults(10, 20), 2: Defaults(10, 20), 3: Defaults(10, 20), 4: Defaults(11, 20), 5: Defaults(10, 20)},
    existing=existing(),
    carrier_owners={10: 1, 11: 2, 20: 1, 21: 2},
)


def rows_of(schema: pa.Schema, *rows: dict[str, int]) -> pa.Table:
    """Rows of a schema; what they do not tell is 0."""
    return pa.table([pa.array([row.get(field.name, 0) for row in rows], field.type) for field in schema], schema=schema)


def decide(world: ChunkFacts, **row: int) -> Decisions:
    """One row decided: of an upload with voice on, of an action with every capability left empty."""
    given = {"voice": 1} if world.kind is JobKind.UPLOAD else dict.fromkeys(("voice", "sms", "fax"), -1)
    schema = UNDO_CHUNK if world.kind is JobKind.UNDO else CHUNK
    return resolve(rows_of(schema, {"row": 2, "e164": NUMBER} | given | row), world)


def code_of(decisions: Decisions) -> Code:
    """What became of the one row."""
    return BY_NUMBER[decisions.results.column("code")[0].as_py()]


def with_options(world: ChunkFacts = WORLD, **options: Any) -> ChunkFacts:  # noqa: ANN401 - any field of the options
    """The world, with other options chosen for the job."""
    return replace(world, options=replace(world.options, **options))
