"""Workbook reports as work items: ordered once, built by a worker, served as stored, retried, given up and removed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.jobs import Phase
from schemas.metrics import PIECES
from schemas.workbooks import WorkbookKind
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.job_rows import Ledger, sheet
from tests.support.portal_client import Portal, text_of
from worker import pipeline
from worker.database import counters
from worker.jobs import control, workbook_items
from worker.maintenance import cleaner
from worker.queue import leases
from worker.reports import workbook
from worker.steps import workbook_report
from worker.storage import files as storage_files

NOT_READY = {"Prefer": "wait=0"}


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


@pytest.fixture
def job(api: Door) -> str:
    return str(api.upload(sheet(3))["id"])


def path(job_id: str, rows: str = "all") -> str:
    return f"/v1/jobs/{job_id}/report.xlsx?rows={rows}"


def ordered(api: Door, job_id: str, rows: str = "all") -> Json:
    """Order a workbook that no worker has built yet; answers the refusal."""
    answer = api.get(path(job_id, rows), headers=NOT_READY)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    found: Json = answer.json
    return found


def files(stored: Callable[[], list[str]]) -> list[str]:
    return [Path(name).name.rpartition("-")[0] for name in stored() if name.endswith(".xlsx")]


@pytest.mark.long
def test_a_workbook_is_built_by_a_worker_once(api: Door, ledger: Ledger, job: str) -> None:
    """Each kind by an item of its own; whatever is asked for again is the same file."""
    for _ in range(3):
        assert ordered(api, job)["code"] == "WORKBOOK_NOT_READY"
    ordered(api, job, "failed")
    assert ledger.chunks("workbook") == [("pending", 0)] * 2
    api.work_off()
    answers = [api.get(path(job)) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert len({answer.headers["ETag"] for answer in [*answers, api.get(path(job, "failed"))]}) == 2
    assert ledger.chunks("workbook") == [("done", 1)] * 2
    with ledger.engine.begin() as connection:
        assert counters.read(connection)[PIECES.name, ("workbook",)] == 2


@pytest.mark.long
def test_many_at_once_order_one_item(ledger: Ledger, api: Door, job: str) -> None:
    """Each in a transaction of its own, begun at the same moment: exactly one of them enters the item."""
    job_id = ledger.ask("SELECT id FROM jobs")[0].id
    together = threading.Barrier(4)

    def order(_: int) -> workbook_items.Ordered:
        with ledger.engine.begin() as connection:
            connection.execute(sa.text("SELECT 1"))
            together.wait(20)
            return workbook_items.order(connection, job_id, WorkbookKind("all", is_review=False))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(order, range(4)))
    assert [one.is_new for one in found].count(True) == 1
    assert ledger.chunks("workbook") == [("pending", 0)]
    assert api.get(path(job)).status_code == 200


@pytest.mark.long
def test_the_same_job_gives_the_same_bytes(api: Door, ledger: Ledger, job: str) -> None:
    """However often it is built: a part that is fetched later belongs to the same file."""
    first = api.get(path(job)).data
    ledger.run("DELETE FROM job_chunks WHERE phase = 'workbook'")
    assert api.get(path(job)).data == first


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ({"Range": "bytes=0-99"}, 206, slice(100)),
        ({"Range": "bytes=1000-"}, 206, slice(1000, None)),
        ({"Range": "bytes=-10"}, 206, slice(-10, None)),
        ({"Range": "bytes=0-9", "If-Range": "{etag}"}, 206, slice(10)),
        ({"Range": "bytes=0-9", "If-Range": '"another"'}, 200, slice(None)),
        ({"If-None-Match": "{etag}"}, 304, slice(0)),
        ({"If-None-Match": '"another"'}, 200, slice(None)),
        ({"If-None-Match": "{etag}", "Range": "bytes=0-9"}, 304, slice(0)),
        ({"If-Match": "{etag}", "Range": "bytes=0-9"}, 206, slice(10)),
        ({"Range": "bytes=0-9,20-29"}, 200, slice(None)),
        ({"Range": "rows=0-9"}, 200, slice(None)),
        ({"Range": "bytes=9-0"}, 200, slice(None)),
    ],
)
def test_ranges_and_conditions(api: Door, job: str, asked: dict[str, str], status: int, part: slice) -> None:
    """RFC 9110, sections 13 and 14."""
    whole = api.get(path(job))
    etag = whole.headers["ETag"]
    answer = api.get(path(job), headers={name: value.replace("{etag}", etag) for name, value in asked.items()})
    assert (answer.status_code, answer.data) == (status, whole.data[part])
    assert answer.headers["ETag"] == etag
    if status == 206:
        assert answer.headers["Content-Range"].endswith(f"/{len(whole.data)}")


def test_a_range_beyond_the_file_is_a_problem(api: Door, job: str) -> None:
    size = len(api.get(path(job)).data)
    answer = api.get(path(job), headers={"Range": f"bytes={size}-"})
    assert (answer.status_code, answer.json["code"]) == (416, "RANGE_NOT_SATISFIABLE")
    assert answer.headers["Content-Range"] == f"bytes */{size}"


def test_another_file_than_the_caller_has_is_a_problem(api: Door, job: str) -> None:
    api.get(path(job))
    answer = api.get(path(job), headers={"If-Match": '"another"'})
    assert (answer.status_code, answer.json["code"]) == (412, "PRECONDITION_FAILED")


def test_head_is_get_without_the_body(api: Door, job: str) -> None:
    whole = api.get(path(job))
    answer = api.client.head(path(job), headers={"Authorization": f"Bearer {api.token}"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert {name: answer.headers[name] for name in ("ETag", "Content-Length", "Accept-Ranges")} == {
        "ETag": whole.headers["ETag"],
        "Content-Length": str(len(whole.data)),
        "Accept-Ranges": "bytes",
    }


@pytest.mark.long
def test_the_portal_says_that_it_is_being_prepared(portal: Portal, ledger: Ledger, api: Door, job: str) -> None:
    """A page that asks again by itself; then the file."""
    address = f"/jobs/{job}/report.xlsx?rows=failed"
    page = portal.client.get(address, headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Refresh"]) == (202, "3")
    assert page.content_type == "text/html; charset=utf-8"
    assert "We're preparing the Excel file." in text_of(page)
    assert ledger.chunks("workbook") == [("pending", 0)]
    api.work_off()
    assert portal.get(address).data == api.get(path(job, "failed")).data


@pytest.mark.long
def test_r3_a_stranger_orders_nothing(api: Door, world: World, ledger: Ledger, job: str) -> None:
    stranger = api.as_(world.south.token)
    assert stranger.get(path(job)).status_code == 404
    assert ledger.chunks("workbook") == []
    assert api.get(path(job)).status_code == 200
    assert stranger.get(path(job)).status_code == 404


@pytest.mark.long
def test_a_tenant_has_a_bounded_number_of_them_waiting(
    api: Door, world: World, ledger: Ledger, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait for them, without a work item; another tenant's do not."""
    monkeypatch.setattr(workbook_items, "MOST_OPEN", 2)
    for rows in ("all", "failed", "unprocessed"):
        answer = ordered(api, job, rows)
    assert answer["code"] == "WORKBOOK_NOT_READY"
    assert answer["detail"].startswith("2 other workbooks")
    assert len(ledger.chunks("workbook")) == 2
    other = api.as_(world.south.token)
    ordered(other, str(other.upload(sheet(3, 12_125_560_000))["id"]))
    assert len(ledger.chunks("workbook")) == 3
    api.work_off()
    assert api.get(path(job, "unprocessed")).status_code == 200


