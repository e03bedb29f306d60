"""Overview: figures of the own tree, each a link to the list that it counts; the cost does not grow (R3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from schemas.database.tables import jobs, phone_numbers
from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.portal_client import Portal, signed_in, text_of
from webhook.services import overview
from worker.database.engine import engine

FIRST = 12125550000
BAD = ["1", "ask Bob", "TRUE", "", ""]
FAR = "+442079460018"
LINK = re.compile(r'<a href="(/(?:numbers|jobs)\?[^"]*)"[^>]*>(?:<title>[^<]*</title>)?([^<]*)</a>')


@pytest.fixture
def stocked(api: Door, world: World) -> Door:
    """North has 20 numbers in the US and one in Britain; three of the former are the clinic's. Two rows have failed."""
    far = ["44", FAR, "TRUE", "TRUE", ""]
    api.upload(sheets.csv_bytes([*sheets.rows(20), far, BAD, BAD]), "März <b>.csv")
    numbers = [number["e164"] for number in api.get("/v1/numbers?country=US").json["data"]]
    api.act("assignments", {"numbers": numbers[:3], "tenant_id": world.clinic.tenant.public_id})
    return api


def test_the_overview_is_first(portal: Portal) -> None:
    assert portal.get("/").headers["Location"] == "/overview"
    assert re.search(r'<nav class="tabs".*?<a href="(/\w+)"', portal.get("/overview").text, re.DOTALL)[1] == "/overview"


@pytest.mark.usefixtures("stocked")
def test_every_figure_is_a_link_to_the_list_that_has_so_many(portal: Portal) -> None:
    page = portal.get("/overview").text
    links = {unescape(href): text for href, text in LINK.findall(page)}
    assert len(links) > 12
    figures = {href: text for href, text in links.items() if text.replace(",", "").isdigit()}
    assert figures["/numbers?status=assigned&country=%2B1"] == "3"
    assert figures["/numbers?status=unassigned&country=%2B44"] == "1"
    for href, text in figures.items():
        found = text_of(portal.get(href))
        assert f"{text} number{'' if text == '1' else 's'} match" in found, href
    for href in links:
        assert portal.get(href).status_code == 200, href


@pytest.mark.long
@pytest.mark.usefixtures("stocked")
def test_imports_and_causes_lead_to_activity(portal: Portal) -> None:
    page = portal.get("/overview")
    assert "21 rows created, 2 failed" in text_of(page)
    causes = [unescape(href) for href, _ in LINK.findall(page.text) if "code=" in href]
    assert causes
    assert all("März <b>.csv" in text_of(portal.get(href)) for href in causes)
    today = datetime.now(UTC).date().isoformat()
    assert f"/jobs?kind=upload&amp;from={today}&amp;to={today}" in page.text


@pytest.mark.long
@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize(
    ("looker", "figures"), [("master", "21 18 3"), ("north", "21 18 3"), ("clinic", "3 0 3"), ("south", "")]
)
def test_r3_everyone_sees_the_own_tree(database: sa.Engine, world: World, looker: str, figures: str) -> None:
    page = signed_in(database, getattr(world, looker).tenant).get("/overview")
    assert " ".join(re.findall(r"<strong>([\d,]+)</strong>", page.text)) == figures
    text = text_of(page)
    assert ("Clinic Enterprise" in text.partition("By holder")[2]) == (looker in {"master", "north"})
    assert ("Why rows failed" in text) == (looker in {"master", "north"})
    if looker == "south":
        assert "No phone numbers yet" in text
    for secret in () if looker in {"master", "south"} else world.secrets_of_south:
        assert secret not in page.text


def test_an_empty_inventory_says_what_to_do(portal: Portal, database: sa.Engine, world: World) -> None:
    page = portal.get("/overview")
    assert "Upload your first file" in text_of(page)
    assert 'href="/uploads/new"' in page.text
    refused = signed_in(database, world.hotel.tenant).get("/overview")
    assert "Ask your reseller to assign numbers" in text_of(refused)
    assert 'href="/uploads/new"' not in refused.text


@pytest.mark.long
def test_only_the_latest_uploads_are_counted(
    portal: Portal, database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = {"results": [["created", "CREATED", 5, 2]], "rows_with_warnings": 0}
    now = datetime.now(UTC)
    with database.begin() as connection:
        for days in (0, 0, 1, 40):
            job = factories.job(connection, world.north.tenant)
            values = {"status": "completed", "tally": tally, "created_at": now - timedelta(days=days)}
            connection.execute(jobs.update().where(jobs.c.public_id == job).values(values))
    assert "15 rows created, 0 failed" in text_of(portal.get("/overview"))
    monkeypatch.setattr(overview, "MOST_UPLOADS", 2)
    page = text_of(portal.get("/overview"))
    assert "10 rows created" in page
    assert "Only the latest 2 uploads are counted" in page


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the block asks the database."""
    asked: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        asked.append(statement)

    sa.event.listen(engine(), "before_cursor_execute", note)
    yield asked
    sa.event.remove(engine(), "before_cursor_execute", note)


@pytest.mark.long
@pytest.mark.usefixtures("stocked")
def test_the_page_reads_no_numbers(portal: Portal) -> None:
    """So its cost is the same for an inventory of any size."""
    portal.get("/overview")
    with statements() as asked:
        assert portal.get("/overview").status_code == 200
    assert asked
    assert not [statement for statement in asked if phone_numbers.name in statement]
