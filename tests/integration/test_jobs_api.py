"""The doors to jobs and numbers: what is shown, to whom, page by page; and that every refusal is a problem (R3, R4)."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database.tables import jobs
from tests.support import factories
from tests.support.api_client import Door, Json, text_of
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.job_links import ACTIONS
from tests.support.servers.databases import APPLICATION
from worker.numbers import queries as number_queries

SOUND = sheets.csv_bytes(sheets.rows(2))
MIXED = sheets.csv_bytes([*sheets.rows(2), ["1", "ask Bob", "TRUE", "", ""]])
NOBODY = "00000000-0000-4000-8000-000000000000"
PROBLEM = "application/problem+json"


def follow(api: Door, path: str | None) -> Iterator[list[Json]]:
    """Pages, by their `Link: rel=next` (RFC 8288)."""
    while path:
        answer = api.get(path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        yield answer.json["data"]
        link = answer.headers.get("Link")
        assert (link is None) == (answer.json["next_cursor"] is None)
        path = None if link is None else link.partition(">")[0].removeprefix("<")


def every(api: Door, path: str) -> list[Json]:
    return [entry for page in follow(api, path) for entry in page]


# Status


def test_etag(api: Door) -> None:
    job = api.upload(SOUND)
    path = f"/v1/jobs/{job['id']}"
    tag = api.get(path).headers["ETag"]
    again = api.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag
    assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_etag_changes_with_the_job(api: Door) -> None:
    job_id = api.send(SOUND).json["id"]
    before = api.get(f"/v1/jobs/{job_id}")
    assert before.headers["Retry-After"]
    api.work_off()
    after = api.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json["status"]) == (200, "completed")
    assert "Retry-After" not in after.headers


@pytest.mark.parametrize("prefer", ["wait=0", "wait=1", "respond-async, wait=1", "wait=soon", "wait=-1", ""])
def test_prefer_wait_always_answers_200(api: Door, prefer: str) -> None:
    job_id = api.send(SOUND).json["id"]
    answer = api.get(f"/v1/jobs/{job_id}", headers={"Prefer": prefer})
    assert (answer.status_code, answer.json["status"]) == (200, "accepted")


def test_a_finished_job_does_not_make_anybody_wait(api: Door) -> None:
    job = api.upload(SOUND)
    assert api.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=10"}).json["status"] == "completed"


def test_reports_are_not_ready_before_the_end(api: Door) -> None:
    job_id = api.send(SOUND).json["id"]
    for path in ("rows", "report.csv", "report.jsonl"):
        answer = api.get(f"/v1/jobs/{job_id}/{path}")
        assert (answer.status_code, answer.json["code"]) == (409, "REPORT_NOT_READY")
        assert answer.headers["Retry-After"]
    assert api.job(job_id)["links"]["report_csv"] is None


def test_the_links_of_a_job_lead_somewhere(api: Door) -> None:
    job = api.upload(MIXED)
    assert job["links"].pop("callback") is None  # none was asked for
    others = {"parent", "undo_of", "duplicate_of", "file", *ACTIONS}  # of other jobs; for a POST
    links = {name: link for name, link in job["links"].items() if name not in others}
    for name, link in links.items():
        assert api.get(link).status_code == 200, name
    assert job["error_summary"] == [{"code": "INVALID_CHARACTER", "count": 1, "first_row": 4}]


# Lists


@pytest.mark.long
def test_jobs_page_by_page_newest_first(api: Door, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        ids = [factories.job(connection, world.north.tenant) for _ in range(7)]
    for limit in (1, 3, 7, 50):
        assert [job["id"] for job in every(api, f"/v1/jobs?limit={limit}")] == ids[::-1]
    assert [job["id"] for job in every(api, "/v1/jobs?status=accepted&limit=2")] == ids[::-1]
    assert every(api, "/v1/jobs?status=completed") == []


def test_numbers_page_by_page(api: Door, world: World, database: sa.Engine) -> None:
    numbers = [12125550000 + place for place in range(7)]
    with database.begin() as connection:
        for number in numbers[::-1]:
            factories.number(connection, number, world.north.tenant)
    for limit in (1, 3, 7, 50):
        assert [one["e164"] for one in every(api, f"/v1/numbers?limit={limit}")] == [f"+{n}" for n in numbers]


FILTERS = {
    "": [0, 1, 2, 3, 4],
    "q=%2B1 212": [0, 1],
    "q=1212555": [0, 1],
    "q=%2B12125550001": [0],
    "q=44": [2],
    "q=0": [],
    "q=%2B": [],
    "status=assigned": [1, 3],
    "status=unassigned": [0, 2, 4],
    "capability=voice": [0, 1, 2, 4],
    "capability=sms": [1],
    "capability=fax": [3],
    "country=US": [0, 1],
    "country=us": [0, 1],
    "country=1": [0, 1],
    "country=%2B44": [2],
    "country=001": [4],
    "carrier=north VOICE": [1],
    "carrier=Master SMS": [3],
    "carrier=South voice": [],
    "tenant_id={clinic}": [1],
    "capability=voice&country=US&status=unassigned": [0],
}


@pytest.mark.parametrize(("query", "wanted"), FILTERS.items(), ids=FILTERS)
def test_numbers_are_filtered(api: Door, world: World, database: sa.Engine, query: str, wanted: list[int]) -> None:
    north, clinic, hotel = world.north.tenant, world.clinic.tenant, world.hotel.tenant
    given = [12125550001, 12125550002, 442079460958, 4930901820, 80012345678]
    with database.begin() as connection:
        factories.number(connection, given[0], north)
        carrier = world.carriers["North voice"]
        factories.number(connection, given[1], clinic, uploader_id=north.id, sms=True, voice_carrier_id=carrier)
        factories.number(connection, given[2], north, country="GB")
        of_hotel = {"uploader_id": north.id, "sms_carrier_id": world.carriers["Master SMS"], "country": "DE"}
        factories.number(connection, given[3], hotel, voice=False, fax=True, **of_hotel)
        factories.number(connection, given[4], north, country="001")
        factories.number(connection, 12125550009, world.south.tenant, voice_carrier_id=world.carriers["South voice"])
    path = "/v1/numbers?" + query.format(clinic=clinic.public_id, south=world.south.tenant.public_id)
    expected = sorted(given[place] for place in wanted)
    assert [one["e164"] for one in every(api, path)] == [f"+{number}" for number in expected]
    assert [one["e164"] for one in every(api, path + "&limit=1")] == [f"+{number}" for number in expected]


def test_one_number_with_its_history(api: Door, world: World) -> None:
    first = api.upload(SOUND, assign_to=world.clinic.tenant.public_id)
    changed = sheets.csv_bytes([sheets.HEADER, ["1", "2125550000", "", "TRUE", ""]])
    second = api.as_(world.clinic.token).upload(changed, on_existing="update")
    number = api.get("/v1/numbers/+12125550000").json
    assert [entry["job_id"] for entry in number["history"]] == [first["id"], second["id"]]
    assert (number["status"], number["country"]) == ("assigned", "US")
    assert (number["tenant"]["kind"], number["uploaded_by"]["kind"]) == ("enterprise", "reseller")
    assert number["can"]["codes"] == {"delete": "ASSIGNED_IN_USE"}
    below = api.as_(world.clinic.token).get("/v1/numbers/12125550000").json
    assert [entry["job_id"] for entry in below["history"]] == [second["id"]]
    assert below["can"]["codes"] == {"delete": "NOT_UPLOADER"}


# Isolation (R3)


def answers(door: Door, job_id: str) -> list[TestResponse]:
    paths = ("", "/rows", "/report.csv", "/report.jsonl", "/report.csv?rows=failed", "/rows?outcome=failed")
    return [door.get(f"/v1/jobs/{job_id}{path}") for path in paths]


@pytest.mark.parametrize("who", ["south", "school", "clinic"])
def test_r3_what_is_elsewhere_answers_as_what_does_not_exist(api: Door, world: World, who: str) -> None:
    job = api.upload(MIXED)
    door = api.as_(getattr(world, who).token)
    for there, nowhere in zip(answers(door, job["id"]), answers(door, NOBODY), strict=True):
        assert there.status_code == nowhere.status_code == 404
        assert there.data == nowhere.data
    number, none = door.get("/v1/numbers/+12125550000"), door.get("/v1/numbers/+12125559999")
    assert (number.status_code, number.data) == (404, none.data)
    assert every(door, "/v1/jobs") == every(door, "/v1/numbers") == []


def test_r3_those_above_see_what_is_below(api: Door, world: World) -> None:
    job = api.as_(world.clinic.token).upload(SOUND)
    for account in (world.clinic, world.north, world.master):
        door = api.as_(account.token)
        assert [one["id"] for one in every(door, "/v1/jobs")] == [job["id"]]
        assert len(every(door, "/v1/numbers")) == 2


def test_r3_a_cursor_of_a_stranger_is_as_good_as_none(api: Door, world: World, database: sa.Engine) -> None:
    """Paging from a job elsewhere must not tell that the job is there."""
    with database.begin() as connection:
        factories.job(connection, world.north.tenant)
        foreign = factories.job(connection, world.south.tenant)
    expected = api.get(f"/v1/jobs?cursor={NOBODY}")
    found = api.get(f"/v1/jobs?cursor={foreign}")
    assert (found.status_code, found.data) == (expected.status_code, expected.data) == (422, expected.data)


def test_r3_the_queue_counts_only_what_one_may_see(api: Door, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        for account in (world.south, world.south, world.north, world.clinic, world.school):
            mine = factories.job(connection, account.tenant)
        last = factories.job(connection, world.clinic.tenant)
    assert mine
    places = {
        account: api.as_(getattr(world, account).token).job(last)["progress"]["queue_position"]
        for account in ("clinic", "north", "master")
    }
    assert places == {"clinic": 2, "north": 3, "master": 6}


@pytest.mark.long
def test_r3_nothing_shown_to_a_reseller_names_its_sibling(api: Door, world: World) -> None:
    api.as_(world.south.token).upload(MIXED)
    api.as_(world.school.token).upload(sheets.csv_bytes(sheets.rows(9)))
    job = api.upload(sheets.csv_bytes(sheets.rows(12)))
    assert job["counts"]["created"] == 3
    shown = [
        text_of(api.get(path))
        for path in ("/v1/jobs", "/v1/numbers", *(link for link in job["links"].values() if link))
    ]
    assert not [secret for secret in (*world.secrets_of_south, "South") if any(secret in text for text in shown)]


# Every refusal is a problem (RFC 9457), and every answer is sealed

BROKEN: dict[str, tuple[str, str, int, str]] = {
    "nothing there": ("GET", "/nowhere", 404, "NOT_FOUND"),
    "nothing there in v1": ("GET", "/v1/nowhere", 404, "NOT_FOUND"),
    "a wrong method": ("DELETE", "/v1/jobs", 405, "METHOD_NOT_ALLOWED"),
    "a wrong method for uploads": ("GET", "/v1/uploads", 405, "METHOD_NOT_ALLOWED"),
    "no id": ("GET", "/v1/jobs/no-id", 404, "NOT_FOUND"),
    "NUL in an id": ("GET", "/v1/jobs/%00", 400, "BAD_REQUEST"),
    "NUL in a cursor": ("GET", "/v1/jobs?cursor=%00", 400, "BAD_REQUEST"),
    "NUL in a filter": ("GET", "/v1/numbers?carrier=a%00b", 400, "BAD_REQUEST"),
    "no UTF-8": ("GET", "/v1/numbers?carrier=%ff%fe", 200, ""),
    "no number": ("GET", "/v1/numbers/abc", 404, "NOT_FOUND"),
    "too long a number": ("GET", "/v1/numbers/+1234567890123456789012", 404, "NOT_FOUND"),
    "a limit of zero": ("GET", "/v1/jobs?limit=0", 422, "INVALID_FIELD"),
    "a limit beyond": ("GET", "/v1/numbers?limit=100000", 422, "INVALID_FIELD"),
    "no limit": ("GET", "/v1/numbers?limit=many", 422, "INVALID_FIELD"),
    "an unknown filter": ("GET", "/v1/numbers?colour=red", 422, "INVALID_FIELD"),
    "an unknown status": ("GET", "/v1/numbers?status=lost", 422, "INVALID_FIELD"),
    "a huge cursor": ("GET", f"/v1/numbers?cursor={10**30}", 422, "INVALID_FIELD"),
    "rows from far behind": ("GET", f"/v1/jobs/{{job}}/rows?cursor={10**30}", 422, "INVALID_FIELD"),
    "rows from behind the end": ("GET", "/v1/jobs/{job}/rows?cursor=1000000", 200, ""),
    "rows before the first": ("GET", "/v1/jobs/{job}/rows?cursor=-1", 422, "INVALID_FIELD"),
    "an unknown outcome": ("GET", "/v1/jobs/{job}/rows?outcome=lost", 422, "INVALID_FIELD"),
    "an unknown choice of rows": ("GET", "/v1/jobs/{job}/report.csv?rows=some", 422, "INVALID_FIELD"),
    "an unknown report": ("GET", "/v1/jobs/{job}/report.exe", 404, "NOT_FOUND"),
}


@pytest.mark.parametrize(("method", "path", "status", "code"), BROKEN.values(), ids=BROKEN)
def test_refusals_are_problems(api: Door, method: str, path: str, status: int, code: str) -> None:
    job = api.upload(SOUND)
    headers = {"Authorization": f"Bearer {api.token}"}
    answer = api.client.open(path.format(job=job["id"]), method=method, headers=headers)
    assert answer.status_code == status, answer.get_data(as_text=True)
    if code:
        assert answer.content_type == PROBLEM
        assert (answer.json["code"], answer.json["status"]) == (code, status)
        assert set(answer.json) >= {"type", "title", "status", "detail", "code", "fix"}
    if status == 405:
        assert answer.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    ["/v1/jobs", f"/v1/jobs/{NOBODY}", "/v1/jobs/x/rows", "/v1/numbers", "/v1/numbers/+12125550142",
     "/v1/templates/numbers.csv", "/v1/templates/numbers.xlsx", "/v1/jobs/x/report.csv", "/v1/jobs/x/report.jsonl"],
)  # fmt: skip
def test_r4_nothing_without_a_token(api: Door, path: str) -> None:
    answer = api.client.get(path)
    assert (answer.status_code, answer.json["code"], answer.content_type) == (401, "UNAUTHENTICATED", PROBLEM)


def test_our_own_fault_is_a_problem_without_a_trace(api: Door, database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.execute(sa.text("ALTER TABLE phone_numbers RENAME COLUMN holder_id TO elsewhere"))
    answer = api.get("/v1/numbers")
    assert (answer.status_code, answer.json["code"], answer.content_type) == (500, "INTERNAL_ERROR", PROBLEM)
    for word in ("Traceback", "psycopg", "holder_id", "SELECT"):
        assert word not in answer.get_data(as_text=True)


def test_a_request_that_stood_still_within_its_transaction_can_be_repeated(
    api: Door, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine was halted; the database ends transactions that are idle for longer than a lease."""
    configure(lease_seconds=1)
    page = number_queries.page

    def late(*arguments: Any) -> Any:  # noqa: ANN401 - as the function
        time.sleep(1.5)
        return page(*arguments)

    monkeypatch.setattr(number_queries, "page", late)
    answer = api.get("/v1/numbers")
    assert (answer.status_code, answer.json["code"]) == (503, "UNAVAILABLE")
    assert answer.headers["Retry-After"] == "2"
    monkeypatch.undo()
    assert api.get("/v1/numbers").status_code == 200


