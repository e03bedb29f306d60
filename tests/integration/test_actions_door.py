"""The doors for actions: numbers by list, filter and file; what is chosen; and refusals that leave nothing behind."""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from openpyxl import Workbook
from werkzeug.test import TestResponse

from schemas.database import tables
from schemas.database.tables import job_chunks, jobs, phone_numbers
from schemas.http.file_options import FileForm
from schemas.jobs import JobOptions, Mode, OnError
from schemas.permissions import Actor
from schemas.user_services import Service
from tests.support import factories
from tests.support.api_client import Door, Json
from tests.support.declared_answers import followed
from tests.support.factories import World
from webhook.http import body_limits
from worker.numbers import filters, selections
from worker.numbers.filters import NumberFilter

ACTIONS = ("assignments", "unassignments", "capability-changes", "deletions")
NOBODY = str(uuid.UUID(int=7))
FREE = [12125550100 + place for place in range(4)]  # north's, held by nobody below
CLINICS, HOTELS = 12125550110, 14165550111  # north's, held by its enterprises
SOUTHS, SCHOOLS = 12125550120, 12125550121
NORTH = {*FREE, CLINICS, HOTELS}
JSON = "application/json"


@pytest.fixture
def numbers(world: World, database: sa.Engine) -> list[str]:
    """Numbers of both resellers, free and given away; answers the free ones of `north`, as the API writes them."""
    with database.begin() as connection:
        for e164 in FREE:
            factories.number(connection, e164, world.north.tenant, voice_carrier_id=world.carriers["North voice"])
        factories.number(connection, CLINICS, world.clinic.tenant, uploader_id=world.north.id, sms=True)
        factories.number(connection, HOTELS, world.hotel.tenant, uploader_id=world.north.id, country="CA")
        factories.number(connection, SOUTHS, world.south.tenant, voice_carrier_id=world.carriers["South voice"])
        factories.number(connection, SCHOOLS, world.school.tenant, uploader_id=world.south.id)
    return [f"+{e164}" for e164 in FREE]


@pytest.fixture
def users(world: World, database: sa.Engine) -> dict[str, str]:
    """Public ids of users: of the clinic `pbx`, `trunk` and `texting` (SMS enabled), of the school `elsewhere`."""
    people = {
        "pbx": (world.clinic, "pbx", False),
        "trunk": (world.clinic, "trunk", False),
        "texting": (world.clinic, "pbx", True),
        "elsewhere": (world.school, "pbx", True),
    }
    with database.begin() as connection:
        return {
            name: connection.execute(
                tables.users.insert()
                .values(tenant_id=home.id, kind=kind, name=name, email=f"{name}@example.org", sms_enabled=sms)
                .returning(tables.users.c.public_id)
            ).scalar_one()
            for name, (home, kind, sms) in people.items()
        }


@pytest.fixture
def nothing_left(database: sa.Engine, stored: Callable[[], list[str]]) -> Iterator[None]:
    """Asserts at the end that neither the storage nor a table tells of a job."""
    yield
    assert stored() == []
    with database.connect() as connection:
        for table in (jobs, job_chunks):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0, table.name


def assert_refused(answer: TestResponse, status: int, code: str) -> None:
    """RFC 9457 with our code, and no book of an answer to a hostile request."""
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.get_data(as_text=True)[:2000]
    assert answer.content_type == "application/problem+json"
    assert answer.json["fix"]
    assert len(answer.data) < 50_000


def raw(api: Door, content: bytes, content_type: str = JSON, **more: Any) -> TestResponse:  # noqa: ANN401
    headers = {"Authorization": f"Bearer {api.token}"}
    stream = io.BytesIO(content)
    return api.client.post("/v1/deletions", input_stream=stream, content_type=content_type, headers=headers, **more)


def options_of(database: sa.Engine, answer: TestResponse) -> JobOptions:
    """What an accepted job was told."""
    assert answer.status_code == 202, answer.get_data(as_text=True)
    with database.connect() as connection:
        found = connection.execute(sa.select(jobs.c.options).where(jobs.c.public_id == answer.json["id"])).scalar_one()
    return JobOptions.from_json(found)


def inventory(database: sa.Engine, *columns: str) -> dict[int, tuple[Any, ...]]:
    with database.connect() as connection:
        rows = connection.execute(sa.select(phone_numbers.c.e164, *(phone_numbers.c[name] for name in columns)))
        return {row[0]: tuple(row[1:]) for row in rows}


def csv(*lines: str) -> bytes:
    return "\r\n".join(lines).encode()


