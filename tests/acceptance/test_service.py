"""The service in its own processes: uploads that collide, workers that are killed, restarts, bytes on the wire."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.support.api_client import table
from tests.support.files import sheets
from tests.support.servers import service
from tests.support.servers.service import NUMBERYARD, Client, Json, Service, wait_for

pytestmark = pytest.mark.xdist_group("service")
DEADLINE = 30.0


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Four workers, small chunks, short leases; ended by SIGTERM, which must leave nothing running."""
    with service.running(tmp_path_factory.mktemp("service"), workers=4, rows_per_chunk=1_000) as found:
        yield found


def under_way(client: Client, job_id: str) -> Json:
    """The job, once some of it is written; it must not have ended before the test could do its worst."""

    def look() -> Json | None:
        job = client.job(job_id)
        assert job["status"] not in service.ENDED, "too fast for this test"
        return job if job["progress"]["rows_done"] else None

    found: Json = wait_for(look, DEADLINE, "the job to be under way")
    return found


def assert_all_created(up: Service, client: Client, job: Json, first: int, count: int) -> None:
    """Each row once: in the counts, in the report, in the inventory."""
    assert (job["status"], job["counts"]["created"], job["counts"]["total"]) == ("completed", count, count)
    lines = table(client.report(job["id"]))
    assert [line["_number"] for line in lines] == [f"+{number}" for number in range(first, first + count)]
    assert {line["_code"] for line in lines} == {"CREATED"}
    query = "SELECT count(*) AS rows FROM phone_numbers WHERE e164 BETWEEN :low AND :high"
    assert up.ask(query, low=first, high=first + count - 1)[0].rows == count


# R6, R17


def test_r6_two_resellers_upload_the_same_numbers_at_once(up: Service) -> None:
    """Each number exists once; the loser's rows say that it is taken, and by whom they do not say."""
    count, first = 50_000, 13_122_000_000
    rows = [("1", str(first + row), "TRUE", "TRUE", "FALSE") for row in range(count)]
    files = [sheets.csv_bytes([sheets.HEADER, *order]) for order in (rows, rows[::-1])]
    clients = [up.client("Harbour"), up.client("Summit")]
    before = _deadlocks(up)
    with ThreadPoolExecutor(2) as pool:
        ids = list(pool.map(lambda client, file: client.upload(file), clients, files))
        jobs = list(pool.map(lambda client, job_id: client.ended(job_id), clients, ids))
    assert _deadlocks(up) == before
    assert sum(job["counts"]["created"] for job in jobs) == count
    held = "SELECT holder_id, count(*) AS rows FROM phone_numbers WHERE e164 BETWEEN :low AND :high GROUP BY 1"
    found = [row.rows for row in up.ask(held, low=first, high=first + count - 1)]
    assert sorted(found) == sorted(job["counts"]["created"] for job in jobs if job["counts"]["created"])
    for client, job, other in zip(clients, jobs, ("Summit", "Harbour"), strict=True):
        assert service.adds_up(job)
        report = client.report(job["id"])
        codes = Counter(line["_code"] for line in table(report))
        created = job["counts"]["created"]
        assert codes == Counter({"CREATED": created, "NUMBER_EXISTS_ELSEWHERE": count - created})
        stranger = up.client(other).account
        for secret in (other, stranger["tenant_id"], stranger["email"]):
            assert secret.encode() not in report
            assert secret not in str(job)


