"""Files on an S3 API server in a process of its own: what S3 refuses, large files, whole jobs, a store with faults."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from werkzeug.test import TestResponse

from schemas.database.tables import jobs
from tests.support.api_client import Door, table
from tests.support.files import sheets
from tests.support.servers.s3_server import BUCKET, CREDENTIALS, S3, Fault, FaultyStore
from webhook.api import health
from webhook.http import readiness
from webhook.http.concurrency_limits import READINESS
from worker.config.settings import get_settings
from worker.maintenance import cleaner, orphan_folders
from worker.storage import arrow_files, files, object_store
from worker.storage.object_store import Calls, StoreBusyError, StoreError

pytestmark = [pytest.mark.xdist_group("s3"), pytest.mark.usefixtures("faulty_store")]
MIB = 1024 * 1024
JOB = "6f1c7c0e-3f0b-4b57-9f4e-0d2f3a1b5c6d"
OTHER_JOB = "00000000-0000-0000-0000-000000000002"
KEY = f"jobs/{JOB}/upload"
PAGE = 20  # keys in a listing of the server, so that few files have several pages


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with S3(PAGE) as server:
        yield server


@pytest.fixture
def faulty_store(
    s3: S3,
    database: sa.Engine,  # noqa: ARG001 - has settings of its own, which come first
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FaultyStore]:
    """The storage of this test: empty, behind a proxy."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with FaultyStore(s3) as store:
        settings = {"storage_url": f"s3://{BUCKET}/team/files", "storage_endpoint": store.url}
        configure(**settings)
        yield store
        store.set_fault(Fault.NONE)
        configure(**settings)
        files.delete([entry["path"] for entry in files.entries("jobs")])
        files.limit_calls(None)


