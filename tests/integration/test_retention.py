"""What is kept and for how long: files expire, counts stay, and what a killed process leaves behind is removed.

Time is moved by ageing jobs and files, never by waiting.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import obstore
import pytest
import redis
import sqlalchemy as sa

from schemas.jobs import Phase
from tests.contract.retained import KEYS
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.servers.service import wait_for
from worker import pipeline
from worker.config.settings import get_settings
from worker.jobs import retention
from worker.maintenance import cleaner, orphan_folders
from worker.queue import broker, job_state
from worker.reports.row_messages import Layout
from worker.storage import files, scratch
from worker.storage.report_reader import Tokens, stream_report

NUMBERS = [f"+1212555010{place}" for place in range(6)]
HOUR, DAY = 3600.0, 86_400.0
DEADLINE = 20.0
REPORTS = ("rows", "report.csv", "report.csv?rows=failed", "report.xlsx?rows=all", "report.jsonl")


def sheet(fax: str = "FALSE") -> bytes:
    """Six sound numbers and a row that fails, in four chunks of two rows."""
    lines = [("1", number[2:], "TRUE", "FALSE", fax) for number in NUMBERS]
    return sheets.csv_bytes([sheets.HEADER, *lines, ("1", "nonsense", "TRUE", "FALSE", "FALSE")])


@dataclass(frozen=True)
class House:
    """The test's hand in the tables and in the storage's folder."""

    engine: sa.Engine
    folder: Path

    def run(self, statement: str, **values: Any) -> None:  # noqa: ANN401 - bound values
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def ask(self, query: str, **values: Any) -> list[Any]:  # noqa: ANN401 - bound values
        with self.engine.begin() as connection:
            return list(connection.execute(sa.text(query), values).scalars())

    def age(self, job_id: str, days: float) -> None:
        """Have the job ended so long ago."""
        query = "UPDATE jobs SET finished_at = now() - make_interval(secs => :s) WHERE public_id = CAST(:job AS uuid)"
        self.run(query, s=days * DAY, job=job_id)

    def id_of(self, job_id: str) -> int:
        found: int = self.ask("SELECT id FROM jobs WHERE public_id = CAST(:job AS uuid)", job=job_id)[0]
        return found

    def files(self, job_id: str) -> list[str]:
        """The names of a job's files, below its folder."""
        top = self.folder / "jobs" / job_id
        return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())

    def put(self, name: str, hours: float, content: bytes = b"x") -> Path:
        """A file in the storage's folder, last written so many hours ago."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        make_old(path, hours)
        return path


def make_old(path: Path, hours: float) -> None:
    """Have a file or folder, and all below it, changed so many hours ago."""
    then = time.time() - hours * HOUR
    for each in (*(path.rglob("*") if path.is_dir() and not path.is_symlink() else ()), path):
        os.utime(each, (then, then), follow_symlinks=False)


@pytest.fixture
def house(database: sa.Engine, tmp_path: Path, configure: Callable[..., None]) -> House:
    configure(rows_per_chunk=2)
    return House(database, tmp_path / "data" / "files")


@pytest.fixture
def scratch_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture(autouse=True)
def _apart(scratch_place: Path) -> None:
    """Rounds look into no temporary folder that others use."""


def told(api: Door, job_id: str) -> dict[str, Any]:
    """Every report of a job; of a workbook all but the moment when it was made."""
    return {path: content(api, f"/v1/jobs/{job_id}/{path}") for path in REPORTS}


def content(api: Door, path: str) -> Any:  # noqa: ANN401 - bytes, or the parts of a workbook
    answer = api.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    if not zipfile.is_zipfile(io.BytesIO(answer.data)):
        return answer.data
    with zipfile.ZipFile(io.BytesIO(answer.data)) as parts:
        return {name: parts.read(name) for name in parts.namelist() if name != "docProps/core.xml"}


def without_links(job: Json) -> Json:
    return {name: value for name, value in job.items() if name != "links"}


def refusals(api: Door, job_id: str) -> set[tuple[int, str]]:
    answers = [api.get(f"/v1/jobs/{job_id}/{path}") for path in REPORTS]
    return {(answer.status_code, answer.json["code"]) for answer in answers}


GONE = {(410, "REPORT_EXPIRED")}


# Jobs of every ending; those with `wrote` have changed something that can be undone.


def completed(api: Door, house: House) -> str:  # noqa: ARG001 - as the others
    api.upload(sheet())
    job_id: str = api.upload(sheet("TRUE"), on_existing="update")["id"]
    return job_id


def partly_cancelled(api: Door, house: House) -> str:  # noqa: ARG001 - as the others
    api.upload(sheet())
    job_id: str = api.send(sheet("TRUE"), on_existing="update").json["id"]
    assert pipeline.run(Phase.CHECK)
    assert pipeline.run(Phase.WRITE)
    api.done(api.post(f"/v1/jobs/{job_id}/cancel"))
    return job_id


def partly_failed(api: Door, house: House) -> str:
    """A chunk's file is lost after another chunk was written: the job ends as our fault."""
    api.upload(sheet())
    job_id: str = api.send(sheet("TRUE"), on_existing="update").json["id"]
    assert pipeline.run(Phase.CHECK)
    assert pipeline.run(Phase.WRITE)
    house.run("UPDATE job_chunks SET attempt = 99 WHERE state = 'pending' AND phase = 'write'")
    for path in (house.folder / "jobs" / job_id).glob("check-*/00000[12].arrow"):
        path.unlink()
    api.work_off()
    return job_id


