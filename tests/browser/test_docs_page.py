"""The API's description, as a browser shows it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import NewPage
from tests.browser.launch import NAMED_HOST


def test_the_description_needs_no_other_host(new_page: NewPage) -> None:
    """Under a name, not 127.0.0.1: what a page would fetch elsewhere it often leaves out on one's own machine."""
    page = new_page(host=NAMED_HOST)
    page.goto("/docs/")
    expect(page.get_by_role("heading", name="Numberyard")).to_be_visible()
    expect(page.locator("[id='operations-tag-Uploads'], .opblock").first).to_be_visible()
