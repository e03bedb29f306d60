"""The documentation at `/docs`, as a browser shows it: nothing from elsewhere, and usable by keyboard and on a phone.

The fixtures fail a test on anything that the page's content policy refuses, and on any request to another host.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.audits import NARROW
from tests.browser.conftest import NewPage
from tests.browser.launch import NAMED_HOST

PAGES = [
    "",
    "getting-started",
    "webhooks",
    "limits",
    "codes",
    "permissions",
    "search?q=cursor",
    "operations/create_upload",
    "operations/get_job",
    "operations/update_tenant",
    "operations/receive_job_ended",
    "nothing",
]


def test_the_documentation_needs_no_other_host(new_page: NewPage) -> None:
    """Under a name, not 127.0.0.1: what a page would fetch elsewhere it often leaves out on one's own machine."""
    page = new_page(host=NAMED_HOST)
    page.goto("/docs/")
    expect(page.get_by_role("heading", name="API documentation")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="/v1/uploads").click()
    expect(page.get_by_role("heading", name="Create upload")).to_be_visible()


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_accessible(page: Page, audit: Callable[[Page], None], name: str) -> None:
    """In both widths and color schemes, with all fields open."""
    page.goto(f"/docs/{name}")
    page.evaluate("() => document.querySelectorAll('main details').forEach((box) => { box.open = true; })")
    audit(page)


def test_samples_are_tabs_that_a_keyboard_reaches_and_that_are_remembered(page: Page) -> None:
    page.goto("/docs/operations/get_job")
    curl, python = page.get_by_role("tab", name="curl"), page.get_by_role("tab", name="Python")
    expect(curl).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel")).to_have_count(1)
    expect(page.get_by_role("tabpanel")).to_contain_text("curl ")
    curl.focus()
    page.keyboard.press("ArrowRight")
    expect(python).to_be_focused()
    expect(page.get_by_role("tabpanel")).to_contain_text("requests.get(")
    page.keyboard.press("End")
    expect(page.get_by_role("tabpanel")).to_contain_text("numberyard jobs")
    page.keyboard.press("ArrowLeft")
    page.goto("/docs/operations/list_numbers")
    expect(page.get_by_role("tab", name="Python")).to_have_attribute("aria-selected", "true")


def test_a_sample_is_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/docs/operations/get_job")
    panel = page.get_by_role("tabpanel")
    panel.hover()
    panel.get_by_role("button", name="Copy").click()
    expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == panel.locator("code").text_content()


def test_without_javascript_everything_is_there(new_page: NewPage) -> None:
    page = new_page(javascript=False)
    page.goto("/docs/operations/get_job")
    for text in ("curl ", "requests.get(", "numberyard jobs"):
        expect(page.locator("pre").filter(has_text=text).first).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.get_by_role("searchbox").fill("ASSIGNED_IN_USE")
    page.keyboard.press("Enter")
    page.get_by_role("main").get_by_role("link", name="ASSIGNED_IN_USE").first.click()
    expect(page.locator("tr:target")).to_contain_text("ASSIGNED_IN_USE")


@pytest.mark.parametrize("javascript", [True, False])
def test_on_a_phone_the_contents_open_and_close(new_page: NewPage, javascript: bool) -> None:
    page = new_page(width=NARROW, javascript=javascript)
    page.goto("/docs/errors")
    contents = page.get_by_role("navigation", name="Documentation")
    expect(contents).to_be_hidden()
    button = page.get_by_role("button", name="Contents")
    button.focus()
    page.keyboard.press("Enter")
    expect(contents).to_be_visible()
    page.keyboard.press("Escape")
    expect(contents).to_be_hidden()
    page.keyboard.press("Enter")
    contents.get_by_role("link", name="Limits").click()
    expect(page.get_by_role("heading", name="Limits")).to_be_visible()


def test_the_first_key_leads_past_the_navigation(page: Page) -> None:
    page.goto("/docs/errors")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
