"""What stands around every page: navigation, menus, confirmations, errors; for every level, width and hand."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import audits
from tests.browser.audits import NARROW, Scheme
from tests.browser.conftest import NewPage, SignedIn
from tests.browser.pages import Account, People, PortalPage, SignIn
from tests.support.servers import service
from tests.support.servers.service import Service

LEVELS = ("Meridian", "Harbour", "Ashford")  # Master Reseller, Reseller, Enterprise
NOT_FOR = {"Meridian": set(), "Harbour": {"Resellers"}, "Ashford": {"Resellers", "Enterprises"}}
HOSTILE = "<img src=x onerror=alert(1)> & “Söhne”"
CHOSEN = "four plain words here"


def places(page: Page) -> list[str]:
    return PortalPage(page).navigation.get_by_role("link").all_inner_texts()


@pytest.mark.parametrize("name", LEVELS)
def test_each_level_has_the_places_it_can_use(sign_in: SignedIn, audit: Callable[[Page], None], name: str) -> None:
    """Each leads to a page of that name, which is sound in every look (R1)."""
    page = sign_in(name)
    found, shown = places(page), PortalPage(page)
    assert found[:2] == ["Overview", "Phone Numbers"]
    assert not NOT_FOR[name].intersection(found)
    for place in found:
        shown.go_to(place)
        expect(shown.heading).to_have_text(place)
        expect(page).to_have_title(f"{place} - Numberyard")
        here = shown.navigation.get_by_role("link", name=place, exact=True)
        expect(here).to_have_attribute("aria-current", "page")
        audit(page)


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_on_a_phone_the_places_are_behind_menu(sign_in: SignedIn, javascript: bool) -> None:
    page = sign_in("Harbour", javascript=javascript, width=NARROW)
    shown = PortalPage(page)
    expect(shown.navigation).to_be_hidden()
    shown.menu.click()
    expect(shown.navigation).to_be_visible()
    shown.go_to("Phone Numbers")
    expect(shown.heading).to_have_text("Phone Numbers")
    expect(shown.navigation).to_be_hidden()


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_times_are_in_the_reader_s_zone_with_utc_as_the_title(
    new_page: NewPage, sign_in: SignedIn, site: Service, javascript: bool
) -> None:
    """Without scripts they are in UTC, and say so."""
    client = site.client("Harbour")
    job = client.ended(client.upload(service.block(1, 2_122_999_000)))
    created = dt.datetime.fromisoformat(job["created_at"]).astimezone(dt.UTC)
    page = sign_in("Harbour", new_page(zone="Asia/Tokyo", javascript=javascript))
    there = created.astimezone(zoneinfo.ZoneInfo("Asia/Tokyo"))
    utc = f"{created:%Y-%m-%d %H:%M} UTC"
    for path in ("/jobs", f"/jobs/{job['id']}"):
        page.goto(path)
        time = page.locator(f"time[datetime^='{created:%Y-%m-%dT%H:%M}']").first
        expect(time).to_have_text(f"{there:%Y-%m-%d %H:%M} GMT+9" if javascript else utc)
        if javascript:
            expect(time).to_have_attribute("title", utc)


def test_the_first_tab_leads_past_the_navigation(sign_in: SignedIn) -> None:
    page = sign_in("Harbour")
    page.goto("/account")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to main content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert PortalPage(page).main.evaluate("main => main.contains(document.activeElement)")


def test_a_menu_closes_by_escape_and_by_a_click_elsewhere(sign_in: SignedIn) -> None:
    page = sign_in("Harbour")
    shown = PortalPage(page)
    sign_out = page.get_by_role("button", name="Sign out")
    expect(sign_out).to_be_hidden()
    shown.tab_to(shown.account_menu)
    page.keyboard.press("Enter")
    expect(sign_out).to_be_visible()
    page.keyboard.press("Escape")
    expect(sign_out).to_be_hidden()
    expect(shown.account_menu).to_be_focused()
    shown.account_menu.click()
    expect(sign_out).to_be_visible()
    shown.heading.click()
    expect(sign_out).to_be_hidden()


def test_an_open_menu_is_sound(sign_in: SignedIn, audit: Callable[[Page], None]) -> None:
    page = sign_in("Harbour")
    PortalPage(page).account_menu.click()
    audit(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_the_colours_of_the_system(new_page: NewPage, scheme: Scheme) -> None:
    page = new_page(scheme=scheme)
    SignIn(page).open()
    # The one colour that stands where nothing else is.
    ground = page.evaluate(
        "() => [document.body, document.documentElement].map((one) => getComputedStyle(one).backgroundColor)"
        ".find((colour) => colour !== 'rgba(0, 0, 0, 0)')"
    )
    red, green, blue = (int(channel) for channel in re.findall(r"\d+", ground)[:3])
    assert (red + green + blue < 3 * 128) == (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_the_pointer_is_over_can_still_be_read(sign_in: SignedIn, new_page: NewPage, scheme: Scheme) -> None:
    """No audit sees this by itself."""
    page = sign_in("Harbour", new_page(scheme=scheme))
    page.goto("/account")
    shown = PortalPage(page)
    for target in (
        shown.navigation.get_by_role("link", name="Phone Numbers"),
        page.get_by_role("button", name="Change password"),
        page.get_by_role("button", name="Sign out everywhere"),
        shown.account_menu,
    ):
        target.hover()
        assert not audits.problems(page)


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_what_is_not_there_is_told_in_words(sign_in: SignedIn, javascript: bool) -> None:
    page = sign_in("Harbour", javascript=javascript)
    page.goto("/numbers/no/such/page")
    expect(PortalPage(page).heading).to_have_text("Page not found")
    page.get_by_role("link", name="Go to Overview").click()
    expect(PortalPage(page).heading).to_have_text("Overview")


def test_the_pages_of_the_account_and_of_errors_are_sound(sign_in: SignedIn, audit: Callable[[Page], None]) -> None:
    page = sign_in("Harbour")
    for path in ("/account", "/account/admins", "/numbers/no/such/page"):
        page.goto(path)
        audit(page)
    account = Account(page).open()
    account.change_password("not the password", "short")
    expect(account.summary).to_be_focused()
    audit(page)


def test_a_person_is_added_chooses_a_password_and_is_removed(
    site: Service, new_page: NewPage, sign_in: SignedIn, audit: Callable[[Page], None]
) -> None:
    """R1, R30. The name of the person's enterprise is hostile, and nothing but a name."""
    email = "new.person@hostile.example"
    enterprise = {"name": HOSTILE, "kind": "enterprise"}
    assert site.client("Harbour").http.post("/v1/tenants", json=enterprise).status_code == 201
    people = People(sign_in("Harbour")).open()
    given = people.add(email, HOSTILE)
    audit(people.page)

    other = new_page()
    SignIn(other).open().enter(email, given)
    account = Account(other)
    expect(account.heading).to_have_text("Account")
    expect(other.get_by_role("banner")).to_contain_text(HOSTILE)
    account.change_password(given, CHOSEN)
    expect(account.confirmation("Your password was changed.")).to_be_visible()
    audit(other)
    other.goto("/")
    expect(account.heading).to_have_text("Overview")

    row = people.open().row(email)
    expect(row).to_contain_text(HOSTILE)
    row.locator("summary").click()
    row.get_by_role("link", name="Remove").click()
    audit(people.page)
    people.page.get_by_role("button", name="Remove").click()
    expect(people.confirmation(f"{email} was removed")).to_be_visible()
    expect(people.row(email)).to_have_count(0)
    other.reload()
    expect(account.heading).to_have_text("Sign in")


