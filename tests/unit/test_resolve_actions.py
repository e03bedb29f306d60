"""What is decided about each row of an action (R2, R3, R13, R18..R25, R27), as tables; all or nothing; what is written.

The database is not asked here: `tests/support/permission_matrix.py` has the same rules through the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from schemas import permissions
from schemas.arrow_schemas import CHUNK, STATE
from schemas.codes import BY_NUMBER, Code, faults_of, warnings_of
from schemas.columns import Column
from schemas.job_kinds import JobKind
from schemas.user_services import Service
from tests.unit.small_world import (
    CLINIC,
    ENTERPRISE,
    MASTER,
    NUMBER,
    NURSE,
    PBX,
    RESELLER,
    SIBLING,
    TRUNK,
    USERS,
    WORLD,
    code_of,
    decide,
    existing,
    rows_of,
    with_options,
)
from worker.stages.resolve import ChunkFacts, abort, resolve
from worker.stages.resolving.model import Decisions

VOICE, FORWARDED, SMS = int(Service.VOICE), int(Service.FORWARDED), int(Service.SMS)
JOB, EARLIER = 9, 5


def world(kind: JobKind, number: Mapping[str, int] | None = None, **more: Any) -> ChunkFacts:  # noqa: ANN401 - any field
    """The small world on its way through a job of a kind, with one number in it, or none."""
    return replace(WORLD, kind=kind, job_id=JOB, users=USERS, existing=existing(**number or {}), **more)


def assigning(number: Mapping[str, int] | None, **more: Any) -> ChunkFacts:  # noqa: ANN401 - any field
    return world(JobKind.ASSIGN, number, **more)


def state_of(decisions: Decisions, *names: str) -> tuple[int, ...]:
    """Columns of the one number that is to be written."""
    written = decisions.update if len(decisions.update) else decisions.create
    return tuple(int(written.state[name][0]) for name in names)


def blamed(decisions: Decisions) -> list[tuple[Code, Column]]:
    return [(fault.code, fault.column) for fault in faults_of(decisions.results.column("faults")[0].as_py())]


FREE, BELOW = {"holder_id": 2}, {"holder_id": 4}
WITH_USER = BELOW | {"voice_user_id": PBX}


@pytest.mark.parametrize(
    ("number", "row", "code", "column"),
    [
        (FREE, {"target_id": 4}, Code.ASSIGNED, None),
        (BELOW, {"target_id": 4}, Code.NO_CHANGE, None),
        (WITH_USER, {"target_id": 4}, Code.NO_CHANGE, None),
        (BELOW, {"target_id": 5}, Code.ASSIGNED, None),
        (WITH_USER, {"target_id": 5}, Code.ASSIGNED_IN_USE, Column.PHONE_NUMBER),
        (FREE, {"target_id": 2}, Code.TARGET_NOT_FOUND, Column.TARGET),
        (FREE, {"target_id": 3}, Code.TARGET_NOT_FOUND, Column.TARGET),
        (FREE, {"target_id": 99}, Code.TARGET_NOT_FOUND, Column.TARGET),
        ({"holder_id": 4, "uploader_id": 4}, {"target_id": 5}, Code.TARGET_NOT_FOUND, Column.TARGET),
        ({"holder_id": 3, "uploader_id": 3}, {"target_id": 4}, Code.NOT_FOUND, Column.PHONE_NUMBER),
        (None, {"target_id": 4}, Code.NOT_FOUND, Column.PHONE_NUMBER),
    ],
)
def test_assigning_to_a_tenant(
    number: Mapping[str, int] | None, row: dict[str, int], code: Code, column: Column | None
) -> None:
    """R3, R18, R19."""
    decided = decide(assigning(number), **row)
    assert code_of(decided) is code
    assert blamed(decided) == ([(code, column)] if column else [])
    assert len(decided.update) == len(decided.images) == int(code is Code.ASSIGNED)


BOTH_ON = BELOW | {"sms": 1, "sms_carrier_id": 20}


@pytest.mark.parametrize(
    ("number", "row", "code", "column"),
    [
        (BELOW, {"user_id": PBX}, Code.ASSIGNED, None),
        (BELOW, {"user_id": TRUNK, "service": VOICE}, Code.ASSIGNED, None),
        (BELOW, {"user_id": TRUNK, "service": FORWARDED}, Code.ASSIGNED, None),
        (BOTH_ON, {"user_id": TRUNK, "service": VOICE | SMS}, Code.ASSIGNED, None),
        (WITH_USER, {"user_id": PBX}, Code.NO_CHANGE, None),
        (BOTH_ON | {"voice_user_id": PBX}, {"user_id": TRUNK, "service": SMS}, Code.ASSIGNED, None),
        (BELOW, {"user_id": PBX, "service": FORWARDED}, Code.TARGET_NOT_FOUND, Column.SERVICE),
        (BOTH_ON, {"user_id": PBX, "service": SMS}, Code.CAPABILITY_REQUIRED, Column.USER),
        (BELOW, {"user_id": TRUNK, "service": SMS}, Code.CAPABILITY_REQUIRED, Column.PHONE_NUMBER),
        (BELOW | {"voice": 0}, {"user_id": PBX}, Code.CAPABILITY_REQUIRED, Column.PHONE_NUMBER),
        (BELOW | {"voice_user_id": TRUNK}, {"user_id": PBX}, Code.ASSIGNED_IN_USE, Column.PHONE_NUMBER),
        (BELOW, {"user_id": NURSE}, Code.TARGET_NOT_FOUND, Column.USER),
        (FREE, {"user_id": PBX}, Code.TARGET_NOT_FOUND, Column.USER),
        (BELOW, {"user_id": 99}, Code.TARGET_NOT_FOUND, Column.USER),
        (None, {"user_id": PBX}, Code.NOT_FOUND, Column.PHONE_NUMBER),
    ],
)
def test_assigning_to_a_user(
    number: Mapping[str, int] | None, row: dict[str, int], code: Code, column: Column | None
) -> None:
    """R2, R3, R20."""
    decided = decide(assigning(number), **row)
    assert code_of(decided) is code
    assert blamed(decided) == ([(code, column)] if column else [])


def test_a_user_of_a_sibling_is_none() -> None:
    """R3: not even its tenant's name would be told."""
    decided = decide(assigning(BELOW, actor=CLINIC), user_id=PBX)
    assert (Code.TARGET_NOT_FOUND, Column.USER) in blamed(decided)


