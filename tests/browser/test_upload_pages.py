"""From a damaged spreadsheet to the inventory: choose, check, import, correct; and all that may happen on the way."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.audits import NARROW
from tests.browser.conftest import SignedIn
from tests.browser.pages import Activity, JobPage, SignIn, Upload, fresh_numbers
from tests.browser.watch import Watch
from tests.support.api_client import REPORT_BOM
from tests.support.files import sheets
from tests.support.servers.service import Service, adds_up
from worker.sample import generator

Audit = Callable[[Page], None]
Shoot = Callable[[Page, str], None]


def numbers(count: int, *more: list[str]) -> bytes:
    """A CSV of so many new numbers, and more rows."""
    return sheets.csv_bytes(
        [sheets.HEADER, *(["1", one, "TRUE", "FALSE", "FALSE"] for one in fresh_numbers(count)), *more]
    )


def damaged_workbook(rows: int, seed: int) -> bytes:
    """A workbook as people send it."""
    table: list[list[sheets.Cell]] = [list(sheets.HEADER)]
    for batch in generator.rows(rows, seed):
        table += [list(row.values()) for row in batch.to_pylist()]
    return sheets.xlsx_bytes(table)


def saved(page: Page, link: str) -> bytes:
    """The file behind a link."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    return Path(download.value.path()).read_bytes()


def test_a_report_is_saved_under_the_name_of_its_file(site: Service, sign_in: SignedIn) -> None:
    """By its link; `test_download_names` has all other names."""
    client = site.client("Harbour")
    job = client.ended(client.upload(numbers(1), "Bestellung – März (3) مرحبا 👩🇩🇪.csv"))
    page = sign_in("Harbour")
    page.goto(f"/jobs/{job['id']}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Report of all rows (CSV)").click()
    assert download.value.suggested_filename == "Bestellung – März (3) مرحبا 👩🇩🇪-all.csv"
    assert Path(download.value.path()).stat().st_size


@pytest.mark.essential
def test_a_damaged_workbook_is_checked_imported_and_mended(
    site: Service, sign_in: SignedIn, audit: Audit, shoot: Shoot
) -> None:
    page = sign_in("Harbour")
    form = Upload(page).open()
    shoot(page, "upload")
    job = form.upload(damaged_workbook(5_000, 2024), "order <b>42.xlsx")
    expect(job.confirm).to_be_visible()
    expect(job.verdict).to_contain_text(re.compile(r"[\d,]+ numbers can be imported, \d+ rows have errors"))
    expect(page.get_by_role("heading", name="What is wrong, and how to correct it")).to_be_visible()
    expect(page.get_by_role("cell", name="Needs correction:").first).to_be_visible()
    expect(job.heading).to_have_text("Upload: order <b>42.xlsx")
    audit(page)
    shoot(page, "check")

    job.is_imported()
    client = site.client("Harbour")
    done = client.job(job.id)
    assert adds_up(done)
    failed = done["counts"]["failed"]
    expect(job.main).to_contain_text(f"{failed:,} failed (5,000 rows)")
    expect(page.get_by_role("status").filter(has_text="finished")).to_be_visible()
    audit(page)
    shoot(page, "result")

    report = saved(page, "Failed rows (CSV)").decode().removeprefix(REPORT_BOM)
    lines = list(csv.reader(io.StringIO(report, newline="")))
    assert len(lines) == failed + 1
    mended = [[*sheets.HEADER, *lines[0][5:]]]
    for line, number in zip(lines[1:], fresh_numbers(failed), strict=True):
        mended.append(["1", number, "TRUE", "FALSE", "FALSE", *line[5:]])
    mended[1][1] = "later"
    page.get_by_role("link", name="Upload corrected file").click()
    expect(page.get_by_role("heading", name="Upload corrected file")).to_be_visible()
    again = Upload(page).upload(sheets.csv_bytes(mended), "corrected.csv")
    again.is_imported()
    told = f"{failed - 1:,} of {failed:,} failed rows corrected, 1 left."
    expect(again.main).to_contain_text(told)
    page.get_by_role("link", name="First file").click()
    expect(job.main).to_contain_text(told)

    page.get_by_role("link", name="Undo ...").click()
    expect(job.heading).to_contain_text("Undo the upload of")
    audit(page)
    Activity(page).open()
    expect(page.get_by_role("link", name="Upload: corrected.csv")).to_be_visible()
    shoot(page, "activity")