def workbook(*rows: tuple[str, ...]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


# Three ways to say which numbers


def by_list(numbers: list[str]) -> tuple[Json, bytes | None]:
    return {"numbers": numbers}, None


def by_filter(numbers: list[str]) -> tuple[Json, bytes | None]:
    return {"filter": {"q": "+1 212 555-010"}, "expected_count": len(numbers)}, None


def by_csv(numbers: list[str]) -> tuple[Json, bytes | None]:
    return {}, csv("Phone Number,Note", *(f"{number},kept" for number in numbers))


def by_workbook(numbers: list[str]) -> tuple[Json, bytes | None]:
    return {}, workbook(("Phone Number",), *((number,) for number in numbers))


WAYS = pytest.mark.parametrize("way", [by_list, by_filter, by_csv, by_workbook])
Way = Callable[[list[str]], tuple[Json, bytes | None]]


def act(api: Door, action: str, which: tuple[Json, bytes | None], **options: str) -> Json:
    """Have an action done on numbers, whichever way they are given."""
    body, file = which
    return api.act(action, body | options) if file is None else api.upload(file, to=action, **options)


@pytest.mark.long
@WAYS
def test_r18_numbers_go_to_an_enterprise(
    api: Door, world: World, database: sa.Engine, numbers: list[str], way: Way
) -> None:
    job = act(api, "assignments", way(numbers), tenant_id=world.clinic.tenant.public_id)
    assert (job["kind"], job["status"]) == ("assign", "completed")
    assert api.codes(job["id"]) == dict.fromkeys(numbers, "ASSIGNED")
    held = inventory(database, "holder_id")
    assert {held[e164] for e164 in FREE} == {(world.clinic.id,)}
    assert held[HOTELS] == (world.hotel.id,)


@pytest.mark.long
@WAYS
def test_r19_numbers_are_taken_back(api: Door, world: World, database: sa.Engine, numbers: list[str], way: Way) -> None:
    with database.begin() as connection:
        connection.execute(
            phone_numbers.update().where(phone_numbers.c.e164.in_(FREE)).values(holder_id=world.hotel.id)
        )
    job = act(api, "unassignments", way(numbers))
    assert (job["kind"], job["status"]) == ("unassign", "completed")
    assert api.codes(job["id"]) == dict.fromkeys(numbers, "UNASSIGNED")
    held = inventory(database, "holder_id")
    assert {held[e164] for e164 in FREE} == {(world.north.id,)}


@pytest.mark.long
@WAYS
def test_r23_capabilities_and_carriers_are_changed(
    api: Door, world: World, database: sa.Engine, numbers: list[str], way: Way
) -> None:
    chosen = {"voice": "disable", "sms": "enable", "fax": "leave", "sms_carrier_profile": "north SMS"}
    job = act(api, "capability-changes", way(numbers), **chosen)
    assert (job["kind"], job["status"]) == ("change", "completed")
    assert api.codes(job["id"]) == dict.fromkeys(numbers, "UPDATED")
    found = inventory(database, "voice", "sms", "fax", "voice_carrier_id", "sms_carrier_id")
    assert {found[e164] for e164 in FREE} == {(False, True, False, None, world.carriers["North sms"])}


@pytest.mark.long
@WAYS
def test_r24_numbers_are_deleted(api: Door, database: sa.Engine, numbers: list[str], way: Way) -> None:
    job = act(api, "deletions", way(numbers))
    assert (job["kind"], job["status"], job["counts"]["deleted"]) == ("delete", "completed", len(numbers))
    assert set(inventory(database)) == {CLINICS, HOTELS, SOUTHS, SCHOOLS}


@pytest.mark.usefixtures("numbers")
def test_r20_numbers_go_to_a_user(api: Door, world: World, database: sa.Engine, users: dict[str, str]) -> None:
    job = api.as_(world.clinic.token).act("assignments", {"numbers": [f"+{CLINICS}"], "user_id": users["pbx"]})
    assert api.as_(world.clinic.token).codes(job["id"]) == {f"+{CLINICS}": "ASSIGNED"}
    voice, sms = inventory(database, "voice_user_id", "sms_user_id")[CLINICS]
    assert (voice is not None, sms) == (True, None)


def test_r28_every_item_of_a_list_has_its_row(api: Door, numbers: list[str], world: World) -> None:
    """What is no number, is there twice or is not the admin's fails or is skipped alone."""
    hostile = [
        "",
        " ",
        "abc",
        "+1",
        "212555",
        "=1+1",
        "\N{NULL}",
        "x" * 256,
        "+12125550199",
        f"+{SOUTHS}",
        "é\u202e",
    ]
    given = [*hostile, numbers[0], "001 (212) 555-0100"]
    job = api.act("assignments", {"numbers": given, "tenant_id": world.clinic.tenant.public_id})
    rows = api.rows(job["id"])
    assert [row["row"] for row in rows] == list(range(1, len(given) + 1))
    assert [row["code"] for row in rows[-2:]] == ["ASSIGNED", "DUPLICATE_IN_FILE"]
    assert {row["result"] for row in rows[:-2]} == {"failed"}
    codes = {item: row["code"] for item, row in zip(given, rows, strict=True)}
    assert (codes["+12125550199"], codes[f"+{SOUTHS}"], codes[""]) == ("NOT_FOUND", "NOT_FOUND", "MISSING_VALUE")
    assert job["status"] == "completed_with_errors"


def test_r12_rows_of_a_file_name_their_own_target(
    api: Door, world: World, database: sa.Engine, numbers: list[str], users: dict[str, str]
) -> None:
    file = csv(
        "Phone Number,Enterprises and Resellers,User,Service",
        f"{numbers[0]},Clinic Enterprise,,",
        f"{numbers[1]},{world.hotel.tenant.public_id},,",
        f"{CLINICS},,TEXTING@example.org,voice+sms",
        f"{numbers[2]},School Enterprise,,",
    )
    job = api.upload(file, to="assignments")
    assert [row["code"] for row in api.rows(job["id"])] == ["ASSIGNED", "ASSIGNED", "ASSIGNED", "TARGET_NOT_FOUND"]
    found = inventory(database, "holder_id", "voice_user_id", "sms_user_id")
    assert [found[e164][0] for e164 in FREE[:3]] == [world.clinic.id, world.hotel.id, world.north.id]
    assert None not in found[CLINICS]
    assert len(users) == 4


def test_the_answer_says_where_to_look(api: Door, numbers: list[str]) -> None:
    answer = api.post("/v1/deletions", {"numbers": numbers})
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json['id']}"
    assert int(answer.headers["Retry-After"]) > 0
    assert (answer.json["kind"], answer.json["status"], answer.json["file"]) == ("delete", "accepted", None)


