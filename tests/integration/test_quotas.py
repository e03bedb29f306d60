"""Quotas of tenants (R37): what is refused, when, with which words, and that others notice nothing of it."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from schemas.database import tables
from schemas.jobs import Phase
from schemas.quotas import Quota, QuotaExceededError
from tests.support.api_client import Door, Json, application
from tests.support.cli_runner import run, told
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.portal_client import Portal, text_of
from webhook.cli.exit_codes import Exit
from worker.accounts import tenant_quotas
from worker.database import quotas
from worker.jobs import upload_slots
from worker.maintenance import cleaner

Given = Callable[..., None]
FILE = sheets.csv_bytes(sheets.rows(3))
OTHER_FILE = sheets.csv_bytes(sheets.rows(5))
MAPPING = {"mapping": {"columns": {"Phone Number": "TN"}, "constants": {"Country Code": "US", "SMS": "FALSE"}}}
UNCLEAR = b"TN,Voice\r\n2125550142,TRUE\r\n2125550143,TRUE\r\n"
PATIENCE = 60.0  # seconds, on a busy machine
AT_ONCE = 20


def states(api: Door, **query: str) -> dict[str, Json]:
    answer = api.get("/v1/quotas", query_string=query)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return {state["name"]: state for state in answer.json["data"]}


def used(api: Door, quota: Quota) -> int:
    found: int = states(api)[quota]["used"]
    return found


def refusal(answer: TestResponse, quota: Quota, limit: int) -> Json:
    """The problem of a request that is beyond a quota."""
    problem: Json = answer.json
    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json"), answer.get_data(as_text=True)
    assert (problem["code"], problem["quota"], problem["limit"]) == ("QUOTA_EXCEEDED", quota, limit)
    assert int(answer.headers["Retry-After"]) > 0
    assert problem["detail"]
    assert problem["fix"]
    return problem


def own(database: sa.Engine, tenant_id: int, **limits: int | None) -> None:
    with database.begin() as connection:
        tenant_quotas.change(connection, tenant_id, {Quota(name): limit for name, limit in limits.items()})


def jobs_of(database: sa.Engine) -> int:
    with database.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(tables.jobs)).scalar_one())


# Jobs that have not ended


def test_a_job_beyond_the_open_ones_is_refused_and_leaves_nothing(
    api: Door, configure: Given, database: sa.Engine, stored: Callable[[], list[str]]
) -> None:
    configure(quota_open_jobs=2)
    assert [api.send(FILE, f"{name}.csv").status_code for name in "ab"] == [202, 202]
    files = stored()
    problem = refusal(api.send(FILE, "c.csv"), Quota.JOBS, 2)
    assert (problem["used"], problem["requested"]) == (2, 1)
    refusal(api.post("/v1/deletions", {"numbers": ["+12125550142"]}), Quota.JOBS, 2)
    refusal(api.post("/v1/exports", {"format": "csv"}), Quota.JOBS, 2)
    assert (jobs_of(database), stored()) == (2, files)
    api.work_off()
    assert api.send(FILE, "c.csv").status_code == 202


@pytest.mark.long
def test_jobs_that_are_sent_at_once_do_not_exceed_the_quota(api: Door, configure: Given, database: sa.Engine) -> None:
    configure(quota_open_jobs=5)

    def delete(index: int) -> int:
        door = Door(application().test_client(), api.token, api.work_off)
        return door.post("/v1/deletions", {"numbers": [f"+121255501{index:02}"]}).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = list(pool.map(delete, range(AT_ONCE)))
    assert sorted(statuses) == [202] * 5 + [429] * (AT_ONCE - 5)
    assert jobs_of(database) == 5


def test_an_undo_is_a_job_too(api: Door, configure: Given) -> None:
    job = api.upload(FILE)
    configure(quota_open_jobs=1)
    assert api.send(OTHER_FILE).status_code == 202
    refusal(api.post(f"/v1/jobs/{job['id']}/undo"), Quota.JOBS, 1)
    api.work_off()
    assert api.post(f"/v1/jobs/{job['id']}/undo").status_code == 202


# Rows per day


def test_a_file_beyond_the_rows_of_the_day_fails_after_reading_and_writes_nothing(
    api: Door, configure: Given, stored: Callable[[], list[str]]
) -> None:
    configure(quota_rows_per_day=7)
    assert api.upload(FILE)["counts"]["created"] == 3
    assert used(api, Quota.ROWS) == 3
    job = api.upload(OTHER_FILE)
    assert (job["status"], job["counts"]["total"], job["problem"]["code"]) == ("failed", 0, "QUOTA_EXCEEDED")
    problem = job["problem"]
    assert (problem["quota"], problem["limit"], problem["used"], problem["requested"]) == (Quota.ROWS, 7, 3, 5)
    end = datetime.fromisoformat(problem["resets_at"])
    assert end.timetz().replace(tzinfo=None) == datetime.min.time()
    assert timedelta(0) < end - datetime.now(UTC) <= timedelta(days=1)
    assert len(api.get("/v1/numbers").json["data"]) == 3
    assert [name for name in stored() if job["id"] in name] == [f"jobs/{job['id']}/upload"]
    assert used(api, Quota.ROWS) == 3
    configure(quota_rows_per_day=8)
    again = api.done(api.post(f"/v1/jobs/{job['id']}/recheck", {}))
    assert (again["parent_job_id"], again["counts"]["total"]) == (job["id"], 5)
    assert used(api, Quota.ROWS) == 8


def test_a_file_of_several_batches_is_counted_once(api: Door, configure: Given) -> None:
    configure(rows_per_batch=2, quota_rows_per_day=5)
    assert api.upload(OTHER_FILE)["counts"]["total"] == 5
    assert used(api, Quota.ROWS) == 5
    assert api.upload(FILE)["problem"]["code"] == "QUOTA_EXCEEDED"


def test_lists_and_selections_count_too(stocked: Door, configure: Given) -> None:
    before = used(stocked, Quota.ROWS)
    numbers = [number["e164"] for number in stocked.get("/v1/numbers").json["data"]]
    configure(quota_rows_per_day=before + 2)
    job = stocked.act("deletions", {"numbers": numbers[:3]})
    assert (job["status"], job["problem"]["code"]) == ("failed", "QUOTA_EXCEEDED")
    assert [number["e164"] for number in stocked.get("/v1/numbers").json["data"]] == numbers
    assert stocked.act("deletions", {"numbers": numbers[:2]})["counts"]["total"] == 2


@pytest.mark.long
def test_undo_retry_and_recheck_need_no_rows(api: Door, configure: Given) -> None:
    rows = sheets.rows(3)
    faulty = sheets.csv_bytes([*rows, ["1", "12", "TRUE", "", ""]])
    configure(quota_rows_per_day=6)
    job = api.upload(faulty)
    assert (job["counts"]["created"], job["counts"]["failed"]) == (3, 1)
    unclear = api.upload(UNCLEAR, mode="review")
    assert (unclear["status"], unclear["can_confirm"]) == ("review", False)
    assert used(api, Quota.ROWS) == 4  # the file whose columns are not settled has not been read
    settled = api.done(api.post(f"/v1/jobs/{unclear['id']}/recheck", MAPPING))
    assert (settled["can_confirm"], used(api, Quota.ROWS)) == (True, 6)
    checked = api.done(api.post(f"/v1/jobs/{unclear['id']}/recheck", {**MAPPING, "on_existing": "update"}))
    assert checked["can_confirm"]
    assert api.done(api.post(f"/v1/jobs/{unclear['id']}/cancel"))["status"] == "cancelled"
    copied = api.done(api.post(f"/v1/jobs/{unclear['id']}/recheck", MAPPING))
    assert (copied["parent_job_id"], copied["counts"]["total"]) == (unclear["id"], 2)
    assert api.done(api.post(f"/v1/jobs/{job['id']}/retry"))["status"] == "review"
    assert api.done(api.post(f"/v1/jobs/{job['id']}/undo"))["counts"]["deleted"] == 3
    assert used(api, Quota.ROWS) == 6
    assert api.upload(FILE)["problem"]["code"] == "QUOTA_EXCEEDED"


def test_files_that_are_read_at_once_are_counted_one_after_the_other(
    api: Door, configure: Given, database: sa.Engine
) -> None:
    configure(quota_rows_per_day=7)
    for name in "abc":
        assert api.send(FILE, f"{name}.csv").status_code == 202
    with database.connect() as connection:
        first, second, third = connection.execute(sa.select(tables.jobs.c.id).order_by(tables.jobs.c.id)).scalars()
    with database.begin() as connection:
        quotas.take_rows(connection, first, 3)
        with database.connect() as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(OperationalError, match="lock timeout"):
                quotas.take_rows(other, second, 3)
    with database.begin() as connection:
        quotas.take_rows(connection, second, 3)
    with pytest.raises(QuotaExceededError), database.begin() as connection:
        quotas.take_rows(connection, third, 3)
    assert used(api, Quota.ROWS) == 6


# Stored bytes


def test_stored_files_are_counted_until_they_expire(api: Door, configure: Given) -> None:
    job = api.upload(FILE)
    assert used(api, Quota.BYTES) == len(FILE)
    export = api.done(api.post("/v1/exports", {"format": "csv"}))
    assert used(api, Quota.BYTES) == len(FILE) + export["export"]["size"]
    configure(quota_stored_bytes=len(FILE) + export["export"]["size"] + 10)
    problem = refusal(api.send(OTHER_FILE), Quota.BYTES, len(FILE) + export["export"]["size"] + 10)
    assert (problem["used"], problem["requested"]) == (problem["limit"] - 10, len(OTHER_FILE))
    configure(keep_uploads_days=1e-9, keep_reports_days=1e-9)
    assert cleaner.expire() == 2
    assert used(api, Quota.BYTES) == 0
    assert api.job(job["id"])["counts"]["created"] == 3
    assert api.send(OTHER_FILE).status_code == 202


def test_a_refused_file_is_not_stored_and_does_not_count(api: Door) -> None:
    assert api.upload(b"\x00\x01\x02\x03" * 100, "numbers.bin")["status"] == "failed"
    assert used(api, Quota.BYTES) == 0


def test_a_copy_that_is_checked_again_counts_and_a_retry_does_not(api: Door) -> None:
    job = api.upload(UNCLEAR)
    assert job["problem"]["code"] == "MISSING_COLUMN"
    assert used(api, Quota.BYTES) == len(UNCLEAR)  # it can be read otherwise, so it is kept
    assert api.done(api.post(f"/v1/jobs/{job['id']}/recheck", MAPPING))["counts"]["created"] == 2
    assert used(api, Quota.BYTES) == 2 * len(UNCLEAR)


# Uploads at a time


class Held(io.RawIOBase):
    """A body that arrives only once it is let go."""

    def __init__(self, content: bytes, go: threading.Event) -> None:
        super().__init__()
        self._content, self._go = io.BytesIO(content), go

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert self._go.wait(PATIENCE)
        return self._content.read(size)

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a buffer
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


def raw_upload(token: str, body: Any, **headers: str) -> TestResponse:  # noqa: ANN401 - bytes or a stream
    return (
        application()
        .test_client()
        .post(
            "/v1/uploads?voice_carrier=",
            environ_overrides={
                "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
                "CONTENT_LENGTH": str(len(FILE)),
            },
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "text/csv",
                **headers,
            },
        )
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.long
def test_of_twenty_uploads_at_once_five_are_admitted_and_others_are_not_kept(
    api: Door, world: World, configure: Given, database: sa.Engine
) -> None:
    configure(quota_concurrent_uploads=5)
    go = threading.Event()
    answers: list[TestResponse] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(raw_upload, api.token, Held(FILE, go)) for _ in range(AT_ONCE)]
        try:
            wait_until(lambda: sum(future.done() for future in futures) >= AT_ONCE - 5)
            assert [future.result().status_code for future in futures if future.done()] == [429] * (AT_ONCE - 5)
            assert used(api, Quota.UPLOADS) == 5
            # Another tenant, and one below the first, send their files meanwhile.
            assert raw_upload(world.south.token, FILE).status_code == 202
            assert raw_upload(world.clinic.token, FILE).status_code == 202
        finally:
            go.set()
        answers = [future.result(PATIENCE) for future in futures]
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert len(accepted) == 5
    for answer in answers:
        if answer.status_code != 202:
            refusal(answer, Quota.UPLOADS, 5)
    assert used(api, Quota.UPLOADS) == 0
    assert raw_upload(api.token, FILE).status_code == 202
    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.upload_slots)).scalar_one() == 0


def test_a_slot_of_a_killed_process_expires(api: Door, world: World, configure: Given, database: sa.Engine) -> None:
    configure(quota_concurrent_uploads=1)
    with database.begin() as connection:
        upload_slots.take(connection, world.north.id)  # and its process is killed
    refusal(api.send(FILE), Quota.UPLOADS, 1)
    with database.begin() as connection:
        past = sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 0, 1)
        connection.execute(tables.upload_slots.update().values(until=past))
    assert api.send(FILE).status_code == 202
    assert cleaner.forget_slots() == 1


def test_a_long_upload_keeps_its_slot(api: Door, world: World, configure: Given, database: sa.Engine) -> None:
    configure(quota_concurrent_uploads=1)
    with database.begin() as connection:
        claim = upload_slots.take(connection, world.north.id)
        assert claim is not None
        connection.execute(tables.upload_slots.update().values(until=sa.func.now()))
    with database.begin() as connection:
        upload_slots.keep(connection, claim)
        assert upload_slots.count(connection, world.north.id) == 1
    assert used(api, Quota.UPLOADS) == 1


# Replays, overrides, other tenants


def test_a_repeated_request_costs_nothing(api: Door, configure: Given, database: sa.Engine) -> None:
    key = {"Idempotency-Key": "order 9"}
    first = raw_upload(api.token, FILE, **key)
    assert first.status_code == 202
    before = {name: states(api)[name]["used"] for name in (Quota.JOBS, Quota.ROWS, Quota.BYTES)}
    assert before == {Quota.JOBS: 1, Quota.ROWS: 0, Quota.BYTES: len(FILE)}
    configure(quota_open_jobs=1, quota_stored_bytes=len(FILE), quota_rows_per_day=3)
    again = raw_upload(api.token, FILE, **key)
    assert (again.status_code, again.data) == (202, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    api.work_off()
    assert raw_upload(api.token, FILE, **key).status_code == 202
    api.work_off()
    assert (jobs_of(database), used(api, Quota.ROWS), used(api, Quota.BYTES)) == (1, 3, len(FILE))


def test_a_refusal_is_not_kept_under_the_key(api: Door, configure: Given) -> None:
    key = {"Idempotency-Key": "order 10"}
    configure(quota_open_jobs=1)
    assert api.send(OTHER_FILE).status_code == 202
    refusal(raw_upload(api.token, FILE, **key), Quota.JOBS, 1)
    api.work_off()
    assert raw_upload(api.token, FILE, **key).status_code == 202


def test_a_tenants_own_quota_comes_before_the_setting(
    api: Door, world: World, configure: Given, database: sa.Engine
) -> None:
    configure(quota_open_jobs=1)
    own(database, world.north.id, open_jobs=2)
    assert [api.send(FILE).status_code for _ in range(3)] == [202, 202, 429]
    own(database, world.north.id, open_jobs=0)
    assert api.send(FILE).status_code == 202
    assert states(api)[Quota.JOBS] == {
        "name": "open_jobs",
        "limit": None,
        "used": 3,
        "remaining": None,
        "resets_at": None,
    }
    own(database, world.north.id, open_jobs=None)
    refusal(api.send(FILE), Quota.JOBS, 1)


def test_what_a_customer_uses_counts_for_the_customer_only(
    api: Door, world: World, configure: Given, database: sa.Engine
) -> None:
    configure(quota_open_jobs=1, quota_rows_per_day=3, quota_stored_bytes=len(FILE))
    clinic, south = api.as_(world.clinic.token), api.as_(world.south.token)
    assert clinic.send(FILE).status_code == 202
    refusal(clinic.send(FILE), Quota.JOBS, 1)
    for other in (api, south):
        assert [state["used"] for name, state in states(other).items() if name != Quota.REQUESTS] == [0, 0, 0, 0]
    assert api.upload(FILE)["status"] in {"completed", "completed_with_errors"}  # also carries out the clinic's job
    assert south.upload(FILE)["counts"]["total"] == 3
    assert (used(clinic, Quota.ROWS), used(api, Quota.ROWS), used(south, Quota.ROWS)) == (3, 3, 3)
    assert jobs_of(database) == 3


def test_a_tenant_does_not_wait_for_another_one(world: World, configure: Given, database: sa.Engine) -> None:
    """R37: whatever a transaction of one tenant holds, that of another goes on."""
    configure(quota_open_jobs=5, quota_rows_per_day=5, quota_concurrent_uploads=5)
    with database.begin() as connection:
        for lock in quotas.LockClass:
            quotas.hold(connection, lock, world.south.id)
        with database.begin() as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '1ms'")
            quotas.admit_job(other, world.north.id, 10)
            assert upload_slots.take(other, world.north.id) is not None


def test_only_the_own_tree_is_shown(api: Door, world: World) -> None:
    shown = api.get("/v1/quotas", query_string={"tenant_id": world.clinic.tenant.public_id})
    assert (shown.status_code, shown.json["tenant"]["name"]) == (200, world.clinic.tenant.name)
    for hidden in (world.south, world.master):
        answer = api.get("/v1/quotas", query_string={"tenant_id": hidden.tenant.public_id})
        assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")


def test_the_quotas_are_listed_with_limit_use_and_rest(api: Door, configure: Given) -> None:
    configure(quota_rows_per_day=10, quota_stored_bytes=0)
    api.upload(FILE)
    shown = states(api)
    assert list(shown) == [quota.value for quota in Quota]
    rows = shown[Quota.ROWS]
    assert (rows["limit"], rows["used"], rows["remaining"]) == (10, 3, 7)
    assert datetime.fromisoformat(rows["resets_at"]) > datetime.now(UTC)
    assert (shown[Quota.BYTES]["limit"], shown[Quota.BYTES]["used"]) == (None, len(FILE))
    assert shown[Quota.REQUESTS]["used"] >= 1


# Upkeep


def test_rows_of_usage_are_folded_and_those_of_past_days_deleted(world: World, database: sa.Engine) -> None:
    day = datetime.now(UTC).date()
    with database.begin() as connection:
        for offset, amount in [(0, 2)] * 30 + [(5, 7)] * 2:
            values = {"tenant_id": world.north.id, "quota": Quota.ROWS.value, "day": day - timedelta(days=offset)}
            connection.execute(tables.tenant_usage.insert().values(**values, amount=amount))
    assert cleaner.fold_usage() == 29 + 2
    with database.connect() as connection:
        rows = connection.execute(sa.select(tables.tenant_usage.c.day, tables.tenant_usage.c.amount)).all()
    assert [tuple(row) for row in rows] == [(day, 60)]
    assert cleaner.fold_usage() == 0


# The portal


@pytest.fixture
def full(portal: Portal, api: Door, configure: Given) -> Portal:
    """The portal of a company with as many open jobs as it may have."""
    configure(quota_open_jobs=1)
    assert api.send(FILE).status_code == 202
    return portal


def test_the_page_shows_the_same_table(portal: Portal, api: Door, configure: Given) -> None:
    configure(quota_rows_per_day=1000, quota_open_jobs=0)
    api.upload(FILE)
    text = text_of(portal.get("/limits"))
    for label in ("Rows per day", "Jobs that haven't ended", "Stored files", "Uploads at a time"):
        assert label in text
    assert "3 1,000 997" in text
    assert "No limit" in text
    assert 'href="/limits"' in portal.get("/overview").get_data(as_text=True)


def test_a_refused_upload_is_a_message_on_the_form(full: Portal) -> None:
    answer = full.post("/uploads", {"file": (io.BytesIO(OTHER_FILE), "numbers.csv")})
    assert answer.status_code == 429
    text = text_of(answer)
    assert "Your company has 1 of at most 1 jobs that haven't ended." in text
    assert "Wait until some have ended" in text
    assert 'type="file"' in answer.get_data(as_text=True)


# The command


def test_the_operator_sets_and_shows_quotas(world: World, database: sa.Engine, api: Door, configure: Given) -> None:
    configure(quota_open_jobs=7)
    name = world.north.tenant.name
    changed = told(run("quotas", "set", name, "--open-jobs", "1", "--rows-per-day", "none", "--json"))
    limits = {entry["name"]: (entry["limit"], entry["is_own"]) for entry in changed["data"]}
    assert (limits["open_jobs"], limits["rows_per_day"]) == ((1, True), (None, True))
    assert limits["stored_bytes"][1] is False
    assert [api.send(FILE).status_code for _ in range(2)] == [202, 429]
    back = told(run("quotas", "set", world.north.tenant.public_id, "--open-jobs", "default", "--json"))
    assert {entry["name"]: entry["limit"] for entry in back["data"]}["open_jobs"] == 7
    shown = run("quotas", "show", name)
    assert shown.exit_code == Exit.OK
    assert "rows_per_day" in shown.stdout
    assert world.north.tenant.public_id in shown.stderr + shown.output
    with database.connect() as connection:
        assert tenant_quotas.own(connection, world.north.id)[Quota.ROWS] == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("set", "Nobody", "--open-jobs", "1"), Exit.NOT_FOUND),
        (("show", "Nobody"), Exit.NOT_FOUND),
        (("set", "Northern Reseller"), Exit.USAGE),
        (("set", "Northern Reseller", "--open-jobs", "-1"), Exit.USAGE),
        (("set", "Northern Reseller", "--open-jobs", "many"), Exit.USAGE),
        (("set", "Northern Reseller", "--open-jobs", str(2**63)), Exit.USAGE),
    ],
)
def test_wrong_words_change_nothing(world: World, database: sa.Engine, words: tuple[str, ...], code: Exit) -> None:
    assert run("quotas", *words).exit_code == code
    with database.connect() as connection:
        assert connection.execute(sa.select(tables.tenant_quotas)).all() == []
    assert world


def test_two_tenants_with_one_name_are_told_apart_by_their_ids(world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        own_name = tables.tenants.update().where(tables.tenants.c.id == world.school.id)
        connection.execute(own_name.values(name=world.clinic.tenant.name))
    result = run("quotas", "show", world.clinic.tenant.name, "--json")
    assert result.exit_code == Exit.REFUSED
    assert world.school.tenant.public_id in json.loads(result.stderr)["fix"]


def test_before_the_migration_the_command_says_so(world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE tenant_quotas RENAME TO elsewhere")
    try:
        result = run("quotas", "show", world.north.tenant.name, "--json")
    finally:
        with database.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO tenant_quotas")
    assert (result.exit_code, json.loads(result.stderr)["code"]) == (Exit.REFUSED, "NOT_MIGRATED")


def test_work_goes_on_in_the_order_of_phases(api: Door) -> None:
    """The first phase of an upload alone counts its rows: nothing has been written by then."""
    api.send(FILE)
    api.work_off([Phase.CHECK])
    assert used(api, Quota.ROWS) == 3
    assert api.get("/v1/numbers").json["data"] == []
