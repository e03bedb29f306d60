"""The whole service on a bad S3 API server: `python -m tests.chaos.object_store [--rows 150000 --padding 200]`.

Files are imported while the store refuses requests, is away or silent, and while workers are killed; then the checker
of `make chaos` checks that nothing was lost or doubled. Prints a line for each step. `--padding`: size of a large
upload in MiB. `make test-long` runs it small.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import httpx

from schemas.database.tables import jobs
from tests.chaos import files
from tests.chaos.checker import check
from tests.chaos.stand import Sent, Stand
from tests.support.files import sheets
from tests.support.servers.s3_server import BUCKET, CREDENTIALS, S3, Fault, FaultyStore
from tests.support.servers.service import NO_TLS, Json, wait_for

MIB = 1024 * 1024
STEP_SECONDS = 1800.0
AT_ONCE = 80  # requests that need the silent store; both web processes have 80 threads together
ARRIVAL = 4.0  # seconds within which they arrive: in one instant they occupy two cores for 2 s, silent store or not
TIME_OUT = 10.0  # seconds of a request to the store
MOST_WAITING = 40  # of them: `NUMBERYARD_STORAGE_CALLS` of two web processes


@dataclass(frozen=True)
class Size:
    """How large the run is: rows of each file, MiB of the large upload, seconds for which the store is away."""

    rows: int
    padding: int
    away: float
    silent: float


SMALL = Size(rows=250, padding=9, away=1.0, silent=3.0)


@dataclass
class Run:
    """A service on a store, what it was sent, and what each step took in seconds."""

    stand: Stand
    store: FaultyStore
    size: Size
    sent: list[Sent] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def send(self, content: bytes | None, path: str = "/v1/uploads", *, judged: bool = True, **fields: str) -> Sent:
        """Make a job; a file that is `judged` is compared with the undisturbed run."""
        sent = self.stand.send(content, path, judged=judged, **fields)
        self.sent.append(sent)
        return sent

    def mixed(self) -> bytes:
        """A file with rows of every kind."""
        return files.mixed(self.stand.numbers, self.size.rows, self.stand.dice)

    def ended(self, sent: Sent) -> Json:
        """The job once it has ended, as it should."""
        job = self.stand.ended(sent, STEP_SECONDS)
        assert job["status"] in {"completed", "completed_with_errors"}, job
        return job

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step; end the fault after it."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.store.set_fault(Fault.NONE)
        self.note(name, time.monotonic() - began)

    def note(self, name: str, figure: float) -> None:
        """Keep a figure and print it at once."""
        self.figures[name] = figure
        sys.stdout.write(f"{name:<50}{figure:>12,.2f}\n")
        sys.stdout.flush()


Step = Callable[[Run], None]


def sound(run: Run) -> None:
    """Without faults."""
    with run.step("import"):
        run.ended(run.send(run.mixed()))


def slow_down(run: Run) -> None:
    """Three of ten requests are refused."""
    with run.step("import, 30 % SlowDown"):
        run.store.set_fault(Fault.SLOW_DOWN)
        run.ended(run.send(run.mixed()))
        assert run.store.faults > 0


def _interrupted(run: Run, name: str, disturb: Callable[[], None]) -> None:
    with run.step(name):
        sent = run.send(run.mixed())
        wait_for(lambda: any(event.state == "done" for event in run.stand.events(sent)), STEP_SECONDS, "a piece done")
        disturb()
        run.ended(sent)


def away(run: Run) -> None:
    """The store refuses connections for a while in the middle of an import."""

    def disturb() -> None:
        run.store.set_fault(Fault.REFUSED)
        time.sleep(run.size.away)
        run.store.set_fault(Fault.NONE)

    _interrupted(run, "import, store away", disturb)


def killed(run: Run) -> None:
    """The worker's processes are killed in the middle of an import."""

    def disturb() -> None:
        for process in run.stand.up.workers()[1:]:
            with contextlib.suppress(Exception):
                process.kill()

    _interrupted(run, "import, workers killed", disturb)


def silent(run: Run) -> None:
    """The store takes requests and does not answer; lists, `/livez` and `/readyz` do."""
    before = run.sent[0]

    def disturb() -> None:
        # Another process makes them: what is measured here must not wait for this process's lock.
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            rows = f"{run.stand.up.url}/v1/jobs/{before.job_id}/rows"
            process.submit(_get_all, rows, _headers(run), 1, 0.0).result()  # it has started and imported everything
            run.store.set_fault(Fault.SILENT)
            end = time.monotonic() + run.size.silent
            gap = min(ARRIVAL, run.size.silent / 2) / AT_ONCE
            responses = process.submit(_get_all, rows, _headers(run), AT_ONCE, gap)
            _watch(run, end)
            run.store.set_fault(Fault.NONE)
            answers = responses.result()
        statuses = [status for status, _ in answers]
        at_once = sum(status == 503 and seconds < TIME_OUT / 2 for status, seconds in answers)
        assert set(statuses) <= {200, 503}, statuses
        assert at_once >= AT_ONCE - MOST_WAITING, answers
        run.note("requests refused at once", at_once)

    _interrupted(run, "import, store silent", disturb)


