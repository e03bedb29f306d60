"""Of more than 50 options the form has a search with suggestions, which works without scripts too (R3, R7)."""

from __future__ import annotations

import io
import re

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.permissions import TenantKind
from tests.support import factories
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.html_forms import form_of, send
from tests.support.portal_client import Portal, signed_in, text_of
from webhook.portal.shared import select_fields

MANY = 51
FILE = sheets.csv_bytes(sheets.rows(2))


def suggested(browser: Portal, what: str, text: str) -> list[str]:
    markup = browser.get(f"/choices/{what}?typed={text}").get_data(as_text=True)
    return re.findall(r'<option value="([^"]*)"></option>', markup)


@pytest.fixture
def many(world: World, database: sa.Engine) -> World:
    """More than 50 carriers and enterprises of north, and one carrier and enterprise of south."""
    with database.begin() as connection:
        for step in range(MANY):
            factories.carrier(connection, world.north.tenant, "voice", f"Voice Line {step:02}")
            factories.tenant(connection, world.north.tenant, TenantKind.ENTERPRISE, name=f"Branch {step:02}")
        factories.carrier(connection, world.south.tenant, "voice", "Voice Line of South")
    return world


@pytest.mark.usefixtures("many")
def test_more_than_fifty_are_searched(portal: Portal) -> None:
    assert select_fields.MOST == 50
    form = form_of(portal.get("/uploads/new"), "/uploads")
    assert {"voice_carrier", "assign_to_name"} <= form.names()
    assert "assign_to" not in form.names()
    assert form.options("voice_carrier") == [""]  # a text
    assert form.options("sms_carrier_profile")[0] == ""  # few: a drop-down
    markup = portal.get("/uploads/new").get_data(as_text=True)
    assert 'placeholder="Default (Master Voice)"' in markup
    assert 'hx-get="/choices/voice"' in markup
    assert '<datalist id="l-voice_carrier">' in markup
    defaults = portal.get("/carriers").get_data(as_text=True)
    assert re.search(r'<input id="f-default_voice_carrier"[^>]* list="l-default_voice_carrier"', defaults)
    listed = form_of(portal.get("/numbers?q=1"), "/numbers", "get")
    assert {"tenant", "carrier", "country"} <= listed.names()
    assert "tenant_id" not in listed.names()


def test_suggestions_are_of_what_one_may_use(portal: Portal, many: World, database: sa.Engine) -> None:
    assert suggested(portal, "voice", "line 07") == ["Voice Line 07"]
    assert suggested(portal, "sms", "line 07") == []
    assert suggested(portal, "voice", "of south") == suggested(portal, "carriers", "of south") == []
    assert len(suggested(portal, "voice", "voice line")) == select_fields.MOST_FOUND
    assert suggested(portal, "voice", "") == []
    south = signed_in(database, many.south.tenant)
    assert suggested(south, "voice", "line 07") == []
    assert suggested(south, "carriers", "of south") == ["Voice Line of South"]
    assert suggested(south, "countries", "united") == []


def test_an_upload_goes_to_a_company_by_its_typed_name(portal: Portal, many: World, database: sa.Engine) -> None:
    def upload(**fields: str) -> TestResponse:
        return portal.post("/uploads", {**fields, "file": (io.BytesIO(FILE), "a.csv")})

    done = upload(assign_to_name="branch 07", voice_carrier="Voice Line 03")
    assert done.status_code == 303
    portal.work_off()
    said = text_of(portal.get(done.location))
    assert "Branch 07: 2 will be created" in said
    assert "Voice Carrier Voice Line 03: 2 numbers" in said
    several = upload(assign_to_name="Branch 0", sheet="kept")
    assert several.status_code == 422
    assert "10 matches for “Branch 0”. Pick one." in text_of(several)
    form = form_of(several, "/uploads")
    assert len(form.options("assign_to")) == 11
    none = upload(assign_to_name="School Enterprise")  # of another reseller
    assert none.status_code == 422
    assert "No enterprise or reseller “School Enterprise”." in text_of(none)
    refused = portal.post(
        "/uploads",
        {"assign_to_name": "Branch 0", "file": (io.BytesIO(FILE), "a.csv")},
        headers={"Accept": "application/json"},
    )
    assert [error["field"] for error in refused.json["errors"]] == ["assign_to_name"]
    del many, database


def test_a_part_of_a_carrier_s_name_leads_to_those_that_contain_it(portal: Portal, many: World) -> None:
    form = form_of(portal.get("/carriers"), "/carriers/defaults")
    answer = send(portal, form, "Save defaults", default_voice_carrier="line 0")
    assert answer.status_code == 422
    again = form_of(answer, "/carriers/defaults")
    assert again.options("default_voice_carrier") == ["", *(f"Voice Line {step:02}" for step in range(10))]
    done = send(portal, again, "Save defaults", default_voice_carrier="Voice Line 04")
    assert done.status_code == 303
    assert 'value="Voice Line 04"' in portal.get("/carriers").get_data(as_text=True)
    del many


def test_countries_are_searched_by_name(
    portal: Portal, world: World, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.begin() as connection:
        factories.number(connection, 12125550100, world.north.tenant)
        factories.number(connection, 442079460018, world.north.tenant, country="GB")
    monkeypatch.setattr(select_fields, "MOST", 1)
    form = form_of(portal.get("/numbers"), "/numbers", "get")
    found = send(portal, form, "Search", country_name="united k")
    assert found.location == "/numbers?country=GB"
    page = portal.get(found.location)
    assert ("country_name", "United Kingdom") in form_of(page, "/numbers", "get").pairs("", {})
    assert suggested(portal, "countries", "united") == ["United Kingdom", "United States"]
    wrong = portal.get("/numbers?country_name=Atlantis")
    assert wrong.status_code == 422
    assert "No country “Atlantis”. Pick one from the list." in text_of(wrong)
