"""Numbers by their last digits and by the kind of their user, which no index serves: bounded and complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.permissions import Actor
from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.html_forms import form_of, send
from tests.support.portal_client import Portal, signed_in, text_of
from worker.database.time_limit import TooLongError
from worker.numbers import bounded_search, filters, search
from worker.numbers.filters import NumberFilter

FIRST = 12125550100


@pytest.fixture
def stock(world: World, database: sa.Engine) -> dict[str, int]:
    """Eight numbers of north and its clinic end in 4567, one of each of three lengths; others look alike."""
    with database.begin() as connection:
        own = {"uploader_id": world.north.id}
        pbx = factories.user(connection, world.clinic.tenant)
        trunk = factories.user(connection, world.clinic.tenant, "trunk")
        for area in range(212, 218):
            holder = world.clinic.tenant if area % 2 else world.north.tenant
            factories.number(connection, int(f"1{area}5554567"), holder, **own)
        factories.number(connection, 442079464567, world.north.tenant, country="GB", sms=True)
        factories.number(connection, 491764567, world.clinic.tenant, **own, country="DE", voice_user_id=pbx)
        factories.number(connection, 12125550142, world.clinic.tenant, **own, sms=True, sms_user_id=trunk)
        factories.number(connection, 12125554568, world.north.tenant)
        factories.number(connection, 12135554567 + 10_000_000_00, world.south.tenant)
        factories.number(connection, 49142, world.north.tenant, country="DE")
    return {"pbx": pbx, "trunk": trunk}


def found(door: Door, query: str) -> list[int]:
    """All pages of a list."""
    numbers: list[int] = []
    cursor = ""
    while True:
        answer = door.get(f"/v1/numbers?{query}{cursor}").json
        numbers += [int(number["e164"]) for number in answer["data"]]
        if answer["next_cursor"] is None:
            return numbers
        cursor = f"&cursor={answer['next_cursor']}"


def test_r3_numbers_that_end_so_in_ones_own_tree_in_order(api: Door, stock: dict[str, int], world: World) -> None:
    del stock
    everything = [491764567, *(int(f"1{area}5554567") for area in range(212, 218)), 442079464567]
    assert found(api, "ends_with=4567") == everything
    assert found(api, "ends_with=4567&limit=3") == everything
    assert found(api, "ends_with=5554567&status=unassigned") == [12125554567, 12145554567, 12165554567]
    assert found(api, "ends_with=4567&country=GB") == found(api, "ends_with=4567&capability=sms") == [442079464567]
    assert found(api, "ends_with=4567&q=212") == [12125554567]
    clinic = f"tenant_id={world.clinic.tenant.public_id}"
    assert found(api, f"ends_with=4567&{clinic}") == [491764567, 12135554567, 12155554567, 12175554567]
    assert len(found(api.as_(world.master.token), "ends_with=4567")) == 9
    assert api.get("/v1/numbers?ends_with=4567&count=true&limit=2").json["total"] == 8


def test_leading_zeros_count_and_three_digits_are_too_few(api: Door, stock: dict[str, int]) -> None:
    del stock
    assert found(api, "ends_with=0142") == [12125550142]
    assert found(api, "ends_with=49142") == [49142]
    assert found(api, "ends_with=049142") == []
    for text in ("142", "014a", "", "1" * 16):
        assert api.get(f"/v1/numbers?ends_with={text}").status_code == 422


@pytest.mark.long
def test_numbers_by_the_kind_of_user(api: Door, stock: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    del stock
    for most in (filters.MOST_USERS, 0):  # by the users' ids, and by a scan
        monkeypatch.setattr(filters, "MOST_USERS", most)
        assert found(api, "user_kind=pbx") == [491764567]
        assert found(api, "user_kind=trunk&capability=sms") == [12125550142]
        assert found(api, "user_kind=trunk&status=unassigned") == []


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every range wider than ten million numbers takes too long, and the time for a page is up after one range."""
    widths: list[int] = []

    @contextmanager
    def limit(_connection: sa.Connection, _seconds: float) -> Iterator[None]:
        if widths and widths[-1] > 10**7:
            raise TooLongError
        yield

    part = bounded_search._part  # noqa: SLF001

    def measured(connection: sa.Connection, left: Any, width: int | None) -> Any:  # noqa: ANN401
        widths.append(10**16 if width is None else width)
        return part(connection, left, width)

    monkeypatch.setattr(bounded_search, "time_limit", limit)
    monkeypatch.setattr(bounded_search, "_part", measured)
    monkeypatch.setattr(bounded_search, "PAGE_SECONDS", 0)
    return widths