def _watch(run: Run, end: float) -> None:
    """Request what must be answered beside a silent store; note the longest times."""
    taken: dict[str, list[float]] = {"list": [], "livez": [], "readyz": []}
    while True:
        for name, path in (("list", "/v1/numbers"), ("livez", "/livez"), ("readyz", "/readyz")):
            status, seconds = _timed(run, path)
            assert status == (503 if name == "readyz" else 200), (path, status)
            taken[name].append(seconds)
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    for name, all_seconds in taken.items():
        run.note(f"silent: longest {name}", max(all_seconds))
        run.note(f"silent: p90 {name}", sorted(all_seconds)[len(all_seconds) * 9 // 10])


def _timed(run: Run, path: str) -> tuple[int, float]:
    return _get(run.stand.up.url + path, _headers(run))


def _headers(run: Run) -> dict[str, str]:
    return {"Authorization": f"Bearer {run.stand.up.account('Harbour')['token']}"}


def _get(url: str, headers: dict[str, str]) -> tuple[int, float]:
    began = time.monotonic()
    answer = httpx.get(url, headers=headers, timeout=300, trust_env=False, verify=NO_TLS)
    return answer.status_code, time.monotonic() - began


def _get_all(url: str, headers: dict[str, str], count: int, gap: float) -> list[tuple[int, float]]:
    """Send `count` requests, one every `gap` seconds. Return the status and the seconds of each."""

    def get(number: int) -> tuple[int, float]:
        time.sleep(number * gap)
        return _get(url, headers)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(get, range(count)))


def workbook(run: Run) -> None:
    """An .xlsx with rows that were not there before; its numbers are deleted again by its undo."""
    with run.step("XLSX and its undo"):
        first = run.stand.numbers.take(run.size.rows)
        rows = ([1, first + place, True, True, False] for place in range(run.size.rows))
        job_id = _undone(run, sheets.xlsx_bytes([sheets.HEADER, *rows]), run.size.rows)
        path = f"/v1/jobs/{job_id}/report.xlsx"
        wait_for(lambda: _timed(run, path)[0] == HTTPStatus.OK, STEP_SECONDS, "report.xlsx", every=1.0)


def padded(run: Run) -> None:
    """A large upload with few rows: most of it is a column that is kept for the report."""
    with run.step(f"upload of {run.size.padding} MiB, and its undo"):
        count, width = max(run.size.padding * 40, 1), MIB // 40
        first = run.stand.numbers.take(count)
        rows = (["1", str(first + place), "TRUE", "", "", "x" * width] for place in range(count))
        _undone(run, sheets.csv_bytes([[*sheets.HEADER, "Note"], *rows]), count)
    assert run.store.server.unfinished() == []


def _undone(run: Run, content: bytes, count: int) -> str:
    sent = run.send(content, judged=False)
    assert run.ended(sent)["counts"]["created"] == count
    undo = run.send(None, f"/v1/jobs/{sent.job_id}/undo", judged=False)
    assert run.ended(undo)["counts"]["deleted"] == count
    return sent.job_id


def reviewed(run: Run) -> None:
    """One that is confirmed, and one that is cancelled."""
    with run.step("review, confirmed and cancelled"):
        confirmed = run.send(run.mixed(), mode="review")
        cancelled = run.send(run.mixed(), judged=False, mode="review")
        for one in (confirmed, cancelled):
            wait_for(lambda one=one: run.stand.job(one)["status"] == "review", STEP_SECONDS, "review")  # type: ignore[misc]
        for one, verb in ((confirmed, "confirm"), (cancelled, "cancel")):
            answer = run.stand.post(f"/v1/jobs/{one.job_id}/{verb}", key=f"{one.job_id} {verb}")
            assert answer is not None
            assert answer.status_code == 202, answer.text
        run.ended(confirmed)
        confirmed.fields = {}  # the undisturbed run imports it at once
        assert run.stand.ended(cancelled)["status"] == "cancelled"


STEPS = (sound, slow_down, away, silent, killed, workbook, padded, reviewed)
SMALL_STEPS = (sound, slow_down, silent, killed)  # the others are tests of one process in tests/integration


def run_all(folder: Path, size: Size, seed: int, steps: Sequence[Step] = STEPS, **settings: object) -> Run:
    """Start the service on a store, take every step, and check the results."""
    with patch.dict(os.environ, CREDENTIALS), S3() as server, FaultyStore(server, seed) as store:
        place = {
            "storage_url": f"s3://{BUCKET}/service",
            "storage_endpoint": store.url,
            "storage_timeout_seconds": TIME_OUT,
        }
        with Stand(folder, random.Random(seed), settings={**place, **settings}) as stand:
            run = Run(stand, store, size)
            for step in steps:
                step(run)
            found = check(stand, [one for one in run.sent if one.judged])
            assert found.faults == [], found.faults
            assert (found.rows_lost, found.rows_doubled) == (0, 0)
            run.note("rows checked", found.rows)
            expire(run)
            return run


def expire(run: Run) -> None:
    """Let all retention periods end: no object is left, of jobs or of requests that made none."""
    with run.step("retention"):
        with run.stand.engine.begin() as connection:
            connection.execute(jobs.update().values(finished_at=jobs.c.finished_at - timedelta(days=400)))
        wait_for(lambda: not run.store.server.keys(), STEP_SECONDS, "removal of all objects")


def main() -> int:
    """Run the steps at the size that the arguments give."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=150_000)
    parser.add_argument("--padding", type=int, default=200)
    parser.add_argument("--away", type=float, default=30.0)
    parser.add_argument("--silent", type=float, default=60.0)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    size = Size(arguments.rows, arguments.padding, arguments.away, arguments.silent)
    with tempfile.TemporaryDirectory(prefix="chaos-s3-", ignore_cleanup_errors=True) as folder:
        large = {"rows_per_chunk": 25_000, "rows_per_batch": 65_536, "lease_seconds": 15}
        steps = [step for step in STEPS if step is sound or arguments.only in step.__name__]
        run_all(Path(folder) / "1", size, arguments.seed, steps, **large)
    return 0


if __name__ == "__main__":
    sys.exit(main())