# What is chosen


CHOSEN: list[tuple[str, Json, Json]] = [
    ("assignments", {"tenant_id": "{clinic}"}, {"target_id": "clinic"}),
    ("assignments", {"user_id": "{pbx}"}, {"user_id": "pbx"}),
    ("assignments", {"user_id": "{trunk}", "service": "Forwarded"}, {"user_id": "trunk", "service": 2}),
    ("assignments", {"user_id": "{texting}", "service": "voice+sms"}, {"user_id": "texting", "service": 5}),
    ("unassignments", {}, {}),
    ("unassignments", {"service": "sms"}, {"service": 4}),
    ("unassignments", {"user_id": "{pbx}", "service": "forwarded"}, {"user_id": "pbx", "service": 2}),
    ("capability-changes", {"voice": True, "sms": False, "fax": None}, {"voice": True, "sms": False}),
    ("capability-changes", {"voice": "Enable", "sms": "disable", "fax": "leave"}, {"voice": True, "sms": False}),
    ("capability-changes", {"fax": "on", "voice": "OFF"}, {"fax": True, "voice": False}),
    ("capability-changes", {"voice_carrier": "north VOICE"}, {"voice_carrier_id": "North voice"}),
    ("capability-changes", {"sms_carrier_profile": "Master SMS"}, {"sms_carrier_id": "Master SMS"}),
    ("deletions", {}, {}),
    ("deletions", {"mode": "review"}, {"mode": Mode.REVIEW}),
    ("deletions", {"mode": "review", "on_error": "abort"}, {"mode": Mode.REVIEW, "on_error": OnError.ABORT}),
]


@pytest.mark.long
@pytest.mark.parametrize("as_form", [False, True])
def test_what_is_chosen_reaches_the_job(
    api: Door, world: World, database: sa.Engine, users: dict[str, str], as_form: bool
) -> None:
    ids = users | {"clinic": world.clinic.tenant.public_id}
    with database.connect() as connection:
        rows = connection.execute(sa.select(tables.users.c.name, tables.users.c.id))
        inner = world.carriers | {"clinic": world.clinic.id} | {row.name: row.id for row in rows}
    for action, given, expected in CHOSEN:
        body = {name: value.format(**ids) if isinstance(value, str) else value for name, value in given.items()}
        if as_form:
            form = {name: json.dumps(value).strip('"') for name, value in body.items() if value is not None}
            answer = api.send(csv("Phone Number", "+12125550100"), to=action, **form)
        else:
            answer = api.post(f"/v1/{action}", {"numbers": ["+12125550100"]} | body)
        known = {name: inner.get(value, value) if isinstance(value, str) else value for name, value in expected.items()}
        service = Service(known.pop("service", 0))
        assert options_of(database, answer) == JobOptions(**known, service=service), (action, given)


@pytest.mark.parametrize("action", ["assignments", "capability-changes"])
def test_rows_of_a_file_may_say_everything(api: Door, database: sa.Engine, action: str) -> None:
    answer = api.send(csv("Phone Number", "+12125550100"), to=action, service="sms" if action == "assignments" else "")
    assert options_of(database, answer).service == (Service.SMS if action == "assignments" else Service(0))


@pytest.mark.parametrize("mode", ["apply", "review"])
@pytest.mark.parametrize("on_error", ["skip", "abort"])
def test_uploads_take_mode_and_on_error(api: Door, database: sa.Engine, mode: str, on_error: str) -> None:
    options = options_of(database, api.send(csv("Phone Number", "x"), mode=mode, on_error=on_error))
    assert (options.mode, options.on_error) == (Mode(mode), OnError(on_error))


