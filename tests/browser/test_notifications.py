"""What tells a reader elsewhere that a job is done: the tab's title, a browser notification, the choice of e-mails."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, SignedIn
from tests.browser.pages import Account, JobPage, Upload, fresh_numbers
from tests.browser.test_under_way import held
from tests.support.files import sheets
from tests.support.servers.service import Service

Audit = Callable[[Page], None]
SECONDS = 60.0
# Keeps a record of the notifications that the browser shows, across reloads.
_RECORD = """
const Real = Notification;
window.Notification = class extends Real {
  constructor(title, options) {
    super(title, options);
    const shown = JSON.parse(sessionStorage.getItem("shown") ?? "[]");
    sessionStorage.setItem("shown", JSON.stringify([...shown, [title, options.body]]));
  }
};
"""
_HIDE = """
Object.defineProperty(document, "hidden", { get: () => true });
Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
"""


def sheet() -> bytes:
    return sheets.csv_bytes([sheets.HEADER, *(["1", number, "TRUE", "TRUE", "FALSE"] for number in fresh_numbers(3))])


def shown(page: Page) -> list[list[str]]:
    found: list[list[str]] = json.loads(page.evaluate('sessionStorage.getItem("shown") ?? "[]"'))
    return found


def set_progress(site: Service, job: JobPage, status: str, done: int) -> None:
    query = "UPDATE jobs SET status = :status, rows_total = 100, rows_done = :done WHERE public_id = :job RETURNING id"
    assert site.ask(query, status=status, done=done, job=job.id)
    # The queue takes a job out whose work items do not belong to its status.
    query = (
        "UPDATE job_chunks SET next_attempt_at = now() FROM jobs WHERE id = job_id AND public_id = :job RETURNING id"
    )
    assert site.ask(query, job=job.id)


def test_title_and_notification(site: Service, sign_in: SignedIn, new_page: NewPage, audit: Audit) -> None:
    """The page is hidden all the time, as of a reader who works in another tab."""
    page = new_page()
    page.context.grant_permissions(["notifications"])
    page.context.add_init_script(_RECORD + _HIDE)
    sign_in("Harbour", page)
    with held(site):
        job = Upload(page).open().upload(sheet(), "title.csv")
        expect(page).to_have_title("Waiting - title.csv - Numberyard")
        button = page.get_by_role("button", name="Notify me when it's done")
        button.click()
        expect(page.get_by_text("You'll get a notification. Keep this tab open.")).to_be_visible()
        expect(button).to_be_hidden()
        audit(page)
        set_progress(site, job, "running", 42)
        expect(page).to_have_title("42% - title.csv - Numberyard", timeout=SECONDS * 1000)
        expect(page.get_by_text("You'll get a notification.")).to_be_visible()
        set_progress(site, job, "running", 43)
        expect(page).to_have_title("43% - title.csv - Numberyard", timeout=SECONDS * 1000)
        set_progress(site, job, "accepted", 0)
    expect(page).to_have_title("Waiting for you - title.csv - Numberyard", timeout=SECONDS * 1000)
    assert shown(page) == [["Waiting for you: upload of title.csv", "Nothing has been imported yet."]]
    page.reload()
    assert len(shown(page)) == 1
    job.is_imported()
    expect(page).to_have_title("Completed - title.csv - Numberyard")
    assert shown(page)[1:] == [["Completed: upload of title.csv", "3 created"]]
    page.reload()
    assert len(shown(page)) == 2


def test_nothing_is_asked_or_shown_unless_it_is_clicked(site: Service, sign_in: SignedIn, new_page: NewPage) -> None:
    page = new_page()
    page.context.add_init_script(
        "Notification.requestPermission = () => { window.asked = true; return Promise.resolve('denied'); };"
    )
    sign_in("Harbour", page)
    with held(site):
        job = Upload(page).open().upload(sheet(), "quiet.csv")
        expect(page.get_by_role("button", name="Notify me when it's done")).to_be_visible()
        assert page.evaluate("window.asked") is None
        page.get_by_role("button", name="Notify me when it's done").click()
        expect(page.get_by_text("Your browser doesn't allow notifications from this site.")).to_be_visible()
        without = sign_in("Harbour", javascript=False)
        without.goto(f"/jobs/{job.id}")
        expect(without.get_by_role("link", name="Refresh")).to_be_visible()
        expect(without.get_by_text("Notify me")).to_be_hidden()
    expect(job.confirm).to_be_visible(timeout=SECONDS * 1000)


def test_e_mails_are_chosen_on_the_account_page(sign_in: SignedIn, audit: Audit) -> None:
    page = sign_in("Summit", javascript=False)
    Account(page).open()
    expect(page.get_by_role("heading", name="E-mails")).to_be_visible()
    page.get_by_label("Failed").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("E-mails will be sent to")).to_be_visible()
    expect(page.get_by_label("Failed")).to_be_checked()
    expect(page.get_by_label("Finished")).not_to_be_checked()
    page.get_by_label("Failed").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("You will get no e-mails.")).to_be_visible()
    scripted = sign_in("Summit")
    Account(scripted).open()
    audit(scripted)
