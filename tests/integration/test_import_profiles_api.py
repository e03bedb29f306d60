"""`/v1/import-profiles`: who sees, changes and deletes which profile, what a body may hold, and repeats (R3, R32)."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database import tables
from tests.support.api_client import Door, Json, text_of
from tests.support.factories import World
from worker.jobs import import_profiles

URL = "/v1/import-profiles"
NAMES = ("master", "north", "south", "clinic", "hotel", "school")
FOR = {
    "master": set(NAMES),
    "north": {"north", "clinic", "hotel"},
    "south": {"south", "school"},
    "clinic": {"clinic"},
    "hotel": {"hotel"},
    "school": {"school"},
}
MAPPING = {
    "columns": {"Phone Number": "TN", "Voice": 3},
    "constants": {"SMS": "TRUE"},
    "values": {"Voice": {"Y": "TRUE"}},
}
BODY: Json = {
    "name": "Carrier X",
    "mapping": MAPPING,
    "options": {"number_format": "national", "delimiter": "semicolon", "header_row": 2},
    "headers": ["TN", "Type", "Provider"],
}


@pytest.fixture
def profiles(database: sa.Engine, world: World) -> dict[str, str]:
    """The ids of one profile of each tenant, also of the hotel, which may not upload (any more)."""
    with database.begin() as connection:
        return {
            name: import_profiles.save(connection, getattr(world, name).id, "Mine", {}, {}, (), f"person at {name}")
            for name in NAMES
        }


def door(api: Door, world: World, name: str) -> Door:
    return api.as_(getattr(world, name).token)


def refusal(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def patch(api: Door, profile_id: str, body: Json) -> TestResponse:
    headers = {"Authorization": f"Bearer {api.token}"}
    return api.client.patch(f"{URL}/{profile_id}", json=body, headers=headers)


def delete(api: Door, profile_id: str) -> TestResponse:
    return api.client.delete(f"{URL}/{profile_id}", headers={"Authorization": f"Bearer {api.token}"})


def test_a_profile_is_created_read_changed_and_deleted(api: Door) -> None:
    answer = api.post(URL, BODY)
    assert answer.status_code == 201, text_of(answer)
    profile = answer.json
    assert answer.headers["Location"] == f"{URL}/{profile['id']}"
    assert profile["mapping"] == MAPPING | {"values": {"Voice": {"y": "TRUE"}}}
    assert {name: value for name, value in profile["options"].items() if value is not None} == {
        "number_format": "national",
        "delimiter": ";",
        "header_row": 2,
    }
    assert (profile["headers"], profile["can_change"], profile["last_used_at"]) == (BODY["headers"], True, None)
    assert profile["created_by"]
    assert api.get(answer.headers["Location"]).json == profile
    assert api.get(URL).json == {"data": [profile], "next_cursor": None}
    again = {name: profile[name] for name in ("mapping", "options", "headers")}
    assert patch(api, profile["id"], again).json == profile
    renamed = patch(api, profile["id"], {"name": " Carrier  Y "})
    assert renamed.json == profile | {"name": "Carrier Y"}
    replaced = patch(api, profile["id"], {"mapping": {"columns": {"Phone Number": 1}}, "options": {}, "headers": []})
    assert replaced.json["mapping"] == {"columns": {"Phone Number": 1}, "constants": {}, "values": {}}
    assert not any(replaced.json["options"].values())
    assert replaced.json["headers"] == []
    assert delete(api, profile["id"]).status_code == 204
    assert api.get(f"{URL}/{profile['id']}").status_code == 404


@pytest.mark.parametrize("actor", NAMES)
def test_r32_a_tenant_sees_its_own_profiles_and_those_above(
    api: Door, world: World, profiles: dict[str, str], actor: str
) -> None:
    api = door(api, world, actor)
    listed = {profile["id"] for profile in api.get(URL).json["data"]}
    assert listed == {profiles[owner] for owner in NAMES if actor in FOR[owner]}
    for owner in NAMES:
        answer = api.get(f"{URL}/{profiles[owner]}")
        assert answer.status_code == (200 if actor in FOR[owner] else 404)


@pytest.mark.parametrize("actor", NAMES)
def test_r32_a_profile_is_changed_by_its_own_tenant_if_it_may_upload(
    api: Door, world: World, profiles: dict[str, str], actor: str
) -> None:
    """R8, R9: the hotel may not upload; what it has, it can only look at."""
    api = door(api, world, actor)
    for owner in NAMES:
        allowed = owner == actor != "hotel"
        answers = patch(api, profiles[owner], {"name": "Other"}), delete(api, profiles[owner])
        if actor not in FOR[owner]:
            assert [refusal(answer) for answer in answers] == [(404, "NOT_FOUND")] * 2
        elif allowed:
            assert [answer.status_code for answer in answers] == [200, 204]
        else:
            assert [refusal(answer) for answer in answers] == [(403, "FORBIDDEN")] * 2
            assert api.get(f"{URL}/{profiles[owner]}").json["can_change"] is False


@pytest.mark.parametrize("actor", NAMES)
def test_r8_r9_r32_who_may_upload_creates_profiles(api: Door, world: World, actor: str) -> None:
    answer = door(api, world, actor).post(URL, BODY)
    if actor == "hotel":
        assert refusal(answer) == (403, "FORBIDDEN")
    else:
        assert answer.status_code == 201
        assert answer.json["tenant"]["id"] == getattr(world, actor).tenant.public_id


def test_r3_a_profile_of_a_tenant_above_does_not_tell_who_made_it_and_when_it_is_used(
    api: Door, database: sa.Engine, world: World, profiles: dict[str, str]
) -> None:
    with database.begin() as connection:
        connection.execute(tables.import_profiles.update().values(last_used_at=sa.func.now()))
    own = door(api, world, "north").get(f"{URL}/{profiles['north']}").json
    assert own["created_by"] == "person at north"
    assert own["last_used_at"] is not None
    seen = door(api, world, "clinic").get(f"{URL}/{profiles['north']}")
    assert (seen.json["created_by"], seen.json["last_used_at"]) == (None, None)
    assert seen.json["tenant"]["name"] == world.north.tenant.name
    assert "person at" not in text_of(seen)


def test_r3_what_is_elsewhere_answers_like_what_does_not_exist(
    api: Door, world: World, profiles: dict[str, str]
) -> None:
    api = door(api, world, "north")
    for profile_id in (profiles["south"], profiles["clinic"]):
        elsewhere, nowhere = (api.get(f"{URL}/{id_}") for id_ in (profile_id, "00000000-0000-4000-8000-000000000000"))
        assert (elsewhere.status_code, elsewhere.json) == (nowhere.status_code, nowhere.json)
        assert api.get(f"{URL}?cursor={profile_id}").json["field"] == "cursor"


def test_pages(api: Door) -> None:
    ids = [api.post(URL, BODY | {"name": f"P{number}"}).json["id"] for number in range(3)]
    first = api.get(f"{URL}?limit=2")
    assert [profile["id"] for profile in first.json["data"]] == ids[:2]
    assert 'rel="next"' in first.headers["Link"]
    second = api.get(f"{URL}?limit=2&cursor={first.json['next_cursor']}").json
    assert ([profile["id"] for profile in second["data"]], second["next_cursor"]) == (ids[2:], None)


TOO_MANY_VALUES = {f"v{number}": "TRUE" for number in range(101)}
INVALID: dict[str, Json] = {
    "R31: not one of our columns": {"mapping": {"columns": {"Colour": 1}}},
    "R31: both a column and a constant": {"mapping": {"columns": {"Voice": 2}, "constants": {"Voice": "TRUE"}}},
    "R31: no column before the first": {"mapping": {"columns": {"Voice": 0}}},
    "R31: something else in a mapping": {"mapping": {"rows": {}}},
    "R31: too many translations": {"mapping": {"values": {"Voice": TOO_MANY_VALUES}}},
    "an option that says what is written": {"options": {"voice_carrier": "Master Voice"}},
    "an option with a wrong value": {"options": {"number_format": "local"}},
    "a delimiter that is none": {"options": {"delimiter": "x"}},
    "an encoding that is none": {"options": {"encoding": "rot13"}},
    "a long column name": {"headers": ["x" * 1001]},
    "a column name that is no text": {"headers": [1]},
    "no name": {"name": " "},
    "the name reserved for no profile": {"name": " None "},
    "a long name": {"name": "x" * 201},
    "a field that is not one": {"tenant": "x"},
    "null": {"headers": None},
    "more than the limit of bytes": {"headers": [f"{number} {'x' * 900}" for number in range(80)]},
}


@pytest.mark.parametrize("fault", INVALID.values(), ids=INVALID)
def test_bodies_that_are_refused(api: Door, database: sa.Engine, fault: Json) -> None:
    profile_id = api.post(URL, BODY | {"name": "First"}).json["id"]
    assert refusal(api.post(URL, BODY | fault)) == (422, "INVALID_FIELD")
    assert refusal(patch(api, profile_id, fault)) == (422, "INVALID_FIELD")
    with database.begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.import_profiles)).scalar_one() == 1


def test_r31_a_hundred_translations_of_a_column_are_taken(api: Door) -> None:
    values = {"Voice": dict(list(TOO_MANY_VALUES.items())[:100])}
    assert api.post(URL, BODY | {"mapping": {"values": values}}).json["mapping"]["values"] == values


@pytest.mark.parametrize("text", ["\x00", "\ud800"])
def test_text_that_cannot_be_stored_is_refused(api: Door, text: str) -> None:
    for part in ({"headers": [text]}, {"mapping": {"constants": {"Voice": text}}}, {"options": {"sheet": text}}):
        assert api.post(URL, BODY | part).status_code in {400, 422}


def test_a_name_is_taken_once_in_a_tenant(api: Door, world: World) -> None:
    profile_id = api.post(URL, BODY).json["id"]
    other_id = api.post(URL, BODY | {"name": "Other"}).json["id"]
    taken = api.post(URL, BODY | {"name": "carrier  x"})
    assert refusal(taken) == (409, "NAME_TAKEN")
    assert taken.json["field"] == "name"
    assert refusal(patch(api, other_id, {"name": "CARRIER X"})) == (409, "NAME_TAKEN")
    assert patch(api, profile_id, {"name": "CARRIER X"}).status_code == 200
    assert door(api, world, "clinic").post(URL, BODY).status_code == 201


def test_profiles_are_bounded_in_number(api: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_profiles, "MOST_PER_TENANT", 1)
    api.post(URL, BODY)
    refused = api.post(URL, BODY | {"name": "Second"}, headers={"Idempotency-Key": "one"})
    assert (refusal(refused), refused.json["limit"]) == ((409, "LIMIT_REACHED"), 1)
    monkeypatch.setattr(import_profiles, "MOST_PER_TENANT", 2)
    again = api.post(URL, BODY | {"name": "Second"}, headers={"Idempotency-Key": "one"})
    assert again.status_code == 201


def test_a_repeated_request_creates_one_profile(api: Door) -> None:
    key: dict[str, Any] = {"headers": {"Idempotency-Key": "one"}}
    first = api.post(URL, BODY, **key)
    patch(api, first.json["id"], {"name": "Renamed"})
    again = api.post(URL, BODY, **key)
    assert (again.status_code, again.json, again.headers["Location"]) == (201, first.json, first.headers["Location"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(api.get(URL).json["data"]) == 1
    assert refusal(api.post(URL, BODY | {"name": "Other"}, **key)) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_repeated_request_whose_response_was_not_stored_gets_the_profile(api: Door, database: sa.Engine) -> None:
    key: dict[str, Any] = {"headers": {"Idempotency-Key": "one"}}
    first = api.post(URL, BODY, **key)
    with database.begin() as connection:
        connection.execute(tables.idempotency_keys.update().values(answer=None))
    again = api.post(URL, BODY, **key)
    assert (again.status_code, again.json, again.headers["Location"]) == (201, first.json, first.headers["Location"])