def refused(api: Door, house: House) -> str:  # noqa: ARG001 - as the others
    job_id: str = api.upload(b"nothing,of,ours\r\n1,2,3\r\n")["id"]
    return job_id


def cancelled_unread(api: Door, house: House) -> str:  # noqa: ARG001 - as the others
    job_id: str = api.send(sheet()).json["id"]
    api.done(api.post(f"/v1/jobs/{job_id}/cancel"))
    return job_id


Ending = Callable[[Door, House], str]
WROTE: dict[str, Ending] = {
    "completed_with_errors": completed,
    "cancelled": partly_cancelled,
    "failed": partly_failed,
}
ENDINGS: dict[str, Ending] = {**WROTE, "failed, refused": refused, "cancelled, unread": cancelled_unread}


# What expires


@pytest.mark.long
def test_the_upload_goes_before_its_report(api: Door, house: House) -> None:
    job_id = completed(api, house)
    house.age(job_id, 29)
    cleaner.clean()
    assert "upload" in house.files(job_id)
    house.age(job_id, 31)
    before = told(api, job_id)
    cleaner.clean()
    assert "upload" not in house.files(job_id)
    assert told(api, job_id) == before


@pytest.mark.long
def test_a_list_goes_as_an_upload_does(api: Door, house: House) -> None:
    api.upload(sheet())
    job_id = api.act("capability-changes", {"numbers": NUMBERS[:3], "fax": True})["id"]
    house.age(job_id, 31)
    cleaner.clean()
    assert "listed.arrow" not in house.files(job_id)
    assert [row["code"] for row in api.rows(job_id)] == ["UPDATED"] * 3


@pytest.mark.long
def test_an_upload_may_outlive_its_report(api: Door, house: House, configure: Callable[..., None]) -> None:
    configure(keep_uploads_days=365)
    job_id = completed(api, house)
    house.age(job_id, 91)
    cleaner.clean()
    assert house.files(job_id) == ["upload"]
    assert refusals(api, job_id) == GONE
    house.age(job_id, 366)
    cleaner.clean()
    assert not (house.folder / "jobs" / job_id).exists()


@pytest.mark.long
@pytest.mark.parametrize(("status", "end"), WROTE.items(), ids=WROTE)
def test_without_its_chunk_files_a_job_reads_and_is_undone_as_before(
    api: Door, house: House, status: str, end: Ending
) -> None:
    job_id = end(api, house)
    assert api.job(job_id)["status"] == status
    has_report = status != "failed"
    house.age(job_id, 2)
    before = told(api, job_id) if has_report else {}
    late = house.put(f"jobs/{job_id}/check-0/rows.arrow", hours=0)  # of a check that came too late
    cleaner.clean()
    left = house.files(job_id)
    assert not late.exists()
    assert not [name for name in left if name.startswith("check-") and Path(name).stem.isdecimal()]
    assert any(name.startswith("results/") for name in left) == (not has_report)
    assert (told(api, job_id) if has_report else {}) == before
    written = api.job(job_id)["counts"]["updated"]
    undone = api.done(api.post(f"/v1/jobs/{job_id}/undo"))
    assert written
    assert undone["counts"]["updated"] == written
    assert not any(api.get(f"/v1/numbers/{number}").json["fax"] for number in NUMBERS)


