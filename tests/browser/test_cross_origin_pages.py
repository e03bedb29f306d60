"""Pages of other origins that call the API with fetch (CORS): Chromium decides what they may do and read.

Other ports of the same host are other origins, but the same site: the browser sends the portal's cookie from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page

from tests.browser.launch import NAMED_HOST, WAIT_MILLISECONDS
from tests.support.factories import World
from tests.support.portal_client import signed_in
from tests.support.servers.web_server import LOOPBACK, WebServer, serving

READABLE = ("ETag", "Location", "Link", "Retry-After", "X-Request-Id", "Preference-Applied", "Changes-Cursor")
# Answers what a page gets: status, body and the headers that it may read; or that the browser refuses.
FETCH = """async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    const headers = Object.fromEntries(answer.headers);
    return {status: answer.status, type: answer.type, headers, body: await answer.text()};
  } catch (error) {
    return {refused: error.name};
  }
}"""


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b"<!doctype html><title>Other</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def origin(host: str = LOOPBACK) -> Iterator[str]:
    """A web server with empty pages: its origin."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _EmptyPage)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Site:
    """The web server, pages of an allowed origin and of others, and a person who is signed in to the portal."""

    def __init__(self, server: WebServer, token: str, pages: dict[str, Page], portal: Page) -> None:
        self.server, self.token, self.pages, self.portal = server, token, pages, portal

    def fetch(self, origin: str, path: str, *, token: bool = True, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - of fetch
        headers = ({"Authorization": f"Bearer {self.token}"} if token else {}) | options.pop("headers", {})
        found: dict[str, Any] = self.pages[origin].evaluate(
            FETCH, [self.server.url + path, options | {"headers": headers}]
        )
        return found


@pytest.fixture
def site(database: sa.Engine, world: World, browser: Browser, tmp_path: Path) -> Iterator[Site]:
    cookie = signed_in(database, world.north.tenant).cookies()["numberyard"]
    with ExitStack() as stack:
        origins = {
            "allowed": stack.enter_context(origin()),
            "same site": stack.enter_context(origin()),
            "other site": stack.enter_context(origin(NAMED_HOST)),
        }
        server = stack.enter_context(serving(tmp_path, cors_origins=origins["allowed"]))
        context = stack.enter_context(browser.new_context())
        context.set_default_timeout(WAIT_MILLISECONDS)
        context.add_cookies(
            [{"name": "numberyard", "value": cookie, "domain": LOOPBACK, "path": "/", "sameSite": "Lax"}]
        )
        pages = {name: context.new_page() for name in origins}
        for name, page in pages.items():
            page.goto(origins[name])
        portal = context.new_page()
        portal.goto(f"{server.url}/numbers")
        assert portal.get_by_role("heading", level=1).inner_text() == "Phone Numbers"
        yield Site(server, world.north.token, pages, portal)


def test_a_page_of_an_allowed_origin_uses_the_api(site: Site, work_off: Callable[[], None]) -> None:
    """With a preflight: Authorization, Idempotency-Key, Prefer, JSON; and it reads what it needs."""
    body = '{"format": "csv", "filter": {}}'
    headers = {"Content-Type": "application/json", "Idempotency-Key": "one", "Prefer": "wait=1", "X-Request-Id": "a/1"}
    made = site.fetch("allowed", "/v1/exports", method="POST", body=body, headers=headers)
    assert made["status"] == 202, made
    assert made["type"] == "cors"
    again = site.fetch("allowed", "/v1/exports", method="POST", body=body, headers=headers)
    assert (again["status"], again["headers"]["idempotent-replayed"]) == (202, "true")
    work_off()
    path = made["headers"]["location"]
    job = site.fetch("allowed", path)
    known = site.fetch("allowed", path, headers={"If-None-Match": job["headers"]["etag"]}, cache="no-store")
    assert known["status"] == 304
    second = site.fetch(
        "allowed", "/v1/exports", method="POST", body=body, headers={"Content-Type": "application/json"}
    )
    work_off()
    listed = site.fetch("allowed", "/v1/jobs?limit=1")
    numbers = site.fetch("allowed", "/v1/numbers.csv")
    part = site.fetch("allowed", f"{second['headers']['location']}/file", headers={"Range": "bytes=0-9"})
    assert (part["status"], len(part["body"])) == (206, 10 - 3)  # the mark of UTF-8 is not in the text
    seen = {name for answer in (made, job, listed, numbers, part) for name in answer["headers"]}
    assert {name.lower() for name in READABLE} <= seen
    changed = site.fetch(
        "allowed", "/v1/carriers/1", method="PATCH", body="{}", headers={"Content-Type": "application/json"}
    )
    assert changed["status"] in {404, 422}  # a problem that the page can read
    assert '"code"' in changed["body"]
    assert site.fetch("allowed", "/v1/carriers/1", method="DELETE")["status"] == 404


@pytest.mark.parametrize("name", ["same site", "other site"])
def test_a_page_of_another_origin_is_refused_by_the_browser(site: Site, name: str) -> None:
    posted: dict[str, Any] = {"method": "POST", "body": "{}", "headers": {"Content-Type": "application/json"}}
    for options in ({}, posted):
        assert site.fetch(name, "/v1/exports", **options) == {"refused": "TypeError"}
    assert site.fetch(name, "/v1/jobs", token=False) == {"refused": "TypeError"}
    assert site.fetch("allowed", "/v1/jobs")["body"].startswith('{"data":[]')  # so nothing was made


@pytest.mark.parametrize("name", ["allowed", "same site", "other site"])
def test_the_cookie_of_the_portal_is_of_no_use_elsewhere(site: Site, name: str) -> None:
    """Neither for the API, nor for pages, nor for forms: the session is as before."""
    for path in ("/v1/jobs", "/numbers", "/overview"):
        assert site.fetch(name, path, token=False, credentials="include") == {"refused": "TypeError"}
    anonymous = site.fetch("allowed", "/v1/jobs", token=False)
    assert anonymous["status"] == 401
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/sign-out", "/account/sign-out-everywhere", "/webhooks"):
        sent = site.fetch(
            name, path, token=False, method="POST", mode="no-cors", credentials="include", headers=form, body="url=x"
        )
        assert sent.get("type") == "opaque", sent  # it reached the server, and the page cannot read the answer
    site.portal.reload()
    assert site.portal.get_by_role("heading", level=1).inner_text() == "Phone Numbers"
