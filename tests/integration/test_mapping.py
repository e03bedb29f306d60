"""Files that do not explain themselves: mapping, checking again, import profiles (R31, R32)."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
import xlsxwriter

from schemas.database.tables import file_descriptions, jobs, phone_numbers
from tests.support.api_client import Door, Json, table
from tests.support.factories import World
from tests.support.files import sheets
from worker.jobs import import_profiles

TN = sheets.csv_bytes(
    [
        ["TN", "Type", "Provider"],
        ["+1 212 555 0142", "Y", "?"],
        ["+1 212 555 0143", "N", "?"],
        ["+1 212 555 0144", "Y", "?"],
        ["+1 212 555 0145", "perhaps", "?"],
    ]
)
MAPPING = {
    "columns": {"Phone Number": "TN", "Voice": 2, "SMS": 2, "Voice Carrier Name": None},
    "values": {"Voice": {"perhaps": "TRUE"}, "SMS": {"PERHAPS": "FALSE", "y": "FALSE", "N": "TRUE"}},
}


def two_sheets(first: list[list[str]], second: list[list[str]]) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        for name, rows in (("Notes", first), ("Numbers", second)):
            page = book.add_worksheet(name)
            for number, row in enumerate(rows):
                page.write_row(number, 0, row)
    return target.getvalue()


def field(mapping: Json) -> str:
    return json.dumps(mapping)


def review(api: Door, content: bytes = TN, **fields: str) -> Json:
    return api.upload(content, mode="review", **fields)


def recheck(api: Door, job: Json, body: Json, **headers: str) -> Json:
    return api.done(api.post(f"/v1/jobs/{job['id']}/recheck", body, headers=headers))


def column(job: Json, header: str) -> Json:
    found: Json = next(each for each in job["file"]["columns"] if each["header"] == header)
    return found


def test_a_file_that_does_not_explain_itself_waits_for_a_mapping(api: Door, database: sa.Engine) -> None:
    job = review(api)
    assert (job["status"], job["can_confirm"], job["can_recheck"]) == ("review", False, True)
    assert job["problem"]["code"] == "MISSING_COLUMN"
    assert job["review"] is None
    assert job["links"]["report_csv"] is None
    assert job["file"]["missing"] == ["Voice", "SMS"]
    assert column(job, "TN")["column"] == "Phone Number"
    assert column(job, "TN")["confidence"] == 1
    kinds = column(job, "Type")
    assert kinds["index"] == 2
    assert kinds["samples"] == ["Y", "N", "Y", "perhaps"]
    assert [(each["value"], each["count"]) for each in kinds["values"]] == [("Y", 2), ("N", 1), ("perhaps", 1)]
    assert job["file"]["top_rows"][0] == {"row": 1, "cells": ["TN", "Type", "Provider"]}
    refused = api.post(f"/v1/jobs/{job['id']}/confirm")
    assert (refused.status_code, refused.json["code"]) == (409, "MAPPING_REQUIRED")
    rows = api.get(f"/v1/jobs/{job['id']}/rows")
    assert rows.status_code == 409, rows.json
    with database.connect() as connection:
        assert not connection.execute(sa.select(sa.func.count()).select_from(phone_numbers)).scalar_one()


def test_the_file_is_sent_once(api: Door, database: sa.Engine) -> None:
    """Checked again under a mapping, the same job shows what would happen; then it is confirmed."""
    job = review(api)
    checked = recheck(api, job, {"mapping": MAPPING})
    assert (checked["id"], checked["status"], checked["can_confirm"]) == (job["id"], "review", True), checked["problem"]
    assert checked["problem"] is None
    assert checked["review"]["effect"]["created"] == 4
    assert checked["file"]["mapping"]["columns"] == {"Phone Number": 1, "Voice": 2, "SMS": 2}
    ended = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert (ended["status"], ended["counts"]["created"]) == ("completed", 4)
    with database.connect() as connection:
        query = sa.select(phone_numbers.c.voice, phone_numbers.c.sms).order_by(phone_numbers.c.e164)
        assert [tuple(row) for row in connection.execute(query)] == [
            (True, False), (False, True), (True, False), (True, False),
        ]  # fmt: skip
    lines = table(api.report(job["id"]))
    assert [line["Type"] for line in lines] == ["Y", "N", "Y", "perhaps"], "the report has the file's own cells"


def test_a_mapping_with_the_upload(api: Door) -> None:
    job = api.upload(TN, mapping=field(MAPPING))
    assert (job["status"], job["counts"]["created"]) == ("completed", 4), job["problem"]


def test_without_review_the_job_fails_and_a_new_one_reads_the_stored_file(api: Door) -> None:
    failed = api.upload(TN)
    assert (failed["status"], failed["problem"]["code"]) == ("failed", "MISSING_COLUMN")
    assert failed["can_recheck"]
    again = recheck(api, failed, {"mapping": MAPPING})
    assert again["id"] != failed["id"]
    assert again["parent_job_id"] == failed["id"]
    assert (again["status"], again["counts"]["created"]) == ("completed", 4)
    assert api.job(failed["id"])["status"] == "failed"


def test_constants(api: Door) -> None:
    numbers = sheets.csv_bytes([["MSISDN"], ["2125550142"], ["2125550143"], ["12"]])
    constants = {"Country Code": "US", "Voice": "TRUE", "SMS": "no idea"}
    job = review(api, numbers, mapping=field({"constants": constants}), number_format="national")
    assert job["review"]["effect"]["failed"] == 3
    row = api.rows(job["id"])[0]
    assert (row["code"], row["column"]) == ("INVALID_BOOLEAN", "SMS")
    assert "no idea" in row["message"]
    checked = recheck(api, job, {"mapping": {"constants": constants | {"SMS": "FALSE"}}})
    assert checked["number_format"] == "national", "what the request leaves out stays"
    assert (checked["review"]["effect"]["created"], checked["review"]["effect"]["failed"]) == (2, 1)


def test_a_table_without_column_names(api: Door) -> None:
    content = b"yes;+1 212 555 0142;no\r\nyes;+1 212 555 0143;no\r\n"
    job = review(api, content)
    assert (job["status"], job["problem"]["code"]) == ("review", "NO_HEADER")
    assert [each["header"] for each in job["file"]["columns"]] == ["", "", ""]
    mapping = {"columns": {"Phone Number": 2, "Voice": 1, "SMS": 3}}
    checked = recheck(api, job, {"mapping": mapping})
    assert (checked["file"]["header_row"], checked["review"]["effect"]["created"]) == (0, 2)
    assert [row["row"] for row in api.rows(job["id"])] == [1, 2]


def test_the_header_row_and_the_sheet_can_be_chosen(api: Door) -> None:
    lists = [["Number list"], ["x", "y"], ["a", "b", "c"], ["+12125550142", "TRUE", "FALSE"]]
    book = two_sheets([["Read me"], ["Ask Bob"]], lists)
    job = review(api, book)
    assert job["status"] == "review"
    assert job["file"]["sheets"] == ["Notes", "Numbers"] or job["file"]["sheets"] == ["Numbers", "Notes"]
    mapping = {"columns": {"Phone Number": "a", "Voice": "b", "SMS": "c"}}
    checked = recheck(api, job, {"sheet": "Numbers", "header_row": 3, "mapping": mapping})
    assert (checked["can_confirm"], checked["review"]["effect"]["created"]) == (True, 1), checked["problem"]


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"columns": {"Phone Number": "No such"}}, "does not have"),
        ({"columns": {"Phone Number": 9}}, "column 9"),
        ({"columns": {"Phone Number": "TN"}}, "missing"),
    ],
)
def test_a_mapping_that_does_not_fit_keeps_the_review_open(api: Door, mapping: Json, words: str) -> None:
    job = recheck(api, review(api), {"mapping": mapping})
    assert (job["status"], job["can_confirm"]) == ("review", False)
    assert words in job["problem"]["detail"]


@pytest.mark.parametrize(
    "mapping",
    [
        "no JSON",
        "[]",
        '{"columns": {"Voice": 1, "Voice": 2}}',
        '{"columns": {"No such column": 1}}',
        '{"columns": {"Voice": 0}}',
        '{"columns": {"User": 1}}',
        '{"constants": {"Phone Number": "1"}}',
        '{"columns": {"Voice": 1}, "constants": {"Voice": "TRUE"}}',
        '{"more": 1}',
        "[" * 100_000,
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(api: Door, mapping: str) -> None:
    answer = api.send(TN, mapping=mapping)
    assert answer.status_code == 422, answer.json
    assert answer.json["code"] == "INVALID_FIELD"


def test_checking_again_and_confirming_are_for_the_state_seen(api: Door) -> None:
    job = review(api)
    first = api.get(f"/v1/jobs/{job['id']}").headers["ETag"]
    assert api.get(f"/v1/jobs/{job['id']}").headers["ETag"] == first, "a review does not change by itself"
    recheck(api, job, {"mapping": MAPPING}, **{"If-Match": first})
    paths: list[tuple[str, Json | None]] = [("recheck", {}), ("confirm", None)]
    for path, body in paths:
        stale = api.post(f"/v1/jobs/{job['id']}/{path}", body, headers={"If-Match": first})
        assert (stale.status_code, stale.json["code"]) == (412, "PRECONDITION_FAILED")
    now = api.get(f"/v1/jobs/{job['id']}").headers["ETag"]
    assert api.post(f"/v1/jobs/{job['id']}/confirm", headers={"If-Match": now}).status_code == 202


def test_what_earlier_checks_stored_is_removed(api: Door, stored: Callable[[], list[str]]) -> None:
    job = review(api, TN, mapping=field(MAPPING))
    before = stored()
    for _ in range(3):
        recheck(api, job, {"accept": "possible"})
    assert len(stored()) == len(before)
    ended = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert ended["counts"]["created"] == 4


@pytest.mark.long
def test_several_batches(api: Door, configure: Callable[..., None]) -> None:
    configure(rows_per_batch=10, rows_per_chunk=7)
    rows = [["TN", "Kind"], *[[f"+1212555{number:04}", "Y" if number % 3 else "maybe"] for number in range(45)]]
    job = review(api, sheets.csv_bytes(rows))
    assert {each["value"]: each["count"] for each in column(job, "Kind")["values"]} == {"Y": 30, "maybe": 15}
    columns = {"Voice": "Kind", "SMS": "Kind"}
    checked = recheck(api, job, {"mapping": {"columns": columns}})
    assert checked["review"]["effect"]["failed"] == 15
    values = {name: {"maybe": "FALSE"} for name in columns}
    values["Voice"]["maybe"] = "TRUE"
    checked = recheck(api, job, {"mapping": {"columns": columns, "values": values}})
    assert checked["review"]["effect"]["created"] == 45
    ended = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert (ended["status"], ended["counts"]["created"]) == ("completed", 45)


def test_an_expired_or_cancelled_review_is_checked_as_a_new_job(api: Door, database: sa.Engine) -> None:
    job = review(api)
    with database.begin() as connection:
        connection.execute(jobs.update().values(review_until=sa.func.now() - sa.text("interval '1 second'")))
    again = recheck(api, job, {"mapping": MAPPING})
    assert again["id"] != job["id"]
    assert (again["status"], again["can_confirm"]) == ("review", True)
    assert api.done(api.post(f"/v1/jobs/{again['id']}/cancel"))["status"] == "cancelled"
    third = recheck(api, again, {})
    assert (third["status"], third["review"]["effect"]["created"]) == ("review", 4)


def test_what_cannot_be_checked_again(api: Door, world: World, database: sa.Engine) -> None:
    done = api.upload(TN, mapping=field(MAPPING))
    refused = api.post(f"/v1/jobs/{done['id']}/recheck", {})
    assert (refused.status_code, refused.json["code"]) == (409, "CANNOT_RECHECK")
    job = review(api)
    assert api.as_(world.south.token).post(f"/v1/jobs/{job['id']}/recheck", {}).status_code == 404
    api.done(api.post(f"/v1/jobs/{job['id']}/cancel"))
    with database.begin() as connection:
        connection.execute(jobs.update().values(keeps_upload=False))
    gone = api.post(f"/v1/jobs/{job['id']}/recheck", {})
    assert (gone.status_code, gone.json["code"]) == (410, "UPLOAD_EXPIRED")


def test_a_profile_is_saved_and_taken(api: Door, database: sa.Engine) -> None:
    job = recheck(api, review(api), {"mapping": MAPPING, "save_profile": "Carrier list"})
    assert job["can_confirm"]
    turned = sheets.csv_bytes([["provider", "TYPE", "tn"], ["?", "perhaps", "+12125550177"]])
    second = review(api, turned)
    assert second["can_confirm"], second["problem"]
    assert second["file"]["profile"]["name"] == "Carrier list"
    assert second["review"]["effect"]["created"] == 1
    forbidden = review(api, turned, profile="none")
    assert not forbidden["can_confirm"]
    assert review(api, turned, profile="carrier LIST")["can_confirm"]
    unknown = api.send(turned, profile="No such")
    assert (unknown.status_code, unknown.json["code"]) == (422, "INVALID_FIELD")
    plain = review(api, sheets.csv_bytes(sheets.rows(2)))
    assert plain["file"]["profile"] is None, "a file that explains itself needs no profile"
    with database.connect() as connection:
        described = connection.execute(sa.select(sa.func.count()).select_from(file_descriptions)).scalar_one()
    assert described == 5


def test_two_profiles_alike_are_asked_about(api: Door) -> None:
    for name in ("First", "Second"):
        recheck(api, review(api, profile="none"), {"mapping": MAPPING, "profile": "none", "save_profile": name})
    job = review(api)
    assert not job["can_confirm"]
    assert "“First”, “Second”" in job["problem"]["detail"]


def test_saving_again_replaces_the_profile(api: Door) -> None:
    job = recheck(api, review(api), {"mapping": MAPPING, "save_profile": "Mine"})
    changed: dict[str, Any] = MAPPING | {"values": {"Voice": {"perhaps": "FALSE"}, "SMS": {"perhaps": "TRUE"}}}
    recheck(api, job, {"mapping": changed, "save_profile": "mine"})
    assert review(api)["file"]["mapping"]["values"]["Voice"] == {"perhaps": "FALSE"}


@pytest.mark.long
def test_checking_again_and_confirming_at_once(api: Door) -> None:
    """Whichever comes first: nothing is lost or doubled, and the job ends as one of the decisions said."""
    job = review(api, mapping=field(MAPPING))
    for _ in range(4):
        bodies: list[tuple[str, Json | None]] = [("recheck", {"accept": "possible"}), ("confirm", None)] * 3
        with ThreadPoolExecutor(len(bodies)) as pool:
            answers = list(pool.map(lambda pair: api.post(f"/v1/jobs/{job['id']}/{pair[0]}", pair[1]), bodies))
        assert {answer.status_code for answer in answers} <= {202, 409, 503}, [answer.json for answer in answers]
        assert any(answer.status_code == 202 for answer in answers)
        api.work_off()
        now = api.job(job["id"])
        if now["status"] != "review":
            break
        assert now["review"]["effect"]["created"] == 4
    if now["status"] == "review":
        now = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert (now["status"], now["counts"]["created"], now["counts"]["total"]) == ("completed", 4, 4)
    assert [row["row"] for row in api.rows(job["id"])] == [2, 3, 4, 5]


@pytest.mark.parametrize("name", ["none", " ", "x" * 201, "a\nb"])
def test_a_profile_is_not_saved_under_a_name_that_means_nothing(api: Door, name: str) -> None:
    answer = api.post(f"/v1/jobs/{review(api)['id']}/recheck", {"mapping": MAPPING, "save_profile": name})
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")


def test_a_profile_that_cannot_be_saved_is_noted(api: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_profiles, "MOST_PER_TENANT", 0)
    job = recheck(api, review(api), {"mapping": MAPPING, "save_profile": "One more"})
    assert job["can_confirm"]
    assert "The import profile was not saved: you have 0 already. Delete one first." in job["file"]["notes"]


def test_a_profile_with_numbers_of_columns_is_not_taken_for_another_order(api: Door) -> None:
    """Two columns of the same name are given by number: in another order, that is another column."""
    first = sheets.csv_bytes([["TN", "Flag", "Flag"], ["+12125550142", "Y", "N"]])
    mapping = {"columns": {"Voice": 2, "SMS": 3}}
    assert recheck(api, review(api, first), {"mapping": mapping, "save_profile": "By number"})["can_confirm"]
    assert review(api, first)["file"]["profile"]["name"] == "By number"
    turned = sheets.csv_bytes([["Flag", "TN", "Flag"], ["N", "+12125550143", "Y"]])
    job = review(api, turned)
    assert (job["can_confirm"], job["file"]["profile"]) == (False, None)
