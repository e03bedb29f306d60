"""Phone Numbers in the portal: the list, its filters, what is chosen of it, and the page of one number."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support import factories
from tests.support.factories import World
from tests.support.html_forms import follow, form_of, forms_of, send
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of
from webhook.portal.numbers import number_list
from webhook.portal.shared import select_fields

FIRST = 12125550100
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def stock(world: World, database: sa.Engine) -> dict[str, int]:
    """Numbers of north: 60 free ones, two at the clinic (a user has the second), one of London, one of the master."""
    with database.begin() as connection:
        for step in range(60):
            columns = {"voice_carrier_id": world.carriers["North voice"]} if step < 3 else {}
            factories.number(connection, FIRST + step, world.north.tenant, sms=step < 5, **columns)
        user = factories.user(connection, world.clinic.tenant, name="Ada Lind", email="ada@clinic.example")
        own = {"uploader_id": world.north.id}
        factories.number(connection, FIRST + 60, world.clinic.tenant, **own)
        factories.number(connection, FIRST + 61, world.clinic.tenant, **own, voice_user_id=user)
        factories.number(connection, 442079460018, world.north.tenant, fax=True, country="GB")
        factories.number(connection, FIRST + 99, world.master.tenant)
    return {"user": user}


@pytest.fixture
def north(world: World, database: sa.Engine, stock: dict[str, int]) -> Portal:
    del stock
    return signed_in(database, world.north.tenant)


def listed(browser: Portal, address: str) -> set[str]:
    """The numbers that a page of the list offers to tick."""
    answer = browser.get(address, follow_redirects=True)
    assert answer.status_code == 200, text_of(answer)
    found = [form for form in forms_of(answer) if form.action == "/numbers/selection"]
    return {value for form in found for value in form.options("numbers")}


def test_r3_the_list_has_what_the_admin_sees(north: Portal) -> None:
    page = text_of(north.get("/numbers"))
    assert "63 numbers, 50 on this page" in page
    assert "+1 212-555-0100" in page
    assert "+1, 2 1 2, 5 5 5, 0 1 0 0" in page  # for who listens
    seen = listed(north, "/numbers?limit=200")
    assert len(seen) == 63
    assert f"+{FIRST + 99}" not in seen


def test_pages_go_on_where_the_last_one_ended(north: Portal) -> None:
    first = north.get("/numbers").get_data(as_text=True)
    cursor = f"/numbers?cursor={FIRST + 49}"
    assert f'href="{cursor}"' in first
    assert len(listed(north, cursor)) == 13
    assert "First page" in text_of(north.get(cursor))
    assert "No more numbers" in text_of(north.get("/numbers?cursor=999999999999"))


FILTERS = (
    ("q=%2B1+(212)+555-01", 62),
    ("q=44", 1),
    ("status=unassigned", 61),
    ("status=assigned", 2),
    ("capability=sms", 5),
    ("capability=fax", 1),
    ("country=GB", 1),
    ("country=US&capability=sms&q=12125550104", 1),
    ("carrier=North+voice", 3),
    ("tenant=Clinic+Enterprise", 2),
    ("uploader=Northern", 63),
    ("user=Ada", 1),
    ("q=999", 0),
)


@pytest.mark.long
def test_filters(north: Portal) -> None:
    found = {query: len(listed(north, f"/numbers?limit=200&{query}")) for query, _ in FILTERS}
    assert found == dict(FILTERS)


def test_the_address_of_a_filtered_list_can_be_passed_on(north: Portal, world: World) -> None:
    """What was left empty is not in it, what was typed has become an id; opened again it shows the same form."""
    form = form_of(north.get("/numbers"), "/numbers", "get")
    assert {"q", "status", "capability", "country", "carrier", "tenant_id", "user_id", "uploaded_by"} <= form.names()
    clinic = world.clinic.tenant.public_id
    answer = send(north, form, "Search", q=" +1 212 ", status="assigned", tenant_id=clinic)
    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer.location).query) == {"q": ["+1 212"], "status": ["assigned"], "tenant_id": [clinic]}
    page = north.get(answer.location)
    assert form_of(page, "/numbers", "get").pairs("", {})[:2] == [("q", "+1 212"), ("status", "assigned")]
    text = text_of(page)
    assert all(chip in text for chip in ("Search: +1 212", "Status: Assigned", "Assigned to: Clinic Enterprise"))
    assert f'href="/numbers?q=%2B1+212&amp;tenant_id={clinic}"' in page.get_data(as_text=True)  # without the status


def test_the_cursor_and_the_size_of_pages_are_kept_where_they_fit(north: Portal) -> None:
    page = north.get("/numbers?limit=100&q=1212")
    assert form_of(page, "/numbers", "get").options("limit") == ["100"]
    assert "cursor" not in form_of(page, "/numbers", "get").names()


MEANINGLESS = (
    ("status=lost", "Status"),
    ("country=Narnia", "Country"),
    ("limit=9999", "limit"),
    ("tenant=Nowhere", "No enterprise or reseller “Nowhere”. Pick one from the list."),
    ("user=Nobody", "No user “Nobody”. Pick one from the list."),
    ("tenant=enterprise", "2 matches for “enterprise”. Pick one."),
)


def test_a_filter_that_means_nothing_is_told_beside_it(north: Portal) -> None:
    for query, words in MEANINGLESS:
        answer = north.get(f"/numbers?q=1212&{query}")
        assert answer.status_code == 422, query
        assert words in text_of(answer)
        assert ("q", "1212") in form_of(answer, "/numbers", "get").pairs("", {})


def test_of_several_that_are_meant_one_is_chosen(north: Portal, world: World) -> None:
    form = form_of(north.get("/numbers?tenant=enterprise"), "/numbers", "get")
    assert set(form.options("tenant_id")) == {"", world.clinic.tenant.public_id, world.hotel.tenant.public_id}


def test_hundreds_of_tenants_are_searched(
    north: Portal, world: World, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3: and the suggestions are of one's own."""
    monkeypatch.setattr(select_fields, "MOST", 1)
    form = form_of(north.get("/numbers"), "/numbers", "get")
    assert "tenant" in form.names()
    assert "tenant_id" not in form.names()
    answer = send(north, form, "Search", tenant="clinic")
    page = follow(north, answer)
    assert ("tenant", "Clinic Enterprise") in form_of(page, "/numbers", "get").pairs("", {})
    assert north.get("/choices/tenants?tenant=hot").get_data(as_text=True).split("\n")[0] == (
        '<option value="Hotel Enterprise"></option>'
    )
    assert north.get("/choices/tenants?tenant=school").get_data(as_text=True).strip() == ""
    assert "ada@clinic.example" in north.get("/choices/users?user=ad").get_data(as_text=True)
    assert signed_in(database, world.south.tenant).get("/choices/users?user=ad").get_data(as_text=True).strip() == ""


