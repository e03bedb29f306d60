"""Jobs that are not over yet, in every state: in the queue, checking, importing, stopping; and how one ends that was
stopped on the way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from playwright.sync_api import Page, expect

from tests.browser.conftest import SignedIn
from tests.browser.pages import Activity, JobPage, Upload
from tests.support.files import sheets
from tests.support.servers.service import Client, Json, Service, adds_up, wait_for

Audit = Callable[[Page], None]
ROWS = 300_000  # so many that the worker can be held in the middle of them
SECONDS = 60.0


def many_numbers() -> bytes:
    """A CSV of valid numbers that no other test has."""
    lines = (f"1,{2_132_000_000 + step},TRUE,FALSE,FALSE" for step in range(ROWS))
    return "\n".join([",".join(sheets.HEADER), *lines]).encode()


@contextlib.contextmanager
def held(site: Service) -> Iterator[None]:
    """Nothing is worked on in here, as if the machine were very slow."""
    workers = site.workers()
    for one in workers:
        one.suspend()
    try:
        yield
    finally:
        for one in workers:
            one.resume()


def once(client: Client, job: JobPage, condition: Callable[[Json], bool], what: str) -> None:
    """Wait until the API tells something of the job."""
    wait_for(lambda: condition(client.job(job.id)), SECONDS, what)


def written_and_left(job: Json) -> tuple[int, int]:
    """What a stopped import has written, and what not: some of either, and together all rows."""
    written, left = job["counts"]["created"], job["counts"]["unprocessed"]
    assert adds_up(job)
    assert job["status"] == "cancelled"
    assert written > 0
    assert left > 0
    assert written + left == ROWS
    return written, left


def test_a_job_is_seen_in_every_state_and_stopped_on_the_way(site: Service, sign_in: SignedIn, audit: Audit) -> None:
    """Each page is sound while it changes by itself; after the stop every row is accounted for (R28), and undone."""
    page, client = sign_in("Summit"), site.client("Summit")
    activity = Activity(page.context.new_page())
    with held(site):
        job = Upload(page).open().upload(many_numbers(), "long.csv")
        expect(job.main).to_contain_text("Uploaded. Waiting in the queue.")
        expect(job.main).to_contain_text("Position 1 in the queue")
        page.locator("summary", has_text="Cancel").click()
        expect(job.main).to_contain_text("Nothing has been imported yet, and nothing will be.")
        audit(page)
    once(client, job, lambda found: found["status"] != "accepted", "the job's turn")
    with held(site):
        assert client.job(job.id)["status"] == "checking"
        expect(job.main).to_contain_text("Checking every row. Nothing has been imported yet.")
        expect(job.main.get_by_role("progressbar")).to_be_visible()
        audit(page)
        expect(activity.open().main).to_contain_text("Checking")
        audit(activity.page)
    expect(job.confirm).to_have_text(f"Import {ROWS:,} numbers", timeout=SECONDS * 1000)

    job.confirm.click()
    once(client, job, lambda found: found["counts"]["created"] > 0, "numbers that are written")
    with held(site):
        assert client.job(job.id)["status"] == "running"
        expect(job.main).to_contain_text("You can leave this page; follow progress in Activity.")
        expect(job.main).to_contain_text(f"of {ROWS:,} rows")
        expect(job.main).to_contain_text("to go")
        page.locator("summary", has_text="Stop").click()
        expect(job.main).to_contain_text("Rows already imported stay")
        audit(page)
        expect(activity.open().main).to_contain_text(f"of {ROWS:,} rows")
        audit(activity.page)
        activity.page.close()  # whichever page is shown next gets the confirmation
        # A worker may have been suspended with the job locked: then the database ends its transaction after a lease.
        page.get_by_role("button", name="Stop now").click(timeout=SECONDS * 1000)
        expect(job.main).to_contain_text("Finishing the current batch, then stopping.", timeout=SECONDS * 1000)
        expect(job.confirmation("Stopping after the current batch.")).to_be_visible()
        audit(page)
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible(timeout=SECONDS * 1000)
    written, left = written_and_left(client.job(job.id))
    expect(job.main).to_contain_text(f"{written:,} created · {left:,} unprocessed ({ROWS:,} rows)")
    expect(page.get_by_role("link", name="Rows not processed (CSV)")).to_be_visible()
    expect(page.get_by_role("link", name="Upload corrected file")).to_be_visible()
    audit(page)

    page.get_by_role("link", name="Undo ...").click()
    page.get_by_role("button", name=f"Undo {written:,} rows").click()
    expect(job.main).to_contain_text(f"{written:,} rows undone", timeout=SECONDS * 1000)
    audit(page)
    assert client.get("/v1/numbers", q="+1213200", limit=1)["data"] == []

    page.get_by_role("link", name="upload of long.csv").click()
    expect(job.main).to_contain_text(f"{written:,} of {written:,} rows.")
    audit(page)
