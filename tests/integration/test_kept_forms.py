"""A form that is sent after the session has ended is filled in again after signing in, never sent by itself (R4)."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support import factories
from tests.support.api_client import application
from tests.support.factories import World
from tests.support.html_forms import form_of, forms_of
from tests.support.portal_client import PASSWORD, SITE, Portal, text_of
from webhook.portal.shared import kept_forms
from webhook.portal.shared.kept_forms import REFILLED
from worker.accounts import passwords

pytestmark = pytest.mark.usefixtures("quick_hashes")
EMAIL, OTHER = "ada@north.example", "bo@north.example"
FIRST = 12125550100
AGAIN = "You were signed out before this was saved. Your entries are filled in again."


@pytest.fixture
def people(world: World, database: sa.Engine) -> World:
    """Two admins of north, and a user and a number of each kind."""
    with database.begin() as connection:
        for email in (EMAIL, OTHER):
            columns = {"tenant_id": world.north.id, "email": email, "password_hash": passwords.hashed(PASSWORD)}
            connection.execute(tables.admins.insert().values(columns))
        factories.number(connection, FIRST, world.north.tenant, voice_carrier_id=world.carriers["Master Voice"])
        factories.number(connection, FIRST + 1, world.clinic.tenant, uploader_id=world.north.id, sms=True)
    return world


@pytest.fixture
def north(people: World) -> Portal:
    del people
    browser = Portal(application().test_client())
    assert browser.sign_in(EMAIL).status_code == 303
    return browser


@pytest.fixture
def leave(database: sa.Engine) -> Callable[[], None]:
    """Everybody has been away for too long."""

    def idle() -> None:
        with database.begin() as connection:
            connection.execute(sa.text("UPDATE sessions SET last_seen_at = now() - interval '10 hours'"))

    return idle


@pytest.fixture
def facts(database: sa.Engine) -> Callable[[], dict[str, Any]]:
    """What a form could have changed."""

    def look() -> dict[str, Any]:
        some = (tables.tenants, tables.users, tables.carriers, tables.tokens, tables.admins, tables.jobs)
        with database.connect() as connection:
            return {
                table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in some
            }

    return look


def send(browser: Portal, page: str, action: str, token: str, fields: dict[str, Any]) -> str:
    """Send a form from a page, and answer where the sign-in is."""
    answer = browser.post(action, fields, token=token, headers={"Referer": f"{SITE}{page}"})
    assert answer.status_code == 303
    assert urlsplit(answer.location).path == "/sign-in"
    return str(answer.location)


def sign_in_again(browser: Portal, sign_in: str, email: str = EMAIL) -> Any:  # noqa: ANN401 - a response
    """Sign in as the page asks for it, and answer the page that one gets to."""
    page = browser.get(sign_in)
    back = re.search(r'name="next" value="([^"]*)"', page.get_data(as_text=True))[1].replace("&amp;", "&")
    done = browser.sign_in(email, next=back)
    assert done.status_code == 303
    return browser.get(done.location)


def test_r4_a_form_is_filled_in_again_and_not_sent(
    north: Portal, leave: Callable[[], None], facts: Callable[[], dict[str, Any]]
) -> None:
    token, before = north.token(), facts()
    leave()
    fields = {"name": "Copper & <b>Sons</b>", "allow_external_numbers": "1"}
    sign_in = send(north, "/enterprises/new", "/enterprises/new", token, fields)
    assert "What you entered is kept and will be filled in again; nothing was saved yet." in text_of(north.get(sign_in))
    page = sign_in_again(north, sign_in)
    assert AGAIN in text_of(page)
    form = form_of(page, "/enterprises/new")
    values = {one.name: (one.value, one.is_on) for one in form.controls}
    assert values["name"] == ("Copper & <b>Sons</b>", True)
    assert values["allow_external_numbers"] == ("1", True)
    assert values["csrf_token"][0] not in {token, ""}
    assert "<b>Sons" not in page.get_data(as_text=True)
    assert facts() == before
    again = north.get("/enterprises/new")
    assert AGAIN not in text_of(again)  # once
    assert "Copper" not in text_of(again) + again.get_data(as_text=True)
    assert north.post("/enterprises/new", fields).status_code == 303


def pages(
    world: World, user: str, carrier: str, job: str, faulty: str, webhook: str
) -> dict[str, tuple[str, str, dict[str, str]]]:
    """Each form: its page, where it is sent, and fields that the page must have again."""
    clinic = world.clinic.tenant.public_id
    number = f"numbers={FIRST}&back=/numbers"
    hotel = world.hotel.tenant.public_id
    return {
        "choose": ("/numbers", "/numbers/selection", {"numbers": f"+{FIRST}"}),
        "save_settings": (
            f"/numbers/assign?numbers={FIRST}.1&back=/numbers&tenant_id={hotel}",
            f"/numbers/assign?numbers={FIRST}.1&back=/numbers",
            {"tenant_id": hotel, "only_unassigned": "false"},
        ),
        "take_back": (
            f"/numbers/take-back?numbers={FIRST}.1.1&back=/numbers",
            f"/numbers/take-back?numbers={FIRST}.1.1&back=/numbers",
            {"service": "sms"},
        ),
        "change_capabilities": (
            f"/numbers/capabilities?{number}",
            f"/numbers/capabilities?{number}",
            {"fax": "enable"},
        ),
        "add_level": ("/enterprises/new", "/enterprises/new", {"name": "Copper"}),
        "change_level": (f"/enterprises/{clinic}", f"/enterprises/{clinic}", {"name": "Copper"}),
        "add_user": (
            f"/users/new?kind=trunk&tenant_id={clinic}",
            f"/users/new?tenant_id={clinic}&kind=trunk",
            {"name": "Copper", "email": "c@c.example"},
        ),
        "change_user": (f"/users/{user}", f"/users/{user}", {"name": "Copper"}),
        "submit_sms": (f"/users/{user}/sms", f"/users/{user}/sms", {"sms_enabled": "1"}),
        "define_carrier": ("/carriers", "/carriers", {"name": "Copper Voice"}),
        "rename_carrier": (f"/carriers/{carrier}", f"/carriers/{carrier}", {"name": "Copper Voice"}),
        "choose_defaults": ("/carriers/defaults", "/carriers/defaults", {"default_voice_carrier": "North voice"}),
        "add_person": ("/account/admins", "/account/admins", {"email": "c@c.example"}),
        "make_webhook": ("/webhooks", "/webhooks", {"url": "https://copper.example", "events": "job.failed"}),
        "change_webhook": (f"{webhook}/edit", f"{webhook}/edit", {"url": "https://copper.example/2"}),
        "make_token": ("/tokens", "/tokens", {"name": "Copper", "expires_at": "2090-01-02"}),
        "upload": ("/uploads/new", "/uploads", {"encoding": "windows-1252", "on_existing": "update"}),
        "read_pasted": ("/numbers/paste", "/numbers/paste", {"country_code": "US"}),
        "choose_columns": (
            f"/jobs/{job}/columns",
            f"/jobs/{job}/columns",
            {"column_2": "SMS", "other_FAX": "text:TRUE"},
        ),
        "apply_corrections": (
            f"/jobs/{faulty}/corrections",
            f"/jobs/{faulty}/corrections",
            {"set-MISSING_VALUE-COUNTRY_CODE": "US", "find": "O", "cell-2-PHONE_NUMBER": "2125550143"},
        ),
    }


def job_to_map(portal: Portal, work_off: Callable[[], None]) -> str:
    """An upload whose columns are not settled; its id."""
    return checked(portal, work_off, b"TN,Kind\n+12125550142,Y\n")


def checked(portal: Portal, work_off: Callable[[], None], content: bytes) -> str:
    """An upload that was checked; its id."""
    sent = portal.post("/uploads", {"file": (io.BytesIO(content), "carrier.csv")})
    work_off()
    return str(sent.location).rpartition("/")[2]


@pytest.mark.long
@pytest.mark.parametrize("endpoint", sorted(name.removeprefix("portal.") for name in REFILLED))
def test_r4_every_form_is_filled_in_again(
    north: Portal,
    people: World,
    database: sa.Engine,
    leave: Callable[[], None],
    work_off: Callable[[], None],
    endpoint: str,
) -> None:
    with database.begin() as connection:
        inner = factories.user(connection, people.clinic.tenant, "trunk", name="Carl")
        factories.number(connection, FIRST + 2, people.clinic.tenant, uploader_id=people.north.id, voice_user_id=inner)
        user = factories.public_id(connection, tables.users, inner)
        carrier = factories.public_id(connection, tables.carriers, people.carriers["North voice"])
    faulty = checked(north, work_off, b"Country Code,Phone Number,Voice,SMS\n,2125550142,TRUE,\n")
    north.post("/webhooks", {"url": "https://receiver.example/hook", "events": "job.*"})
    found = re.search(r"/webhooks/[0-9a-f-]{36}", north.get("/webhooks").get_data(as_text=True))
    assert found
    page, action, fields = pages(people, user, carrier, job_to_map(north, work_off), faulty, found[0])[endpoint]
    token = north.token()
    leave()
    shown = sign_in_again(north, send(north, page, action, token, fields))
    assert shown.status_code == 200, text_of(shown)
    assert AGAIN in text_of(shown)
    forms = [
        form for form in forms_of(shown) if (urlsplit(form.action).path, form.method) == (urlsplit(action).path, "post")
    ]
    for name, value in fields.items():
        on = [one.value for form in forms for one in form.controls if one.name == name and one.is_on]
        assert value in on, (name, on)


def test_r4_every_form_with_fields_is_filled_in_again() -> None:
    """What has no entries of its own is a question with a button; a password is never kept."""
    questions = {"confirm_job", "cancel_job", "undo_job", "delete", "delete_level", "delete_user", "delete_carrier"}
    questions |= {"revoke_token", "remove_person", "new_password", "sign_out", "sign_out_everywhere"}
    questions |= {"delete_profile", "delete_search", "retry_job", "take_back_correction"}
    questions |= {"switch_webhook", "test_webhook", "replace_secret", "delete_webhook", "replay_message"}
    # A name or a check mark, which is sooner entered again.
    questions |= {"save_search", "rename_search", "rename_profile", "choose_mails", "change_role"}
    questions |= {"preview_corrections"}  # of a script
    questions |= {"export_numbers"}  # of the list that is shown
    secret = {"enter", "change_password"}
    posts = {
        rule.endpoint.removeprefix("portal.")
        for rule in application().url_map.iter_rules()
        if rule.endpoint.startswith("portal.") and "POST" in (rule.methods or ())
    }
    assert posts == questions | secret | {name.removeprefix("portal.") for name in REFILLED}


def test_r4_of_an_upload_the_fields_are_kept_and_the_file_has_to_be_chosen_again(
    north: Portal, leave: Callable[[], None], facts: Callable[[], dict[str, Any]], database: sa.Engine
) -> None:
    token, before = north.token(), facts()
    leave()
    fields = {"sheet": "Numbers", "upload_key": "k", "file": (io.BytesIO(b"secret cells"), "a.csv")}
    page = sign_in_again(north, send(north, "/uploads/new", "/uploads", token, fields))
    assert f"{AGAIN} Check them and submit the form, after choosing the file again." in text_of(page)
    assert 'value="Numbers"' in page.get_data(as_text=True)
    assert 'value="k"' not in page.get_data(as_text=True)
    assert facts() == before
    with database.connect() as connection:
        assert "secret cells" not in str(connection.execute(sa.select(tables.sessions.c.notices)).all())


def kept(database: sa.Engine) -> list[Any]:
    with database.connect() as connection:
        entries = connection.execute(sa.select(tables.sessions.c.notices)).scalars().all()
    return [entry for some in entries if some for entry in some]


@pytest.mark.parametrize("how", ["no token", "another's token", "cross-site", "signed out", "too large", "no cookie"])
def test_r4_what_is_not_of_a_page_of_the_ended_session_is_not_kept(
    north: Portal, leave: Callable[[], None], database: sa.Engine, how: str
) -> None:
    token = {"no token": "", "another's token": "0" * 64}.get(how, north.token())
    fields = {"name": "x" * (40_000 if how == "too large" else 5)}
    if how == "signed out":
        north.post("/sign-out")
    leave()
    if how == "no cookie":
        north.client.delete_cookie("numberyard")
    headers = {"Sec-Fetch-Site": "cross-site"} if how == "cross-site" else {}
    answer = north.post("/enterprises/new", fields, token=token, headers=headers)
    assert answer.status_code == (403 if how == "cross-site" else 303)
    assert kept(database) == []
    if answer.status_code == 303:
        assert "kept" not in parse_qs(urlsplit(answer.location).query)


def test_r4_another_person_does_not_get_the_form(north: Portal, leave: Callable[[], None], database: sa.Engine) -> None:
    """Whoever signs in next in this browser: it is removed with the session that it belongs to."""
    token = north.token()
    leave()
    sign_in = send(north, "/enterprises/new", "/enterprises/new", token, {"name": "Copper"})
    assert len(kept(database)) == 1
    page = sign_in_again(north, sign_in, OTHER)
    assert page.status_code == 200
    assert "Copper" not in page.get_data(as_text=True)
    assert kept(database) == []
    north.post("/sign-out")
    north.sign_in(EMAIL)
    assert AGAIN not in text_of(north.get("/enterprises/new"))


@pytest.mark.long
def test_a_kept_form_waits_beside_messages(north: Portal, leave: Callable[[], None], database: sa.Engine) -> None:
    """It is no flash message, and flash messages do not remove it; a second form replaces the first."""
    token = north.token()
    leave()
    send(north, "/enterprises/new", "/enterprises/new", token, {"name": "Brass"})
    sign_in = send(north, "/enterprises/new", "/enterprises/new", token, {"name": "Copper"})
    assert len(kept(database)) == 1
    north.get(sign_in)
    assert north.sign_in(EMAIL, next="/numbers").location == "/numbers"
    assert north.post("/carriers", {"name": "Tin Voice", "service": "voice"}).status_code == 303
    shown = north.get("/carriers")
    assert "Tin Voice was added." in text_of(shown)
    assert shown.get_data(as_text=True).count('class="toast ') == 1
    assert 'value="Copper"' in north.get("/enterprises/new").get_data(as_text=True)
    assert kept(database) == []


def test_a_kept_form_is_bounded() -> None:
    assert kept_forms.LARGEST <= 32 * 1024
    assert json.dumps({"fields": ["x" * kept_forms.LARGEST]})
