"""The rules about numbers, users and jobs, asked without a database: R2, R3, R17..R25, R27.

What they make of whole rows is in `test_resolve_actions`; here is every branch of every rule once.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas import permissions
from schemas.codes import Code
from schemas.permissions import NumberFacts, Tenant, User
from schemas.request_problems import RequestCode
from schemas.user_services import NO_SERVICE, Service
from tests.unit.small_world import CLINIC, ENTERPRISE, MASTER, NURSE, PBX, RESELLER, SIBLING, TRUNK, USERS

FREE = NumberFacts(RESELLER, RESELLER)
GIVEN = NumberFacts(ENTERPRISE, RESELLER)
VOICE_USED, SMS_USED = replace(GIVEN, voice_user=True), replace(GIVEN, sms=True, sms_user=True)


@pytest.mark.parametrize("actor", [MASTER, RESELLER, SIBLING, ENTERPRISE, CLINIC])
@pytest.mark.parametrize("number", [FREE, GIVEN, VOICE_USED, SMS_USED])
def test_r3_a_number_outside_the_tree_does_not_exist_for_any_rule(actor: Tenant, number: NumberFacts) -> None:
    """Not found comes before every other reason: those would tell that it exists."""
    inside = number.holder.is_within(actor)
    target = replace(ENTERPRISE, id=77, path=(*actor.path, 77))
    answers = (
        permissions.check_seen(actor, number),
        permissions.check_assign(actor, number, target),
        permissions.check_unassign(actor, number),
        permissions.check_change(actor, number),
        permissions.check_delete(actor, number),
        permissions.check_give(actor, number, Service.VOICE),
        permissions.check_assignable(actor, number),
        permissions.check_expected_holder(actor, number, 99),
        permissions.check_unassigned(actor, number),
    )
    assert [answer is Code.NOT_FOUND for answer in answers] == [not inside] * len(answers)
    assert permissions.check_seen(actor, None) is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("actor", "target", "code"),
    [
        (RESELLER, ENTERPRISE, None),
        (RESELLER, RESELLER, Code.TARGET_NOT_FOUND),
        (RESELLER, SIBLING, Code.TARGET_NOT_FOUND),
        (RESELLER, MASTER, Code.TARGET_NOT_FOUND),
        (RESELLER, None, Code.TARGET_NOT_FOUND),
        (MASTER, ENTERPRISE, None),
    ],
)
def test_r19_targets_are_below(actor: Tenant, target: Tenant | None, code: Code | None) -> None:
    assert permissions.check_below(actor, target) is code


def test_r19_a_number_that_is_where_it_should_go_is_not_refused_for_being_used() -> None:
    assert permissions.check_assign(RESELLER, VOICE_USED, ENTERPRISE) is None
    assert permissions.check_assign(RESELLER, VOICE_USED, CLINIC) is Code.ASSIGNED_IN_USE


@pytest.mark.parametrize(
    ("number", "service", "code"),
    [
        (GIVEN, Service.VOICE, None),
        (GIVEN, Service.SMS, Code.CAPABILITY_REQUIRED),
        (replace(GIVEN, voice=False), Service.FORWARDED, Code.CAPABILITY_REQUIRED),
        (replace(GIVEN, sms=True), Service.VOICE | Service.SMS, None),
        (VOICE_USED, Service.VOICE, Code.ASSIGNED_IN_USE),
        (replace(VOICE_USED, sms=True), Service.SMS, None),
        (SMS_USED, Service.SMS, Code.ASSIGNED_IN_USE),
        (SMS_USED, Service.VOICE, None),
    ],
)
def test_r20_a_service_needs_its_capability_and_has_one_user(
    number: NumberFacts, service: Service, code: Code | None
) -> None:
    assert permissions.check_give(ENTERPRISE, number, service) is code


@pytest.mark.parametrize(
    ("user", "service", "code"),
    [
        (USERS[PBX], Service.VOICE, None),
        (USERS[PBX], Service.FORWARDED, Code.TARGET_NOT_FOUND),
        (USERS[PBX], Service.SMS, Code.CAPABILITY_REQUIRED),
        (USERS[TRUNK], Service.FORWARDED | Service.SMS, None),
        (USERS[TRUNK], NO_SERVICE, Code.TARGET_NOT_FOUND),
    ],
)
def test_r2_what_a_user_can_have(user: User, service: Service, code: Code | None) -> None:
    assert permissions.check_service(user, service) is code


def test_r20_users_get_numbers_of_their_own_enterprise() -> None:
    assert permissions.check_holds(GIVEN, USERS[PBX]) is None
    assert permissions.check_holds(GIVEN, USERS[NURSE]) is Code.TARGET_NOT_FOUND
    assert permissions.check_user(CLINIC, USERS[NURSE]) is None
    for foreign in (USERS[PBX], None):
        assert permissions.check_user(CLINIC, foreign) is Code.TARGET_NOT_FOUND


@pytest.mark.parametrize(
    ("actor", "number", "code", "goes_to"),
    [
        (MASTER, NumberFacts(ENTERPRISE, MASTER), None, RESELLER),
        (MASTER, NumberFacts(RESELLER, MASTER), None, MASTER),
        (RESELLER, GIVEN, None, RESELLER),
        (RESELLER, FREE, None, RESELLER),
        (RESELLER, NumberFacts(ENTERPRISE, ENTERPRISE), None, ENTERPRISE),
        (RESELLER, VOICE_USED, Code.ASSIGNED_IN_USE, RESELLER),
        (ENTERPRISE, VOICE_USED, None, ENTERPRISE),
    ],
)
def test_r19_taking_back_goes_one_level_up(
    actor: Tenant, number: NumberFacts, code: Code | None, goes_to: Tenant
) -> None:
    """Never above who asks, never above who uploaded it."""
    assert permissions.check_unassign(actor, number) is code
    assert permissions.takes_back_to(actor, number) == goes_to.id


@pytest.mark.parametrize(
    ("number", "voice", "sms", "carrier"),
    [
        (GIVEN, None, None, None),
        (VOICE_USED, Code.ASSIGNED_IN_USE, None, Code.ASSIGNED_IN_USE),
        (SMS_USED, None, Code.ASSIGNED_IN_USE, Code.ASSIGNED_IN_USE),
    ],
)
def test_r23_what_a_user_needs_stays(
    number: NumberFacts, voice: Code | None, sms: Code | None, carrier: Code | None
) -> None:
    assert permissions.check_switch_off(number, Service.VOICE) is voice
    assert permissions.check_switch_off(number, Service.SMS) is sms
    assert permissions.check_other_carrier(number) is carrier


@pytest.mark.parametrize(
    ("number", "expected", "code"),
    [
        (FREE, None, None),
        (FREE, RESELLER.id, None),
        (GIVEN, ENTERPRISE.id, None),
        (GIVEN, RESELLER.id, Code.CHANGED_SINCE),
        (VOICE_USED, CLINIC.id, Code.CHANGED_SINCE),
    ],
)
def test_r19_a_number_moves_only_from_the_holder_that_was_shown(
    number: NumberFacts, expected: int | None, code: Code | None
) -> None:
    assert permissions.check_expected_holder(RESELLER, number, expected) is code


@pytest.mark.parametrize(
    ("actor", "number", "code"),
    [
        (RESELLER, FREE, None),
        (RESELLER, NumberFacts(RESELLER, MASTER), None),
        (RESELLER, GIVEN, Code.ASSIGNED_IN_USE),
        (RESELLER, NumberFacts(ENTERPRISE, ENTERPRISE), Code.ASSIGNED_IN_USE),
        (MASTER, FREE, Code.ASSIGNED_IN_USE),
        (ENTERPRISE, GIVEN, None),
        (ENTERPRISE, SMS_USED, Code.ASSIGNED_IN_USE),
        (ENTERPRISE, VOICE_USED, Code.ASSIGNED_IN_USE),
    ],
)
def test_r19_unassigned_is_what_neither_a_customer_nor_a_user_has(
    actor: Tenant, number: NumberFacts, code: Code | None
) -> None:
    assert permissions.check_unassigned(actor, number) is code


@pytest.mark.parametrize(
    ("actor", "number", "code"),
    [
        (RESELLER, FREE, None),
        (RESELLER, GIVEN, Code.ASSIGNED_IN_USE),
        (RESELLER, replace(FREE, voice_user=True), Code.ASSIGNED_IN_USE),
        (MASTER, FREE, Code.NOT_UPLOADER),
        (ENTERPRISE, VOICE_USED, Code.NOT_UPLOADER),
    ],
)
def test_r24_r25_who_deletes_what(actor: Tenant, number: NumberFacts, code: Code | None) -> None:
    assert permissions.check_delete(actor, number) is code


@pytest.mark.parametrize(
    ("actor", "number", "code"),
    [
        (RESELLER, FREE, None),
        (RESELLER, VOICE_USED, Code.ASSIGNED_IN_USE),
        (ENTERPRISE, GIVEN, None),
        (ENTERPRISE, replace(VOICE_USED, sms=True), None),
        (ENTERPRISE, VOICE_USED, Code.ASSIGNED_IN_USE),
        (ENTERPRISE, replace(GIVEN, voice=False), Code.CAPABILITY_REQUIRED),
    ],
)
def test_r18_whether_there_is_anybody_to_give_it_to(actor: Tenant, number: NumberFacts, code: Code | None) -> None:
    assert permissions.check_assignable(actor, number) is code


@pytest.mark.parametrize(
    ("actor", "tenant", "code"),
    [
        (ENTERPRISE, ENTERPRISE, None),
        (RESELLER, ENTERPRISE, None),
        (RESELLER, RESELLER, RequestCode.INVALID_FIELD),
        (CLINIC, ENTERPRISE, RequestCode.NOT_FOUND),
        (CLINIC, None, RequestCode.NOT_FOUND),
    ],
)
def test_r2_where_users_are_made(actor: Tenant, tenant: Tenant | None, code: RequestCode | None) -> None:
    assert permissions.check_create_user(actor, tenant) is code


@pytest.mark.parametrize(
    ("actor", "owner", "code"),
    [
        (RESELLER, RESELLER, None),
        (RESELLER, ENTERPRISE, RequestCode.FORBIDDEN),
        (ENTERPRISE, RESELLER, RequestCode.NOT_FOUND),
        (SIBLING, RESELLER, RequestCode.NOT_FOUND),
    ],
)
def test_r27_who_confirms_cancels_and_undoes(actor: Tenant, owner: Tenant, code: RequestCode | None) -> None:
    assert permissions.check_control(actor, owner) is code


def test_r2_r27_what_is_taken_or_has_changed() -> None:
    assert (permissions.check_slot(taken=True), permissions.check_slot(taken=False)) == (Code.ASSIGNED_IN_USE, None)
    assert permissions.check_unchanged(unchanged=True) is None
    assert permissions.check_unchanged(unchanged=False) is Code.CHANGED_SINCE


@pytest.mark.parametrize(
    ("actor", "holder", "code"),
    [
        (RESELLER, ENTERPRISE, None),
        (RESELLER, SIBLING, Code.NUMBER_EXISTS_ELSEWHERE),
        (CLINIC, RESELLER, Code.NUMBER_EXISTS_ELSEWHERE),
    ],
)
def test_r17_a_number_elsewhere_is_merely_taken(actor: Tenant, holder: Tenant, code: Code | None) -> None:
    assert permissions.check_existing(actor, holder) is code
