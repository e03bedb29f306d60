"""Users in the portal, with their numbers for voice and for SMS, by the forms that people send (R2, R20..R22)."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database import tables
from tests.support import factories
from tests.support.factories import World
from tests.support.html_forms import Found, follow, form_of, forms_of, send
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of
from webhook.portal.accounts import user_numbers as user_number_pages
from webhook.services import number_grants, user_numbers

Fields = dict[str, str | list[str]]
FIRST = 12125550100
FREE = [f"+{FIRST + step}" for step in range(6)]
NEW = "+12125550199"
pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture
def stock(world: World, database: sa.Engine) -> None:
    """Numbers of the clinic (`FREE`, with Voice and SMS), and one of the hotel."""
    with database.begin() as connection:
        carriers = {"voice_carrier_id": world.carriers["Master Voice"], "sms_carrier_id": world.carriers["Master SMS"]}
        for step in range(len(FREE)):
            factories.number(
                connection, FIRST + step, world.clinic.tenant, uploader_id=world.north.id, sms=True, **carriers
            )
        factories.number(connection, FIRST + 50, world.hotel.tenant, uploader_id=world.north.id, **carriers)


@pytest.fixture
def clinic(world: World, database: sa.Engine, stock: None) -> Portal:
    del stock
    return signed_in(database, world.clinic.tenant)


@pytest.fixture
def hotel(world: World, database: sa.Engine, stock: None) -> Portal:
    """An enterprise without Allow External Numbers."""
    del stock
    return signed_in(database, world.hotel.tenant)


@pytest.fixture
def hire(world: World, database: sa.Engine) -> Callable[..., str]:
    """Makes a user of the clinic; answers its public id."""

    def make(
        kind: str = "pbx",
        name: str = "Ada Lind",
        numbers: dict[int, dict[str, Any]] | None = None,
        **columns: Any,  # noqa: ANN401 - columns
    ) -> str:
        with database.begin() as connection:
            inner = factories.user(connection, world.clinic.tenant, kind, name=name, **columns)
            for step, uses in (numbers or {}).items():
                where = tables.phone_numbers.c.e164 == FIRST + step
                values = {key: inner if value == "user" else value for key, value in uses.items()}
                connection.execute(tables.phone_numbers.update().where(where).values(values))
            return factories.public_id(connection, tables.users, inner)

    return make


@pytest.fixture
def has(database: sa.Engine) -> Callable[[str], dict[str, list[str]]]:
    """What a user of that name has: "voice", "forwarded", "sms" -> numbers."""

    def look(name: str) -> dict[str, list[str]]:
        number = tables.phone_numbers.c
        with database.connect() as connection:
            user = connection.execute(sa.select(tables.users.c.id).where(tables.users.c.name == name)).scalar_one()
            rows = connection.execute(sa.select(tables.phone_numbers).order_by(number.e164)).all()
        return {
            "voice": [f"+{row.e164}" for row in rows if row.voice_user_id == user and not row.voice_forwarded],
            "forwarded": [f"+{row.e164}" for row in rows if row.voice_user_id == user and row.voice_forwarded],
            "sms": [f"+{row.e164}" for row in rows if row.sms_user_id == user],
        }

    return look


def wrong(answer: TestResponse, field: str) -> str:
    """What is said beside a field."""
    found = re.search(rf'id="e-{field}">.*?<span>([^<]*)</span>', answer.get_data(as_text=True), re.DOTALL)
    assert found, text_of(answer)
    return unescape(found[1])


def add_form(browser: Portal, kind: str = "pbx", where: str = "") -> Found:
    return form_of(browser.get(f"/users/new?kind={kind}{where}"), "/users/new")


def edit_form(browser: Portal, user: str) -> Found:
    return form_of(browser.get(f"/users/{user}"), f"/users/{user}")


def sms_form(browser: Portal, user: str) -> Found:
    return form_of(browser.get(f"/users/{user}/sms"), f"/users/{user}/sms")


# Adding


def test_r20_a_pbx_user_is_added_with_a_number_of_the_list(clinic: Portal, has: Callable[[str], Any]) -> None:
    form = add_form(clinic)
    assert form.options("phone_number") == ["", *FREE]
    fields = {"name": "Ada", "email": "ada@clinic.example", "phone_number": FREE[1]}
    page = follow(clinic, send(clinic, form, "Add user", **fields))
    assert "Ada was added. +1 212-555-0101 was assigned to Ada." in toasts_of(page)
    assert has("Ada")["voice"] == [FREE[1]]
    assert FREE[1] not in add_form(clinic).options("phone_number")


def test_r20_a_trunk_user_is_added_with_default_and_forwarded_dids(clinic: Portal, has: Callable[[str], Any]) -> None:
    form = add_form(clinic, "trunk")
    fields: Fields = {
        "name": "Carl",
        "email": "carl@clinic.example",
        "default_did": FREE[0],
        "forwarded_dids": FREE[1:3],
    }
    page = follow(clinic, send(clinic, form, "Add user", **fields, sms_enabled="1"))
    assert "Carl was added. 3 numbers were assigned to Carl." in toasts_of(page)
    assert has("Carl") == {"voice": [FREE[0]], "forwarded": FREE[1:3], "sms": []}
    assert re.search(r"/users/[\w-]+/sms\">Choose the numbers for SMS", page.get_data(as_text=True))


@pytest.mark.long
def test_r21_a_new_number_may_be_typed_where_external_numbers_are_allowed(
    clinic: Portal, hotel: Portal, has: Callable[[str], Any]
) -> None:
    form = add_form(clinic)
    page = follow(clinic, send(clinic, form, name="Ada", email="ada@clinic.example", new_number="+1 (212) 555-0199"))
    assert "+1 212-555-0199 was assigned to Ada." in toasts_of(page)
    assert has("Ada")["voice"] == [NEW]
    assert "new_number" not in add_form(hotel).names()
    assert "You can't enter new numbers here." in text_of(hotel.get("/users/new?kind=pbx"))
    answer = hotel.post(
        "/users/new?kind=pbx", {"name": "Bo", "email": "bo@hotel.example", "new_number": "+12125550198"}
    )
    assert answer.status_code == 422
    assert "No matching users" not in text_of(hotel.get("/users"))
    assert "Bo" not in text_of(hotel.get("/users"))


@pytest.mark.parametrize(
    ("filled", "field", "says"),
    [
        ({"name": ""}, "name", "This is required."),
        ({"email": "nobody"}, "email", "@-sign"),
        ({"email": "TAKEN@clinic.example"}, "email", "Use another address."),
        ({"new_number": "0142"}, "new_number", "exact number"),
        ({"new_number": "(361) 555-0100"}, "new_number", "exact number"),
        ({"new_number": "0044 20 7946 0044"}, "new_number", "exact number"),
        ({"new_number": "+44 (0)20 7946 0044"}, "new_number", "without “(0)”"),
        ({"new_number": "+44 020 7946 0044"}, "new_number", "isn't in a number range"),
        ({"new_number": "+12125550142x12"}, "new_number", "exact number"),
        ({"new_number": NEW, "phone_number": FREE[0]}, "new_number", "not both"),
        ({"new_number": "+12125550150"}, "new_number", "+1 212-555-0150"),
        ({"phone_number": FREE[5]}, "phone_number", "+1 212-555-0105"),
    ],
)
def test_r22_what_does_not_fit_is_told_beside_the_field_and_nothing_is_made(
    clinic: Portal, hire: Callable[..., str], filled: dict[str, str], field: str, says: str
) -> None:
    form = add_form(clinic)
    hire(name="Taken", email="taken@clinic.example", numbers={5: {"voice_user_id": "user"}})
    answer = send(clinic, form, **{"name": "Ada", "email": "ada@clinic.example", **filled})
    assert answer.status_code == 422
    assert says in wrong(answer, field)
    again = form_of(answer, "/users/new")
    assert {one.value for one in again.controls if one.name == "name"} == {filled.get("name", "Ada")}
    assert "Ada" not in text_of(clinic.get("/users"))


def test_an_email_that_somebody_has_is_told_in_words(clinic: Portal, hire: Callable[..., str]) -> None:
    """Beside the field and above the form; codes are for programs."""
    hire(name="Ada", email="ada@clinic.example")
    answer = send(clinic, add_form(clinic), name="Other Ada", email="ADA@clinic.example")
    assert answer.status_code == 422
    told = "Another user of this enterprise already has this e-mail address. Use another address."
    assert wrong(answer, "email") == told
    assert f"E-mail : {told}" in text_of(answer)
    assert "NAME_TAKEN" not in text_of(answer)


def test_r2_levels_above_say_whose_user_it_is(
    portal: Portal, world: World, stock: None, has: Callable[[str], Any]
) -> None:
    del stock
    form = form_of(portal.get("/users/new?kind=trunk"), "/users/new", "get")
    enterprises = {world.clinic.tenant.public_id, world.hotel.tenant.public_id}
    assert set(form.options("tenant_id")) == {"", *enterprises}
    page = send(portal, form, "Continue", tenant_id=world.hotel.tenant.public_id)
    form = form_of(page, "/users/new")
    assert form.options("default_did") == ["", f"+{FIRST + 50}"]
    page = follow(portal, send(portal, form, name="Bo", email="bo@hotel.example", default_did=f"+{FIRST + 50}"))
    assert has("Bo")["voice"] == [f"+{FIRST + 50}"]
    assert "Bo" in text_of(page)
    for other in (world.school, world.south, world.north):
        assert portal.get(f"/users/new?kind=pbx&tenant_id={other.tenant.public_id}").status_code == 404


def test_thousands_of_free_numbers_are_searched_without_losing_the_form(
    clinic: Portal, database: sa.Engine, world: World
) -> None:
    with database.begin() as connection:
        for step in range(120):
            factories.number(connection, 13105550100 + step, world.clinic.tenant)
    form = add_form(clinic, "trunk")
    assert len(form.options("default_did")) == 101
    assert "+13105550199" not in form.options("default_did")
    fields: Fields = {"name": "Carl", "default_did": FREE[0], "forwarded_dids": [FREE[1]], "box_q": "1 310-555 019"}
    for button in ("Search", ""):  # by the button, or by Enter
        answer = send(clinic, form, button, **fields)
        assert answer.status_code == 200
        found = form_of(answer, "/users/new")
        assert {one.value for one in found.controls if one.name == "name"} == {"Carl"}
        ticked = [one.value for one in found.controls if one.name == "forwarded_dids" and one.is_on]
        assert ticked == [FREE[1]]
        assert "+13105550199" in found.options("forwarded_dids")
        assert text_of(answer).count("Showing the first") == 1  # of the Default DIDs; the search shows all that match
        assert next(one.value for one in found.controls if one.name == "default_did") == FREE[0]
    part = clinic.get(
        f"/choices/free/{world.clinic.tenant.public_id}/voice/options?main_q=1310555019&phone_number=%2B{FREE[2][1:]}"
    )
    assert re.findall(r'value="(\+?\d*)"( selected)?', part.get_data(as_text=True))[:2] == [
        ("", ""),
        (FREE[2], " selected"),
    ]
    assert len(re.findall("<option", part.get_data(as_text=True))) == 12
    for other in (world.hotel, world.school):
        part = clinic.get(f"/choices/free/{other.tenant.public_id}/voice/boxes")
        assert "checkbox" not in part.get_data(as_text=True)


@pytest.mark.parametrize(("most", "counted"), [(1_000, str(120 + len(FREE))), (100, "100+")], ids=["all", "bounded"])
def test_boxes_count_all_numbers_not_only_those_that_are_loaded(
    clinic: Portal, database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch, most: int, counted: str
) -> None:
    """Also while a search shows a few of them; no more than a bound are counted."""
    monkeypatch.setattr(user_number_pages, "COUNTED", most)
    with database.begin() as connection:
        for step in range(120):
            factories.number(connection, 13105550100 + step, world.clinic.tenant)
    page = clinic.get("/users/new?kind=trunk")
    free = len(form_of(clinic.get("/users/new?kind=pbx"), "/users/new").options("phone_number")) - 1
    assert free == 100
    said = text_of(page)
    assert f"Available numbers {counted} " in said
    assert "Forwarded DIDs 0 " in said
    assert f"Showing the first 100 of {counted}. Search by the start of a number." in said
    form = form_of(page, "/users/new")
    found = text_of(send(clinic, form, "Search", name="Carl", box_q="1 310-555 019"))
    assert f"Available numbers {counted} " in found
    assert "10 match. Search by the start of a number." in found
    part = clinic.get(f"/choices/free/{world.clinic.tenant.public_id}/voice/boxes?box_q=1310555").get_data(as_text=True)
    assert f"of {'120' if most == 1_000 else counted} that match." in part
    assert 'id="m-box_q"' in part
    assert 'hx-swap-oob="true"' in part


# Editing


@pytest.mark.long
def test_r20_a_phone_number_is_changed_and_taken_away(
    clinic: Portal, hire: Callable[..., str], has: Callable[[str], Any]
) -> None:
    ada = hire(numbers={0: {"voice_user_id": "user"}})
    form = edit_form(clinic, ada)
    assert next(one.value for one in form.controls if one.name == "phone_number") == FREE[0]
    page = follow(clinic, send(clinic, form, "Save", phone_number=FREE[3], name="Ada Lovelace"))
    said = toasts_of(page)
    assert "Ada Lovelace was saved." in said
    assert "+1 212-555-0100 was unassigned from Ada Lovelace. +1 212-555-0103 was assigned to Ada Lovelace." in said
    assert has("Ada Lovelace")["voice"] == [FREE[3]]
    follow(clinic, send(clinic, edit_form(clinic, ada), "Save", phone_number=""))
    assert has("Ada Lovelace")["voice"] == []
    page = follow(clinic, send(clinic, edit_form(clinic, ada), "Save", new_number=NEW))
    assert has("Ada Lovelace")["voice"] == [NEW]


@pytest.mark.long
def test_r20_dids_of_a_trunk_change_their_roles(
    clinic: Portal, hire: Callable[..., str], has: Callable[[str], Any]
) -> None:
    voice, forwarded = {"voice_user_id": "user"}, {"voice_user_id": "user", "voice_forwarded": True}
    carl = hire("trunk", "Carl", numbers={0: voice, 1: forwarded, 2: forwarded})
    form = edit_form(clinic, carl)
    ticked = [one.value for one in form.controls if one.name == "forwarded_dids" and one.is_on]
    assert ticked == FREE[1:3]
    follow(clinic, send(clinic, form, "Save", default_did=FREE[4], forwarded_dids=[FREE[2], FREE[0], FREE[3]]))
    assert has("Carl") == {"voice": [FREE[4]], "forwarded": [FREE[0], FREE[2], FREE[3]], "sms": []}


def test_r22_only_who_has_an_extension_can_have_it_edited(
    clinic: Portal, hire: Callable[..., str], database: sa.Engine
) -> None:
    ada, dora = hire(), hire("trunk", "Dora", extension="+14312345678")
    assert "extension" not in edit_form(clinic, ada).names()
    assert "extension" not in add_form(clinic, "trunk").names()
    form = edit_form(clinic, dora)
    assert "exact" not in wrong(send(clinic, form, extension="4312"), "extension")
    assert wrong(send(clinic, form, extension=""), "extension") == "This is required."
    follow(clinic, send(clinic, form, "Save", extension="+442071234"))
    with database.connect() as connection:
        query = sa.select(tables.users.c.extension).where(tables.users.c.name == "Dora")
        assert connection.execute(query).scalar_one() == "+442071234"
    assert (
        clinic.post(f"/users/{ada}", {"name": "Ada", "email": "a@b.example", "extension": "+441234567"}).status_code
        == 422
    )


def test_a_form_that_is_refused_changes_nothing(
    clinic: Portal, hire: Callable[..., str], has: Callable[[str], Any]
) -> None:
    ada = hire(numbers={0: {"voice_user_id": "user"}})
    form = edit_form(clinic, ada)
    hire(name="Bo", email="bo@clinic.example", numbers={3: {"voice_user_id": "user"}})
    taken = send(clinic, form, "Save", phone_number=FREE[3], name="Other")
    assert "+1 212-555-0103" in wrong(taken, "phone_number")
    email = send(clinic, form, "Save", phone_number=FREE[4], email="BO@clinic.example")
    assert "Use another address." in wrong(email, "email")
    assert wrong(send(clinic, form, "Save", name=" "), "name") == "This is required."
    assert has("Ada Lind")["voice"] == [FREE[0]]


@pytest.mark.long
def test_two_tabs_that_change_one_number(clinic: Portal, hire: Callable[..., str], has: Callable[[str], Any]) -> None:
    ada = hire(numbers={0: {"voice_user_id": "user"}})
    first, second, third = (edit_form(clinic, ada) for _ in range(3))
    follow(clinic, send(clinic, first, "Save", phone_number=FREE[1]))
    late = send(clinic, second, "Save", phone_number=FREE[2])
    assert "The user now has +1 212-555-0101." in wrong(late, "phone_number")
    follow(clinic, send(clinic, third, "Save", name="Ada Byron"))
    assert has("Ada Byron")["voice"] == [FREE[1]]


@pytest.mark.long
def test_r27_a_number_that_goes_to_somebody_else_meanwhile_leaves_the_user_its_own(
    clinic: Portal, hire: Callable[..., str], has: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = hire(numbers={0: {"voice_user_id": "user"}})
    judged = number_grants.refuse_bad_numbers

    def judge(*arguments: Any) -> bool:  # noqa: ANN401 - handed on
        found = judged(*arguments)
        hire(name="Bo", numbers={3: {"voice_user_id": "user"}})
        return found

    monkeypatch.setattr(user_numbers, "refuse_bad_numbers", judge)
    page = follow(clinic, send(clinic, edit_form(clinic, ada), "Save", phone_number=FREE[3]))
    said = toasts_of(page)
    assert "+1 212-555-0103 could not be assigned to Ada Lind." in said
    assert "Ada Lind keeps +1 212-555-0100." in said
    assert (has("Ada Lind")["voice"], has("Bo")["voice"]) == ([FREE[0]], [FREE[3]])


# Manage SMS


@pytest.mark.long
def test_r20_sms_there_and_back(
    clinic: Portal, hire: Callable[..., str], has: Callable[[str], Any], database: sa.Engine
) -> None:
    ada = hire()
    form = sms_form(clinic, ada)
    page = follow(clinic, send(clinic, form, "Submit", sms_enabled="1", sms_dids=FREE[:3]))
    assert "SMS is now on for Ada Lind. 3 numbers were assigned to Ada Lind." in toasts_of(page)
    assert has("Ada Lind")["sms"] == FREE[:3]
    form = sms_form(clinic, ada)
    assert [one.value for one in form.controls if one.name == "sms_dids" and one.is_on] == FREE[:3]
    page = follow(clinic, send(clinic, form, "Submit", sms_dids=[FREE[1], FREE[4]]))
    assert has("Ada Lind")["sms"] == [FREE[1], FREE[4]]
    refused = send(clinic, sms_form(clinic, ada), "Submit", sms_enabled=[])
    assert "can't be disabled while" in wrong(refused, "sms_enabled")
    page = follow(clinic, send(clinic, sms_form(clinic, ada), "Submit", sms_enabled=[], sms_dids=[]))
    assert "SMS is now off for Ada Lind. 2 numbers were unassigned from Ada Lind." in toasts_of(page)
    with database.connect() as connection:
        assert connection.execute(sa.select(tables.users.c.sms_enabled)).scalar_one() is False


def test_numbers_need_the_service_to_be_enabled(
    clinic: Portal, hire: Callable[..., str], has: Callable[[str], Any]
) -> None:
    ada = hire()
    answer = send(clinic, sms_form(clinic, ada), "Submit", sms_dids=[FREE[0]])
    assert "while SMS service is enabled" in wrong(answer, "sms_enabled")
    assert has("Ada Lind")["sms"] == []
    assert [one.is_on for one in form_of(answer, f"/users/{ada}/sms").controls if one.value == FREE[0]] == [True]


def test_sms_numbers_taken_by_somebody_else_are_told_and_nothing_changes(
    clinic: Portal, hire: Callable[..., str], has: Callable[[str], Any]
) -> None:
    ada = hire(sms_enabled=True)
    form = sms_form(clinic, ada)
    hire(name="Bo", sms_enabled=True, numbers={1: {"sms_user_id": "user"}})
    answer = send(clinic, form, "Submit", sms_dids=FREE[:3])
    assert answer.status_code == 422
    assert "+1 212-555-0101" in wrong(answer, "sms_dids")
    assert has("Ada Lind")["sms"] == []


@pytest.mark.long
def test_two_tabs_of_manage_sms_add_up(clinic: Portal, hire: Callable[..., str], has: Callable[[str], Any]) -> None:
    ada = hire(sms_enabled=True, numbers={0: {"sms_user_id": "user"}})
    first, second = sms_form(clinic, ada), sms_form(clinic, ada)
    follow(clinic, send(clinic, first, "Submit", sms_dids=[FREE[0], FREE[1]]))
    follow(clinic, send(clinic, second, "Submit", sms_dids=[FREE[0], FREE[2]]))
    assert has("Ada Lind")["sms"] == FREE[:3]
    follow(clinic, send(clinic, second, "Submit", sms_dids=[FREE[2]]))  # sent once more
    assert has("Ada Lind")["sms"] == FREE[1:3]


@pytest.mark.parametrize("number", ["nothing", "+1", "", "+12125550150", "+12125550199"])
def test_what_is_no_number_of_the_list_is_refused(clinic: Portal, hire: Callable[..., str], number: str) -> None:
    """R21: and none is added by Manage SMS."""
    ada = hire(sms_enabled=True)
    answer = clinic.post(f"/users/{ada}/sms", {"sms_enabled": "1", "sms_dids": number})
    assert answer.status_code == (422 if number else 303)


# The list, and deleting


@pytest.mark.long
def test_users_are_listed_found_and_deleted(
    clinic: Portal, hire: Callable[..., str], world: World, database: sa.Engine
) -> None:
    ada = hire(
        name="<b>Ada</b>",
        email="ada@clinic.example",
        numbers={0: {"voice_user_id": "user", "sms_user_id": "user"}},
        sms_enabled=True,
    )
    hire("trunk", "عيادات 🦷", email="carl@clinic.example")
    with database.begin() as connection:
        factories.user(connection, world.hotel.tenant, name="Hotelier")
    page = clinic.get("/users")
    assert "<b>" not in page.get_data(as_text=True)
    assert "+1 212-555-0100" in text_of(page)
    assert "Hotelier" not in text_of(page)
    assert "1 DID" in text_of(page)
    assert "<b>Ada</b>" not in text_of(clinic.get("/users?kind=trunk"))
    assert "<b>Ada</b>" in text_of(clinic.get("/users?q=ADA@"))
    assert "No matching users" in text_of(clinic.get("/users?q=nobody"))
    assert clinic.get("/users?kind=fax").status_code == 422
    north = signed_in(database, world.north.tenant)
    assert "Hotelier" in text_of(north.get("/users"))
    assert "Hotelier" not in text_of(north.get(f"/users?tenant_id={world.clinic.tenant.public_id}"))
    stays = clinic.get(f"/users/{ada}/delete")
    assert "while they have numbers" in text_of(stays)
    assert not forms_of(stays)
    assert clinic.post(f"/users/{ada}/delete").status_code == 409
    form = edit_form(clinic, ada)
    follow(clinic, send(clinic, form, "Save", phone_number=""))
    follow(clinic, send(clinic, sms_form(clinic, ada), "Submit", sms_dids=[]))
    delete = form_of(clinic.get(f"/users/{ada}/delete"), f"/users/{ada}/delete")
    assert "was deleted." in toasts_of(follow(clinic, send(clinic, delete, "Delete")))
    assert clinic.get(f"/users/{ada}").status_code == 404


@pytest.mark.parametrize("page", ["", "/sms", "/delete"])
def test_r3_users_elsewhere_are_not_there(clinic: Portal, database: sa.Engine, world: World, page: str) -> None:
    with database.begin() as connection:
        theirs = factories.public_id(connection, tables.users, factories.user(connection, world.school.tenant))
    for path in (f"/users/{theirs}{page}", f"/users/nothing{page}"):
        assert (clinic.get(path).status_code, clinic.post(path, {"name": "Mine"}).status_code) == (404, 404)
