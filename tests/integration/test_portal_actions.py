"""Assign, take back, change capabilities and delete through the portal's forms, and what is said afterwards (R30)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database import tables
from tests.support import factories
from tests.support.factories import World
from tests.support.html_forms import follow, form_of, forms_of, send
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of
from webhook.portal.numbers import submit_action

FIRST = 12125550100


@pytest.fixture
def users(world: World, database: sa.Engine) -> dict[str, str]:
    """Numbers of north: 0 to 9 free, 10 to 14 at the clinic, a user has 14; public ids of the clinic's users."""
    with database.begin() as connection:
        factories.carrier(connection, world.master.tenant, "voice", "Spare Voice")
        made = {
            "ada": factories.user(connection, world.clinic.tenant, name="Ada Lind"),
            "carl": factories.user(connection, world.clinic.tenant, "trunk", name="Carl Trunk", sms_enabled=True),
        }
        carriers = {"voice_carrier_id": world.carriers["Master Voice"], "sms_carrier_id": world.carriers["Master SMS"]}
        for step in range(10):
            factories.number(connection, FIRST + step, world.north.tenant, sms=True, **carriers)
        for step in range(10, 15):
            user = {"voice_user_id": made["ada"]} if step == 14 else {}
            factories.number(
                connection,
                FIRST + step,
                world.clinic.tenant,
                uploader_id=world.north.id,
                sms=True,
                **carriers,
                **user,
            )
        return {name: factories.public_id(connection, tables.users, inner) for name, inner in made.items()}


@pytest.fixture
def north(world: World, database: sa.Engine, users: dict[str, str]) -> Portal:
    del users
    return signed_in(database, world.north.tenant)


@pytest.fixture
def clinic(world: World, database: sa.Engine, users: dict[str, str]) -> Portal:
    del users
    return signed_in(database, world.clinic.tenant)


@pytest.fixture
def row(database: sa.Engine) -> Callable[[int], Any]:
    def look(step: int) -> Any:  # noqa: ANN401 - a row
        query = sa.select(tables.phone_numbers).where(tables.phone_numbers.c.e164 == FIRST + step)
        with database.connect() as connection:
            return connection.execute(query).one_or_none()

    return look


def ticked(*steps: int, back: str = "/numbers?q=1212") -> str:
    """What the address of a form says of numbers."""
    first, *others = steps
    gaps = [later - earlier for earlier, later in zip(steps, others, strict=False)]
    return f"numbers={'.'.join(map(str, [FIRST + first, *gaps]))}&back={back.replace('?', '%3F')}"


def assign(
    browser: Portal, address: str, saved: Mapping[str, str] = MappingProxyType({}), **chosen: str
) -> tuple[TestResponse, TestResponse]:
    """Choose and press Assign, then Save Settings with `saved`: the page in between, and the answer."""
    page = browser.get(f"/numbers/assign?{address}")
    form = form_of(page, "/numbers/assign", "get")
    pending = send(browser, form, form.buttons[0], **chosen)
    assert pending.status_code == 200, text_of(pending)
    save = form_of(pending, "/numbers/assign")
    return pending, send(browser, save, save.buttons[0], **saved)


def jobs(database: sa.Engine) -> int:
    with database.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(tables.jobs)).scalar_one()


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
def test_r18_one_number_is_assigned_in_two_steps(
    north: Portal, world: World, database: sa.Engine, row: Callable[[int], Any]
) -> None:
    """R18, R30: Assign shows what is chosen and changes nothing; Save Settings does it, and back one is told so."""
    page = north.get(f"/numbers/assign?{ticked(0)}")
    assert "Modify Assignments for Phone Number" in text_of(page)
    form = form_of(page, "/numbers/assign", "get")
    assert set(form.options("tenant_id")) == {"", world.clinic.tenant.public_id, world.hotel.tenant.public_id}
    pending = send(north, form, "Assign", tenant_id=world.clinic.tenant.public_id)
    assert "New assignment, not saved yet From Northern Reseller To Clinic Enterprise" in text_of(pending)
    assert jobs(database) == 0
    done = send(north, form_of(pending, "/numbers/assign"), "Save Settings")
    assert done.location == "/numbers?q=1212"
    shown = follow(north, done)
    assert "+1 212-555-0100 was assigned to Clinic Enterprise." in toasts_of(shown)
    assert "/jobs/" in shown.get_data(as_text=True)
    assert row(0).holder_id == world.clinic.id


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
def test_r30_what_was_not_done_is_told_with_the_first_reason(north: Portal, world: World) -> None:
    """R19: two of three go, a user has the third."""
    taking = {"only_unassigned": "false"}
    _, done = assign(north, ticked(0, 10, 14), taking, tenant_id=world.hotel.tenant.public_id)
    said = toasts_of(shown := follow(north, done))
    assert "2 of 3 numbers were assigned to Hotel Enterprise. 1 could not be assigned: The number is assigned" in said
    assert 'data-toast="warning"' in shown.get_data(as_text=True)
    assert "See all 1" in said


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
def test_r30_one_that_could_not_be_and_one_that_is_so_already(north: Portal, world: World) -> None:
    _, done = assign(north, ticked(10), tenant_id=world.clinic.tenant.public_id)
    assert "Nothing to do: +1 212-555-0110 was left unchanged." in toasts_of(follow(north, done))
    save = form_of(
        north.get(f"/numbers/assign?{ticked(14)}&tenant_id={world.hotel.tenant.public_id}"), "/numbers/assign"
    )
    said = toasts_of(follow(north, send(north, save, "Save Settings")))
    assert "+1 212-555-0114 could not be assigned to Hotel Enterprise." in said


