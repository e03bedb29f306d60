"""Signing in to the portal (R4): who gets in, for how long, and what those learn who do not."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database import tables
from tests.support.api_client import application
from tests.support.factories import World
from tests.support.portal_client import PASSWORD, SITE, Portal, text_of, toasts_of
from webhook.http.concurrency_limits import PASSWORDS
from webhook.portal.login.sign_in import WRONG
from worker.accounts import admins, device_cookies, login_throttle, passwords
from worker.accounts.login_throttle import Pauses
from worker.config.settings import get_settings
from worker.maintenance import cleaner

KNOWN, UNKNOWN = "jo@north.example", "nobody@north.example"


@pytest.fixture
def anyone(world: World, database: sa.Engine, quick_hashes: None) -> Portal:  # noqa: ARG001 - before the hash
    """A browser in which nobody is signed in; `KNOWN` of `north` has `PASSWORD`."""
    with database.begin() as connection:
        assert admins.add(connection, world.north.id, KNOWN, passwords.hashed(PASSWORD))
    return another()


def another() -> Portal:
    return Portal(application().test_client())


def is_in(browser: Portal) -> bool:
    return browser.get("/account").status_code == 200


def run(database: sa.Engine, statement: str, **values: object) -> None:
    with database.begin() as connection:
        connection.execute(sa.text(statement), values)


def count(database: sa.Engine, table: sa.Table) -> int:
    with database.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def ask(database: sa.Engine, query: str) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(sa.text(query)))


def said(answer: TestResponse) -> str:
    """What the page says, without what was typed and without the form's token."""
    page = re.sub(r'value="[^"]*"', "", answer.get_data(as_text=True))
    return re.sub(r"\d+ seconds?|\d+ minutes?", "a while", page)


# In and out