def test_without_a_database_it_is_unavailable(api: Door, configure: Callable[..., None]) -> None:
    configure(database_url="postgresql://nobody@127.0.0.1:1/none")
    answer = api.get("/v1/jobs")
    assert (answer.status_code, answer.json["code"]) == (503, "UNAVAILABLE")
    assert answer.headers["Retry-After"]
    ready = api.client.get("/readyz")
    assert (ready.status_code, ready.json["failing"]) == (503, ["database"])
    assert api.client.get("/livez").status_code == 200


def test_without_a_broker_uploads_are_taken_all_the_same(api: Door, configure: Callable[..., None]) -> None:
    configure(redis_url="redis://127.0.0.1:1/0")
    assert api.upload(SOUND)["status"] == "completed"
    assert api.client.get("/readyz").json["failing"] == ["broker"]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/x", "/v1/numbers", "/v1/templates/numbers.csv"])
def test_answers_of_the_api_are_sealed(api: Door, path: str) -> None:
    headers = api.get(path).headers
    assert headers["Cache-Control"] in {"private, no-cache", "no-store", "private, no-store"}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert uuid.UUID(headers["X-Request-Id"])


def test_downloads_are_sealed_and_attachments(api: Door) -> None:
    job = api.upload(SOUND, "li\u0142st.csv")
    for ending in ("csv", "jsonl"):
        headers = api.get(f"/v1/jobs/{job['id']}/report.{ending}").headers
        assert headers["Content-Disposition"].startswith("attachment")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"].startswith("private")