@pytest.mark.parametrize(
    ("number", "options", "code", "column"),
    [
        (FREE, {}, Code.ASSIGNED, None),
        (FREE, {"only_unassigned": True}, Code.ASSIGNED, None),
        (FREE, {"expected_holder_id": 2}, Code.ASSIGNED, None),
        (BELOW, {"expected_holder_id": 4}, Code.ASSIGNED, None),
        (BELOW, {}, Code.ASSIGNED, None),
        (BELOW, {"only_unassigned": True}, Code.ASSIGNED_IN_USE, Column.PHONE_NUMBER),
        (BELOW, {"only_unassigned": True, "expected_holder_id": 4}, Code.ASSIGNED_IN_USE, Column.PHONE_NUMBER),
        (BELOW, {"expected_holder_id": 2}, Code.CHANGED_SINCE, Column.TARGET),
        (BELOW, {"only_unassigned": True, "expected_holder_id": 2}, Code.CHANGED_SINCE, Column.TARGET),
        (WITH_USER, {"expected_holder_id": 2}, Code.CHANGED_SINCE, Column.TARGET),
        (WITH_USER, {"only_unassigned": True}, Code.ASSIGNED_IN_USE, Column.PHONE_NUMBER),
        # Where it should be already, whatever was expected.
        ({"holder_id": 5}, {"only_unassigned": True, "expected_holder_id": 2}, Code.NO_CHANGE, None),
        ({"holder_id": 3, "uploader_id": 3}, {"expected_holder_id": 3}, Code.NOT_FOUND, Column.PHONE_NUMBER),
        ({"holder_id": 3, "uploader_id": 3}, {"only_unassigned": True}, Code.NOT_FOUND, Column.PHONE_NUMBER),
        (None, {"only_unassigned": True, "expected_holder_id": 2}, Code.NOT_FOUND, Column.PHONE_NUMBER),
    ],
)
def test_r19_numbers_of_others_are_taken_only_as_far_as_was_said(
    number: Mapping[str, int] | None, options: dict[str, Any], code: Code, column: Column | None
) -> None:
    """R3: whatever is said, a number elsewhere and one that does not exist are the same."""
    decided = decide(with_options(assigning(number), **options), target_id=5)
    assert code_of(decided) is code
    assert blamed(decided) == ([(code, column)] if column else [])
    assert len(decided.update) == len(decided.images) == int(code is Code.ASSIGNED)


