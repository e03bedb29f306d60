"""People who can sign in: added, listed and removed for the own tenant and those below it (R1, R3)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support.api_client import application
from tests.support.cli_runner import run, told
from tests.support.factories import Account, World
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of
from webhook.cli.exit_codes import Exit

NAMES = ("master", "north", "south", "clinic", "hotel", "school")
BELOW = {
    "master": set(NAMES),
    "north": {"north", "clinic", "hotel"},
    "clinic": {"clinic"},
}
pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def browsers(world: World, database: sa.Engine) -> dict[str, Portal]:
    """A browser with an admin of each tenant: `NAME@people.example`."""
    return {name: signed_in(database, getattr(world, name).tenant, f"{name}@people.example") for name in NAMES}


def ids(database: sa.Engine) -> dict[str, str]:
    with database.connect() as connection:
        found = connection.execute(sa.select(tables.admins.c.email, tables.admins.c.public_id)).all()
    return {row.email.partition("@")[0]: row.public_id for row in found}


def password_of(page: str) -> str:
    found = re.search(r'class="secret"><code>([^<]+)<', page)
    assert found, page
    return found[1]


@pytest.mark.parametrize("name", BELOW)
def test_r3_one_sees_the_own_people_and_those_below(browsers: dict[str, Portal], name: str) -> None:
    page = text_of(browsers[name].get("/account/admins"))
    seen = {other for other in NAMES if f"{other}@people.example" in page}
    assert seen == BELOW[name]


@pytest.mark.parametrize("actor", BELOW)
@pytest.mark.parametrize("target", NAMES)
def test_r3_others_are_not_there(browsers: dict[str, Portal], database: sa.Engine, actor: str, target: str) -> None:
    one = f"/account/admins/{ids(database)[target]}"
    answers = [
        browsers[actor].get(f"{one}/remove"),
        browsers[actor].post(f"{one}/password"),
        browsers[actor].post(f"{one}/remove"),
    ]
    nobody = browsers[actor].get("/account/admins/00000000-0000-0000-0000-000000000007/remove")
    if target not in BELOW[actor]:
        assert [answer.status_code for answer in answers] == [404] * 3
        numberless = [re.sub(r"request \S+|[0-9a-f]{64}", "", text_of(answer)) for answer in (answers[0], nobody)]
        assert numberless[0] == numberless[1]
    elif target == actor:
        assert [answer.status_code for answer in answers] == [200, 403, 403]
    else:
        assert [answer.status_code for answer in answers] == [200, 200, 303]
    assert (target in ids(database)) == (target not in BELOW[actor] or target == actor)


@pytest.mark.parametrize(
    ("actor", "target", "status"),
    [
        ("north", "north", 201),
        ("north", "clinic", 201),
        ("clinic", "clinic", 201),
        ("master", "school", 201),
        ("north", "south", 422),
        ("north", "school", 422),
        ("north", "master", 422),
        ("clinic", "north", 422),
        ("clinic", "hotel", 422),
    ],
)
def test_r1_r3_people_are_added_below(
    browsers: dict[str, Portal], world: World, database: sa.Engine, actor: str, target: str, status: int
) -> None:
    account: Account = getattr(world, target)
    answer = browsers[actor].post(
        "/account/admins", {"email": "New@Person.example", "tenant_id": account.tenant.public_id}
    )
    assert answer.status_code == status
    assert ("new" in ids(database)) == (status == 201)


def test_a_one_time_password_lets_in_to_choose_another(browsers: dict[str, Portal], database: sa.Engine) -> None:
    made = browsers["north"].post("/account/admins", {"email": "new@person.example"})
    password = password_of(made.get_data(as_text=True))
    assert password not in browsers["north"].get("/account/admins").get_data(as_text=True)
    new = Portal(application().test_client())
    assert new.sign_in("new@person.example", password).status_code == 303
    assert new.get("/numbers").headers["Location"] == "/account"
    assert new.get("/account/admins", headers={"Accept": "application/json"}).status_code == 403
    page = new.get("/account")
    assert "Choose your own password." in text_of(page)
    assert "Phone Numbers" not in text_of(page)
    fields = {"password": password, "new_password": "one of my own words"}
    answer = new.post("/account", fields | {"new_password_again": fields["new_password"]})
    assert answer.headers["Location"] == "/"
    page = new.get("/numbers")
    assert page.status_code == 200
    assert "Your password was changed." in toasts_of(page)
    with database.connect() as connection:
        assert set(connection.execute(sa.select(tables.admins.c.one_time_until)).scalars()) == {None}


@pytest.mark.parametrize("hours", [72, 1])
def test_a_one_time_password_expires(
    browsers: dict[str, Portal], database: sa.Engine, configure: Callable[..., None], hours: int
) -> None:
    """Who has it, or guesses it, after that can do nothing with it; only who has it learns that it is too old."""
    configure(one_time_password_hours=hours)
    made = browsers["north"].post("/account/admins", {"email": "new@person.example"})
    assert f"valid for {'3 days' if hours == 72 else '1 hour'}. It must be changed" in text_of(made)
    password, new = password_of(made.get_data(as_text=True)), Portal(application().test_client())
    tried = sa.text("UPDATE admins SET one_time_until = one_time_until - :passed WHERE email = 'new@person.example'")
    with database.begin() as connection:
        connection.execute(tried, {"passed": timedelta(hours=hours, seconds=-30)})
    assert new.sign_in("new@person.example", password).status_code == 303
    with database.begin() as connection:
        connection.execute(tried, {"passed": timedelta(seconds=31)})
    answer = new.post(
        "/account", {"password": password, "new_password": "one of my own", "new_password_again": "one of my own"}
    )
    assert "This temporary password has expired." in text_of(answer)
    late = Portal(application().test_client()).sign_in("new@person.example", password)
    assert late.status_code == 422
    assert "This temporary password has expired. Ask the person who gave it to you for a new one." in text_of(late)
    wrong = Portal(application().test_client()).sign_in("new@person.example", f"{password}x")
    assert "expired" not in text_of(wrong)
    page = browsers["north"].get("/account/admins")
    assert text_of(page).count("Temporary password expired") == 1
    again = browsers["north"].post(f"/account/admins/{ids(database)['new']}/password")
    assert "expired" not in text_of(browsers["north"].get("/account/admins"))
    assert new.sign_in("new@person.example", password_of(again.get_data(as_text=True))).status_code == 303


def test_a_lost_password_is_replaced_and_the_browsers_are_out(browsers: dict[str, Portal], database: sa.Engine) -> None:
    answer = browsers["north"].post(f"/account/admins/{ids(database)['clinic']}/password")
    assert browsers["clinic"].get("/account").status_code == 303
    again = Portal(application().test_client())
    assert again.sign_in("clinic@people.example", password_of(answer.get_data(as_text=True))).status_code == 303


def test_who_is_removed_is_out_at_once(browsers: dict[str, Portal], database: sa.Engine) -> None:
    person = ids(database)["clinic"]
    page = browsers["north"].get(f"/account/admins/{person}/remove")
    assert "Remove person" in text_of(page)
    answer = browsers["north"].post(f"/account/admins/{person}/remove")
    assert answer.headers["Location"] == "/account/admins"
    assert "clinic@people.example was removed" in toasts_of(browsers["north"].get("/account/admins"))
    assert browsers["clinic"].get("/account").status_code == 303


@pytest.mark.parametrize("name", ["clinic", "school"])
def test_r3_a_taken_address_does_not_tell_where(browsers: dict[str, Portal], name: str) -> None:
    answer = browsers["north"].post("/account/admins", {"email": f"{name}@people.example"})
    assert answer.status_code == 422
    assert "This e-mail address can't be used. Use another address." in text_of(answer)


@pytest.mark.parametrize("email", ["", "x", "a@b@c", "x" * 300 + "@a.example", "a b@c.example"])
def test_what_is_no_address_is_told_beside_the_field(browsers: dict[str, Portal], email: str) -> None:
    answer = browsers["north"].post("/account/admins", {"email": email})
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert 'id="e-email"' in page
    assert 'aria-invalid="true"' in page


def test_many_people_are_told_in_pages(browsers: dict[str, Portal], world: World, database: sa.Engine) -> None:
    values = [
        {"tenant_id": world.clinic.id, "email": f"person {number:03}", "password_hash": "x"} for number in range(120)
    ]
    with database.begin() as connection:
        connection.execute(tables.admins.insert(), values)
    seen: list[str] = []
    path: str | None = "/account/admins"
    while path is not None:
        page = browsers["north"].get(path).get_data(as_text=True)
        seen += re.findall(r"<th[^>]*>(person \d{3})", page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        path = found[1] if found else None
    assert sorted(set(seen)) == [f"person {number:03}" for number in range(120)]


# The first one


@pytest.mark.usefixtures("database")
def test_init_makes_the_first_account() -> None:
    made = told(run("init", "--name", "Acme", "--email", "Boss@Acme.example", "--json"))
    account = made["account"]
    assert account["email"] == "boss@acme.example"
    browser = Portal(application().test_client())
    assert browser.sign_in(account["email"], account["password"]).status_code == 303
    assert "Choose your own password." in text_of(browser.get("/account"))
    again = run("init", "--email", "boss@acme.example")
    assert again.exit_code == Exit.OK
    assert again.stdout == ""
    assert "within 72 hours" in again.stderr
    password = again.stderr.strip().splitlines()[-1].strip()
    assert browser.get("/account").status_code == 303
    assert browser.sign_in(account["email"], account["password"]).status_code == 422
    assert browser.sign_in(account["email"], password).status_code == 303


def test_r35_init_makes_an_admin_of_an_account_that_is_none(database: sa.Engine) -> None:
    """If no admin of the Master Reseller can sign in any more, the operators of the service can help."""
    run("init", "--name", "Acme", "--email", "boss@acme.example")
    with database.begin() as connection:
        assert connection.execute(sa.select(tables.admins.c.role)).scalars().all() == ["admin"]
        connection.execute(tables.admins.update().values(role="viewer"))
    assert run("init", "--email", "boss@acme.example").exit_code == Exit.OK
    with database.connect() as connection:
        assert connection.execute(sa.select(tables.admins.c.role)).scalars().all() == ["admin"]


@pytest.mark.usefixtures("browsers")
def test_init_refuses_what_cannot_be() -> None:
    refused = run("init", "--email", "clinic@people.example", "--json")
    assert refused.exit_code == Exit.REFUSED
    assert json.loads(refused.stdout)["code"] == "EMAIL_TAKEN"
    assert run("init", "--email", "nonsense").exit_code == Exit.USAGE


def test_init_without_a_root_makes_no_account(database: sa.Engine) -> None:
    refused = run("init", "--email", "boss@acme.example", "--json")
    assert json.loads(refused.stdout)["code"] == "NOT_INITIALIZED"
    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.admins)).scalar_one() == 0
