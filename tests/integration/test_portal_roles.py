"""R35: a page offers only what the role of the person is enough for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
import sqlalchemy as sa
from werkzeug.exceptions import HTTPException

from schemas.database import tables
from tests.support import factories
from tests.support.api_client import Door, application
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.html_forms import forms_of
from tests.support.permission_matrix import ROLES, includes, role_of_pages
from tests.support.portal_client import Portal, signed_in, text_of
from worker.accounts import admins

_LINK = re.compile(r'(?:href|hx-get|formaction)="(/[^"]*)"')
# Where each role finds what it may do; from these, every link is followed.
STARTS = (
    "/overview",
    "/numbers",
    "/jobs",
    "/users",
    "/enterprises",
    "/carriers",
    "/import-profiles",
    "/webhooks",
    "/limits",
    "/account",
)


@pytest.fixture
def busy(api: Door, world: World, database: sa.Engine) -> None:
    """Something on every page: numbers, users, jobs of each outcome, profiles, people."""
    with database.begin() as connection:
        user = factories.user(connection, world.clinic.tenant, name="Ada", sms_enabled=True)
        columns = {"uploader_id": world.north.id, "sms": True, "voice_user_id": user, "sms_user_id": user}
        factories.number(connection, 12125550190, world.clinic.tenant, **columns)
        factories.admin(connection, world.north.tenant, "other@north.example")
    api.upload(sheets.csv_bytes(sheets.rows(3)))
    api.upload(sheets.csv_bytes([*sheets.rows(1), ("1", "12", "TRUE", "FALSE", "FALSE")]))
    review = [sheets.HEADER, ("1", "2125550170", "TRUE", "FALSE", "FALSE"), ("1", "12", "TRUE", "FALSE", "FALSE")]
    api.upload(sheets.csv_bytes(review), mode="review")
    api.upload(b"a,b\n1,2\n", mode="review")
    assert api.post("/v1/import-profiles", {"name": "Ours", "headers": ["TN"]}).status_code == 201
    subscription = {"url": "https://receiver.example/hook", "events": ["job.*"]}
    hook = api.post("/v1/webhooks", subscription).json["id"]
    assert api.post(f"/v1/webhooks/{hook}/test").status_code == 202
    with database.begin() as connection:
        connection.execute(tables.webhook_messages.update().values(state="delivered", ended_at=sa.func.now()))
    api.as_(world.clinic.token).upload(sheets.csv_bytes([sheets.HEADER, ("1", "2125550171", "TRUE", "FALSE", "FALSE")]))


def offered(portal: Portal, path: str) -> Iterator[tuple[str, str, str, bool]]:
    """Every address that a page links to, or sends a form to: method, rule of the route, address, and which of both."""
    answer = portal.get(path)
    assert answer.status_code == 200, path
    links = [("GET", unescape(link)) for link in _LINK.findall(answer.get_data(as_text=True))]
    forms = [(form.method.upper(), unescape(form.action)) for form in forms_of(answer)]
    adapter = application().url_map.bind("localhost")
    for method, address in links + forms:
        try:
            rule, _ = adapter.match(address.partition("?")[0].partition("#")[0], method, return_rule=True)
        except HTTPException:
            continue
        yield method, rule.rule, address, (method, address) in links


@pytest.mark.long
@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("role", ROLES)
def test_r35_pages_offer_only_what_the_role_may_do(role: str, world: World, database: sa.Engine) -> None:
    """From the pages of the navigation, every link to a page is followed."""
    portal, needed = signed_in(database, world.north.tenant, role=role), role_of_pages()
    pasted = portal.post("/numbers/paste", {"text": "+12125550190"})
    assert pasted.status_code == 303
    waiting = [*STARTS, pasted.location]
    seen: set[str] = set()
    rules: set[tuple[str, str]] = set()
    while waiting:
        path = waiting.pop()
        for method, rule, address, is_link in offered(portal, path):
            lowest = needed.get((method, rule))
            if lowest is None:
                continue
            assert includes(role, lowest), f"{path} offers {method} {address} to a {role}"
            rules.add((method, rule))
            shape = (rule, address.partition("?")[0], re.sub(r"=[^&]*", "", address.partition("?")[2]))
            is_page = is_link and not re.search(r"\.csv|ending>|/live|/choices/|^/$", rule)
            if is_page and str(shape) not in seen:
                seen.add(str(shape))
                waiting.append(address.partition("#")[0])
    # It was no empty portal: who may act finds where.
    assert (("POST", "/jobs/<job_id>/confirm") in rules) == includes(role, "operator")
    assert (("GET", "/uploads/new") in rules) == includes(role, "operator")
    assert (("GET", "/numbers/assign") in rules) == includes(role, "operator")
    assert (("GET", "/users/<user_id>") in rules) == includes(role, "operator")
    assert (("POST", "/account/admins") in rules) == includes(role, "admin")
    assert (("POST", "/tokens") in rules) == includes(role, "admin")
    assert (("POST", "/webhooks") in rules) == includes(role, "admin")
    assert (("POST", "/webhooks/<webhook_id>/messages/<message_id>/replay") in rules) == includes(role, "admin")
    assert ("GET", "/webhooks/<webhook_id>/messages/<message_id>") in rules
    assert (("POST", "/carriers") in rules) == includes(role, "admin")
    assert ("GET", "/jobs/<job_id>/report.<any(csv, xlsx):ending>") in rules


def test_r35_a_person_is_added_with_a_role_and_gets_another(portal: Portal, world: World, database: sa.Engine) -> None:
    answer = portal.post("/account/admins", {"email": "eve@north.example", "role": "viewer"})
    assert answer.status_code == 201
    with database.connect() as connection:
        made = connection.execute(sa.select(tables.admins).where(tables.admins.c.email == "eve@north.example")).one()
    assert made.role == "viewer"
    with database.begin() as connection:
        admins.set_password(connection, made.id, "none")  # chosen by herself
    eve = signed_in(database, world.north.tenant, "eve@north.example")
    assert "Viewer" in text_of(portal.get("/account/admins"))
    assert eve.get("/uploads/new").status_code == 403
    page = eve.get("/uploads/new")
    assert "This needs the role operator; your role is viewer." in text_of(page)
    assert "Ask an admin of your company for this role." in text_of(page)
    path = f"/account/admins/{made.public_id}/role"
    assert portal.get(path).status_code == 200
    assert portal.post(path, {"role": "operator"}).location == "/account/admins"
    assert eve.get("/uploads/new").status_code == 200
    assert portal.post(path, {"role": "boss"}).status_code == 422
    assert portal.post(path, {}).status_code == 422
    assert eve.get("/account/admins").status_code == 403


@pytest.mark.parametrize("other", ["south", "master"])
def test_r3_r35_the_role_of_somebody_elsewhere_does_not_exist(
    portal: Portal, other: str, world: World, database: sa.Engine
) -> None:
    with database.begin() as connection:
        inner = factories.admin(connection, getattr(world, other).tenant, "x@elsewhere.example", "viewer")
        public_id = factories.public_id(connection, tables.admins, inner)
    path = f"/account/admins/{public_id}/role"
    assert (portal.get(path).status_code, portal.post(path, {"role": "admin"}).status_code) == (404, 404)
    with database.connect() as connection:
        query = sa.select(tables.admins.c.role).where(tables.admins.c.id == inner)
        assert connection.execute(query).scalar_one() == "viewer"


def test_r35_a_viewer_is_told_why_there_is_no_upload(world: World, database: sa.Engine) -> None:
    viewer = signed_in(database, world.north.tenant, role="viewer")
    for path in ("/overview", "/numbers"):
        assert "Your role is Viewer, so you can't upload phone numbers." in text_of(viewer.get(path))
