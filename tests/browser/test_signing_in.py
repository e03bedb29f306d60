"""Signing in and out, as people do it (R4): by keyboard, with the wrong password, in two browsers, after a while."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, SignedIn
from tests.browser.launch import NAMED_HOST
from tests.browser.pages import Account, PhoneNumbers, PortalPage, SignIn
from tests.browser.watch import Watch
from tests.support.servers.service import Service

WRONG = "The e-mail address or password is incorrect."


def made_idle(site: Service, name: str) -> None:
    """As if nobody had used the browsers of this account for a year."""
    email = site.account(name)["email"]
    changed = site.ask(
        "UPDATE sessions SET last_seen_at = now() - interval '1 year' FROM admins "
        "WHERE admins.id = sessions.admin_id AND admins.email = :email RETURNING sessions.id",
        email=email,
    )
    assert changed


def test_the_keyboard_alone_signs_in_and_out(site: Service, page: Page) -> None:
    account, entry = site.account("Harbour"), SignIn(page).open()
    expect(entry.email).to_be_focused()
    page.keyboard.type(account["email"])
    entry.tab_to(entry.password)
    page.keyboard.type(account["password"])
    page.keyboard.press("Enter")
    expect(entry.heading).to_have_text("Overview")
    entry.tab_to(entry.account_menu)
    page.keyboard.press("Enter")
    entry.tab_to(page.get_by_role("button", name="Sign out"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("You are signed out.")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_a_wrong_password_is_told_where_the_focus_is(site: Service, new_page: NewPage, javascript: bool) -> None:
    page = new_page(javascript=javascript)
    email = site.account("Summit")["email"]
    entry = SignIn(page).open()
    entry.enter(email, "not the password")
    expect(entry.summary).to_contain_text(WRONG)
    expect(entry.summary).to_be_focused()
    expect(entry.email).to_have_value(email)
    expect(entry.password).to_have_value("")


def test_nobody_learns_whether_an_account_exists(site: Service, page: Page) -> None:
    """R3: the words are the same."""
    entry, told = SignIn(page), []
    for email in (site.account("Summit")["email"], "nobody@summit-networks.example"):
        entry.open().enter(email, "not the password")
        expect(entry.summary).to_contain_text(WRONG)
        told.append(entry.summary.inner_text())
    assert told[0] == told[1]


def test_after_five_failures_one_has_to_wait_and_is_told_how_long(page: Page) -> None:
    entry = SignIn(page).open()
    for _ in range(6):
        entry.enter("guesser@summit-networks.example", "not the password")
    expect(entry.summary).to_contain_text(
        re.compile(r"Too many failed attempts for this e-mail address\. Wait (1 minute|\d+ seconds), then try again\.")
    )


def test_what_is_left_out_is_told_at_the_field(page: Page) -> None:
    entry = SignIn(page).open()
    page.get_by_role("button", name="Sign in").click()
    entry.expect_fault("E-mail", "This is required.")
    entry.summary.get_by_role("link", name="E-mail").click()
    expect(entry.email).to_be_focused()


def test_a_session_that_was_left_alone_ends_and_goes_on_where_it_was(
    site: Service, sign_in: SignedIn, audit: Callable[[Page], None]
) -> None:
    page = sign_in("Copperfield")
    made_idle(site, "Copperfield")
    page.goto("/numbers?status=assigned")
    expect(page.get_by_text("You were signed out after")).to_be_visible()
    audit(page)
    account = site.account("Copperfield")
    SignIn(page).enter(account["email"], account["password"])
    page.wait_for_url("**/numbers?status=assigned")
    expect(PhoneNumbers(page).heading).to_have_text("Phone Numbers")


def test_signing_out_everywhere_signs_out_the_other_browser(sign_in: SignedIn) -> None:
    here = sign_in("Brightwater")
    before = Account(here).open().browsers()
    there = sign_in("Brightwater")
    mine = Account(here).open()
    assert mine.browsers() == before + 1
    mine.sign_out_everywhere()
    expect(here.get_by_text("You are signed out of all browsers.")).to_be_visible()
    there.reload()
    expect(PortalPage(there).heading).to_have_text("Sign in")
    assert parse_qs(urlsplit(there.url).query)["next"] == ["/numbers"]


def test_after_signing_out_the_way_back_shows_nothing(sign_in: SignedIn) -> None:
    page = sign_in("Brightwater")
    PortalPage(page).choose_in_account_menu("Sign out")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.go_back()
    expect(PortalPage(page).heading).to_have_text("Sign in")


def test_without_scripts_one_signs_in_and_out(sign_in: SignedIn) -> None:
    page = sign_in("Ashford", javascript=False)
    expect(PortalPage(page).heading).to_have_text("Phone Numbers")
    PortalPage(page).choose_in_account_menu("Sign out")
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_under_a_name_without_https_one_signs_in_too(new_page: NewPage, sign_in: SignedIn, watch: Watch) -> None:
    """There browsers send no Sec-Fetch-Site, keep no cookie that asks for https, and say that they isolate nothing."""
    watch.allow("Cross-Origin-Opener-Policy header has been ignored")
    page = sign_in("Ashford", new_page(host=NAMED_HOST))
    PortalPage(page).choose_in_account_menu("Sign out")
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_a_form_that_is_out_of_date_is_refused_in_words(page: Page, audit: Callable[[Page], None]) -> None:
    entry = SignIn(page).open()
    page.context.clear_cookies()
    entry.enter("admin@harbour-telecom.example", "whatever")
    expect(entry.main).to_contain_text("out of date")
    audit(page)


def test_the_sign_in_page_is_for_everybody(
    page: Page, audit: Callable[[Page], None], shoot: Callable[[Page, str], None]
) -> None:
    entry = SignIn(page).open()
    audit(page)
    shoot(page, "sign-in")
    entry.enter("nobody@harbour-telecom.example", "not the password")
    expect(entry.summary).to_contain_text(WRONG)
    audit(page)
    entry.open()
    page.get_by_role("button", name="Sign in").click()
    entry.expect_fault("E-mail", "This is required.")
    audit(page)