# Filters (R3): the set is frozen at the door


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"q": "+1 212 555 010"},
        {"status": "assigned"},
        {"status": "unassigned"},
        {"capability": "sms"},
        {"country": "CA"},
        {"country": "+1"},
        {"carrier": "north VOICE"},
        {"tenant_id": "{clinic}"},
        {"q": "1212", "capability": "voice", "country": "US", "status": "assigned"},
    ],
)
def test_a_filter_selects_what_the_list_shows(api: Door, world: World, numbers: list[str], wanted: Json) -> None:
    filled = {name: value.format(clinic=world.clinic.tenant.public_id) for name, value in wanted.items()}
    shown = [entry["e164"] for entry in api.get("/v1/numbers", query_string=filled).json["data"]]
    assert 0 < len(shown) <= len(numbers) + 2
    body = {"filter": filled, "expected_count": len(shown), "fax": True}
    job = api.act("capability-changes", body)
    assert [row["number"] for row in api.rows(job["id"])] == shown
    assert [row["cells"] for row in api.rows(job["id"])] == [{"Phone Number": number} for number in shown]


@pytest.mark.long
@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("master", NORTH | {SOUTHS, SCHOOLS}),
        ("north", NORTH),
        ("south", {SOUTHS, SCHOOLS}),
        ("clinic", {CLINICS}),
        ("hotel", {HOTELS}),
        ("school", {SCHOOLS}),
    ],
)
@pytest.mark.usefixtures("numbers")
def test_r3_a_filter_selects_nothing_outside_the_tree(
    api: Door, world: World, database: sa.Engine, users: dict[str, str], who: str, seen: set[int]
) -> None:
    """Neither the numbers nor the count that a refusal or the list tells."""
    with database.begin() as connection:
        elsewhere = sa.select(tables.users.c.id).where(tables.users.c.name == "elsewhere").scalar_subquery()
        mark = phone_numbers.update().where(phone_numbers.c.e164 == SCHOOLS)
        connection.execute(mark.values(voice_user_id=elsewhere))
    door = api.as_(getattr(world, who).token)
    everything, souths = {SOUTHS, SCHOOLS, *NORTH}, {SOUTHS}
    wanted: list[tuple[dict[str, str], set[int]]] = [
        ({}, everything),
        ({"q": "1"}, everything),
        ({"carrier": "South voice"}, souths),
        ({"tenant_id": world.south.tenant.public_id}, souths),
        ({"user_id": users["elsewhere"]}, {SCHOOLS}),
    ]
    for narrowed, there in wanted:
        expected = seen & there
        body = {"filter": narrowed, "expected_count": 1000, "fax": True}
        answer = door.post("/v1/capability-changes", body)
        if narrowed.keys() & {"tenant_id", "user_id"} and not expected:
            assert_refused(answer, 422, "INVALID_FIELD")
            nobodys = door.post("/v1/capability-changes", body | {"filter": dict.fromkeys(narrowed, NOBODY)})
            assert answer.json == nobodys.json
            continue
        assert_refused(answer, 409, "COUNT_CHANGED")
        assert (answer.json["expected"], answer.json["found"]) == (1000, len(expected)), narrowed
        counted = door.get("/v1/numbers", query_string={**narrowed, "count": "true", "limit": 1}).json
        assert counted["total"] == len(expected)
        if expected:
            job = door.act("capability-changes", {"filter": narrowed, "expected_count": len(expected), "fax": True})
            assert {int(row["number"]) for row in door.rows(job["id"])} == expected, narrowed


@pytest.mark.usefixtures("numbers")
def test_a_list_is_counted_only_if_asked(api: Door) -> None:
    """On any page the total is that of all pages."""
    assert api.get("/v1/numbers").json["total"] is None
    for query in ({}, {"limit": 2}, {"limit": 2, "cursor": FREE[2]}):
        assert api.get("/v1/numbers", query_string={**query, "count": "true"}).json["total"] == len(NORTH)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("expected", [0, 3, 5, 10_000_000])
def test_a_set_that_has_changed_is_refused(api: Door, numbers: list[str], expected: int) -> None:
    body = {"filter": {"q": "1212555010"}, "expected_count": expected}
    answer = api.post("/v1/deletions", body)
    assert_refused(answer, 409, "COUNT_CHANGED")
    assert (answer.json["expected"], answer.json["found"]) == (expected, len(numbers))


def test_the_refusal_tells_the_count_that_is_right(api: Door, numbers: list[str]) -> None:
    found = api.post("/v1/deletions", {"filter": {"q": "1212555010"}, "expected_count": 1}).json["found"]
    job = api.act("deletions", {"filter": {"q": "1212555010"}, "expected_count": found})
    assert job["counts"]["deleted"] == len(numbers)


@pytest.mark.usefixtures("nothing_left", "numbers")
def test_nothing_found_is_refused(api: Door) -> None:
    answer = api.post("/v1/deletions", {"filter": {"q": "44"}, "expected_count": 0})
    assert_refused(answer, 422, "INVALID_FIELD")
    assert "filter" in answer.json["detail"]


@pytest.mark.long
def test_a_selection_is_counted_and_read_at_one_moment(world: World, database: sa.Engine, numbers: list[str]) -> None:
    """However fast numbers come and go, a set is as large as its count."""
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            with database.begin() as connection:
                factories.number(connection, 12125550199, world.north.tenant)
            with database.begin() as connection:
                connection.execute(phone_numbers.delete().where(phone_numbers.c.e164 == 12125550199))

    thread = threading.Thread(target=come_and_go)
    thread.start()
    actor = Actor(world.north.tenant, "test")
    met = set()
    try:
        for _ in range(200):
            with database.connect() as connection:
                wanted = filters.resolve(connection, actor, NumberFilter())
                selected = selections.select(connection, wanted, len(NORTH) + 1)
            met.add(selected.found)
            assert (selected.numbers is not None) == (selected.found == len(NORTH) + 1)
            assert selected.numbers is None or len(selected.numbers) == selected.found
    finally:
        stop.set()
        thread.join()
    assert met <= {len(NORTH), len(NORTH) + 1}
    assert numbers


