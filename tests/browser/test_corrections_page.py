"""Rows under review are corrected on one page: by error, in a few clicks, and in a grid by the keyboard (R33)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

from tests.browser.audits import NARROW
from tests.browser.conftest import SignedIn
from tests.browser.pages import HAS_FOCUS, CorrectionsPage, JobPage, Upload, fresh_numbers
from tests.support.files import sheets
from tests.support.servers.service import Service

Audit = Callable[[Page], None]
Shoot = Callable[[Page, str], None]
HEADER = ["Country Code", "Phone Number", "Voice", "SMS", "Voice Carrier Name"]
FAULTY = 4  # rows of `faulty_rows` that have errors
MOST_CLICKS, MOST_KEYS = 12, 20  # from the review until four kinds of errors are corrected
PASTE = """
(cell, text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  cell.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}
"""
pytestmark = pytest.mark.long


def faulty_rows() -> list[list[str]]:
    """Rows 2 to 5 have errors, row 6 has none."""
    numbers = [number[2:] for number in fresh_numbers(5)]
    return [
        HEADER,
        ["", numbers[0], "TRUE", "FALSE", ""],
        ["", numbers[1], "TRUE", "FALSE", ""],
        ["1", numbers[2], "maybe", "FALSE", ""],
        ["1", numbers[3][:3], "TRUE", "FALSE", ""],
        ["1", numbers[4], "TRUE", "FALSE", ""],
    ]


def large_table() -> list[list[str]]:
    """A table of 2,000 rows; 400 of them have errors, of five kinds."""
    numbers = [number[2:] for number in [*fresh_numbers(1_000), *fresh_numbers(1_000)]]
    rows = [["1", number, "TRUE", "FALSE", ""] for number in numbers]
    for row in rows[0:500:5]:
        row[0] = ""
    for row in rows[500:1000:5]:
        row[2] = "maybe"
    for row in rows[1000:1400:5]:
        row[4] = "Former carrier"
    for row in rows[1400:1750:5]:
        row[1] = row[1].replace("0", "O", 1)
    for row in rows[1750:2000:5]:
        row[1] = row[1][:4]
    return [HEADER, *rows]


@dataclass
class Hand:
    """Uses mouse and keyboard, and counts clicks and keystrokes."""

    page: Page
    clicks: int = 0
    keys: int = 0

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1

    def enter(self, target: Locator, text: str) -> None:
        self.click(target)
        self.page.keyboard.type(text)
        self.keys += len(text)

    def select(self, target: Locator, text: str) -> None:
        """Open a drop-down, and click an option."""
        target.select_option(text)
        self.clicks += 2


def corrections_of(page: Page, table: list[list[str]]) -> CorrectionsPage:
    """Upload a file, and open the page that corrects its rows."""
    job = Upload(page).open().upload(sheets.csv_bytes(table))
    job.correct.click()
    return CorrectionsPage(page)


def test_five_kinds_of_errors_in_few_clicks(site: Service, sign_in: SignedIn, shoot: Shoot) -> None:
    page, client = sign_in("Harbour"), site.client("Harbour")
    job = Upload(page).open().upload(sheets.csv_bytes(large_table()))
    expect(job.verdict).to_contain_text("1,600 numbers can be imported, 400 rows have errors")
    hand, form = Hand(page), CorrectionsPage(page)
    hand.click(job.correct)
    hand.enter(form.cause("Country Code is empty.").get_by_label("Set all to"), "US")
    hand.select(form.cause("The value in Voice is neither").get_by_label("Set all “maybe” to"), "TRUE")
    hand.select(form.cause("Voice Carrier Name").get_by_label("Set all “Former carrier” to"), "(empty)")
    letters = form.cause("isn't a phone number.")
    hand.enter(letters.get_by_label("Find"), "O")
    hand.enter(letters.get_by_label("Replace with"), "0")
    shoot(page, "correct")
    hand.click(form.apply)
    expect(form.verdict).to_have_text("50 rows have errors")
    assert hand.clicks <= MOST_CLICKS, hand
    assert hand.keys <= MOST_KEYS, hand
    job_id = page.url.split("/jobs/")[1].partition("/")[0]
    assert client.job(job_id)["review"]["effect"]["created"] == 1_950
    form.cause("too few digits").get_by_label("Leave these rows out").check()
    form.apply.click()
    expect(form.confirmation("No rows with errors are left.")).to_be_visible()
    expect(JobPage(page).verdict).to_contain_text("1,950 numbers can be imported")


def test_a_line_says_what_it_would_do(sign_in: SignedIn) -> None:
    form = corrections_of(sign_in("Harbour"), faulty_rows())
    country, short = form.cause("Country Code is empty."), form.cause("too few digits")
    country.get_by_label("Set all to").fill("XX")
    country.get_by_label("Set all to").press("Tab")
    expect(country).to_contain_text("0 of 2 rows become right.")
    country.get_by_label("Set all to").fill("US")
    country.get_by_label("Set all to").press("Tab")
    expect(country).to_contain_text("2 of 2 rows become right.")
    short.get_by_label("Leave these rows out").check()
    expect(short).to_contain_text("1 row would be left out.")
    short.get_by_label("Leave these rows out").uncheck()
    expect(short).not_to_contain_text("would be left out")
    expect(country).to_contain_text("2 of 2 rows become right.")


def test_the_grid_has_the_keyboard_of_a_spreadsheet(site: Service, sign_in: SignedIn) -> None:
    page, client = sign_in("Harbour"), site.client("Harbour")
    form = corrections_of(page, faulty_rows())
    keys = page.keyboard
    form.cell(2, "Country Code").click()
    keys.type("1")
    keys.press("Enter")
    assert form.cell(3, "Country Code").evaluate(HAS_FOCUS)
    expect(form.message(2)).to_contain_text("Right now, as +1")
    expect(form.counter).to_have_text("1 cell changed, not saved yet.")
    keys.press("ArrowDown")
    keys.press("ArrowRight")
    assert form.cell(4, "Phone Number").evaluate(HAS_FOCUS), "the text is selected, so its end is reached"
    keys.press("Home")
    keys.press("ArrowRight")
    assert form.cell(4, "Phone Number").evaluate(HAS_FOCUS), "within the text, the arrow moves in it"
    keys.press("Tab")
    assert form.cell(4, "Voice").evaluate(HAS_FOCUS)
    keys.type("what")
    expect(form.cell(4, "Voice")).to_have_value("what")
    keys.press("Escape")
    expect(form.cell(4, "Voice")).to_have_value("maybe")
    keys.type("no way")
    keys.press("ArrowUp")
    expect(form.message(4)).to_contain_text("“no way” in Voice is neither TRUE nor FALSE.")
    expect(form.counter).to_have_text("2 cells changed, not saved yet.")
    keys.press("Control+z")
    expect(form.cell(4, "Voice")).to_have_value("maybe")
    assert form.cell(4, "Voice").evaluate(HAS_FOCUS)
    keys.press("Control+z")
    expect(form.cell(2, "Country Code")).to_have_value("")
    expect(form.message(2)).to_contain_text("Country Code is empty.")
    keys.press("Control+z")
    expect(form.counter).to_have_text("Nothing to undo.")
    numbers = [number[2:] for number in fresh_numbers(2)]
    form.cell(2, "Country Code").evaluate(PASTE, f"1\t{numbers[0]}\r\n1\t{numbers[1]}\r\n")
    expect(form.counter).to_contain_text("4 cells pasted.")
    expect(form.cell(3, "Phone Number")).to_have_value(numbers[1])
    for row in (2, 3):
        expect(form.message(row)).to_contain_text("Right now")
    form.save.click()
    expect(form.verdict).to_have_text("2 rows have errors")
    job_id = page.url.split("/jobs/")[1].partition("/")[0]
    rows = {row["row"]: row for row in client.get(f"/v1/jobs/{job_id}/rows")["data"]}
    assert [rows[row]["number"] for row in (2, 3)] == [f"+1{number}" for number in numbers]
    assert (len(rows[2]["corrections"]), rows[6]["corrections"]) == (2, [])


def test_a_block_that_is_too_large_and_the_edges_of_the_grid(sign_in: SignedIn) -> None:
    form = corrections_of(sign_in("Harbour"), faulty_rows())
    last = form.cell(5, "Voice Carrier Name")
    last.click()
    last.evaluate(PASTE, "a\tb\nc\td")
    expect(form.counter).to_have_text("1 cell pasted; 3 did not fit. 1 cell changed, not saved yet.")
    last.press("Enter")
    last.press("ArrowRight")
    assert last.evaluate(HAS_FOCUS)
    last.press("Escape")
    expect(last).to_have_value("")
    form.cell(2, "Country Code").press("ArrowUp")
    assert form.cell(2, "Country Code").evaluate(HAS_FOCUS)


def test_other_rows_are_shown_without_losing_entries(sign_in: SignedIn) -> None:
    page = sign_in("Harbour")
    form = corrections_of(page, large_table())
    country = form.cause("Country Code is empty.").get_by_label("Set all to")
    country.fill("US")
    form.cause("neither TRUE nor FALSE").get_by_role("link").click()
    expect(form.cell(502, "Voice")).to_have_value("maybe")
    expect(form.cell(2, "Country Code")).to_have_count(0)
    page.get_by_role("link", name="Next page").click()
    expect(form.cell(752, "Voice")).to_have_value("maybe")
    page.get_by_role("link", name="Previous page").click()
    expect(form.cell(502, "Voice")).to_have_value("maybe")
    page.get_by_label("Find", exact=True).last.fill("nothing like it")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("No row with errors has this text in the column.")).to_be_visible()
    page.get_by_label("Find", exact=True).last.fill("")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Enter the text to find.")).to_be_visible()
    expect(country).to_have_value("US")
    form.cell(502, "Voice").fill("TRUE")
    form.cell(502, "Voice").press("Enter")
    expect(form.message(502)).to_contain_text("Right now")
    questions: list[str] = []

    def refuse(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.get_by_role("link", name="All rows with errors").click()
    expect(form.cell(502, "Voice")).to_have_value("TRUE")
    assert questions == ["The cells that you changed are not saved. Show other rows without saving them?"]
    page.get_by_role("link", name="Back to the review").click()
    expect(form.cell(502, "Voice")).to_have_value("TRUE")
    assert len(questions) > 1, "the browser asks, too"


def test_states_of_the_page(sign_in: SignedIn, audit: Audit) -> None:
    page = sign_in("Harbour")
    form = corrections_of(page, faulty_rows())
    audit(page)
    form.cell(2, "Country Code").fill("1")
    form.cell(2, "Country Code").press("Tab")
    expect(form.message(2)).to_contain_text("Right now")
    audit(page)
    form.save.click()
    expect(form.verdict).to_have_text("3 rows have errors")
    expect(form.made).to_contain_text("1 cell changed by hand")
    audit(page)
    page.get_by_label("Find", exact=True).last.fill("maybe")
    page.get_by_role("combobox", name="Column").select_option("Voice")
    page.get_by_label("Replace with").last.fill("TRUE")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("1 row would change, and becomes right.")).to_be_visible()
    audit(page)
    form.made.get_by_role("button", name="Take back").click()
    expect(form.verdict).to_have_text("4 rows have errors")
    form.apply.click()
    expect(form.summary).to_contain_text("Nothing is filled in yet.")
    audit(page)


def test_without_javascript_and_on_a_phone(site: Service, sign_in: SignedIn) -> None:
    page, client = sign_in("Harbour", javascript=False, width=NARROW), site.client("Harbour")
    Upload(page).open().choose(sheets.csv_bytes(faulty_rows()), "rows.csv").send.click()
    job, form = JobPage(page), CorrectionsPage(page)

    def reload_until(target: Locator) -> None:
        for _ in range(60):
            if target.is_visible():
                return
            page.wait_for_timeout(300)
            page.reload()
        expect(target).to_be_visible()

    reload_until(job.correct)
    job_id = job.id
    job.correct.click()
    form.cause("Country Code is empty.").get_by_label("Set all to").fill("1")
    form.cause("too few digits").get_by_label("Leave these rows out").check()
    form.apply.click()
    reload_until(form.apply)
    form.cell(4, "Voice").fill("FALSE")
    form.cell(4, "SMS").fill("TRUE")
    form.save.click()
    reload_until(job.confirm)
    expect(job.verdict).to_contain_text("4 numbers can be imported")
    job.confirm.click()
    counts = client.ended(job_id)["counts"]
    assert (counts["created"], counts["skipped"], counts["failed"]) == (4, 1, 0)


def test_failed_rows_of_an_ended_upload(sign_in: SignedIn, audit: Audit) -> None:
    page = sign_in("Harbour")
    job = Upload(page).open().upload(sheets.csv_bytes(faulty_rows()))
    job.is_imported()
    audit(page)
    page.get_by_role("button", name="Correct the failed rows").click()
    job.correct.click()
    form = CorrectionsPage(page)
    expect(form.verdict).to_have_text(f"{FAULTY} rows have errors")
    form.cause("Country Code is empty.").get_by_label("Set all to").fill("1")
    form.apply.click()
    expect(form.verdict).to_have_text("2 rows have errors")