def test_why_a_row_failed_is_in_sight_however_wide_its_file_is(sign_in: SignedIn, audit: Audit) -> None:
    """Without scrolling its table: as the check shows it, and the result."""
    header = [*sheets.HEADER, "Voice Carrier Name", "SMS Carrier Profile", "Assign To"]
    bad = ["United States of America", "212 555 01", "perhaps", "TRUE", "FALSE", "A carrier of that long name", "", ""]
    good = ["1", *fresh_numbers(1), "TRUE", "FALSE", "FALSE", "", "", ""]
    page = sign_in("Harbour")
    job = Upload(page).open().upload(sheets.csv_bytes([header, bad, good, bad]), "wide.csv")
    expect(job.confirm).to_be_visible()
    for step in ("check", "result"):
        for scrolled in (0, 10_000):
            box = page.get_by_role("region").filter(has=page.get_by_role("table")).last
            box.evaluate("(box, left) => { box.scrollLeft = left; }", scrolled)
            table, message = box.bounding_box(), job.reasons.first.bounding_box()
            assert table is not None
            assert message is not None
            assert table["x"] <= message["x"]
            assert message["x"] + message["width"] <= table["x"] + table["width"]
            assert message["height"] < 80, "three faults and how to mend them in three lines, not in a column"
        audit(page)
        if step == "check":
            job.is_imported()


def test_what_may_go_wrong_while_sending(site: Service, sign_in: SignedIn, watch: Watch, audit: Audit) -> None:
    """Nothing of it loses the file or the choices."""
    watch.allow(
        "/uploads: net::|uploads/ready: net::|answer: 401 to GET .*/uploads/ready|answer: 503 to POST .*/uploads"
    )
    page = sign_in("Harbour")
    form = Upload(page).open()
    form.send.click()
    form.expect_fault("Spreadsheet with the numbers", re.compile("Choose a file first."))
    expect(form.summary).to_be_focused()
    form.choose(sheets.PDF, "scan.pdf").send.click()
    form.expect_fault("Spreadsheet with the numbers", re.compile("“scan.pdf” isn't a spreadsheet."))
    page.evaluate("() => { document.querySelector('form[data-upload]').dataset.largest = 100 }")
    content = numbers(40)
    form.choose(content).send.click()
    form.expect_fault("Spreadsheet with the numbers", re.compile("the limit is 100 bytes. Split the file."))
    audit(page)
    page.evaluate("() => { document.querySelector('form[data-upload]').dataset.largest = 1e9 }")
    page.get_by_label("Voice Carrier Name").select_option("Harbour SIP")

    page.context.set_offline(True)
    form.send.click()
    expect(form.state).to_contain_text("Connection lost.")
    expect(page.get_by_role("button", name="Try again")).to_be_focused()
    audit(page)
    page.context.set_offline(False)
    page.route("**/uploads", lambda route: route.abort("connectionreset"), times=1)
    page.get_by_role("button", name="Try again").click()
    expect(form.state).to_contain_text("Connection lost.")

    busy = {"detail": "Too many files are being uploaded.", "fix": "Try again in a few seconds."}
    page.route("**/uploads", lambda route: route.fulfill(status=503, json=busy), times=1)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert").filter(has_text=" ".join(busy.values()))).to_be_visible()

    page.context.clear_cookies()
    form.send.click()
    expect(form.state).to_contain_text("You are signed out.")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sign in (new tab)").click()
    account = site.account("Harbour")
    SignIn(opened.value).enter(account["email"], account["password"])
    opened.value.wait_for_url("**/overview")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url("**/jobs/*")
    job = JobPage(page)
    expect(job.confirm).to_have_text("Import 40 numbers")
    expect(job.main).to_contain_text("Voice Carrier Harbour SIP: 40 numbers")


