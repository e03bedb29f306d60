"""Files of several batches: whatever happens to their pieces, and in whatever order, each row has its one result."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from alembic import command

from schemas.jobs import Phase
from schemas.request_problems import RequestCode
from tests.support import work
from tests.support.api_client import Door, Json, table
from tests.support.files import sheets
from tests.support.job_rows import DEADLINE, FIRST, Ledger, finish, sheet
from tests.support.process_caches import forget
from tests.support.servers.service import ENDED, wait_for
from worker import pipeline
from worker.config.settings import get_settings
from worker.database import migrate
from worker.database.engine import transaction
from worker.maintenance import cleaner, rescuer
from worker.queue import job_state as steps
from worker.queue import leases
from worker.queue.attempts import Attempt
from worker.steps import failures
from worker.storage import files

OF_A_JOB = tuple(phase for phase in Phase if phase is not Phase.CALLBACK)
MOST_ACTS = 1000
ROWS = 9  # in batches of four: the last one has a single row
SETTLED = ("created", "updated", "deleted", "unchanged", "skipped", "failed", "unprocessed")
MIXED = sheets.csv_bytes(
    [
        sheets.HEADER,
        *(["1", str(FIRST + place), "TRUE", "", ""] for place in range(5)),
        ["1", "ask Bob", "TRUE", "", ""],
        ["1", str(FIRST + 1), "TRUE", "", ""],
        ["1", str(FIRST + 2), "TRUE", "TRUE", ""],
        ["1", str(FIRST + 5), "TRUE", "", ""],
    ]
)


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


@pytest.fixture(autouse=True)
def _small(configure: Callable[..., None]) -> None:
    configure(rows_per_batch=4, rows_per_chunk=3)


def brought_to(phase: Phase, api: Door, content: bytes | None = None, **fields: str) -> str:
    """A job with everything done that comes before a phase, and nothing of that."""
    job_id: str = api.send(content or sheet(ROWS), **fields).json["id"]
    for earlier in OF_A_JOB[: OF_A_JOB.index(phase)]:
        while pipeline.run(earlier):
            pass
    return job_id


def attempt(lease: leases.Lease) -> None:
    """Go on as a worker does after its claim."""
    pipeline._attempt(lease, get_settings(), Attempt())  # noqa: SLF001 - what `run` does behind the claim


def cancel(api: Door, job_id: str) -> str:
    status: str = api.post(f"/v1/jobs/{job_id}/cancel").json["status"]
    return status


def assert_whole(api: Door, job: Json) -> list[str]:
    """The report has each row once, in file order, and adds up to the counts; answers the rows' codes."""
    lines = table(api.report(job["id"]))
    counts = job["counts"]
    assert [int(line["_row"]) for line in lines] == list(range(2, counts["total"] + 2))
    assert Counter(line["_result"] for line in lines) == {name: counts[name] for name in SETTLED if counts[name]}
    assert [row["code"] for row in api.rows(job["id"])] == [line["_code"] for line in lines]
    return [line["_code"] for line in lines]


# Cancelled


@pytest.mark.parametrize("phase", [Phase.VALIDATE, Phase.CUT])
def test_a_job_of_whose_rows_nothing_is_known_yet_ends_at_once(api: Door, ledger: Ledger, phase: Phase) -> None:
    """Nobody is at work on it: there is nothing to wait for, and nothing to report."""
    job_id = brought_to(phase, api)
    assert cancel(api, job_id) == "cancelled"
    before = ledger.everything()
    assert not any(pipeline.run(each) for each in OF_A_JOB)
    rescuer.rescue()
    assert ledger.everything() == before
    job = api.job(job_id)
    assert (job["counts"]["total"], job["links"]["report_csv"], api.rows(job_id)) == (0, None, [])
    assert api.get(f"/v1/jobs/{job_id}/report.csv").json["code"] == "NO_REPORT"
    assert api.post(f"/v1/jobs/{job_id}/undo").json["code"] == "NOTHING_TO_UNDO"