@pytest.mark.long
@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_when_all_files_are_gone_the_counts_stay(api: Door, house: House, end: Ending) -> None:
    job_id = end(api, house)
    mended = api.upload(sheet("TRUE"), parent_job_id=job_id)["id"]
    listed = api.get("/v1/jobs").json["data"]
    jobs = {each: without_links(api.job(each)) for each in (job_id, mended)}
    files, numbers = house.files(mended), house.ask("SELECT count(*) FROM phone_numbers")
    had_report = api.job(job_id)["links"]["report_csv"] is not None
    house.age(job_id, 91)
    jobs[job_id]["finished_at"] = api.job(job_id)["finished_at"]
    cleaner.clean()
    assert not (house.folder / "jobs" / job_id).exists()
    assert house.ask("SELECT count(*) FROM job_chunks WHERE job_id = :id", id=house.id_of(job_id)) == [0]
    found = {each: without_links(api.job(each)) for each in jobs}
    for job in (*jobs.values(), *found.values()):
        job["progress"].pop("rows_per_second")  # of how long the job took, which ageing has changed
    assert not found[job_id]["can_recheck"]
    assert not found[job_id]["can_retry"]
    for job in (jobs[job_id], found[job_id]):  # without its files, it cannot be checked again (R31), nor retried (R33)
        del job["can_recheck"], job["can_retry"]
        for name in ("columns", "missing", "sheets", "suggested", "top_rows"):
            (job["file"] or {}).pop(name, None)
    assert found == jobs
    again = {job["id"]: job["counts"] for job in api.get("/v1/jobs").json["data"]}
    assert again == {job["id"]: job["counts"] for job in listed}
    links = api.job(job_id)["links"]
    assert [links[name] for name in ("report_csv", "report_failed_csv", "report_xlsx")] == [None] * 3
    if had_report:
        assert refusals(api, job_id) == GONE
    assert house.files(mended) == files
    assert house.ask("SELECT count(*) FROM phone_numbers") == numbers


@pytest.mark.long
@pytest.mark.parametrize(("status", "end"), WROTE.items(), ids=WROTE)
@pytest.mark.parametrize("is_tidied", [False, True])
def test_what_has_expired_cannot_be_undone(api: Door, house: House, status: str, end: Ending, is_tidied: bool) -> None:
    job_id = end(api, house)
    house.age(job_id, 91)
    if is_tidied:
        cleaner.clean()
    answer = api.post(f"/v1/jobs/{job_id}/undo")
    assert (answer.status_code, answer.json["code"], answer.json["job_status"]) == (409, "UNDO_EXPIRED", status)


@pytest.mark.long
def test_a_report_has_expired_before_it_is_removed(api: Door, house: House) -> None:
    job_id = completed(api, house)
    house.age(job_id, 91)
    assert house.files(job_id)
    assert refusals(api, job_id) == GONE
    assert api.job(job_id)["links"]["report_csv"] is None
    assert api.get("/v1/jobs").json["data"][0]["links"]["report_xlsx"] is None


@pytest.mark.long
def test_strangers_learn_of_no_expiry(api: Door, house: House, world: World) -> None:
    job_id = completed(api, house)
    house.age(job_id, 91)
    stranger = api.as_(world.south.token)
    known = [stranger.get(f"/v1/jobs/{job_id}/{path}") for path in REPORTS]
    unknown = [stranger.get(f"/v1/jobs/{uuid.uuid4()}/{path}") for path in REPORTS]
    assert [(answer.status_code, answer.data) for answer in known] == [(404, answer.data) for answer in unknown]
    answer = stranger.post(f"/v1/jobs/{job_id}/undo")
    assert (answer.status_code, answer.data) == (404, unknown[0].data)


@pytest.mark.long
def test_removed_is_removed_even_if_the_setting_says_longer_later(
    api: Door, house: House, configure: Callable[..., None]
) -> None:
    job_id = completed(api, house)
    house.age(job_id, 91)
    cleaner.clean()
    configure(keep_reports_days=365)
    assert refusals(api, job_id) == GONE
    assert api.post(f"/v1/jobs/{job_id}/undo").json["code"] == "UNDO_EXPIRED"


@pytest.mark.long
@pytest.mark.parametrize("name", ["results.arrow", "check-*/rows.arrow", "report.csv"])
def test_a_report_removed_while_it_is_asked_for_is_no_fault(api: Door, house: House, name: str) -> None:
    job_id = completed(api, house)
    for path in (house.folder / "jobs" / job_id).glob(name):
        path.unlink()
    found = [api.get(f"/v1/jobs/{job_id}/{path}") for path in REPORTS]
    codes = [answer.json["code"] if answer.status_code == 410 else answer.status_code for answer in found]
    lost, there, ordered = "REPORT_EXPIRED", 200, 503
    expected = [there, lost, there, there, there] if name == "report.csv" else [lost, there, lost, ordered, lost]
    assert codes == expected
    if name != "report.csv":
        assert found[3].json["code"] == "WORKBOOK_NOT_READY", "a worker is asked for it, and finds out"