def test_r28_what_takes_longer_is_told_as_under_way(
    north: Portal, world: World, monkeypatch: pytest.MonkeyPatch, work_off: Callable[[], None]
) -> None:
    monkeypatch.setattr(submit_action, "WAIT", 0.0)
    _, done = assign(north, ticked(0, 1), tenant_id=world.clinic.tenant.public_id)
    shown = follow(north, done)
    assert "Assigning 2 numbers to Clinic Enterprise is in progress. Follow progress" in toasts_of(shown)
    assert 'data-toast="info"' in shown.get_data(as_text=True)
    work_off()


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
def test_r20_an_enterprise_assigns_to_its_users(
    clinic: Portal, users: dict[str, str], row: Callable[[int], Any]
) -> None:
    page = clinic.get(f"/numbers/assign?{ticked(10, 11)}")
    form = form_of(page, "/numbers/assign", "get")
    assert set(form.options("user_id")) == {"", *users.values()}
    assert form.options("service") == ["voice", "forwarded", "sms"]
    pending, done = assign(clinic, ticked(10, 11), user_id=users["carl"], service="forwarded")
    assert "To Carl Trunk for Forwarded DID" in text_of(pending)
    assert "2 numbers were assigned to Carl Trunk." in toasts_of(follow(clinic, done))
    assert row(11).voice_forwarded
    _, done = assign(clinic, ticked(10), user_id=users["carl"], service="sms")
    assert "+1 212-555-0110 was assigned to Carl Trunk." in toasts_of(follow(clinic, done))


def test_r2_a_service_that_the_user_cannot_have_is_told_on_the_form(
    clinic: Portal, users: dict[str, str], database: sa.Engine
) -> None:
    """R2, R20: refused at the door, what was chosen is kept."""
    for service, words in (
        ("sms", "SMS service isn't enabled"),
        ("forwarded", "can't have the number for this service"),
    ):
        _, answer = assign(clinic, ticked(10), user_id=users["ada"], service=service)
        assert answer.status_code == 422
        assert words in text_of(answer)
        assert 'aria-invalid="true"' in answer.get_data(as_text=True) or "There is a problem" in text_of(answer)
        kept = form_of(answer, "/numbers/assign", "get")
        assert ("user_id", users["ada"]) in kept.pairs("", {})
        assert ("service", service) in kept.pairs("", {})
    assert jobs(database) == 0


def test_r19_one_cannot_assign_to_oneself_or_to_strangers(north: Portal, world: World, database: sa.Engine) -> None:
    """R3, R19: the same words for a tenant elsewhere and for none at all."""
    address = f"/numbers/assign?{ticked(0)}"
    said = []
    for tenant in (world.school.tenant.public_id, "00000000-0000-4000-8000-000000000000"):
        assert "Enterprise or reseller not found." in text_of(north.get(f"{address}&tenant_id={tenant}"))
        answer = north.post(address, {"tenant_id": tenant})
        assert answer.status_code == 422
        said.append(text_of(answer).replace(tenant, ""))
    assert said[0] == said[1]
    assert north.post(address, {"tenant_id": world.north.tenant.public_id}).status_code == 422
    assert north.post(address, {}).status_code == 422
    assert jobs(database) == 0


