"""Assigning numbers that others hold, in the portal (R19): who would lose how many, two tabs, and the safe choice."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from werkzeug.test import TestResponse

from schemas.database import tables
from schemas.database.tables import phone_numbers
from schemas.jobs import JobOptions
from schemas.permissions import Actor, Tenant, TenantKind
from tests.support import factories
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.html_forms import Found, follow, form_of, send
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of
from webhook.portal.numbers import holders as holder_counts
from worker.numbers import filters, search
from worker.numbers import holders as number_holders
from worker.numbers.filters import NumberFilter

FIRST = 12125550100
FREE, CLINICS, USED, HOTELS = range(4), range(4, 7), 7, 8  # north's own, the clinic's, one that Ada has, the hotel's
SOUTHS = 50
SAVE = "Save Settings"
Row = Callable[[int], Any]


@pytest.fixture
def ada(world: World, database: sa.Engine) -> int:
    """Numbers of north and its enterprises, and one of south; the clinic's user who has one."""
    carriers = {"voice_carrier_id": world.carriers["Master Voice"]}
    with database.begin() as connection:
        user = factories.user(connection, world.clinic.tenant, name="Ada Lind")
        for step in FREE:
            factories.number(connection, FIRST + step, world.north.tenant, **carriers)
        for step in (*CLINICS, USED):
            having = {"voice_user_id": user} if step == USED else {}
            given = {"uploader_id": world.north.id, **carriers, **having}
            factories.number(connection, FIRST + step, world.clinic.tenant, **given)
        factories.number(connection, FIRST + HOTELS, world.hotel.tenant, uploader_id=world.north.id, **carriers)
        factories.number(connection, FIRST + SOUTHS, world.south.tenant, **carriers)
    return user


@pytest.fixture
def north(world: World, database: sa.Engine, ada: int) -> Portal:
    del ada
    return signed_in(database, world.north.tenant)


@pytest.fixture
def row(database: sa.Engine) -> Row:
    def look(step: int) -> Any:  # noqa: ANN401 - a row
        with database.connect() as connection:
            return connection.execute(sa.select(phone_numbers).where(phone_numbers.c.e164 == FIRST + step)).one()

    return look


def ticked(*steps: int) -> str:
    gaps = [later - earlier for earlier, later in pairwise(steps)]
    return f"numbers={'.'.join(map(str, [FIRST + steps[0], *gaps]))}&back=/numbers"


def pending(browser: Portal, address: str, tenant: Tenant) -> TestResponse:
    """The page that shows an assignment that is chosen and not saved."""
    answer = browser.get(f"/numbers/assign?{address}&tenant_id={tenant.public_id}")
    assert answer.status_code == 200, text_of(answer)
    return answer


def saving(page: TestResponse) -> Found:
    return form_of(page, "/numbers/assign")


def save(browser: Portal, page: TestResponse, **chosen: str) -> str:
    """Save, and what is said then."""
    form = saving(page)
    return toasts_of(follow(browser, send(browser, form, form.buttons[0], **chosen)))


# One number in two tabs


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
def test_r19_the_second_of_two_tabs_takes_nothing(north: Portal, world: World, row: Row) -> None:
    first = pending(north, ticked(0), world.clinic.tenant)
    second = pending(north, ticked(0), world.hotel.tenant)
    assert "+1 212-555-0100 was assigned to Clinic Enterprise." in save(north, first)
    answer = follow(north, send(north, saving(second), SAVE))
    said = toasts_of(answer)
    assert (
        "+1 212-555-0100 could not be assigned to Hotel Enterprise: it was assigned to Clinic Enterprise since" in said
    )
    assert "this page was shown. Nothing was changed." in said
    assert 'data-toast="error"' in answer.get_data(as_text=True)  # it stays until it is dismissed (R30)
    assert row(0).holder_id == world.clinic.id
    # Opened again, the page shows whose it is, and then it can be moved.
    again = pending(north, ticked(0), world.hotel.tenant)
    assert "From Clinic Enterprise To Hotel Enterprise" in text_of(again)
    assert "+1 212-555-0100 was assigned to Hotel Enterprise." in save(north, again)
    assert row(0).holder_id == world.hotel.id


