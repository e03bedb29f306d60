"""The portal's pages as their users speak of them: tests say what is done there, and only this file where it is.

Things are found as people find them, by role and by the words that they read, never by class or id.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar, Self

from playwright.sync_api import Locator, Page, expect

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
    def menu(self) -> Locator:
        """The main navigation."""
        return self.page.get_by_role("navigation").first

    @property
    def confirmation(self) -> Locator:
        """What was done, top right (R30)."""
        return self.page.get_by_role("status")

    def go_to(self, name: str) -> None:
        """Follow a link of the main navigation: `go_to("Activity")`."""
        self.menu.get_by_role("link", name=name, exact=True).click()

    def focused(self) -> Locator:
        """What has the keyboard's focus."""
        return self.page.locator(":focus")

    def expect_fault(self, label: str, text: str) -> None:
        """A field is marked as wrong, and what is said of it is tied to it."""
        field = self.page.get_by_label(label)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(text)


class SignIn(PortalPage):
    """Where everybody begins who is not signed in."""

    path = "/sign-in"

    @property
    def email(self) -> Locator:
        return self.page.locator("input[name=email]")

    @property
    def password(self) -> Locator:
        return self.page.locator("input[name=password]")

    def enter(self, email: str, password: str) -> None:
        """Fill the form and send it."""
        self.email.fill(email)
        self.password.fill(password)
        self.page.get_by_role("button", name="Sign in").click()


class PhoneNumbers(PortalPage):
    """The inventory: search, filters, selection and its actions."""

    path = "/numbers"


class Upload(PortalPage):
    """The form of Upload Phone Numbers."""

    path = "/uploads/new"


class Activity(PortalPage):
    """The list of jobs."""

    path = "/jobs"