# Refusals


ONE = {"numbers": ["+12125550100"]}
ALL = {"filter": {}, "expected_count": 6}
TO = {"tenant_id": "{clinic}"}


REFUSED: list[tuple[str, Json, str, str]] = [
    ("deletions", {}, "INVALID_FIELD", "numbers, filter"),
    ("deletions", {"numbers": None}, "INVALID_FIELD", "numbers, filter"),
    ("deletions", ONE | ALL, "INVALID_FIELD", "numbers, filter"),
    ("deletions", {"numbers": []}, "INVALID_FIELD", "numbers"),
    ("deletions", {"numbers": "+12125550100"}, "INVALID_FIELD", "numbers"),
    ("deletions", {"numbers": {}}, "INVALID_FIELD", "numbers"),
    ("deletions", {"numbers": [12125550100]}, "INVALID_FIELD", "numbers.0"),
    ("deletions", {"numbers": ["+12125550100", None]}, "INVALID_FIELD", "numbers.1"),
    ("deletions", {"numbers": [["+12125550100"]]}, "INVALID_FIELD", "numbers.0"),
    ("deletions", {"numbers": ["x" * 257]}, "INVALID_FIELD", "numbers.0"),
    ("deletions", {"numbers": ["\ud800"]}, "INVALID_FIELD", "numbers.0"),
    ("deletions", ONE | {"expected_count": 1}, "INVALID_FIELD", "expected_count"),
    ("deletions", {"filter": {}}, "INVALID_FIELD", "expected_count"),
    ("deletions", {"filter": {}, "expected_count": -1}, "INVALID_FIELD", "expected_count"),
    ("deletions", {"filter": {}, "expected_count": "6"}, "INVALID_FIELD", "expected_count"),
    ("deletions", {"filter": {}, "expected_count": True}, "INVALID_FIELD", "expected_count"),
    ("deletions", {"filter": {}, "expected_count": 6.5}, "INVALID_FIELD", "expected_count"),
    ("deletions", {"filter": {}, "expected_count": 10_000_001}, "INVALID_FIELD", "expected_count"),
    ("deletions", {"filter": [], "expected_count": 6}, "INVALID_FIELD", "filter"),
    ("deletions", {"filter": {"carrier": "x" * 201}, "expected_count": 6}, "INVALID_FIELD", "filter.carrier"),
    ("deletions", {"filter": {"limit": 5}, "expected_count": 6}, "INVALID_FIELD", "filter.limit"),
    ("deletions", {"filter": {"cursor": 5}, "expected_count": 6}, "INVALID_FIELD", "filter.cursor"),
    ("deletions", {"filter": {"status": "gone"}, "expected_count": 6}, "INVALID_FIELD", "filter.status"),
    ("deletions", {"filter": {"q": {"$ne": ""}}, "expected_count": 6}, "INVALID_FIELD", "filter.q"),
    ("deletions", ONE | TO, "INVALID_FIELD", "tenant_id"),
    ("deletions", ONE | {"surprise": 1, "force": True}, "INVALID_FIELD", "surprise"),
    ("deletions", ONE | {"mode": "now"}, "INVALID_FIELD", "mode"),
    ("deletions", ONE | {"on_error": "stop"}, "INVALID_FIELD", "on_error"),
    ("assignments", ONE, "INVALID_FIELD", "tenant_id, user_id"),
    ("assignments", ONE | TO | {"user_id": "{pbx}"}, "INVALID_FIELD", "tenant_id"),
    ("assignments", ONE | TO | {"service": "voice"}, "INVALID_FIELD", "service"),
    ("assignments", ONE | {"service": "voice"}, "INVALID_FIELD", "tenant_id, user_id"),
    ("assignments", ONE | {"user_id": "{pbx}", "service": "fax"}, "INVALID_FIELD", "service"),
    ("assignments", ONE | {"user_id": "{pbx}", "service": ""}, "INVALID_FIELD", "service"),
    ("assignments", ONE | {"user_id": "{trunk}", "service": "voice+forwarded"}, "INVALID_FIELD", "service"),
    ("assignments", ONE | {"tenant_id": 7}, "INVALID_FIELD", "tenant_id"),
    ("assignments", ONE | {"tenant_id": "x" * 201}, "INVALID_FIELD", "tenant_id"),
    ("assignments", ONE | {"tenant_id": ""}, "TARGET_NOT_FOUND", "tenant_id"),
    ("assignments", ONE | {"tenant_id": NOBODY}, "TARGET_NOT_FOUND", "tenant_id"),
    ("assignments", ONE | {"tenant_id": "{north}"}, "TARGET_NOT_FOUND", "tenant_id"),
    ("assignments", ONE | {"tenant_id": "{master}"}, "TARGET_NOT_FOUND", "tenant_id"),
    ("assignments", ONE | {"tenant_id": "Clinic Enterprise"}, "TARGET_NOT_FOUND", "tenant_id"),
    ("assignments", ONE | {"user_id": NOBODY}, "TARGET_NOT_FOUND", "user_id"),
    ("assignments", ONE | {"user_id": "{elsewhere}"}, "TARGET_NOT_FOUND", "user_id"),
    ("assignments", ONE | {"user_id": "{pbx}", "service": "forwarded"}, "TARGET_NOT_FOUND", "service"),
    ("assignments", ONE | {"user_id": "{pbx}", "service": "sms"}, "CAPABILITY_REQUIRED", "service"),
    ("unassignments", ONE | {"user_id": "{elsewhere}"}, "TARGET_NOT_FOUND", "user_id"),
    ("unassignments", ONE | {"service": "fax"}, "INVALID_FIELD", "service"),
    ("unassignments", ONE | TO, "INVALID_FIELD", "tenant_id"),
    ("capability-changes", ONE, "INVALID_FIELD", "voice, sms, fax"),
    ("capability-changes", ONE | {"voice": None, "fax": "leave"}, "INVALID_FIELD", "voice, sms, fax"),
    ("capability-changes", ONE | {"voice": "maybe"}, "INVALID_FIELD", "voice"),
    ("capability-changes", ONE | {"sms": 1}, "INVALID_FIELD", "sms"),
    ("capability-changes", ONE | {"fax": []}, "INVALID_FIELD", "fax"),
    ("capability-changes", ONE | {"voice_carrier": "Nobody's"}, "CARRIER_NOT_FOUND", "voice_carrier"),
    ("capability-changes", ONE | {"voice_carrier": "South voice"}, "CARRIER_NOT_FOUND", "voice_carrier"),
    ("capability-changes", ONE | {"voice_carrier": "North sms"}, "CARRIER_NOT_FOUND", "voice_carrier"),
    ("capability-changes", ONE | {"sms_carrier_profile": ""}, "CARRIER_NOT_FOUND", "sms_carrier_profile"),
]


