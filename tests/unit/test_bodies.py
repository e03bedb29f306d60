"""What bodies of users and actions may look like (R2, R12, R18..R23), and what services are called."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas import request_problems
from schemas.codes import Code
from schemas.columns import Column
from schemas.http.actions import (
    Assignment,
    AssignOptions,
    CapabilityChange,
    ChangeOptions,
    Deletion,
    Unassignment,
    UnassignOptions,
)
from schemas.http.users import NewUser, UserChange
from schemas.request_problems import RequestCode
from schemas.user_services import NO_SERVICE, Service, name_of, read_services

NUMBERS = {"numbers": ["+12125550142"]}
PERSON = {"name": "Ann", "email": "ann@example.com"}


def refusal(model: type[BaseModel], body: Any) -> str:  # noqa: ANN401 - whatever came
    """What is said about a body that is refused."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("voice", Service.VOICE),
        (" SMS ", Service.SMS),
        ("Default DID", Service.VOICE),
        ("default_did", Service.VOICE),
        ("Forwarded-DIDs", Service.FORWARDED),
        ("voice + sms", Service.VOICE | Service.SMS),
        ("SMS and Forwarded", Service.FORWARDED | Service.SMS),
        ("both", Service.VOICE | Service.SMS),
        ("voice, voice", Service.VOICE),
        ("voice+forwarded", None),
        ("both + forwarded", None),
        ("fax", None),
        ("", None),
        ("voice+", None),
    ],
)
def test_services_are_read(text: str, services: Service | None) -> None:
    """R2: nobody has a number as Default DID and as Forwarded DID at once."""
    assert read_services(text) == services
    if services:
        assert read_services(name_of(services)) == services


def test_no_service_has_no_name() -> None:
    assert name_of(NO_SERVICE) == ""


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        (True, True),
        (False, False),
        (None, None),
        ("enable", True),
        (" Disable ", False),
        ("leave", None),
        ("", None),
        ("YES", True),
        ("off", False),
    ],
)
def test_capabilities_are_three_valued(word: object, meaning: bool | None) -> None:
    """R23."""
    assert ChangeOptions.model_validate({"sms": word}).sms is meaning


@pytest.mark.parametrize("word", ["perhaps", 1, 0, 2.5, [], {"on": True}])
def test_no_other_word_is_a_capability(word: object) -> None:
    assert "must be true, false, null, enable, disable or leave" in refusal(ChangeOptions, {"fax": word})


