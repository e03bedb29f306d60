"""Files of other programs, imported in a few clicks without sending them twice (R31, R32)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import xlsxwriter
from playwright.sync_api import Locator, Page, expect

from tests.browser.audits import NARROW
from tests.browser.conftest import SignedIn
from tests.browser.pages import JobPage, Upload, fresh_numbers
from tests.support.files import sheets
from tests.support.servers.service import Service

Audit = Callable[[Page], None]
Shoot = Callable[[Page, str], None]
Table = list[list[str]]
ROWS = 6


def german_numbers(count: int) -> list[str]:
    """Valid numbers of Berlin as people there write them, without their country."""
    return [f"030 {number[-7:-4]} {number[-4:]}" for number in fresh_numbers(count)]


def carrier_export() -> Table:
    return [["TN", "Type", "Provider"], *([one[2:], "Voice", ""] for one in fresh_numbers(ROWS))]


def german_list() -> Table:
    return [["Nummer", "Typ", "Anbieter"], *([one, "Sprache", ""] for one in german_numbers(ROWS))]


def headerless() -> Table:
    return [[f"Line {place}", one, "Main St"] for place, one in enumerate(fresh_numbers(ROWS))]


def msisdn_only() -> Table:
    return [["MSISDN"], *([one[1:]] for one in fresh_numbers(ROWS))]


def teams_export() -> Table:
    head = ["TelephoneNumber", "NumberType", "ActivationState", "City"]
    return [head, *([one, "CallingPlan", "Activated", "New York"] for one in fresh_numbers(ROWS))]


def crm_export() -> Table:
    others = [f"Field {place}" for place in range(1, 37)]
    head = ["Account Name", "Main Phone", *others, "Created", "Owner"]
    values = [f"text {place}" for place in range(1, 37)]
    return [
        head,
        *(
            [f"Customer {place}", one, *values, "2026-03-01", "bob@example.com"]
            for place, one in enumerate(fresh_numbers(ROWS))
        ),
    ]


def workbook_with_readme() -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        notes = book.add_worksheet("ReadMe")
        notes.write_column(0, 0, ["How to read this list", "Ask the carrier desk if in doubt."])
        page = book.add_worksheet("Numbers")
        for place, row in enumerate(carrier_export()):
            page.write_row(place, 0, row)
    return target.getvalue()


@dataclass(frozen=True)
class Foreign:
    """A kind of file: what it is named, how to make one, and the clicks its second file may take.

    `country`: what its sender has to enter, because the numbers are valid in several countries.
    """

    name: str
    make: Callable[[], bytes]
    second: int = 2
    country: str = ""


def csv_of(table: Callable[[], Table], separator: str = ",") -> Callable[[], bytes]:
    return lambda: "\r\n".join(separator.join(row) for row in table()).encode()


FOREIGN = {
    "carrier export": Foreign("carrier.csv", csv_of(carrier_export)),
    "German list": Foreign("liste.csv", csv_of(german_list, ";"), country="DE"),
    "no header": Foreign("lines.csv", csv_of(headerless), second=3),
    "MSISDN only": Foreign("msisdn.csv", csv_of(msisdn_only)),
    "Teams": Foreign("teams.csv", csv_of(teams_export)),
    "CRM export": Foreign("crm.csv", csv_of(crm_export)),
    "ReadMe first": Foreign("book.xlsx", workbook_with_readme),
}


@dataclass
class Hand:
    """Clicks, and counts them."""

    clicks: int = 0

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1


def imported(
    page: Page, hand: Hand, content: bytes, name: str, shoot: Callable[[Page], None], country: str = ""
) -> JobPage:
    """Import a file as a person does who accepts what is suggested; count the clicks after the file is chosen."""
    form = Upload(page).open().choose(content, name)
    hand.click(form.send)
    page.wait_for_url("**/jobs/*")
    job = JobPage(page)
    check = page.get_by_role("button", name="Check the file")
    expect(check.or_(job.confirm)).to_be_visible(timeout=30_000)
    if check.is_visible():
        shoot(page)
        field = page.get_by_label("Country of numbers without + or 00")
        if country and not field.input_value():
            hand.click(field)
            field.fill(country)
        hand.click(check)
        expect(job.confirm).to_be_visible(timeout=30_000)
    hand.click(job.confirm)
    expect(job.verdict).to_contain_text("imported", timeout=30_000)
    return job


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_takes_four_clicks_and_the_next_one_two(
    site: Service, sign_in: SignedIn, shoot: Shoot, audit: Audit, kind: str
) -> None:
    foreign = FOREIGN[kind]
    page, client = sign_in("Harbour"), site.client("Harbour")
    hand = Hand()

    def look(shown: Page) -> None:
        audit(shown)
        shoot(shown, f"mapping {kind}")

    job = imported(page, hand, foreign.make(), foreign.name, look, foreign.country)
    assert hand.clicks <= 4
    assert client.job(job.id)["counts"]["created"] == ROWS, client.job(job.id)
    again = Hand()
    job = imported(page, again, foreign.make(), f"next {foreign.name}", lambda _: None)
    assert again.clicks <= foreign.second
    assert client.job(job.id)["counts"]["created"] == ROWS, client.job(job.id)


def test_without_javascript_and_on_a_phone(site: Service, sign_in: SignedIn, shoot: Shoot) -> None:
    page, client = sign_in("Harbour", javascript=False, width=NARROW), site.client("Harbour")
    numbers = fresh_numbers(4)
    rows = [["Rufnummer", "Status", "Notiz"], *([one, word, ""] for one, word in zip(numbers, "YYNQ", strict=True))]
    Upload(page).open().choose(sheets.csv_bytes(rows), "klein.csv").send.click()
    job = JobPage(page)
    for _ in range(60):
        if page.get_by_role("button", name="Check the file").is_visible():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.get_by_label("Column 2, Status: read as").select_option("Voice")
    page.get_by_role("button", name="Check the file").click()
    for _ in range(60):
        if job.confirm.is_visible():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(job.verdict).to_contain_text("can be imported")
    page.get_by_role("link", name="Change columns or options").click()
    page.locator("label", has_text=re.compile(r"^\s*Q\s+1 row")).locator("..").get_by_role("combobox").select_option(
        "TRUE"
    )
    shoot(page, "mapping phone")
    page.get_by_role("button", name="Check the file").click()
    for _ in range(60):
        if job.confirm.is_visible():
            break
        page.wait_for_timeout(500)
        page.reload()
    job.confirm.click()
    done = client.ended(job.id)
    assert done["counts"]["created"] == 3, "N has neither voice nor SMS"