@pytest.mark.usefixtures("at_once")
def test_r19_a_number_that_came_back_meanwhile_is_left_alone_too(
    north: Portal, world: World, row: Row, database: sa.Engine
) -> None:
    page = pending(north, ticked(CLINICS[0]), world.hotel.tenant)
    with database.begin() as connection:
        moved = phone_numbers.update().where(phone_numbers.c.e164 == FIRST + CLINICS[0])
        connection.execute(moved.values(holder_id=world.north.id))
    assert "it was unassigned since this page was shown." in save(north, page)
    assert row(CLINICS[0]).holder_id == world.north.id


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
def test_r19_the_same_settings_saved_twice_are_no_fault(north: Portal, world: World, row: Row) -> None:
    page = pending(north, ticked(0), world.clinic.tenant)
    save(north, page)
    assert "Nothing to do: +1 212-555-0100 was left unchanged." in save(north, page)
    assert row(0).holder_id == world.clinic.id


@pytest.mark.usefixtures("at_once")
def test_r19_taking_back_from_another_than_was_shown(
    north: Portal, world: World, row: Row, database: sa.Engine
) -> None:
    page = north.get(f"/numbers/take-back?{ticked(CLINICS[0])}")
    assert "From Clinic Enterprise Back to Northern Reseller" in text_of(page)
    with database.begin() as connection:
        moved = phone_numbers.update().where(phone_numbers.c.e164 == FIRST + CLINICS[0])
        connection.execute(moved.values(holder_id=world.hotel.id))
    said = toasts_of(follow(north, send(north, form_of(page, "/numbers/take-back"), "Unassign")))
    assert "could not be unassigned: it was assigned to Hotel Enterprise since this page was shown." in said
    assert row(CLINICS[0]).holder_id == world.hotel.id


@pytest.mark.usefixtures("at_once")
def test_r20_taking_back_from_another_user_than_was_shown(
    world: World, row: Row, database: sa.Engine, ada: int
) -> None:
    clinic = signed_in(database, world.clinic.tenant)
    page = clinic.get(f"/numbers/take-back?{ticked(USED)}")
    with database.begin() as connection:
        bela = factories.user(connection, world.clinic.tenant, name="Bela Ortiz")
        moved = phone_numbers.update().where(phone_numbers.c.e164 == FIRST + USED)
        connection.execute(moved.values(voice_user_id=bela))
    said = toasts_of(follow(clinic, send(clinic, form_of(page, "/numbers/take-back"), "Unassign")))
    assert "Nothing to do" in said
    assert row(USED).voice_user_id == bela != ada


# Selections


@pytest.mark.usefixtures("at_once")
def test_r19_a_selection_says_from_whom_and_takes_nothing_unless_told(north: Portal, world: World, row: Row) -> None:
    page = pending(north, ticked(*FREE, *CLINICS, USED, HOTELS), world.hotel.tenant)
    text = text_of(page)
    assert "From Northern Reseller (yours) 4 numbers Clinic Enterprise 3 numbers" in text
    assert "1 number in use won't be moved. Hotel Enterprise already has 1 number." in text
    assert "4 numbers. The 3 numbers assigned to customers won't be moved." in text
    assert "7 numbers, 3 of them taken from the customers above." in text
    said = save(north, page)
    assert (
        "4 of 9 numbers were assigned to Hotel Enterprise. "
        "4 could not be assigned: The number is assigned to a customer" in said
    )
    assert [row(step).holder_id == world.hotel.id for step in range(9)] == [True] * 4 + [False] * 4 + [True]


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
def test_r19_those_of_customers_are_taken_where_that_is_chosen(north: Portal, world: World, row: Row) -> None:
    page = pending(north, ticked(*FREE, *CLINICS, USED), world.hotel.tenant)
    assert saving(page).options("only_unassigned") == ["true", "false"]
    said = save(north, page, only_unassigned="false")
    assert "7 of 8 numbers were assigned to Hotel Enterprise. 1 could not be assigned: " in said
    assert {row(step).holder_id for step in (*FREE, *CLINICS)} == {world.hotel.id}


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
def test_r19_where_nobody_would_lose_any_there_is_no_question_and_the_race_is_lost_safely(
    north: Portal, world: World, row: Row
) -> None:
    first = pending(north, ticked(0, 1), world.clinic.tenant)
    second = pending(north, ticked(0, 1, 2), world.hotel.tenant)
    assert saving(second).options("only_unassigned") == ["true"]
    assert "Which numbers to assign" not in text_of(second)
    save(north, first)
    assert "1 of 3 numbers was assigned to Hotel Enterprise. 2 could not be assigned: " in save(north, second)
    assert [row(step).holder_id for step in range(3)] == [world.clinic.id, world.clinic.id, world.hotel.id]


