"""Exports as jobs (R34): the file of the matching numbers, kept, downloaded as often as needed, and removed in time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.database.tables import job_chunks, jobs, phone_numbers
from schemas.jobs import Phase
from tests.support import factories, work
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.portal_client import Portal, text_of
from worker import pipeline
from worker.database.engine import transaction
from worker.jobs import export_items
from worker.maintenance import cleaner
from worker.numbers import export, export_pages
from worker.numbers.export_names import Names
from worker.numbers.export_pages import ExportPage
from worker.queue import leases
from worker.steps import export_file

Json = dict[str, Any]
FIRST = 12125550000
COUNTED = ("created", "updated", "deleted", "skipped", "failed", "unprocessed", "warnings")


def ordered(api: Door, file_format: str = "csv", **filters: str) -> Json:
    answer = api.post("/v1/exports", {"format": file_format, "filter": filters})
    assert answer.status_code == 202, answer.json
    found: Json = answer.json
    return found


def exported(api: Door, file_format: str = "csv", **filters: str) -> Json:
    return api.done(api.post("/v1/exports", {"format": file_format, "filter": filters}))


def numbers_in(content: bytes) -> list[str]:
    return [row["Phone Number"] for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))]


@pytest.fixture
def many(database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine numbers of north in pages of two, each recorded."""
    monkeypatch.setattr(export_pages, "PAGE", 2)
    monkeypatch.setattr(export_file, "PROGRESS_SECONDS", 0)
    with database.begin() as connection:
        factories.numbers(connection, [factories.number_row(FIRST + n, world.north.tenant) for n in range(9)])


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_the_file_is_the_direct_download(stocked: Door, file_format: str) -> None:
    job = exported(stocked, file_format, country="US")
    assert (job["kind"], job["status"], job["counts"]["total"]) == ("export", "completed", job["counts"]["unchanged"])
    assert [job["counts"][name] for name in COUNTED] == [0] * len(COUNTED)
    answer = stocked.get(job["links"]["file"])
    assert answer.data == stocked.get(f"/v1/numbers.{file_format}?country=US").data
    assert job["export"]["filter"] == {"country": "US"}
    assert job["export"]["size"] == len(answer.data) == answer.content_length
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="numbers-US-20')
    assert job["progress"]["rows_done"] == job["progress"]["rows_total"] == job["counts"]["total"] > 0


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_r10_uploaded_again_it_changes_nothing(
    stocked: Door, world: World, database: sa.Engine, file_format: str
) -> None:
    """With users of both services, forwarded numbers, all capabilities off, names that a spreadsheet would run."""
    voice, sms = world.carriers["Master Voice"], world.carriers["North sms"]
    plain: Json = {
        "uploader_id": world.north.id,
        "voice_carrier_id": voice,
        "sms_carrier_id": sms,
        "sms": True,
        "fax": True,
    }
    with database.begin() as connection:
        person = factories.user(connection, world.clinic.tenant, "trunk", name='=Ann "A", <b>', sms_enabled=True)
        rows: list[Json] = [
            {"voice_user_id": person, "sms_user_id": None, "voice_forwarded": False},
            {"voice_user_id": person, "sms_user_id": person, "voice_forwarded": True},
            {"voice_user_id": None, "sms_user_id": None, "voice_forwarded": False},
        ]
        made = [
            factories.number_row(FIRST + 9000 + n, world.clinic.tenant, **plain | row) for n, row in enumerate(rows)
        ]
        made[2] |= {"voice": False, "sms": False, "fax": False, "voice_carrier_id": None, "sms_carrier_id": None}
        factories.numbers(connection, made)
        before = connection.execute(sa.select(phone_numbers).order_by(phone_numbers.c.e164)).all()
    content = stocked.get(exported(stocked, file_format)["links"]["file"]).data
    job = stocked.upload(content, f"numbers.{file_format}", on_existing="update")
    assert job["counts"]["total"] == job["counts"]["unchanged"] == len(before) == 12, stocked.rows(job["id"])
    with database.begin() as connection:
        assert connection.execute(sa.select(phone_numbers).order_by(phone_numbers.c.e164)).all() == before


