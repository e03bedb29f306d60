"""Users through the HTTP API: who may make them, their numbers from the first moment on, and what protects them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database import tables
from tests.support import factories
from tests.support.api_client import Door, Json
from tests.support.factories import World

FREE = 12125550142
NEW = "+12125550199"
BODY = {"name": "Ada Ashford", "email": "ada@clinic.example", "kind": "pbx"}


@pytest.fixture
def clinic(api: Door, world: World) -> Door:
    """The API as an enterprise with Allow External Numbers."""
    return api.as_(world.clinic.token)


def post(door: Door, **body: Any) -> TestResponse:  # noqa: ANN401 - whatever is sent
    return door.client.post("/v1/users", json=BODY | body, headers=_headers(door, wait=0))


def patch(door: Door, user_id: str, **body: Any) -> TestResponse:  # noqa: ANN401 - whatever is sent
    return door.client.patch(f"/v1/users/{user_id}", json=body, headers=_headers(door))


def delete(door: Door, user_id: str) -> TestResponse:
    return door.client.delete(f"/v1/users/{user_id}", headers=_headers(door))


def _headers(door: Door, wait: int | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {door.token}"} | ({} if wait is None else {"Prefer": f"wait={wait}"})


def made(door: Door, **body: Any) -> Json:  # noqa: ANN401 - whatever is sent
    """A user that is made and has its numbers."""
    answer = post(door, **body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    door.work_off()
    found: Json = door.get(f"/v1/users/{answer.json['id']}").json
    return found


def number(database: sa.Engine, world: World, e164: int = FREE, **columns: Any) -> str:  # noqa: ANN401 - whatever is sent
    """A number of the clinic's, uploaded by its reseller, with Voice and SMS."""
    with database.begin() as connection:
        carriers = {"voice_carrier_id": world.carriers["Master Voice"], "sms_carrier_id": world.carriers["Master SMS"]}
        values = {"uploader_id": world.north.id, "sms": True, **carriers, **columns}
        factories.number(connection, e164, world.clinic.tenant, **values)
    return f"+{e164}"


def test_r2_a_user_is_made_listed_read_changed_and_deleted(clinic: Door, world: World) -> None:
    answer = post(clinic, sms_enabled=True)
    assert answer.status_code == 201
    user = answer.json
    assert answer.headers["Location"].endswith(f"/v1/users/{user['id']}")
    assert user["tenant"]["id"] == world.clinic.tenant.public_id
    assert (user["phone_number"], user["sms_dids"], user["job_id"], user["extension"]) == (None, [], None, None)
    assert clinic.get(f"/v1/users/{user['id']}").json == user
    assert [found["id"] for found in clinic.get("/v1/users?q=ada@&kind=pbx").json["data"]] == [user["id"]]
    assert clinic.get("/v1/users?kind=trunk").json["data"] == []
    assert patch(clinic, user["id"], name="Ada Lovelace", sms_enabled=False).json["name"] == "Ada Lovelace"
    assert delete(clinic, user["id"]).status_code == 204
    assert clinic.get(f"/v1/users/{user['id']}").status_code == 404


