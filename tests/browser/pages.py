"""The portal's pages as their users speak of them: tests say what is done there, and only this file where it is.

Things are found as people find them, by role and by the words that they read, never by class or id.
"""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import dataclass
from typing import ClassVar, Self

from playwright.sync_api import Locator, Page, expect

from worker.phone.formatting import readable

MOST_TABS = 60
WAIT_SECONDS = 60
HAS_FOCUS = "element => element === document.activeElement"
SHOWS_FOCUS = """
element => {
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
  return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
}
"""
_firsts = itertools.count(2_122_000_000, 1_000)


def fresh_numbers(count: int = 1) -> list[str]:
    """Valid numbers of the United States that no other test of this process has, as E.164; at most 1,000."""
    assert 0 < count <= 1_000
    first = next(_firsts)
    return [f"+1{first + step}" for step in range(count)]


@dataclass
class PortalPage:
    """What all pages have."""

    page: Page
    path: ClassVar[str] = "/"

    def open(self) -> Self:
        """Go there by its address."""
        self.page.goto(self.path)
        return self

    @property
    def heading(self) -> Locator:
        """The only heading of the first level."""
        return self.page.get_by_role("heading", level=1)

    @property
    def main(self) -> Locator:
        """The content, without the frame around it."""
        return self.page.get_by_role("main")

    @property
    def navigation(self) -> Locator:
        """The main navigation, if it is on view: on a narrow page it is behind Menu."""
        return self.page.get_by_role("navigation", name="Main")

    @property
    def menu(self) -> Locator:
        """What opens the navigation on a narrow page."""
        return self.page.locator("summary", has_text="Menu")

    @property
    def account_menu(self) -> Locator:
        """What opens the menu with Account and Sign out."""
        return self.page.locator("summary[aria-label^='Account of']")

    @property
    def summary(self) -> Locator:
        """What is wrong with what was sent, above the form."""
        return self.page.get_by_role("alert")

    def confirmation(self, text: str) -> Locator:
        """What was done, top right (R30)."""
        return self.page.get_by_role("status").get_by_text(text)

    def go_to(self, name: str) -> None:
        """Follow a link of the main navigation: `go_to("Activity")`."""
        if self.menu.is_visible() and not self.navigation.is_visible():
            self.menu.click()
        self.navigation.get_by_role("link", name=name, exact=True).click()

    def choose_in_account_menu(self, name: str) -> None:
        """Follow a link, or press a button, of the menu with one's own e-mail address."""
        self.account_menu.click()
        self.page.get_by_role("link", name=name).or_(self.page.get_by_role("button", name=name)).click()

    def tab_to(self, target: Locator) -> None:
        """Press Tab until something has the focus; it must come, and be seen to have it."""
        for _ in range(MOST_TABS):
            if target.evaluate(HAS_FOCUS):
                assert target.evaluate(SHOWS_FOCUS), f"nothing shows that {target} has the focus"
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{target} cannot be reached by Tab")

    def expect_fault(self, label: str, text: str | re.Pattern[str]) -> None:
        """A field is marked as wrong, and what is said of it is tied to it."""
        field = self.page.get_by_label(label)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(text)


class SignIn(PortalPage):
    """Where everybody begins who is not signed in."""

    path = "/sign-in"

    @property
    def email(self) -> Locator:
        return self.page.get_by_label("E-mail")

    @property
    def password(self) -> Locator:
        return self.page.get_by_label("Password")

    def enter(self, email: str, password: str) -> None:
        """Fill the form and send it."""
        self.email.fill(email)
        self.password.fill(password)
        self.page.get_by_role("button", name="Sign in").click()


class Account(PortalPage):
    """One's own password and browsers."""

    path = "/account"

    def change_password(self, now: str, new: str, again: str | None = None) -> None:
        """Fill the form and send it."""
        self.page.get_by_label("Current password").fill(now)
        self.page.get_by_label("New password", exact=True).fill(new)
        self.page.get_by_label("Confirm new password").fill(new if again is None else again)
        self.page.get_by_role("button", name="Change password").click()

    def browsers(self) -> int:
        """How many browsers are said to be signed in."""
        about = self.main.get_by_role("term").filter(has_text="Browsers signed in")
        return int(about.locator("xpath=following-sibling::dd").inner_text())

    def sign_out_everywhere(self) -> None:
        self.page.get_by_role("button", name="Sign out everywhere").click()


class People(PortalPage):
    """Who can sign in, for the own tenant and those below."""

    path = "/account/admins"

    def add(self, email: str, tenant: str, role: str = "Admin") -> str:
        """Add a person; answers the password, which is shown once."""
        self.page.get_by_role("radio", name=role).check()
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Company").select_option(label=tenant)
        self.page.get_by_role("button", name="Add", exact=True).click()
        expect(self.page.get_by_role("heading", name=f"{email} can sign in now")).to_be_visible()
        return self.main.get_by_role("code").inner_text()

    def row(self, email: str) -> Locator:
        """The line of the list about a person."""
        return self.page.get_by_role("row").filter(has_text=email)


