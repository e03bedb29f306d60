"""R35: people with roles and tokens with limits, as an admin manages them in a browser; and what a viewer sees."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, SignedIn
from tests.browser.pages import People, SignIn, Tokens
from tests.support.servers.service import Service

Audit = Callable[[Page], None]
PASSWORD = "a password of her own"  # noqa: S105 - of a test


def entered(page: Page, email: str, password: str) -> Page:
    """The page of a new person, after the first sign-in and with a password of their own."""
    SignIn(page).open().enter(email, password)
    page.get_by_label("Current password").fill(password)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("Confirm new password").fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    page.wait_for_url("**/overview")
    return page


@pytest.mark.usefixtures("site")
def test_a_person_gets_a_role_and_sees_what_it_allows(sign_in: SignedIn, new_page: NewPage, audit: Audit) -> None:
    email = f"viewer-{uuid4().hex[:8]}@harbour.example"
    people = People(sign_in("Harbour")).open()
    page = people.page
    hers = entered(new_page(), email, people.add(email, "Harbour Telecom", "Viewer"))
    expect(people.row(email)).to_contain_text("Viewer")
    expect(hers.get_by_role("link", name="API tokens")).to_have_count(0)
    for path in ("/overview", "/numbers", "/users", "/enterprises", "/carriers"):
        hers.goto(path)
        expect(hers.get_by_role("link", name="Upload Phone Numbers")).to_have_count(0)
        audit(hers)
    hers.goto("/carriers")
    expect(hers.get_by_role("button", name="Save defaults")).to_have_count(0)

    people.open().row(email).locator("summary").click()
    people.row(email).get_by_role("link", name="Change role").click()
    expect(people.heading).to_have_text("Change role")
    audit(page)
    page.get_by_role("radio", name="Operator").check()
    page.get_by_role("button", name="Save").click()
    expect(people.confirmation(f"{email} now has the role Operator.")).to_be_visible()
    hers.goto("/numbers")
    expect(hers.get_by_role("link", name="Upload Phone Numbers").first).to_be_visible()


def test_a_token_with_limits_and_the_person_behind_it(
    site: Service, sign_in: SignedIn, new_page: NewPage, audit: Audit
) -> None:
    """Created with a role, scopes and networks, shown in the list, and handed over when its person is removed."""
    email = f"admin-{uuid4().hex[:8]}@harbour.example"
    people = People(sign_in("Harbour")).open()
    page = people.page
    hers = entered(new_page(), email, people.add(email, "Harbour Telecom", "Admin"))
    tokens, name = Tokens(hers).open(), f"Limited {uuid4().hex[:8]}"
    hers.get_by_label("Name").fill(name)
    hers.get_by_role("radio", name="Viewer").check()
    for scope in ("numbers:write", "uploads:write", "accounts:read"):
        hers.get_by_label(scope).uncheck()
    hers.get_by_label("Networks").fill("office")
    hers.get_by_role("button", name="Create token").click()
    expect(tokens.summary).to_contain_text("Networks")
    audit(hers)
    expect(hers.get_by_label("numbers:write")).not_to_be_checked()
    hers.get_by_label("Networks").fill("127.0.0.0/8, 2001:db8::/32")
    hers.get_by_role("button", name="Create token").click()
    secret = hers.locator("#secret").inner_text()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{site.url}/v1/numbers", headers=bearer).status_code == 200
    body = {"numbers": ["+12125550100"]}
    assert httpx.post(f"{site.url}/v1/deletions", headers=bearer, json=body).status_code == 403
    tokens.open()
    row = hers.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("numbers:read, jobs:read")
    expect(row).to_contain_text("Only from 127.0.0.0/8, 2001:db8::/32")
    expect(row).to_contain_text(f"by {email}")
    expect(row).to_contain_text("from 127.0.0.1")
    audit(hers)

    people.open().row(email).locator("summary").click()
    people.row(email).get_by_role("link", name="Remove").click()
    audit(page)
    account = site.account("Harbour")["email"]
    page.get_by_role("group", name="They have 1 API token").get_by_role("radio", name=account).check()
    page.get_by_role("button", name="Remove").click()
    expect(people.confirmation(f"{email} was removed")).to_be_visible()
    assert httpx.get(f"{site.url}/v1/numbers", headers=bearer).status_code == 200