@pytest.mark.usefixtures("nothing_left", "numbers")
@pytest.mark.parametrize("which", ACTIONS)
def test_refused_with_the_field_named(api: Door, world: World, users: dict[str, str], which: str) -> None:
    ids = users | {name: getattr(world, name).tenant.public_id for name in ("clinic", "north", "master")}
    for action, body, code, names in REFUSED:
        if action == which:
            filled = {name: value.format(**ids) if isinstance(value, str) else value for name, value in body.items()}
            answer = api.post(f"/v1/{action}", filled)
            assert_refused(answer, 422, code)
            told = [answer.json.get("field"), *(entry["field"] for entry in answer.json.get("errors", []))]
            assert names in told or names in answer.json["detail"], (body, answer.json)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("action", "form", "code"),
    [
        ("deletions", {"tenant_id": "x"}, "INVALID_FIELD"),
        ("deletions", {"numbers": "+12125550100"}, "INVALID_FIELD"),
        ("deletions", {"filter": "{}", "expected_count": "1"}, "INVALID_FIELD"),
        ("deletions", {"mode": "now"}, "INVALID_FIELD"),
        ("assignments", {"tenant_id": NOBODY}, "TARGET_NOT_FOUND"),
        ("assignments", {"tenant_id": NOBODY, "user_id": NOBODY}, "INVALID_FIELD"),
        ("assignments", {"user_id": NOBODY}, "TARGET_NOT_FOUND"),
        ("assignments", {"service": "fax"}, "INVALID_FIELD"),
        ("unassignments", {"user_id": NOBODY}, "TARGET_NOT_FOUND"),
        ("capability-changes", {"voice": "maybe"}, "INVALID_FIELD"),
        ("capability-changes", {"voice_carrier": "South voice"}, "CARRIER_NOT_FOUND"),
    ],
)
def test_a_file_refused_for_its_form_is_not_kept(api: Door, action: str, form: dict[str, str], code: str) -> None:
    assert_refused(api.send(csv("Phone Number", "+12125550100"), to=action, **form), 422, code)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"", "", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"{}", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"Phone Number\r\n+12125550100", "text/csv", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"--b\r\n", "multipart/form-data; boundary=b", 400, "TRUNCATED_UPLOAD"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 422, "INVALID_FIELD"),
        (b"", JSON, 400, "BAD_REQUEST"),
        (b"[]", JSON, 400, "BAD_REQUEST"),
        (b'"+12125550100"', JSON, 400, "BAD_REQUEST"),
        (b'{"numbers": ["+12125550100"]', JSON, 400, "BAD_REQUEST"),
        (b'{"numbers": ["+12125550100"]} {}', JSON, 400, "BAD_REQUEST"),
        (b'{"numbers": [NaN]}', JSON, 400, "BAD_REQUEST"),
        (b'{"numbers": ["1"], "expected_count": Infinity}', JSON, 400, "BAD_REQUEST"),
        (b'{"numbers": ["1"], "numbers": ["2"]}', JSON, 422, "DUPLICATE_KEY"),
        (b'{"filter": {"q": "1", "q": "2"}, "expected_count": 1}', JSON, 422, "DUPLICATE_KEY"),
        (b'{"numbers": ["\xff"]}', JSON, 400, "BAD_REQUEST"),
        ('{"numbers": ["1"]}'.encode("utf-16"), JSON, 400, "BAD_REQUEST"),
        (b'\xef\xbb\xbf{"numbers": ["1"]}', JSON, 400, "BAD_REQUEST"),
        (b'{"numbers": ["a\x00b"]}', JSON, 400, "BAD_REQUEST"),
        (b'{"numbers": ' + b"[" * 100_000, JSON, 400, "BAD_REQUEST"),
        (b'{"a":' * 100_000, JSON, 400, "BAD_REQUEST"),
        (b'{"numbers": ' + b"[" * 900 + b"]" * 900 + b"}", JSON, 400, "BAD_REQUEST"),
        (b'{"expected_count": ' + b"9" * 5000 + b"}", JSON, 400, "BAD_REQUEST"),
        (b'{"expected_count": ' + b"9" * 300 + b', "filter": {}}', JSON, 422, "INVALID_FIELD"),
        (json.dumps({f"field {place}": 1 for place in range(129)}).encode(), JSON, 400, "BAD_REQUEST"),
        (json.dumps({"x" * 1_000_000: 1}).encode(), JSON, 422, "INVALID_FIELD"),
        (json.dumps({"numbers": ["9" * 10_000_000]}).encode(), JSON, 422, "INVALID_FIELD"),
        (json.dumps({"numbers": [1] * 1_000_000}).encode(), JSON, 422, "INVALID_FIELD"),
        (json.dumps({"numbers": [{}] * 1_000_000}).encode(), JSON, 422, "INVALID_FIELD"),
        (json.dumps({"numbers": [""] * 1_000_001}).encode(), JSON, 422, "INVALID_FIELD"),
        (b'{"numbers": [' + b"0," * 20_000_000 + b"0]}", JSON, 422, "INVALID_FIELD"),
        (b'{"numbers": [' + b"[[[[[[[]]]]]]]," * 4_000_000 + b"[]]}", JSON, 422, "INVALID_FIELD"),
        (b" " * (body_limits.LIST + 1), JSON, 413, "BODY_TOO_LARGE"),
    ],
    ids=lambda value: None if isinstance(value, str | int) else f"{len(value)} bytes",
)
def test_hostile_bodies(api: Door, content: bytes, content_type: str, status: int, code: str) -> None:
    assert_refused(raw(api, content, content_type), status, code)