@pytest.mark.parametrize(
    ("number", "options", "code"),
    [
        (BOTH_ON, {"only_unassigned": True}, Code.ASSIGNED),
        (BOTH_ON | {"voice_user_id": TRUNK}, {"only_unassigned": True}, Code.ASSIGNED),
        (BOTH_ON | {"sms_user_id": TRUNK}, {"only_unassigned": True}, Code.NO_CHANGE),
        (BOTH_ON | {"voice_user_id": PBX}, {}, Code.ASSIGNED),
        (BOTH_ON | {"voice_user_id": PBX}, {"only_unassigned": True}, Code.ASSIGNED_IN_USE),
        (BOTH_ON, {"expected_holder_id": 4}, Code.ASSIGNED),
        (BOTH_ON, {"expected_holder_id": 2}, Code.CHANGED_SINCE),
        (FREE | {"sms": 1}, {"expected_holder_id": 4}, Code.CHANGED_SINCE),
    ],
)
def test_r19_r20_numbers_of_other_users_are_left_alone(
    number: Mapping[str, int], options: dict[str, Any], code: Code
) -> None:
    """R20: for users, unassigned is what no other user has for any service."""
    decided = decide(with_options(assigning(number), **options), user_id=TRUNK, service=SMS)
    assert code_of(decided) is code
    assert len(decided.update) == int(code is Code.ASSIGNED)


@pytest.mark.parametrize(
    ("actor", "number", "row", "expected", "code"),
    [
        (RESELLER, BELOW, {}, 4, Code.UNASSIGNED),
        (RESELLER, BELOW, {}, 5, Code.CHANGED_SINCE),
        (RESELLER, WITH_USER, {}, 5, Code.CHANGED_SINCE),
        (RESELLER, WITH_USER, {"service": VOICE}, 4, Code.UNASSIGNED),
        (RESELLER, WITH_USER, {"service": VOICE}, 5, Code.CHANGED_SINCE),
        (RESELLER, FREE, {}, 4, Code.NO_CHANGE),
        (RESELLER, {"holder_id": 3, "uploader_id": 3}, {}, 3, Code.NOT_FOUND),
        # Sent twice, it would go up two levels.
        (MASTER, {"holder_id": 4, "uploader_id": 1}, {}, 4, Code.UNASSIGNED),
        (MASTER, {"holder_id": 2, "uploader_id": 1}, {}, 4, Code.CHANGED_SINCE),
        (ENTERPRISE, WITH_USER, {}, 4, Code.UNASSIGNED),
    ],
)
def test_r19_taking_back_from_another_holder_than_was_shown(
    actor: permissions.Tenant, number: Mapping[str, int], row: dict[str, int], expected: int, code: Code
) -> None:
    decided = decide(with_options(world(JobKind.UNASSIGN, number, actor=actor), expected_holder_id=expected), **row)
    assert code_of(decided) is code
    assert len(decided.update) == int(code is Code.UNASSIGNED)


