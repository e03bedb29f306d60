"""What is decided about each row of a chunk (R7, R10, R11, R13, R17), as tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.codes import Code, faults_of, warnings_of
from schemas.jobs import OnExisting
from tests.unit.small_world import MASTER, WORLD, code_of, decide, existing, with_options
from worker.stages.resolve import ChunkFacts

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
def test_result(world: ChunkFacts, row: dict[str, int], code: Code) -> None:
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
def test_carrier_of_a_new_number(world: ChunkFacts, row: dict[str, int], carrier: int, default_used: bool) -> None:
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


@pytest.mark.parametrize(
    ("number", "options", "code"),
    [
        ({"holder_id": 2}, {"only_unassigned": True}, Code.UPDATED),
        ({"holder_id": 4}, {}, Code.UPDATED),
        ({"holder_id": 4}, {"only_unassigned": True}, Code.ASSIGNED_IN_USE),
        ({"holder_id": 4}, {"expected_holder_id": 4}, Code.UPDATED),
        ({"holder_id": 4}, {"expected_holder_id": 2}, Code.CHANGED_SINCE),
        ({"holder_id": 5, "voice_carrier_id": 10}, {"only_unassigned": True, "expected_holder_id": 2}, Code.NO_CHANGE),
    ],
)
def test_r19_an_upload_moves_numbers_of_others_only_as_far_as_was_said(
    number: dict[str, int], options: dict[str, Any], code: Code
) -> None:
    """Neither is the number moved nor anything else of it changed."""
    decided = decide(replace(with_options(UPDATE, target_id=5, **options), existing=existing(**number)), voice=-1)
    assert code_of(decided) is code
    assert len(decided.update) == int(code is Code.UPDATED)


@pytest.mark.parametrize("options", [{"only_unassigned": True}, {"expected_holder_id": 2}])
def test_r19_an_upload_without_a_target_moves_nothing_and_says_nothing(options: dict[str, Any]) -> None:
    decided = decide(replace(with_options(UPDATE, **options), existing=existing(holder_id=4)), fax=1)
    assert (code_of(decided), decided.update.state["holder_id"].tolist()) == (Code.UPDATED, [4])
    assert code_of(decide(with_options(UPDATE, target_id=4, **options))) is Code.CREATED