@pytest.mark.long
@pytest.mark.parametrize("ending", ["done", "dead"])
@pytest.mark.parametrize("phase", [Phase.CHECK, Phase.VALIDATE])
def test_whoever_reads_or_validates_last_ends_a_cancelled_job(
    api: Door, ledger: Ledger, phase: Phase, ending: str
) -> None:
    """Or the sweep does, if that worker died."""
    job_id = brought_to(phase, api)
    held = [ledger.claim(phase) for _ in range(1 if phase is Phase.CHECK else 2)]
    assert cancel(api, job_id) == "cancelling"
    rescuer.rescue()
    assert api.job(job_id)["status"] == "cancelling"
    if ending == "done":
        for lease in held:
            assert api.job(job_id)["status"] == "cancelling"
            attempt(lease)
    else:
        ledger.expire()
        rescuer.rescue()
    job = api.job(job_id)
    assert (job["status"], job["counts"]["total"], ledger.numbers()) == ("cancelled", 0, [])
    before = ledger.everything()
    for lease in held:
        attempt(lease)  # late
    assert not any(pipeline.run(each) for each in OF_A_JOB)
    assert ledger.everything() == before


@pytest.mark.long
def test_r28_a_cut_under_way_reports_every_row_of_a_cancelled_job(api: Door, ledger: Ledger) -> None:
    job_id = brought_to(Phase.CUT, api, MIXED)
    lease = ledger.claim(Phase.CUT)
    assert cancel(api, job_id) == "cancelling"
    attempt(lease)
    job = finish(api, ledger, job_id)
    assert (job["status"], ledger.numbers(), len(ledger.chunks("render"))) == ("cancelled", [], 3)
    expected = ["CANCELLED"] * 5 + ["INVALID_CHARACTER", "DUPLICATE_IN_FILE", "CONFLICTING_DUPLICATE", "CANCELLED"]
    assert assert_whole(api, job) == expected


@pytest.mark.long
@pytest.mark.parametrize("is_held", [True, False])
@pytest.mark.parametrize("phase", [Phase.REPORT, Phase.RENDER])
def test_r28_a_job_cancelled_while_its_report_is_made_has_all_of_it(
    api: Door, ledger: Ledger, phase: Phase, is_held: bool
) -> None:
    job_id = brought_to(phase, api)
    lease = ledger.claim(phase) if is_held else None
    assert cancel(api, job_id) == "cancelling"
    rescuer.rescue()
    if lease is not None:
        attempt(lease)
    job = finish(api, ledger, job_id)
    assert (job["status"], assert_whole(api, job)) == ("cancelled", ["CREATED"] * ROWS)
    undo = api.done(api.post(f"/v1/jobs/{job_id}/undo"))
    assert (undo["counts"]["deleted"], ledger.numbers()) == (ROWS, [])


@pytest.mark.long
def test_a_part_of_the_report_whose_worker_dies_is_made_though_the_job_is_cancelled(api: Door, ledger: Ledger) -> None:
    job_id = brought_to(Phase.RENDER, api)
    late = ledger.claim(Phase.RENDER)
    cancel(api, job_id)
    ledger.expire()
    rescuer.rescue()
    job = finish(api, ledger, job_id)
    assert (job["status"], assert_whole(api, job)) == ("cancelled", ["CREATED"] * ROWS)
    report, before = api.report(job_id), ledger.everything()
    attempt(late)
    assert (api.report(job_id), ledger.everything()) == (report, before)


# Given up


@pytest.mark.long
@pytest.mark.parametrize("phase", [Phase.VALIDATE, Phase.RENDER])
def test_a_job_that_ends_with_one_piece_ends_for_all(api: Door, ledger: Ledger, phase: Phase) -> None:
    """Others that are under way are told when they come to their commit, and nothing is begun any more."""
    job_id = brought_to(phase, api)
    first, second = ledger.claim(phase), ledger.claim(phase)
    failures.end_job(first)
    with pytest.raises(leases.LostLeaseError):
        pipeline.STEPS[phase](second)
    assert not any(pipeline.run(each) for each in OF_A_JOB)
    ledger.expire()
    rescuer.rescue()
    assert not any(pipeline.run(each) for each in OF_A_JOB)
    job = api.job(job_id)
    written = ROWS if phase is Phase.RENDER else 0
    assert (job["status"], job["problem"]["code"]) == ("failed", "INTERNAL_ERROR")
    assert (job["counts"]["created"], job["counts"]["unprocessed"]) == (written, 0)
    assert len(ledger.numbers()) == written


