"""What is decided about each row of a chunk (R7, R10, R11, R13, R17), as tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.codes import BY_NUMBER, Code, faults_of, warnings_of
from schemas.jobs import JobOptions, OnExisting
from schemas.permissions import Tenant, TenantKind
from schemas.results import CHUNK, STATE
from worker.stages.resolve import Decisions, Defaults, Numbers, World, resolve

MASTER = Tenant(1, "m", TenantKind.MASTER_RESELLER, "Master", (1,))
RESELLER = Tenant(2, "r", TenantKind.RESELLER, "Reseller", (1, 2))
SIBLING = Tenant(3, "s", TenantKind.RESELLER, "Sibling", (1, 3))
ENTERPRISE = Tenant(4, "e", TenantKind.ENTERPRISE, "Enterprise", (1, 2, 4), allow_external_numbers=True)
TENANTS = {tenant.id: tenant for tenant in (MASTER, RESELLER, SIBLING, ENTERPRISE)}
NUMBER = 12125550142


def existing(**values: int) -> Numbers:
    """One number on the platform, or none."""
    if not values:
        return Numbers.none()
    row = dict.fromkeys(STATE.names, 0) | {"holder_id": 2, "uploader_id": 2, "voice": 1, "voice_carrier_id": 10}
    return Numbers(np.array([NUMBER]), {name: np.array([value]) for name, value in (row | values).items()})


WORLD = World(
    actor=RESELLER,
    options=JobOptions(),
    tenants=TENANTS,
    voice_carriers=frozenset({10, 11}),
    sms_carriers=frozenset({20, 21}),
    defaults={1: Defaults(10, 20), 2: Defaults(10, 20), 3: Defaults(10, 20), 4: Defaults(11, 20)},
    existing=existing(),
    carrier_owners={10: 1, 11: 2, 20: 1, 21: 2},
)


def decide(world: World, **row: int) -> Decisions:
    values = {
        "place": 0, "row": 2, "e164": NUMBER, "voice": 1, "sms": 0, "fax": 0, "warnings": 0,
        "voice_carrier_id": 0, "sms_carrier_id": 0, "target_id": 0, "user_id": 0, "service": 0,
    } | row  # fmt: skip
    return resolve(
        pa.table([pa.array([values[name]], CHUNK.field(name).type) for name in CHUNK.names], schema=CHUNK), world
    )


def code_of(decisions: Decisions) -> Code:
    return BY_NUMBER[decisions.results.column("code")[0].as_py()]


def with_options(world: World = WORLD, **options: Any) -> World:  # noqa: ANN401 - any field of the options
    return replace(world, options=replace(world.options, **options))


UPDATE = with_options(on_existing=OnExisting.UPDATE)


@pytest.mark.parametrize(
    ("world", "row", "code"),
    [
        (WORLD, {}, Code.CREATED),
        (WORLD, {"voice": 0, "sms": 0, "fax": 0}, Code.NO_CAPABILITY),
        (WORLD, {"voice": -1, "sms": -1, "fax": -1}, Code.NO_CAPABILITY),
        (WORLD, {"voice": -1, "fax": 1}, Code.CREATED),
        (replace(WORLD, defaults={}), {}, Code.CARRIER_MISSING),
        (replace(WORLD, defaults={}), {"voice": 0, "fax": 1}, Code.CREATED),
        (replace(WORLD, defaults={}), {"voice_carrier_id": 11}, Code.CREATED),
        (WORLD, {"voice_carrier_id": 99}, Code.CARRIER_NOT_FOUND),
        (WORLD, {"target_id": 4}, Code.CREATED),
        (WORLD, {"target_id": 3}, Code.TARGET_NOT_FOUND),
        (WORLD, {"target_id": 1}, Code.TARGET_NOT_FOUND),
        (WORLD, {"target_id": 77}, Code.TARGET_NOT_FOUND),
        (replace(WORLD, existing=existing()), {}, Code.CREATED),
        (replace(WORLD, existing=existing(holder_id=2)), {}, Code.ALREADY_EXISTS),
        (replace(WORLD, existing=existing(holder_id=4)), {}, Code.ALREADY_EXISTS),
        (replace(WORLD, existing=existing(holder_id=3)), {}, Code.NUMBER_EXISTS_ELSEWHERE),
        (replace(WORLD, existing=existing(holder_id=1)), {}, Code.NUMBER_EXISTS_ELSEWHERE),
        (replace(UPDATE, existing=existing(holder_id=3)), {}, Code.NUMBER_EXISTS_ELSEWHERE),
        (replace(UPDATE, existing=existing()), {}, Code.CREATED),
        (replace(UPDATE, existing=existing(voice=1)), {}, Code.NO_CHANGE),
        (replace(UPDATE, existing=existing(voice=1)), {"sms": 1}, Code.UPDATED),
        (replace(UPDATE, existing=existing(voice=1)), {"voice": -1, "sms": -1, "fax": -1}, Code.NO_CHANGE),
        (replace(UPDATE, existing=existing(voice=1)), {"voice": 0}, Code.UPDATED),
        (replace(UPDATE, existing=existing(voice=1)), {"voice_carrier_id": 11}, Code.UPDATED),
        (replace(UPDATE, existing=existing(holder_id=2)), {"target_id": 4}, Code.UPDATED),
        (replace(UPDATE, existing=existing(holder_id=4, uploader_id=4)), {"target_id": 2}, Code.TARGET_NOT_FOUND),
        (replace(UPDATE, actor=MASTER, existing=existing(voice=1)), {"target_id": 3}, Code.TARGET_NOT_FOUND),
        (replace(UPDATE, actor=MASTER, existing=existing(uploader_id=1)), {"target_id": 3}, Code.UPDATED),
        (replace(with_options(on_existing=OnExisting.ERROR), existing=existing(holder_id=2)), {}, Code.ALREADY_EXISTS),
    ],
)  # fmt: skip
def test_result(world: World, row: dict[str, int], code: Code) -> None:
    assert code_of(decide(world, **row)) is code


def test_on_existing_error_fails_the_row() -> None:
    """R17: the same code, skipped or failed as the uploader wished."""
    world = replace(with_options(on_existing=OnExisting.ERROR), existing=existing(holder_id=2))
    faults = decide(world).results.column("faults")[0].as_py()
    assert [fault.code for fault in faults_of(faults)] == [Code.ALREADY_EXISTS]
    assert decide(replace(WORLD, existing=existing(holder_id=2))).results.column("faults")[0].as_py() == 0


@pytest.mark.parametrize(
    ("world", "row", "carrier", "default_used"),
    [
        (WORLD, {}, 10, True),
        (WORLD, {"voice_carrier_id": 11}, 11, False),
        (with_options(voice_carrier_id=11), {}, 11, False),
        (with_options(voice_carrier_id=11), {"voice_carrier_id": 10}, 10, False),
        (WORLD, {"target_id": 4}, 11, True),
        (WORLD, {"voice": 0, "fax": 1, "voice_carrier_id": 11}, 0, False),
    ],
)
def test_carrier_of_a_new_number(world: World, row: dict[str, int], carrier: int, default_used: bool) -> None:
    """R13: row, then form, then the holder's default; none where the capability is off (R11, R12, R7)."""
    decisions = decide(world, **row)
    assert decisions.create.state["voice_carrier_id"].tolist() == [carrier]
    warnings = warnings_of(decisions.results.column("warnings")[0].as_py())
    assert (Code.DEFAULT_CARRIER_USED in warnings) is default_used


def test_an_update_keeps_the_numbers_own_carrier_and_holder() -> None:
    """R10, R13: an upload that names no carrier does not replace one by the default."""
    decisions = decide(replace(UPDATE, existing=existing(holder_id=4, voice_carrier_id=11)), sms=1)
    assert decisions.update.state["voice_carrier_id"].tolist() == [11]
    assert decisions.update.state["sms_carrier_id"].tolist() == [20]
    assert decisions.update.state["holder_id"].tolist() == [4]
    assert len(decisions.create) == 0


def test_holder_and_uploader_of_a_new_number() -> None:
    """R5, R11: the form's target holds it, the actor uploaded it."""
    decisions = decide(with_options(target_id=4))
    assert (decisions.create.state["holder_id"].tolist(), decisions.create.state["uploader_id"].tolist()) == ([4], [2])


def test_several_faults_of_the_world_are_all_kept() -> None:
    faults = decide(WORLD, target_id=3, voice_carrier_id=99).results.column("faults")[0].as_py()
    assert [fault.code for fault in faults_of(faults)] == [Code.TARGET_NOT_FOUND, Code.CARRIER_NOT_FOUND]