@pytest.mark.parametrize(
    ("service", "expected"),
    [(VOICE, (TRUNK, 0, 0)), (FORWARDED, (TRUNK, 0, 1)), (SMS, (0, TRUNK, 0)), (VOICE | SMS, (TRUNK, TRUNK, 0))],
)
def test_what_a_service_makes_of_a_number(service: int, expected: tuple[int, ...]) -> None:
    decided = decide(assigning(BOTH_ON), user_id=TRUNK, service=service)
    assert state_of(decided, "voice_user_id", "sms_user_id", "voice_forwarded") == expected
    assert state_of(decided, "holder_id", "changed_job_id", "created_job_id") == (4, JOB, 0)


@pytest.mark.parametrize(("has", "code"), [(NUMBER, Code.ASSIGNED), (NUMBER + 1, Code.ASSIGNED_IN_USE)])
def test_a_pbx_user_has_one_number(has: int, code: Code) -> None:
    """R2: also where the inventory gave it another one meanwhile."""
    decided = decide(assigning(BELOW, slots={PBX: has}), user_id=PBX)
    assert code_of(decided) is code
    assert code_of(decide(assigning(BELOW, slots={TRUNK: has}), user_id=TRUNK, service=FORWARDED)) is Code.ASSIGNED


def test_a_row_names_whom_the_job_does_not() -> None:
    """R12: the row's target wins over the job's, and a row's user over both."""
    job = with_options(assigning(FREE), target_id=4)
    assert state_of(decide(job), "holder_id") == (4,)
    assert state_of(decide(job, target_id=5), "holder_id") == (5,)
    user = with_options(assigning(BELOW), user_id=PBX)
    assert state_of(decide(user), "voice_user_id", "holder_id") == (PBX, 4)
    assert state_of(decide(user, target_id=5), "voice_user_id", "holder_id") == (0, 5)
    assert state_of(decide(user, user_id=TRUNK, target_id=5), "voice_user_id", "holder_id") == (TRUNK, 4)


@pytest.mark.parametrize(
    ("actor", "service", "code"),
    [
        (ENTERPRISE, VOICE, Code.CREATED),
        (ENTERPRISE, FORWARDED, Code.CREATED),
        (ENTERPRISE, SMS, Code.CREATED),
        (replace(ENTERPRISE, allow_external_numbers=False), VOICE, Code.EXTERNAL_NOT_ALLOWED),
    ],
)
def test_a_number_that_is_added_while_a_user_is_made(actor: permissions.Tenant, service: int, code: Code) -> None:
    """R21: with what the user needs switched on, held and uploaded by the enterprise."""
    job = with_options(assigning(None, actor=actor), may_create=True)
    decided = decide(job, user_id=TRUNK, service=service, e164=12125550143)
    assert code_of(decided) is code
    if code is Code.CREATED:
        on = ("voice", "sms", "fax", "holder_id", "uploader_id", "created_job_id")
        assert state_of(decided, *on) == (int(service != SMS), int(service == SMS), 0, 4, 4, JOB)
        assert Code.DEFAULT_CARRIER_USED in warnings_of(decided.results.column("warnings")[0].as_py())
        assert not len(decided.images), "what never was has no image (R27)"


def test_what_may_not_be_added_while_a_user_is_made() -> None:
    """R15, R17: no number that could not be uploaded."""
    job = with_options(assigning(None, actor=ENTERPRISE), may_create=True)
    assert code_of(decide(job, user_id=TRUNK, e164=11112223333)) is Code.INVALID_NUMBER
    taken = with_options(assigning({"holder_id": 3, "uploader_id": 3}, actor=ENTERPRISE), may_create=True)
    assert code_of(decide(taken, user_id=TRUNK)) is Code.NUMBER_EXISTS_ELSEWHERE
    assert code_of(decide(assigning(None, actor=ENTERPRISE), user_id=TRUNK)) is Code.NOT_FOUND