def test_a_download_can_be_resumed(stocked: Door) -> None:
    """RFC 9110: ETag, ranges, conditions."""
    path = exported(stocked)["links"]["file"]
    whole = stocked.get(path)
    etag = whole.headers["ETag"]
    part = stocked.get(path, headers={"Range": "bytes=100-", "If-Range": etag})
    assert (part.status_code, part.data) == (206, whole.data[100:])
    assert part.headers["Content-Range"] == f"bytes 100-{len(whole.data) - 1}/{len(whole.data)}"
    changed = stocked.get(path, headers={"Range": "bytes=100-", "If-Range": '"other"'})
    assert (changed.status_code, changed.data) == (200, whole.data)
    assert stocked.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert stocked.get(path, headers={"If-Match": '"other"'}).status_code == 412
    beyond = stocked.get(path, headers={"Range": f"bytes={len(whole.data)}-"})
    assert (beyond.status_code, beyond.json["code"]) == (416, "RANGE_NOT_SATISFIABLE")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"format": "pdf"}, 422),
        ({"format": "csv", "filter": {"status": "x"}}, 422),
        ({"format": "csv", "filter": {"cursor": "1"}}, 422),
        ({"format": "csv", "filter": {"tenant_id": "\0"}}, 400),
        ({"format": "csv", "more": 1}, 422),
        ({"format": "csv", "callback_url": "ftp://x.example"}, 422),
    ],
)
def test_what_cannot_be_exported_is_refused(api: Door, body: Json, status: int) -> None:
    answer = api.post("/v1/exports", body)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.json
    assert api.get("/v1/jobs").json["data"] == []


def test_r3_it_stays_in_the_tree(stocked: Door, world: World) -> None:
    """Other tenants see neither the job nor its file. A filter by a tenant elsewhere is refused like an unknown one."""
    mine = exported(stocked.as_(world.clinic.token))
    assert mine["counts"]["total"] == 3
    assert exported(stocked.as_(world.south.token))["counts"]["total"] == 0
    refused = [
        stocked.post("/v1/exports", {"format": "csv", "filter": {"tenant_id": tenant_id}})
        for tenant_id in (world.school.tenant.public_id, "00000000-0000-4000-8000-000000000000")
    ]
    assert [answer.status_code for answer in refused] == [422, 422]
    assert refused[0].json == refused[1].json
    assert stocked.get(mine["links"]["file"]).status_code == 200  # its reseller sees its jobs
    for token in (world.south.token, world.hotel.token):
        for path in (mine["links"]["self"], mine["links"]["file"]):
            assert stocked.as_(token).get(path).status_code == 404


def test_r3_the_filter_is_resolved_when_it_runs(stocked: Door, world: World, database: sa.Engine) -> None:
    clinic = stocked.as_(world.clinic.token)
    job = ordered(clinic)
    with database.begin() as connection:
        connection.execute(phone_numbers.update().values(holder_id=world.north.id))
    assert clinic.done(clinic.post("/v1/exports", {"format": "csv"}))["counts"]["total"] == 0
    assert clinic.job(job["id"])["counts"]["total"] == 0


def test_it_is_no_job_with_rows(stocked: Door) -> None:
    """Nothing to confirm, undo, correct or report: each refused with a reason."""
    job = exported(stocked)
    path = job["links"]["self"]
    refused = {
        "rows": stocked.get(f"{path}/rows"),
        "report.csv": stocked.get(f"{path}/report.csv"),
        "report.jsonl": stocked.get(f"{path}/report.jsonl"),
        "report.xlsx": stocked.get(f"{path}/report.xlsx", headers={"Prefer": "wait=0"}),
        "confirm": stocked.post(f"{path}/confirm"),
        "cancel": stocked.post(f"{path}/cancel"),
        "undo": stocked.post(f"{path}/undo"),
        "retry": stocked.post(f"{path}/retry"),
        "recheck": stocked.post(f"{path}/recheck", {}),
        "corrections": stocked.post(f"{path}/corrections", {"leave_out": [2]}),
    }
    assert {name: (answer.status_code, answer.json["code"]) for name, answer in refused.items()} == {
        **dict.fromkeys(("rows", "report.csv", "report.jsonl", "report.xlsx"), (409, "NO_REPORT")),
        "confirm": (409, "NOT_IN_REVIEW"),
        "cancel": (409, "JOB_HAS_ENDED"),
        "undo": (409, "NOTHING_TO_UNDO"),
        "retry": (409, "CANNOT_CORRECT"),
        "recheck": (409, "CANNOT_RECHECK"),
        "corrections": (409, "CANNOT_CORRECT"),
    }
    assert "links.file" in refused["rows"].json["fix"]
    upload = stocked.get("/v1/jobs?kind=upload").json["data"][0]
    other = stocked.get(f"{upload['links']['self']}/file")
    assert (other.status_code, other.json["code"]) == (409, "NO_FILE")
    assert upload["links"]["file"] is None