@pytest.mark.parametrize(
    ("model", "body", "said"),
    [
        (Assignment, NUMBERS, "tenant_id, user_id: send one of them"),
        (Assignment, NUMBERS | {"tenant_id": "a", "user_id": "b"}, "cannot be used with"),
        (Assignment, NUMBERS | {"tenant_id": "a", "service": "voice"}, "cannot be used with"),
        (AssignOptions, {"service": "fax"}, "service: must be"),
        (UnassignOptions, {"service": ""}, "service: must be"),
        (Unassignment, {}, "numbers, filter: send exactly one of them"),
        (Unassignment, NUMBERS | {"filter": {}, "expected_count": 1}, "numbers, filter: send exactly one of them"),
        (Deletion, {"filter": {}}, "expected_count: required with filter"),
        (Deletion, NUMBERS | {"expected_count": 1}, "expected_count: required with filter"),
        (Deletion, {"filter": {}, "expected_count": -1}, "greater than or equal to 0"),
        (Deletion, {"filter": {}, "expected_count": "1"}, "valid integer"),
        (Deletion, {"numbers": []}, "at least 1 item"),
        (Deletion, {"numbers": "+12125550142"}, "valid list"),
        (Deletion, {"numbers": [12125550142]}, "valid string"),
        (Deletion, {"numbers": ["1" * 257]}, "at most 256"),
        (Deletion, NUMBERS | {"mode": "later"}, "'apply' or 'review'"),
        (Deletion, NUMBERS | {"surprise": 1}, "Extra inputs"),
        (CapabilityChange, NUMBERS, "send at least one of them"),
        (CapabilityChange, NUMBERS | {"voice": "leave"}, "send at least one of them"),
        (NewUser, PERSON | {"kind": "pbx", "default_did": "+12125550142"}, "a PBX user has a phone_number"),
        (NewUser, PERSON | {"kind": "pbx", "forwarded_dids": ["+12125550142"]}, "a PBX user has a phone_number"),
        (NewUser, PERSON | {"kind": "trunk", "phone_number": "+12125550142"}, "a trunk user has a default_did"),
        (NewUser, PERSON | {"kind": "pbx", "sms_dids": ["+12125550142"]}, "sms_dids need sms_enabled"),
        (
            NewUser,
            PERSON | {"kind": "trunk", "default_did": "+12125550142", "forwarded_dids": ["+12125550142"]},
            "the same number is listed twice",
        ),
        (NewUser, PERSON | {"kind": "pbx", "extension": "+1431"}, "New users cannot get an extension"),
        (NewUser, PERSON | {"kind": "pbx", "phone_number": "2125550142"}, "must be the exact number"),
        (NewUser, PERSON | {"kind": "pbx", "phone_number": "+1 212 555 0142"}, "must be the exact number"),
        (NewUser, PERSON | {"kind": "fax"}, "'pbx' or 'trunk'"),
        (NewUser, {"name": "Ann", "email": "ann", "kind": "pbx"}, "@-sign"),
        (NewUser, [], "valid dictionary"),
        (UserChange, {"phone_number": "+12125550142"}, "POST /v1/assignments"),
        (UserChange, {"name": None}, "may not be null"),
        (UserChange, {"extension": "14312345678"}, "calling code followed by the extension"),
        (UserChange, {"extension": "+9991234567"}, "calling code followed by the extension"),
        (UserChange, [], "valid dictionary"),
    ],
)
def test_what_a_body_may_not_say(model: type[BaseModel], body: Any, said: str) -> None:  # noqa: ANN401
    assert said in refusal(model, body)


def test_what_a_new_user_is_given() -> None:
    """R2, R20: one number may serve for voice and for SMS."""
    body = {
        "kind": "trunk",
        "default_did": "+12125550142",
        "forwarded_dids": ["+12125550143"],
        "sms_enabled": True,
        "sms_dids": ["+12125550142", "+12125550144"],
    }
    assert NewUser.model_validate(PERSON | body).services() == {
        "+12125550142": Service.VOICE | Service.SMS,
        "+12125550143": Service.FORWARDED,
        "+12125550144": Service.SMS,
    }


def test_an_extension_stays_with_who_has_one() -> None:
    """R22: + and a calling code before it."""
    assert UserChange(extension="+14312345678").extension == "+14312345678"
    assert UserChange(extension=None).extension is None


def test_the_problem_of_a_request_tells_what_to_do() -> None:
    """RFC 9457, with a code and a way out."""
    body = request_problems.of_request(RequestCode.COUNT_CHANGED, "There are 7 now.", count=7)
    assert (body["status"], body["code"], body["detail"], body["count"]) == (
        409,
        "COUNT_CHANGED",
        "There are 7 now.",
        7,
    )
    assert body["fix"]
    assert request_problems.of_request(RequestCode.NOT_FOUND)["detail"]


@pytest.mark.parametrize(
    ("context", "column", "named"),
    [
        ({"value": "Acme", "field": "target"}, None, "Acme"),
        ({"value": "Acme"}, Column.USER, "user"),
        (None, None, "Your choice isn't an"),
    ],
)
def test_the_problem_of_a_file_speaks_of_what_was_named(
    context: dict[str, str] | None, column: Column | None, named: str
) -> None:
    body = request_problems.of_file(Code.TARGET_NOT_FOUND, context=context, column=column)
    assert named in body["title"]
    assert "{" not in body["title"] + body["fix"]
