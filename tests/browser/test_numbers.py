"""Phone Numbers as people use them: found, chosen, assigned, taken back, changed and deleted."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.audits import NARROW
from tests.browser.conftest import SignedIn
from tests.browser.pages import PhoneNumbers, fresh_numbers
from tests.support.files import sheets
from tests.support.servers.service import Service
from worker.phone.formatting import readable

Audit = Callable[[Page], None]
Shoot = Callable[[Page, str], None]


def stocked(site: Service, count: int, *, given: int = 0) -> list[str]:
    """So many new numbers of Harbour Telecom with Voice and SMS, the first `given` of them at Ashford Clinics."""
    client, numbers = site.client("Harbour"), fresh_numbers(count)
    rows = [["1", one, "TRUE", "TRUE", "FALSE"] for one in numbers]
    client.ended(client.upload(sheets.csv_bytes([sheets.HEADER, *rows])))
    if given:
        body = {"numbers": numbers[:given], "tenant_id": site.account("Ashford")["tenant_id"]}
        client.ended(client.http.post("/v1/assignments", json=body).json()["id"])
    return numbers


def prefix(numbers: list[str]) -> str:
    """How all of them begin, as one writes it; nothing else does (`fresh_numbers`)."""
    return readable(numbers[0])[:-3]


def test_numbers_are_found_chosen_and_assigned(site: Service, sign_in: SignedIn, audit: Audit, shoot: Shoot) -> None:
    numbers = stocked(site, 14)
    page = sign_in("Harbour")
    shown = PhoneNumbers(page)
    page.goto("/numbers?limit=10")
    shown.search(f" {prefix(numbers)} ")
    expect(shown.main).to_contain_text("14 numbers match, 10 on this page")
    shown.filter(Status="Unassigned", Country="United States")
    expect(page.get_by_role("link", name="Remove Status: Unassigned")).to_be_visible()
    assert "status=unassigned" in page.url
    assert "carrier" not in page.url
    audit(page)
    shoot(page, "numbers")
    # Three of them.
    expect(page.get_by_role("button", name="Assign", exact=True)).to_be_disabled()
    shown.tick(*numbers[:3])
    here = page.url
    page.get_by_role("button", name="Assign 3 numbers", exact=True).click()
    expect(shown.heading).to_have_text("Modify Assignments for Phone Numbers")
    page.get_by_text("Show them").click()
    expect(shown.main).to_contain_text(readable(numbers[2]))
    audit(page)
    shown.assign_to("Ashford Clinics")
    expect(shown.confirmation("3 numbers were assigned to Ashford Clinics.")).to_be_visible()
    assert page.url == here
    expect(shown.row(numbers[0])).to_have_count(0)  # it is no longer unassigned
    # Going back, the form is there again; sent again it changes nothing.
    page.go_back()
    expect(page.get_by_role("heading", name="New assignment, not saved yet")).to_be_visible()
    page.get_by_role("button", name="Save Settings for 3 numbers").click()
    expect(shown.confirmation("Nothing to do: 3 numbers were left unchanged.")).to_be_visible()
    # The rest, by the filter.
    page.get_by_label("Select all 10 on this page").check()
    expect(page.get_by_role("button", name="Delete 10 numbers")).to_be_enabled()
    page.get_by_role("link", name="Select all 11 matching numbers").click()
    expect(shown.main).to_contain_text("All 11 matching numbers are selected.")
    audit(page)
    page.get_by_role("link", name="Assign 11 numbers", exact=True).click()
    shown.assign_to("Brightwater Hotels")
    expect(shown.confirmation("11 numbers were assigned to Brightwater Hotels.")).to_be_visible()
    expect(page.get_by_role("heading", name="No matching numbers")).to_be_visible()
    audit(page)
    page.get_by_role("link", name="Clear filters").click()
    expect(shown.rows.first).to_be_visible()


def test_one_number_by_the_keyboard(site: Service, sign_in: SignedIn, audit: Audit, shoot: Shoot) -> None:
    numbers = stocked(site, 3)
    first = numbers[0]
    page = sign_in("Harbour")
    shown = PhoneNumbers(page)
    page.goto(f"/numbers?q={first}")
    shown.tab_to(shown.actions_of(first))
    page.keyboard.press("Enter")
    menu = shown.row(first)
    expect(menu.get_by_role("link", name="Assign")).to_be_visible()
    expect(menu).to_contain_text("Not assigned.")
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="Assign")).to_be_hidden()
    expect(shown.actions_of(first)).to_be_focused()
    page.keyboard.press("Enter")
    shown.tab_to(menu.get_by_role("link", name="Assign"))
    page.keyboard.press("Enter")
    expect(shown.heading).to_have_text("Modify Assignments for Phone Number")
    shown.tab_to(page.get_by_label("Reseller / Enterprise"))
    page.keyboard.type("Ashford")
    shown.tab_to(page.get_by_role("button", name="Assign"))
    page.keyboard.press("Enter")
    expect(shown.main).to_contain_text("Harbour Telecom")
    expect(page.get_by_role("heading", name="New assignment, not saved yet")).to_be_visible()
    audit(page)
    shoot(page, "assign")
    shown.tab_to(page.get_by_role("button", name="Save Settings"))
    page.keyboard.press("Enter")
    expect(shown.confirmation(f"{readable(first)} was assigned to Ashford Clinics.")).to_be_visible()
    # The number's page tells what was done, and why not what cannot be done (R24).
    shown.row(first).get_by_role("link").first.click()
    expect(shown.heading).to_have_text(readable(first))
    expect(shown.main).to_contain_text("The number is assigned to a customer or a user.")
    expect(page.get_by_role("link", name="Delete")).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("Assigned|Uploaded"))).to_have_count(2)
    audit(page)
    page.get_by_role("link", name="Unassign").click()
    expect(shown.main).to_contain_text("Harbour Telecom")
    audit(page)
    page.get_by_role("button", name="Unassign").click()
    expect(shown.confirmation(f"{readable(first)} was unassigned.")).to_be_visible()
    # Now it can be deleted (R26), and another tab that still shows it is told the truth.
    other = page.context.new_page()
    other.goto(f"/numbers/delete?numbers={first[1:]}")
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("heading", name=f"Delete {readable(first)}?")).to_be_visible()
    audit(page)
    page.get_by_role("button", name="Delete").click()
    expect(shown.confirmation(f"{readable(first)} was deleted.")).to_be_visible()
    other.get_by_role("button", name="Delete").click()
    told = PhoneNumbers(other).confirmation(f"{readable(first)} could not be deleted.")
    expect(told).to_contain_text("The number is not in your inventory.")
    other.close()


def test_an_enterprise_gives_numbers_to_users_and_changes_what_is_free(
    site: Service, sign_in: SignedIn, audit: Audit
) -> None:
    """R20, R23: what a user needs of a number is blocked, and said why."""
    numbers = stocked(site, 4, given=4)
    page = sign_in("Ashford")
    shown = PhoneNumbers(page)
    shown.search(prefix(numbers))
    expect(shown.rows).to_have_count(4)
    shown.tick(*numbers[:2])
    page.get_by_role("button", name="Assign 2 numbers", exact=True).click()
    page.get_by_role("radio", name="SMS").check()
    shown.assign_to("Dora Gateway", label="User")
    expect(shown.confirmation("2 numbers were assigned to Dora Gateway.")).to_be_visible()
    shown.choose(numbers[2], "Assign")
    page.get_by_role("radio", name="SMS").check()
    audit(page)
    shown_user = page.get_by_role("combobox", name="User")
    shown_user.select_option(value=shown_user.locator("option", has_text="Ada").get_attribute("value"))
    page.get_by_role("button", name="Assign").click()
    page.get_by_role("button", name="Save Settings").click()
    expect(shown.summary).to_contain_text("SMS service isn't enabled")
    expect(shown.summary).to_be_focused()
    audit(page)
    # Three at once: two are blocked.
    page.goto(f"/numbers?q={prefix(numbers)[1:]}")
    shown.tick(*numbers[:3])
    page.get_by_role("button", name="Change capabilities of 3 numbers").click()
    page.get_by_role("group", name="SMS").get_by_label("Disable").check()
    audit(page)
    page.get_by_role("button", name="Save Settings for 3 numbers").click()
    told = shown.confirmation("1 of 3 numbers was changed. 2 could not be changed:")
    expect(told).to_contain_text("so SMS can't be turned off")
    audit(page)
    page.get_by_role("link", name="See all 2").click()
    expect(page).to_have_url(re.compile("/jobs/"))
    page.go_back()
    shown.choose(numbers[0], "Unassign")
    page.get_by_role("button", name="Unassign").click()
    expect(shown.confirmation(f"{readable(numbers[0])} was unassigned.")).to_be_visible()
    shown.choose(numbers[0], "Change capabilities")
    page.get_by_role("group", name="SMS").get_by_label("Disable").check()
    page.get_by_role("button", name="Save Settings").click()
    expect(shown.confirmation(f"{readable(numbers[0])} was changed.")).to_be_visible()


def test_without_javascript(site: Service, sign_in: SignedIn) -> None:
    numbers = stocked(site, 3)
    page = sign_in("Harbour", javascript=False)
    shown = PhoneNumbers(page)
    shown.search(prefix(numbers))
    expect(shown.rows).to_have_count(3)
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(shown.confirmation("Select the numbers first.")).to_be_visible()
    shown.tick(*numbers)
    page.get_by_role("button", name="Assign", exact=True).click()
    shown.assign_to("Brightwater Hotels")
    expect(shown.confirmation("3 numbers were assigned to Brightwater Hotels.")).to_be_visible()
    shown.filter(Assigned_to="Brightwater Hotels")
    expect(shown.rows).to_have_count(3)
    shown.choose(numbers[1], "Unassign")
    page.get_by_role("button", name="Unassign").click()
    expect(shown.confirmation(f"{readable(numbers[1])} was unassigned.")).to_be_visible()
    page.goto(f"/numbers?q={numbers[1]}")
    shown.choose(numbers[1], "Delete")
    page.get_by_role("button", name="Delete").click()
    expect(shown.confirmation(f"{readable(numbers[1])} was deleted.")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "words"), [("Copperfield", "No phone numbers yet"), ("Dunmore", "Ask your reseller to turn on Allow")]
)
def test_an_empty_inventory_says_what_to_do(
    name: str, words: str, sign_in: SignedIn, site: Service, audit: Audit
) -> None:
    """R8, R9: with the right to upload, and without."""
    # The service is that of other files' tests, too, which may have given it numbers.
    site.ask(
        "DELETE FROM phone_numbers USING tenants WHERE tenants.id = holder_id AND name LIKE :name || '%' "
        "RETURNING e164",
        name=name,
    )
    page = sign_in(name, width=NARROW)
    expect(page.get_by_role("main")).to_contain_text(words)
    expect(page.get_by_role("link", name="Upload Phone Numbers").first).to_be_visible(visible=name == "Copperfield")
    audit(page)


def test_a_filter_that_means_nothing_is_told(sign_in: SignedIn, site: Service, audit: Audit) -> None:
    stocked(site, 1)
    page = sign_in("Harbour")
    page.goto("/numbers?tenant=Nowhere&q=1")
    shown = PhoneNumbers(page)
    shown.expect_fault("Assigned to", re.compile("No enterprise or reseller “Nowhere”. Pick one from the list."))
    expect(shown.summary.get_by_role("link", name="Assigned to")).to_be_visible()
    expect(shown.summary).to_be_focused()
    audit(page)