@pytest.mark.long
def test_what_is_being_read_is_read_to_its_end(api: Door, house: House) -> None:
    job_id = completed(api, house)
    whole = api.report(job_id)
    read, check, facts = house.ask(
        "SELECT ARRAY[to_jsonb(read_token), to_jsonb(check_token), file_facts] FROM jobs ORDER BY id DESC LIMIT 1"
    )[0]
    blocks = files.stream(files.report_key(job_id))
    rows = stream_report(job_id, Tokens(read, check), Layout.from_json(facts), None)
    house.age(job_id, 91)
    cleaner.clean()
    assert not house.files(job_id)
    assert b"".join(blocks) == whole
    assert sum(cells.num_rows for cells, _ in rows) == 7


def test_jobs_that_have_not_ended_keep_everything(
    api: Door, house: House, stored: Callable[[], list[str]], configure: Callable[..., None]
) -> None:
    configure(review_seconds=1e8)
    running = api.send(sheet()).json["id"]
    assert pipeline.run(Phase.CHECK)
    assert pipeline.run(Phase.WRITE)
    review = api.send(sheet(), mode="review").json["id"]
    assert pipeline.run(Phase.CHECK)
    cancelling = api.send(sheet()).json["id"]
    with house.engine.begin() as connection:
        connection.execute(sa.text("UPDATE jobs SET status = 'cancelling' WHERE id = (SELECT max(id) FROM jobs)"))
    accepted = api.send(sheet()).json["id"]
    house.run("UPDATE jobs SET created_at = now() - interval '1000 days', started_at = now() - interval '1000 days'")
    make_old(house.folder, hours=24_000)
    files, pieces = stored(), house.ask("SELECT count(*) FROM job_chunks")
    cleaner.clean()
    assert (stored(), house.ask("SELECT count(*) FROM job_chunks")) == (files, pieces)
    found = [api.job(each)["status"] for each in (running, review, cancelling, accepted)]
    assert found == ["running", "review", "cancelling", "accepted"]


@pytest.mark.long
def test_the_undo_of_a_job_keeps_its_files(api: Door, house: House) -> None:
    """Asked for in time, worked off after the time is over."""
    job_id = completed(api, house)
    files = house.files(job_id)
    undoing = api.post(f"/v1/jobs/{job_id}/undo").json["id"]
    house.age(job_id, 91)
    cleaner.clean()
    assert house.files(job_id) == files
    api.work_off()
    assert api.job(undoing)["counts"]["updated"] == 6
    cleaner.clean()
    assert not house.files(job_id)
    assert house.files(undoing)


@pytest.mark.long
def test_an_undo_begun_while_a_round_is_under_way_keeps_the_files(api: Door, house: House) -> None:
    """The round has found the job already, and asks again when it holds it."""
    job_id = completed(api, house)
    house.age(job_id, 2)
    files = house.files(job_id)
    with house.engine.begin() as connection:
        assert retention.due(connection, 10) == [house.id_of(job_id)]
    undoing = api.post(f"/v1/jobs/{job_id}/undo").json["id"]
    with house.engine.begin() as connection:
        assert retention.hold(connection, house.id_of(job_id)) is None
        assert retention.due(connection, 10) == []
    assert house.files(job_id) == files
    api.work_off()
    assert api.job(undoing)["counts"]["updated"] == 6
    assert cleaner.expire() == 1


@pytest.mark.long
def test_an_undo_that_waits_for_the_removal_is_refused(api: Door, house: House) -> None:
    job_id = completed(api, house)
    house.age(job_id, 91)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(api.post(f"/v1/jobs/{job_id}/undo")))
    with house.engine.begin() as connection:
        ended = retention.hold(connection, house.id_of(job_id))
        asking.start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        wait_for(lambda: house.ask(waiting)[0], DEADLINE, "the undo waits")
        cleaner.remove_files(ended)
        retention.mark(connection, ended)
    asking.join(DEADLINE)
    assert [answer.json["code"] for answer in answers] == ["UNDO_EXPIRED"]
    assert house.ask("SELECT count(*) FROM jobs WHERE kind = 'undo'") == [0]


@pytest.mark.long
def test_a_job_that_somebody_decides_about_is_passed_over(api: Door, house: House) -> None:
    job_id = completed(api, house)
    house.age(job_id, 91)
    with house.engine.begin() as connection:
        job_state.lock_job(connection, house.id_of(job_id))
        assert cleaner.expire() == 0
    assert house.files(job_id)
    assert cleaner.expire() == 1


