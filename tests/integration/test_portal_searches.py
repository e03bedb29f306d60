"""Presets with their counts, and the saved searches of a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support import factories
from tests.support.factories import World
from tests.support.html_forms import follow, form_of, send
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of
from webhook.portal.numbers import searches as presets
from worker.accounts import saved_searches
from worker.database.time_limit import TooLongError

FIRST = 12125550100


@pytest.fixture
def stock(world: World, database: sa.Engine) -> None:
    """Six numbers of north and its clinic, in every state that a preset names, and one of another reseller."""
    with database.begin() as connection:
        pbx = factories.user(connection, world.clinic.tenant)
        trunk = factories.user(connection, world.clinic.tenant, "trunk")
        own = {"uploader_id": world.north.id}
        factories.number(connection, FIRST, world.north.tenant, sms=True)
        factories.number(connection, FIRST + 1, world.north.tenant)
        factories.number(connection, FIRST + 2, world.clinic.tenant, **own, voice_user_id=pbx, sms=True)
        factories.number(connection, FIRST + 3, world.clinic.tenant, **own, sms=True, sms_user_id=trunk)
        factories.number(connection, FIRST + 4, world.clinic.tenant, uploader_id=world.master.id)
        factories.number(connection, FIRST + 99, world.south.tenant)


@pytest.fixture
def north(stock: None, portal: Portal) -> Portal:
    del stock
    return portal


def chips_of(browser: Portal, address: str = "/numbers") -> dict[str, tuple[str, str]]:
    """The presets and saved searches of a page: (address, count) by name."""
    page = browser.get(address).get_data(as_text=True)
    nav = page.partition('class="presets"')[2].partition("</nav>")[0]
    found = re.findall(r'<a[^>]*href="([^"]*)"[^>]*>(.*?)</a>', nav, re.DOTALL)
    chips = {}
    for href, inner in found:
        count = re.search(r'class="count">([^<]*)<', inner)
        name = unescape(re.sub(r"<span.*?</span>|<[^>]*>", "", inner)).strip()
        chips[name] = (unescape(href), count[1] if count else "")
    return chips


@pytest.mark.long
def test_presets_lead_to_as_many_numbers_as_they_say(north: Portal, world: World, database: sa.Engine) -> None:
    for browser, expected in (
        (north, ["2", "2", "1", "1", "1", "4"]),
        (signed_in(database, world.clinic.tenant), ["0", "2", "1", "1", "1", "0"]),
    ):
        chips = chips_of(browser)
        assert [count for _, count in chips.values()] == expected
        for address, count in chips.values():
            answer = browser.get(address)
            expected_text = "No matching numbers" if count == "0" else f"{count} number"
            assert expected_text in text_of(answer), address
            assert 'class="presets"' in answer.get_data(as_text=True)


@pytest.mark.long
def test_a_count_has_a_bound_and_is_left_out_if_it_takes_long(north: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "COUNTED", 1)
    assert [count for _, count in chips_of(north).values()] == ["1+", "1+", "1", "1", "1", "1+"]

    @contextmanager
    def never(*_: object) -> Iterator[None]:
        yield
        raise TooLongError

    monkeypatch.setattr("webhook.services.numbers.time_limit", never)
    assert [count for _, count in chips_of(north).values()] == [""] * 6


def save(browser: Portal, address: str, name: str) -> Portal:
    form = form_of(browser.get(address), "/numbers/searches")
    answer = send(browser, form, "Save", name=name)
    assert answer.status_code == 303, text_of(answer)[200:]
    return browser


def test_save_rename_and_delete_a_search(north: Portal, world: World, database: sa.Engine) -> None:
    save(north, "/numbers?country=US&capability=sms", "  US with <SMS>  ")
    assert "“US with <SMS>” was saved." in toasts_of(north.get("/numbers"))
    address, _ = chips_of(north)["US with <SMS>"]
    assert set(address.partition("?")[2].split("&")) == {"country=US", "capability=sms"}
    assert "3 numbers match" in text_of(north.get(address))
    assert "US with <SMS>" not in chips_of(signed_in(database, world.north.tenant, "other@north.example"))
    page = north.get("/numbers/searches")
    assert "Capability: SMS, Country: United States" in text_of(page)
    edit = re.search(r'href="(/numbers/searches/[^"]+)"', page.get_data(as_text=True))[1]
    renamed = follow(north, send(north, form_of(north.get(edit), edit), "Save", name="Texting"))
    assert "Texting" in text_of(renamed)
    assert "Texting" in chips_of(north)
    other = signed_in(database, world.north.tenant, "other@north.example")
    assert other.get(edit).status_code == 404
    assert other.post(f"{edit}/delete").status_code == 404
    deleted = follow(north, send(north, form_of(renamed, f"{edit}/delete"), "Delete"))
    assert "No saved searches yet" in text_of(deleted)


@pytest.mark.long
def test_what_cannot_be_saved(north: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    save(north, "/numbers?country=US", "Mine")
    path = "/numbers/searches?country=US"
    for name, message, status in (
        ("", "This is required.", 422),
        ("x" * 61, "a name has at most 60 characters", 422),
        ("a\x07b", "printable characters", 422),
        ("MINE", "You have a saved search with this name.", 422),
    ):
        answer = north.post(path, {"name": name})
        assert (answer.status_code, message.lower() in text_of(answer).lower()) == (status, True), text_of(answer)
    assert "There is no filter to save." in text_of(north.post("/numbers/searches", {"name": "Empty"}))
    assert north.post("/numbers/searches?status=lost", {"name": "Wrong"}).status_code == 422
    monkeypatch.setattr(saved_searches, "MOST", 1)
    assert "You have 1 saved searches, which is the limit." in text_of(north.post(path, {"name": "More"}))


@pytest.mark.long
def test_a_search_whose_filter_is_outdated_says_so(north: Portal, world: World, database: sa.Engine) -> None:
    save(north, f"/numbers?tenant_id={world.clinic.tenant.public_id}", "Clinic")
    save(north, "/numbers?status=assigned", "Old")
    with database.begin() as connection:
        change = tables.saved_searches.update().where(tables.saved_searches.c.name == "Old")
        connection.execute(change.values(filter={"colour": "red", "_external": "1"}))
        change = tables.saved_searches.update().where(tables.saved_searches.c.name == "Clinic")
        connection.execute(change.values(filter={"tenant_id": world.school.tenant.public_id}))
    assert chips_of(north)["Old"][0] == "/numbers/searches"
    page = text_of(north.get("/numbers/searches"))
    assert "Old Can't be used" in page
    assert "Assigned to: unknown" in page
    assert "No matching numbers" in text_of(north.get(chips_of(north)["Clinic"][0]))
