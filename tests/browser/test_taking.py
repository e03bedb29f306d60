"""Numbers that others have, in the browser (R19): two tabs, who would lose how many, the choice of an upload."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import SignedIn
from tests.browser.pages import PhoneNumbers, Upload
from tests.browser.test_numbers import stocked
from tests.support.servers.service import Service
from worker.phone.formatting import readable

Audit = Callable[[Page], None]


def choose(page: Page, name: str) -> None:
    """On Modify Assignments: choose who gets the numbers, and press Assign."""
    field = page.get_by_role("combobox", name="Reseller / Enterprise")
    field.select_option(value=field.locator("option").filter(has_text=name).get_attribute("value"))
    page.get_by_role("button", name="Assign").click()
    expect(page.get_by_role("heading", name="New assignment, not saved yet")).to_be_visible()


def test_two_tabs_assign_one_number(site: Service, sign_in: SignedIn, audit: Audit) -> None:
    number = stocked(site, 1)[0]
    first = sign_in("Harbour")
    second = first.context.new_page()
    for tab, name in ((first, "Ashford Clinics"), (second, "Brightwater Hotels")):
        tab.goto(f"/numbers?q={number}")
        PhoneNumbers(tab).choose(number, "Assign")
        choose(tab, name)
    first.get_by_role("button", name="Save Settings").click()
    expect(PhoneNumbers(first).confirmation(f"{readable(number)} was assigned to Ashford Clinics.")).to_be_visible()
    second.get_by_role("button", name="Save Settings").click()
    words = f"{readable(number)} could not be assigned to Brightwater Hotels: it was assigned to Ashford Clinics since"
    refused = PhoneNumbers(second).confirmation(words)
    expect(refused).to_be_visible()
    expect(refused).to_contain_text("Nothing was changed.")
    audit(second)
    second.reload()
    expect(PhoneNumbers(second).row(number)).to_contain_text("Ashford Clinics")


def test_a_selection_says_who_would_lose_numbers(site: Service, sign_in: SignedIn, audit: Audit) -> None:
    numbers = stocked(site, 5, given=2)
    page = sign_in("Harbour")
    shown = PhoneNumbers(page)
    page.goto(f"/numbers?q={numbers[0][:-2]}")
    shown.tick(*numbers)
    page.get_by_role("button", name="Assign 5 numbers", exact=True).click()
    choose(page, "Brightwater Hotels")
    expect(shown.main).to_contain_text("Ashford Clinics 2 numbers")
    expect(page.get_by_label("Only unassigned numbers")).to_be_checked()
    audit(page)
    page.get_by_role("button", name="Save Settings for 5 numbers").click()
    expect(
        shown.confirmation("3 of 5 numbers were assigned to Brightwater Hotels. 2 could not be assigned:")
    ).to_be_visible()


def test_the_form_of_an_upload_asks_only_where_numbers_are_updated(sign_in: SignedIn, audit: Audit) -> None:
    page = sign_in("Harbour")
    Upload(page).open()
    question = page.get_by_role("group", name="Existing numbers assigned to another customer")
    expect(question).to_be_hidden()
    page.get_by_label("Update them").check()
    expect(question).to_be_visible()
    expect(page.get_by_label("Leave them with the customer")).to_be_checked()
    audit(page)
