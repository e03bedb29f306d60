"""Undo by hand-written cases (R27): what is put back, what is left alone, and what its report looks like."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support import factories
from tests.support.api_client import Door, Json, table
from tests.support.factories import World
from tests.support.files import sheets

NUMBERS = [f"+1212555010{place}" for place in range(4)]


def sheet(*flags: str) -> bytes:
    """The numbers with these values of Fax, Voice on; more than the four are repeated."""
    lines = [("1", NUMBERS[place % 4][2:], "TRUE", "FALSE", flag) for place, flag in enumerate(flags)]
    return sheets.csv_bytes([sheets.HEADER, *lines])


def undo(door: Door, job_id: str) -> Json:
    return door.done(door.post(f"/v1/jobs/{job_id}/undo"))


def refusal(door: Door, job_id: str) -> str:
    answer = door.post(f"/v1/jobs/{job_id}/undo")
    assert answer.status_code == 409
    return str(answer.json["code"])


def codes(door: Door, job: Json) -> list[str]:
    return [row["code"] for row in door.rows(job["id"])]


def stock(database: sa.Engine) -> list[sa.Row[Any]]:
    """All numbers, but not which undo restored them."""
    columns = [column for column in tables.phone_numbers.columns if column.name != "restored_job_id"]
    with database.begin() as connection:
        return list(connection.execute(sa.select(*columns).order_by("e164")))


@pytest.mark.long
def test_r27_an_upload_is_undone_row_by_row(api: Door, database: sa.Engine) -> None:
    """What it created goes, what it updated is as before; one row per row, in order; the file's own columns."""
    api.upload(sheet("FALSE", "FALSE"))
    before = stock(database)
    content = sheet("TRUE", "FALSE", "TRUE", "TRUE", "TRUE") + b"1,nonsense,TRUE,FALSE,FALSE\r\n"
    job = api.upload(content, on_existing="update")
    undoing = undo(api, job["id"])
    assert codes(api, undoing) == ["RESTORED", "NO_CHANGE", "DELETED", "DELETED", "NO_CHANGE", "NO_CHANGE"]
    assert (undoing["kind"], undoing["undo_of"], undoing["file"]) == ("undo", job["id"], None)
    assert undoing["counts"] | {"warnings": 0} == {
        "total": 6, "created": 0, "updated": 1, "deleted": 2, "unchanged": 3, "skipped": 0, "failed": 0,
        "unprocessed": 0, "warnings": 0,
    }  # fmt: skip
    assert stock(database) == before
    lines = table(api.report(undoing["id"]))
    assert list(lines[0])[:5] == list(sheets.HEADER)
    assert [line["_row"] for line in lines] == ["2", "3", "4", "5", "6", "7"]


@pytest.mark.long
def test_r27_numbers_changed_or_assigned_since_are_left_alone(api: Door, world: World) -> None:
    job = api.upload(sheet("FALSE", "FALSE", "FALSE"))
    api.act("capability-changes", {"numbers": NUMBERS[:1], "fax": True})
    api.act("assignments", {"numbers": NUMBERS[1:2], "tenant_id": world.clinic.tenant.public_id})
    undoing = undo(api, job["id"])
    assert codes(api, undoing) == ["CHANGED_SINCE", "CHANGED_SINCE", "DELETED"]
    assert undoing["status"] == "completed_with_errors"
    assert api.get(f"/v1/numbers/{NUMBERS[1]}").json["tenant"]["id"] == world.clinic.tenant.public_id


@pytest.mark.long
def test_r27_a_chain_is_undone_backwards_and_an_undo_is_undone(api: Door, world: World, database: sa.Engine) -> None:
    upload = api.upload(sheet("FALSE"))
    states, jobs = [stock(database)], []
    for path, body in (
        ("capability-changes", {"fax": True}),
        ("assignments", {"tenant_id": world.clinic.tenant.public_id}),
        ("unassignments", {}),
        ("deletions", {}),
    ):
        jobs.append(api.act(path, {"numbers": NUMBERS[:1], **body}))
        states.append(stock(database))
    undone = []
    for job, state in zip(reversed(jobs), reversed(states[:-1]), strict=True):
        undone.append(undo(api, job["id"]))
        assert stock(database) == state
    again = undo(api, undone[-1]["id"])
    assert stock(database) == states[1]
    assert refusal(api, undone[-1]["id"]) == "NOTHING_TO_UNDO"  # a second time there is nothing left to do
    undo(api, again["id"])
    assert codes(api, undo(api, upload["id"])) == ["DELETED"]
    assert stock(database) == []


@pytest.mark.long
def test_r27_a_number_that_another_has_now_is_left_alone_and_nobody_is_named(api: Door, world: World) -> None:
    """R3: it was deleted, and uploaded by a stranger since."""
    api.upload(sheet("FALSE"))
    job = api.act("deletions", {"numbers": NUMBERS[:1]})
    api.as_(world.south.token).upload(sheet("FALSE"))
    undoing = undo(api, job["id"])
    assert codes(api, undoing) == ["CHANGED_SINCE"]
    said = str(api.rows(undoing["id"])) + str(undoing) + api.report(undoing["id"]).decode()
    assert not any(secret in said for secret in world.secrets_of_south)