class PhoneNumbers(PortalPage):
    """The inventory: search, filters, selection and its actions."""

    path = "/numbers"

    def search(self, text: str) -> None:
        """Look for numbers that begin so."""
        self.page.get_by_label("Search", exact=True).fill(text)
        self.page.get_by_role("button", name="Search").click()

    def filter(self, **choices: str) -> None:
        """Open the filters and choose: `filter(Status="Assigned")`; "_" stands for a space."""
        if not self.page.get_by_role("combobox", name="Status").is_visible():
            self.page.locator("summary", has_text="Filters").click()
        for label, choice in choices.items():
            self.page.get_by_role("combobox", name=label.replace("_", " "), exact=True).select_option(label=choice)
        self.page.get_by_role("button", name="Apply filters").click()

    def row(self, e164: str) -> Locator:
        """The line of a number."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_label(f"Select {readable(e164)}"))

    @property
    def rows(self) -> Locator:
        """The lines of the list, without its head."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("rowheader"))

    def tick(self, *numbers: str) -> None:
        for e164 in numbers:
            self.page.get_by_label(f"Select {readable(e164)}").check()

    def actions_of(self, e164: str) -> Locator:
        """What opens the menu of a number."""
        return self.page.locator(f"summary[aria-label='Actions for {readable(e164)}']")

    def choose(self, e164: str, action: str) -> None:
        """Choose something of a number's menu."""
        self.actions_of(e164).click()
        self.row(e164).get_by_role("link", name=action, exact=True).click()

    def assign_to(self, name: str, *, label: str = "Reseller / Enterprise") -> None:
        """On Modify Assignments: choose, Assign, Save Settings."""
        field = self.page.get_by_role("combobox", name=label)
        option = field.locator("option").filter(has_text=name)
        field.select_option(value=option.get_attribute("value"))
        self.page.get_by_role("button", name="Assign").click()
        expect(self.page.get_by_role("heading", name="New assignment, not saved yet")).to_be_visible()
        self.page.get_by_role("button", name="Save Settings").click()


class Upload(PortalPage):
    """The form of Upload Phone Numbers."""

    path = "/uploads/new"

    @property
    def file(self) -> Locator:
        return self.page.get_by_label("Spreadsheet with the numbers")

    @property
    def send(self) -> Locator:
        """What sends the form."""
        return self.page.get_by_role("button", name="Upload", exact=True)

    @property
    def state(self) -> Locator:
        """How far the sending is, or why it ended."""
        return self.page.get_by_role("region", name="Upload", exact=True)

    def choose(self, content: bytes, name: str = "numbers.csv") -> Self:
        """Choose a file."""
        self.file.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})
        return self

    def upload(self, content: bytes, name: str = "numbers.csv") -> JobPage:
        """Choose a file, send it, and wait for its job's page."""
        self.choose(content, name)
        self.send.click()
        self.page.wait_for_url("**/jobs/*")
        return JobPage(self.page)


class JobPage(PortalPage):
    """A job, from its check to its result."""

    @property
    def id(self) -> str:
        return self.page.url.rpartition("/")[2].partition("?")[0]

    @property
    def verdict(self) -> Locator:
        """What the check found, or what became of the job, in a line."""
        return self.page.get_by_role("heading", level=2).first

    @property
    def confirm(self) -> Locator:
        return self.page.get_by_role("button", name="Import")

    @property
    def correct(self) -> Locator:
        """What leads to the page that corrects rows."""
        return self.page.get_by_role("link", name="Correct the rows")

    @property
    def rows(self) -> Locator:
        """The lines of the last table, without its head and without what is said below each."""
        lines = self.page.get_by_role("table").last.get_by_role("row")
        return lines.filter(has=self.page.get_by_role("rowheader"))

    @property
    def reasons(self) -> Locator:
        """What is said below each of the lines: what became of the row, and why."""
        lines = self.page.get_by_role("table").last.get_by_role("row")
        return lines.filter(has_not=self.page.get_by_role("rowheader")).locator("[data-label] > *")

    def is_imported(self) -> None:
        """Confirm, and wait for the end."""
        self.confirm.click()
        expect(self.page.get_by_role("heading", name="Downloads")).to_be_visible()


class CorrectionsPage(PortalPage):
    """The page that corrects rows of an upload under review."""

    @property
    def verdict(self) -> Locator:
        """How many rows have errors."""
        return self.page.get_by_role("heading", level=2).first

    @property
    def apply(self) -> Locator:
        return self.page.get_by_role("button", name="Apply corrections")

    @property
    def save(self) -> Locator:
        return self.page.get_by_role("button", name="Save cells")

    @property
    def made(self) -> Locator:
        """The corrections made so far."""
        return self.page.get_by_role("region", name="Corrections made")

    @property
    def counter(self) -> Locator:
        """How many cells of the grid are changed."""
        return self.page.get_by_role("region", name="Rows with errors").get_by_role("status").first

    def cause(self, text: str) -> Locator:
        """The controls for all rows with an error."""
        return self.page.get_by_role("group").filter(has_text=text)

    def cell(self, row: int, column: str) -> Locator:
        """A cell of the grid, by the number of its row in the file."""
        return self.page.get_by_label(f"Row {row}, {column}", exact=True)

    def message(self, row: int) -> Locator:
        """What is wrong with a row of the grid, or was."""
        line = self.page.get_by_role("row").filter(has=self.page.get_by_role("rowheader", name=str(row), exact=True))
        return line.locator("xpath=following-sibling::tr[1]")