def test_a_file_is_dropped(sign_in: SignedIn, tmp_path: Path) -> None:
    """From the desktop onto the words that ask for it, as the browser takes such files."""
    dropped = tmp_path / "dropped.csv"
    dropped.write_bytes(numbers(2))
    page = sign_in("Harbour")
    form = Upload(page).open()
    box = page.get_by_text("Drop your file here, or click Browse.").bounding_box()
    assert box is not None
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    files = {"items": [], "files": [str(dropped)], "dragOperationsMask": 1}
    browser = page.context.new_cdp_session(page)
    for step in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": step, **place, "data": files})
    expect(form.main).to_contain_text(f"dropped.csv ({dropped.stat().st_size} bytes)")
    form.send.click()
    page.wait_for_url("**/jobs/*")
    expect(JobPage(page).confirm).to_have_text("Import 2 numbers")


def test_how_a_file_can_end_that_is_not_imported(site: Service, sign_in: SignedIn, audit: Audit) -> None:
    """Unusable; with an error where none may be; expired. Each page says what is to be done."""
    page = sign_in("Harbour")
    job = Upload(page).open().upload(sheets.PDF, "people.csv")
    expect(job.verdict).to_have_text("The file could not be used")
    expect(page.get_by_role("link", name="Upload again")).to_be_visible()
    audit(page)
    form = Upload(page).open()
    page.get_by_label("Import nothing").check()
    job = form.upload(numbers(2, ["1", "ask Bob", "TRUE", "", ""]), "all or nothing.csv")
    expect(page.get_by_role("heading", name="What is wrong, and how to correct it")).to_be_visible()
    expect(job.confirm).to_have_count(0)
    audit(page)
    page.get_by_role("button", name="Cancel").click()
    expect(job.verdict).to_have_text("Cancelled before anything was imported")
    job = Upload(page).open().upload(numbers(2), "old.csv")
    job.is_imported()
    site.ask(
        "UPDATE jobs SET finished_at = finished_at - interval '10 years' WHERE public_id::text = :job RETURNING id",
        job=job.id,
    )
    page.reload()
    expect(job.main).to_contain_text("The report has expired")
    audit(page)


def test_a_slow_upload_tells_how_far_it_is_and_can_be_cancelled(sign_in: SignedIn) -> None:
    page = sign_in("Harbour")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
    form = Upload(page).open()
    network.send("Network.emulateNetworkConditions", slow)
    form.choose(b"Country Code,Phone Number,Voice,SMS\n" + b"1,2125550142,TRUE,FALSE\n" * 100_000, "large.csv")
    form.send.click()
    expect(form.state.get_by_role("progressbar")).to_be_visible()
    expect(form.state).to_contain_text(re.compile(r"of 2\.3 MB · \d+% · about \d+ s left"))
    form.state.get_by_role("button", name="Cancel").click()
    expect(form.state).to_be_hidden()
    expect(form.send).to_be_focused()
    assert form.file.evaluate("input => input.files[0].name") == "large.csv"


def test_by_keyboard_only_with_two_tabs_and_the_way_back(sign_in: SignedIn, audit: Audit) -> None:
    page = sign_in("Harbour")
    content = numbers(3, ["1", "ask Bob", "TRUE", "", ""])
    three = FilePayload(name="three.csv", mimeType="text/csv", buffer=content)
    # Not `expect_file_chooser`: it does not wait until the browser hands choosers over, and one opened before is lost.
    page.on("filechooser", lambda chooser: chooser.set_files(three))
    form = Upload(page).open()
    form.tab_to(form.file)
    page.keyboard.press("Space")
    expect(form.file).to_have_value(re.compile("three"))
    form.tab_to(form.send)
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")
    job = JobPage(page)
    expect(job.confirm).to_have_text("Import 3 numbers")

    other = JobPage(page.context.new_page())
    other.page.goto(page.url)
    late = JobPage(page.context.new_page())
    late.page.route("**/live?seen=review", lambda route: route.fulfill(status=204))  # it has not heard of it yet
    late.page.goto(page.url)
    expect(late.confirm).to_be_visible()
    job.tab_to(job.confirm)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()
    expect(other.page.get_by_role("heading", name="Downloads")).to_be_visible()
    late.confirm.click()
    expect(late.confirmation("Already confirmed (in another tab)")).to_be_visible()
    expect(late.main).to_contain_text("3 created · 1 failed (4 rows)")

    page.go_back()
    expect(form.send.or_(page.get_by_role("heading", name="Downloads"))).to_be_visible()
    if form.send.count():
        expect(form.state).to_be_hidden()
        page.go_forward()
    expect(job.main).to_contain_text("3 created · 1 failed (4 rows)")
    expect(job.confirm).to_have_count(0)
    Activity(page).open()
    audit(page)