def digits(size: int) -> bytes:
    """Return content whose parts all differ."""
    return b"".join(b"%015d\n" % place for place in range(size // 16 + 1))[:size]


@pytest.mark.long
@pytest.mark.parametrize("size", [0, 1, 8 * MIB, 8 * MIB + 1, 17 * MIB])
def test_a_file_of_any_size_is_stored_and_read(s3: S3, size: int) -> None:
    content = digits(size)
    with files.Receiver(KEY) as receiver:
        for start in range(0, size, MIB):
            receiver.write(content[start : start + MIB])
    assert (receiver.size, s3.unfinished()) == (size, [])
    assert b"".join(files.stream(KEY)) == content
    with files.local(KEY) as path:
        assert path.read_bytes() == content
    assert s3.keys() == [f"team/files/{KEY}"]


def content_of(key: str) -> bytes:
    return b"".join(files.stream(key))


@pytest.mark.long
def test_a_file_from_the_disk_and_one_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(digits(9 * MIB))
    files.put(KEY, path)
    assert content_of(KEY) == digits(9 * MIB)
    files.put(KEY, b"replaced")
    assert content_of(KEY) == b"replaced"


@pytest.mark.long
@pytest.mark.parametrize("size", [0, 9 * MIB])
def test_a_copy_is_made_inside_the_store(s3: S3, size: int) -> None:
    files.put(KEY, digits(size))
    files.copy(KEY, f"jobs/{OTHER_JOB}/upload")
    files.remove(KEY)
    assert content_of(f"jobs/{OTHER_JOB}/upload") == digits(size)
    assert s3.unfinished() == []
    with pytest.raises(files.MissingFileError):
        files.copy(KEY, f"jobs/{OTHER_JOB}/again")


@pytest.mark.long
def test_a_file_is_checked_again_in_the_store(s3: S3, api: Door) -> None:
    """Under review by the same job, whose earlier files go; after a failure by a new job, which reads a copy (R31)."""
    content = b"TN,Kind\n+12125550142,Y\n"
    mapping = {"mapping": {"columns": {"Voice": "Kind"}, "constants": {"SMS": "TRUE"}}}
    job = api.upload(content, mode="review")
    first = api.done(api.post(f"/v1/jobs/{job['id']}/recheck", mapping))
    assert (first["id"], first["can_confirm"]) == (job["id"], True)
    kept = len(s3.keys())
    api.done(api.post(f"/v1/jobs/{job['id']}/recheck", {}))
    assert len(s3.keys()) == kept
    failed = api.upload(content)
    assert failed["status"] == "failed"
    again = api.done(api.post(f"/v1/jobs/{failed['id']}/recheck", mapping))
    assert (again["parent_job_id"], again["counts"]["created"]) == (failed["id"], 1)


@pytest.mark.long
def test_keys_of_any_script() -> None:
    key = f"jobs/{JOB}/Bestellung – März 電話 +%2B#1?&.csv"
    files.put(key, b"1")
    assert content_of(key) == b"1"
    assert [entry["path"] for entry in files.entries(f"jobs/{JOB}")] == [key]
    files.remove_job(JOB)
    assert files.entries("jobs") == []


@pytest.mark.long
def test_only_the_ranges_that_are_asked_for_are_fetched(faulty_store: FaultyStore) -> None:
    content = digits(10 * MIB)
    files.put(KEY, content)
    reader = files.Reader(KEY)
    assert reader.size == len(content)
    for start, size in ((0, 10), (8 * MIB - 5, 10), (9 * MIB, 9), (10 * MIB - 3, 100)):
        reader.seek(start)
        assert reader.read(size) == content[start : start + size]
    assert reader.seek(-7, os.SEEK_END) == len(content) - 7
    assert reader.read() == content[-7:]
    before = faulty_store.requests
    reader.seek(100)
    reader.read(1000)
    assert faulty_store.requests == before  # the beginning is there already


@pytest.mark.long
def test_small_reads_in_a_row_and_large_ones_need_few_requests(faulty_store: FaultyStore) -> None:
    content = digits(26 * MIB)
    files.put(KEY, content)
    reader = files.Reader(KEY)
    before = faulty_store.requests
    reader.seek(9 * MIB)
    assert b"".join(reader.read(MIB // 16) for _ in range(32)) == content[9 * MIB : 11 * MIB]
    assert faulty_store.requests - before == 2  # a MiB each
    before = faulty_store.requests
    reader.seek(-10, os.SEEK_END)
    assert reader.read() == content[-10:]
    reader.seek(-1000, os.SEEK_END)
    assert reader.read(500) == content[-1000:-500]
    assert faulty_store.requests - before == 1
    before = faulty_store.requests
    reader.seek(7 * MIB)
    assert reader.read() == content[7 * MIB :]
    assert faulty_store.requests - before == 3  # 8 MiB each at most, as a request has a time limit


def test_a_file_that_is_not_there_and_a_bucket_that_is_not_there(
    faulty_store: FaultyStore, configure: Callable[..., None]
) -> None:
    """The second says nothing about the file: a report must not be called expired for it."""
    for read in (files.stream, files.Reader, arrow_files.get_table):
        with pytest.raises(files.MissingFileError):
            read(KEY)
    configure(storage_url="s3://no-such-bucket/x", storage_endpoint=faulty_store.url)
    for read in (files.stream, files.Reader):
        with pytest.raises(StoreError) as raised:
            read(KEY)
        assert raised.value.code == "NoSuchBucket"
        assert raised.value.request_id


@pytest.mark.long
def test_what_breaks_off_leaves_no_object_and_no_parts(s3: S3) -> None:
    with suppress(ZeroDivisionError), files.Receiver(KEY) as receiver:
        receiver.write(digits(9 * MIB))
        assert s3.unfinished() == [f"team/files/{KEY}"]
        raise ZeroDivisionError
    assert (s3.unfinished(), s3.keys()) == ([], [])


@pytest.mark.long
def test_an_upload_that_is_refused_at_its_end_leaves_nothing(s3: S3, api: Door) -> None:
    digest = {"Authorization": f"Bearer {api.token}", "Content-Digest": "sha-256=:AAAA:"}
    data = {"file": (io.BytesIO(digits(9 * MIB)), "numbers.csv")}
    answer = api.client.post("/v1/uploads", data=data, headers=digest)
    assert answer.json["code"] == "DIGEST_MISMATCH"
    assert (s3.unfinished(), s3.keys()) == ([], [])


@pytest.mark.long
def test_listings_of_many_pages_and_deletion_in_bulk(
    faulty_store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 lists and deletes 1,000 at a time; the server under test lists 20."""
    keys = [f"jobs/{JOB}/results/{number:06}.arrow" for number in range(3 * PAGE + 5)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: files.put(key, b"1"), keys))
    assert sorted(entry["path"] for entry in files.entries(f"jobs/{JOB}")) == keys
    assert orphan_folders.some(100) == [JOB]
    assert orphan_folders.newest(JOB) is not None
    before = faulty_store.requests
    files.delete(keys[:5] + [f"{JOB}/{number}" for number in range(1200)])
    assert faulty_store.requests - before == 2  # 1,000 and 205; keys that are not there are no error
    monkeypatch.setattr(files, "PAGE", PAGE)
    files.remove_job(JOB)
    assert files.entries("jobs") == []


# Whole jobs


@pytest.mark.long
def test_a_large_upload_through_the_api(s3: S3, api: Door) -> None:
    """Write more than 8 MiB; most of it is a column that the file keeps but no stage reads."""
    rows = [[*row, "x" * 25_000] for row in sheets.rows(400)]
    content = sheets.csv_bytes([[*sheets.HEADER, "Note"], *rows[1:]])
    assert len(content) > 8 * MIB
    job = api.upload(content)
    assert (job["status"], job["counts"]["created"]) == ("completed", len(rows) - 1)
    lines = table(api.report(job["id"]))
    assert [line["_result"] for line in lines] == ["created"] * (len(rows) - 1)
    assert api.get(f"/v1/jobs/{job['id']}/report.xlsx").status_code == 200
    assert s3.unfinished() == []
    undo = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert undo["counts"]["deleted"] == len(rows) - 1


def test_a_report_in_parts_is_read_as_one_file(api: Door, configure: Callable[..., None]) -> None:
    configure(rows_per_batch=2)
    link = api.upload(sheets.csv_bytes(sheets.rows(7)))["links"]["report_csv"]
    whole = api.get(link)
    assert (whole.content_length, whole.data.count(b"2125550")) == (len(whole.data), 14)
    part = api.get(link, headers={"Range": f"bytes=100-{len(whole.data) - 2}"})
    assert (part.status_code, part.data) == (206, whole.data[100:-1])


def _numbers(database: sa.Engine) -> int:
    with database.connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM phone_numbers")).scalar_one())


@pytest.mark.long
def test_review_cancel_and_retention(api: Door, database: sa.Engine, configure: Callable[..., None]) -> None:
    configure(rows_per_batch=40, rows_per_chunk=25)
    content = sheets.csv_bytes(sheets.rows(101))
    review = api.upload(content, mode="review")
    assert (review["status"], len(api.rows(review["id"]))) == ("review", review["counts"]["total"])
    assert api.post(f"/v1/jobs/{review['id']}/cancel").status_code == 202
    again = api.upload(content, mode="review")
    done = api.done(api.post(f"/v1/jobs/{again['id']}/confirm"))
    assert (done["status"], done["counts"]["created"]) == ("completed", _numbers(database))
    with database.begin() as connection:
        connection.execute(jobs.update().values(finished_at=jobs.c.finished_at - timedelta(days=2)))
    cleaner.clean()
    names = {entry["path"].split("/")[2] for entry in files.entries(f"jobs/{done['id']}")}
    assert {"upload", "report.csv"} <= names
    assert "results" not in names
    assert len(api.rows(done["id"])) == done["counts"]["total"]
    with database.begin() as connection:
        connection.execute(jobs.update().values(finished_at=jobs.c.finished_at - timedelta(days=200)))
    cleaner.clean()
    assert files.entries("jobs") == []


# Faults


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give readiness checks more time: a busy machine may not answer within two seconds."""
    monkeypatch.setattr(readiness, "DEADLINE", 60.0)
    monkeypatch.setattr(health, "BROKER_SECONDS", 30.0)


@pytest.mark.long
def test_nothing_is_lost_where_a_third_of_all_requests_is_refused(
    faulty_store: FaultyStore, api: Door, database: sa.Engine, configure: Callable[..., None]
) -> None:
    configure(rows_per_batch=40, rows_per_chunk=25)
    faulty_store.set_fault(Fault.SLOW_DOWN)
    job = api.upload(sheets.csv_bytes(sheets.rows(101)))
    assert (job["status"], job["counts"]["created"]) == ("completed", job["counts"]["total"])
    lines = table(api.report(job["id"]))
    assert len({line["_row"] for line in lines}) == len(lines) == job["counts"]["total"] == _numbers(database)
    assert faulty_store.faults > 5


@pytest.mark.long
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.SILENT, Fault.SLOW_DOWN])
def test_a_store_that_is_away(
    faulty_store: FaultyStore,
    api: Door,
    database: sa.Engine,
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    """Requests are answered with 503; a job that was accepted waits, says so, and ends once the store is back."""
    configure(storage_timeout_seconds=1)
    monkeypatch.setattr(object_store, "MAX_RETRIES", 1)
    content = sheets.csv_bytes(sheets.rows(20))
    job_id = api.send(content).json["id"]
    faulty_store.share = 1.0
    faulty_store.set_fault(fault)
    with structlog.testing.capture_logs() as logged:
        refused = api.send(content)
        api.work_off()
    _is_503(refused)
    codes = {line["code"] for line in logged if line["event"] == "store_call_failed"}
    expected = {"SlowDown"} if fault is Fault.SLOW_DOWN else {"CONNECTION_REFUSED", "TIME_OUT", "NO_ANSWER"}
    assert codes
    assert codes <= expected
    waiting = api.job(job_id)
    assert waiting["status"] == "checking"
    assert waiting["progress"]["held_up_since"]
    assert waiting["problem"] is None
    faulty_store.set_fault(Fault.NONE)
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE job_chunks SET next_attempt_at = now() WHERE state = 'pending'"))
    api.work_off()
    assert (api.job(job_id)["status"], _numbers(database)) == ("completed", api.job(job_id)["counts"]["created"])
    faulty_store.set_fault(fault)
    _is_503(api.get(f"/v1/jobs/{job_id}/report.csv"))
    _is_503(api.get(f"/v1/jobs/{job_id}/rows"))


def _is_503(answer: TestResponse) -> None:
    assert (answer.status_code, answer.json["code"]) == (503, "UNAVAILABLE"), answer.get_data(as_text=True)
    assert int(answer.headers["Retry-After"]) > 0
    assert "127.0.0.1" not in answer.get_data(as_text=True)


@pytest.mark.long
def test_a_slow_store(faulty_store: FaultyStore, api: Door) -> None:
    faulty_store.set_fault(Fault.SLOW)
    job = api.upload(sheets.csv_bytes(sheets.rows(5)))
    assert (job["status"], job["counts"]["created"]) == ("completed", job["counts"]["total"])


def test_the_message_of_the_store_is_logged_and_raised(
    faulty_store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "MAX_RETRIES", 0)
    faulty_store.share = 1.0
    files.store.cache_clear()
    faulty_store.set_fault(Fault.SLOW_DOWN)
    with structlog.testing.capture_logs() as logged, pytest.raises(StoreError) as raised:
        files.put(KEY, b"1")
    assert str(raised.value) == f"{KEY}: SlowDown: Please reduce your request rate. (request REQUEST1)"
    assert (raised.value.code, raised.value.request_id) == ("SlowDown", "REQUEST1")
    assert [(line["code"], line["request"]) for line in logged] == [("SlowDown", "REQUEST1")]


@pytest.mark.long
def test_calls_beyond_the_limit_are_refused_at_once(faulty_store: FaultyStore, api: Door) -> None:
    """Two calls wait for a silent store; the third is answered without waiting for it, until one of them ends."""
    job = api.upload(sheets.csv_bytes(sheets.rows(5)))
    files.limit_calls(2)
    faulty_store.set_fault(Fault.SILENT)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(content_of, KEY) for _ in range(2)]
        while faulty_store.faults < 2:
            assert not any(call.done() for call in waiting)
            time.sleep(0.01)
        with pytest.raises(StoreBusyError):
            content_of(KEY)
        answer = api.get(f"/v1/jobs/{job['id']}/rows")
        assert not any(call.done() for call in waiting)
        _is_503(answer)
        assert api.job(job["id"])["status"] == "completed"
        faulty_store.set_fault(Fault.NONE)
        for call in waiting:
            with pytest.raises((StoreError, files.MissingFileError)):
                call.result()
    assert api.get(f"/v1/jobs/{job['id']}/rows").status_code == 200


@pytest.mark.long
def test_an_upload_that_finds_no_slot_is_aborted(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LATER_WAIT", 0.0)
    files.limit_calls(1)
    with suppress(StoreBusyError), files.Receiver(KEY) as receiver:
        receiver.write(digits(9 * MIB))
        assert s3.unfinished() == [f"team/files/{KEY}"]
        with files._calls.slot(0):  # noqa: SLF001
            receiver.write(b"1")
    assert (s3.unfinished(), s3.keys()) == ([], [])


def test_a_free_slot_is_taken_within_the_time_to_wait() -> None:
    calls = Calls(1)
    with ThreadPoolExecutor(1) as pool, calls.slot(0):
        later = pool.submit(lambda: calls.slot(60).__enter__())
        assert not later.done()
    later.result()


@pytest.mark.long
def test_readiness_says_what_does_not_answer(faulty_store: FaultyStore, api: Door, patient: None) -> None:  # noqa: ARG001
    assert api.get("/readyz").json == {"status": "ok", "failing": []}
    for fault in (Fault.SILENT, Fault.REFUSED):
        faulty_store.set_fault(fault)
        answer = api.get("/readyz")
        assert (answer.status_code, answer.json["failing"]) == (503, ["storage"])
    faulty_store.set_fault(Fault.NONE)
    assert api.get("/readyz").status_code == 200


@pytest.mark.long
def test_readiness_does_not_wait_for_a_silent_store(
    faulty_store: FaultyStore, api: Door, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One check hangs however many requests come, and each of them is answered at the deadline."""
    monkeypatch.setattr(object_store, "PROBE_SECONDS", 600.0)
    monkeypatch.setattr(readiness, "DEADLINE", 0.3)
    monkeypatch.setattr(health, "readiness", readiness.Readiness(health.CHECKS))  # its check hangs beyond this test
    configure()
    faulty_store.set_fault(Fault.SILENT)
    for _ in range(3):
        answer = api.get("/readyz")
        assert answer.status_code == 503
        assert "storage" in answer.json["failing"]
    assert faulty_store.faults == 1


def test_readiness_has_an_answer_beside_many_requests_for_it(
    faulty_store: FaultyStore, api: Door, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a free slot it is the latest one, so that a flood of requests does not make the service unready."""
    monkeypatch.setattr(health, "readiness", readiness.Readiness(health.CHECKS))
    configure(share_readiness=1)
    with READINESS.held():
        _is_503(api.get("/readyz"))
    assert api.get("/readyz").json == {"status": "ok", "failing": []}
    faulty_store.set_fault(Fault.REFUSED)
    with READINESS.held():
        assert api.get("/readyz").json == {"status": "ok", "failing": []}
    assert api.get("/readyz").json == {"status": "unavailable", "failing": ["storage"]}


def test_one_refused_request_makes_no_service_unready(
    faulty_store: FaultyStore,
    api: Door,
    patient: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(faulty_store.random, "random", iter([0.0, 1.0]).__next__)
    faulty_store.set_fault(Fault.SLOW_DOWN)
    assert api.get("/readyz").status_code == 200
    assert faulty_store.faults == 1


def test_the_storage_is_tried_out_before_the_service_starts(
    faulty_store: FaultyStore, s3: S3, configure: Callable[..., None]
) -> None:
    files.try_out(get_settings())
    assert s3.keys() == []
    configure(storage_url="s3://no-such-bucket/x", storage_endpoint=faulty_store.url)
    with pytest.raises(StoreError, match="NoSuchBucket: The specified bucket does not exist"):
        files.try_out(get_settings())