@pytest.mark.long
def test_the_same_file_and_a_mended_one_need_not_wait_for_a_removal(api: Door, house: House) -> None:
    job_id = completed(api, house)
    house.age(job_id, 91)
    with house.engine.begin() as connection:
        assert retention.hold(connection, house.id_of(job_id))
        answer = api.send(sheet("TRUE"), parent_job_id=job_id, on_existing="update")
        assert (answer.status_code, answer.json["duplicate_of"]) == (202, job_id)


@pytest.mark.long
def test_work_that_somebody_is_at_stays_in_the_ledger(api: Door, house: House) -> None:
    job_id = partly_failed(api, house)
    house.run(
        "UPDATE job_chunks SET state = 'leased', lease_until = now() WHERE job_id = :id AND phase = 'check'",
        id=house.id_of(job_id),
    )
    house.age(job_id, 91)
    cleaner.clean()
    left = house.ask("SELECT phase || ' ' || state FROM job_chunks WHERE job_id = :id", id=house.id_of(job_id))
    assert left == ["check leased"]


def test_keys_are_forgotten(api: Door, house: House) -> None:
    headers = {"Idempotency-Key": "order 7"}
    for _ in range(2):
        api.post("/v1/deletions", {"numbers": NUMBERS}, headers=headers)
        cleaner.clean()
    assert house.ask("SELECT count(*) FROM idempotency_keys") == [1]
    house.run("UPDATE idempotency_keys SET until = now() - interval '1 second'")
    cleaner.clean()
    assert house.ask("SELECT count(*) FROM idempotency_keys") == [0]


# Rounds


@pytest.mark.long
def test_a_round_is_bounded_and_the_next_goes_on(api: Door, house: House) -> None:
    for _ in range(5):
        api.upload(sheet())
    house.run("UPDATE jobs SET finished_at = now() - interval '91 days'")
    assert [cleaner.expire(2) for _ in range(4)] == [2, 2, 1, 0]
    for _ in range(5):
        house.put(f"jobs/{uuid.uuid4()}/upload", hours=25)
    assert [cleaner.remove_orphans(2) for _ in range(4)] == [2, 2, 1, 0]


