"""Enterprises, resellers, carriers and tokens in the portal, by the forms that people without JavaScript send."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database import tables
from schemas.permissions import TenantKind
from tests.support import factories
from tests.support.api_client import application
from tests.support.factories import World
from tests.support.html_forms import follow, form_of, forms_of, send
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of

HOSTILE = "<script>alert('x')</script>"
LONG = "Gemeinschaftspraxis " * 9 + "Süd"
NAMES = (HOSTILE, LONG, "عيادات النخيل", "🦷 Smile Dental")


@pytest.fixture
def master(world: World, database: sa.Engine) -> Portal:
    return signed_in(database, world.master.tenant)


@pytest.fixture
def clinic(world: World, database: sa.Engine) -> Portal:
    return signed_in(database, world.clinic.tenant)


def wrong(answer: TestResponse, field: str) -> str:
    """What is said beside a field."""
    found = re.search(rf'id="e-{field}">.*?<span>([^<]*)</span>', answer.get_data(as_text=True), re.DOTALL)
    assert found, text_of(answer)
    return unescape(found[1])


def one(database: sa.Engine, table: sa.Table, **columns: object) -> sa.Row[tuple[object, ...]] | None:
    query = sa.select(table).where(*(table.c[name] == value for name, value in columns.items()))
    with database.connect() as connection:
        return connection.execute(query).one_or_none()


# Enterprises and resellers


def test_r1_r9_an_enterprise_is_added_edited_and_deleted(portal: Portal, database: sa.Engine) -> None:
    form = form_of(portal.get("/enterprises/new"), "/enterprises/new")
    answer = send(portal, form, "Add Enterprise", name="Quay Dental", allow_external_numbers="1")
    page = follow(portal, answer)
    assert "Quay Dental was added." in toasts_of(page)
    made = one(database, tables.tenants, name="Quay Dental")
    assert (made.kind, made.allow_external_numbers) == ("enterprise", True)
    assert "Master Voice inherited" in text_of(page)
    edit = f"/enterprises/{made.public_id}"
    form = form_of(portal.get(edit), edit)
    assert "Inherited: Master Voice" in text_of(portal.get(edit))
    filled: dict[str, str | list[str]] = {
        "name": "Quay Smiles",
        "default_voice_carrier": "North voice",
        "allow_external_numbers": [],
    }
    page = follow(portal, send(portal, form, "Save", **filled))
    changed = one(database, tables.tenants, id=made.id)
    assert (changed.name, changed.allow_external_numbers) == ("Quay Smiles", False)
    assert changed.default_voice_carrier_id is not None
    assert changed.default_sms_carrier_id is None
    page = follow(portal, send(portal, form_of(portal.get(edit), edit), "Save", default_voice_carrier=""))
    assert one(database, tables.tenants, id=made.id).default_voice_carrier_id is None
    form = form_of(portal.get(f"{edit}/delete"), f"{edit}/delete")
    assert "Quay Smiles was deleted." in toasts_of(follow(portal, send(portal, form, "Delete")))
    assert one(database, tables.tenants, id=made.id) is None


def test_a_name_that_is_taken_or_empty_is_told_beside_the_field_and_kept(portal: Portal, world: World) -> None:
    form = form_of(portal.get("/enterprises/new"), "/enterprises/new")
    answer = send(portal, form, name="clinic  ENTERPRISE", allow_external_numbers="1")
    assert (answer.status_code, wrong(answer, "name")) == (
        422, "An enterprise or reseller with this name already exists. Choose another name.",
    )  # fmt: skip
    again = form_of(answer, "/enterprises/new")
    assert next(control.value for control in again.controls if control.name == "name") == "clinic  ENTERPRISE"
    assert next(control.is_on for control in again.controls if control.name == "allow_external_numbers")
    assert wrong(send(portal, form, name=" "), "name") == "This is required."
    assert "200 printable" in wrong(send(portal, form, name="x" * 201), "name")
    edit = f"/enterprises/{world.clinic.tenant.public_id}"
    form = form_of(portal.get(edit), edit)
    assert wrong(send(portal, form, name=""), "name") == "This is required."
    assert "with this name already exists" in wrong(send(portal, form, name="Hotel Enterprise"), "name")


def test_r1_the_master_says_whose_enterprise_it_is(master: Portal, database: sa.Engine, world: World) -> None:
    form = form_of(master.get("/enterprises/new"), "/enterprises/new")
    assert set(form.options("parent_id")) == {"", world.north.tenant.public_id, world.south.tenant.public_id}
    assert "Choose the reseller" in wrong(send(master, form, name="Quay Dental"), "parent_id")
    follow(master, send(master, form, name="Quay Dental", parent_id=world.south.tenant.public_id))
    assert one(database, tables.tenants, name="Quay Dental").parent_id == world.south.id
    assert "Southern Reseller" in text_of(master.get("/enterprises"))


def test_r1_resellers_are_the_masters(master: Portal, portal: Portal, clinic: Portal, database: sa.Engine) -> None:
    form = form_of(master.get("/resellers/new"), "/resellers/new")
    assert "allow_external_numbers" not in form.names()
    follow(master, send(master, form, "Add Reseller", name="Eastern Reseller"))
    assert one(database, tables.tenants, name="Eastern Reseller").kind == "reseller"
    for browser, path in ((portal, "/resellers"), (clinic, "/resellers"), (clinic, "/enterprises")):
        assert browser.get(path).status_code == 403
        assert browser.get(f"{path}/new").status_code == 403
        assert browser.post(f"{path}/new", {"name": "Mine"}).status_code == 403
    assert one(database, tables.tenants, name="Mine") is None


@pytest.mark.parametrize("who", ["school", "south", "north", "master"])
@pytest.mark.parametrize("page", ["", "/delete"])
def test_r3_what_is_elsewhere_above_or_of_another_kind_is_not_there(
    portal: Portal, world: World, who: str, page: str
) -> None:
    path = f"/enterprises/{getattr(world, who).tenant.public_id}{page}"
    assert portal.get(path).status_code == 404
    assert portal.post(path, {"name": "Mine"}).status_code == 404


def test_r6_a_tenant_that_is_in_use_stays_and_says_why(portal: Portal, database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        factories.number(connection, 12125550142, world.clinic.tenant)
        factories.user(connection, world.clinic.tenant)
    path = f"/enterprises/{world.clinic.tenant.public_id}/delete"
    page = portal.get(path)
    assert "because it has phone numbers and users." in text_of(page)
    assert not forms_of(page)
    answer = portal.post(path)
    assert answer.status_code == 409
    assert "because it has phone numbers and users." in text_of(answer)


@pytest.mark.long
def test_four_hundred_enterprises_are_paged_and_searched(portal: Portal, database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        for name in (*NAMES, *(f"Branch {number:03}" for number in range(400))):
            factories.tenant(connection, world.north.tenant, TenantKind.ENTERPRISE, name=name)
    first = portal.get("/enterprises")
    assert HOSTILE not in first.get_data(as_text=True)
    assert all(name in text_of(first) for name in NAMES)
    seen, page = 0, first
    while True:
        seen += page.get_data(as_text=True).count('<th scope="row">')
        following = re.search(r'href="([^"]*)" rel="next"', page.get_data(as_text=True))
        if following is None:
            break
        page = portal.get(following[1].replace("&amp;", "&"))
    assert seen == 406
    found = text_of(portal.get("/enterprises?q=aNCH+37"))
    assert found.count("Actions for") == 0  # that is an attribute
    assert found.count("Branch 37") == 10
    assert "No matching enterprises" in text_of(portal.get("/enterprises?q=100%25"))
    assert "Choose ..." not in text_of(portal.get("/users/new?kind=pbx"))  # too many for a drop-down


# Carriers


@pytest.mark.long
def test_r7_a_carrier_is_added_renamed_made_default_and_deleted(
    portal: Portal, database: sa.Engine, world: World
) -> None:
    page = portal.get("/carriers")
    assert "Added by" in text_of(page)
    answer = send(portal, form_of(page, "/carriers"), "Add carrier", name="Quay SIP")
    page = follow(portal, answer)
    assert "Quay SIP was added." in toasts_of(page)
    made = one(database, tables.carriers, name="Quay SIP")
    assert made.service == "voice"
    form = form_of(page, "/carriers/defaults")
    page = follow(portal, send(portal, form, "Save defaults", default_voice_carrier="Quay SIP"))
    assert "The default carriers were saved." in toasts_of(page)
    assert one(database, tables.tenants, id=world.north.id).default_voice_carrier_id == made.id
    edit = f"/carriers/{made.public_id}"
    form = form_of(portal.get(edit), edit)
    assert "You already have a carrier with this name for this service." in wrong(
        send(portal, form, name="NORTH voice"), "name"
    )
    assert wrong(send(portal, form, name=" "), "name") == "This is required."
    follow(portal, send(portal, form, "Save", name="Pier SIP"))
    delete = form_of(portal.get(f"{edit}/delete"), f"{edit}/delete")
    answer = send(portal, delete, "Delete")
    assert answer.status_code == 409
    assert "It is used by defaults." in text_of(answer)
    form = form_of(portal.get("/carriers"), "/carriers/defaults")
    follow(portal, send(portal, form, default_voice_carrier=""))
    assert "Pier SIP was deleted." in toasts_of(follow(portal, send(portal, delete, "Delete")))


def test_r7_carriers_of_other_levels_are_only_used(portal: Portal, clinic: Portal, database: sa.Engine) -> None:
    with database.connect() as connection:
        found = connection.execute(sa.select(tables.carriers.c.name, tables.carriers.c.public_id)).all()
    ids = {row.name: row.public_id for row in found}
    for name, status in (("Master Voice", 403), ("North voice", 200), ("South voice", 404)):
        assert portal.get(f"/carriers/{ids[name]}").status_code == status
        assert portal.get(f"/carriers/{ids[name]}/delete").status_code == status
        if status != 200:
            assert portal.post(f"/carriers/{ids[name]}", {"name": "Mine"}).status_code == status
            assert portal.post(f"/carriers/{ids[name]}/delete").status_code == status
    page = clinic.get("/carriers")
    assert "South voice" not in text_of(page)
    assert [form.action for form in forms_of(page)] == ["/carriers/defaults"]
    assert "You aren't allowed to do this." in text_of(clinic.post("/carriers", {"name": "Mine", "service": "voice"}))
    assert one(database, tables.carriers, name="Mine") is None
    form = form_of(page, "/carriers/defaults")
    assert set(form.options("default_voice_carrier")) == {"", "Master Voice", "North voice"}
    fields = {"default_voice_carrier": "South voice", "default_sms_carrier_profile": ""}
    answer = clinic.post("/carriers/defaults", fields)
    assert answer.status_code == 422
    assert "South voice" in wrong(answer, "default_voice_carrier")


# Tokens


def secret_of(answer: TestResponse) -> str:
    found = re.search(r'<code id="secret">(nyk_[\w-]+)</code>', answer.get_data(as_text=True))
    assert found, text_of(answer)
    return found[1]


def test_r4_a_token_is_shown_once_works_and_is_revoked(portal: Portal, world: World) -> None:
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    form = form_of(portal.get("/tokens"), "/tokens")
    everything = {"role": "admin", "scopes": form.options("scopes")}
    clinic = world.clinic.tenant.public_id
    answer = send(portal, form, "Create token", name=HOSTILE, tenant_id=clinic, expires_at=day, **everything)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    secret = secret_of(answer)
    api, headers = application().test_client(), {"Authorization": f"Bearer {secret}"}
    me = api.get("/v1/tenants/me", headers=headers)
    assert me.json["name"] == "Clinic Enterprise"
    page = portal.get("/tokens")
    assert secret not in page.get_data(as_text=True)
    assert HOSTILE not in page.get_data(as_text=True)
    assert day in text_of(page)
    token_id = next(
        token["id"] for token in api.get("/v1/tokens", headers=headers).json["data"] if token["name"] == HOSTILE
    )
    form = form_of(portal.get(f"/tokens/{token_id}/revoke"), f"/tokens/{token_id}/revoke")
    page = follow(portal, send(portal, form, "Revoke"))
    assert "was revoked" in toasts_of(page)
    assert api.get("/v1/tenants/me", headers=headers).status_code == 401
    assert not [form for form in forms_of(portal.get(f"/tokens/{token_id}/revoke")) if form.method == "post"]


def test_a_token_that_does_not_fit_is_refused_with_the_form_kept(
    portal: Portal, world: World, database: sa.Engine
) -> None:
    form = form_of(portal.get("/tokens"), "/tokens")
    chosen = next(control.value for control in form.controls if control.name == "tenant_id")
    assert chosen == world.north.tenant.public_id
    with database.connect() as connection:
        before = connection.execute(sa.select(sa.func.count()).select_from(tables.tokens)).scalar_one()
    assert wrong(send(portal, form, name=""), "name") == "This is required."
    assert "isn't a date" in wrong(send(portal, form, name="a", expires_at="tomorrow"), "expires_at")
    assert "future" in wrong(send(portal, form, name="a", expires_at="2020-01-01"), "expires_at")
    for other in (world.south, world.master):
        assert send(portal, form, name="a", tenant_id=other.tenant.public_id).status_code == 404
    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.tokens)).scalar_one() == before


def test_r3_tokens_elsewhere_are_not_there(portal: Portal, world: World, database: sa.Engine) -> None:
    assert not any(secret in text_of(portal.get("/tokens")) for secret in world.secrets_of_south)
    theirs = one(database, tables.tokens, tenant_id=world.school.id)
    path = f"/tokens/{theirs.public_id}/revoke"
    assert (portal.get(path).status_code, portal.post(path).status_code) == (404, 404)
    assert one(database, tables.tokens, tenant_id=world.school.id).revoked_at is None


@pytest.mark.parametrize(
    "path", ["/enterprises/new", "/users/new?kind=pbx", "/carriers", "/carriers/defaults", "/tokens"]
)
def test_forms_without_their_token_are_refused(portal: Portal, path: str) -> None:
    assert portal.post(path, {"name": "Mine"}, token="").status_code == 403
    assert portal.post(path, {"name": "Mine"}, headers={"Origin": "https://evil.example"}).status_code == 403