@pytest.mark.usefixtures("nothing_left", "numbers")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (ONE | {"tenant_id": "nul\0"}, "BAD_REQUEST"),
        (ONE | {"user_id": "nul\0"}, "BAD_REQUEST"),
        ({"filter": {"carrier": "nul\0"}, "expected_count": 1, "tenant_id": "{clinic}"}, "BAD_REQUEST"),
        ({"filter": {"tenant_id": "nul\0"}, "expected_count": 1, "tenant_id": "{clinic}"}, "BAD_REQUEST"),
    ],
)
def test_text_that_no_column_can_hold(api: Door, world: World, body: Json, code: str) -> None:
    ids = {"clinic": world.clinic.tenant.public_id}
    filled = {name: value.format(**ids) if isinstance(value, str) else value for name, value in body.items()}
    assert_refused(api.post("/v1/assignments", filled), 400, code)


@pytest.mark.usefixtures("nothing_left", "numbers")
@pytest.mark.parametrize("field", ["q", "carrier", "tenant_id"])
def test_a_filter_is_a_value_never_a_command(api: Door, database: sa.Engine, field: str) -> None:
    for text in ("' OR 'a'='a", "%s", "%(x)s", ":x", "'; DELETE FROM phone_numbers; --", "\\", "$x"):
        answer = api.post("/v1/deletions", {"filter": {field: text}, "expected_count": 5})
        if field == "tenant_id":
            assert_refused(answer, 422, "INVALID_FIELD")  # no tenant has such an id
        else:
            assert_refused(answer, 409, "COUNT_CHANGED")
            assert answer.json["found"] == 0, text
    assert len(inventory(database)) == len(NORTH) + 2


class Unread(io.RawIOBase):
    """A body that must not be read before the answer is made; afterwards it has nothing more."""

    def readable(self) -> bool:
        return True

    def seek(self, _offset: int, _whence: int = 0) -> int:
        return 0

    def readinto(self, _buffer: object) -> int:
        assert not flask.has_request_context(), "the body was read"
        return 0


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("content_type", "token", "status", "code"),
    [
        (JSON, "north", 413, "BODY_TOO_LARGE"),
        ("multipart/form-data; boundary=b", "north", 413, "FILE_TOO_LARGE"),
        (JSON, "", 401, "UNAUTHENTICATED"),
        ("multipart/form-data; boundary=b", "", 401, "UNAUTHENTICATED"),
    ],
)
def test_too_large_by_its_own_claim_is_refused_unread(
    api: Door, world: World, content_type: str, token: str, status: int, code: str
) -> None:
    headers = {"Authorization": f"Bearer {getattr(world, token).token}"} if token else {}
    claimed = {"CONTENT_LENGTH": str(2 << 30)}
    answer = api.client.post(
        "/v1/deletions", input_stream=Unread(), content_type=content_type, headers=headers, environ_overrides=claimed
    )
    assert_refused(answer, status, code)


