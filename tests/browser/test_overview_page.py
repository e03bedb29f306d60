"""The overview and the search of Activity in a browser: links, tables behind plots, keyboard."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import SignedIn
from tests.browser.pages import Activity, Overview
from tests.support.files import sheets
from tests.support.servers.service import Service

Audit = Callable[[Page], None]
Shoot = Callable[[Page, str], None]


def test_from_a_figure_to_its_list(site: Service, sign_in: SignedIn, audit: Audit, shoot: Shoot) -> None:
    client = site.client("Harbour")
    job_id = client.upload(sheets.csv_bytes([*sheets.rows(12), ["1", "ask Bob", "TRUE", "", ""]]), "overview.csv")
    client.ended(job_id)
    page = sign_in("Harbour")
    overview = Overview(page).open()
    expect(overview.heading).to_have_text("Overview")
    audit(page)
    shoot(page, "overview")
    table = overview.table("By country")
    expect(table).to_be_visible()
    audit(page)
    table.get_by_role("link", name="United States and others (+1)").click()
    page.wait_for_url("**/numbers?country=%2B1")
    expect(page.get_by_role("list", name="Active filters")).to_contain_text("United States and others (+1)")
    overview.open()
    why = page.get_by_role("region", name="Why rows failed")
    why.get_by_role("link", name="isn't a phone number").first.click()
    page.wait_for_url("**/jobs?kind=upload&code=*")
    expect(page.get_by_role("link", name="Upload: overview.csv")).to_be_visible()
    audit(page)
    activity = Activity(page).open()
    activity.search("no such file")
    expect(activity.main).to_contain_text("No matching activity")
    audit(page)
