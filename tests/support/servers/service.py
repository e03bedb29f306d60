"""The whole service as users start it, `numberyard up --demo`, in processes of its own.

Whoever starts one sees to it that it ends well: exit code 0 after SIGTERM, and no process left.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa

from tests.support.files import sheets
from worker.runtime.processes.ports import free_port

Json = dict[str, Any]
NUMBERYARD = str(Path(sys.executable).with_name("numberyard"))
START_SECONDS = 400.0
STOP_SECONDS = 60.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # else every client reads all authorities anew, to speak plain HTTP
JOB_SECONDS = 120.0
ENDED = ("completed", "completed_with_errors", "failed", "cancelled")
REST, LONGEST_REST = 3.0, 0.5  # between two questions: so many times as long as one takes, at most so many seconds
POLL_SECONDS = 0.1  # between two requests of one who waits for a job or a report
# Small, so that a test of what happens after a crash waits seconds, not minutes.
QUICK = {"lease_seconds": 2, "hint_seconds": 1, "sweep_seconds": 0.5}
# For tests in which nothing crashes: the rescue rounds above take more than half of what a service at rest computes,
# and a request that stands still for longer than a lease, on a busy machine, is answered 503.
CALM = {"lease_seconds": 20, "hint_seconds": 2, "sweep_seconds": 2}


def wait_for(condition: Callable[[], Any], seconds: float, what: str, every: float = 0.02) -> Any:  # noqa: ANN401 - what was waited for
    """Ask every so many seconds until the answer is true, and give it back; fails when `seconds` have passed.

    What takes long to ask (processes, HTTP) is asked less often: it takes its time from the service that is waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if found := condition():
            return found
        ended = time.monotonic()
        assert ended < deadline, f"{what}: not within {seconds} s"
        time.sleep(max(every, min(REST * (ended - began), LONGEST_REST)))


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


@dataclass
class Client:
    """The API over HTTP, in the name of one account."""

    http: httpx.Client
    account: Json

    def upload(self, content: bytes, name: str = "numbers.csv", **fields: str) -> str:
        """Upload a file; answers the job's id."""
        answer = self.http.post("/v1/uploads", files={"file": (name, content)}, data=fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def get(self, path: str, **query: Any) -> Json:  # noqa: ANN401 - query parameters
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def job(self, job_id: str) -> Json:
        return self.get(f"/v1/jobs/{job_id}")

    def ended(self, job_id: str, seconds: float = JOB_SECONDS) -> Json:
        """The job once it has ended; at every poll on the way its counts add up (R28)."""

        def job_if_ended() -> Json | None:
            with contextlib.suppress(httpx.TransportError):
                job = self.job(job_id)
                assert adds_up(job), job["counts"]
                return job if job["status"] in ENDED else None
            return None

        found: Json = wait_for(job_if_ended, seconds, f"end of job {job_id}", POLL_SECONDS)
        return found

    def report(self, job_id: str, ending: str = "csv", rows: str = "all") -> bytes:
        """A report; a workbook is asked for again as long as it is being built."""

        def report_if_ready() -> httpx.Response | None:
            answer = self.http.get(f"/v1/jobs/{job_id}/report.{ending}", params={"rows": rows})
            is_ready = answer.status_code != 503 or answer.json()["code"] != "WORKBOOK_NOT_READY"
            return answer if is_ready else None

        answer: httpx.Response = wait_for(report_if_ready, JOB_SECONDS, "the report", POLL_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.content


def adds_up(job: Json) -> bool:
    """R28: outcomes sum up to the total, at any moment."""
    counts = {name: count for name, count in job["counts"].items() if name != "warnings"}
    return bool(counts.pop("total") == sum(counts.values()))


@dataclass
class Service:
    """A running `numberyard up`."""

    folder: Path
    process: subprocess.Popen[bytes]
    demo: Json = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.demo["url"])

    def account(self, name: str) -> Json:
        """The demo's account whose name begins so."""
        found: Json = next(one for one in self.demo["accounts"] if one["name"].startswith(name))
        return found

    def client(self, name: str) -> Client:
        """The API in the name of that account."""
        account = self.account(name)
        headers = {"Authorization": f"Bearer {account['token']}"}
        http = httpx.Client(base_url=self.url, headers=headers, timeout=60.0, trust_env=False, verify=NO_TLS)
        return Client(http, account)

    def ask(self, query: str, **values: Any) -> list[Any]:  # noqa: ANN401 - bound values
        """Rows of a query on the service's database."""
        engine = sa.create_engine(
            sa.make_url(self.demo["database_url"]).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool
        )
        with engine.begin() as connection:
            return list(connection.execute(sa.text(query), values))

    def below(self) -> list[psutil.Process]:
        """Every process of the service but the first."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def processes(self, role: str) -> list[psutil.Process]:
        """The live processes of a role (`web`, `worker`, `upkeep`, `beat`), the one that started the others first."""
        mine = [one for one in self.below() if role_of(one) == role]
        ids = {one.pid for one in mine}
        return sorted(mine, key=lambda one: _parent(one) in ids)

    def workers(self) -> list[psutil.Process]:
        """The importing worker's processes: the parent first, then those that do the work."""
        return self.processes("worker")

    def log(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-4000:] for path in sorted(self.folder.glob("logs/*.log")))

    def stop(self) -> None:
        """SIGTERM: it drains, ends with 0, and nothing of it is left."""
        pids = [one.pid for one in self.below()]
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_SECONDS) == 0, self.log()
        left = [pid for pid in pids if alive(pid)]
        assert not left


