"""Finding numbers in a browser: by their end, from a pasted list, by saved searches; accessible at every size."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.files import sheets
from tests.support.servers.service import Service
from worker.phone.formatting import readable


def test_a_pasted_list_and_a_saved_search(
    sign_in: Callable[..., Page], audit: Callable[[Page], None], site: Service
) -> None:
    harbour = site.client("Harbour")
    harbour.ended(harbour.upload(sheets.csv_bytes(sheets.rows(12))))
    numbers = [number["e164"] for number in harbour.get("/v1/numbers", limit=3)["data"]]
    page = sign_in("Harbour")
    expect(page.get_by_role("navigation", name="Searches").get_by_role("link")).to_have_count(6)

    page.get_by_label("Search", exact=True).fill(f"*{numbers[0][-5:]}")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/numbers?ends_with={numbers[0][-5:]}")
    page.get_by_text("Save this search").click()
    audit(page)
    page.get_by_label("Name", exact=True).fill("Ends so")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Ends so")).to_have_attribute("aria-current", "true")
    page.goto("/numbers/searches")
    audit(page)

    page.goto("/numbers/paste")
    audit(page)
    page.get_by_label("Numbers", exact=True).fill("\n".join([*numbers, "ask Bob 5", "+442079460000"]))
    page.get_by_role("button", name="Find numbers").click()
    expect(page.get_by_text("3 numbers found")).to_be_visible()
    expect(page.get_by_role("cell", name="ask Bob 5")).to_be_visible()
    page.get_by_label(f"Select {readable(numbers[1])}").check()
    expect(page.get_by_role("button", name="Delete 1 number")).to_be_enabled()
    audit(page)
    page.get_by_role("link", name="Select all 3 numbers of the list").click()
    expect(page.get_by_role("link", name="Delete 3 numbers")).to_be_visible()
    audit(page)