@pytest.mark.usefixtures("at_once")
def test_r19_a_form_of_an_older_page_takes_nothing(north: Portal, world: World, row: Row) -> None:
    answer = north.post(f"/numbers/assign?{ticked(0, 4)}", {"tenant_id": world.hotel.tenant.public_id})
    assert answer.status_code == 303
    assert [row(step).holder_id for step in (0, 4)] == [world.hotel.id, world.clinic.id]


@pytest.mark.usefixtures("at_once")
def test_r19_all_that_match_are_counted_by_holder(north: Portal, world: World, database: sa.Engine) -> None:
    """R3: nothing of the sibling, neither by name nor in a count."""
    address = "where_q=1212&expected_count=9&back=/numbers"
    page = pending(north, address, world.hotel.tenant)
    assert "From Northern Reseller (yours) 4 numbers Clinic Enterprise 3 numbers" in text_of(page)
    forged = pending(north, ticked(0, 4, SOUTHS), world.hotel.tenant)
    assert "(yours) 1 number Clinic Enterprise 1 number" in text_of(forged)
    for answer in (page, forged):
        assert not any(secret in answer.get_data(as_text=True) for secret in world.secrets_of_south)
    # What was chosen is kept where other numbers match by now.
    with database.begin() as connection:
        factories.number(connection, FIRST + 60, world.clinic.tenant, uploader_id=world.north.id)
    refused = send(north, saving(page), "Save Settings for 9 numbers", only_unassigned="false")
    assert refused.status_code == 409
    assert "Clinic Enterprise 4 numbers" in text_of(refused)
    assert ("only_unassigned", "false") in saving(refused).pairs("", {})