def test_a_number_that_moves_where_its_carrier_is_unknown_gets_the_default() -> None:
    """R7, R13: the enterprise does not see a carrier of another branch."""
    job = assigning({"holder_id": 1, "uploader_id": 1, "voice_carrier_id": 11}, actor=MASTER)
    assert state_of(decide(job, target_id=3), "voice_carrier_id") == (10,)
    assert state_of(decide(job, target_id=2), "voice_carrier_id") == (11,)
    assert code_of(decide(replace(job, defaults={}), target_id=3)) is Code.CARRIER_MISSING


@pytest.mark.parametrize(
    ("actor", "number", "row", "code", "expected"),
    [
        (RESELLER, BELOW, {}, Code.UNASSIGNED, (2, 0, 0)),
        (RESELLER, FREE, {}, Code.NO_CHANGE, None),
        (RESELLER, WITH_USER, {}, Code.ASSIGNED_IN_USE, None),
        (RESELLER, {"holder_id": 4, "uploader_id": 4}, {}, Code.NO_CHANGE, None),
        (MASTER, {"holder_id": 4, "uploader_id": 1}, {}, Code.UNASSIGNED, (2, 0, 0)),
        (MASTER, {"holder_id": 2, "uploader_id": 1}, {}, Code.UNASSIGNED, (1, 0, 0)),
        (ENTERPRISE, WITH_USER | {"sms_user_id": TRUNK}, {}, Code.UNASSIGNED, (4, 0, 0)),
        (ENTERPRISE, WITH_USER | {"sms_user_id": TRUNK}, {"service": SMS}, Code.UNASSIGNED, (4, PBX, 0)),
        (ENTERPRISE, WITH_USER | {"sms_user_id": TRUNK}, {"user_id": PBX}, Code.UNASSIGNED, (4, 0, TRUNK)),
        (RESELLER, WITH_USER, {"service": VOICE}, Code.UNASSIGNED, (4, 0, 0)),
        (RESELLER, WITH_USER, {"user_id": TRUNK}, Code.NO_CHANGE, None),
        (SIBLING, BELOW, {}, Code.NOT_FOUND, None),
        (RESELLER, None, {}, Code.NOT_FOUND, None),
    ],
)
def test_taking_back(
    actor: permissions.Tenant,
    number: Mapping[str, int] | None,
    row: dict[str, int],
    code: Code,
    expected: tuple[int, ...] | None,
) -> None:
    """R19, R20: from users where one or a service is named, else level by level."""
    decided = decide(world(JobKind.UNASSIGN, number, actor=actor), **row)
    assert code_of(decided) is code
    if expected:
        assert state_of(decided, "holder_id", "voice_user_id", "sms_user_id") == expected


@pytest.mark.parametrize(
    ("number", "row", "code", "expected"),
    [
        (FREE, {"sms": 1}, Code.UPDATED, (1, 1, 0, 10, 20)),
        (FREE, {"fax": 1}, Code.UPDATED, (1, 0, 1, 10, 0)),
        (FREE, {"voice": 0}, Code.UPDATED, (0, 0, 0, 0, 0)),
        (FREE, {"voice_carrier_id": 11}, Code.UPDATED, (1, 0, 0, 11, 0)),
        (FREE, {"voice": 1}, Code.NO_CHANGE, None),
        (FREE, {}, Code.NO_CHANGE, None),
        (FREE, {"voice_carrier_id": 99}, Code.CARRIER_NOT_FOUND, None),
        (WITH_USER, {"voice": 0}, Code.ASSIGNED_IN_USE, None),
        (WITH_USER, {"voice_carrier_id": 11}, Code.ASSIGNED_IN_USE, None),
        (WITH_USER, {"fax": 1}, Code.UPDATED, (1, 0, 1, 10, 0)),
        (BOTH_ON | {"sms_user_id": TRUNK}, {"sms": 0}, Code.ASSIGNED_IN_USE, None),
        ({"holder_id": 3, "uploader_id": 3}, {"fax": 1}, Code.NOT_FOUND, None),
        (None, {"fax": 1}, Code.NOT_FOUND, None),
    ],
)
def test_changing(
    number: Mapping[str, int] | None, row: dict[str, int], code: Code, expected: tuple[int, ...] | None
) -> None:
    """R23: leave, enable or disable; nothing that a user needs."""
    decided = decide(world(JobKind.CHANGE, number), **row)
    assert code_of(decided) is code
    if expected:
        assert state_of(decided, "voice", "sms", "fax", "voice_carrier_id", "sms_carrier_id") == expected