@pytest.mark.long
@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize("is_cancelled", [False, True])
def test_r27_a_job_whose_report_could_not_be_rendered_is_undone(
    api: Door, ledger: Ledger, configure: Callable[..., None], is_cancelled: bool, expired: bool
) -> None:
    """Though what it worked with is removed by then; and rows that it did not come to are none of the undo's."""
    job_id = brought_to(Phase.WRITE, api, MIXED)
    assert pipeline.run(Phase.WRITE)
    if is_cancelled:
        cancel(api, job_id)
    while pipeline.run(Phase.WRITE, Phase.REPORT):
        pass
    failures.end_job(ledger.claim(Phase.RENDER), RequestCode.UNAVAILABLE)
    job = api.job(job_id)
    written = 3 if is_cancelled else 6
    assert (job["status"], job["counts"]["created"], len(ledger.numbers())) == ("failed", written, written)
    if expired:
        ledger.run("UPDATE jobs SET finished_at = now() - interval '2 days'")
        configure(keep_chunks_days=1, keep_uploads_days=1)
        assert cleaner.expire() == 1
    undo = api.done(api.post(f"/v1/jobs/{job_id}/undo"))
    assert (undo["status"], undo["counts"]["deleted"], ledger.numbers()) == ("completed", written, [])
    assert_whole(api, undo)


# Reviewed; all or nothing; kept


@pytest.mark.long
def test_r30_a_review_shows_of_a_file_what_it_shows_of_it_in_one_piece(
    api: Door, ledger: Ledger, configure: Callable[..., None]
) -> None:
    shown = []
    for rows in (4, 100):
        configure(rows_per_batch=rows)
        job_id = api.done(api.send(MIXED, mode="review"))["id"]
        job = api.job(job_id)
        review = {name: value for name, value in job["review"].items() if name != "expires_at"}
        shown.append((job["status"], job["counts"], review, api.rows(job_id), api.report(job_id)))
        if rows > ROWS:
            cancel(api, job_id)
            api.work_off()
            continue
        assert (job["status"], ledger.numbers()) == ("review", [])
        assert len(ledger.chunks("validate")) == 3
    assert shown[0] == shown[1]
    (first, *_) = (row.public_id for row in ledger.ask("SELECT public_id::text FROM jobs ORDER BY id"))
    job = api.done(api.post(f"/v1/jobs/{first}/confirm"))
    assert (job["counts"]["created"], assert_whole(api, job)) == (6, [row["code"] for row in shown[0][3]])


@pytest.mark.long
@pytest.mark.parametrize(("content", "written"), [(MIXED, 0), (sheet(ROWS), ROWS)], ids=["a fault", "sound"])
def test_all_or_nothing_of_a_file_in_batches(
    api: Door, ledger: Ledger, configure: Callable[..., None], content: bytes, written: int
) -> None:
    """One transaction, however many batches: what is at fault in one of them leaves nothing of the others."""
    job = api.upload(content, on_error="abort")
    assert (len(ledger.chunks("validate")), len(ledger.chunks()), len(ledger.chunks("render"))) == (3, 1, 3)
    assert (job["counts"]["created"], len(ledger.numbers())) == (written, written)
    told = assert_whole(api, job), api.report(job["id"])
    if written:
        return
    configure(rows_per_batch=100)
    whole = api.upload(content, on_error="abort")
    assert (assert_whole(api, whole), api.report(whole["id"])) == told


@pytest.mark.long
def test_what_batches_were_found_to_be_goes_with_the_chunks(
    api: Door, ledger: Ledger, configure: Callable[..., None], stored: Callable[[], list[str]]
) -> None:
    """The rows, the results and all parts of the report stay for as long as the report."""
    job = api.upload(sheet(ROWS))
    report, rows = api.report(job["id"]), api.rows(job["id"])
    ledger.run("UPDATE jobs SET finished_at = now() - interval '2 days'")
    configure(keep_chunks_days=1)
    assert cleaner.expire() == 1
    kept = [Path(path).name for path in stored()]
    assert sorted(kept) == [
        "checked.arrow",
        *("report-000001.csv", "report-000002.csv", "report.csv", "results.arrow", "rows.arrow", "upload"),
    ]
    assert (api.report(job["id"]), api.rows(job["id"])) == (report, rows)
    undo = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert (undo["counts"]["deleted"], ledger.numbers()) == (ROWS, [])