# Failures


@pytest.mark.long
def test_a_worker_that_dies_is_followed_by_another(api: Door, ledger: Ledger, job: str) -> None:
    ordered(api, job)
    late = ledger.claim(Phase.WORKBOOK)
    assert ledger.expire() == 1
    assert api.get(path(job)).status_code == 200
    with pytest.raises(leases.LostLeaseError):
        workbook_report.build(late)
    assert ledger.chunks("workbook") == [("done", 2)]


@pytest.mark.long
def test_the_file_of_a_worker_that_comes_too_late_is_removed(
    api: Door, ledger: Ledger, job: str, stored: Callable[[], list[str]]
) -> None:
    ordered(api, job)
    late = ledger.claim(Phase.WORKBOOK)
    ledger.expire()
    whole = api.get(path(job)).data
    with pytest.raises(leases.LostLeaseError):
        workbook_report.build(late)
    assert files(stored) == ["report-all"]
    assert api.get(path(job)).data == whole


@pytest.mark.long
def test_what_cannot_be_built_is_said_and_may_be_tried_again(
    api: Door, ledger: Ledger, job: str, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> None:
    """Bounded: so many tries, then a pause. The job and its other reports are as before."""
    configure(max_attempts=2)
    before = api.job(job)

    def broken(*_: Any) -> None:  # noqa: ANN401 - whatever is given
        raise ValueError("a fault of the test's")

    with monkeypatch.context() as patched:
        patched.setattr(workbook, "write", broken)
        ordered(api, job)
        for _ in range(5):
            ledger.due()
            api.work_off()
        assert ledger.chunks("workbook") == [("dead", 3)]
        answer = api.get(path(job))
        assert (answer.status_code, answer.json["code"]) == (500, "WORKBOOK_FAILED")
        assert 0 < int(answer.headers["Retry-After"]) <= workbook_items.PAUSE_SECONDS + 1
        api.work_off()
        assert ledger.chunks("workbook") == [("dead", 3)], "not before the pause is over"
    assert api.job(job) == before
    assert api.report(job)
    ledger.run("UPDATE job_chunks SET ended_at = ended_at - interval '1 day' WHERE phase = 'workbook'")
    assert api.get(path(job)).status_code == 200
    assert ledger.chunks("workbook") == [("done", 1)]


@pytest.mark.long
def test_a_storage_that_is_away_costs_no_try(
    api: Door, ledger: Ledger, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after so many hours only the workbook is given up, not the job."""

    def away(*_: Any) -> None:  # noqa: ANN401 - whatever is given
        raise storage_files.StoreError("a fault of the test's")

    with monkeypatch.context() as patched:
        patched.setattr(storage_files, "put", away)
        ordered(api, job)
        api.work_off()
        assert ledger.chunks("workbook") == [("pending", 0)]
        ledger.run("UPDATE job_chunks SET setback_since = now() - interval '100 hours' WHERE phase = 'workbook'")
        ledger.due()
        api.work_off()
    assert ledger.chunks("workbook") == [("dead", 1)]
    assert api.job(job)["status"] == "completed"


# Review, cancellation, retention


def reviewed(api: Door) -> str:
    return str(api.upload(sheet(3), mode="review")["id"])


def decided(api: Door, job_id: str, decision: str) -> None:
    assert api.post(f"/v1/jobs/{job_id}/{decision}").status_code == 202
    api.work_off()


@pytest.mark.long
def test_a_review_s_workbook_is_another_than_the_final_one(
    api: Door, ledger: Ledger, stored: Callable[[], list[str]]
) -> None:
    job_id = reviewed(api)
    of_review = api.get(path(job_id))
    assert of_review.status_code == 200
    decided(api, job_id, "confirm")
    final = api.get(path(job_id))
    assert final.headers["ETag"] != of_review.headers["ETag"]
    assert final.data != of_review.data
    assert files(stored) == ["report-all", "review-all"]
    assert ledger.chunks("workbook") == [("done", 1)] * 2


@pytest.mark.long
def test_a_review_s_workbook_is_pointless_once_it_is_over(
    api: Door, ledger: Ledger, stored: Callable[[], list[str]]
) -> None:
    """Its item waits while the job is worked on, and is dropped."""
    job_id = reviewed(api)
    ordered(api, job_id)
    decided(api, job_id, "confirm")
    assert (ledger.chunks("workbook"), files(stored)) == ([], [])
    assert api.get(path(job_id)).status_code == 200


def test_a_review_whose_workbook_is_being_built_is_cancelled_at_once(api: Door, ledger: Ledger) -> None:
    job_id = reviewed(api)
    ordered(api, job_id)
    ledger.claim(Phase.WORKBOOK)
    with ledger.engine.begin() as connection:
        assert control.cancel(connection, ledger.ask("SELECT id FROM jobs")[0].id) is Phase.REPORT
    api.work_off()
    assert api.job(job_id)["status"] == "cancelled"


def test_a_review_that_ends_while_its_workbook_is_built_leaves_nothing(
    api: Door, ledger: Ledger, stored: Callable[[], list[str]]
) -> None:
    job_id = reviewed(api)
    ordered(api, job_id)
    lease = ledger.claim(Phase.WORKBOOK)
    decided(api, job_id, "confirm")
    with ledger.engine.begin() as connection:
        assert not workbook_items.end(connection, lease, "jobs/a/b.xlsx")
    assert (ledger.chunks("workbook"), files(stored)) == ([], [])


def test_what_was_ordered_of_a_job_that_failed_is_dropped(api: Door, ledger: Ledger) -> None:
    job_id = reviewed(api)
    ordered(api, job_id)
    ledger.run("UPDATE jobs SET status = 'failed', finished_at = now()")
    api.work_off()
    assert ledger.chunks("workbook") == []


@pytest.mark.long
def test_a_review_s_workbook_is_counted_once(api: Door, ledger: Ledger) -> None:
    """And not again with the work of the job when that ends."""
    job_id = reviewed(api)
    assert api.get(path(job_id)).status_code == 200
    decided(api, job_id, "confirm")
    with ledger.engine.begin() as connection:
        assert counters.read(connection)[PIECES.name, ("workbook",)] == 1


def test_a_job_is_not_held_up_by_its_workbook(api: Door, ledger: Ledger) -> None:
    job_id = reviewed(api)
    ordered(api, job_id)
    ledger.run("UPDATE job_chunks SET setback_since = now() WHERE phase = 'workbook'")
    assert api.job(job_id)["progress"]["held_up_since"] is None


def aged(ledger: Ledger) -> None:
    ledger.run("UPDATE jobs SET finished_at = now() - interval '91 days'")


def test_it_is_removed_with_the_report(api: Door, ledger: Ledger, job: str, stored: Callable[[], list[str]]) -> None:
    assert api.get(path(job)).status_code == 200
    ordered(api, job, "failed")
    aged(ledger)
    assert api.get(path(job)).status_code == 410
    cleaner.expire()
    assert (stored(), ledger.chunks("workbook")) == ([], [])


def test_what_is_built_too_late_leaves_nothing(
    api: Door, ledger: Ledger, job: str, stored: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report expires while its workbook is built."""
    write = workbook.write

    def slowly(*given: Any) -> None:  # noqa: ANN401 - as `workbook.write`
        write(*given)
        aged(ledger)

    monkeypatch.setattr(workbook, "write", slowly)
    ordered(api, job)
    assert pipeline.run(Phase.WORKBOOK)
    assert (files(stored), ledger.chunks("workbook")) == ([], [])


def test_an_item_of_an_expired_report_is_dropped(api: Door, ledger: Ledger, job: str) -> None:
    ordered(api, job)
    aged(ledger)
    assert pipeline.run(Phase.WORKBOOK)
    assert ledger.chunks("workbook") == []


def test_a_tenant_s_workbooks_do_not_put_back_its_imports(api: Door, world: World, ledger: Ledger, job: str) -> None:
    """They have workers of their own, so one that is being built takes no import's turn."""
    ordered(api, job)
    ledger.claim(Phase.WORKBOOK)
    first = api.send(sheet(3, 12_125_560_000)).json["id"]
    api.as_(world.south.token).send(sheet(3, 12_125_570_000))
    ledger.run("UPDATE queued_tenants SET turn = 0 WHERE queue <> 'workbooks'")
    assert ledger.claim(Phase.CHECK).job_public_id == first
