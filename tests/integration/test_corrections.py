"""Rows under review are corrected in place, by rule or cell by cell (R33)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import sqlalchemy as sa

from schemas.database.tables import corrections, phone_numbers
from tests.support.api_client import Door, Json, table
from tests.support.factories import World
from tests.support.files import sheets

FAULTY = [
    list(sheets.HEADER),
    ["1", "2125550100", "TRUE", "FALSE", "FALSE"],
    ["", "2125550101", "TRUE", "FALSE", "FALSE"],
    ["1", "2125550102", "maybe", "FALSE", "FALSE"],
    ["", "2125550103", "Maybe ", "FALSE", "FALSE"],
    ["1", "21255501O4", "TRUE", "FALSE", "FALSE"],
    ["1", "12", "TRUE", "FALSE", "FALSE"],
    ["1", "2125550106", "TRUE", "FALSE", "FALSE"],
]
COUNTRY = {"column": "Country Code", "code": "MISSING_VALUE", "set": "1"}
VOICE = {"column": "Voice", "equals": "MAYBE", "set": "TRUE"}
LETTER = {"column": "Phone Number", "replace": ["O", "0"], "code": "INVALID_CHARACTER"}
RULES = {"rules": [COUNTRY, VOICE, LETTER]}


def review(api: Door, rows: Sequence[Sequence[str]] = FAULTY, **fields: str) -> Json:
    return api.upload(sheets.csv_bytes(rows), mode="review", **fields)


def correct(api: Door, job: Json, body: Json, **headers: str) -> Json:
    return api.done(api.post(f"/v1/jobs/{job['id']}/corrections", body, headers=headers))


def take_back(api: Door, job: Json, number: int) -> Json:
    return api.done(api.delete(f"/v1/jobs/{job['id']}/corrections/{number}"))


def preview(api: Door, job: Json, body: Json) -> Json:
    """Ask what a correction would do, while a worker works."""
    ended = Event()

    def work() -> None:
        while not ended.is_set():
            api.work_off()
            time.sleep(0.01)

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            answer = api.post(f"/v1/jobs/{job['id']}/corrections/preview", body)
        finally:
            ended.set()
        working.result()
    assert answer.status_code == 200, answer.json
    found: Json = answer.json
    return found


def underscored(line: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in line.items() if name.startswith("_") and name != "_corrections"}


def numbers_in(database: sa.Engine) -> list[tuple[object, ...]]:
    columns = [phone_numbers.c[name] for name in ("e164", "voice", "sms", "fax")]
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(columns[0]))]


def test_the_review_lists_faults_with_their_values(api: Door) -> None:
    job = review(api)
    faults = {(each["code"], each["column"]): each for each in job["review"]["faults"]}
    assert job["can_correct"]
    assert faults["INVALID_BOOLEAN", "Voice"]["rows"] == 2, "a row counts for each of its faults"
    assert faults["MISSING_VALUE", "Country Code"]["rows"] == 2
    values = {each["value"]: each["count"] for each in faults["INVALID_BOOLEAN", "Voice"]["values"]}
    assert values == {"maybe": 1, "Maybe ": 1}


def test_corrected_by_rule_it_is_as_if_corrected_by_hand(api: Door, database: sa.Engine) -> None:
    job = correct(api, review(api), RULES)
    assert (job["status"], job["review"]["effect"]["created"], job["review"]["effect"]["failed"]) == ("review", 6, 1)
    row = next(row for row in api.rows(job["id"]) if row["row"] == 5)
    assert row["corrections"] == [
        {"column": "Country Code", "was": "", "now": "1"},
        {"column": "Voice", "was": "Maybe ", "now": "TRUE"},
    ]
    assert "CORRECTED" in row["warnings"]
    assert row["cells"]["Voice"] == "Maybe ", "the file keeps its text"
    ended = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert (ended["status"], ended["counts"]["created"], ended["counts"]["failed"]) == ("completed_with_errors", 6, 1)
    lines, written = table(api.report(job["id"])), numbers_in(database)
    assert lines[1]["_corrections"] == "Country Code: “” → “1”"
    assert lines[0]["_corrections"] == ""
    api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert numbers_in(database) == []

    right = [list(cells) for cells in FAULTY]
    right[2][0] = right[4][0] = "1"
    right[3][2] = right[4][2] = "TRUE"
    right[5][1] = "2125550104"
    by_hand = api.upload(sheets.csv_bytes(right))
    assert numbers_in(database) == written
    assert list(map(underscored, table(api.report(by_hand["id"])))) == list(map(underscored, lines))
    assert "_corrections" not in table(api.report(by_hand["id"]))[0]


def test_cells_and_rows_left_out(api: Door) -> None:
    job = correct(
        api,
        review(api, on_error="abort"),
        {
            "cells": [
                {"row": 3, "column": "Country Code", "value": "US"},
                {"row": 8, "column": "Phone Number", "value": "2125550100"},
            ],
            "leave_out": [4, 5, 6, 7],
        },
    )
    rows = {row["row"]: row for row in api.rows(job["id"])}
    assert {number: rows[number]["code"] for number in (4, 5, 6, 7)} == dict.fromkeys((4, 5, 6, 7), "LEFT_OUT")
    assert (rows[3]["code"], rows[3]["number"]) == ("CREATED", "+12125550101")
    assert (rows[8]["code"], rows[8]["duplicate_of_row"]) == ("DUPLICATE_IN_FILE", 2), "over the whole file"
    assert job["review"]["effect"] | {"failed": 0, "skipped": 5, "created": 2} == job["review"]["effect"]
    ended = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert (ended["status"], ended["counts"]["created"], ended["counts"]["skipped"]) == ("completed", 2, 5)


def test_rules_leave_out_and_touch_no_row_that_is_right(api: Door) -> None:
    job = correct(
        api,
        review(api),
        {
            "rules": [
                {"column": "Country Code", "code": "MISSING_VALUE", "leave_out": True},
                {"column": "Phone Number", "replace": ["2125550100", "2125550199"]},
                {"column": "Phone Number", "equals": "2125550106", "set": "2125550198"},
            ]
        },
    )
    rows = {row["row"]: row for row in api.rows(job["id"])}
    assert (rows[3]["code"], rows[5]["code"]) == ("LEFT_OUT", "LEFT_OUT")
    assert (rows[2]["number"], rows[8]["number"]) == ("+12125550100", "+12125550106")
    assert rows[4]["code"] == "INVALID_BOOLEAN"


def test_corrections_are_listed_and_taken_back(api: Door, database: sa.Engine) -> None:
    job = review(api)
    before = api.rows(job["id"])
    correct(api, job, {"rules": [COUNTRY]})
    correct(api, job, {"rules": [VOICE], "cells": [{"row": 3, "column": "Country Code", "value": "44"}]})
    listed = api.get(f"/v1/jobs/{job['id']}/corrections").json["data"]
    assert [(each["number"], each["rows"]) for each in listed] == [(1, 2), (2, 3)]
    assert listed[0]["rules"][0]["set"] == "1"
    assert next(row for row in api.rows(job["id"]) if row["row"] == 3)["code"] != "CREATED"
    job = take_back(api, job, 2)
    assert next(row for row in api.rows(job["id"]) if row["row"] == 3)["code"] == "CREATED", "the first counts again"
    assert job["review"]["effect"]["created"] == 3
    job = take_back(api, job, 1)
    assert api.rows(job["id"]) == before
    assert api.get(f"/v1/jobs/{job['id']}/corrections").json["data"] == []
    for number in ("1", "9" * 30, "x"):
        assert api.delete(f"/v1/jobs/{job['id']}/corrections/{number}").status_code == 404
    with database.connect() as connection:
        assert not connection.execute(sa.select(sa.func.count()).select_from(corrections)).scalar_one()


@pytest.mark.parametrize("batch", [2, 3, 100])
def test_batches_make_no_difference(api: Door, configure: Callable[..., None], batch: int) -> None:
    configure(rows_per_batch=batch, rows_per_chunk=2)
    job = correct(api, review(api), {"rules": [COUNTRY]})
    job = correct(api, job, {"rules": [VOICE]})
    job = correct(api, job, {"rules": [LETTER], "leave_out": [7]})
    assert (job["review"]["effect"]["created"], job["review"]["effect"]["skipped"]) == (6, 1)
    job = take_back(api, job, 2)
    assert job["review"]["effect"]["failed"] == 2
    ended = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert (ended["counts"]["created"], ended["counts"]["failed"]) == (4, 2)
    assert [line["_row"] for line in table(api.report(job["id"]))] == [str(row) for row in range(2, 9)]


def test_a_preview_says_what_becomes_right(api: Door) -> None:
    job = review(api)
    body = {
        "rules": [COUNTRY, VOICE, {"column": "Phone Number", "code": "TOO_SHORT", "leave_out": True}],
        "cells": [
            {"row": 7, "column": "Phone Number", "value": "2125550105"},
            {"row": 6, "column": "Phone Number", "value": "?"},
        ],
    }
    emptied = {"rules": [{"column": "Voice", "equals": "maybe", "set": ""}]}
    assert preview(api, job, emptied)["rules"][0]["right"] == 0, "a number without any capability"
    answer = preview(api, job, body)
    assert [(each["rows"], each["right"]) for each in answer["rules"]] == [(2, 1), (2, 1), (1, 0)]
    rows = {row["row"]: row for row in answer["rows"]}
    assert (rows[7]["right"], rows[7]["number"]) == (True, "+12125550105")
    assert (rows[6]["right"], rows[6]["column"]) == (False, "Phone Number")
    assert "“?”" in rows[6]["message"]
    assert api.job(job["id"])["status"] == "review"
    assert not any(row["corrections"] for row in api.rows(job["id"]))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rules": [{"column": "Voice", "set": "TRUE"}]},
        {"rules": [{"column": "No such", "equals": "x", "set": "TRUE"}]},
        {"rules": [{"column": "User", "equals": "x", "set": "TRUE"}]},
        {"rules": [{"column": "Voice", "equals": "x"}]},
        {"rules": [{"column": "Voice", "equals": "x", "set": "1", "leave_out": True}]},
        {"rules": [{"column": "Voice", "code": "TOO_SHORT", "set": "1"}]},
        {"rules": [{"column": "Voice", "code": "NO_SUCH", "set": "1"}]},
        {"rules": [{"column": "Voice", "replace": ["", "1"]}]},
        {"cells": [{"row": 2, "column": "Voice", "value": "x" * 1001}]},
        {"cells": [{"row": 99, "column": "Voice", "value": "TRUE"}]},
        {"leave_out": [1]},
        {"leave_out": [0]},
        {"more": 1},
    ],
)
def test_what_cannot_be_meant_is_refused(api: Door, body: Json) -> None:
    job = review(api)
    for path in ("corrections", "corrections/preview"):
        answer = api.post(f"/v1/jobs/{job['id']}/{path}", body)
        assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD"), answer.json
    assert api.job(job["id"])["status"] == "review"


def test_only_an_upload_under_review_of_ones_own_is_corrected(api: Door, world: World) -> None:
    job = review(api)
    stranger = api.as_(world.south.token)
    for method, path in (("post", "corrections"), ("post", "corrections/preview"), ("post", "retry")):
        answer = getattr(stranger, method)(f"/v1/jobs/{job['id']}/{path}", RULES)
        assert answer.status_code == 404, path
    assert stranger.get(f"/v1/jobs/{job['id']}/corrections").status_code == 404
    assert stranger.delete(f"/v1/jobs/{job['id']}/corrections/1").status_code == 404
    ended = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    late = api.post(f"/v1/jobs/{ended['id']}/corrections", RULES)
    assert (late.status_code, late.json["code"]) == (409, "NOT_IN_REVIEW")
    deletion = api.done(api.post("/v1/deletions", {"numbers": ["+12125550100"], "mode": "review"}))
    other = api.post(f"/v1/jobs/{deletion['id']}/corrections", RULES)
    assert (other.status_code, other.json["code"]) == (409, "CANNOT_CORRECT")


def test_corrections_are_for_the_state_seen(api: Door) -> None:
    job = review(api)
    seen = api.get(f"/v1/jobs/{job['id']}").headers["ETag"]
    correct(api, job, {"rules": [COUNTRY]}, **{"If-Match": seen})
    answers = [
        api.post(f"/v1/jobs/{job['id']}/corrections", RULES, headers={"If-Match": seen}),
        api.delete(f"/v1/jobs/{job['id']}/corrections/1", headers={"If-Match": seen}),
        api.post(f"/v1/jobs/{job['id']}/confirm", headers={"If-Match": seen}),
    ]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(412, "PRECONDITION_FAILED")] * 3
    assert len(api.get(f"/v1/jobs/{job['id']}/corrections").json["data"]) == 1


def test_checking_again_forgets_the_corrections(api: Door) -> None:
    job = correct(api, review(api), RULES)
    again = api.done(api.post(f"/v1/jobs/{job['id']}/recheck", {"accept": "possible"}))
    assert again["review"]["effect"]["failed"] == 5
    assert api.get(f"/v1/jobs/{job['id']}/corrections").json["data"] == []


def test_cancelled_while_rows_are_validated_again(api: Door) -> None:
    job = review(api)
    assert api.post(f"/v1/jobs/{job['id']}/corrections", RULES).status_code == 202
    ended = api.done(api.post(f"/v1/jobs/{job['id']}/cancel"))
    assert (ended["status"], ended["counts"]["failed"], ended["counts"]["unprocessed"]) == ("cancelled", 5, 2)
    assert "_corrections" not in table(api.report(job["id"]))[0]


@pytest.mark.parametrize("batch", [3, 100])
def test_what_is_superseded_is_removed(
    api: Door, stored: Callable[[], list[str]], configure: Callable[..., None], batch: int
) -> None:
    configure(rows_per_batch=batch, rows_per_chunk=2)
    job = correct(api, review(api), {"rules": [COUNTRY]})
    counts = []
    for number in range(2, 6):
        correct(api, job, {"rules": [VOICE]})
        take_back(api, job, number)
        counts.append(len(stored()))
    assert counts[2:] == counts[1:-1]


def test_the_failed_rows_of_an_ended_upload_are_reviewed_again(api: Door, database: sa.Engine) -> None:
    first = review(api)
    correct(api, first, {"rules": [COUNTRY]})
    ended = api.done(api.post(f"/v1/jobs/{first['id']}/confirm"))
    assert (ended["counts"]["created"], ended["counts"]["failed"], ended["can_retry"]) == (3, 4, True)
    again = api.done(api.post(f"/v1/jobs/{ended['id']}/retry"))
    assert (again["status"], again["parent_job_id"], again["counts"]["total"]) == ("review", ended["id"], 4)
    rows = {row["row"]: row for row in api.rows(again["id"])}
    assert list(rows) == [4, 5, 6, 7], "with the numbers of the file"
    assert rows[5]["corrections"] == [{"column": "Country Code", "was": "", "now": "1"}], "what was corrected stays so"
    corrected = correct(api, again, {"rules": [VOICE, LETTER], "leave_out": [7]})
    assert (corrected["review"]["effect"]["created"], corrected["can_recheck"]) == (3, False)
    done = api.done(api.post(f"/v1/jobs/{again['id']}/confirm"))
    assert (done["status"], done["counts"]["created"], done["can_retry"]) == ("completed", 3, False)
    assert len(numbers_in(database)) == 6
    refused = api.post(f"/v1/jobs/{done['id']}/retry")
    assert (refused.status_code, refused.json["code"]) == (409, "NOTHING_TO_CORRECT")


def test_an_all_or_nothing_upload_is_taken_over_whole(api: Door, database: sa.Engine) -> None:
    ended = api.upload(sheets.csv_bytes([*FAULTY, FAULTY[1]]), on_error="abort")
    assert (ended["counts"]["created"], ended["counts"]["failed"], ended["counts"]["skipped"]) == (0, 5, 1)
    again = api.done(api.post(f"/v1/jobs/{ended['id']}/retry"))
    assert (again["counts"]["total"], again["on_error"]) == (8, "abort")
    first = {"row": 2, "column": "Phone Number", "value": "2125550177"}
    correct(api, again, RULES | {"leave_out": [7], "cells": [first]})
    done = api.done(api.post(f"/v1/jobs/{again['id']}/confirm"))
    assert (done["status"], done["counts"]["created"]) == ("completed", 7), "the duplicate of row 2 is no longer one"
    assert len(numbers_in(database)) == 7


def test_column_evidence_stays_as_first_decided(api: Door) -> None:
    """A corrected row does not change how the numbers of the others are read (R14b)."""
    header = ["Country Code", "Phone Number", "Voice", "SMS"]
    both, national = "4915110000000", "15110000000"

    def rows(second: str) -> list[list[str]]:
        return [header, ["DE", both, "TRUE", "FALSE"], ["DE", second, "TRUE", "FALSE"]]

    assert [row["code"] for row in api.rows(review(api, rows(national))["id"])] == ["CREATED", "CREATED"]
    job = review(api, rows("x"))
    assert [row["code"] for row in api.rows(job["id"])] == ["AMBIGUOUS_NUMBER", "INVALID_CHARACTER"]
    job = correct(api, job, {"cells": [{"row": 3, "column": "Phone Number", "value": national}]})
    assert [row["code"] for row in api.rows(job["id"])] == ["AMBIGUOUS_NUMBER", "CREATED"]


def test_a_million_cells_are_one_rule(api: Door, configure: Callable[..., None]) -> None:
    configure(rows_per_batch=1000, rows_per_chunk=1000)
    rows = [list(sheets.HEADER), *(["", f"{2125550000 + row}", "TRUE", "FALSE", ""] for row in range(3000))]
    job = correct(api, review(api, rows), {"rules": [COUNTRY]})
    assert job["review"]["effect"]["created"] == 3000
    assert api.get(f"/v1/jobs/{job['id']}/corrections").json["data"][0]["rows"] == 3000


def damaged_file() -> tuple[list[list[str]], list[list[str]]]:
    """Two tables of 2,000 rows: one has five kinds of errors in 400 rows; in the other a person has corrected them."""
    header = ["Country Code", "Phone Number", "Voice", "SMS", "Voice Carrier Name"]
    right = [["1", f"{3052550000 + row}", "TRUE", "FALSE", ""] for row in range(2000)]
    wrong = [list(row) for row in right]
    for row in wrong[0:500:5]:
        row[0] = ""
    for row in wrong[500:1000:5]:
        row[2] = "maybe"
    for row in wrong[1000:1400:5]:
        row[4] = "Former carrier"
    for row in wrong[1400:1750:5]:
        row[1] = row[1].replace("0", "O", 1)
    for place in range(1750, 2000, 5):
        wrong[place][1] = right[place][1] = right[place][1][:4]  # no rule knows these
    return [header, *wrong], [header, *right]


def test_a_damaged_file_becomes_the_one_corrected_by_hand(api: Door, database: sa.Engine) -> None:
    wrong, right = damaged_file()
    job = review(api, wrong)
    assert job["review"]["effect"]["failed"] == 400
    carrier = {"column": "Voice Carrier Name", "equals": "former carrier", "set": ""}
    job = correct(api, job, {"rules": [COUNTRY, VOICE, LETTER, carrier]})
    assert job["review"]["effect"]["failed"] == 50
    api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    lines, written = table(api.report(job["id"])), numbers_in(database)
    api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    by_hand = api.upload(sheets.csv_bytes(right))
    assert numbers_in(database) == written
    assert list(map(underscored, table(api.report(by_hand["id"])))) == list(map(underscored, lines))
    assert sum(bool(line["_corrections"]) for line in lines) == 350