def test_r3_a_filter_by_somebody_elses_tenant_finds_nothing_and_tells_nothing(north: Portal, world: World) -> None:
    answer = north.get(f"/numbers?tenant_id={world.school.tenant.public_id}")
    absent = north.get("/numbers?tenant_id=00000000-0000-4000-8000-000000000000")
    assert "Assigned to: unknown" in text_of(answer)
    assert text_of(answer) == text_of(absent)
    assert not any(secret in answer.get_data(as_text=True) for secret in (world.school.tenant.name,))


def test_what_cannot_be_done_with_a_number_says_why(north: Portal) -> None:
    """R19, R24, R25: in the words of the catalogue, in the row's menu and on the number's page."""
    page = north.get(f"/numbers/+{FIRST + 61}")
    text = text_of(page)
    assert "Delete The number is assigned to a customer or a user. Unassign it first." in text
    assert "/numbers/delete" not in page.get_data(as_text=True)
    assert "/numbers/take-back" in page.get_data(as_text=True)
    free = north.get(f"/numbers/+{FIRST}")
    assert "Unassign Not assigned." in text_of(free)
    assert "/numbers/delete" in free.get_data(as_text=True)


@pytest.mark.parametrize("actor", ["master", "clinic"])
def test_r25_only_the_uploader_is_offered_delete(
    actor: str, world: World, database: sa.Engine, stock: dict[str, int]
) -> None:
    del stock
    browser = signed_in(database, getattr(world, actor).tenant)
    page = browser.get(f"/numbers/+{FIRST + 60}")
    assert "Only the company that uploaded this number can delete it." in text_of(page)
    assert "/numbers/delete" not in page.get_data(as_text=True)
    question = browser.get(f"/numbers/delete?numbers={FIRST + 60}")
    assert "This number can't be deleted." in text_of(question)
    assert not forms_of(question)


