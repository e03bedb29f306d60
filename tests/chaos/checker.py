"""The checker: after each attack it looks at everything that was promised, from outside and in the tables.

Every accepted job has ended; its report has each row of the file once and says what an undisturbed run says; the
inventory is that run's, and lists know of all its kinds; counts are the report's; tokens only grew; nobody holds a
lease; nothing is left lying about.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field

import psutil
import sqlalchemy as sa

from tests.chaos.history import Event
from tests.chaos.stand import Sent, Stand
from tests.chaos.twin import digest
from tests.support import followed_changes
from tests.support.api_client import table
from tests.support.servers import databases
from tests.support.servers.service import ENDED, Json, wait_for

SETTLE_SECONDS = 30.0
# Callbacks have a schedule of their own; and what was not begun when its job was cancelled or failed stays as it was.
LEFT_PENDING = """
SELECT j.public_id::text, j.status, c.phase, c.number FROM job_chunks c JOIN jobs j ON j.id = c.job_id
WHERE c.state = 'pending' AND c.phase <> 'callback'
  AND NOT (j.status = 'cancelled' AND c.phase IN ('check', 'validate', 'cut', 'write', 'export'))
  AND NOT (j.status = 'failed' AND c.phase IN ('validate', 'write', 'render'))
"""
STAGING = "#"  # what the store calls a file that is not whole yet has one in its name


@dataclass
class Findings:
    """What the checker saw of an attack. `faults` is empty if every promise was kept."""

    jobs: int = 0
    rows: int = 0
    rows_lost: int = 0
    rows_doubled: int = 0
    faults: list[str] = field(default_factory=list)

    def expect(self, held: object, fault: str) -> None:
        """Note a promise that was not kept."""
        if not held:
            self.faults.append(fault)


def check(stand: Stand, sent: list[Sent]) -> Findings:
    """Look at all that these requests made, once each of their jobs has ended."""
    found = Findings(jobs=len(sent))
    jobs = [stand.ended(one) for one in sent]
    judged = [(one, job) for one, job in zip(sent, jobs, strict=True) if one.judged]
    expected = stand.twin.reports([one for one, _ in judged])
    for (one, job), report in zip(judged, expected, strict=True):
        _check_job(stand, one, job, report, found)
    _check_jobs(stand, found)
    _check_inventory(stand, found)
    _check_ledger(stand, found)
    return found


def _check_job(stand: Stand, sent: Sent, job: Json, expected: bytes, found: Findings) -> None:
    report = stand.get(f"/v1/jobs/{sent.job_id}/report.csv", sent.account)
    if report.status_code != 200:
        rows = len(_rows(sent.content or b""))
        found.rows_lost += rows
        found.expect(held=False, fault=f"no report of job {sent.job_id}: {job['status']}, {job['problem']}")
        return
    lines = table(report.content)
    wanted = Counter(line["_row"] for line in table(expected))
    had = Counter(line["_row"] for line in lines)
    found.rows += sum(wanted.values())
    found.rows_lost += sum((wanted - had).values())
    found.rows_doubled += sum((had - wanted).values())
    if sent.content is not None:
        found.expect(_cells(lines) == _rows(sent.content), f"the report of {sent.job_id} has other rows than the file")
    found.expect(
        report.content == expected, f"other verdicts in {sent.job_id}: {_first_difference(lines, table(expected))}"
    )
    _check_counts(job, lines, found)


def _check_counts(job: Json, lines: list[dict[str, str]], found: Findings) -> None:
    told = {name: count for name, count in job["counts"].items() if name not in {"total", "warnings"} and count}
    found.expect(told == Counter(line["_result"] for line in lines), f"counts of {job['id']} are not its report's")
    found.expect(job["counts"]["total"] == len(lines), f"total of {job['id']} is not its report's")
    ending = "completed_with_errors" if job["counts"]["failed"] else "completed"
    found.expect(job["status"] == ending, f"{job['id']} ended as {job['status']}, not as {ending}")


def _check_jobs(stand: Stand, found: Findings) -> None:
    """The jobs in the table are those that were sent, each has ended, and of none is work left that nobody will do."""
    there = {row.job: row.status for row in stand.ask("SELECT public_id::text AS job, status FROM jobs")}
    sent = {one.job_id for one in stand.sent}
    found.expect(there.keys() <= sent, f"jobs that nobody sent: {sorted(there.keys() - sent)[:5]}")
    found.expect(sent <= there.keys(), f"jobs that are gone: {sorted(sent - there.keys())[:5]}")
    unended = {job: status for job, status in there.items() if status not in ENDED}
    found.expect(not unended, f"jobs that have not ended: {unended}")
    left = [tuple(row) for row in stand.ask(LEFT_PENDING)]
    found.expect(not left, f"pieces that are left pending: {left[:5]}")


def _check_inventory(stand: Stand, found: Findings) -> None:
    twin = sa.create_engine(stand.twin.url, poolclass=sa.NullPool)
    with stand.engine.connect() as ours, twin.connect() as theirs:
        (count, here), (expected, there) = digest(ours), digest(theirs)
        forgotten, countries = databases.forgotten(ours), databases.forgotten_countries(ours)
        miscounted, faults = databases.miscounted(ours), followed_changes.untold(ours)
    found.rows_lost += max(expected - count, 0)
    found.rows_doubled += max(count - expected, 0)
    found.expect(here == there, f"the inventory has {count} numbers, an undisturbed one {expected}, or they differ")
    found.expect(not forgotten, f"{forgotten} kinds of numbers that lists do not know of")
    found.expect(not miscounted, f"{miscounted} counts that differ from the numbers")
    found.expect(not faults, f"{len(faults)} changes that do not lead to the inventory: {faults[:3]}")
    found.expect(not countries, f"{countries} countries of tenants' numbers that were not noted")


def _check_ledger(stand: Stand, found: Findings) -> None:
    wait_for(lambda: not stand.ask("SELECT 1 FROM job_chunks WHERE state = 'leased'"), SETTLE_SECONDS, "no lease held")
    last: dict[tuple[int, str, int], Event] = {}
    # A job that is checked again begins with new work items.
    again = {row.id: row.rechecks for row in stand.ask("SELECT id, rechecks FROM jobs WHERE rechecks > 0")}
    # So does, after a correction, a job's work items of a review; those of its batches are processed again.
    corrected = {row.id for row in stand.ask("SELECT id FROM jobs WHERE file_facts ? 'corrected'")}
    begun = Counter[tuple[int, str, int]]()
    for event in stand.history.all():
        if event.was is None:
            begun[event.piece] += 1
            if begun[event.piece] > 1 and (
                event.job_id in corrected or begun[event.piece] <= again.get(event.job_id, 0) + 1
            ):
                del last[event.piece]
        before = last.get(event.piece)
        if before is not None and event.state == "leased":
            found.expect((event.token or 0) > (before.token or 0), f"a token of {event.piece} did not grow")
        # A callback may be sent again by request; nothing else ever begins anew.
        is_again = event.phase == "callback" or (event.phase == "validate" and event.job_id in corrected)
        if before is not None and before.state in {"done", "dead"} and not is_again:
            found.expect(held=False, fault=f"{event.piece} was {before.state} and is {event.state}")
        last[event.piece] = event


def check_leftovers(stand: Stand, seconds: float) -> Findings:
    """Whether nothing is left lying about, once what tidies up has had its time: files, folders, processes."""
    found = Findings()

    def left() -> list[str]:
        files = [str(path.name) for path in (stand.folder / "data" / "files").rglob(f"*{STAGING}*")]
        scratch = [path.name for path in stand.scratch.iterdir() if path.name.startswith("numberyard-scratch-")]
        known = {row.public_id for row in stand.ask("SELECT public_id::text FROM jobs")}
        folders = [path.name for path in (stand.folder / "data" / "files").glob("jobs/*") if path.name not in known]
        return files + scratch + folders

    try:
        wait_for(lambda: not left(), seconds, "nothing to be left")
    except AssertionError:
        found.expect(held=False, fault=f"left behind: {left()[:10]}")
    found.expect(not orphans(stand), f"processes that nobody looks after: {orphans(stand)}")
    return found


def orphans(stand: Stand) -> list[str]:
    """Processes of this service that are not below its `up`."""
    below = {one.pid for one in stand.up.below()} | {stand.up.process.pid}
    mine = str(stand.folder / "data")
    lost = []
    for process in psutil.process_iter():
        try:
            if process.pid not in below and process.environ().get("NUMBERYARD_DATA_DIR") == mine:
                lost.append(" ".join(process.cmdline())[:120])
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [one for one in lost if one]


def _rows(content: bytes) -> list[list[str]]:
    """The file's data rows."""
    return list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]


def _cells(lines: list[dict[str, str]]) -> list[list[str]]:
    """The report's lines as the file had them; what was made safe for spreadsheets is taken back."""
    return [[cell.removeprefix("'") for name, cell in line.items() if not name.startswith("_")] for line in lines]


def _first_difference(ours: list[dict[str, str]], theirs: list[dict[str, str]]) -> str:
    for one, other in zip(ours, theirs, strict=False):
        if one != other:
            return f"{one} instead of {other}"
    return f"{len(ours)} lines instead of {len(theirs)}"
