"""`numberyard assign`, `unassign`, `change`, `delete`, `undo` and reviews: the real commands on the real service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.database import tables
from schemas.database.tables import phone_numbers
from tests.support import factories
from tests.support.cli_runner import Cli, told
from tests.support.factories import World
from webhook.cli.exit_codes import Exit

NUMBERS = [12125550100 + place for place in range(5)]
BEFORE = {"created_job_id": 10**6, "changed_job_id": 10**6}  # as some earlier job left them
WRITTEN = [f"+{number}" for number in NUMBERS]


@pytest.fixture
def numbers(world: World, database: sa.Engine) -> Callable[[], dict[int, int]]:
    """Five free numbers of `north`, one of `south`; answers who holds which."""
    voice = world.carriers["North voice"]
    with database.begin() as connection:
        for e164 in NUMBERS:
            factories.number(connection, e164, world.north.tenant, **BEFORE | {"voice_carrier_id": voice})
        factories.number(connection, 12125550190, world.south.tenant)

    def holders() -> dict[int, int]:
        with database.connect() as connection:
            rows = connection.execute(sa.select(phone_numbers.c.e164, phone_numbers.c.holder_id))
            return {row.e164: row.holder_id for row in rows if row.e164 in NUMBERS}

    return holders


Holders = Callable[[], dict[int, int]]


@pytest.mark.long
def test_r18_r19_r27_given_by_name_and_taken_back_and_undone(cli: Cli, world: World, numbers: Holders) -> None:
    given = told(cli("assign", *WRITTEN[:3], "--to", "hotel ENTERPRISE", "--json"))
    assert (given["status"], given["counts"]["updated"]) == ("completed", 3)
    assert list(numbers().values()).count(world.hotel.id) == 3
    taken = cli("unassign", WRITTEN[0])
    assert (taken.exit_code, "     updated            1" in taken.stdout) == (Exit.OK, True), taken.output
    undone = told(cli("undo", str(given["id"]), "--json"), Exit.PARTLY_FAILED)
    assert (undone["undo_of"], undone["counts"]["updated"], undone["counts"]["failed"]) == (given["id"], 2, 1)
    assert set(numbers().values()) == {world.north.id}


@pytest.mark.long
def test_all_that_match_and_no_more(cli: Cli, world: World, numbers: Holders) -> None:
    """R3: the count that the command asks for is the count that the action finds."""
    job = told(cli("assign", "--all", "--q", "+1 212", "--to", "Clinic Enterprise", "--yes", "--json"))
    assert job["counts"]["updated"] == len(NUMBERS)
    assert set(numbers().values()) == {world.clinic.id}
    refused = cli("unassign", "--all", "--tenant", "Clinic Enterprise", "--expected-count", "4")
    assert (refused.exit_code, "COUNT_CHANGED" in refused.stderr) == (Exit.REFUSED, True)
    nobody = cli("unassign", "--all", "--tenant", "Hotel Enterprise", "--yes")
    assert (nobody.exit_code, "no number matches" in nobody.stderr) == (Exit.REFUSED, True)
    assert cli("unassign", "--all", "--tenant", "Clinic Enterprise", "--yes").exit_code == Exit.OK
    assert set(numbers().values()) == {world.north.id}


@pytest.mark.long
def test_r23_switches_and_carriers(cli: Cli, world: World, database: sa.Engine, numbers: Holders) -> None:
    told(cli("change", *WRITTEN, "--sms", "on", "--fax", "on", "--voice-carrier", "Master Voice", "--json"))
    told(cli("change", WRITTEN[0], "--voice", "off", "--json"))
    with database.connect() as connection:
        row = connection.execute(sa.select(phone_numbers).where(phone_numbers.c.e164 == NUMBERS[0])).one()
    assert (row.voice, row.sms, row.fax, row.voice_carrier_id) == (False, True, True, None)
    assert row.sms_carrier_id == world.carriers["Master SMS"]
    assert len(numbers()) == len(NUMBERS)


@pytest.mark.long
def test_r20_to_a_user_by_address(cli: Cli, world: World, database: sa.Engine, numbers: Holders) -> None:
    with database.begin() as connection:
        person = {"tenant_id": world.clinic.id, "kind": "trunk", "name": "Ann", "email": "ann@example.org"}
        connection.execute(tables.users.insert().values(person))
    told(cli("assign", *WRITTEN, "--to", "Clinic Enterprise", "--json"))
    forwarded = cli("assign", *WRITTEN[:2], "--user", "ANN@example.org", "--service", "forwarded", "--json")
    assert told(forwarded)["counts"]["updated"] == 2
    held = cli("unassign", *WRITTEN, "--json")
    assert told(held, Exit.PARTLY_FAILED)["counts"]["failed"] == 2
    freed = cli("unassign", "--all", "--user", "Ann", "--yes", "--json", token=world.clinic.token)
    assert told(freed)["counts"]["updated"] == told(freed)["counts"]["total"] == 2
    assert len(numbers()) == len(NUMBERS)


@pytest.mark.long
def test_r24_r26_r27_deleted_by_file_and_brought_back(cli: Cli, numbers: Holders, tmp_path: Path) -> None:
    sheet, report = tmp_path / "old.csv", tmp_path / "report.csv"
    sheet.write_text("\n".join(("Phone Number", *WRITTEN, "+12125550190")))
    assert cli("delete", "--file", str(sheet)).exit_code == Exit.USAGE
    deleted = told(cli("delete", "--file", str(sheet), "--yes", "--report", str(report), "--json"), Exit.PARTLY_FAILED)
    assert (deleted["counts"]["deleted"], deleted["counts"]["failed"]) == (5, 1)
    assert "NOT_FOUND" in report.read_text(encoding="utf-8")
    assert numbers() == {}
    assert cli("undo", str(deleted["id"])).exit_code == Exit.OK
    assert len(numbers()) == len(NUMBERS)


@pytest.mark.long
def test_a_review_is_confirmed_or_cancelled(cli: Cli, world: World, numbers: Holders) -> None:
    reviews = []
    for name in ("Clinic Enterprise", "Hotel Enterprise"):
        shown = cli("assign", *WRITTEN, "--to", name, "--review")
        assert shown.exit_code == Exit.OK, shown.output
        for text in ("     updated            5", f"{name}: 5 updated", f"tenant: Northern Reseller -> {name}"):
            assert text in shown.stdout, shown.stdout
        reviews.append(shown.stdout.split()[1].rstrip(":"))
    assert set(numbers().values()) == {world.north.id}
    assert cli("cancel", reviews[0]).exit_code == Exit.OK
    assert cli("confirm", reviews[0]).exit_code == Exit.REFUSED
    assert cli("confirm", reviews[1]).exit_code == Exit.OK
    assert set(numbers().values()) == {world.hotel.id}


@pytest.mark.long
def test_an_upload_is_reviewed_and_confirmed(cli: Cli, numbers: Holders, tmp_path: Path) -> None:
    sheet = tmp_path / "new.csv"
    sheet.write_text("Country Code,Phone Number,Voice,SMS\n1,2125550180,TRUE,FALSE\n1,abc,TRUE,FALSE\n")
    options = ("--review", "--assign-to", "Clinic Enterprise", "--json")
    job = told(cli("upload", str(sheet), *options))
    assert (job["status"], job["review"]["effect"]["created"]) == ("review", 1)
    assert cli("confirm", str(job["id"])).exit_code == Exit.PARTLY_FAILED
    aborted = told(cli("upload", str(sheet), "--on-error", "abort", "--watch", "--json"), Exit.PARTLY_FAILED)
    assert aborted["counts"]["created"] == 0
    assert len(numbers()) == len(NUMBERS)