def test_what_the_job_changes_a_row_may_leave() -> None:
    """R12, R23: a cell wins over the form."""
    job = with_options(world(JobKind.CHANGE, FREE), sms=True, fax=True)
    assert state_of(decide(job), "sms", "fax") == (1, 1)
    assert state_of(decide(job, sms=0), "sms", "fax") == (0, 1)


@pytest.mark.parametrize(
    ("actor", "number", "code"),
    [
        (RESELLER, FREE, Code.DELETED),
        (RESELLER, BELOW, Code.ASSIGNED_IN_USE),
        (RESELLER, FREE | {"sms_user_id": TRUNK}, Code.ASSIGNED_IN_USE),
        (MASTER, FREE, Code.NOT_UPLOADER),
        (ENTERPRISE, BELOW, Code.NOT_UPLOADER),
        (SIBLING, FREE, Code.NOT_FOUND),
        (RESELLER, None, Code.NOT_FOUND),
    ],
)
def test_deleting(actor: permissions.Tenant, number: Mapping[str, int] | None, code: Code) -> None:
    """R24, R25."""
    decided = decide(world(JobKind.DELETE, number, actor=actor))
    assert code_of(decided) is code
    deleted = [NUMBER] if code is Code.DELETED else []
    assert decided.delete.tolist() == deleted
    assert decided.images.column("e164").to_pylist() == deleted
    assert decided.images.column("stamp").to_pylist() == [0] * len(deleted)


IMAGE = {"existed": 1, "stamp": JOB - 1, "holder_id": 2, "uploader_id": 2, "voice": 1, "voice_carrier_id": 10}
LEFT = {"changed_job_id": JOB - 1}  # as the job that is undone has left it


@pytest.mark.parametrize(
    ("number", "image", "code"),
    [
        (BELOW | LEFT, IMAGE, Code.RESTORED),
        (BELOW | LEFT, {"existed": 0, "stamp": JOB - 1}, Code.DELETED),
        (None, IMAGE | {"stamp": 0, "changed_job_id": 5}, Code.RESTORED),
        (FREE | {"changed_job_id": 5}, IMAGE | {"changed_job_id": 5}, Code.NO_CHANGE),
        (None, {"existed": 0, "stamp": JOB - 1}, Code.NO_CHANGE),
        (BELOW | {"changed_job_id": 6}, IMAGE, Code.CHANGED_SINCE),
        (BELOW | {"changed_job_id": 6}, {"existed": 0, "stamp": JOB - 1}, Code.CHANGED_SINCE),
        (BELOW | LEFT, IMAGE | {"holder_id": 99}, Code.CHANGED_SINCE),
        (BELOW | LEFT, IMAGE | {"voice_carrier_id": 99}, Code.CHANGED_SINCE),
        (BELOW | LEFT, IMAGE | {"holder_id": 4, "voice_user_id": 99}, Code.CHANGED_SINCE),
        (BELOW | LEFT, IMAGE | {"holder_id": 4, "sms_user_id": PBX}, Code.CHANGED_SINCE),
        (BELOW | LEFT, IMAGE | {"holder_id": 4, "sms_user_id": TRUNK}, Code.RESTORED),
        (BELOW | LEFT, IMAGE | {"holder_id": 4, "voice_user_id": PBX}, Code.RESTORED),
    ],
)
def test_undoing(number: Mapping[str, int] | None, image: dict[str, int], code: Code) -> None:
    """R27: put back where nothing has happened since, left alone where it has."""
    assert code_of(decide(world(JobKind.UNDO, number), **image)) is code