class Activity(PortalPage):
    """The list of jobs."""

    path = "/jobs"

    def search(self, text: str) -> None:
        """Look for a file or a person."""
        self.page.get_by_label("File or person").fill(text)
        self.page.get_by_role("button", name="Show").click()


class Overview(PortalPage):
    """The first page: figures and plots."""

    path = "/overview"

    def table(self, title: str) -> Locator:
        """Open the table of a plot, with the keyboard."""
        self.page.locator("summary", has_text=f"Show as a table: {title}").press("Enter")
        return self.page.get_by_role("table").and_(self.page.locator("details[open] table"))


class Enterprises(PortalPage):
    """The list, and the forms to add and to edit."""

    path = "/enterprises"

    def row(self, name: str) -> Locator:
        """The line of the list about an enterprise."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=name, exact=True))

    def add(self, name: str, *, allow_external_numbers: bool) -> None:
        """Fill the form and send it; the list is shown then."""
        self.page.get_by_role("link", name="Add Enterprise").click()
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Allow External Numbers").set_checked(allow_external_numbers)
        self.page.get_by_role("button", name="Add Enterprise").click()
        expect(self.confirmation(f"{name} was added.")).to_be_visible()


class Users(PortalPage):
    """The list, and the forms to add and to edit."""

    path = "/users"

    @property
    def new_number(self) -> Locator:
        """Where a number is typed that is not in the list, for those who may."""
        return self.page.get_by_label("Or a new number")

    def row(self, name: str) -> Locator:
        """The line of the list about a user."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=name, exact=True))

    def act(self, name: str, action: str) -> None:
        """Choose from a user's menu: `act("Ada", "Manage SMS")`."""
        menu = self.page.locator(f'summary[aria-label="Actions for {name}"]')
        menu.click()
        self.page.locator("details[open]").get_by_role("link", name=action).click()

    def fill(self, name: str) -> None:
        """Who it is, in the form."""
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("E-mail").fill(f"{name.casefold().replace(' ', '.')}@browser.example")

    def send(self, button: str = "Add user") -> None:
        self.page.get_by_role("button", name=button, exact=True).click()


@dataclass
class Mover:
    """Two boxes of numbers and the arrows between them."""

    page: Page
    left_name: str = "Unassigned DIDs"
    right_name: str = "Assigned DIDs"

    @property
    def left(self) -> Locator:
        return self.page.get_by_role("listbox", name=self.left_name, exact=True)

    @property
    def right(self) -> Locator:
        return self.page.get_by_role("listbox", name=self.right_name, exact=True)

    def count(self, side: str) -> str:
        """How many numbers a box says that there are."""
        name = self.left_name if side == "left" else self.right_name
        box = self.page.get_by_role("group", name=re.compile(f"^{name}"))
        return box.locator("legend").inner_text().removeprefix(name).strip()

    @property
    def to_right(self) -> Locator:
        return self.page.get_by_role("button", name=f"Move to {self.right_name}", exact=True)

    @property
    def to_left(self) -> Locator:
        return self.page.get_by_role("button", name=f"Move to {self.left_name}", exact=True)


class Tokens(PortalPage):
    """The list of tokens, and the form that makes them."""

    path = "/tokens"

    def make(self, name: str) -> str:
        """Make a token; answers its secret, which is shown once."""
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_role("button", name="Create token").click()
        expect(self.page.get_by_role("heading", name=f"{name} is ready")).to_be_visible()
        return self.main.get_by_role("code").first.inner_text()


class Webhooks(PortalPage):
    """The list of webhooks, the form that makes them, and the page of each."""

    path = "/webhooks"

    def make(self, url: str, *events: str) -> str:
        """Make a webhook with no events but these; answers its secret, which is shown once."""
        self.page.get_by_label("URL").fill(url)
        for box in self.page.get_by_role("checkbox").all():
            box.set_checked(box.get_attribute("value") in events)
        self.page.get_by_role("button", name="Create webhook").click()
        expect(self.page.get_by_role("heading", name="The webhook is ready")).to_be_visible()
        return self.main.get_by_role("code").first.inner_text()

    @property
    def deliveries(self) -> Locator:
        """The lines of the list of deliveries, without its head."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("rowheader"))

    def reload_until(self, text: str) -> None:
        """Open the page again until its content has a text: nothing on it changes by itself."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in self.main.inner_text():
            assert time.monotonic() < deadline, f"{text} is not on {self.page.url}:\n{self.main.inner_text()}"
            self.page.reload()
