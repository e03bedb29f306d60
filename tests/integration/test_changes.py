"""The changes of the inventory: all of them, once, in order, and only those of the reader's tree (R34)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.database.tables import number_change_positions, number_changes, tenants
from schemas.permissions import Actor
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.followed_changes import Copy
from worker.maintenance import cleaner
from worker.numbers import changes

PBX = {"name": "Ann", "email": "ann@clinic.example", "kind": "pbx"}


def told(door: Door, after: str | None = None, **query: str | int) -> list[Json]:
    """All changes after a cursor, page by page."""
    found: list[Json] = []
    while True:
        query |= {} if after is None else {"after": after}
        answer = door.get("/v1/changes", query_string=query)
        assert answer.status_code == 200, answer.text
        if not answer.json["data"]:
            return found
        found += answer.json["data"]
        after = answer.json["next_cursor"]


def types(events: list[Json]) -> list[str]:
    return [event["type"].removeprefix("number.") for event in events]


def cursor(door: Door) -> str:
    events = told(door)
    return events[-1]["id"] if events else "0"


def test_every_kind_of_job_is_told(api: Door, world: World) -> None:
    assert told(api) == []
    upload = api.upload(sheets.csv_bytes(sheets.rows(6)))
    created = told(api)
    assert types(created) == ["created"] * 6
    first, clinic = created[0], world.clinic.tenant.public_id
    listed = api.get(f"/v1/numbers/{first['e164']}").json
    assert {name: first[name] for name in listed if name in first} == {
        name: value for name, value in listed.items() if name in first
    }
    assert first["job_id"] == upload["id"]
    numbers = [event["e164"] for event in created]

    def after(action: str, **body: Any) -> list[str]:  # noqa: ANN401 - fields of the body
        before = cursor(api)
        ended = api.act(action, {"numbers": numbers[:2], **body})
        assert ended["status"] == "completed", ended
        events = told(api, before)
        assert [event["e164"] for event in events] == numbers[:2]
        assert {event["job_id"] for event in events} == {ended["id"]}
        jobs_done.append(ended["id"])
        return types(events)

    def undone() -> list[str]:
        before = cursor(api)
        api.done(api.post(f"/v1/jobs/{jobs_done.pop()}/undo"))
        return types(told(api, before))

    jobs_done: list[str] = []
    assert after("capability-changes", fax="enable") == ["changed"] * 2
    assert undone() == ["changed"] * 2
    assert after("assignments", tenant_id=clinic) == ["assigned"] * 2
    assert undone() == ["unassigned"] * 2
    assert after("assignments", tenant_id=clinic) == ["assigned"] * 2
    user = api.post("/v1/users", {**PBX, "tenant_id": clinic}).json["id"]
    numbers = numbers[:1]
    assert after("assignments", user_id=user, service="voice") == ["assigned"]
    event = told(api)[-1]
    assert event["voice_user"] == {"id": user, **PBX, "service": "voice"}
    assert event["status"] == "assigned"
    assert event["tenant"]["id"] == clinic
    assert undone() == ["unassigned"]
    assert after("unassignments") == ["unassigned"]
    assert told(api)[-1]["status"] == "unassigned"
    assert after("deletions") == ["deleted"]
    gone = told(api)[-1]
    assert {name for name, value in gone.items() if value is not None} == {"id", "at", "type", "e164", "job_id"}
    assert undone() == ["restored"]
    assert api.done(api.post(f"/v1/jobs/{upload['id']}/undo"))["status"] == "completed_with_errors"
    assert types(told(api))[-4:] == ["deleted"] * 4


def test_nothing_is_told_of_a_job_that_changes_nothing(api: Door) -> None:
    content = sheets.csv_bytes(sheets.rows(3))
    api.upload(content)
    before = cursor(api)
    api.upload(content)
    api.upload(sheets.csv_bytes([sheets.HEADER, ["1", "212", "TRUE", "", ""]]))
    assert told(api, before) == []


def test_a_number_that_leaves_the_tree_is_gone(api: Door, world: World) -> None:
    api.upload(sheets.csv_bytes(sheets.rows(2)))
    numbers = [event["e164"] for event in told(api)]
    clinic, hotel = api.as_(world.clinic.token), api.as_(world.hotel.token)
    api.act("assignments", {"numbers": numbers, "tenant_id": world.clinic.tenant.public_id})
    assert types(told(clinic)) == ["assigned"] * 2
    assert told(hotel) == []
    assert {event["job_id"] for event in told(clinic)} == {None}  # a job of the level above
    api.act("assignments", {"numbers": numbers[:1], "tenant_id": world.hotel.tenant.public_id})
    api.act("unassignments", {"numbers": numbers[1:]})
    for event in told(clinic)[2:]:
        assert event["type"] == "number.gone"
        assert {name for name, value in event.items() if value is not None} == {"id", "at", "type", "e164"}
    assert [event["e164"] for event in told(clinic)[2:]] == numbers
    assert types(told(hotel)) == ["assigned"]
    assert types(told(api))[-2:] == ["assigned", "unassigned"]
    for secret in world.secrets_of_south:
        assert secret not in str(told(api))


def test_nobody_learns_how_much_others_change(api: Door, world: World) -> None:
    for door in (api, api.as_(world.south.token)):
        for part in range(3):
            door.upload(sheets.csv_bytes(sheets.rows(2, first=part * 10 + (door is not api) * 100)))
    places = [[_place(event) for event in told(door)] for door in (api, api.as_(world.south.token))]
    assert places[0] == places[1]
    assert len(told(api.as_(world.master.token))) == 12


def test_pages_of_any_size_are_the_same_changes(api: Door, world: World, configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=7)
    api.upload(sheets.csv_bytes(sheets.rows(40)))
    numbers = [event["e164"] for event in told(api)]
    api.act("assignments", {"numbers": numbers[::3], "tenant_id": world.clinic.tenant.public_id})
    for door in (api, api.as_(world.clinic.token)):
        everything = told(door, limit=1000)
        assert all(_place(one) < _place(other) for one, other in pairwise(everything))
        for limit in (1, 2, 5, 6, 7, 8, 13):
            assert told(door, limit=limit) == everything
        for index, event in enumerate(everything):
            assert told(door, event["id"], limit=1000) == everything[index + 1 :]


def _place(event: Json) -> tuple[int, int]:
    """Where a change is in the order: a cursor without a count is behind all others of its position."""
    cursor = changes.Cursor.parse(event["id"])
    return cursor.position, cursor.count or 10**9


def test_a_deleted_tenant_takes_nothing_from_the_changes(api: Door, world: World) -> None:
    below = api.post("/v1/tenants", {"name": "Shop", "kind": "enterprise"}).json["id"]
    api.upload(sheets.csv_bytes(sheets.rows(1)))
    number = told(api)[0]["e164"]
    before = cursor(api)
    api.act("assignments", {"numbers": [number], "tenant_id": below})
    api.act("unassignments", {"numbers": [number]})
    assert api.delete(f"/v1/tenants/{below}").status_code == 204
    events = told(api, before)
    assert types(events) == ["assigned", "unassigned"]
    assert events[0]["tenant"] is None
    assert events[1]["tenant"]["name"] == world.north.tenant.name


@pytest.mark.parametrize("after", ["1", "7.3", "-1", "0.1", "x", "1-2.0", "9" * 30, "1-2.3.4", "1-", "0-0", ""])
def test_a_cursor_that_is_none_is_refused(api: Door, after: str) -> None:
    answer = api.get("/v1/changes", query_string={"after": after})
    assert answer.status_code == 422
    assert answer.json["code"] == "INVALID_FIELD"
    assert "after" in answer.text


def test_expired_changes(api: Door, database: sa.Engine) -> None:
    def age(up_to: int) -> None:
        old = number_changes.update().where(number_changes.c.id <= up_to)
        with database.begin() as connection:
            connection.execute(old.values(at=sa.func.now() - sa.text("interval '31 days'")))

    for part in range(4):
        api.upload(sheets.csv_bytes(sheets.rows(2, first=10 * part)))
    everything = told(api)
    with database.connect() as connection:
        ids = connection.execute(sa.select(number_changes.c.id).order_by(number_changes.c.id)).scalars().all()
    age(ids[1])
    assert cleaner.expire_changes() == 2
    assert cleaner.expire_changes() == 0
    assert told(api) == everything[4:]
    for index in (0, 1, 2):
        answer = api.get("/v1/changes", query_string={"after": everything[index]["id"]})
        assert (answer.status_code, answer.json["code"]) == (410, "CURSOR_EXPIRED")
    for index in (3, 4, 7):
        assert told(api, everything[index]["id"]) == everything[index + 1 :]
    position, _, mark = everything[3]["id"].partition("-")  # of a database that was replaced by a backup since
    assert api.get("/v1/changes", query_string={"after": f"{position}-{int(mark) ^ 1}"}).status_code == 410
    assert api.get("/v1/changes?after=0").status_code == 410
    age(ids[3])
    assert cleaner.expire_changes() == 2
    assert told(api) == []
    last = everything[-1]["id"]
    assert told(api, last) == []  # a reader that is up to date has missed nothing
    assert api.get("/v1/changes", query_string={"after": everything[-2]["id"]}).status_code == 410
    api.upload(sheets.csv_bytes(sheets.rows(2, first=90)))
    assert [event["id"] for event in told(api, last)] == [event["id"] for event in told(api)]
    assert _place(told(api)[0]) > _place(everything[-1])
    assert cleaner.expire_changes() == 0
    with database.connect() as connection:
        kept = sa.select(sa.func.count()).select_from(number_change_positions)
        age(ids[3] + 100)
        cleaner.expire_changes()
        assert connection.execute(kept).scalar_one() == 2  # the last of north and of the master


def test_waiting_for_a_change(api: Door) -> None:
    api.upload(sheets.csv_bytes(sheets.rows(1)))
    after, answers = cursor(api), []
    other = Door(api.client.application.test_client(), api.token, api.work_off)
    waiting = threading.Thread(
        target=lambda: answers.append(other.get("/v1/changes", query_string={"after": after, "wait": 10}).json)
    )
    waiting.start()
    api.upload(sheets.csv_bytes(sheets.rows(1, first=5)))
    waiting.join(60)
    assert types(answers[0]["data"]) == ["created"]
    answer = api.get("/v1/changes", query_string={"after": answers[0]["next_cursor"], "wait": 1})
    assert answer.json == {"data": [], "next_cursor": answers[0]["next_cursor"]}


def test_a_large_chunk_is_read_in_parts(api: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_NUMBERS", 4)
    api.upload(sheets.csv_bytes(sheets.rows(10)), on_error="abort")
    events = told(api)
    assert types(events) == ["created"] * 10
    assert [_place(event)[0] for event in events] == [1] * 4 + [2] * 4 + [3] * 2


@pytest.mark.long
def test_a_reader_misses_nothing_while_many_write(database: sa.Engine, world: World) -> None:
    """Four writers, one aborts now and then; a reader that restarts at random reads each commit once, in order."""
    rng_seed, rounds = 5, 120
    done = threading.Event()
    written: list[int] = []
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(rounds):
                with database.connect() as connection:
                    job = number * 1_000 + turn
                    connection.execute(sa.select(tenants.c.id).where(tenants.c.id == world.north.id))
                    table = Copy.created(job, [world.north.id], 1 + (job * rng_seed) % 3)
                    changes.record(connection, job, table)
                    if number == 3:
                        connection.rollback()
                    else:
                        connection.commit()
                        written.append(job)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]

    def read() -> Iterator[changes.ChangedNumber]:
        after = changes.Cursor()
        actor, turn = Actor(world.north.tenant, "test"), 0
        while True:
            finished = done.is_set()
            with database.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                turn += 1
                found = changes.read(connection, actor, after, 1 + turn * rng_seed % 7)
            yield from found.numbers
            after = changes.Cursor.parse(str(found.end))  # as if it began anew
            if finished and not found.numbers:
                return

    seen: list[changes.ChangedNumber] = []
    reader = threading.Thread(target=lambda: seen.extend(read()))
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join(120)
    done.set()
    reader.join(120)
    assert not errors
    assert {each.job_id for each in seen} == set(written)
    assert len(seen) == sum(1 + (job * rng_seed) % 3 for job in written)
    places = [(each.cursor.position, each.cursor.count or 10**9) for each in seen]
    assert all(one < other for one, other in pairwise(places))
    with database.connect() as connection:
        by_commit = connection.execute(sa.select(number_changes.c.job_id).order_by(number_changes.c.id)).scalars().all()
    assert [each.job_id for each in seen if not each.cursor.count] == list(by_commit)


@pytest.mark.long
def test_a_writer_that_stops_does_not_stop_the_others(database: sa.Engine, world: World) -> None:
    with database.connect() as stopped, database.connect() as other:
        changes.record(stopped, 1, Copy.created(1, [world.north.id], 1))
        changes.record(other, 2, Copy.created(2, [world.north.id], 1))  # once the server has ended the first one
        other.commit()
        with pytest.raises(sa.exc.DBAPIError):
            stopped.execute(sa.text("SELECT 1"))
        stopped.invalidate()
    with database.connect() as connection:
        assert connection.execute(sa.select(number_changes.c.job_id)).scalars().all() == [2]


@pytest.mark.parametrize("seed", range(3))
def test_a_copy_kept_by_the_changes_equals_the_inventory(
    api: Door, world: World, configure: Callable[..., None], seed: int
) -> None:
    """Jobs drawn by chance; every tenant's copy, kept by its changes alone, is what it sees."""
    configure(rows_per_chunk=5)
    rng = random.Random(seed)
    doors = {name: api.as_(getattr(world, name).token) for name in ("master", "north", "clinic", "hotel", "south")}
    copies = {name: Copy() for name in doors}
    ended: list[str] = []
    for turn in range(25):
        numbers = [each["e164"] for each in api.get("/v1/numbers?limit=500").json["data"]]
        some = rng.sample(numbers, min(len(numbers), rng.randint(1, 12)))
        target = rng.choice([world.clinic, world.hotel]).tenant.public_id
        deed = rng.choice(["upload", "assign", "assign", "unassign", "change", "delete", "undo", "undo"])
        if deed == "upload" or not some:
            content = sheets.csv_bytes(sheets.rows(rng.randint(1, 12), first=turn * 20))
            ended.append(api.upload(content, on_existing="update")["id"])
        elif deed == "undo" and ended:
            answer = api.post(f"/v1/jobs/{ended.pop(rng.randrange(len(ended)))}/undo")
            if answer.status_code == 202:
                ended.append(api.done(answer)["id"])
        elif deed != "undo":
            action, body = {
                "assign": ("assignments", {"tenant_id": target}),
                "unassign": ("unassignments", {}),
                "change": ("capability-changes", {"fax": rng.choice(["enable", "disable"])}),
            }.get(deed, ("deletions", {}))
            ended.append(api.act(action, {"numbers": some, **body})["id"])
        for name, door in doors.items():
            if rng.random() < 0.5:  # others catch up later
                copies[name].follow(door, limit=rng.randint(1, 30))
    api.upload(sheets.csv_bytes(sheets.rows(3, first=900)))
    for name, door in doors.items():
        copies[name].follow(door)
        assert copies[name].numbers == Copy.of_inventory(door), name
    assert len(copies["master"].numbers) >= 3