def test_the_description_and_its_page_are_served_locally(api: Door) -> None:
    spec = api.client.get("/openapi.json").json
    assert spec["openapi"].startswith("3.1")
    page = api.client.get("/docs/").get_data(as_text=True)
    assert not re.search(r'(?:src|action)="https?:|<link[^>]* href="https?:', page)
    assert set(spec["paths"]) >= {"/v1/uploads", "/v1/jobs", "/v1/jobs/{job_id}/rows", "/v1/numbers/{e164}"}
    assert json.dumps(spec).count("problem+json") >= len(spec["paths"])


@pytest.mark.long
def test_no_door_holds_a_connection_after_an_answer(api: Door, database: sa.Engine) -> None:
    """A report that is not read to its end, and refusals, give everything back."""
    job = api.upload(MIXED)
    for _ in range(40):
        api.client.get(f"/v1/jobs/{job['id']}/report.jsonl", headers={"Authorization": f"Bearer {api.token}"}).close()
        api.get("/v1/jobs/x")
    with database.connect() as connection:
        query = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND application_name <> :tests"""
        assert connection.execute(sa.text(query), {"tests": APPLICATION}).scalar_one() <= 4
        assert connection.execute(sa.select(sa.func.count()).select_from(jobs)).scalar_one() == 1