def role_of(process: psutil.Process) -> str:
    """What a process of the service does; empty for guards, for the database's and the broker's."""
    with contextlib.suppress(psutil.NoSuchProcess):
        words = process.cmdline()
        if any(word.endswith("subreaper.py") for word in words):
            return ""
        if "celery" in words:
            return "beat" if "beat" in words else "upkeep" if "upkeep@%h" in words else "worker"
        return "web" if "gunicorn" in words else ""
    return ""


def _parent(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.ppid()
    return 0


def start(folder: Path, workers: int, scratch: Path | None = None, **settings: Any) -> Service:  # noqa: ANN401 - settings of any type
    """Start the service on a folder and wait until it says that it is ready. `scratch`: its temporary folder."""
    folder.mkdir(parents=True, exist_ok=True)
    before = _written(folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
    environment |= {f"NUMBERYARD_{name.upper()}": str(value) for name, value in (QUICK | settings).items()}
    environment |= {} if scratch is None else {"TMPDIR": str(scratch)}
    command = [NUMBERYARD, "up", "--data", str(folder), "--port", str(free_port()), "--demo", "--workers", str(workers)]
    with (folder / "up.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_for(
            lambda: _written(folder) != before or process.poll() is not None, START_SECONDS, "start of the service"
        )
        assert process.poll() is None, (folder / "up.log").read_text()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Service(folder, process, json.loads((folder / "demo.json").read_text()))


def _written(folder: Path) -> int:
    """When `demo.json` was written (ns), 0 if it is not there."""
    try:
        return (folder / "demo.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def running(folder: Path, workers: int, **settings: Any) -> Iterator[Service]:  # noqa: ANN401 - settings of any type
    """The service for the length of a block; it must end well even when the test did not."""
    service = start(folder, workers, **settings)
    try:
        yield service
    except BaseException:
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(STOP_SECONDS)
        raise
    service.stop()


def block(count: int, first: int = 2_122_000_000, step: int = 1) -> bytes:
    """A CSV of so many sound numbers in a row, all of the United States."""
    lines = (("1", str(first + row * step), "TRUE", "TRUE", "FALSE") for row in range(count))
    return sheets.csv_bytes([sheets.HEADER, *lines])