def shown_confirmation(sign_in: SignedIn, email: str, *, javascript: bool) -> PortalPage:
    """A page with a confirmation: that a person was removed."""
    people = People(sign_in("Summit", javascript=javascript)).open()
    if javascript:
        people.page.clock.install()
    people.add(email, "Dunmore Insurance")
    people.open()
    people.row(email).locator("summary").click()
    people.row(email).get_by_role("link", name="Remove").click()
    people.page.get_by_role("button", name="Remove").click()
    expect(people.confirmation(f"{email} was removed")).to_be_visible()
    return people


def test_a_confirmation_goes_away_after_ten_seconds_unless_it_is_being_read(sign_in: SignedIn) -> None:
    """R30. Seconds of a clock that the test turns."""
    email = "brief@summit-networks.example"
    shown = shown_confirmation(sign_in, email, javascript=True)
    said = shown.confirmation(f"{email} was removed")
    said.hover()
    shown.page.clock.run_for(30_000)
    expect(said).to_be_visible()
    shown.page.mouse.move(0, 0)
    shown.page.clock.run_for(11_000)
    expect(said).to_be_hidden()


def test_a_confirmation_can_be_dismissed_and_is_said_once(sign_in: SignedIn) -> None:
    email = "dismissed@summit-networks.example"
    shown = shown_confirmation(sign_in, email, javascript=True)
    said = shown.confirmation(f"{email} was removed")
    shown.page.get_by_role("button", name="Dismiss").click()
    expect(said).to_be_hidden()
    shown.page.reload()
    expect(shown.heading).to_have_text("People who can sign in")
    expect(said).to_be_hidden()


def test_without_scripts_a_confirmation_stays(sign_in: SignedIn) -> None:
    email = "lasting@summit-networks.example"
    shown = shown_confirmation(sign_in, email, javascript=False)
    expect(shown.confirmation(f"{email} was removed")).to_be_in_viewport()
