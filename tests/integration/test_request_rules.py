"""What holds for every request: ids, strict queries and fields, preferences, and bodies that are a file."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from schemas.workbooks import MEDIA_TYPE
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.job_links import ACTIONS

FILE = sheets.csv_bytes(sheets.rows(3))
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Send = Callable[..., TestResponse]


@pytest.fixture
def raw(api: Door) -> Send:
    """Sends a body as it is, with options in the query."""

    def send(content: bytes, content_type: str = "text/csv", query: Any = None, **headers: str) -> TestResponse:  # noqa: ANN401 - as in werkzeug
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        authorization = {"Authorization": f"Bearer {api.token}"}
        return api.client.post(
            "/v1/uploads",
            data=content,
            content_type=content_type,
            query_string=query,
            headers=authorization | named,
        )

    return send


def assert_refused(answer: TestResponse, status: int, code: str, field: str | None = None) -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json
    assert answer.json["fix"]
    if field is not None:
        assert answer.json.get("field") == field or [error["field"] for error in answer.json["errors"]] == [field]


# X-Request-Id and traceparent


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/nothing", "/livez"])
def test_a_request_id_is_returned_and_logged(api: Door, path: str) -> None:
    answer = api.get(path, headers={"X-Request-Id": "order-4711/1", "traceparent": TRACE})
    assert (answer.headers["X-Request-Id"], answer.headers["traceparent"]) == ("order-4711/1", TRACE)
    names = structlog.contextvars.get_contextvars()
    assert (names["request_id"], names["trace_id"]) == ("order-4711/1", TRACE.split("-")[1])


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "ä", "<script>", '"'])
def test_an_unusable_request_id_is_replaced(api: Door, given: str) -> None:
    answer = api.get("/v1/jobs", headers={"X-Request-Id": given})
    assert answer.status_code == 200
    assert uuid.UUID(answer.headers["X-Request-Id"])


@pytest.mark.parametrize(
    "given", ["", "00", f"ff{TRACE[2:]}", TRACE.upper(), f"00-{'0' * 32}-{'1' * 16}-01", f"{TRACE}-more"]
)
def test_an_invalid_trace_is_ignored(api: Door, given: str) -> None:
    answer = api.get("/v1/jobs", headers={"traceparent": given})
    assert answer.status_code == 200
    assert "traceparent" not in answer.headers


# Queries and fields


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/jobs?status=null", "status"),
        ("/v1/jobs?kind=paint", "kind"),
        ("/v1/jobs?code=NO_SUCH_CODE", "code"),
        ("/v1/jobs?colour=red", "colour"),
        ("/v1/jobs?created_after=0", "created_after"),
        ("/v1/jobs?cursor=abc", "cursor"),
        ("/v1/numbers?status=lost", "status"),
        ("/v1/numbers?cursor=abc", "cursor"),
        ("/v1/numbers?tenant_id=nobody", "tenant_id"),
        ("/v1/numbers?user_id=nobody", "user_id"),
        ("/v1/numbers?uploaded_by=nobody", "uploaded_by"),
        ("/v1/numbers.csv?tenant_id=nobody", "tenant_id"),
        ("/v1/users?tenant_id=nobody", "tenant_id"),
        ("/v1/users?cursor=abc", "cursor"),
        ("/v1/tenants?cursor=abc", "cursor"),
        ("/v1/carriers?cursor=abc", "cursor"),
        ("/v1/tokens?cursor=abc", "cursor"),
        ("/v1/callbacks?cursor=abc", "cursor"),
        ("/v1/callbacks?state=lost", "state"),
        ("/v1/import-profiles?cursor=abc", "cursor"),
        ("/v1/webhooks?cursor=abc", "cursor"),
        ("/v1/changes?after=abc", "after"),
        ("/v1/templates/numbers.csv?sheet=1", "sheet"),
    ],
)
def test_what_is_unknown_in_a_query_is_refused(api: Door, path: str, field: str) -> None:
    """Before, some of these gave an empty list."""
    assert_refused(api.get(path), 422, "INVALID_FIELD", field)


def test_r3_a_filter_by_what_is_elsewhere_answers_like_one_by_nothing(api: Door, world: World) -> None:
    for name in ("tenant_id", "uploaded_by"):
        answers = [api.get(f"/v1/numbers?{name}={id_}") for id_ in (world.south.tenant.public_id, str(uuid.uuid4()))]
        assert len({answer.get_data().replace(b"south", b"") for answer in answers}) == 1
        assert {answer.status_code for answer in answers} == {422}
    assert api.get(f"/v1/numbers?uploaded_by={world.master.tenant.public_id}").status_code == 200


def test_a_filter_of_an_action_is_as_strict(api: Door) -> None:
    body = {"filter": {"tenant_id": "nobody"}, "expected_count": 0}
    assert_refused(api.post("/v1/deletions", body), 422, "INVALID_FIELD", "tenant_id")


def test_repeated_parameters_are_refused(api: Door) -> None:
    assert_refused(api.get("/v1/jobs?limit=1&limit=2"), 422, "DUPLICATE_FIELD", "limit")
    assert_refused(api.get("/v1/jobs?limit=1&limit=1"), 422, "DUPLICATE_FIELD", "limit")


def test_repeated_form_fields_are_refused(api: Door, stored: Callable[[], list[str]]) -> None:
    data = {"mode": ["apply", "review"], "file": (io.BytesIO(FILE), "a.csv")}
    answer = api.client.post("/v1/uploads", data=data, headers={"Authorization": f"Bearer {api.token}"})
    assert_refused(answer, 422, "DUPLICATE_FIELD", "mode")
    assert stored() == []


def test_repeated_keys_of_json_are_refused(api: Door) -> None:
    answer = api.client.post(
        "/v1/carriers",
        data=b'{"name": "a", "name": "b", "service": "voice"}',
        content_type="application/json",
        headers={"Authorization": f"Bearer {api.token}"},
    )
    assert_refused(answer, 422, "DUPLICATE_KEY")


def test_options_of_a_form_may_be_in_the_query_but_not_in_both(api: Door) -> None:
    def send(query: str, **fields: str) -> TestResponse:
        data = {"file": (io.BytesIO(FILE), "a.csv"), **fields}
        return api.client.post(f"/v1/uploads?{query}", data=data, headers={"Authorization": f"Bearer {api.token}"})

    job = send("mode=review&file_name=b.csv", on_error="abort").json
    assert (job["mode"], job["on_error"], job["file"]["name"]) == ("review", "abort", "b.csv")
    assert_refused(send("mode=review", mode="review"), 422, "DUPLICATE_FIELD", "mode")
    assert_refused(send("color=red"), 422, "INVALID_FIELD", "color")


# Prefer


def test_an_applied_preference_is_named(api: Door) -> None:
    job = api.upload(FILE)
    applied = api.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "respond-async, wait=99"})
    assert applied.headers["Preference-Applied"] == "wait=10"
    assert "Preference-Applied" not in api.get(f"/v1/jobs/{job['id']}").headers
    assert "Preference-Applied" not in api.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=soon"}).headers
    missing = api.get(f"/v1/jobs/{uuid.uuid4()}", headers={"Prefer": "wait=1"})
    assert (missing.status_code, missing.headers.get("Preference-Applied")) == (404, None)


# Files as bodies


def digest_of(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def test_a_file_is_the_body(api: Door, raw: Send) -> None:
    query = {"mode": "review", "file_name": "März.csv", "mapping": '{"constants": {"Fax": "TRUE"}}', "external_id": "a"}
    job = api.done(raw(FILE, "text/csv; charset=utf-8", query, Content_Digest=digest_of(FILE)))
    assert (job["file"]["name"], job["file"]["size"], job["mode"]) == ("März.csv", len(FILE), "review")
    assert job["file"]["sha256"] == hashlib.sha256(FILE).hexdigest()
    assert (job["status"], job["external_id"]) == ("review", "a")


def test_a_workbook_is_the_body(api: Door, raw: Send) -> None:
    job = api.done(raw(sheets.xlsx_bytes(sheets.rows(2)), MEDIA_TYPE))
    assert (job["file"]["name"], job["file"]["format"], job["counts"]["created"]) == ("upload.xlsx", "xlsx", 2)


@pytest.mark.parametrize("members", [1, 2])
def test_a_packed_file_is_the_body(api: Door, raw: Send, members: int) -> None:
    packed = b"".join(gzip.compress(FILE[at::1] if members == 1 else part) for at, part in enumerate(halves(members)))
    job = api.done(raw(packed, Content_Encoding="gzip", Repr_Digest=digest_of(packed)))
    assert (job["file"]["size"], job["counts"]["created"]) == (len(FILE), 3)
    again = api.upload(FILE)
    assert again["duplicate_of"] == job["id"]  # the same file, however it is sent


def halves(members: int) -> list[bytes]:
    return [FILE] if members == 1 else [FILE[:40], FILE[40:]]


PACKED = gzip.compress(FILE, mtime=0)  # the same in every test process


@pytest.mark.parametrize(
    ("content", "content_type", "query", "headers", "status", "code"),
    [
        (b"", "text/csv", None, {}, 422, "INVALID_FIELD"),
        (FILE, "text/plain", None, {}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (FILE, "text/csv", {"mode": "later"}, {}, 422, "INVALID_FIELD"),
        (FILE, "text/csv", {"color": "red"}, {}, 422, "INVALID_FIELD"),
        (FILE, "text/csv", {"metadata": "[]"}, {}, 422, "INVALID_FIELD"),
        (FILE, "text/csv", None, {"Content_Encoding": "br"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (FILE, "text/csv", None, {"Content_Encoding": "gzip"}, 400, "BAD_REQUEST"),
        (PACKED[:-4], "text/csv", None, {"Content_Encoding": "gzip"}, 400, "TRUNCATED_UPLOAD"),
        (PACKED + b"more", "text/csv", None, {"Content_Encoding": "gzip"}, 400, "BAD_REQUEST"),
        (FILE, "text/csv", None, {"Content_Digest": digest_of(b"other")}, 400, "DIGEST_MISMATCH"),
        (
            PACKED,
            "text/csv",
            None,
            {"Content_Encoding": "gzip", "Repr_Digest": digest_of(FILE)},
            400,
            "DIGEST_MISMATCH",
        ),
    ],
    ids=["empty", "text", "mode", "color", "metadata", "br", "plain", "cut", "more", "digest", "packed digest"],
)
def test_a_body_that_is_refused_leaves_nothing(
    raw: Send,
    stored: Callable[[], list[str]],
    content: bytes,
    content_type: str,
    query: dict[str, str] | None,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    assert_refused(raw(content, content_type, query, **headers), status, code)
    assert stored() == []


def test_a_packed_file_has_the_limit_of_any_file(
    raw: Send, stored: Callable[[], list[str]], configure: Callable[..., None]
) -> None:
    configure(max_upload_bytes=100_000)
    bomb = gzip.compress(b"1,2125550142,TRUE\r\n" * 100_000)
    assert len(bomb) < 100_000
    answer = raw(bomb, Content_Encoding="gzip")
    assert_refused(answer, 413, "FILE_TOO_LARGE")
    assert answer.json["limit"] == 100_000
    assert stored() == []


def test_other_routes_take_no_packed_bodies(api: Door) -> None:
    answer = api.post("/v1/carriers", {"name": "a", "service": "voice"}, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")


def test_a_key_is_that_of_the_file_however_it_is_sent(raw: Send) -> None:
    first = raw(FILE, query={"file_name": "a.csv"}, Idempotency_Key="k")
    again = raw(gzip.compress(FILE), query={"file_name": "a.csv"}, Idempotency_Key="k", Content_Encoding="gzip")
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    assert raw(FILE, query={"file_name": "b.csv"}, Idempotency_Key="k").json["code"] == "IDEMPOTENCY_KEY_REUSED"


# What a client attaches to a job


def test_jobs_have_an_id_and_texts_of_the_client(api: Door, world: World) -> None:
    labels = {"external_id": "order 7", "metadata": {"ticket": "4711", "Straße": "ä\n€"}}
    action = api.post("/v1/deletions", {"numbers": ["+12125550142"], **labels})
    upload = api.send(FILE, external_id="order 7", metadata='{"ticket": "4711"}')
    for answer in (action, upload):
        assert answer.status_code == 202, answer.json
        assert (answer.json["external_id"], answer.json["metadata"]["ticket"]) == ("order 7", "4711")
    assert action.json["metadata"] == labels["metadata"]
    api.upload(FILE, external_id="order 8")
    listed = [job["id"] for job in api.get("/v1/jobs?external_id=order+7").json["data"]]
    assert listed == [upload.json["id"], action.json["id"]]
    page = api.get("/v1/jobs?external_id=order+7&limit=1").json
    rest = api.get(f"/v1/jobs?external_id=order+7&limit=1&cursor={page['next_cursor']}").json
    assert [job["id"] for job in page["data"] + rest["data"]] == listed
    assert api.get("/v1/jobs?external_id=order+7&kind=delete").json["data"][0]["id"] == action.json["id"]
    assert api.get("/v1/jobs?external_id=order").json["data"] == []
    for stranger, seen in ((world.south, 0), (world.master, 2)):
        assert len(api.as_(stranger.token).get("/v1/jobs?external_id=order+7").json["data"]) == seen  # R3


@pytest.mark.parametrize(
    "labels",
    [
        {"external_id": "x" * 101},
        {"external_id": "a\nb"},
        {"metadata": {"x" * 41: ""}},
        {"metadata": {"": "a"}},
        {"metadata": {"a": "x" * 501}},
        {"metadata": {str(number): "" for number in range(21)}},
        {"metadata": {"a": 1}},
        {"metadata": {"a": {}}},
        {"metadata": []},
    ],
)
def test_labels_have_bounds(api: Door, labels: dict[str, Any]) -> None:
    assert_refused(api.post("/v1/deletions", {"numbers": ["+12125550142"], **labels}), 422, "INVALID_FIELD")


def test_a_continued_upload_keeps_its_labels(api: Door) -> None:
    job = api.upload(FILE + b"1,212,TRUE,,\r\n", external_id="order 7")
    retried = api.post(f"/v1/jobs/{job['id']}/retry")
    assert (retried.status_code, retried.json["external_id"]) == (202, "order 7")


def test_warnings_are_counted_by_code(api: Door) -> None:
    rows = [*sheets.rows(2), ["1", "tel:2125550777", "TRUE", "", ""], ["", "0012125550778", "TRUE", "", ""]]
    rows += [["1", "+1 (212) 555-0779\u200b", "TRUE", "", ""], ["1", "1 212 555 0780", "TRUE", "", ""]]
    job = api.upload(sheets.csv_bytes(rows))
    counted = {entry["code"]: entry["count"] for entry in job["warning_summary"]}
    listed: dict[str, int] = {}
    for row in api.get(f"/v1/jobs/{job['id']}/rows").json["data"]:
        for code in row["warnings"]:
            listed[code] = listed.get(code, 0) + 1
    assert counted == listed
    assert counted


def test_all_links_of_a_job_lead_somewhere(api: Door) -> None:
    first = api.upload(FILE + b"1,212,TRUE,,\r\n", callback_url="https://receiver.example/")
    second = api.upload(FILE + b"1,212,TRUE,,\r\n", parent_job_id=first["id"])
    undone = api.done(api.post(f"/v1/jobs/{first['id']}/undo"))
    own = {"file", *ACTIONS}  # of exports only; for a POST
    links = {name: link for name, link in first["links"].items() if name not in own}
    links |= {name: link for name, link in second["links"].items() if link and name not in own}
    links |= {name: link for name, link in undone["links"].items() if link and name not in own}
    assert all(links.values()), links
    for link in links.values():
        assert api.get(link).status_code == 200, link
    assert second["links"]["parent"] == second["links"]["duplicate_of"] == first["links"]["self"]
    assert undone["links"]["undo_of"] == first["links"]["self"]


def test_nothing_of_this_needs_a_token_to_fail_well(api: Door) -> None:
    client: FlaskClient = api.client
    answer = client.get("/v1/jobs?limit=1&limit=2", headers={"X-Request-Id": "a"})
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (401, "a")


# Stored reports


@pytest.fixture(params=[1000, 2], ids=["one part", "parts"])
def report(api: Door, configure: Callable[..., None], request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """The address and the content of a stored report, in one part or several."""
    configure(rows_per_batch=request.param)
    link = str(api.upload(sheets.csv_bytes(sheets.rows(7)))["links"]["report_csv"])
    whole = api.get(link)
    assert whole.content_length == len(whole.data)
    return link, whole.data


def test_a_stored_report_is_sent_in_parts(api: Door, report: tuple[str, bytes]) -> None:
    link, content = report
    tag = api.get(link).headers["ETag"]
    for first, last in ((0, 0), (10, 400), (len(content) - 5, len(content) - 1), (0, len(content) - 1)):
        part = api.get(link, headers={"Range": f"bytes={first}-{last}", "If-Range": tag, "Accept-Encoding": "gzip"})
        assert (part.status_code, part.data) == (206, content[first : last + 1])
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"
    assert api.get(link, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    assert api.get(link, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).data == content
    assert api.get(link, headers={"If-None-Match": tag}).status_code == 304
    assert api.get(link, headers={"If-Match": '"other"'}).status_code == 412


def test_a_stored_report_is_packed_if_that_is_accepted(api: Door, report: tuple[str, bytes]) -> None:
    link, content = report
    plain, packed = api.get(link), api.get(link, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == content
    assert packed.headers["ETag"] != plain.headers["ETag"]  # another representation
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    unchanged = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    assert api.get(link, headers=unchanged).status_code == 304
    failed = api.get(f"{link}?rows=failed", headers={"Range": "bytes=0-1"})
    assert failed.status_code == 200  # made when it is requested
