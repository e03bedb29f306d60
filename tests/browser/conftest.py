"""A browser on the whole service: both started once per test process, a context of its own for every page.

Each test fails on anything the browser complains of, unless it has allowed it (`watch.allow`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page

from tests.browser import audits, launch, shots
from tests.browser.audits import HEIGHT, WIDE, Scheme
from tests.browser.pages import SignIn
from tests.browser.watch import Watch
from tests.support.servers import service
from tests.support.servers.callback_receiver import NETWORK
from tests.support.servers.service import Service

# The settings offer e-mails, so that the pages about them are shown. No test has one sent: there is no mail server.
MAIL = {
    "public_url": "https://numbers.example",
    "smtp_host": "127.0.0.1",
    "smtp_port": 9,
    "smtp_sender": "no-reply@numbers.example",
}
_FAILED = pytest.StashKey[bool]()
HERE = Path(__file__).parent
GROUPS = 2  # test processes that start a service and a browser for these tests; a file's tests stay together
REQUIRED = "NUMBERYARD_REQUIRE_BROWSER"
SHOTS = "NUMBERYARD_SHOTS"
MISSING = "browser tests need Chromium (Debian: `apt install chromium`), or its path in NUMBERYARD_BROWSER"


class NewPage(Protocol):
    """Opens a page in a context of its own: cookies are not shared with the test's other pages."""

    def __call__(
        self, *, width: int = ..., scheme: Scheme = ..., javascript: bool = ..., host: str = ..., zone: str = ...
    ) -> Page: ...


class SignedIn(Protocol):
    """Signs in the demo's account whose name begins so; in a new page unless one is given."""

    def __call__(self, name: str, page: Page | None = None, *, javascript: bool = ..., width: int = ...) -> Page: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files over so many test processes."""
    mine = [item for item in items if HERE in item.path.parents]
    files = sorted({item.path for item in mine})
    for item in mine:
        item.add_marker(pytest.mark.xdist_group(f"browser-{files.index(item.path) % GROUPS}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixtures know how the test went."""
    report = yield
    item.stash[_FAILED] = report.failed or item.stash.get(_FAILED, False)
    return report


def pytest_runtest_setup() -> None:
    """Without a browser skip, or fail where it is required. Here and not in a fixture: pytest then says it once."""
    if launch.find() is None:
        if os.environ.get(REQUIRED) or os.environ.get(launch.CHOSEN):
            pytest.fail(MISSING, pytrace=False)
        pytest.skip(MISSING)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ends with this folder: while it runs, no other test of the process could run an event loop."""
    with launch.launched() as found:
        yield found


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with the demo's tenants. Tests share it, so each works on numbers of its own (`fresh_numbers`)."""
    with service.running(
        tmp_path_factory.mktemp("browser"),
        workers=1,
        callback_networks=NETWORK,
        **service.CALM,
        **MAIL,
    ) as found:
        yield found


@pytest.fixture
def watch(site: Service) -> Iterator[Watch]:
    """What the browser complained of; the test fails if anything is left that it did not allow."""
    port = urlsplit(site.url).port
    found = Watch((urlsplit(site.url).netloc, f"{launch.NAMED_HOST}:{port}"))
    yield found
    if found.left():
        pytest.fail("the browser complained:\n" + "\n".join(found.left()), pytrace=False)


@pytest.fixture
def new_page(
    browser: Browser, site: Service, watch: Watch, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[NewPage]:
    """Pages at the service's address, `host` in place of the one it has; all closed at the end.

    Where the test failed, it is told where each page stood and where a picture of it is.
    """
    contexts: list[BrowserContext] = []

    def make(
        *,
        width: int = WIDE,
        scheme: Scheme = "light",
        javascript: bool = True,
        host: str = "127.0.0.1",
        zone: str = "UTC",
    ) -> Page:
        context = browser.new_context(
            base_url=f"http://{host}:{urlsplit(site.url).port}",
            viewport={"width": width, "height": HEIGHT},
            color_scheme=scheme,
            java_script_enabled=javascript,
            reduced_motion="reduce",
            locale="en-US",
            timezone_id=zone,
        )
        contexts.append(context)
        context.set_default_timeout(launch.WAIT_MILLISECONDS)
        watch.attach(context)
        return context.new_page()

    yield make
    for number, context in enumerate(contexts):
        if request.node.stash.get(_FAILED, False):
            _show(context, tmp_path / f"page-{number}.png")
        context.close()


def _show(context: BrowserContext, path: Path) -> None:
    for shown in context.pages:
        with contextlib.suppress(Error):  # a page that is gone has no picture
            shown.screenshot(path=path, full_page=True)
            print(f"{shown.url}: {path}")  # noqa: T201 - pytest shows it with the failure


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page as most people see it: wide, light, with JavaScript, signed out."""
    return new_page()


@pytest.fixture
def sign_in(site: Service, new_page: NewPage) -> SignedIn:
    """`sign_in("Harbour")`: a page that shows Phone Numbers, in the name of an admin of Harbour Telecom."""

    def enter(name: str, page: Page | None = None, *, javascript: bool = True, width: int = WIDE) -> Page:
        account = site.account(name)
        shown = page or new_page(javascript=javascript, width=width)
        SignIn(shown).open().enter(account["email"], account["password"])
        shown.wait_for_url("**/overview")
        shown.goto("/numbers")
        return shown

    return enter


@pytest.fixture
def audit() -> Callable[[Page], None]:
    """`audit(page)`: WCAG 2.2 AA as far as machines can tell, at both widths and in both colour schemes."""
    return audits.audit


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """`shoot(page, "numbers")`: a picture for the documentation, if NUMBERYARD_SHOTS names a folder; else nothing."""

    def take(page: Page, name: str) -> None:
        if folder := os.environ.get(SHOTS):
            shots.shoot(page, Path(folder) / f"{name}.png")

    return take