# On to an older release, and back


def migrated(ledger: Ledger, *revisions: str) -> None:
    for revision in revisions:
        with ledger.engine.begin() as connection:
            made = migrate.config()
            made.attributes["connection"] = connection
            (command.upgrade if revision == "head" else command.downgrade)(made, revision)
    forget()  # statements that were prepared for other tables


@pytest.mark.long
@pytest.mark.parametrize("phase", [Phase.VALIDATE, Phase.CUT])
@pytest.mark.parametrize("is_held", [True, False])
def test_what_is_being_checked_in_pieces_begins_anew_in_one(
    api: Door, ledger: Ledger, phase: Phase, is_held: bool
) -> None:
    """Though it took all its tries to get there; and whoever is at work on a piece then is too late."""
    job_id = brought_to(phase, api, MIXED)
    assert phase is Phase.CUT or pipeline.run(phase)
    late = ledger.claim(phase) if is_held else None
    ledger.run("UPDATE job_chunks SET attempt = :most", most=get_settings().max_attempts)
    migrated(ledger, "0008")
    assert [tuple(row) for row in ledger.ask("SELECT phase, state, attempt FROM job_chunks")] == [
        ("check", "pending", 0)
    ]
    migrated(ledger, "head")
    if late is not None:
        attempt(late)
    job = finish(api, ledger, job_id)
    assert (job["status"], assert_whole(api, job).count("CREATED")) == ("completed_with_errors", 6)


@pytest.mark.long
def test_a_report_that_is_rendered_in_parts_begins_anew_in_one(api: Door, ledger: Ledger) -> None:
    """The older release adds up what all pieces counted."""
    first = api.upload(sheet(ROWS))
    undo = api.post(f"/v1/jobs/{first['id']}/undo").json["id"]
    while pipeline.run(Phase.CHECK, Phase.WRITE, Phase.REPORT):
        pass
    assert pipeline.run(Phase.RENDER)
    migrated(ledger, "0008")
    query = (
        "SELECT c.phase, c.state, c.tally IS NOT NULL FROM job_chunks c JOIN jobs j ON j.id = c.job_id"
        " WHERE j.finished_at IS NULL AND c.phase <> 'write'"
    )
    assert {tuple(row) for row in ledger.ask(query)} == {("check", "done", False), ("report", "pending", False)}
    migrated(ledger, "head")
    job = finish(api, ledger, undo)
    assert (job["status"], assert_whole(api, job)) == ("completed", ["DELETED"] * ROWS)


@pytest.mark.long
@pytest.mark.parametrize("phase", [Phase.WRITE, Phase.REPORT])
def test_what_an_older_release_has_checked_is_written_and_reported(
    api: Door, ledger: Ledger, configure: Callable[..., None], tmp_path: Path, phase: Phase
) -> None:
    """It read files in batches, too, checked all of them in one piece, and kept less beside the cells."""
    configure(rows_per_batch=100)
    job_id = brought_to(phase, api, MIXED)
    (path,) = (tmp_path / "data" / "files" / files.folder_of(job_id)).glob("check-*/rows.arrow")
    rows = pa.ipc.open_file(path.read_bytes()).read_all()
    rows = rows.select(range(rows.num_columns - 3))
    with pa.ipc.new_file(path, rows.schema) as file:
        file.write_table(rows, max_chunksize=4)
    migrated(ledger, "0008", "head")
    configure(rows_per_batch=2)
    job = finish(api, ledger, job_id)
    assert (job["status"], assert_whole(api, job).count("CREATED")) == ("completed_with_errors", 6)
    assert len(ledger.chunks("render")) == 3
    undo = api.done(api.post(f"/v1/jobs/{job_id}/undo"))
    assert (undo["counts"]["deleted"], ledger.numbers()) == (6, [])