@pytest.mark.long
def test_a_search_that_takes_too_long_goes_on_page_by_page(api: Door, stock: dict[str, int], slow: list[int]) -> None:
    """Short pages, some of them empty, and all together every match once."""
    del stock
    everything = [491764567, *(int(f"1{area}5554567") for area in range(212, 218)), 442079464567]
    assert found(api, "ends_with=4567") == everything
    assert max(slow[1:]) >= 10**6
    page = api.get("/v1/numbers?ends_with=4567&limit=50").json
    assert len(page["data"]) < 8
    assert page["next_cursor"] is not None


@pytest.mark.long
def test_r3_where_a_search_stops_tells_nothing_about_others(
    database: sa.Engine, world: World, stock: dict[str, int], slow: list[int]
) -> None:
    del stock, slow
    wanted = NumberFilter(ends_with="9999")

    def stops() -> list[int | None]:
        with database.begin() as connection:
            resolved = filters.resolve(connection, Actor(world.clinic.tenant, "a"), wanted)
            return [bounded_search.page(connection, resolved, 50).examined_to for _ in range(2)]

    before = stops()
    with database.begin() as connection:
        rows = [factories.number_row(491764568 + step, world.south.tenant, country="DE") for step in range(50)]
        factories.numbers(connection, rows)
    assert stops() == before


@pytest.mark.long
def test_a_count_or_a_selection_that_takes_too_long_is_refused(
    api: Door, stock: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a real statement that the database cancels; nothing is changed, and the message says what to do."""
    del stock

    def endless(query: Any) -> Any:  # noqa: ANN401 - makes a query of one
        return lambda *given, **more: query(*given, **more).where(sa.func.pg_sleep(60).is_not(None))

    monkeypatch.setattr(bounded_search, "COUNT_SECONDS", 0.05)
    for name in ("some", "matching"):
        monkeypatch.setattr(search, name, endless(getattr(search, name)))
    refused = api.get("/v1/numbers?ends_with=4567&count=true&limit=2")
    assert (refused.status_code, refused.json["code"]) == (422, "SEARCH_TOO_BROAD")
    assert "Narrow the search" in refused.json["fix"]
    refused = api.post("/v1/deletions", {"filter": {"ends_with": "4567"}, "expected_count": 8})
    assert (refused.status_code, refused.json["code"]) == (422, "SEARCH_TOO_BROAD")


@pytest.mark.long
def test_an_action_on_all_that_end_so(api: Door, stock: dict[str, int]) -> None:
    del stock
    body = {"filter": {"ends_with": "4567", "status": "unassigned"}, "expected_count": 4}
    job = api.post("/v1/deletions", body).json
    api.work_off()
    assert api.get(f"/v1/jobs/{job['id']}").json["counts"]["deleted"] == 4
    assert len(found(api, "ends_with=4567")) == 4


@pytest.fixture
def north(world: World, database: sa.Engine, stock: dict[str, int]) -> Portal:
    del stock
    return signed_in(database, world.north.tenant)


@pytest.mark.long
@pytest.mark.parametrize("typed", ["*4567", "... 45-67", "…4567"])
def test_the_end_of_a_number_in_the_search_field(north: Portal, typed: str) -> None:
    form = form_of(north.get("/numbers"), "/numbers", "get")
    answer = send(north, form, "Search", q=typed)
    assert (answer.status_code, answer.location) == (303, "/numbers?ends_with=4567")
    page = text_of(north.get(answer.location))
    assert "Last digits: 4567" in page
    assert "8 numbers match" in page


@pytest.mark.long
def test_typed_digits_mean_the_start_and_the_page_offers_the_end(north: Portal) -> None:
    page = north.get("/numbers?q=4567&status=unassigned")
    assert "No matching numbers" in text_of(page)
    assert 'href="/numbers?status=unassigned&amp;ends_with=4567">Numbers ending in 4567</a>' in page.get_data(
        as_text=True
    )
    assert "Numbers ending in" not in text_of(north.get("/numbers?q=456"))
    assert "Enter at least the last four digits." in text_of(north.get("/numbers?q=*45"))


@pytest.mark.long
def test_the_portal_says_that_a_search_is_not_at_its_end(
    north: Portal, slow: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    del slow

    @contextmanager
    def never(*_: object) -> Iterator[None]:
        yield
        raise TooLongError

    monkeypatch.setattr("webhook.services.numbers.time_limit", never)
    page = north.get("/numbers?ends_with=9999")
    assert "No match so far" in text_of(page)
    for _ in range(40):
        if "No match so far" not in text_of(page):
            break
        link = page.get_data(as_text=True).partition(">Keep searching<")[0].rpartition('href="')[2].partition('"')[0]
        page = north.get(link.replace("&amp;", "&"))
    assert "No more numbers" in text_of(page)
    short = text_of(north.get("/numbers?ends_with=4567&country=GB"))
    assert "There may be more: add a filter to search fewer numbers." in short
