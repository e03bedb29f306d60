"""A list of numbers is pasted, read by R14c, shown with what was not found, and acted on; without JavaScript."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database import tables
from tests.support import factories
from tests.support.factories import World
from tests.support.html_forms import follow, form_of, send
from tests.support.portal_client import Portal, signed_in, text_of
from webhook.portal.numbers import pasted
from worker.accounts import pasted_lists
from worker.numbers import tree_countries

FIRST = 12125550100
HOSTILE = "<script>alert('5')</script>"


@pytest.fixture
def stock(world: World, database: sa.Engine) -> None:
    """Twelve numbers of north, one of its clinic, one of London, and one of another reseller."""
    with database.begin() as connection:
        for step in range(12):
            factories.number(connection, FIRST + step, world.north.tenant)
        factories.number(connection, FIRST + 20, world.clinic.tenant, uploader_id=world.north.id)
        factories.number(connection, 442079460018, world.north.tenant, country="GB")
        factories.number(connection, FIRST + 99, world.south.tenant)
        tree_countries.note(connection, [(world.north.id, 1), (world.north.id, 44), (world.north.id, 49)])


@pytest.fixture
def north(world: World, database: sa.Engine, stock: None, portal: Portal) -> Portal:
    del stock, world, database
    return portal


def paste(browser: Portal, text: str, **fields: str) -> TestResponse:
    """The page that a pasted text leads to."""
    form = form_of(browser.get("/numbers/paste"), "/numbers/paste")
    return follow(browser, send(browser, form, "Find numbers", text=text, **fields))


def test_r14c_found_and_not_found_are_shown_as_pasted(north: Portal) -> None:
    lines = ["+1 212 555 0100", "(212) 555-0101", "+12125550199", "+442079460018", "please ask Bob 5", HOSTILE]
    answer = paste(north, "\r\n".join(lines))
    page = text_of(answer)
    assert "2 numbers found" in page
    assert "4 not found" in page
    assert set(form_of(answer, "/numbers/selection").options("numbers")) == {f"+{FIRST}", "+442079460018"}
    assert "“(212) 555-0101” can be read as +1 212-555-0101 or as +49 212 5550101." in page
    assert "or choose the country below." in page
    assert "+12125550199" in page  # another reseller's: as if it did not exist
    assert HOSTILE not in answer.get_data(as_text=True)
    assert HOSTILE in page
    assert "+1 212" not in answer.request.full_path


@pytest.mark.long
def test_with_a_country_what_was_ambiguous_is_found_and_the_rest_is_kept(north: Portal) -> None:
    answer = paste(north, "+12125550100\n(212) 555-0101\n(212) 555-0102")
    assert "1 number found" in text_of(answer)
    again = form_of(answer, "/numbers/paste")
    assert {"text", "country_code", "add_to"} <= again.names()
    answer = follow(north, send(north, again, "Search again", country_code="US"))
    assert "3 numbers found" in text_of(answer)
    assert "not found" not in text_of(answer)


@pytest.mark.long
def test_actions_on_the_ticked_ones_and_on_the_whole_list(north: Portal, database: sa.Engine) -> None:
    answer = paste(north, "\n".join(f"+{FIRST + step}" for step in range(12)))
    form = form_of(answer, "/numbers/selection")
    ask = follow(north, send(north, form, "Delete", numbers=[f"+{FIRST}", f"+{FIRST + 1}"]))
    done = follow(north, send(north, form_of(ask, "/numbers/delete"), "Delete 2 numbers"))
    north.work_off()
    assert "10 on this page" not in text_of(done)
    page = north.get(done.request.path + "?all=1")
    assert "All 12 numbers of the list are selected." in text_of(page)
    link = page.get_data(as_text=True).partition(">Delete 12 numbers<")[0].rpartition('href="')[2].partition('"')[0]
    ask = north.get(link.replace("&amp;", "&"))
    assert "list=" in ask.request.full_path
    assert str(FIRST) not in ask.request.full_path
    send(north, form_of(ask, "/numbers/delete"), "Delete 12 numbers")
    north.work_off()
    with database.begin() as connection:
        left = connection.execute(sa.select(tables.phone_numbers.c.e164)).scalars().all()
        totals = connection.execute(sa.select(tables.jobs.c.rows_total).order_by(tables.jobs.c.id)).scalars().all()
    assert sorted(left) == [FIRST + 20, FIRST + 99, 442079460018]
    assert totals == [2, 12]
    assert "No more numbers" in text_of(north.get(done.request.path))


@pytest.mark.long
def test_a_list_is_of_its_session_alone_and_has_bounds(
    north: Portal, world: World, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = paste(north, f"+{FIRST}").request.path
    other = signed_in(database, world.north.tenant, "other@north.example")
    answer = other.get(address)
    assert answer.status_code == 422
    assert "This list isn't available any more." in text_of(answer)
    assert other.get(f"/numbers/delete?list={address.rpartition('/')[2]}").status_code == 404
    monkeypatch.setattr(pasted_lists, "MOST_LISTS", 2)
    for _ in range(3):
        paste(north, f"+{FIRST}")
    assert "isn't available any more" in text_of(north.get(address))
    with database.begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.pasted_lists)).scalar_one() == 2
        connection.execute(tables.sessions.delete())
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.pasted_lists)).scalar_one() == 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Paste at least one number."),
        ("hello", "There is no number in this text."),
        ("\n".join(f"+{FIRST + step}" for step in range(10_001)), "You pasted 10,001 numbers; the limit is 10,000."),
    ],
    ids=["nothing", "no number", "too many"],
)
def test_texts_that_are_refused_stay_in_the_form(north: Portal, text: str, message: str) -> None:
    form = form_of(north.get("/numbers/paste"), "/numbers/paste")
    answer = send(north, form, "Find numbers", text=text)
    assert answer.status_code == 422
    assert message in text_of(answer)
    assert text[:20] in answer.get_data(as_text=True)
    assert north.post("/numbers/paste", {"text": "1" * (1 << 20)}).status_code == 413
    assert north.post("/numbers/paste", {"text": "1", "country_code": "Narnia"}).status_code == 422
    assert north.post("/numbers/paste", {"text": "+1", "add_to": "nonsense"}).status_code == 404


@pytest.mark.long
def test_a_long_list_has_pages(north: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pasted, "PAGE", 5)
    answer = paste(north, "\n".join(f"+{FIRST + step}" for step in range(12)))
    assert len(form_of(answer, "/numbers/selection").options("numbers")) == 5
    assert f"?cursor={FIRST + 4}" in answer.get_data(as_text=True)
    last = north.get(f"{answer.request.path}?cursor={FIRST + 9}")
    assert form_of(last, "/numbers/selection").options("numbers") == [f"+{FIRST + 10}", f"+{FIRST + 11}"]
    assert "First page" in text_of(last)
