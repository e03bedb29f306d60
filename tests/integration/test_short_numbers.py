"""R14f: what is valid can be stored, however short: found, read, assigned, changed, reported, undone and deleted."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support import drawn_numbers, factories
from tests.support.api_client import Door, table
from tests.support.cli_runner import Cli
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.portal_client import Portal, text_of
from tests.unit.phone_corpus import regions
from worker.phone.identify import LEAST_DIGITS

# The shortest that libphonenumber calls valid.
SHORT = {"98": "9601", "43": "1110", "49": "1640"}
NUMBERS = [f"+{code}{national}" for code, national in SHORT.items()]
IRANIAN = "+989601"


def sheet(numbers: dict[str, str]) -> bytes:
    rows = ([code, national, "TRUE", "TRUE", ""] for code, national in numbers.items())
    return sheets.csv_bytes([sheets.HEADER, *rows])


@pytest.fixture
def short(api: Door) -> Door:
    """The API, with three numbers of six digits in the inventory of `north`."""
    job = api.upload(sheet(SHORT))
    assert job["counts"]["created"] == len(SHORT)
    return api


@pytest.mark.long
def test_r14f_valid_numbers_of_every_length_are_created(api: Door, database: sa.Engine) -> None:
    """Judged by libphonenumber, and stored: from the shortest of each type in each region to 15 digits."""
    drawn = drawn_numbers.valid_numbers(seed=14)
    assert {len(number) for number in drawn} >= set(range(6, 16))
    lines = [[str(region.code), f"+{number}", "TRUE", "", ""] for number, region in drawn.items()]
    job = api.upload(sheets.csv_bytes([sheets.HEADER, *lines]))
    assert [row["number"] for row in api.rows(job["id"]) if row["result"] != "created"] == []
    with database.connect() as connection:
        stored = connection.execute(sa.select(tables.phone_numbers.c.e164)).scalars().all()
    assert sorted(stored) == sorted(map(int, drawn))


def test_r14f_no_number_is_shorter_than_what_is_looked_for() -> None:
    """By the installed metadata, which may learn of shorter ones."""
    possible = {
        len(str(region.code)) + length
        for region in regions()
        for length in region.metadata.general_desc.possible_length
    }
    assert min(possible) >= LEAST_DIGITS


@pytest.mark.parametrize("number", NUMBERS)
def test_r14f_a_short_number_is_read(short: Door, number: str) -> None:
    found = short.get(f"/v1/numbers/{number}").json
    assert (found["e164"], [entry["kind"] for entry in found["history"]]) == (number, ["upload"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, NUMBERS),
        ({"q": "+989"}, [IRANIAN]),
        ({"q": "+98 9601"}, [IRANIAN]),
        ({"q": "9601"}, [IRANIAN]),
        ({"q": "09601"}, [IRANIAN]),
        ({"q": "9602"}, []),
        ({"country": "IR"}, [IRANIAN]),
        ({"country": "+98"}, [IRANIAN]),
        ({"country": "AT", "q": "1110"}, ["+431110"]),
        ({"status": "unassigned", "capability": "sms", "q": "+4"}, ["+431110", "+491640"]),
        ({"cursor": "431110"}, ["+491640", IRANIAN]),
    ],
)
def test_r14f_short_numbers_are_found(short: Door, world: World, query: dict[str, str], found: list[str]) -> None:
    """By the reseller that has them, and by the master, which searches in another way."""
    for door in (short, short.as_(world.master.token)):
        answer = door.get("/v1/numbers", query_string=query)
        assert answer.status_code == 200, answer.json
        assert [number["e164"] for number in answer.json["data"]] == sorted(found, key=lambda number: int(number[1:]))


@pytest.mark.long
def test_r14f_a_short_number_goes_through_every_action(short: Door, world: World) -> None:
    """Assigned to a customer and a user, changed, undone, taken back and deleted; by list, file and selection."""
    clinic = short.as_(world.clinic.token)
    job = short.upload(b"Phone Number\n+989601\n", to="assignments", tenant_id=world.clinic.tenant.public_id)
    assert short.codes(job["id"]) == {IRANIAN: "ASSIGNED"}
    body = {"name": "Ada Ashford", "email": "ada@clinic.example", "kind": "pbx", "phone_number": IRANIAN}
    user = clinic.post("/v1/users", body)
    assert user.status_code == 201, user.json
    clinic.work_off()
    assert clinic.get(f"/v1/users/{user.json['id']}").json["phone_number"] == IRANIAN
    assert clinic.act("unassignments", {"numbers": [IRANIAN]})["counts"]["updated"] == 1
    assert short.act("unassignments", {"filter": {"q": "+9896"}, "expected_count": 1})["counts"]["updated"] == 1
    changed = short.act("capability-changes", {"numbers": [IRANIAN], "fax": True})
    assert changed["counts"]["updated"] == 1
    assert short.done(short.post(f"/v1/jobs/{changed['id']}/undo"))["counts"]["updated"] == 1
    assert short.act("deletions", {"numbers": NUMBERS})["counts"]["deleted"] == len(NUMBERS)
    assert short.get("/v1/numbers").json["data"] == []


@pytest.mark.long
def test_r21_a_short_number_is_added_while_a_user_is_made(api: Door, world: World) -> None:
    clinic = api.as_(world.clinic.token)
    body = {"name": "Ada Ashford", "email": "ada@clinic.example", "kind": "pbx", "phone_number": "+431110"}
    assert clinic.post("/v1/users", body).status_code == 201
    clinic.work_off()
    assert clinic.get("/v1/numbers/+431110").json["voice_user"]["name"] == "Ada Ashford"


@pytest.mark.parametrize("number", ["+1", "+12", "1431110", "+0431110", "+1234567890123456"])
def test_r22_what_can_be_no_number_is_refused(api: Door, world: World, number: str) -> None:
    body = {"name": "Ada Ashford", "email": "ada@clinic.example", "kind": "pbx", "phone_number": number}
    assert api.as_(world.clinic.token).post("/v1/users", body).status_code == 422


@pytest.mark.long
def test_r14f_a_report_of_short_numbers_is_an_upload(short: Door) -> None:
    """The number stands in it as text that no spreadsheet runs, and comes back as it was."""
    job = short.upload(sheet(SHORT), on_existing="error")
    report = short.report(job["id"], "failed")
    assert [line["_number"].lstrip("'") for line in table(report)] == NUMBERS
    again = short.upload(report, on_existing="update")
    assert (again["counts"]["unchanged"], again["counts"]["failed"]) == (len(SHORT), 0)


def test_r14f_the_portal_finds_and_shows_a_short_number(portal: Portal, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        factories.number(connection, int(IRANIAN), world.north.tenant, country="IR")
    found = text_of(portal.get("/numbers?q=9601&country=IR"))
    assert "+98 9601" in found
    assert "Iran" in found
    page = portal.get(f"/numbers/{IRANIAN}")
    assert page.status_code == 200
    assert "+98 9601" in text_of(page)


@pytest.mark.long
def test_r14f_the_command_line_shows_a_short_number(cli: Cli, short: Door) -> None:
    assert short.get(f"/v1/numbers/{IRANIAN}").status_code == 200
    shown = cli("numbers", IRANIAN)
    assert "Uploaded by" in shown.output