@pytest.mark.long
@pytest.mark.parametrize("phase", [Phase.WRITE, Phase.REPORT, Phase.RENDER])
def test_nobody_goes_back_while_files_that_were_checked_in_pieces_are_under_way(
    api: Door, ledger: Ledger, phase: Phase
) -> None:
    """The older release would not find their rows."""
    job_id = brought_to(phase, api)
    with pytest.raises(sa.exc.DBAPIError, match="have not ended"):
        migrated(ledger, "0008")
    job = finish(api, ledger, job_id)
    assert (job["status"], assert_whole(api, job)) == ("completed", ["CREATED"] * ROWS)


# At once, and in any order


@pytest.mark.long
@pytest.mark.parametrize("phase", [Phase.VALIDATE, Phase.RENDER])
def test_of_the_last_pieces_at_once_one_goes_on(api: Door, ledger: Ledger, phase: Phase) -> None:
    """What follows is entered once, and the job ends once."""
    for _ in range(2):
        job_id = brought_to(phase, api)
        held = [ledger.claim(phase) for _ in range(3)]
        threads = [threading.Thread(target=pipeline.STEPS[phase], args=(lease,)) for lease in held]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {state for state, _ in ledger.chunks(phase)} == {"done"}
        job = finish(api, ledger, job_id)
        assert job["status"] in {"completed", "completed_with_errors"}
        assert_whole(api, job)
    assert len(ledger.chunks("cut")) == 2


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_r28_r29_whatever_happens_in_whatever_order(
    api: Door, ledger: Ledger, configure: Callable[..., None], seed: int
) -> None:
    """Workers that claim, work, fall silent and come too late, sweeps, a cancellation: by chance, but always alike."""
    dice = random.Random(seed)
    configure(rows_per_batch=dice.choice((1, 2, 4, 5)), rows_per_chunk=dice.choice((1, 3, 100)), max_attempts=50)
    job_id = api.send(MIXED).json["id"]
    is_cancelled = False
    held, late = list[leases.Lease](), list[leases.Lease]()
    for _ in range(MOST_ACTS):
        if (job := api.job(job_id))["status"] in ENDED:
            break
        assert job["counts"]["total"] == sum(job["counts"][name] for name in SETTLED)
        act = dice.choices(("claim", "work", "expire", "sweep", "cancel"), (8, 8, 0.4, 1, 0.2 * (seed % 2)))[0]
        if act == "claim":
            with ledger.engine.begin() as connection:
                found = work.claim(connection, OF_A_JOB, 30)
            held += [] if found is None else [found]
        elif act == "work" and held:
            lease = held.pop(dice.randrange(len(held)))
            attempt(lease)  # too late, perhaps
            late.append(lease)
        elif act == "expire":
            ledger.expire()
        elif act == "sweep":
            rescuer.rescue()
        elif act == "cancel":
            is_cancelled = cancel(api, job_id) in {"cancelling", "cancelled"} or is_cancelled
    for lease in (*held, *late):
        attempt(lease)
    assert api.job(job_id) == job
    assert job["status"] == ("cancelled" if is_cancelled else "completed_with_errors")
    assert len(ledger.numbers()) == job["counts"]["created"]
    if job["links"]["report_csv"] is None:
        assert (is_cancelled, job["counts"]["total"]) == (True, 0)
        return
    codes = assert_whole(api, job)
    assert codes[5:8] == ["INVALID_CHARACTER", "DUPLICATE_IN_FILE", "CONFLICTING_DUPLICATE"]
    assert {*codes[:5], codes[8]} <= {"CREATED", "CANCELLED"} if is_cancelled else {"CREATED"}


@pytest.mark.long
@pytest.mark.parametrize("pieces", [1, 8])
def test_whoever_stands_still_after_entering_work_loses_its_locks(
    api: Door, ledger: Ledger, configure: Callable[..., None], pieces: int
) -> None:
    """Else nobody could take the piece whose end it was just entering: it is locked, and the sweep passes it over."""
    configure(lease_seconds=1)
    brought_to(Phase.CHECK, api)
    still = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    job_id = ledger.ask("SELECT id FROM jobs")[0].id

    def stand_still() -> None:
        with transaction() as connection:
            steps.add_work_items(connection, job_id, Phase.RENDER, dict.fromkeys(range(pieces), 5))
            assert ledger.ask(still)
            wait_for(lambda: not ledger.ask(still), DEADLINE, "the transaction to be ended")

    with pytest.raises(sa.exc.DBAPIError):
        stand_still()
    assert ledger.chunks("render") == []