def test_an_undo_gives_the_old_state_and_the_old_stamp() -> None:
    """R27: so a chain of jobs can be undone one after the other."""
    decided = decide(world(JobKind.UNDO, BELOW | LEFT), **IMAGE, changed_job_id=EARLIER, created_job_id=3)
    names = ("holder_id", "uploader_id", "voice", "voice_carrier_id", "changed_job_id", "created_job_id")
    assert state_of(decided, *names) == (2, 2, 1, 10, EARLIER, 3)
    assert decided.images.column("holder_id").to_pylist() == [4], "the undo can be undone"


def test_an_undo_does_not_give_a_user_a_second_number() -> None:
    """R2, R27: the user has another one meanwhile."""
    image = IMAGE | {"holder_id": 4, "voice_user_id": PBX}
    for has, code in ((NUMBER, Code.RESTORED), (NUMBER + 5, Code.CHANGED_SINCE)):
        assert code_of(decide(world(JobKind.UNDO, BELOW | LEFT, slots={PBX: has}), **image)) is code


def two_rows(*, second_number: int) -> Decisions:
    """A row that can be assigned and, one number further, one that cannot."""
    row = {"target_id": 4, "voice": -1, "sms": -1, "fax": -1}
    chunk = rows_of(CHUNK, {"row": 2, "e164": NUMBER} | row, {"place": 1, "row": 3, "e164": second_number} | row)
    return resolve(chunk, assigning(FREE))


def test_all_or_nothing() -> None:
    """One row failed, so nothing is written, and the row that would have been says so."""
    stopped = abort(two_rows(second_number=NUMBER + 1), other_rows_failed=False)
    codes = [BY_NUMBER[code] for code in stopped.results.column("code").to_pylist()]
    assert codes == [Code.ABORTED, Code.NOT_FOUND]
    written = (stopped.create, stopped.update, stopped.delete, stopped.images)
    assert [len(each) for each in written] == [0, 0, 0, 0]


def test_all_or_nothing_where_all_is_well() -> None:
    decided = decide(assigning(FREE), target_id=4)
    assert abort(decided, other_rows_failed=False) is decided
    assert code_of(abort(decided, other_rows_failed=True)) is Code.ABORTED
    untouched = decide(assigning(BELOW), target_id=4)
    assert code_of(abort(untouched, other_rows_failed=True)) is Code.NO_CHANGE


def test_images_are_what_was() -> None:
    """R27: every column of the number as it stood before, and the stamp that this job leaves."""
    decided = decide(assigning(FREE | {"changed_job_id": EARLIER, "fax": 1}), target_id=4)
    image = {name: decided.images.column(name)[0].as_py() for name in ("existed", "stamp", *STATE.names)}
    before = {"changed_job_id": EARLIER, "holder_id": 2, "uploader_id": 2, "voice": 1, "fax": 1, "voice_carrier_id": 10}
    assert image == dict.fromkeys(image, 0) | {"existed": 1, "stamp": JOB} | before


def test_rules_are_asked_once_for_many_rows_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows of one holder cost one question."""
    asked = []
    monkeypatch.setattr(permissions, "check_delete", lambda *facts: asked.append(facts))
    numbers = np.arange(NUMBER, NUMBER + 1000)
    state = {name: np.full(1000, values[0]) for name, values in existing(**FREE).state.items()}
    many = replace(world(JobKind.DELETE), existing=replace(existing(**FREE), e164=numbers, state=state))
    chunk = rows_of(CHUNK, *({"place": place, "row": place + 2, "e164": int(numbers[place])} for place in range(1000)))
    assert len(resolve(chunk, many).delete) == 1000
    assert len(asked) == 1