@pytest.mark.long
@pytest.mark.usefixtures("at_once")
def test_r19_taking_back_goes_up_a_level(
    north: Portal, clinic: Portal, world: World, row: Callable[[int], Any]
) -> None:
    page = north.get(f"/numbers/take-back?{ticked(10)}")
    assert "From Clinic Enterprise Back to Northern Reseller" in text_of(page)
    done = send(north, form_of(page, "/numbers/take-back"), "Unassign")
    assert "+1 212-555-0110 was unassigned." in toasts_of(follow(north, done))
    assert row(10).holder_id == world.north.id
    # While a user has it, it is taken from the user first.
    page = north.get(f"/numbers/take-back?{ticked(14)}")
    assert form_of(page, "/numbers/take-back").options("service") == ["voice"]
    page = clinic.get(f"/numbers/take-back?{ticked(14)}")
    assert "It is unassigned and becomes available to others" in text_of(page)
    done = send(clinic, form_of(page, "/numbers/take-back"), "Unassign")
    assert "+1 212-555-0114 was unassigned." in toasts_of(follow(clinic, done))
    assert row(14).voice_user_id is None
    assert "This number can't be unassigned. Not assigned." in text_of(clinic.get(f"/numbers/take-back?{ticked(14)}"))


@pytest.mark.usefixtures("at_once")
def test_r19_many_are_taken_back(north: Portal) -> None:
    page = north.get(f"/numbers/take-back?{ticked(0, 10, 14)}")
    form = form_of(page, "/numbers/take-back")
    said = text_of(page)
    assert (
        "Who has them now Clinic Enterprise 1 number not in use Users 1 number Northern Reseller (yours) 1 number"
        in said
    )
    assert form.options("service") == ["", "voice", "sms"]
    assert "1 number, back to the company one level above." in said
    assert "At most 1 number in use. Their enterprises keep them." in said
    assert form.buttons == ["Unassign", "Check first"]
    said = toasts_of(follow(north, send(north, form, "Unassign")))
    assert "1 of 3 numbers was unassigned. 1 could not be unassigned: " in said


@pytest.mark.parametrize(
    ("who", "steps", "options", "told", "not_told"),
    [
        ("north", (0, 1), None, "None of these numbers is assigned.", "What will happen"),
        ("north", (10, 11), [""], "Clinic Enterprise 2 numbers not in use", "users"),
        ("north", (0, 14), ["voice", "sms"], "Users 1 number Northern Reseller (yours) 1 number not assigned", "above"),
        ("clinic", (10, 11), None, "None of these numbers is assigned to a user.", "What will happen"),
        ("clinic", (10, 14), ["", "voice", "sms"], "Numbers in use are unassigned from their users", "level above"),
        (
            "north",
            (14,),
            ["voice"],
            "unassigned from the user; Clinic Enterprise keeps it. Once no user has it",
            "first",
        ),
    ],
    ids=["ours", "below", "ours and a user's", "free", "mixed", "one of a user"],
)
def test_r19_what_is_said_of_unassigning_fits_the_numbers(
    request: pytest.FixtureRequest,
    who: str,
    steps: tuple[int, ...],
    options: list[str] | None,
    told: str,
    not_told: str,
) -> None:
    """It offers only what can be done, and no sentence contradicts a choice."""
    page = request.getfixturevalue(who).get(f"/numbers/take-back?{ticked(*steps)}")
    said = text_of(page).partition("Unassign Phone Number")[2]
    assert told in said
    assert not_told not in said.replace("Check first", "")
    if options is None:
        assert not forms_of(page)
    else:
        assert form_of(page, "/numbers/take-back").options("service") == options


@pytest.mark.usefixtures("at_once")
def test_r23_capabilities_and_carriers(north: Portal, row: Callable[[int], Any]) -> None:
    page = north.get(f"/numbers/capabilities?{ticked(0)}")
    assert "Voice (now enabled)" in text_of(page)
    form = form_of(page, "/numbers/capabilities")
    assert form.options("voice") == ["leave", "enable", "disable"]
    assert form.options("voice_carrier") == ["", "Master Voice", "North voice", "Spare Voice"]  # the default first
    done = send(north, form, "Save Settings", sms="disable", fax="enable", voice_carrier="Spare Voice")
    assert "+1 212-555-0100 was changed." in toasts_of(follow(north, done))
    found = row(0)
    assert (found.voice, found.sms, found.fax) == (True, False, True)


@pytest.mark.usefixtures("at_once")
def test_r23_what_a_user_needs_stays_and_is_explained(north: Portal, row: Callable[[int], Any]) -> None:
    page = north.get(f"/numbers/capabilities?{ticked(14)}")
    assert "A user has this number." in text_of(page)
    done = send(north, form_of(page, "/numbers/capabilities"), "Save Settings", voice="disable")
    said = toasts_of(follow(north, done))
    assert "A user has this number for voice, so Voice can't be turned off. Unassign the number from the user" in said
    assert row(14).voice


def test_r23_nothing_to_change_is_told_and_what_was_chosen_is_kept(north: Portal, database: sa.Engine) -> None:
    form = form_of(north.get(f"/numbers/capabilities?{ticked(0, 1)}"), "/numbers/capabilities")
    answer = send(north, form, "Save Settings for 2 numbers")
    assert answer.status_code == 422
    assert "Choose at least one thing to change." in text_of(answer)
    forged = north.post(f"/numbers/capabilities?{ticked(0)}", {"fax": "enable", "voice_carrier": "South voice"})
    assert forged.status_code == 422
    assert "Voice Carrier Name" in text_of(forged)
    assert ("fax", "enable") in form_of(forged, "/numbers/capabilities").pairs("", {})
    assert jobs(database) == 0


