"""Enterprises, users with their numbers and SMS, carriers and tokens, as admins set them up in a browser."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import httpx
from playwright.sync_api import Page, expect

from tests.browser.audits import NARROW
from tests.browser.conftest import NewPage, SignedIn
from tests.browser.pages import Account, Enterprises, Mover, People, SignIn, Tokens, Users, fresh_numbers
from tests.support.files import sheets
from tests.support.servers.service import NO_TLS, Service
from worker.phone.formatting import readable

Audit = Callable[[Page], None]
Shoot = Callable[[Page, str], None]
_turns = itertools.count(1)


def given(site: Service, to: str, count: int) -> list[str]:
    """New numbers, with Voice and SMS, that its reseller has assigned to an enterprise."""
    found = fresh_numbers(count)
    client = site.client("Summit" if to == "Copperfield" else "Harbour")
    rows = [sheets.HEADER, *(["1", one, "TRUE", "TRUE", "FALSE"] for one in found)]
    job = client.upload(sheets.csv_bytes(rows), assign_to=site.account(to)["tenant_id"])
    assert client.ended(job)["counts"]["created"] == count
    return found


def named(word: str) -> str:
    """A name that no other test has."""
    return f"{word} {next(_turns)}"


def test_allow_external_numbers_on_and_off(sign_in: SignedIn, new_page: NewPage, audit: Audit, shoot: Shoot) -> None:
    """R9, R21: what its admins may do changes with the tick."""
    reseller = sign_in("Harbour")
    name, email = named("Quay Dental"), f"admin{next(_turns)}@quay.example"
    enterprises = Enterprises(reseller).open()
    enterprises.go_to("Enterprises")
    enterprises.add(name, allow_external_numbers=True)
    expect(enterprises.row(name)).to_contain_text("Allowed")
    audit(reseller)
    shoot(reseller, "enterprises")
    password = People(reseller).open().add(email, name)
    theirs = new_page()
    SignIn(theirs).open().enter(email, password)
    Account(theirs).change_password(password, "a better password of my own")
    theirs.wait_for_url("**/overview")
    upload = theirs.get_by_role("main").get_by_role("link", name="Upload Phone Numbers").first
    expect(upload).to_be_visible()
    users = Users(theirs).open()
    theirs.get_by_role("main").get_by_role("link", name="Add PBX user").first.click()
    users.fill("Ada Quay")
    number = fresh_numbers()[0]
    users.new_number.fill(readable(number))
    audit(theirs)
    users.send()
    expect(users.confirmation(f"Ada Quay was added. {readable(number)} was assigned to Ada Quay.")).to_be_visible()

    reseller.goto("/enterprises")
    enterprises.row(name).get_by_role("link", name=name).click()
    expect(enterprises.heading).to_have_text("Edit Enterprise")
    audit(reseller)
    reseller.get_by_label("Allow External Numbers").uncheck()
    reseller.get_by_role("button", name="Save").click()
    expect(enterprises.row(name)).to_contain_text("Not allowed")
    theirs.goto("/numbers")
    expect(upload).to_have_count(0)
    theirs.goto("/users/new?kind=pbx")
    expect(users.new_number).to_have_count(0)
    expect(users.main).to_contain_text("You can't enter new numbers here.")

    reseller.goto("/enterprises")
    enterprises.row(name).locator("summary").click()
    enterprises.row(name).get_by_role("link", name="Delete").click()
    expect(enterprises.main).to_contain_text("It can't be deleted because it has")
    audit(reseller)


def test_users_are_set_up_with_numbers(site: Service, sign_in: SignedIn, audit: Audit, shoot: Shoot) -> None:
    """R20, R22: a Phone Number for a PBX user, Default and Forwarded DIDs for a trunk user."""
    first, *others = given(site, "Ashford", 4)
    pbx, trunk = named("Pia Pbx"), named("Tom Trunk")
    page = sign_in("Ashford")
    users = Users(page).open()
    page.get_by_role("link", name="Add PBX user").click()
    users.send()
    users.expect_fault("Name", "This is required.")
    expect(users.summary).to_be_focused()
    audit(page)
    users.fill(pbx)
    page.get_by_label("Phone Number").select_option(label=readable(first))
    page.get_by_label("Name").press("Enter")
    expect(users.confirmation(f"{readable(first)} was assigned to {pbx}.")).to_be_visible()
    expect(users.row(pbx)).to_contain_text(readable(first))
    audit(page)
    shoot(page, "users")

    page.get_by_role("link", name="Add Trunk user").click()
    users.fill(trunk)
    page.get_by_label("Default DID").select_option(label=readable(others[0]))
    mover = Mover(page, "Available numbers", "Forwarded DIDs")
    mover.left.select_option([readable(one) for one in others[1:]])
    mover.to_right.click()
    expect(mover.right.get_by_role("option")).to_have_text([readable(one) for one in others[1:]])
    audit(page)
    users.send()
    expect(users.confirmation(f"3 numbers were assigned to {trunk}.")).to_be_visible()
    users.act(trunk, "Edit")
    mover.right.select_option(readable(others[2]))
    mover.to_left.click()
    users.send("Save")
    expect(users.confirmation(f"{readable(others[2])} was unassigned from {trunk}.")).to_be_visible()
    users.act(trunk, "Delete")
    expect(users.main).to_contain_text("can't be deleted while they have numbers")
    audit(page)


def test_manage_sms_by_keyboard_there_and_back(site: Service, sign_in: SignedIn, audit: Audit, shoot: Shoot) -> None:
    """R20; and what somebody else has taken meanwhile is told."""
    numbers = given(site, "Brightwater", 3)
    page = sign_in("Brightwater")
    users = Users(page).open()
    users.act("Ada Lindqvist", "Manage SMS")
    mover = Mover(page)
    press, enable = page.keyboard.press, page.get_by_label("Enable SMS Service")
    users.tab_to(enable)
    press("Space")
    users.tab_to(mover.left)
    press("Home")
    press("Shift+ArrowDown")
    press("Tab")
    expect(mover.to_right).to_be_focused()
    press("Enter")
    expect(mover.right.get_by_role("option")).to_have_text([readable(one) for one in numbers[:2]])
    expect(page.get_by_role("status").get_by_text("2 numbers moved to Assigned DIDs.")).to_be_attached()
    expect(mover.to_right).to_be_focused()
    audit(page)
    shoot(page, "sms")
    users.tab_to(page.get_by_role("button", name="Submit"))
    press("Enter")
    expect(
        users.confirmation("SMS is now on for Ada Lindqvist. 2 numbers were assigned to Ada Lindqvist.")
    ).to_be_visible()

    users.act("Bela Moreno", "Manage SMS")
    late = sign_in("Brightwater", width=NARROW)
    late.goto(page.url)
    for tab in (page, late):
        Mover(tab).left.select_option(readable(numbers[2]))
        Mover(tab).left.press("Enter")
    page.get_by_role("button", name="Submit").click()
    expect(users.confirmation(f"{readable(numbers[2])} was assigned to Bela Moreno.")).to_be_visible()
    late.get_by_role("button", name="Submit").click()  # it has it already: nothing is left to be done
    expect(Users(late).confirmation("SMS is now on for Bela Moreno.")).to_be_visible()

    users.act("Ada Lindqvist", "Manage SMS")
    late.goto(page.url)
    Mover(page).right.select_option(readable(numbers[0]))
    mover.to_left.click()
    page.get_by_role("button", name="Submit").click()
    expect(users.confirmation(f"{readable(numbers[0])} was unassigned from Ada Lindqvist.")).to_be_visible()
    users.act("Bela Moreno", "Manage SMS")
    late.goto("/users")
    Users(late).act("Dora Gateway", "Manage SMS")
    for tab in (page, late):
        Mover(tab).left.select_option(readable(numbers[0]))
        Mover(tab).to_right.click()
    page.get_by_role("button", name="Submit").click()
    expect(users.confirmation(f"{readable(numbers[0])} was assigned to Bela Moreno.")).to_be_visible()
    late.get_by_role("button", name="Submit").click()
    expect(Users(late).summary).to_contain_text(readable(numbers[0]))
    expect(Users(late).summary).to_be_focused()
    audit(late)


def test_more_numbers_than_a_list_shows_are_found_by_typing(site: Service, sign_in: SignedIn, audit: Audit) -> None:
    """What was moved before stays moved, and Enter searches and saves nothing."""
    numbers = given(site, "Copperfield", 130)
    page = sign_in("Copperfield")
    users = Users(page).open()
    users.act("Dora Gateway", "Manage SMS")
    mover, search = Mover(page), page.get_by_label("Search available numbers")
    expect(mover.left.get_by_role("option")).to_have_count(100)
    free = int(mover.count("left"))
    assert free >= 130  # all, not only those in the list
    mover.left.select_option(readable(numbers[0]))
    mover.to_right.click()
    assert (mover.count("left"), mover.count("right")) == (str(free - 1), "1")
    search.fill(readable(numbers[120])[:-1])  # ten numbers begin so
    expect(mover.left.get_by_role("option")).to_have_count(10)
    expect(page.get_by_text("10 match. Search by the start of a number.")).to_be_visible()
    assert mover.count("left") == str(free - 1)
    search.press("Enter")
    audit(page)
    mover.left.select_option(readable(numbers[125]))
    mover.to_right.click()
    search.fill(readable(numbers[0])[:-1])
    expect(mover.left.get_by_role("option")).to_have_count(9)  # the tenth was moved
    expect(mover.right.get_by_role("option")).to_have_text([readable(numbers[0]), readable(numbers[125])])
    page.get_by_role("button", name="Submit").click()
    expect(users.confirmation("2 numbers were assigned to Dora Gateway.")).to_be_visible()

    users.act("Ada Lindqvist", "Edit")
    page.get_by_label("Phone Number").select_option(label=readable(numbers[1]))
    search.fill(readable(numbers[129]))
    options = page.get_by_label("Phone Number").get_by_role("option")
    expect(options).to_have_text(["None", readable(numbers[1]), readable(numbers[129])])
    expect(page.get_by_label("Phone Number")).to_have_value(numbers[1])
    users.send("Save")
    expect(users.confirmation(f"{readable(numbers[1])} was assigned to Ada Lindqvist.")).to_be_visible()


def test_without_javascript_users_and_sms_are_set_up_too(site: Service, sign_in: SignedIn) -> None:
    first, second = given(site, "Ashford", 2)
    name = named("Nora Plain")
    page = sign_in("Ashford", javascript=False, width=NARROW)
    users = Users(page).open()
    page.get_by_role("link", name="Add PBX user").click()
    users.fill(name)
    page.get_by_label("Phone Number").select_option(label=readable(first))
    page.get_by_label("Enable SMS Service").check()
    users.send()
    expect(users.confirmation(f"{readable(first)} was assigned to {name}.")).to_be_visible()
    users.act(name, "Manage SMS")
    expect(page.get_by_role("button", name="Move to")).to_have_count(0)
    page.get_by_label(readable(second)).check()
    users.send("Submit")
    expect(users.confirmation(f"{readable(second)} was assigned to {name}.")).to_be_visible()
    users.act(name, "Manage SMS")
    page.get_by_label(readable(second)).uncheck()
    page.get_by_label("Enable SMS Service").uncheck()
    users.send("Submit")
    expect(users.confirmation(f"SMS is now off for {name}.")).to_be_visible()


def test_carriers_and_tokens(site: Service, sign_in: SignedIn, audit: Audit, shoot: Shoot) -> None:
    """R7: a default is chosen and left to the level above again. R4: a token is made, used, and revoked."""
    page = sign_in("Summit")
    tokens = Tokens(page)
    page.goto("/carriers")
    page.get_by_label("Voice Carrier").select_option("Summit SIP")
    page.get_by_role("button", name="Save defaults").click()
    expect(tokens.confirmation("The default carriers were saved.")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="Summit SIP")
    expect(row).to_contain_text("Your default")
    audit(page)
    shoot(page, "carriers")
    row.locator("summary").click()
    row.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(tokens.summary).to_contain_text("It is used by defaults.")
    expect(tokens.summary).to_be_focused()
    audit(page)
    page.goto("/carriers")
    page.get_by_label("Voice Carrier").select_option(label="Inherited: Meridian Voice")
    page.get_by_role("button", name="Save defaults").click()
    expect(row).not_to_contain_text("Your default")

    name = named("Billing")
    secret = tokens.open().make(name)
    expect(page.get_by_role("button", name="Copy")).to_be_visible()
    audit(page)
    with httpx.Client(base_url=site.url, trust_env=False, verify=NO_TLS) as http:
        headers = {"Authorization": f"Bearer {secret}"}
        assert http.get("/v1/tenants/me", headers=headers).json()["name"] == "Summit Networks"
        page.goto("/tokens")
        assert secret not in page.content()
        shoot(page, "tokens")
        page.get_by_role("link", name=f"Revoke {name}").click()
        expect(tokens.heading).to_have_text("Revoke token")
        audit(page)
        page.get_by_role("button", name="Revoke").click()
        expect(tokens.confirmation(f"{name} was revoked and no longer works.")).to_be_visible()
        assert http.get("/v1/tenants/me", headers=headers).status_code == 401


def test_a_reseller_and_its_enterprise_come_and_go(sign_in: SignedIn, audit: Audit) -> None:
    """R1: by the master, who is asked before anything is removed."""
    page = sign_in("Meridian")
    reseller, enterprise = named("Fern Telecom"), named("Fern Bakery")
    levels = Enterprises(page)
    page.goto("/resellers")
    page.get_by_role("link", name="Add Reseller").click()
    page.get_by_role("button", name="Add Reseller").click()
    levels.expect_fault("Name", "This is required.")
    audit(page)
    page.get_by_label("Name").fill(reseller)
    page.get_by_role("button", name="Add Reseller").click()
    expect(levels.confirmation(f"{reseller} was added.")).to_be_visible()
    page.get_by_role("link", name=reseller, exact=True).click()
    audit(page)

    page.goto("/enterprises/new")
    audit(page)
    page.get_by_label("Name").fill(enterprise)
    page.get_by_role("combobox", name="Reseller").select_option(label=reseller)
    page.get_by_role("button", name="Add Enterprise").click()
    expect(levels.row(enterprise)).to_contain_text(reseller)

    def ask_to_delete(path: str, name: str) -> None:
        page.goto(f"{path}?q={name}")
        levels.row(name).locator("summary").click()
        levels.row(name).get_by_role("link", name="Delete").click()

    ask_to_delete("/resellers", reseller)
    expect(levels.main).to_contain_text("It can't be deleted because it has enterprises.")
    audit(page)
    for path, name in (("/enterprises", enterprise), ("/resellers", reseller)):
        ask_to_delete(path, name)
        expect(levels.main).to_contain_text("Its admins will no longer be able to sign in")
        audit(page)
        page.get_by_role("button", name="Delete").click()
        expect(levels.confirmation(f"{name} was deleted.")).to_be_visible()
        expect(levels.row(name)).to_have_count(0)


def test_a_carrier_and_a_user_come_and_go(sign_in: SignedIn, audit: Audit) -> None:
    """R7, R20: with what is wrong on the way, and the question before they are removed."""
    page = sign_in("Summit")
    first, second = named("Fern Voice"), named("Fern Trunks")
    shown = Users(page)
    page.goto("/carriers")
    page.get_by_role("button", name="Add carrier").click()
    shown.expect_fault("Name", "This is required.")
    audit(page)
    page.get_by_label("Name").fill(first)
    page.get_by_role("button", name="Add carrier").click()
    expect(shown.confirmation(f"{first} was added.")).to_be_visible()
    page.locator(f'summary[aria-label="Actions for {first}"]').click()
    page.get_by_role("link", name="Rename").click()
    page.get_by_label("Name").fill("Summit SIP")
    page.get_by_role("button", name="Save").click()
    expect(shown.summary).to_be_focused()
    audit(page)
    page.get_by_label("Name").fill(second)
    page.get_by_role("button", name="Save").click()
    expect(shown.confirmation(f"{first} is now called {second}.")).to_be_visible()
    page.locator(f'summary[aria-label="Actions for {second}"]').click()
    page.locator("details[open]").get_by_role("link", name="Delete").click()
    audit(page)
    page.get_by_role("button", name="Delete").click()
    expect(shown.confirmation(f"{second} was deleted.")).to_be_visible()

    page = sign_in("Ashford")
    users, name = Users(page).open(), named("Uma Brief")
    page.get_by_role("link", name="Add PBX user").click()
    users.fill(name)
    users.send()
    expect(users.confirmation(f"{name} was added.")).to_be_visible()
    users.act(name, "Delete")
    audit(page)
    page.get_by_role("button", name="Delete").click()
    expect(users.confirmation(f"{name} was deleted.")).to_be_visible()
    expect(users.row(name)).to_have_count(0)


def test_import_profiles_come_and_go(site: Service, sign_in: SignedIn, audit: Audit) -> None:
    """R32: shown, chosen for an upload, renamed, and deleted after a question; the provider's are only shown."""
    first, second, above = named("Blue export"), named("Blue carrier"), named("Porting desk")
    body = {
        "mapping": {"columns": {"Phone Number": "TN", "Voice": "Type"}, "values": {"Voice": {"geo": "TRUE"}}},
        "options": {"number_format": "national"},
        "headers": ["TN", "Type"],
    }
    page = sign_in("Summit")
    shown = Users(page)
    page.goto("/import-profiles")
    audit(page)
    master = site.client("Meridian").http
    provided = master.post("/v1/import-profiles", json={**body, "name": above}).raise_for_status().json()["id"]
    try:
        site.client("Summit").http.post("/v1/import-profiles", json={**body, "name": first}).raise_for_status()
        shown.go_to("Import profiles")
        row = page.get_by_role("row").filter(has_text=first)
        expect(row).to_contain_text("Voice: Type (geo = TRUE)")
        expect(page.get_by_role("row").filter(has_text=above)).to_contain_text("Your provider")
        audit(page)
        page.get_by_role("link", name=above).click()
        expect(page.get_by_role("button", name="Save")).to_have_count(0)
        page.goto("/uploads/new")
        expect(page.get_by_label("Import profile").get_by_role("option")).to_have_text(
            ["Detect automatically", "None", first, above]
        )
        audit(page)
        page.get_by_role("link", name="Manage import profiles").click()
        page.get_by_role("link", name=first).click()
        page.get_by_label("Name").fill("")
        page.get_by_role("button", name="Save").click()
        shown.expect_fault("Name", "This is required.")
        audit(page)
        page.get_by_label("Name").fill(second)
        page.get_by_role("button", name="Save").click()
        expect(shown.confirmation(f"{first} is now called {second}.")).to_be_visible()
        page.locator(f'summary[aria-label="Actions for {second}"]').click()
        page.locator("details[open]").get_by_role("link", name="Delete").click()
        audit(page)
        page.get_by_role("button", name="Delete").click()
        expect(shown.confirmation(f"{second} was deleted.")).to_be_visible()
    finally:
        master.delete(f"/v1/import-profiles/{provided}")