def test_r19_of_many_customers_the_largest_are_named(north: Portal, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        for place in range(13):
            tenant = factories.tenant(
                connection, world.north.tenant, TenantKind.ENTERPRISE, name=f"Customer {place:02}"
            )
            for step in range(1 + (place == 12)):
                number = FIRST + 1000 + 10 * place + step
                factories.number(connection, number, tenant, uploader_id=world.north.id)
    page = pending(north, "where_q=1212&expected_count=23&back=/numbers", world.hotel.tenant)
    text = text_of(page)
    assert "Clinic Enterprise 3 numbers Customer 12 2 numbers Customer 00 1 number" in text
    assert f"Customer {holder_counts.MOST - 3:02} 1 number and 4 more: 4 numbers" in text
    assert f"Customer {holder_counts.MOST - 2:02}" not in text.partition("(yours)")[2].partition("Which numbers")[0]


def test_a_page_does_not_wait_for_long_counting(north: Portal, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is bounded; the choice is offered all the same, and the safe one is the default."""

    def forever(*_: object, **__: object) -> sa.Select[Any]:
        never = sa.text("(SELECT pg_sleep(60)) IS NOT NULL")
        return sa.select(phone_numbers.c.e164, phone_numbers.c.holder_id, number_holders._IN_USE).where(never)  # noqa: SLF001

    monkeypatch.setattr(number_holders, "MOST_SECONDS", 0.2)
    monkeypatch.setattr(search, "matching", forever)
    began = time.monotonic()
    page = pending(north, "where_q=1212&expected_count=9&back=/numbers", world.hotel.tenant)
    assert time.monotonic() - began < 30
    assert "Too many numbers to count here. Use Check first to see how many each customer would lose." in text_of(page)
    assert ("only_unassigned", "true") in saving(page).pairs("", {})


FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"q": "+1 212 555 01"},
    {"q": "212"},
    {"country": "US"},
    {"status": "unassigned"},
    {"status": "assigned"},
    {"capability": "voice"},
    {"carrier": "Master Voice"},
    {"free_for": "voice"},
    {"country": "+1", "status": "assigned"},
)


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("looker", ["master", "north", "clinic"])
@pytest.mark.parametrize("asked", FILTERS, ids=str)
def test_r3_holders_are_counted_as_one_by_one(
    world: World, database: sa.Engine, looker: str, asked: dict[str, Any]
) -> None:
    """By every way in which a filter's numbers are found; few and many."""
    tenant = getattr(world, looker).tenant
    actor = Actor(tenant, "test")
    with database.begin() as connection:
        wanted = filters.resolve(connection, actor, NumberFilter(**asked))
        found = connection.execute(search.matching(connection, wanted)).scalars().all()
        rows = connection.execute(sa.select(phone_numbers).where(phone_numbers.c.e164.in_(found))).all()
        expected = sorted(
            (holder, len(theirs), sum(row.voice_user_id is not None for row in theirs))
            for holder in {row.holder_id for row in rows}
            for theirs in [[row for row in rows if row.holder_id == holder]]
        )
        for count in (len(found), 10**6):
            held = number_holders.matching(connection, wanted, count)
            assert sorted((one.holder.id, one.count, one.in_use) for one in held) == expected
        listed = number_holders.of_numbers(connection, actor, list(found))
        assert sorted((one.holder.id, one.count, one.in_use) for one in listed) == expected
    assert expected or asked.get("status") == "unassigned"


# Uploads


def sheet(*steps: int) -> bytes:
    return sheets.csv_bytes([sheets.HEADER, *(["1", str(FIRST + step)[1:], "TRUE", "", ""] for step in steps)])


def upload(browser: Portal, content: bytes, **fields: str) -> str:
    answer = browser.post("/uploads", {**fields, "file": (io.BytesIO(content), "numbers.csv")})
    assert answer.status_code == 303, text_of(answer)
    return answer.location


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("choice", ["", "true", "false"])
def test_r19_an_upload_takes_numbers_of_customers_only_if_that_is_chosen(
    north: Portal, world: World, row: Row, choice: str
) -> None:
    """The form offers it with the safe default; the review says from whom."""
    form = form_of(north.get("/uploads/new"), "/uploads")
    assert form.options("only_unassigned") == ["true", "false"]
    assert ("only_unassigned", "true") in form.pairs("", {})
    fields = {"assign_to": world.hotel.tenant.public_id, "on_existing": "update"}
    path = upload(north, sheet(0, CLINICS[0], CLINICS[1]), **fields, **({"only_unassigned": choice} if choice else {}))
    text = text_of(north.get(path))
    taking = choice == "false"
    assert ("Taken from Clinic Enterprise: 2 numbers" in text) == taking
    assert ("2 rows have errors" in text) != taking
    # The choice is made again with another file.
    like = form_of(north.get(f"/uploads/new?like={path.rpartition('/')[2]}"), "/uploads")
    assert ("only_unassigned", choice or "true") in like.pairs("", {})
    north.post(f"{path}/confirm")
    moved = world.hotel.id if taking else world.clinic.id
    assert [row(step).holder_id for step in (0, CLINICS[0])] == [world.hotel.id, moved]


def test_the_form_of_an_enterprise_has_nobody_to_take_from(world: World, database: sa.Engine) -> None:
    page = signed_in(database, world.clinic.tenant).get("/uploads/new")
    assert "only_unassigned" not in form_of(page, "/uploads").names()


@pytest.mark.usefixtures("at_once")
def test_jobs_from_before_tell_their_review(north: Portal, database: sa.Engine) -> None:
    """They say nothing of what would be taken, and nothing of the choice."""
    path = upload(north, sheet(0), on_existing="skip")
    review = sa.cast(tables.jobs.c.review, JSONB).op("-")("taken_from")
    options = {name: value for name, value in JobOptions().to_json().items() if name != "only_unassigned"}
    with database.begin() as connection:
        connection.execute(tables.jobs.update().values(options=options, review=review))
    assert north.get(path).status_code == 200
    assert "Taken from" not in text_of(north.get(path))
    form = form_of(north.get(f"/uploads/new?like={path.rpartition('/')[2]}"), "/uploads")
    assert ("only_unassigned", "true") in form.pairs("", {})
