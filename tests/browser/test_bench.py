"""The bench itself: what it is to find, it finds. None of these pages belongs to the portal."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser import audits, shots
from tests.browser.conftest import NewPage
from tests.browser.launch import NAMED_HOST
from tests.browser.watch import Watch

POLICED = "/livez"  # any answer of the service has a Content Security Policy
SOUND = "<html lang=en><title>Sound</title><main><h1>Sound</h1>{}</main>"


def seen(watch: Watch) -> str:
    """The faults so far, which are forgotten: the test made them."""
    found = "\n".join(watch.left())
    watch.faults.clear()
    return found


def test_a_script_that_throws_and_an_error_in_the_console_are_faults(page: Page, watch: Watch) -> None:
    page.goto("about:blank")
    page.evaluate("() => { console.error('out of paper'); setTimeout(() => { throw new Error('on fire') }) }")
    page.wait_for_timeout(50)
    found = seen(watch)
    assert "out of paper" in found
    assert "on fire" in found


def test_what_the_policy_refuses_is_a_fault(page: Page, watch: Watch) -> None:
    page.goto(POLICED)
    with page.expect_console_message(lambda message: message.text.startswith("CSP: ")):
        page.evaluate("() => document.body.append(Object.assign(new Image(), { src: '/picture.png' }))")
    assert "img-src refuses" in seen(watch)


def test_a_request_to_another_host_is_a_fault_and_reaches_nobody(page: Page, watch: Watch) -> None:
    page.goto("about:blank")
    with page.expect_event("requestfailed") as failed:
        page.evaluate("() => document.body.append(Object.assign(new Image(), { src: 'http://example.com/x.png' }))")
    assert failed.value.failure == "net::ERR_NAME_NOT_RESOLVED"
    assert "foreign request: GET http://example.com/x.png" in seen(watch)


def test_a_part_that_is_missing_is_a_fault_but_a_page_may_be_refused(page: Page, watch: Watch) -> None:
    page.goto("/no-such-page")
    assert not watch.left()
    page.goto("/sign-in")
    page.evaluate("() => fetch('/no-such-part')")
    assert "answer: 404 to GET" in seen(watch)


def test_an_allowed_fault_is_none(page: Page, watch: Watch) -> None:
    watch.allow("out of paper")
    page.evaluate("() => console.error('out of paper')")
    page.wait_for_timeout(50)
    assert watch.faults
    assert not watch.left()


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("<input name=city>", "label"),
        ("<p style='color:#999;background:#fff'>faint</p>", "color-contrast"),
        (
            "<button style='width:9px;height:9px'>x</button><button style='width:9px;height:9px'>y</button>",
            "target-size",
        ),
        ("<div style='width:2000px;height:9px'></div>", "scrolls sideways"),
    ],
)
def test_an_audit_finds_what_is_wrong(page: Page, content: str, rule: str) -> None:
    page.set_content(SOUND.format(content))
    with pytest.raises(AssertionError, match=rule):
        audits.audit(page)


def test_an_audit_finds_what_is_wrong_in_the_dark_only(page: Page) -> None:
    dark = "<style>@media (prefers-color-scheme: dark) { body { background: #222 } }</style>"
    page.set_content(SOUND.format(f"{dark}<p style='color:#333'>night</p>"))
    with pytest.raises(AssertionError, match=r"390 px, dark\] color-contrast") as failure:
        audits.audit(page)
    assert "light" not in str(failure.value)


def test_the_scheme_changes_colors_only() -> None:
    """Audits rest on it: whatever is no color is the same in both schemes."""
    css = (resources.files("webhook.portal") / "static" / "portal.css").read_text(encoding="utf-8")
    dark = re.findall(r"@media \(prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}\s*\}", css, re.DOTALL)
    assert css.count("prefers-color-scheme") == len(dark) == 1
    for declaration in filter(None, map(str.strip, dark[0].split(";"))):
        assert re.fullmatch(r"--[a-z-]+: .*(#[0-9a-f]{3,8}|rgb).*", declaration), declaration


def test_a_sound_page_passes(page: Page) -> None:
    page.set_content(SOUND.format("<label>City <input name=city></label>"))
    audits.audit(page)


def test_pages_share_no_cookies(new_page: NewPage) -> None:
    first, second = new_page(), new_page()
    for page in (first, second):
        page.goto(POLICED)
    first.evaluate("() => { document.cookie = 'a=1' }")
    assert second.evaluate("() => document.cookie") == ""


def test_the_service_has_a_name_too(new_page: NewPage) -> None:
    page = new_page(host=NAMED_HOST)
    page.goto(POLICED)
    assert page.evaluate("() => location.hostname") == NAMED_HOST
    assert page.evaluate("() => isSecureContext") is False


def test_a_picture_is_small_and_shows_the_page(page: Page, tmp_path: Path) -> None:
    page.set_content(SOUND.format("<p style='background:#c00'>red</p>" * 20))
    shots.shoot(page, tmp_path / "new" / "red.png")
    written = (tmp_path / "new" / "red.png").read_bytes()
    assert written.startswith(b"\x89PNG")
    assert b"\xcc\x00\x00" in written  # the palette has the red
