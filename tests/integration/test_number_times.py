"""When numbers were created and last changed, and lists of what changed since a time (R34)."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from schemas.database.tables import jobs, phone_numbers
from tests.support import factories
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from worker.numbers import times

SEED = 20_261_131


def listed(door: Door, **query: str) -> dict[str, Json]:
    """All numbers of a list, page by page, without what a list of another moment may say differently."""
    found: dict[str, Json] = {}
    cursor: str | None = None
    while True:
        answer = door.get("/v1/numbers", query_string={"limit": 3, **query} | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found |= {number["e164"]: number for number in answer.json["data"]}
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found


def since(moment: datetime) -> dict[str, str]:
    return {"updated_since": moment.isoformat()}


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_times_are_those_of_the_jobs(api: Door, database: sa.Engine) -> None:
    upload = api.upload(sheets.csv_bytes(sheets.rows(4)))
    numbers = sorted(listed(api))
    for number in listed(api).values():
        assert (number["created_at"], number["updated_at"]) == (upload["created_at"], upload["finished_at"])
    changed = api.act("capability-changes", {"numbers": numbers[:2], "fax": "enable"})
    found = listed(api)
    assert [found[number]["updated_at"] for number in numbers] == [changed["finished_at"]] * 2 + [
        upload["finished_at"]
    ] * 2
    assert {number["created_at"] for number in found.values()} == {upload["created_at"]}
    undo = api.done(api.post(f"/v1/jobs/{changed['id']}/undo"))
    found = listed(api)
    assert [found[number]["updated_at"] for number in numbers[:2]] == [undo["finished_at"]] * 2
    one = api.get(f"/v1/numbers/{numbers[0]}").json
    assert (one["created_at"], one["updated_at"]) == (upload["created_at"], undo["finished_at"])
    again = api.act("capability-changes", {"numbers": numbers[:1], "fax": "enable"})
    assert listed(api)[numbers[0]]["updated_at"] == again["finished_at"]
    with database.connect() as connection:
        restored = connection.execute(
            sa.select(phone_numbers.c.restored_job_id).order_by(phone_numbers.c.e164)
        ).scalars()
        assert [job is None for job in restored] == [True, False, True, True]


def test_a_deleted_number_that_comes_back_has_changed(api: Door) -> None:
    upload = api.upload(sheets.csv_bytes(sheets.rows(2)))
    deleted = api.act("deletions", {"numbers": list(listed(api))})
    assert listed(api) == {}
    undo = api.done(api.post(f"/v1/jobs/{deleted['id']}/undo"))
    found = listed(api, **since(time_of(deleted["finished_at"])))
    assert len(found) == 2
    for number in found.values():
        assert (number["created_at"], number["updated_at"]) == (upload["created_at"], undo["finished_at"])


def test_the_filter_agrees_with_the_times(api: Door) -> None:
    ends = [time_of(api.upload(sheets.csv_bytes(sheets.rows(3, first=first)))["finished_at"]) for first in (0, 3, 6)]
    for moment in (*ends, *(end + timedelta(microseconds=1) for end in ends), ends[0] - timedelta(days=1)):
        expected = {name for name, number in listed(api).items() if time_of(number["updated_at"]) >= moment}
        assert set(listed(api, **since(moment))) == expected, moment
        assert set(listed(api, **since(moment.astimezone(tz=None)))) == expected
    assert listed(api, **since(ends[-1]), country="DE") == {}
    assert len(listed(api, updated_since=ends[1].date().isoformat())) == 9
    refused = api.get("/v1/numbers", query_string={"updated_since": "yesterday"})
    assert (refused.status_code, refused.json["code"]) == (422, "INVALID_FIELD")
    assert refused.json["errors"][0]["field"] == "updated_since"


def test_a_copy_kept_by_time_misses_nothing(api: Door, world: World) -> None:
    dice = random.Random(SEED)
    copy: dict[str, Json] = {}
    last = datetime(2000, 1, 1, tzinfo=UTC)
    reversible: list[str] = []
    for round_ in range(12):
        numbers = sorted(listed(api))
        some = dice.sample(numbers, min(len(numbers), 2))
        action = dice.choice(["upload", "capability-changes", "assignments", "undo"]) if numbers else "upload"
        if action == "upload":
            job = api.upload(sheets.csv_bytes(sheets.rows(3, first=3 * round_)))
        elif action == "undo" and reversible:
            job = api.done(api.post(f"/v1/jobs/{reversible.pop()}/undo"))
        elif action == "assignments":
            job = api.act(action, {"numbers": some, "tenant_id": world.clinic.tenant.public_id})
            reversible.append(job["id"])
        else:
            job = api.act("capability-changes", {"numbers": some, "fax": dice.choice(["enable", "disable"])})
            reversible.append(job["id"])
        assert job["finished_at"] is not None
        copy |= listed(api, **since(last))
        last = time_of(job["finished_at"])
        assert copy == listed(api), (round_, action)


def test_a_job_that_has_not_ended_has_just_changed_its_numbers(api: Door, database: sa.Engine) -> None:
    upload = api.upload(sheets.csv_bytes(sheets.rows(2)))
    later = time_of(upload["finished_at"]) + timedelta(microseconds=1)
    assert listed(api, **since(later)) == {}
    with database.begin() as connection:  # as it is between its last chunk and its report
        same = jobs.c.public_id == upload["id"]
        connection.execute(jobs.update().where(same).values(finished_at=None, status="running"))
    found = listed(api, **since(later))
    assert len(found) == 2
    assert all(time_of(number["updated_at"]) > later for number in found.values())


def test_exports_and_actions_take_the_same_filter(api: Door) -> None:
    api.upload(sheets.csv_bytes(sheets.rows(3)))
    second = api.upload(sheets.csv_bytes(sheets.rows(2, first=3)))
    asked = since(time_of(second["finished_at"]))
    expected = listed(api, **asked)
    assert len(expected) == 2
    lines = api.get("/v1/numbers.jsonl", query_string=asked)
    without_history = [{name: value for name, value in one.items() if name != "history"} for one in expected.values()]
    assert [json.loads(line) for line in lines.text.splitlines()] == without_history
    job = api.done(api.post("/v1/exports", {"format": "jsonl", "filter": asked}))
    assert api.get(f"/v1/jobs/{job['id']}/file").text == lines.text
    deleted = api.act("deletions", {"filter": asked, "expected_count": 2})
    assert deleted["counts"]["deleted"] == 2
    assert len(listed(api)) == 3


def test_numbers_that_no_job_brought_have_no_times(api: Door, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        factories.number(connection, 12125550100, world.north.tenant)
    (number,) = listed(api).values()
    assert (number["created_at"], number["updated_at"]) == (None, None)
    assert listed(api, updated_since="2000-01-01") == {}


def test_a_page_can_have_more_jobs_than_a_query_has_parameters(api: Door, database: sa.Engine) -> None:
    job = api.upload(sheets.csv_bytes(sheets.rows(1)))
    with database.connect() as connection:
        (found,) = times.of_jobs(connection, range(70_000)).values()
    assert found.created_at == time_of(job["created_at"])