def test_who_has_an_unassigned_number_is_nobody(north: Portal, world: World) -> None:
    """It is where it was uploaded, which is told there; only where it would go from names who has it (R18)."""
    free, given = f"+{FIRST}", f"+{FIRST + 60}"
    listed_as = text_of(north.get(f"/numbers?q={free[1:]}"))
    assert "Unassigned – Northern Reseller" in listed_as
    assert "Assigned Clinic Enterprise Northern Reseller" in text_of(north.get(f"/numbers?q={given[1:]}"))
    for path in (f"/numbers/{free}", f"/numbers/assign?numbers={free[1:]}"):
        assert "Assigned to – " in text_of(north.get(path))
    for path in (f"/numbers/{given}", f"/numbers/assign?numbers={given[1:]}"):
        assert "Assigned to Clinic Enterprise" in text_of(north.get(path))
    clinic = world.clinic.tenant.public_id
    pending = text_of(north.get(f"/numbers/assign?numbers={free[1:]}&tenant_id={clinic}"))
    assert "From Northern Reseller" in pending


def test_the_assignee_leads_to_where_it_is_changed(
    north: Portal, world: World, database: sa.Engine, stock: dict[str, int]
) -> None:
    """For those who may: a reseller changes its enterprises and their users; an enterprise only its users."""
    with database.connect() as connection:
        user = factories.public_id(connection, tables.users, stock["user"])
    used = f"+{FIRST + 61}"
    tenant_link = f'<a href="/enterprises/{world.clinic.tenant.public_id}"><bdi>Clinic Enterprise</bdi></a>'
    user_link = f'<a href="/users/{user}"><bdi>Ada Lind</bdi></a>'
    clinic = signed_in(database, world.clinic.tenant)
    for path in (f"/numbers?q={used[1:]}", f"/numbers/{used}"):
        markup = north.get(path).get_data(as_text=True)
        assert tenant_link in markup
        assert user_link in markup
        own = clinic.get(path).get_data(as_text=True)
        assert tenant_link not in own
        assert user_link in own
    assert north.get(f"/enterprises/{world.clinic.tenant.public_id}").status_code == 200
    assert north.get(f"/users/{user}").status_code == 200
    master = signed_in(database, world.master.tenant)
    given = master.get(f"/numbers/+{FIRST}").get_data(as_text=True)
    assert "Assigned to" in given
    assert f'href="/resellers/{world.north.tenant.public_id}"' not in given  # unassigned: its uploader has it