def test_without_scripts(sign_in: SignedIn, tmp_path: Path) -> None:
    page = sign_in("Harbour", javascript=False, width=NARROW)
    form = Upload(page).open()
    large = tmp_path / "large.csv"
    large.write_bytes(numbers(1) * 100_000)
    form.file.set_input_files(large)
    page.context.clear_cookies()
    form.send.click()
    expect(SignIn(page).email).to_be_visible()  # and not that the connection was reset
    sign_in("Harbour", page)
    form.open()
    form.send.click()
    expect(form.summary).to_contain_text("No file was chosen. Choose one with Browse.")
    form.choose(numbers(2, ["1", "ask Bob", "TRUE", "", ""]), "plain.csv")
    page.get_by_label("Import nothing").check()
    page.get_by_text("More options").click()
    page.get_by_label("Header row").fill("first")
    form.send.click()
    form.expect_fault("Header row", re.compile("a whole number"))
    expect(page.get_by_label("Import nothing")).to_be_checked()
    page.get_by_label("Header row").fill("1")
    page.get_by_label("Skip them").check()
    form.choose(numbers(2, ["1", "ask Bob", "TRUE", "", ""]), "plain.csv").send.click()
    page.wait_for_url("**/jobs/*")
    job = JobPage(page)
    refresh = page.get_by_role("link", name="Refresh")

    def until(shown: str) -> None:
        for _ in range(200):
            if shown in job.main.inner_text():
                return
            refresh.click()
        raise AssertionError(f"{shown} did not come")

    until("2 numbers can be imported, 1 row has errors")
    job.confirm.click()
    until("2 created · 1 failed (3 rows)")
    page.get_by_label("Result").select_option("created")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(job.rows).to_have_count(2)
    page.get_by_role("link", name="Upload corrected file").click()
    mended = Upload(page).choose(numbers(1), "mended.csv")
    mended.send.click()
    until("1 number can be imported")
    job.confirm.click()
    until("1 of 1 failed row corrected, 0 left.")
    page.get_by_role("link", name="Undo ...").click()
    page.get_by_role("button", name="Undo 1 row").click()
    expect(job.confirmation("The undo has started.")).to_be_visible()
    until("1 row undone")
    Activity(page).open()
    page.get_by_label("Action").select_option("undo")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("link", name="Undo: upload of mended.csv")).to_be_visible()
    expect(job.main).not_to_contain_text("plain.csv")


def test_an_enterprise_uploads_only_if_it_may(sign_in: SignedIn, audit: Audit) -> None:
    """R9: Allow External Numbers is on for Ashford Clinics and off for Brightwater Hotels."""
    page = sign_in("Ashford")
    job = Upload(page).open().upload(numbers(2), "own.csv")
    expect(job.confirm).to_have_text("Import 2 numbers")
    above = sign_in("Harbour")
    above.goto(f"/jobs/{job.id}")
    expect(above.get_by_text("This belongs to Ashford Clinics, one of your customers.")).to_be_visible()
    expect(JobPage(above).confirm).to_have_count(0)
    page.get_by_role("button", name="Cancel").click()
    expect(job.verdict).to_have_text("Cancelled before anything was imported")
    audit(page)
    refused = sign_in("Brightwater")
    Activity(refused).open()
    expect(refused.get_by_role("link", name="Upload Phone Numbers")).to_have_count(0)
    audit(refused)
    refused.goto("/uploads/new")
    expect(refused.get_by_text("Ask your reseller to turn on Allow External Numbers.")).to_be_visible()
    audit(refused)