def test_before_its_end_there_is_no_file(stocked: Door) -> None:
    job = ordered(stocked)
    answer = stocked.get(f"{job['links']['self']}/file")
    assert (answer.status_code, answer.json["code"]) == (409, "REPORT_NOT_READY")
    assert answer.headers["Retry-After"]
    assert stocked.post(f"{job['links']['self']}/cancel").status_code == 202
    cancelled = stocked.job(job["id"])
    assert (cancelled["status"], cancelled["counts"]["total"], cancelled["links"]["file"]) == ("cancelled", 0, None)
    assert stocked.get(f"{job['links']['self']}/file").json["code"] == "NO_FILE"


def test_a_key_makes_one_export(stocked: Door) -> None:
    key = {"Idempotency-Key": "once"}
    first = stocked.post("/v1/exports", {"format": "csv"}, headers=key)
    again = stocked.post("/v1/exports", {"format": "csv"}, headers=key)
    assert first.json["id"] == again.json["id"]
    other = stocked.post("/v1/exports", {"format": "jsonl"}, headers=key)
    assert (other.status_code, other.json["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_company_has_only_so_many_open(stocked: Door, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_items, "MOST_OPEN", 1)
    ordered(stocked)
    refused = stocked.post("/v1/exports", {"format": "csv"})
    assert (refused.status_code, refused.json["code"]) == (409, "LIMIT_REACHED")
    ordered(stocked.as_(world.clinic.token))
    stocked.work_off()
    ordered(stocked)


@pytest.mark.usefixtures("many")
def test_it_is_one_snapshot(api: Door, database: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    job, rows = ordered(api), []
    real = export.csv_rows

    def meanwhile(names: Names, page: ExportPage) -> bytes:
        rows.append(api.job(job["id"])["progress"]["rows_done"])
        with database.begin() as connection:
            connection.execute(phone_numbers.delete().where(phone_numbers.c.e164 > FIRST + 3))
        return real(names, page)

    monkeypatch.setattr(export, "csv_rows", meanwhile)
    api.work_off()
    assert len(numbers_in(api.get(f"/v1/jobs/{job['id']}/file").data)) == 9
    assert rows == [0, 2, 4, 6, 8]  # what a poll saw


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_r34_it_names_the_cursor_where_the_changes_continue(stocked: Door, file_format: str) -> None:
    job = ordered(stocked, file_format)
    direct = stocked.get(f"/v1/numbers.{file_format}")
    stocked.work_off()
    cursor = stocked.job(job["id"])["export"]["cursor"]
    assert cursor == direct.headers["Changes-Cursor"]
    assert stocked.get(f"/v1/changes?after={cursor}").json["data"] == []
    removed = stocked.get("/v1/numbers?status=unassigned").json["data"][0]["e164"]
    stocked.act("deletions", {"numbers": [removed]})
    changes = stocked.get(f"/v1/changes?after={cursor}").json["data"]
    assert [(change["type"], change["e164"]) for change in changes] == [("number.deleted", removed)]


@pytest.mark.usefixtures("many")
def test_it_can_be_cancelled_while_it_is_written(
    api: Door, stored: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ordered(api)
    real = export.csv_rows

    def meanwhile(names: Names, page: ExportPage) -> bytes:
        api.post(f"/v1/jobs/{job['id']}/cancel")
        return real(names, page)

    monkeypatch.setattr(export, "csv_rows", meanwhile)
    api.work_off()
    ended = api.job(job["id"])
    assert (ended["status"], ended["counts"]["total"], ended["links"]["file"]) == ("cancelled", 0, None)
    assert [name for name in stored() if "export-" in name] == []


@pytest.mark.usefixtures("many")
def test_cancelled_at_the_last_moment_its_file_is_removed(
    api: Door, stored: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ordered(api)

    def at_the_end(*_args: Any) -> None:  # noqa: ANN401 - as the real one
        api.post(f"/v1/jobs/{job['id']}/cancel")

    monkeypatch.setattr(export_file, "hit", at_the_end)
    api.work_off()
    assert api.job(job["id"])["status"] == "cancelled"
    assert [name for name in stored() if "export-" in name] == []


@pytest.mark.usefixtures("many")
def test_a_worker_that_lost_its_lease_leaves_nothing(
    api: Door, database: sa.Engine, stored: Callable[[], list[str]]
) -> None:
    """Another worker takes the work over; each has written its file, and one counts."""
    job = ordered(api)
    with transaction() as connection:
        lost = work.claim(connection, Phase.EXPORT, 60)
    assert lost is not None
    with database.begin() as connection:
        connection.execute(job_chunks.update().values(state="pending", lease_until=None, next_attempt_at=sa.func.now()))
    api.work_off()
    with pytest.raises(leases.LostLeaseError):
        pipeline.STEPS[Phase.EXPORT](lost)
    assert len([name for name in stored() if "export-" in name]) == 1
    assert len(numbers_in(api.get(f"/v1/jobs/{job['id']}/file").data)) == 9


@pytest.mark.usefixtures("many")
def test_a_worksheet_has_only_so_many_rows(
    api: Door, stored: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_file, "MOST_SHEET_ROWS", 8)
    job = exported(api, "xlsx")
    assert (job["status"], job["problem"]["code"], job["counts"]["total"]) == ("failed", "EXPORT_TOO_LARGE", 0)
    assert [name for name in stored() if "export-" in name] == []
    assert exported(api, "xlsx", q="+1212555000 0")["status"] == "completed"
    assert exported(api, "csv")["counts"]["total"] == 9


def test_a_filter_that_no_index_serves(stocked: Door) -> None:
    ending = stocked.get("/v1/numbers").json["data"][0]["e164"][-4:]
    job = exported(stocked, ends_with=ending)
    content = stocked.get(job["links"]["file"]).data
    assert content == stocked.get(f"/v1/numbers.csv?ends_with={ending}").data
    assert len(numbers_in(content)) == job["counts"]["total"] >= 1


def test_its_file_expires_as_reports_do(stocked: Door, database: sa.Engine, stored: Callable[[], list[str]]) -> None:
    job = exported(stocked)
    with database.begin() as connection:
        connection.execute(jobs.update().values(finished_at=sa.func.now() - sa.text("interval '1000 days'")))
    answer = stocked.get(job["links"]["file"])
    assert (answer.status_code, answer.json["code"]) == (410, "REPORT_EXPIRED")
    shown = stocked.job(job["id"])
    assert (shown["links"]["file"], shown["counts"]["total"]) == (None, 9)
    cleaner.clean()
    assert [name for name in stored() if "export-" in name] == []
    assert stocked.get(job["links"]["file"]).status_code == 410


def test_the_callback_and_the_counters_have_it(stocked: Door, database: sa.Engine) -> None:
    rows = sa.text("SELECT coalesce(sum(value), 0) FROM totals WHERE name LIKE '%rows%'")
    with database.begin() as connection:
        before = connection.execute(rows).scalar_one()
    exported(stocked)
    with database.begin() as connection:
        assert connection.execute(rows).scalar_one() == before
        ended = sa.text("SELECT labels FROM totals WHERE name LIKE '%jobs%' AND labels[1] = 'export'")
        assert connection.execute(ended).scalar_one() == ["export", "completed"]


def test_the_portal_makes_and_offers_it(stocked: Door, portal: Portal) -> None:
    """From the list to the page of the job, with its progress, and to the file."""
    page = portal.get("/numbers?status=assigned").text
    assert 'action="/numbers/exports?status=assigned"' in page
    answer = portal.post("/numbers/exports?status=assigned", {"format": "xlsx"})
    assert answer.status_code == 303
    path = answer.headers["Location"]
    assert "Waiting in the queue." in text_of(portal.get(path))
    assert "Cancel this export" in portal.get(path).text
    stocked.work_off()
    ended = portal.get(path)
    assert "3 numbers exported" in text_of(ended)
    assert "Undo" not in text_of(ended)
    assert f'href="{path}/file"' in ended.text
    assert portal.get(f"{path}/file").data[:2] == b"PK"
    activity = text_of(portal.get("/jobs?kind=export"))
    assert "Export: 3 numbers" in activity
    assert "3 numbers exported" in activity
    assert portal.post("/numbers/exports", {"format": "pdf"}).status_code == 422
    assert portal.get(f"{path}/report.csv").status_code == 409


def test_the_portal_says_why_there_is_no_file(
    stocked: Door, portal: Portal, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_file, "MOST_SHEET_ROWS", 1)
    failed = exported(stocked, "xlsx")
    assert "narrow the filter" in text_of(portal.get(f"/jobs/{failed['id']}"))
    cancelled = ordered(stocked)
    portal.post(f"/jobs/{cancelled['id']}/cancel")
    assert "The export was cancelled" in text_of(portal.get(f"/jobs/{cancelled['id']}"))
    expired = exported(stocked)
    with database.begin() as connection:
        connection.execute(jobs.update().values(finished_at=sa.func.now() - sa.text("interval '1000 days'")))
    assert "The file has expired" in text_of(portal.get(f"/jobs/{expired['id']}"))
    assert portal.get(f"/jobs/{expired['id']}/file").status_code == 410