def test_a_number_has_its_history(north: Portal, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        job = factories.job(connection, world.north.tenant)
        inner = connection.execute(sa.select(tables.jobs.c.id).where(tables.jobs.c.public_id == job)).scalar_one()
        factories.number(connection, FIRST + 70, world.north.tenant, created_job_id=inner)
    page = north.get(f"/numbers/+{FIRST + 70}")
    assert f'href="/jobs/{job}"' in page.get_data(as_text=True)
    assert "Uploaded by test" in text_of(page)


@pytest.mark.parametrize("path", ["", "assign?numbers={}", "take-back?numbers={}", "capabilities?numbers={}"])
def test_r3_a_number_elsewhere_is_as_if_absent(north: Portal, path: str) -> None:
    addresses = [f"/numbers/{path.format(number) or f'+{number}'}" for number in (FIRST + 99, FIRST + 98)]
    elsewhere, absent = (north.get(address) for address in addresses)
    assert elsewhere.status_code == absent.status_code == 404
    assert "This number isn't in your inventory." in text_of(elsewhere)


def test_what_is_ticked_leads_to_the_form_of_what_is_pressed(north: Portal) -> None:
    form = form_of(north.get("/numbers?q=1212"), "/numbers/selection")
    assert form.buttons == ["Assign", "Unassign", "Change capabilities", "Delete"]
    ticked = [f"+{FIRST + step}" for step in (2, 0, 1)]
    page = follow(north, send(north, form, "Change capabilities", numbers=ticked))
    text = text_of(page)
    assert "Change Capabilities" in text
    assert "Save Settings for 3 numbers" in text
    assert [text.index(f"+1 212-555-010{step}") for step in (0, 1, 2)]
    assert "q=1212" in page.get_data(as_text=True)  # the way back


def test_the_most_that_can_be_ticked_fits_an_address(north: Portal) -> None:
    far = [f"+{10**14 + step * 10**12 // 3}" for step in range(200)]
    form = form_of(north.get("/numbers"), "/numbers/selection")
    answer = send(north, form, "Delete", numbers=far)
    assert answer.status_code == 303
    assert len(answer.location) < 3600
    assert "Delete 200 numbers?" in text_of(follow(north, answer))
    refused = send(north, form, "Delete", numbers=[*far, "+12"])
    assert refused.status_code == 400
    assert "You selected 201 numbers; the limit is 200." in text_of(refused)


def test_nothing_ticked_is_told(north: Portal) -> None:
    answer = send(north, form_of(north.get("/numbers?q=1212"), "/numbers/selection"), "Assign")
    assert answer.location == "/numbers?q=1212"
    assert "Select the numbers first." in toasts_of(follow(north, answer))


def test_all_that_match_are_chosen_by_their_exact_count(north: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_list, "COUNTED", 5)
    page = text_of(north.get("/numbers?q=1212"))
    assert "5+ numbers match" in page
    assert "Select all matching numbers" in page
    chosen = north.get("/numbers?q=1212&all=1")
    text = text_of(chosen)
    assert "All 62 matching numbers are selected." in text
    assert all(words in text for words in ("Assign 62 numbers", "Unassign 62 numbers", "Delete 62 numbers"))
    assert "Change capabilities of 62 numbers" in text
    assert "62 numbers match, 50 on this page" in text
    assert "5+" not in text
    assert "where_q=1212" in chosen.get_data(as_text=True)
    assert "expected_count=62" in chosen.get_data(as_text=True)


@pytest.mark.parametrize("address", ["assign", "take-back", "capabilities", "delete"])
def test_an_address_without_numbers_is_refused(north: Portal, address: str) -> None:
    for query in ("", "numbers=", "numbers=x", "numbers=1.-2", "expected_count=x", "expected_count=1&where_status=x"):
        for answer in (north.get(f"/numbers/{address}?{query}"), north.post(f"/numbers/{address}?{query}")):
            assert answer.status_code in {400, 422}, query
            assert "Go to Overview" in text_of(answer)


def test_the_way_back_stays_within_the_site(north: Portal) -> None:
    page = north.get(f"/numbers/delete?numbers={FIRST}&back=https://elsewhere.example/").get_data(as_text=True)
    assert "elsewhere" not in page


def test_names_are_only_text(north: Portal, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        named = tables.tenants.update().where(tables.tenants.c.id == world.clinic.id).values(name=HOSTILE)
        connection.execute(named)
    for path in ("/numbers?limit=200", f"/numbers/+{FIRST + 60}", f"/numbers/assign?numbers={FIRST}"):
        page = north.get(path).get_data(as_text=True)
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page
    assert HOSTILE not in north.get("/choices/tenants?tenant=script").get_data(as_text=True)


@pytest.mark.parametrize(
    ("actor", "upload", "words"),
    [
        ("south", True, "No phone numbers yet"),
        ("school", True, "those your reseller assigns to you"),
        ("hotel", False, "Ask your reseller to assign numbers to Hotel Enterprise"),
    ],
)
def test_r8_r9_an_empty_inventory_says_what_to_do(
    actor: str, upload: bool, words: str, world: World, database: sa.Engine
) -> None:
    page = signed_in(database, getattr(world, actor).tenant).get("/numbers")
    assert words in text_of(page)
    assert ('href="/uploads/new"' in page.get_data(as_text=True)) is upload
    assert ("/uploads/sample" in page.get_data(as_text=True)) is upload
    assert ("Ask your reseller to turn on Allow External Numbers." in text_of(page)) is not upload


def test_no_match_offers_all_numbers(north: Portal) -> None:
    page = north.get("/numbers?q=999")
    assert "No matching numbers" in text_of(page)
    assert "Clear filters" in text_of(page)


def test_without_a_database_one_can_try_again(north: Portal, configure: Callable[..., None]) -> None:
    configure(database_url="postgresql://nobody:x@127.0.0.1:1/none")
    answer = north.get("/numbers?q=1212")
    assert answer.status_code == 503
    assert "Try again" in text_of(answer)
    assert 'href="/numbers?q=1212"' in answer.get_data(as_text=True)