@pytest.mark.usefixtures("nothing_left")
def test_a_json_body_that_breaks_off(api: Door) -> None:
    whole = json.dumps({"numbers": ["+12125550100"] * 1000}).encode()
    answer = raw(api, whole[:5000], environ_overrides={"CONTENT_LENGTH": str(len(whole))})
    assert_refused(answer, 400, "TRUNCATED_UPLOAD")


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("which", [{"numbers": ["+12125550100"]}, {"filter": {}, "expected_count": len(NORTH)}, None])
def test_a_fault_of_ours_leaves_no_file(
    api: Door, numbers: list[str], monkeypatch: pytest.MonkeyPatch, which: Json | None
) -> None:
    def broken(*_args: object) -> int:
        raise RuntimeError

    monkeypatch.setattr("worker.jobs.submit.submit", broken)
    answer = (
        api.send(csv("Phone Number", *numbers), to="deletions") if which is None else api.post("/v1/deletions", which)
    )
    assert_refused(answer, 500, "INTERNAL_ERROR")


# Isolation (R3): elsewhere and nowhere are the same answer


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("as_form", [False, True])
def test_r3_tenants_and_users_elsewhere_do_not_exist(
    api: Door, world: World, users: dict[str, str], as_form: bool
) -> None:
    def told(**who: str) -> str:
        answer = (
            api.send(csv("Phone Number", "+12125550100"), to="assignments", **who)
            if as_form
            else api.post("/v1/assignments", ONE | who)
        )
        assert_refused(answer, 422, "TARGET_NOT_FOUND")
        of_each = {"X-Request-Id", "RateLimit"}
        headers = {name: value for name, value in answer.headers.items() if name not in of_each}
        return f"{headers} {answer.get_data(as_text=True).replace(next(iter(who.values())), NOBODY)}"

    nobody = told(tenant_id=NOBODY)
    for account in (world.south, world.school, world.master):
        assert told(tenant_id=account.tenant.public_id) == nobody
    assert told(user_id=users["elsewhere"]) == told(user_id=NOBODY)


@pytest.mark.usefixtures("nothing_left")
def test_r3_a_carrier_elsewhere_does_not_exist(api: Door) -> None:
    first, second = (
        api.post("/v1/capability-changes", ONE | {"voice_carrier": name}).get_data(as_text=True).replace(name, "")
        for name in ("South voice", "Never heard of")
    )
    assert first == second
    assert "CARRIER_NOT_FOUND" in first


# Review


@pytest.mark.parametrize("way", [by_list, by_csv])
def test_a_job_to_be_reviewed_writes_nothing(
    api: Door, world: World, database: sa.Engine, numbers: list[str], way: Way
) -> None:
    before = inventory(database, "holder_id")
    job = act(api, "assignments", way(numbers), mode="review", tenant_id=world.clinic.tenant.public_id)
    assert (job["status"], job["mode"]) == ("review", "review")
    assert job["review"]["effect"]["updated"] == len(numbers)
    assert inventory(database, "holder_id") == before


def test_all_or_nothing_writes_nothing_when_a_number_fails(
    api: Door, world: World, database: sa.Engine, numbers: list[str]
) -> None:
    body = {"numbers": [*numbers, f"+{SOUTHS}"], "tenant_id": world.clinic.tenant.public_id, "on_error": "abort"}
    job = api.act("assignments", body)
    assert api.codes(job["id"]) == dict.fromkeys(numbers, "ABORTED") | {f"+{SOUTHS}": "NOT_FOUND"}
    assert inventory(database, "holder_id")[FREE[0]] == (world.north.id,)
    assert job["counts"]["unprocessed"] == len(numbers)


# What the API says of itself


@pytest.mark.parametrize("action", ACTIONS)
def test_both_bodies_are_described(api: Door, action: str) -> None:
    spec = api.get("/openapi.json").json
    content = spec["paths"][f"/v1/{action}"]["post"]["requestBody"]["content"]
    named = followed(spec, content[JSON]["schema"])["properties"]
    form = followed(spec, content["multipart/form-data"]["schema"])
    assert {"numbers", "filter", "expected_count", "mode", "on_error"} <= set(named)
    assert set(named) - {"numbers", "filter", "expected_count"} == set(form["properties"]) - {
        "file",
        *FileForm.model_fields,
    }
    assert form["required"] == ["file"]
    reference = next(kind["$ref"] for kind in named["filter"]["anyOf"] if "$ref" in kind)
    described = spec["components"]["schemas"][reference.removeprefix("#/components/schemas/")]
    assert {"q", "status", "capability", "country", "carrier", "tenant_id", "user_id"} <= set(described["properties"])