def test_a_step_ends_when_its_time_is_over(api: Door, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    api.upload(sheet())
    house.run("UPDATE jobs SET finished_at = now() - interval '91 days'")
    monkeypatch.setattr(cleaner, "MOST_SECONDS", -1.0)
    assert cleaner.expire() == 0


@pytest.mark.long
def test_rounds_at_once_do_everything_once(api: Door, house: House) -> None:
    for _ in range(6):
        api.upload(sheet())
    house.run("UPDATE jobs SET finished_at = now() - interval '91 days'")
    for _ in range(6):
        house.put(f"jobs/{uuid.uuid4()}/upload", hours=25)
    counts: list[int] = []
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        counts.append(cleaner.expire())
        cleaner.clean()

    rounds = [threading.Thread(target=run) for _ in range(4)]
    for each in rounds:
        each.start()
    for each in rounds:
        each.join(DEADLINE)
    assert sum(counts) <= 6
    assert list((house.folder / "jobs").iterdir()) == []
    assert house.ask("SELECT count(*) FROM jobs WHERE keeps_report OR keeps_upload OR keeps_chunks") == [0]


@pytest.mark.long
def test_a_crash_after_some_files_are_removed(api: Door, house: House) -> None:
    """The round dies between the files and the mark: the next one removes the rest and marks."""
    job_id = completed(api, house)
    house.age(job_id, 91)
    with contextlib.suppress(ConnectionError), house.engine.begin() as connection:
        ended = retention.hold(connection, house.id_of(job_id))
        orphan_folders.remove(ended.job, ended.over - {"upload"}, ended.checks, failed=ended.failed)
        raise ConnectionError
    assert house.files(job_id) == ["upload"]
    assert refusals(api, job_id) == GONE
    assert cleaner.expire() == 1
    assert not (house.folder / "jobs" / job_id).exists()
    assert cleaner.expire() == 0


@pytest.mark.long
def test_a_crash_after_all_files_are_removed(api: Door, house: House) -> None:
    job_id = completed(api, house)
    house.age(job_id, 91)
    with contextlib.suppress(ConnectionError), house.engine.begin() as connection:
        cleaner.remove_files(retention.hold(connection, house.id_of(job_id)))
        raise ConnectionError
    assert not house.files(job_id)
    assert [cleaner.expire(), cleaner.expire()] == [1, 0]


@pytest.mark.long
def test_files_of_a_job_that_is_marked_as_having_none(api: Door, house: House) -> None:
    """What a worker that woke up too late writes is removed like what belongs to no job."""
    job_id = completed(api, house)
    house.age(job_id, 91)
    with house.engine.begin() as connection:
        retention.mark(connection, retention.hold(connection, house.id_of(job_id)))
    cleaner.clean()
    assert house.files(job_id)
    make_old(house.folder / "jobs" / job_id, hours=25)
    cleaner.clean()
    assert not (house.folder / "jobs" / job_id).exists()


@pytest.mark.long
@pytest.mark.parametrize("days", [2, 31, 91])
def test_one_job_that_cannot_be_tidied_does_not_stop_the_others(api: Door, house: House, days: int) -> None:
    bad, good = completed(api, house), completed(api, house)
    house.run("UPDATE jobs SET finished_at = now() - make_interval(days => :days)", days=days)
    files, whole = house.files(bad), len(house.files(good))
    folder = house.folder / "jobs" / bad
    shutil.move(folder, house.folder / "elsewhere")
    folder.symlink_to(house.folder / "elsewhere")

    def is_tidied() -> bool:
        cleaner.clean()
        return len(house.files(good)) < whole

    wait_for(is_tidied, DEADLINE, "the other job is tidied")
    shutil.move(house.folder / "elsewhere", house.folder / "jobs" / str(uuid.UUID(int=0)))
    assert house.files(str(uuid.UUID(int=0))) == files


# What belongs to no job


@pytest.mark.long
@pytest.mark.parametrize("name", ["upload", "upload#1", "check-7/rows.arrow"])
def test_files_without_a_job_go_when_they_are_old(api: Door, house: House, name: str) -> None:
    kept = completed(api, house)
    files = house.files(kept)
    old = house.put(f"jobs/{uuid.uuid4()}/{name}", hours=25)
    young = house.put(f"jobs/{uuid.uuid4()}/{name}", hours=23)
    cleaner.clean()
    assert not (house.folder / "jobs" / old.relative_to(house.folder).parts[1]).exists()
    assert young.exists()
    assert house.files(kept) == files


def test_an_upload_that_takes_hours_is_as_young_as_its_last_block(api: Door, house: House) -> None:  # noqa: ARG001 - the tables
    job = uuid.uuid4()
    house.put(f"jobs/{job}/listed.arrow", hours=100)
    receiving = house.put(f"jobs/{job}/upload#1", hours=1)
    cleaner.clean()
    assert receiving.exists()


def test_half_written_files_of_a_job_go_when_they_are_old(api: Door, house: House) -> None:
    job_id = api.send(sheet()).json["id"]
    old = house.put(f"jobs/{job_id}/check-3/000000.arrow#1", hours=25)
    make_old(old.parent, hours=25)
    young = house.put(f"jobs/{job_id}/results/000000-1.arrow#2", hours=23)
    cleaner.clean()
    assert not old.parent.exists()
    assert young.exists()
    api.work_off()
    assert api.job(job_id)["counts"]["created"] == 6


@pytest.mark.long
def test_half_written_files_go_with_their_part(api: Door, house: House) -> None:
    job_id = completed(api, house)
    for name in ("upload#1", "results/000000-1.arrow#1", "report.csv#3"):
        house.put(f"jobs/{job_id}/{name}", hours=1)
    house.age(job_id, 31)
    cleaner.clean()
    assert [name for name in house.files(job_id) if "#" in name] == ["report.csv#3"]
    house.age(job_id, 91)
    cleaner.clean()
    assert not (house.folder / "jobs" / job_id).exists()


def test_empty_folders_go_when_they_are_old(house: House) -> None:
    old, young = (house.folder / "jobs" / str(uuid.uuid4()) for _ in range(2))
    for folder, hours in ((old, 25), (young, 23)):
        (folder / "check-1").mkdir(parents=True)
        make_old(folder, hours)
    cleaner.clean()
    assert not old.exists()
    assert young.exists()


def test_what_is_not_ours_stays(api: Door, house: House, tmp_path: Path) -> None:  # noqa: ARG001 - the tables
    """Odd names, links, and whatever else an operator keeps there."""
    foreign = [
        house.put(name, hours=1000)
        for name in ("jobs/readme", "jobs/Kunden ä%20\n#1/a", "other/upload#1", f"jobs/{uuid.uuid4()}".upper() + "/a")
    ]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    link = house.folder / "jobs" / str(uuid.uuid4())
    link.symlink_to(elsewhere)
    for path in (elsewhere, link):
        make_old(path, hours=1000)
    cleaner.clean()
    assert all(path.exists() for path in (*foreign, link, elsewhere / "precious"))
    for name in ("..", "", "readme", str(uuid.uuid4()).upper()):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
            files.remove_job(name)


@pytest.mark.long
def test_odd_names_and_links_in_a_job_s_folder_are_no_hindrance(api: Door, house: House, tmp_path: Path) -> None:
    job_id = completed(api, house)
    house.age(job_id, 2)
    before = told(api, job_id)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file#1").write_text("x")
    make_old(precious, hours=1000)
    top = house.folder / "jobs" / job_id
    for name in (b"a\nb", b"\xff\xfe#1", b"b%20c", "ü n#2".encode()):
        Path(os.fsdecode(os.fsencode(top) + b"/" + name)).write_bytes(b"x")
    (top / "results" / "link").symlink_to(precious)
    cleaner.clean()
    assert told(api, job_id) == before
    house.age(job_id, 91)
    cleaner.clean()
    assert not top.exists()
    assert (precious / "file#1").exists()


RECEIVE = """
import sys
from worker.storage import files as storage
receiver = storage.Receiver(storage.upload_key(sys.argv[1]))
receiver.write(b"x" * storage.BLOCK * 2)
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def program(code: str, *words: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that says that it is ready and then waits; killed at the end."""
    command = [sys.executable, "-c", code, *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env={**os.environ, **environment}) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def test_what_a_killed_door_has_received_is_removed(api: Door, house: House) -> None:  # noqa: ARG001 - the tables
    job_id = str(uuid.uuid4())
    with program(RECEIVE, job_id) as process:
        process.kill()
        process.wait(DEADLINE)
    assert house.files(job_id) == ["upload#1"]
    cleaner.clean()
    assert house.files(job_id) == ["upload#1"]
    make_old(house.folder / "jobs" / job_id, hours=25)
    cleaner.clean()
    assert not (house.folder / "jobs" / job_id).exists()


def test_a_refused_request_leaves_not_even_a_folder(api: Door, house: House) -> None:
    assert api.send(sheet(), on_existing="perhaps").status_code == 422
    assert list((house.folder / "jobs").iterdir()) == []


# Scratch folders

HOLD = """
import sys
from worker.storage import scratch
with scratch.folder() as folder:
    (folder / "half").write_bytes(b"x")
    print("ready", flush=True)
    sys.stdin.read()
"""


def scratch_folders(place: Path) -> list[Path]:
    return sorted(place.glob(f"{scratch.PREFIX}*"))


@pytest.mark.usefixtures("database")
def test_the_folder_of_a_living_process_stays_and_that_of_a_killed_one_goes(scratch_place: Path) -> None:
    with program(HOLD, TMPDIR=str(scratch_place)) as process:
        (folder,) = scratch_folders(scratch_place)
        make_old(folder, hours=1000)
        cleaner.clean()
        assert (folder / "half").exists()
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE)
        assert folder.exists()
        cleaner.clean()
        assert not folder.exists()