def _deadlocks(up: Service) -> int:
    return int(up.ask("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0].deadlocks)


# Workers that are killed (docs/decisions/0005-work-queue.md)


def test_r29_killed_worker_children_cost_nothing_but_time(up: Service) -> None:
    count, first = 40_000, 13_122_100_000
    client = up.client("Harbour")
    job_id = client.upload(service.block(count, first - 10_000_000_000))
    for _ in range(3):
        seen = under_way(client, job_id)["progress"]["rows_done"]
        for child in up.workers()[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        wait_for(lambda: client.job(job_id)["progress"]["rows_done"] > seen, DEADLINE, "the work to go on")  # noqa: B023
    assert_all_created(up, client, client.ended(job_id), first, count)


def test_r29_a_killed_worker_parent_is_started_again(up: Service) -> None:
    count, first = 30_000, 13_122_200_000
    client = up.client("Harbour")
    job_id = client.upload(service.block(count, first - 10_000_000_000))
    under_way(client, job_id)
    parent = up.workers()[0]
    parent.kill()
    assert_all_created(up, client, client.ended(job_id), first, count)
    assert up.workers()[0].pid != parent.pid


# Restarts


def _cut(up: Service, how: signal.Signals) -> None:
    """End `up` and wait until nothing of it is left."""
    pids = [one.pid for one in up.below()]
    up.process.send_signal(how)
    code = up.process.wait(service.STOP_SECONDS)
    assert code == (0 if how is signal.SIGTERM else -how)
    wait_for(lambda: not any(map(service.alive, pids)), DEADLINE, "all processes to end")


def test_a_restart_on_the_same_folder_carries_on(tmp_path: Path) -> None:
    """Stopped, then killed, each time within a job: the next start ends it, with the same tokens."""
    count, first = 30_000, 13_123_000_000
    settings: dict[str, Any] = {"workers": 1, "rows_per_chunk": 500}
    up = service.start(tmp_path, **settings)
    try:
        tokens = [account["token"] for account in up.demo["accounts"]]
        for place, how in enumerate((signal.SIGTERM, signal.SIGKILL)):
            low = first + place * count
            client = up.client("Harbour")
            job_id = client.upload(service.block(count, low - 10_000_000_000))
            under_way(client, job_id)
            _cut(up, how)
            up = service.start(tmp_path, **settings)
            assert [account["token"] for account in up.demo["accounts"]] == tokens
            client = up.client("Harbour")
            assert_all_created(up, client, client.ended(job_id), low, count)
        up.stop()
    finally:
        if up.process.poll() is None:
            up.process.send_signal(signal.SIGTERM)
            up.process.wait(service.STOP_SECONDS)


# The command line


@pytest.mark.essential
def test_upload_and_watch(up: Service, tmp_path: Path) -> None:
    """Exit code 3 when rows failed, and the report is saved as the API gives it."""
    rows = [*sheets.rows(50), ["1", "ask Bob", "TRUE", "", ""]]
    (tmp_path / "numbers.csv").write_bytes(sheets.csv_bytes(rows))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [NUMBERYARD, *words, "--demo", str(up.folder)]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    done = run("upload", "numbers.csv", "--watch", "--report", "report.csv")
    assert done.returncode == 3, done.stderr
    found = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", done.stdout)
    assert found
    client = up.client("Harbour")
    job = client.job(found[0])
    assert (job["counts"]["total"], job["counts"]["failed"]) == (51, 1)
    assert (tmp_path / "report.csv").read_bytes() == client.report(job["id"])
    assert run("report", job["id"], "--rows", "failed", "--out", "failed.csv").returncode == 0
    assert [line["_code"] for line in table((tmp_path / "failed.csv").read_bytes())] == ["INVALID_CHARACTER"]
    assert run("numbers").returncode == run("jobs").returncode == 0


# Bytes on the wire, through the real server


def _head(client: Client, length: int) -> bytes:
    lines = (
        "POST /v1/uploads HTTP/1.1",
        "Host: localhost",
        f"Authorization: {client.http.headers['Authorization']}",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {length}",
    )
    return "\r\n".join((*lines, "", "")).encode()


FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nCountry Code,Phone Number\r\n'


def _spoken(up: Service, said: bytes, *, hang_up: bool) -> bytes:
    """Say something to the server over a bare connection, and what it says within the deadline."""
    address = urlsplit(up.url)
    with socket.create_connection((address.hostname, address.port), timeout=DEADLINE) as line:
        line.sendall(said)
        if hang_up:
            line.shutdown(socket.SHUT_WR)
        answer = b""
        while b"\r\n\r\n" not in answer or b"}" not in answer:
            block = line.recv(65536)
            if not block:
                break
            answer += block
        return answer


@pytest.fixture
def unchanged(up: Service) -> Iterator[None]:
    """The test leaves no job and no file behind, and the next upload works."""

    def state() -> tuple[list[str], int]:
        files = [str(path) for path in (up.folder / "files").rglob("*") if path.is_file()]
        return sorted(files), up.ask("SELECT count(*) AS jobs FROM jobs")[0].jobs

    before = state()
    yield
    wait_for(lambda: state() == before, DEADLINE, "nothing to be left")
    client = up.client("Summit")
    assert client.ended(client.upload(sheets.csv_bytes(sheets.rows(1))))["counts"]["total"] == 1


@pytest.mark.essential
@pytest.mark.usefixtures("unchanged")
def test_two_gigabytes_claimed_are_refused_at_once(up: Service) -> None:
    answer = _spoken(up, _head(up.client("Summit"), 2 << 30) + FILE, hang_up=False)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"FILE_TOO_LARGE"' in answer


@pytest.mark.essential
@pytest.mark.usefixtures("unchanged")
def test_a_connection_that_breaks_off(up: Service) -> None:
    answer = _spoken(up, _head(up.client("Summit"), 1_000_000) + FILE + b"1,2\r\n" * 10_000, hang_up=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"TRUNCATED_UPLOAD"' in answer


@pytest.mark.usefixtures("unchanged")
def test_no_token_and_a_large_body(up: Service) -> None:
    """The refusal comes before the body; the connection is not used for anything else by mistake."""
    said = _head(up.client("Summit"), 500_000).replace(b"nyk_", b"nyk-") + FILE + b"x" * 100_000
    assert _spoken(up, said, hang_up=True).startswith(b"HTTP/1.1 401 ")


def test_an_upload_without_a_length(up: Service) -> None:
    """Transfer-Encoding: chunked (RFC 9112)."""
    client = up.client("Summit")
    content = service.block(2_000, 4_122_000_000)
    body = [FILE.rpartition(b"Country")[0], content[:1000], content[1000:], b"\r\n--b--\r\n"]
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.http.post("/v1/uploads", content=iter(body), headers=headers)
    assert answer.status_code == 202, answer.text
    job = client.ended(answer.json()["id"])
    assert (job["counts"]["created"], job["file"]["size"]) == (2_000, len(content))


def test_an_upload_is_never_held_in_memory(up: Service) -> None:
    """300 MB through the door; the web processes' peaks stay far below that."""
    size = 300 * 1024 * 1024
    client = up.client("Summit")
    before = _peaks(up)
    with _ticking() as block:
        content = (sheets.PDF if place == 0 else block for place in range(size // len(block)))
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        body = (part for parts in ([head], content, [b"\r\n--b--\r\n"]) for part in parts)
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = client.http.post("/v1/uploads", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    job = client.ended(answer.json()["id"])
    assert (job["status"], job["problem"]["code"]) == ("failed", "UNSUPPORTED_TYPE")
    assert max(after - before.get(pid, 0) for pid, after in _peaks(up).items()) < 100 * 1024 * 1024


@contextlib.contextmanager
def _ticking() -> Iterator[bytes]:
    yield bytes(256) * 4096


def _peaks(up: Service) -> dict[int, int]:
    """The most memory each web process has ever had, in bytes, by process id."""
    found = {}
    for one in up.below():
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            if "gunicorn" in one.cmdline():
                status = Path(f"/proc/{one.pid}/status").read_text()
                found[one.pid] = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return found


def test_prefer_wait_answers_when_the_job_ends(up: Service) -> None:
    """RFC 7240: no polling needed; and waiting callers do not keep others from being served."""
    client = up.client("Summit")
    job_id = client.upload(service.block(3_000, 5_122_000_000))
    answer: Callable[[], httpx.Response] = lambda: client.http.get(  # noqa: E731 - one line is enough
        f"/v1/jobs/{job_id}", headers={"Prefer": "wait=10"}
    )
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(answer) for _ in range(8)]
        assert httpx.get(f"{up.url}/livez", trust_env=False, timeout=5).status_code == 200
        assert {one.result(DEADLINE).json()["status"] for one in waiting} == {"completed"}