@pytest.mark.usefixtures("at_once")
def test_checking_first_leads_to_the_job_and_changes_nothing(
    north: Portal, database: sa.Engine, row: Callable[[int], Any]
) -> None:
    form = form_of(north.get(f"/numbers/capabilities?{ticked(0, 1)}"), "/numbers/capabilities")
    answer = send(north, form, "Check first", fax="enable")
    with database.connect() as connection:
        job = connection.execute(sa.select(tables.jobs)).one()
    assert answer.location == f"/jobs/{job.public_id}"
    assert job.status == "review"
    assert not row(0).fax


@pytest.mark.usefixtures("at_once")
def test_r26_delete_asks_then_confirms(north: Portal, row: Callable[[int], Any]) -> None:
    page = north.get(f"/numbers/delete?{ticked(0)}")
    assert "Delete +1 212-555-0100?" in text_of(page)
    done = send(north, form_of(page, "/numbers/delete"), "Delete")
    assert "+1 212-555-0100 was deleted." in toasts_of(follow(north, done))
    assert row(0) is None
    gone = north.get(f"/numbers/delete?{ticked(0)}")  # the page before, opened again
    assert gone.status_code == 404


@pytest.mark.usefixtures("at_once")
def test_r24_of_many_those_that_may_not_be_deleted_stay(north: Portal, row: Callable[[int], Any]) -> None:
    form = form_of(north.get(f"/numbers/delete?{ticked(1, 2, 10)}"), "/numbers/delete")
    said = toasts_of(follow(north, send(north, form, "Delete 3 numbers")))
    assert "2 of 3 numbers were deleted. 1 could not be deleted: The number is assigned" in said
    assert row(1) is None
    assert row(10) is not None


@pytest.mark.usefixtures("at_once")
def test_all_that_match_and_the_filter_of_a_tenant_is_not_the_target(
    north: Portal, world: World, row: Callable[[int], Any]
) -> None:
    chosen = north.get(f"/numbers?tenant_id={world.north.tenant.public_id}&all=1").get_data(as_text=True)
    address = chosen.partition('href="/numbers/assign?where')[2].partition('"')[0]
    address = f"where{address}".replace("&amp;", "&")
    assert "expected_count=10" in address
    pending, done = assign(north, address, tenant_id=world.hotel.tenant.public_id)
    assert "Save Settings for 10 numbers" in text_of(pending)
    assert "10 numbers were assigned to Hotel Enterprise." in toasts_of(follow(north, done))
    assert {row(step).holder_id for step in range(10)} == {world.hotel.id}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("path", ["assign", "take-back", "capabilities", "delete"])
def test_that_other_numbers_match_by_now_is_told_and_can_be_gone_on_with(
    path: str, north: Portal, world: World, database: sa.Engine
) -> None:
    address = f"/numbers/{path}?where_q=1212&expected_count=15&back=/numbers"
    fields = {"assign": {"tenant_id": world.hotel.tenant.public_id}, "capabilities": {"fax": "enable"}}.get(path, {})
    with database.begin() as connection:
        factories.number(connection, FIRST + 50, world.north.tenant)
    answer = north.post(address, fields)
    assert answer.status_code == 409
    text = text_of(answer)
    assert "15 numbers matched when you selected them; 16 match now. Nothing was changed." in text
    assert jobs(database) == 0
    form = form_of(answer, f"/numbers/{path}")
    assert "16 numbers" in (text if path == "take-back" else form.buttons[0])
    assert send(north, form, form.buttons[0]).status_code == 303
    assert jobs(database) == 1


@pytest.mark.parametrize("path", ["selection", "assign", "take-back", "capabilities", "delete"])
def test_forms_of_another_site_change_nothing(path: str, north: Portal, database: sa.Engine) -> None:
    address = f"/numbers/{path}?{ticked(0)}"
    assert north.post(address, {"fax": "enable"}, token="").status_code == 403
    assert north.post(address, {"fax": "enable"}, headers={"Origin": "https://elsewhere.example"}).status_code == 403
    assert jobs(database) == 0


def test_an_enterprise_without_users_is_told_so(world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        factories.number(connection, FIRST, world.hotel.tenant)
    page = signed_in(database, world.hotel.tenant).get(f"/numbers/assign?{ticked(0)}")
    assert "Hotel Enterprise has no users yet." in text_of(page)
    assert not [form for form in forms_of(page) if form.method == "post"]