def test_r2_levels_above_make_users_of_the_enterprises_below(api: Door, world: World) -> None:
    assert post(api).status_code == 422  # a reseller has no users of its own
    assert post(api, tenant_id=world.clinic.tenant.public_id).status_code == 201
    elsewhere, nowhere = post(api, tenant_id=world.school.tenant.public_id), post(api, tenant_id="nothing")
    assert elsewhere.status_code == nowhere.status_code == 404
    assert elsewhere.json == nowhere.json


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_r3_a_user_elsewhere_is_as_if_there_were_none(clinic: Door, world: World, method: str) -> None:
    user = post(clinic).json
    stranger = clinic.as_(world.school.token)
    send = getattr(stranger.client, method)
    body = {"json": {"name": "Mine"}} if method == "patch" else {}
    answers = [send(f"/v1/users/{name}", headers=_headers(stranger), **body) for name in (user["id"], "nothing")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json == answers[1].json
    assert stranger.get("/v1/users").json["data"] == []
    ids = (world.clinic.tenant.public_id, "00000000-0000-4000-8000-000000000000")
    filtered = [stranger.get(f"/v1/users?tenant_id={tenant_id}") for tenant_id in ids]
    assert [answer.status_code for answer in filtered] == [422, 422]
    assert filtered[0].json == filtered[1].json


def test_r3_an_email_address_is_taken_only_within_its_enterprise(clinic: Door, world: World) -> None:
    assert post(clinic).status_code == 201
    assert post(clinic, email="ADA@clinic.example").json["code"] == "NAME_TAKEN"
    assert post(clinic.as_(world.hotel.token)).status_code == 201


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"kind": "fax"}, "kind"),
        ({"name": " "}, "name"),
        ({"email": "nobody"}, "email"),
        ({"extension": "+14312345678"}, "New users cannot get an extension"),
        ({"phone_number": "2125550142"}, "exact number"),
        ({"phone_number": "+1 212 555 0142"}, "exact number"),
        ({"phone_number": "(361) 555-0100"}, "exact number"),
        ({"kind": "trunk", "default_did": "3615550100"}, "exact number"),
        ({"kind": "trunk", "default_did": "+12125550142", "forwarded_dids": ["0361 5550100"]}, "exact number"),
        ({"sms_enabled": True, "sms_dids": ["003615550100"]}, "exact number"),
        ({"kind": "trunk", "default_did": "+12125550142x12"}, "exact number"),
        ({"kind": "trunk", "phone_number": NEW}, "for PBX users"),
        ({"default_did": NEW}, "for trunk users"),
        ({"forwarded_dids": [NEW]}, "for trunk users"),
        ({"sms_dids": [NEW]}, "need sms_enabled"),
        ({"kind": "trunk", "default_did": NEW, "forwarded_dids": [NEW]}, "twice"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_r22_what_does_not_fit_is_refused_with_its_reason(clinic: Door, body: dict[str, Any], says: str) -> None:
    answer = post(clinic, **body)
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
    assert says in answer.get_data(as_text=True)
    assert clinic.get("/v1/users").json["data"] == []


def test_r20_a_pbx_user_gets_one_number_for_voice_and_sms(clinic: Door, world: World, database: sa.Engine) -> None:
    free = number(database, world)
    user = made(clinic, phone_number=free, sms_enabled=True, sms_dids=[free])
    assert (user["phone_number"], user["sms_dids"]) == (free, [free])
    seen = clinic.get(f"/v1/numbers/{free}").json
    assert seen["voice_user"] == {
        "id": user["id"], "name": user["name"], "email": user["email"], "kind": "pbx", "service": "voice",
    }  # fmt: skip
    assert seen["sms_user"]["service"] == "sms"
    assert seen["status"] == "assigned"
    assert seen["can"]["codes"]["assign"] == "ASSIGNED_IN_USE"
    assert [found["e164"] for found in clinic.get(f"/v1/numbers?user_id={user['id']}").json["data"]] == [free]
    assert [entry["kind"] for entry in seen["history"]] == ["assign"]


def test_r20_a_trunk_user_gets_a_default_and_forwarded_dids(clinic: Door, world: World, database: sa.Engine) -> None:
    numbers = [number(database, world, FREE + place) for place in range(3)]
    user = made(clinic, kind="trunk", default_did=numbers[1], forwarded_dids=[numbers[2], numbers[0]])
    assert (user["default_did"], user["forwarded_dids"]) == (numbers[1], [numbers[0], numbers[2]])
    assert user["phone_number"] is None


def test_r21_numbers_are_added_while_a_user_is_made(clinic: Door, world: World) -> None:
    user = made(clinic, phone_number=NEW)
    assert user["phone_number"] == NEW
    seen = clinic.get(f"/v1/numbers/{NEW}").json
    assert (seen["is_external"], seen["voice"], seen["sms"], seen["voice_carrier"]) == (
        True,
        True,
        False,
        "Master Voice",
    )
    assert seen["uploaded_by"]["id"] == seen["tenant"]["id"] == world.clinic.tenant.public_id


def test_r21_without_the_right_a_number_elsewhere_and_none_are_the_same(
    clinic: Door, world: World, database: sa.Engine
) -> None:
    """R3: the refusal never tells whether the number exists."""
    taken = number(database, world)
    hotel = clinic.as_(world.hotel.token)
    there, nowhere = post(hotel, phone_number=taken), post(hotel, phone_number=NEW)
    assert there.status_code == nowhere.status_code == 403
    assert there.json["code"] == nowhere.json["code"] == "EXTERNAL_NOT_ALLOWED"
    assert there.get_data(as_text=True).replace(taken, NEW) == nowhere.get_data(as_text=True)
    assert hotel.get("/v1/users").json["data"] == []


def test_r20_every_number_that_cannot_be_given_is_told_at_once(clinic: Door, world: World, database: sa.Engine) -> None:
    """R17, R15: and nothing is made."""
    silent = number(database, world, FREE, voice=False, voice_carrier_id=None)
    with database.begin() as connection:
        factories.number(connection, FREE + 1, world.school.tenant)
    answer = post(
        clinic, kind="trunk", default_did=silent, forwarded_dids=[f"+{FREE + 1}", "+1999999999", NEW], sms_enabled=True
    )
    assert answer.status_code == 422
    found = {error["field"]: error["code"] for error in answer.json["errors"]}
    assert found == {
        "default_did": "CAPABILITY_REQUIRED",
        "forwarded_dids.0": "NUMBER_EXISTS_ELSEWHERE",
        "forwarded_dids.1": "TOO_SHORT",
    }
    assert all(error["message"] and error["fix"] for error in answer.json["errors"])
    assert not any(secret in answer.get_data(as_text=True) for secret in world.secrets_of_south)
    assert clinic.get("/v1/users").json["data"] == []
    assert clinic.get("/v1/jobs").json["data"] == []


@pytest.mark.long
def test_a_user_with_numbers_is_neither_deleted_nor_cut_off(clinic: Door, world: World, database: sa.Engine) -> None:
    free = number(database, world)
    user = made(clinic, sms_enabled=True, sms_dids=[free])
    for answer in (delete(clinic, user["id"]), patch(clinic, user["id"], sms_enabled=False)):
        assert (answer.status_code, answer.json["code"], answer.json["in_use_by"]) == (409, "IN_USE", ["numbers"])
    assert clinic.client.delete(
        f"/v1/tenants/{world.clinic.tenant.public_id}", headers=_headers(clinic.as_(world.north.token))
    ).json["in_use_by"] == ["numbers", "users", "jobs"]


def test_r22_only_a_user_that_has_an_extension_may_have_it_edited(
    clinic: Door, world: World, database: sa.Engine
) -> None:
    with database.begin() as connection:
        legacy = factories.user(connection, world.clinic.tenant, "trunk", extension="+14312345678")
        legacy_id = factories.public_id(connection, tables.users, legacy)
    assert patch(clinic, legacy_id, extension="+14312345679").json["extension"] == "+14312345679"
    for bad in ("4312345679", "+0431234567", "+143", "+1431234567890123"):
        assert patch(clinic, legacy_id, extension=bad).status_code == 422
    assert patch(clinic, legacy_id, extension=None).json["extension"] is None
    assert patch(clinic, legacy_id, extension="+14312345678").json["code"] == "INVALID_FIELD"
    newer = post(clinic).json["id"]
    assert patch(clinic, newer, extension="+14312345678").json["code"] == "INVALID_FIELD"


def test_numbers_are_not_changed_with_the_user(clinic: Door) -> None:
    user = post(clinic).json
    answer = patch(clinic, user["id"], phone_number=NEW)
    assert answer.status_code == 422
    assert "/v1/assignments" in answer.get_data(as_text=True)


@pytest.mark.long
def test_r2_two_users_made_at_once_with_one_number(
    clinic: Door, world: World, database: sa.Engine, work_off: Callable[[], None]
) -> None:
    """R20: one of them has it in the end, the other's job tells why not."""
    free = number(database, world)
    answers: list[TestResponse] = []

    def make(email: str) -> None:
        door = Door(clinic.client.application.test_client(), clinic.token, work_off)
        answers.append(post(door, email=email, phone_number=free))

    threads = [threading.Thread(target=make, args=(f"{name}@x.example",)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work_off()
    users = [clinic.get(f"/v1/users/{answer.json['id']}").json for answer in answers if answer.status_code == 201]
    assert [user["phone_number"] for user in users].count(free) == 1
    codes = [clinic.rows(answer.json["job_id"])[0]["code"] for answer in answers if answer.status_code == 201]
    assert sorted(codes) in (["ASSIGNED"], ["ASSIGNED", "ASSIGNED_IN_USE"])