def test_a_young_folder_may_be_about_to_be_locked(scratch_place: Path) -> None:
    made = scratch_place / f"{scratch.PREFIX}new"
    made.mkdir()
    assert scratch.remove_abandoned() == 0
    make_old(made, hours=0.1)
    assert scratch.remove_abandoned() == 1
    assert not made.exists()


def test_who_makes_a_folder_removes_abandoned_ones(scratch_place: Path) -> None:
    made = scratch_place / f"{scratch.PREFIX}left"
    made.mkdir()
    make_old(made, hours=1)
    with scratch.folder() as mine:
        assert scratch_folders(scratch_place) == [mine]
    assert scratch_folders(scratch_place) == []


def test_links_files_and_other_names_in_the_temporary_folder_stay(scratch_place: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    link, file = scratch_place / f"{scratch.PREFIX}link", scratch_place / f"{scratch.PREFIX}file"
    link.symlink_to(elsewhere)
    file.write_text("x")
    # The copy of the database's programs, and what `numberyard demo` leaves to its user.
    others = [scratch_place / name for name in (f"numberyard-{os.geteuid()}", "numberyard-demo-abc", "tmpabc")]
    inside = scratch_place / f"{scratch.PREFIX}odd\n"
    inside.mkdir()
    (inside / "link").symlink_to(elsewhere)
    for path in others:
        path.mkdir()
    for path in (elsewhere, link, file, *others, inside):
        make_old(path, hours=1000)
    assert scratch.remove_abandoned() == 1
    assert not inside.exists()
    assert all(os.path.lexists(path) for path in (link, file, *others, elsewhere / "precious"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_folders_of_others_stay(scratch_place: Path) -> None:
    made = scratch_place / f"{scratch.PREFIX}other"
    made.mkdir()
    os.chown(made, 12345, 12345)
    make_old(made, hours=1000)
    assert scratch.remove_abandoned() == 0
    assert made.exists()


@pytest.mark.long
@pytest.mark.usefixtures("house")
def test_work_leaves_no_scratch(api: Door, scratch_place: Path) -> None:
    job_id = api.upload(sheet())["id"]
    assert api.get(f"/v1/jobs/{job_id}/report.xlsx").status_code == 200
    assert scratch_folders(scratch_place) == []


# On an object store


@pytest.fixture
def objects(house: House, configure: Callable[..., None]) -> Iterator[Callable[[], list[str]]]:
    """An object store (in memory); names the files in it."""
    configure(storage_url="memory:///")
    assert files.root() is None
    yield lambda: sorted(entry["path"] for entry in obstore.list(files.store()).collect())
    assert not (house.folder / "jobs").exists()


@pytest.mark.long
def test_files_expire_on_an_object_store_too(api: Door, house: House, objects: Callable[[], list[str]]) -> None:
    job_id = completed(api, house)
    house.age(job_id, 31)
    before, count = told(api, job_id), len(objects())
    cleaner.clean()
    left = objects()
    assert len(left) < count
    assert f"jobs/{job_id}/upload" not in left
    assert f"jobs/{job_id}/report.csv" in left
    assert told(api, job_id) == before
    assert api.done(api.post(f"/v1/jobs/{job_id}/undo"))["counts"]["updated"] == 6
    house.run("UPDATE jobs SET finished_at = now() - interval '91 days'")
    cleaner.clean()
    assert objects() == []
    assert refusals(api, job_id) == GONE


def test_orphans_on_an_object_store(
    api: Door, house: House, objects: Callable[[], list[str]], configure: Callable[..., None]
) -> None:
    api.send(sheet())
    kept = objects()
    names = [f"jobs/{uuid.uuid4()}/check-1/{number:06}.arrow" for number in range(5)]
    for name in (*names, "jobs/readme"):
        files.put(name, b"x")
    cleaner.clean()
    assert set(objects()) == {*kept, *names, "jobs/readme"}
    # The store's clock cannot be turned, so the setting is.
    store = files.store()
    configure(orphan_hours=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "store", lambda: store)
        # Bounded: two folders' worth of files at a time, wherever the round begins.
        wait_for(lambda: cleaner.remove_orphans(2) or len(objects()) == len(kept) + 1, DEADLINE, "orphans are removed")
        cleaner.clean()
        assert set(objects()) == {*kept, "jobs/readme"}
    assert house.ask("SELECT count(*) FROM jobs") == [1]


# When rounds are made


def test_beat_asks_for_rounds(configure: Callable[..., None]) -> None:
    configure(redis_url="redis://127.0.0.1:1/0", tidy_seconds=77)
    schedule: Any = broker.configuration(get_settings())["beat_schedule"]
    assert (schedule["tidy"]["task"], schedule["tidy"]["schedule"]) == (broker.TIDY, 77)


@pytest.mark.long
def test_a_worker_sweeps_and_tidies_when_it_starts(api: Door, house: House, tmp_path: Path) -> None:
    """Without beat, without a hint: work that was lost is done, and what has expired goes."""
    expired = completed(api, house)
    house.age(expired, 91)
    lost = api.send(sheet()).json["id"]
    house.run("UPDATE job_chunks SET hint_due_at = now() - interval '1 hour' WHERE state = 'pending'")
    valkey = redis.Redis.from_url(get_settings().redis_url.get_secret_value())
    valkey.delete(*broker.ALL_QUEUES)
    command = [sys.executable, "-m", "celery", "-A", "worker.celery_app", "worker", "--concurrency", "1"]
    command += ["--queues", ",".join(broker.ALL_QUEUES), "--without-gossip", "--without-mingle"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: api.job(lost)["status"] == "completed_with_errors", 60, "the lost work is done")
        wait_for(lambda: not (house.folder / "jobs" / expired).exists(), DEADLINE, "what has expired is gone")
        patterns = [pattern for names in KEYS for pattern in names.split(", ")]
        keys = [bytes(key).decode() for key in valkey.scan_iter()]
        assert [key for key in keys if not any(fnmatch(key, pattern) for pattern in patterns)] == []
    finally:
        process.terminate()
        process.wait(DEADLINE)


@pytest.mark.usefixtures("database")
def test_a_round_without_a_database_is_told_and_left_to_the_next(configure: Callable[..., None]) -> None:
    configure(database_url="postgresql://nobody@127.0.0.1:1/none")
    cleaner.clean()


def test_a_worker_starts_without_a_broker(configure: Callable[..., None]) -> None:
    configure(redis_url="redis://127.0.0.1:1/0")
    broker.request_maintenance()
