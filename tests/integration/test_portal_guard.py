"""What every page of the portal keeps: forms are its own, headers are strict, names are only text, errors are pages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from werkzeug.routing import Rule

from schemas.database import tables
from schemas.permissions import Tenant, TenantKind
from tests.support import factories
from tests.support.api_client import application
from tests.support.factories import World
from tests.support.portal_client import SITE, Portal, signed_in, text_of, toasts_of
from webhook.portal.shared import flash, layout
from webhook.portal.shared.content_negotiation import READING
from worker.accounts import sessions
from worker.storage.files import StoreError

APP = application()
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"


def rules() -> list[Rule]:
    return [rule for rule in APP.url_map.iter_rules() if rule.endpoint.startswith("portal.")]


def address(rule: Rule) -> str:
    """A path that the rule fits, with the first of its choices, and 1 in other places."""
    return re.sub(r"<(?:any\((\w+)[^)]*\):)?[^>]+>", lambda found: found[1] or "1", rule.rule)


FORMS = sorted({address(rule) for rule in rules() if "POST" in (rule.methods or ())})
PAGES = sorted(
    {address(rule) for rule in rules() if "GET" in (rule.methods or ()) and rule.endpoint != "portal.static"}
)
# Asked for by scripts, for pages that are there already; and files.
FILES = {"/uploads/sample.csv", "/reports/holdings.csv", "/numbers.csv"}
PARTS = {"/jobs/live", "/uploads/ready", "/choices/tenants", *FILES}
WHOLE = [page for page in PAGES if "1" not in page and page not in PARTS]


@pytest.fixture
def told(database: sa.Engine) -> Callable[[], dict[str, int]]:
    """How many rows each table has: what a refused form must not change."""

    def count() -> dict[str, int]:
        with database.connect() as connection:
            names = (
                tables.admins,
                tables.jobs,
                tables.tenants,
                tables.tokens,
                tables.users,
                tables.sessions,
                tables.webhooks,
            )
            return {
                table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in names
            }

    return count


# Forms


@pytest.mark.parametrize("content", [b'{"a": 1}', b"[" * 200_000], ids=["JSON", "200,000 brackets"])
def test_forms_take_no_json(portal: Portal, told: Callable[[], dict[str, int]], content: bytes) -> None:
    """Also with the token in a header: the views would act on an empty form."""
    before = told()
    headers = {"Accept": "text/html", "Origin": SITE, "X-CSRF-Token": portal.token()}
    for path in FORMS:
        answer = portal.client.post(path, data=content, content_type="application/json", headers=headers)
        assert answer.status_code == 415, path
        assert told() == before, path


@pytest.mark.parametrize("token", ["", "0" * 64, "é", None])
def test_a_form_without_its_token_is_refused(
    portal: Portal, told: Callable[[], dict[str, int]], token: str | None
) -> None:
    before = told()
    fields = {} if token is None else {"csrf_token": token}
    for path in FORMS:
        if path == "/uploads":  # it looks at the token while the file arrives: `test_portal_uploads`
            continue
        answer = portal.client.post(path, data=fields, headers={"Accept": "text/html", "Origin": SITE})
        assert answer.status_code == 403, path
        assert "This form is out of date" in text_of(answer), path
        assert "Open the page again" in text_of(answer), path
        assert told() == before, path


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": SITE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": SITE, "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": ""},
    ],
)
def test_a_form_from_elsewhere_is_refused(
    portal: Portal, told: Callable[[], dict[str, int]], headers: dict[str, str]
) -> None:
    fields, before = {"csrf_token": portal.token()}, told()
    for path in FORMS:
        answer = portal.client.post(path, data=fields, headers={"Accept": "text/html", "Origin": "", **headers})
        assert answer.status_code == 403, path
        assert told() == before, path


def test_either_sign_of_this_site_is_enough(portal: Portal) -> None:
    for headers in ({"Origin": SITE}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://inner:8080"}):
        answer = portal.post("/account", {}, headers=headers)
        assert answer.status_code == 422


def test_scripts_send_the_token_in_a_header(portal: Portal) -> None:
    token = portal.token()
    answer = portal.client.post("/account", headers={"Origin": SITE, "X-CSRF-Token": token, "Accept": "text/html"})
    assert answer.status_code == 422


def test_the_token_of_another_session_is_none(portal: Portal, database: sa.Engine, world: World) -> None:
    other = signed_in(database, world.south.tenant)
    assert portal.post("/account", token=other.token()).status_code == 403
    anonymous = Portal(application().test_client())
    assert portal.post("/account", token=anonymous.token()).status_code == 403


def test_a_form_opened_before_signing_in_is_out_of_date(portal: Portal) -> None:
    """Two tabs: in the first the sign-in form is open, in the second somebody signs in."""
    anonymous = Portal(application().test_client())
    token = anonymous.token()
    anonymous.client.set_cookie("numberyard", portal.cookies()["numberyard"], domain="localhost")
    answer = anonymous.post("/sign-in", {"email": "a@b.example", "password": "x"}, token=token)
    assert answer.status_code == 403
    assert "you signed in or out since" in text_of(answer)


def test_a_form_may_not_be_endless(portal: Portal) -> None:
    answer = portal.post("/account", {"password": "x" * 5_000_000})
    assert answer.status_code == 413
    assert "<h1>" in answer.get_data(as_text=True)


# Headers


@pytest.mark.parametrize("path", [*PAGES, "/nothing-here"])
def test_every_page_is_strict(portal: Portal, path: str) -> None:
    answer = portal.get(path)
    assert answer.headers["Content-Security-Policy"] == layout.POLICY
    assert "unsafe" not in layout.POLICY
    assert layout.POLICY.startswith("default-src 'none';")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = answer.get_data(as_text=True)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert re.findall(r"<script(?![^>]* src=)", page) == []
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)


@pytest.mark.parametrize("path", WHOLE)
def test_every_page_has_its_frame(portal: Portal, path: str) -> None:
    answer = portal.get(path)
    if answer.status_code == 303:
        return
    page = answer.get_data(as_text=True)
    assert answer.status_code in {200, 400, 403}  # one that is for other levels, or needs more, is a page, too
    assert len(re.findall(r"<h1[ >]", page)) == 1
    assert re.search(r"<title>[^<]+ - Numberyard</title>", page)
    assert '<html lang="en">' in page
    assert 'class="skip" href="#main"' in page
    within = re.findall(r"<label[^>]*>\s*<input [^>]*>", page)  # a label around its control needs no name for it
    for control in re.findall(r"<(?:input|select|textarea) [^>]*>", page):
        if 'type="hidden"' in control or "aria-hidden" in control or any(control in label for label in within):
            continue
        name = re.search(r'id="([^"]+)"', control)
        assert "aria-label=" in control or (name and f'for="{name[1]}"' in page), control


def test_the_documentation_and_the_api_have_theirs(portal: Portal) -> None:
    assert "unsafe-inline" not in portal.client.get("/docs/").headers["Content-Security-Policy"]
    for path in ("/v1/jobs", "/v1/nothing", "/openapi.json"):
        answer = portal.client.get(path, headers={"Accept": "text/html"})
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "html" not in answer.content_type


def test_nobody_gets_into_the_api_by_cookie(portal: Portal) -> None:
    assert portal.client.get("/v1/jobs").status_code == 401


@pytest.mark.usefixtures("database")
def test_cookies(configure: Callable[..., None]) -> None:
    browser = application().test_client(use_cookies=False)

    def cookie(**more: object) -> str:
        return browser.get("/sign-in", **more).headers["Set-Cookie"]

    plain = cookie()
    assert plain.startswith("numberyard-form=")
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(plain.split("; "))
    assert "Secure" not in plain
    assert "Domain" not in plain
    secure = cookie(base_url="https://numbers.example")
    assert secure.startswith("__Host-numberyard-form=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(secure.split("; "))
    proxied = {"X-Forwarded-Proto": "https"}
    assert cookie(headers=proxied).startswith("numberyard-form=")
    configure(trust_forwarded=True)
    assert cookie(headers=proxied).startswith("__Host-numberyard-form=")
    assert cookie(headers={"X-Forwarded-Proto": "http"}).startswith("numberyard-form=")


def test_files_are_kept_by_browsers_as_long_as_they_are_the_same(portal: Portal) -> None:
    page = portal.get("/sign-in", follow_redirects=True).get_data(as_text=True)
    found = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert {path.rpartition("/")[2] for path in found} >= {"icon.svg", "portal.css", "portal.js", "htmx.min.js"}
    for path in found:
        answer = portal.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in answer.headers
    assert portal.client.get("/static/older/portal.css").headers["Cache-Control"] == "no-cache"
    for path in ("/static/x/../../auth.py", "/static/x/nothing.css", "/static/x/%2e%2e/auth.py"):
        assert portal.client.get(path).status_code == 404


# Names are only text


def test_hostile_names_are_only_text(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        odd = factories.tenant(connection, world.master.tenant, TenantKind.RESELLER, name=HOSTILE)
    browser = signed_in(database, odd, f"{HOSTILE}@b.example")
    for path in WHOLE:
        page = browser.get(path, follow_redirects=True).get_data(as_text=True)
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "{{7*7}}" in page


def test_a_hostile_address_is_only_text(portal: Portal) -> None:
    for path in ("/nothing/<script>alert(1)</script>", "/sign-in?why=<script>alert(1)</script>"):
        assert "<script>alert" not in portal.get(path, follow_redirects=True).get_data(as_text=True)


# Errors


def test_errors_are_pages_for_people_and_problems_for_programs(portal: Portal) -> None:
    page = portal.get("/nothing-here")
    assert page.status_code == 404
    assert "Not found." in text_of(page)
    assert "NOT_FOUND" in text_of(page)
    assert page.headers["X-Request-Id"] in text_of(page)
    assert "Northern Reseller" in text_of(page)
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        answer = portal.client.get("/nothing-here", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")
    other = portal.get("/sign-out")
    assert (other.status_code, set(other.headers["Allow"].split(", "))) == (405, {"OPTIONS", "POST"})
    assert "<h1>" in other.get_data(as_text=True)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RuntimeError("secret of the house"), 500, "Something went wrong"),
        (StoreError("secret of the house"), 503, "Try again in a few seconds"),
    ],
)
def test_what_goes_wrong_inside(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, words: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(sessions, "count", fail)
    answer = portal.get("/account")
    assert answer.status_code == status
    assert words in text_of(answer)
    assert "secret" not in text_of(answer)
    assert "Try again" in text_of(answer)


def test_without_a_database_there_is_still_a_page(portal: Portal, configure: Callable[..., None]) -> None:
    configure(database_url="postgresql://nobody:x@127.0.0.1:1/none")
    for path in ("/account", "/nothing-here"):
        answer = portal.get(path)
        assert answer.status_code in {503, 404}
        assert "<h1>" in answer.get_data(as_text=True)
    assert portal.get("/account").headers["Retry-After"] == "2"


# The navigation and the confirmations


def test_the_navigation_leads_to_what_the_level_can_use(world: World) -> None:
    def labels(tenant: Tenant) -> set[str]:
        return {place.label for place in layout.PLACES if place.is_for(tenant)}

    assert labels(world.master.tenant) == {place.label for place in layout.PLACES}
    assert labels(world.north.tenant) == labels(world.master.tenant) - {"Resellers"}
    assert labels(world.clinic.tenant) == labels(world.north.tenant) - {"Enterprises"}


def test_r30_a_confirmation_is_shown_once_by_the_next_page(portal: Portal, database: sa.Engine) -> None:
    with database.begin() as connection:
        session_id = connection.execute(sa.select(tables.sessions.c.id)).scalar_one()
        for number in range(12):
            notice = {"text": f"{number} <b>", "kind": flash.SUCCESS, "link": "/jobs", "label": "See it"}
            sessions.add_notice(connection, session_id, notice)
    shown = portal.get("/numbers")
    assert 'role="status"' in shown.get_data(as_text=True)
    assert toasts_of(shown).startswith("2 <b> See it")
    assert toasts_of(shown).count("See it") == sessions.MOST_NOTICES
    assert toasts_of(portal.get("/numbers")) == ""


def test_methods_that_read_need_no_token() -> None:
    assert set(READING) == {"GET", "HEAD", "OPTIONS"}
    for rule in rules():
        assert (rule.methods or set()) <= {*READING, "POST"}, rule