@pytest.mark.long
@pytest.mark.parametrize("gone", ["user", "SMS service", "slot"])
def test_r27_what_the_number_went_back_to_may_be_gone(gone: str, api: Door, world: World, database: sa.Engine) -> None:
    """A user who left, lost its SMS service, or has another number by now."""
    api.upload(sheet("FALSE", "FALSE"), assign_to=world.clinic.tenant.public_id)
    clinic = api.as_(world.clinic.token)
    api.act("capability-changes", {"numbers": NUMBERS[:2], "sms": True})
    with database.begin() as connection:
        user = factories.user(connection, world.clinic.tenant, sms_enabled=True)
        user_id = factories.public_id(connection, tables.users, user)
    service = "sms" if gone == "SMS service" else "voice"
    clinic.act("assignments", {"numbers": NUMBERS[:1], "user_id": user_id, "service": service})
    job = clinic.act("unassignments", {"numbers": NUMBERS[:1]})
    if gone == "slot":
        clinic.act("assignments", {"numbers": NUMBERS[1:2], "user_id": user_id, "service": "voice"})
    else:
        with database.begin() as connection:
            same = tables.users.c.id == user
            if gone == "user":
                connection.execute(tables.users.delete().where(same))
            else:
                connection.execute(tables.users.update().where(same).values(sms_enabled=False))
    assert codes(clinic, undo(clinic, job["id"])) == ["CHANGED_SINCE"]


@pytest.mark.long
def test_r28_a_history_tells_every_job_that_touched_a_number(api: Door, world: World) -> None:
    """R3: and to each reader only the jobs it may see."""
    upload = api.upload(sheet("FALSE"))
    change = api.act("capability-changes", {"numbers": NUMBERS[:1], "fax": True})
    assign = api.act("assignments", {"numbers": NUMBERS[:1], "tenant_id": world.clinic.tenant.public_id})
    undoing = undo(api, assign["id"])
    history = api.get(f"/v1/numbers/{NUMBERS[0]}").json["history"]
    assert [entry["job_id"] for entry in history] == [upload["id"], change["id"], assign["id"], undoing["id"]]
    assert [entry["kind"] for entry in history] == ["upload", "change", "assign", "undo"]
    api.act("assignments", {"numbers": NUMBERS[:1], "tenant_id": world.clinic.tenant.public_id})
    assert api.as_(world.clinic.token).get(f"/v1/numbers/{NUMBERS[0]}").json["history"] == []


@pytest.mark.long
def test_all_or_nothing_meets_what_only_the_inventory_knows(api: Door, world: World, database: sa.Engine) -> None:
    """R28: one number taken elsewhere, and nothing is written; skipped rows are no failures."""
    api.as_(world.south.token).upload(sheet("FALSE"))
    before = stock(database)
    job = api.upload(sheet("FALSE", "FALSE", "FALSE"), on_error="abort")
    assert codes(api, job) == ["NUMBER_EXISTS_ELSEWHERE", "ABORTED", "ABORTED"]
    assert (job["counts"]["failed"], job["counts"]["unprocessed"]) == (1, 2)
    assert stock(database) == before
    content = sheets.csv_bytes(
        [sheets.HEADER, *(("1", n[2:], "TRUE", "FALSE", "FALSE") for n in [*NUMBERS[1:], NUMBERS[1]])]
    )
    assert codes(api, api.upload(content, on_error="abort")) == ["CREATED"] * 3 + ["DUPLICATE_IN_FILE"]


@pytest.mark.long
def test_a_review_tells_the_effect_and_writes_nothing(api: Door, world: World, database: sa.Engine) -> None:
    """Counts by outcome, target and carrier, and changes with before and after; then it is confirmed."""
    api.upload(sheet("FALSE"))
    before = stock(database)
    clinic = world.clinic.tenant
    form = {"mode": "review", "on_existing": "update", "assign_to": clinic.public_id}
    job = api.upload(sheet("TRUE", "FALSE") + b"1,12,TRUE,TRUE,TRUE\r\n", **form)
    assert job["status"] == "review"
    assert stock(database) == before
    review = job["review"]
    assert (review["effect"]["created"], review["effect"]["updated"], review["effect"]["failed"]) == (1, 1, 1)
    target = {"id": clinic.public_id, "name": clinic.name, "kind": "enterprise"}
    assert review["targets"] == [{"tenant": target, "created": 1, "updated": 1, "deleted": 0}]
    assert review["carriers"] == [{"service": "voice", "name": "Master Voice", "count": 2}]
    (change,) = review["changes"]
    assert change["number"] == NUMBERS[0]
    assert (change["before"]["fax"], change["after"]["fax"]) == (False, True)
    assert (change["before"]["tenant"]["name"], change["after"]["tenant"]) == ("Northern Reseller", target)
    assert codes(api, job) == ["UPDATED", "CREATED", "TOO_SHORT"]
    done = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert codes(api, done) == ["UPDATED", "CREATED", "TOO_SHORT"]
    assert len(stock(database)) == 2
