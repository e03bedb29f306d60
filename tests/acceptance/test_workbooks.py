"""Workbook reports of the running service: many requests at once, resumed downloads, a worker that is killed.

Judged by programs that are not ours: curl for ranges and conditions, openpyxl for what the file says.
"""

from __future__ import annotations

import csv
import io
import itertools
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openpyxl
import pytest

from tests.support.api_client import REPORT_BOM
from tests.support.servers import service
from tests.support.servers.service import NO_TLS, Client, Service, block, wait_for
from worker.config import failpoints
from worker.config.failpoints import Failpoint, Fault

pytestmark = pytest.mark.xdist_group("workbooks")
ROWS = 4_000
LEASE = 8  # seconds; as long may a transaction pause while a busy machine starts the service
AT_ONCE = 80
FIRST = itertools.count(2_122_000_000, 100_000)
SECONDS = 120.0
LIVE_SECONDS = 8.0  # an answer that took longer is none to a load balancer
BUILDS = """
SELECT c.state, c.attempt FROM job_chunks c JOIN jobs j ON j.id = c.job_id
WHERE c.phase = 'workbook' AND j.public_id = CAST(:job AS uuid)
"""


@pytest.fixture(scope="module")
def faults_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, faults_dir: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with service.running(folder, workers=2, lease_seconds=LEASE, faults_dir=faults_dir) as found:
        yield found


@pytest.fixture
def client(up: Service) -> Client:
    return up.client("Harbour")


def uploaded(client: Client, rows: int = ROWS) -> str:
    job_id = client.upload(block(rows, next(FIRST)))
    assert client.ended(job_id)["status"] == "completed"
    return job_id


def fetched(up: Service, client: Client, job_id: str) -> httpx.Response:
    """Fetch a workbook by a connection of one's own, as a client does that keeps to Retry-After."""
    headers = {"Authorization": f"Bearer {client.account['token']}"}
    until = time.monotonic() + SECONDS
    with httpx.Client(base_url=up.url, headers=headers, timeout=SECONDS, trust_env=False, verify=NO_TLS) as http:
        while True:
            answer = http.get(f"/v1/jobs/{job_id}/report.xlsx", params={"rows": "all"})
            if answer.status_code == 200:
                return answer
            assert answer.status_code == 503, answer.text
            assert answer.json()["code"] in {"WORKBOOK_NOT_READY", "UNAVAILABLE"}, answer.text
            assert time.monotonic() < until
            time.sleep(int(answer.headers["Retry-After"]))


def lines_of(content: bytes) -> list[list[str]]:
    """The cells of the first sheet as text."""
    sheet = openpyxl.load_workbook(io.BytesIO(content), read_only=True).worksheets[0]
    return [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]


def test_eighty_requests_at_once_are_one_build(up: Service, client: Client) -> None:
    """All clients get the same file, and `/livez` is answered in the meantime."""
    job_id = uploaded(client)
    alive, stop = list[float](), threading.Event()

    def look() -> None:
        while not stop.is_set():
            began = time.monotonic()
            assert httpx.get(f"{up.url}/livez", timeout=SECONDS, trust_env=False, verify=NO_TLS).status_code == 200
            alive.append(time.monotonic() - began)
            stop.wait(0.1)

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        looking = pool.submit(look)
        try:
            answers = list(pool.map(lambda _: fetched(up, client, job_id), range(AT_ONCE)))
        finally:
            stop.set()
        looking.result()
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    assert [tuple(row) for row in up.ask(BUILDS, job=job_id)] == [("done", 1)]
    assert sorted(alive)[int(len(alive) * 0.9)] < LIVE_SECONDS, alive
    report = client.report(job_id).decode().removeprefix(REPORT_BOM)
    assert lines_of(answers[0].content) == list(csv.reader(io.StringIO(report, newline="")))


def test_a_worker_killed_while_it_builds_is_followed_by_another(up: Service, client: Client, faults_dir: Path) -> None:
    job_id = uploaded(client, 50)
    failpoints.arm(faults_dir, Failpoint.WORKBOOK_STORED, Fault.KILL)
    book = client.report(job_id, "xlsx")
    assert len(lines_of(book)) == 51
    assert [tuple(row) for row in up.ask(BUILDS, job=job_id)] == [("done", 2)]
    wait_for(lambda: up.processes("upkeep"), SECONDS, "another upkeep process")


def curl(up: Service, client: Client, job_id: str, *words: str) -> str:
    """Run curl on a workbook; answers the status that it got."""
    address = f"{up.url}/v1/jobs/{job_id}/report.xlsx?rows=all"
    command = ["curl", "-q", "--silent", "--noproxy", "*", "--write-out", "%{http_code}", *words, address]
    header = f"Authorization: Bearer {client.account['token']}"
    done = subprocess.run([*command, "-H", header], capture_output=True, text=True, timeout=SECONDS, check=True)
    return done.stdout[-3:]


def test_curl_resumes_a_download_and_knows_what_it_has(up: Service, client: Client, tmp_path: Path) -> None:
    job_id = uploaded(client, 500)
    whole = client.report(job_id, "xlsx")
    part, etag, again = (tmp_path / name for name in ("part.xlsx", "etag", "again.xlsx"))
    part.write_bytes(whole[:1000])
    assert curl(up, client, job_id, "-C", "-", "-o", str(part)) == "206"
    assert part.read_bytes() == whole
    assert curl(up, client, job_id, "--etag-save", str(etag), "-o", str(again)) == "200"
    again.unlink()
    assert curl(up, client, job_id, "--etag-compare", str(etag), "-o", str(again)) == "304"
    assert not again.exists() or not again.read_bytes()
    middle = f"{len(whole) // 3}-{len(whole) // 2}"
    assert curl(up, client, job_id, "-r", middle, "-o", str(part)) == "206"
    assert part.read_bytes() == whole[len(whole) // 3 : len(whole) // 2 + 1]
    headers = tmp_path / "headers"
    assert curl(up, client, job_id, "--head", "-o", str(headers)) == "200"
    head = headers.read_text().lower()
    assert f"content-length: {len(whole)}\n" in head
    assert etag.read_text().strip() in head
