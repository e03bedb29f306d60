"""Webhooks, as an admin manages them in a browser; a real receiver gets what is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from standardwebhooks.webhooks import Webhook

from tests.browser.audits import NARROW
from tests.browser.conftest import SignedIn
from tests.browser.pages import Webhooks, fresh_numbers
from tests.support.files import sheets
from tests.support.servers.callback_receiver import Receiver, receiving
from tests.support.servers.service import Service

Audit = Callable[[Page], None]
Shoot = Callable[[Page, str], None]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as told:
        yield told


@pytest.mark.usefixtures("site")
def test_a_webhook_from_creation_to_deletion(sign_in: SignedIn, receiver: Receiver, audit: Audit, shoot: Shoot) -> None:
    page = sign_in("Harbour")
    hooks = Webhooks(page)
    hooks.go_to("Webhooks")
    expect(hooks.main).to_contain_text("No webhooks yet")
    audit(page)
    page.get_by_role("button", name="Create webhook").click()
    hooks.expect_fault("URL", "This is required. The address of your server that receives the events.")
    expect(hooks.summary).to_be_focused()
    audit(page)
    secret = hooks.make("https://billing.example/hooks", "job.completed_with_errors", "job.failed")
    expect(page.get_by_role("button", name="Copy")).to_be_visible()
    audit(page)
    hooks.open()
    expect(page.get_by_role("row").filter(has_text="A job could not be completed")).to_contain_text("On")
    audit(page)
    shoot(page, "webhooks")
    page.locator("summary", has_text="Actions").click()
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_role("checkbox", name="A job could not be completed")).to_be_checked()
    audit(page)
    hooks.tab_to(page.get_by_role("checkbox", name="A job was cancelled"))
    page.keyboard.press("Space")
    page.get_by_label("URL").fill(receiver.url)
    page.keyboard.press("Enter")
    expect(hooks.confirmation("The webhook was saved.")).to_be_visible()
    expect(hooks.main).to_contain_text("A job was cancelled")
    page.get_by_role("button", name="Send a test event").click()
    expect(hooks.confirmation("A test event is being sent.")).to_be_visible()
    hooks.reload_until("HTTP 204")
    expect(hooks.heading).to_have_text("Delivery")
    audit(page)
    assert Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)["type"] == "webhook.test"
    page.get_by_role("link", name="Webhook", exact=True).click()
    expect(hooks.deliveries).to_contain_text("Test event")
    audit(page)

    page.get_by_role("link", name="Replace secret").click()
    audit(page)
    page.get_by_role("button", name="Replace").click()
    expect(page.get_by_role("heading", name="The secret was replaced")).to_be_visible()
    assert hooks.main.get_by_role("code").inner_text() != secret
    audit(page)
    page.get_by_role("button", name="Disable").click()
    expect(hooks.confirmation("The webhook is off.")).to_be_visible()
    expect(hooks.main).to_contain_text("It was switched off by an admin.")
    audit(page)
    page.get_by_role("link", name="Delete").click()
    audit(page)
    page.get_by_role("button", name="Delete").click()
    expect(hooks.confirmation("The webhook was deleted.")).to_be_visible()


def test_failed_deliveries_are_found_and_sent_again_on_a_phone_without_scripts(
    site: Service, sign_in: SignedIn, receiver: Receiver, audit: Audit
) -> None:
    page = sign_in("Harbour", javascript=False, width=NARROW)
    hooks = Webhooks(page).open()
    hooks.make(receiver.url, "number.created")
    receiver.mode = 410
    client = site.client("Harbour")
    job = client.upload(sheets.csv_bytes([sheets.HEADER, ("1", fresh_numbers()[0], "TRUE", "FALSE", "FALSE")]))
    client.ended(job)
    hooks.open()
    hooks.reload_until("Switched off")
    with_scripts = sign_in("Harbour")
    Webhooks(with_scripts).open()
    audit(with_scripts)
    page.get_by_role("rowheader").get_by_role("link").click()
    expect(hooks.main).to_contain_text("your server responded that this URL is gone (410)")
    expect(hooks.deliveries).to_contain_text("Waiting Refused by your server for good")
    with_scripts.goto(page.url)
    audit(with_scripts)
    receiver.mode = "ok"
    page.get_by_role("button", name="Enable").click()
    expect(hooks.confirmation("The webhook is on.")).to_be_visible()
    hooks.reload_until("Delivered")
    page.get_by_role("button", name="Send again").click()
    expect(hooks.confirmation("The event is being sent again.")).to_be_visible()
    page.get_by_role("link", name="Webhook", exact=True).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(hooks.confirmation("The webhook was deleted.")).to_be_visible()