def test_with_the_right_password_one_is_in(anyone: Portal) -> None:
    assert not is_in(anyone)
    answer = anyone.sign_in(f"  {KNOWN.upper()} ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    page = anyone.get("/account")
    assert {KNOWN, "Northern Reseller", "Reseller"} <= set(re.findall(r"[\w@.]+(?: Reseller)?", text_of(page)))


def test_signing_out_ends_this_browser_only(anyone: Portal, database: sa.Engine) -> None:
    anyone.sign_in(KNOWN)
    other = another()
    other.sign_in(KNOWN)
    stolen = anyone.cookies()["numberyard"]
    answer = anyone.post("/sign-out")
    assert answer.headers["Location"] == "/sign-in?why=out"
    assert "numberyard" not in anyone.cookies()
    anyone.client.set_cookie("numberyard", stolen, domain="localhost")
    assert not is_in(anyone)
    assert is_in(other)
    assert count(database, tables.sessions) == 1


def test_signing_out_everywhere(anyone: Portal, database: sa.Engine) -> None:
    browsers = [anyone, another(), another()]
    for browser in browsers:
        browser.sign_in(KNOWN)
    assert "Browsers signed in 3" in text_of(anyone.get("/account"))
    anyone.post("/account/sign-out-everywhere")
    assert not any(map(is_in, browsers))
    assert count(database, tables.sessions) == 0


def test_the_secret_is_kept_as_a_hash_only(anyone: Portal, database: sa.Engine) -> None:
    anyone.sign_in(KNOWN)
    secret = anyone.cookies()["numberyard"]
    with database.connect() as connection:
        kept = repr(connection.execute(sa.select(tables.sessions)).all())
    assert len(secret) == 43
    assert secret not in kept


def test_a_session_known_before_is_not_the_one_after(anyone: Portal) -> None:
    """Session fixation: whatever cookie somebody planted, signing in gives another one, and ends that one."""
    anyone.client.set_cookie("numberyard", "planted", domain="localhost")
    anyone.sign_in(KNOWN)
    first = anyone.cookies()["numberyard"]
    assert first != "planted"
    again = another()
    token = again.token()
    again.client.set_cookie("numberyard", first, domain="localhost")
    assert is_in(again)
    token = again.token()
    again.post("/sign-in", {"email": KNOWN, "password": PASSWORD}, token=token)
    assert again.cookies()["numberyard"] != first
    assert not is_in(anyone)


def test_hashes_with_other_parameters_are_renewed(
    anyone: Portal, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = sa.select(tables.admins.c.password_hash).where(tables.admins.c.email == KNOWN)
    with database.connect() as connection:
        before = connection.execute(query).scalar_one()
    monkeypatch.setattr(passwords, "_hasher", type(passwords._hasher)(time_cost=2, memory_cost=8, parallelism=1))  # noqa: SLF001
    assert anyone.sign_in(KNOWN).status_code == 303
    with database.connect() as connection:
        after = connection.execute(query).scalar_one()
    assert "t=1" in before
    assert "t=2" in after
    assert another().sign_in(KNOWN).status_code == 303


# What those learn who do not get in (R3)


def test_r3_an_unknown_address_and_a_wrong_password_are_told_alike(anyone: Portal) -> None:
    known, unknown = (anyone.sign_in(email, "something else") for email in (KNOWN, UNKNOWN))
    assert known.status_code == unknown.status_code == 422
    assert said(known) == said(unknown)
    assert WRONG in text_of(known)
    assert 'role="alert"' in known.get_data(as_text=True)
    assert "something else" not in known.get_data(as_text=True)


@pytest.mark.long
def test_r3_they_take_the_same_time(world: World, database: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real parameters: one hash each. The shortest of seven: what else the machine does only makes longer."""
    passwords._nobodys.cache_clear()  # noqa: SLF001
    with database.begin() as connection:
        admins.add(connection, world.north.id, KNOWN, passwords.hashed(PASSWORD))
    monkeypatch.setattr(login_throttle, "OF_ADDRESS_AND_NETWORK", Pauses(1000, 1, 1))
    monkeypatch.setattr(login_throttle, "MOST_FREE_OF_ADDRESS", 1000)
    browser = another()
    token = browser.token()
    took: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    for _ in range(7):
        for email, seconds in took.items():
            began = time.perf_counter()
            browser.post("/sign-in", {"email": email, "password": "something else"}, token=token)
            seconds.append(time.perf_counter() - began)
    known, unknown = (min(seconds) for seconds in took.values())
    assert 0.6 < known / unknown < 1.6, took


@pytest.mark.parametrize("email", [KNOWN, UNKNOWN])
def test_r3_after_five_failures_one_has_to_wait(anyone: Portal, database: sa.Engine, email: str) -> None:
    pages = [anyone.sign_in(email, "wrong") for _ in range(5)]
    assert [page.status_code for page in pages] == [422] * 5
    assert "Wait 1 minute, then try again." in text_of(pages[-1])
    locked = anyone.sign_in(email)  # with the right password, of the one that has an account
    assert locked.status_code == 429
    assert 0 < int(locked.headers["Retry-After"]) <= 60
    assert "Too many failed attempts" in text_of(locked)
    assert not is_in(anyone)
    waited = []
    for _ in range(6):
        run(database, "UPDATE sign_in_attempts SET allowed_at = now()")
        anyone.sign_in(email, "wrong")
        waited.append(round(int(anyone.sign_in(email, "wrong").headers["Retry-After"]) / 60))
    assert waited == [2, 4, 8, 15, 15, 15]


def test_r3_a_locked_account_looks_as_one_that_is_not_there(anyone: Portal) -> None:
    known, unknown = ([said(anyone.sign_in(email, "wrong")) for _ in range(7)] for email in (KNOWN, UNKNOWN))
    assert known == unknown


def test_tries_at_the_same_moment_are_counted_one_by_one(anyone: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    def never(password: str, _kept: str | None) -> bool:
        looked_at.append(password)
        return False

    monkeypatch.setattr(passwords, "matches", never)
    token, cookies = anyone.token(), anyone.cookies()

    # Made one after another: Python 3.11 may fail to compile routes in several threads at once.
    browsers = [another() for _ in range(24)]
    for browser in browsers:
        for name, value in cookies.items():
            browser.client.set_cookie(name, value, domain="localhost")

    def guess(number: int) -> int:
        browser = browsers[number]
        return browser.post("/sign-in", {"email": KNOWN, "password": f"guess {number}"}, token=token).status_code

    with ThreadPoolExecutor(get_settings().share_passwords // 2) as pool:  # fewer than the limit for strangers
        statuses = list(pool.map(guess, range(24)))
    assert len(looked_at) == login_throttle.OF_ADDRESS_AND_NETWORK.free
    assert statuses.count(429) == 24 - login_throttle.OF_ADDRESS_AND_NETWORK.free


def test_success_and_a_day_forget_failures(anyone: Portal, database: sa.Engine) -> None:
    for _ in range(4):
        anyone.sign_in(KNOWN, "wrong")
    anyone.sign_in(KNOWN)
    assert not ask(database, "SELECT count FROM sign_in_attempts WHERE count > 0 AND email_hash <> ''")
    for _ in range(4):
        another().sign_in(UNKNOWN, "wrong")
    run(database, "UPDATE sign_in_attempts SET last_at = now() - interval '25 hours'")
    assert "Too many" not in text_of(another().sign_in(UNKNOWN, "wrong"))
    run(database, "UPDATE sign_in_attempts SET last_at = now() - interval '25 hours'")
    assert cleaner.forget_sign_ins() == 4  # of the network, of both addresses, of the second one from there
    assert count(database, tables.sign_in_attempts) == 0


@pytest.mark.parametrize(
    ("email", "password"),
    [("", PASSWORD), (KNOWN, ""), ("x" * 300, PASSWORD), (KNOWN, "x" * 300), ("\0", "x"), ("é", "\0")],
)
def test_odd_input_is_an_ordinary_failure(anyone: Portal, email: str, password: str) -> None:
    answer = anyone.sign_in(email, password)
    assert answer.status_code == 422
    assert "E-mail" in text_of(answer)


def test_when_too_many_sign_in_at_once(anyone: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> bool:
        raise passwords.BusyError

    monkeypatch.setattr(passwords, "matches", busy)
    answer = anyone.sign_in(KNOWN)
    assert answer.status_code == 503
    assert "Try again in a few seconds" in text_of(answer)


# Strangers who try do not keep the owner out


class Stranger(Portal):
    """A browser at an address of its own."""

    def __init__(self, address: str) -> None:
        super().__init__(application().test_client())
        self._address = {"X-Forwarded-For": address}

    def try_in(self, email: str, password: str = "wrong") -> TestResponse:  # noqa: S107 - a wrong one
        fields = {"email": email, "password": password}
        return self.post("/sign-in", fields, headers=self._address)


def later(database: sa.Engine, seconds: float) -> None:
    """As if so much time had passed."""
    earlier = f"- interval '{seconds} seconds'"
    run(database, f"UPDATE sign_in_attempts SET last_at = last_at {earlier}, allowed_at = allowed_at {earlier}")  # noqa: S608


def test_r4_a_thousand_wrong_tries_do_not_keep_the_owner_out(anyone: Portal, database: sa.Engine) -> None:
    """From 100 addresses within two days: in at once from a known browser, within 30 seconds from a new one."""
    anyone.sign_in(KNOWN)
    anyone.post("/sign-out")
    strangers = [Stranger(f"198.51.100.{number}") for number in range(100)]
    for number in range(1000):
        stranger = strangers[number % 100]
        assert stranger.try_in(KNOWN).status_code in {422, 429}
        if number % 20 == 0:
            later(database, 3400)
            assert is_in_at(anyone, 0, database)
            assert is_in_at(Stranger(f"203.0.113.{number % 250}"), 30, database)
    assert ask(database, "SELECT count FROM sign_in_attempts WHERE source_hash = ''")[0][0] > 100


def is_in_at(browser: Portal, seconds: float, database: sa.Engine) -> bool:
    """Sign in with the right password, after a wait of at most so many seconds, and out again; return if it worked."""
    answer = browser.try_in(KNOWN, PASSWORD) if isinstance(browser, Stranger) else browser.sign_in(KNOWN)
    if answer.status_code == 429 and seconds:
        wait = int(answer.headers["Retry-After"])
        assert wait <= seconds
        later(database, wait)
        Stranger("198.51.100.7").try_in(KNOWN)  # they go on meanwhile
        answer = browser.try_in(KNOWN, PASSWORD) if isinstance(browser, Stranger) else answer
    browser.client.delete_cookie("numberyard", domain="localhost")
    return answer.status_code == 303


@pytest.mark.usefixtures("anyone")
def test_r4_strangers_guess_few_passwords(database: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each network has five tries at an address and then about a hundred in a day, whatever the number of browsers."""
    looked_at: list[str] = []

    def never(password: str, _kept: str | None) -> bool:
        looked_at.append(password)
        return False

    monkeypatch.setattr(passwords, "matches", never)
    for _minute in range(12 * 60):
        Stranger("2001:db8::1").try_in(KNOWN)
        later(database, 120)
    assert len(looked_at) <= 100 + login_throttle.OF_ADDRESS_AND_NETWORK.free


@pytest.mark.usefixtures("anyone")
def test_r4_one_network_that_tries_many_addresses_is_slow() -> None:
    stranger = Stranger("2001:db8::5")
    statuses = [stranger.try_in(f"{number}@north.example").status_code for number in range(60)]
    assert statuses == [422] * 50 + [429] * 10
    refused = Stranger("2001:db8::ffff").try_in(KNOWN, PASSWORD)  # of the same customer of a provider
    assert refused.status_code == 429
    assert "from your network" in text_of(refused)
    assert Stranger("2001:db8:0:1::1").try_in(KNOWN, PASSWORD).status_code == 303


@pytest.mark.usefixtures("anyone")
def test_r3_an_address_under_attack_looks_the_same_with_and_without_an_account() -> None:
    for number in range(30):
        for email in (KNOWN, UNKNOWN):
            Stranger(f"198.51.100.{number}").try_in(email)
    pages = [Stranger("203.0.113.9").try_in(email) for email in (KNOWN, UNKNOWN)]
    assert {page.status_code for page in pages} == {429}
    assert said(pages[0]) == said(pages[1])
    assert 5 <= int(pages[0].headers["Retry-After"]) <= 20


def test_a_known_browser_becomes_unknown_after_many_wrong_passwords(anyone: Portal) -> None:
    anyone.sign_in(KNOWN)
    anyone.post("/sign-out")
    codes = [anyone.sign_in(KNOWN, "wrong").status_code for _ in range(device_cookies.MOST_FAILURES)]
    assert codes == [422] * device_cookies.MOST_FAILURES
    assert [anyone.sign_in(KNOWN, "wrong").status_code for _ in range(6)] == [422] * 5 + [429]


def test_a_planted_browser_cookie_is_not_known_afterwards(anyone: Portal, database: sa.Engine) -> None:
    anyone.client.set_cookie("numberyard-browser", "planted", domain="localhost")
    anyone.sign_in(KNOWN)
    first = anyone.cookies()["numberyard-browser"]
    anyone.sign_in(KNOWN)
    second = anyone.cookies()["numberyard-browser"]
    assert len({"planted", first, second}) == 3
    assert [bytes(row.hash) for row in ask(database, "SELECT hash FROM device_cookies")] == [
        hashlib.sha256(second.encode()).digest()
    ]


def test_two_people_at_one_browser_are_both_known_there(world: World, anyone: Portal, database: sa.Engine) -> None:
    other = "max@north.example"
    with database.begin() as connection:
        assert admins.add(connection, world.north.id, other, passwords.hashed(PASSWORD))
    for email in (KNOWN, other, KNOWN):
        assert anyone.sign_in(email).status_code == 303
    assert len(ask(database, "SELECT 1 FROM device_cookies")) == 2
    for stranger in (Stranger(f"198.51.100.{number}") for number in range(40)):
        stranger.try_in(other)
    assert anyone.sign_in(other).status_code == 303


def test_a_new_password_makes_all_other_browsers_unknown(anyone: Portal, database: sa.Engine) -> None:
    for browser in (anyone, another()):
        browser.sign_in(KNOWN)
    new = "another horse battery"
    fields = {"password": PASSWORD, "new_password": new, "new_password_again": new}
    assert anyone.post("/account", fields).status_code == 303
    kept = [bytes(row.hash) for row in ask(database, "SELECT hash FROM device_cookies")]
    assert kept == [hashlib.sha256(anyone.cookies()["numberyard-browser"].encode()).digest()]


def test_strangers_do_not_use_up_the_tries_of_who_is_signed_in(anyone: Portal) -> None:
    """To change the password, one confirms the present one; that is counted by session."""
    anyone.sign_in(KNOWN)
    for stranger in (Stranger(f"198.51.100.{number}") for number in range(40)):
        stranger.try_in(KNOWN)
    new = {"new_password": "another horse battery", "new_password_again": "another horse battery"}
    wrong = [anyone.post("/account", {"password": "wrong", **new}).status_code for _ in range(6)]
    assert wrong == [422] * 5 + [429]


def test_strangers_leave_room_for_device_cookies(anyone: Portal) -> None:
    anyone.sign_in(KNOWN)
    anyone.post("/sign-out")
    size = get_settings().share_passwords
    held = [PASSWORDS.try_acquire("strangers") for _ in range(size)]
    try:
        assert held.count(True) == size - size // 4
        assert Stranger("203.0.113.9").try_in(KNOWN, PASSWORD).status_code == 503
        assert anyone.sign_in(KNOWN).status_code == 303
    finally:
        for _ in range(held.count(True)):
            PASSWORDS.release("strangers")


# For how long


@pytest.mark.parametrize(
    ("change", "why", "words"),
    [
        (
            "UPDATE sessions SET last_seen_at = now() - interval '481 minutes'",
            "idle",
            "You were signed out after 8 hours of inactivity.",
        ),
        ("UPDATE sessions SET expires_at = now()", "age", "You were signed out after 7 days."),
    ],
)
def test_a_session_ends(anyone: Portal, database: sa.Engine, change: str, why: str, words: str) -> None:
    anyone.sign_in(KNOWN)
    run(database, change)
    answer = anyone.get("/account/admins?cursor=x")
    assert answer.headers["Location"] == f"/sign-in?next=/account/admins?cursor%3Dx&why={why}"
    page = anyone.get(answer.headers["Location"])
    assert f"{words} Sign in to continue." in text_of(page)
    again = anyone.sign_in(KNOWN, next="/account/admins?cursor=x")
    assert again.headers["Location"] == "/account/admins?cursor=x"


def test_limits_are_settings(anyone: Portal, database: sa.Engine, configure: Callable[..., None]) -> None:
    configure(session_idle_minutes=10, session_hours=2)
    anyone.sign_in(KNOWN)
    with database.connect() as connection:
        lasts = connection.execute(sa.text("SELECT expires_at - created_at FROM sessions")).scalar_one()
    assert lasts.total_seconds() == 7200
    run(database, "UPDATE sessions SET last_seen_at = now() - interval '11 minutes'")
    assert not is_in(anyone)


def test_use_keeps_a_session(anyone: Portal, database: sa.Engine) -> None:
    anyone.sign_in(KNOWN)
    run(database, "UPDATE sessions SET last_seen_at = now() - interval '479 minutes'")
    assert is_in(anyone)
    with database.connect() as connection:
        idle = connection.execute(sa.text("SELECT now() - last_seen_at FROM sessions")).scalar_one()
    assert idle.total_seconds() < 60


def test_ended_sessions_are_removed_by_tidying(anyone: Portal, database: sa.Engine) -> None:
    for _ in range(3):
        another_one = another()
        another_one.sign_in(KNOWN)
    anyone.sign_in(KNOWN)
    run(database, "UPDATE sessions SET expires_at = now() - interval '25 hours' WHERE id = 1")
    run(database, "UPDATE sessions SET last_seen_at = now() - interval '33 hours' WHERE id = 2")
    run(database, "UPDATE sessions SET expires_at = now() - interval '1 hour' WHERE id = 3")
    assert cleaner.forget_sessions() == 2
    assert is_in(anyone)


def test_who_is_removed_is_out(anyone: Portal, database: sa.Engine) -> None:
    anyone.sign_in(KNOWN)
    run(database, "DELETE FROM admins WHERE email = :email", email=KNOWN)
    assert not is_in(anyone)


# Where one is led


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/numbers\r\nSet-Cookie: a=b",
        "/numbers evil",
        "javascript:alert(1)",
        "http:evil.example",
        "numbers",
        "/\t/evil.example",
        "/sign-in?next=/x",
        "/sign-out",
        "/" + "x" * 3000,
        "",
    ],
)
def test_no_sign_in_leads_elsewhere(anyone: Portal, address: str) -> None:
    assert f'name="next" value="{address}"' not in anyone.get("/sign-in", query_string={"next": address}).get_data(
        as_text=True
    )
    assert anyone.sign_in(KNOWN, next=address).headers["Location"] == "/"
    assert anyone.get("/sign-in", query_string={"next": address}).headers["Location"] == "/"


def test_the_way_back(anyone: Portal) -> None:
    assert anyone.get("/account").headers["Location"] == "/sign-in?next=/account"
    assert anyone.get("/").headers["Location"] == "/sign-in"
    # A form: back to its page, as the form itself is gone.
    headers = {"Referer": f"{SITE}/account/admins?cursor=x"}
    answer = anyone.post("/account/admins", {"email": "a@b.example"}, headers=headers)
    assert answer.headers["Location"] == "/sign-in?next=/account/admins?cursor%3Dx"
    elsewhere = anyone.post("/account/admins", headers={"Referer": "https://evil.example/account"})
    assert elsewhere.headers["Location"] == "/sign-in"


def test_htmx_and_scripts_are_told_in_their_way(anyone: Portal) -> None:
    part = anyone.get("/account", headers={"HX-Request": "true", "Referer": f"{SITE}/numbers"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (204, "/sign-in?next=/numbers")
    script = anyone.get("/account", headers={"Accept": "application/json"})
    assert (script.status_code, script.json["code"]) == (401, "UNAUTHENTICATED")
    assert script.content_type == "application/problem+json"


# Passwords


def change(browser: Portal, old: str, new: str, again: str | None = None) -> TestResponse:
    return browser.post(
        "/account", {"password": old, "new_password": new, "new_password_again": new if again is None else again}
    )


def test_a_changed_password_ends_all_other_sessions(anyone: Portal) -> None:
    other = another()
    for browser in (anyone, other):
        browser.sign_in(KNOWN)
    before = anyone.cookies()["numberyard"]
    answer = change(anyone, PASSWORD, "a new one to remember")
    assert answer.headers["Location"] == "/account"
    assert anyone.cookies()["numberyard"] != before
    assert "Your password was changed." in toasts_of(anyone.get("/account"))
    assert not is_in(other)
    assert other.sign_in(KNOWN).status_code == 422
    assert other.sign_in(KNOWN, "a new one to remember").status_code == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "field"),
    [
        ("wrong", "a new one to remember", None, "password"),
        ("", "a new one to remember", None, "password"),
        (PASSWORD, "short", None, "new_password"),
        (PASSWORD, "Northern Reseller 1", None, "new_password"),
        (PASSWORD, "jo@north.example", None, "new_password"),
        (PASSWORD, PASSWORD, None, "new_password"),
        (PASSWORD, "a new one to remember", "another", "new_password_again"),
    ],
)
def test_a_password_that_is_not_changed(anyone: Portal, old: str, new: str, again: str | None, field: str) -> None:
    anyone.sign_in(KNOWN)
    answer = change(anyone, old, new, again)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert f'id="e-{field}"' in page
    assert re.search(rf'id="f-{field}"[^>]*aria-describedby="e-{field}[^>]*aria-invalid="true"', page)
    assert another().sign_in(KNOWN).status_code == 303


def test_guessing_the_old_password_is_limited_too(anyone: Portal) -> None:
    anyone.sign_in(KNOWN)
    statuses = [change(anyone, f"wrong {n}", "a new one to remember").status_code for n in range(6)]
    assert statuses == [422] * 5 + [429]
