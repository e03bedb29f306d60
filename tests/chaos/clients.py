"""What clients do at the wrong moment: cancel, send twice at once, break off, dawdle."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tests.chaos import files
from tests.chaos.attacks import FEW, Done, Size, attack
from tests.chaos.stand import CHILDREN, END_SECONDS, MADE, Sent, Stand
from tests.support.api_client import table
from tests.support.servers.service import wait_for
from worker.config.failpoints import Failpoint, Fault

CONFLICT = 409


@attack("cancel racing the job, its last chunk and its report")
def cancelled(stand: Stand, size: Size) -> Done:
    """Whenever it comes: rows that are done stay, the others say CANCELLED, counts are the report's; then undone."""
    sent = []
    for _ in range(size.times * 4):
        sent.append(stand.send(files.sound(stand.numbers, size.rows), judged=False))
        time.sleep(stand.dice.uniform(0, 0.4))
        assert _cancel(stand, sent[-1]) in {MADE, CONFLICT}  # CONFLICT: it had ended already
    told = [_told(stand, one, size.rows) for one in sent]
    return Done([*sent, *_undone(stand, sent, told)], len(sent))


@attack("cancel while chunks are being written")
def cancelled_while_writing(stand: Stand, size: Size) -> Done:
    """What is at hand is finished: two chunks are created, and nothing else is begun."""
    sent = _cancelled_at(stand, size.rows, Failpoint.WRITE_CLAIMED, CHILDREN)
    created = _told(stand, sent, size.rows)
    assert stand.ended(sent)["status"] == "cancelled"
    least = CHILDREN * stand.rows_per_chunk
    assert least <= created <= 2 * least < size.rows, created
    return Done([sent, *_undone(stand, [sent], [created])], 1)


@attack("cancel while the file is being checked, in one piece or in several")
def cancelled_while_checking(stand: Stand, size: Size) -> Done:
    """Once all rows are looked at together, the report says of every one that it was cancelled.

    Before that nothing is known of them: the job ends, and there is nothing to report.
    """
    sent = []
    for point, rows, known in (
        (Failpoint.CHECK_CLAIMED, stand.rows_per_batch, True),
        (Failpoint.CUT_CLAIMED, size.rows, True),
        (Failpoint.CHECK_ROWS_STORED, size.rows, False),
        (Failpoint.VALIDATE_CLAIMED, size.rows, False),
    ):
        sent.append(_cancelled_at(stand, rows, point))
        job = stand.ended(sent[-1])
        total = rows if known else 0
        assert (job["status"], job["counts"]["total"], _told(stand, sent[-1], rows)) == ("cancelled", total, 0)
        stand.disarm()
    return Done(sent, len(sent))


@attack("cancel while the report is being made, in one piece or in several")
def cancelled_while_reporting(stand: Stand, size: Size) -> Done:
    """The job ends as cancelled, and every row of it is created."""
    sent, created = [], []
    for point, rows in (
        (Failpoint.REPORT_STORED, stand.rows_per_batch),
        (Failpoint.REPORT_MERGED, size.rows),
        (Failpoint.RENDER_CLAIMED, size.rows),
    ):
        sent.append(_cancelled_at(stand, rows, point))
        created.append(_told(stand, sent[-1], rows))
        assert (stand.ended(sent[-1])["status"], created[-1]) == ("cancelled", rows)
        stand.disarm()
    return Done([*sent, *_undone(stand, sent, created)], len(sent))


def _cancelled_at(stand: Stand, rows: int, point: Failpoint, times: int = 1) -> Sent:
    """A job of so many sound rows that is cancelled while so many workers are at a point of it."""
    stand.arm(point, Fault.STOP, times)
    sent = stand.send(files.sound(stand.numbers, rows), judged=False)
    standing = stand.wait_all_met(point, times)
    # However long this takes: a lease that nobody finds expired is still held.
    with stand.standing_still("beat"):
        assert not any(event.ran_out_at for event in stand.events(sent)), "it took too long to stop them"
        assert _cancel(stand, sent) == MADE
        for pid in standing:
            os.kill(pid, signal.SIGCONT)
        stand.ended(sent)
    return sent


def _cancel(stand: Stand, sent: Sent) -> int:
    answer = stand.post(f"/v1/jobs/{sent.job_id}/cancel", key=str(uuid.uuid4()))
    assert answer is not None
    return answer.status_code


def _told(stand: Stand, one: Sent, rows: int) -> int:
    """How many rows a job created that somebody cancelled; its report agrees, and the others say CANCELLED."""
    job = stand.ended(one)
    assert job["status"] in {"cancelled", "completed"}, job["status"]
    created, unprocessed = job["counts"]["created"], job["counts"]["unprocessed"]
    if job["counts"]["total"] == 0:
        assert job["links"]["report_csv"] is None  # it was never looked into
        return 0
    assert created + unprocessed == job["counts"]["total"] == rows
    lines = table(stand.get(f"/v1/jobs/{one.job_id}/report.csv").content)
    codes = [line["_code"] for line in lines]
    assert (codes.count("CREATED"), codes.count("CANCELLED"), len(codes)) == (created, unprocessed, rows)
    return int(created)


def _undone(stand: Stand, sent: list[Sent], created: list[int]) -> list[Sent]:
    """Undo them, so that the inventory is again what an undisturbed run makes of the other files."""
    wrote = [(one, count) for one, count in zip(sent, created, strict=True) if count]
    undos = [stand.send(None, f"/v1/jobs/{one.job_id}/undo", judged=False) for one, _ in wrote]
    for undo, (_, count) in zip(undos, wrote, strict=True):
        assert stand.ended(undo)["counts"]["deleted"] == count
    return undos


@attack("the same Idempotency-Key many times at once")
def at_once(stand: Stand, size: Size) -> Done:
    """One job, however many ask for it."""
    sent = []
    for _ in range(size.times):
        content, key = files.mixed(stand.numbers, size.rows, stand.dice), str(uuid.uuid4())
        with ThreadPoolExecutor(6) as pool:
            tries = [pool.submit(stand.post, "/v1/uploads", {}, content, key=key) for _ in range(6)]
        answers = [one.result() for one in tries]
        known = {answer.json()["id"] for answer in answers if answer is not None and answer.status_code == MADE}
        assert len(known) == 1
        assert {answer.status_code for answer in answers if answer is not None} <= {MADE, CONFLICT}
        digest = hashlib.sha256(content).digest()
        made = stand.ask("SELECT public_id::text AS job FROM jobs WHERE file_sha256 = :digest", digest=digest)
        assert {row.job for row in made} == known
        assert len(made) == 1
        sent.append(stand.note(Sent("Harbour Telecom", "/v1/uploads", {}, content, known.pop(), 0.0)))
    assert len({one.job_id for one in sent}) == size.times
    return Done(sent, size.times * 6)


def _head(stand: Stand, length: int) -> bytes:
    token = stand.up.client("Harbour").http.headers["Authorization"]
    lines = (
        "POST /v1/uploads HTTP/1.1",
        "Host: localhost",
        f"Authorization: {token}",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {length}",
    )
    return "\r\n".join((*lines, "", "")).encode()


def _body(content: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="numbers.csv"\r\n\r\n'
    return head + content + b"\r\n--b--\r\n"


def _line(stand: Stand) -> socket.socket:
    address = urlsplit(stand.up.url)
    return socket.create_connection((address.hostname, address.port), timeout=END_SECONDS)


@attack("uploads that break off")
def broken_off(stand: Stand, size: Size) -> Done:
    """Cut at any place, politely or not: no job, no file."""
    body = _body(files.sound(stand.numbers, size.rows))
    before = stand.ask("SELECT count(*) AS jobs FROM jobs")[0].jobs
    for turn in range(size.times * 2):
        with _line(stand) as line:
            line.sendall(_head(stand, len(body)) + body[: stand.dice.randrange(len(body))])
            if turn % 2:
                line.shutdown(socket.SHUT_WR)
                assert b"TRUNCATED_UPLOAD" in _answer(line)
    assert stand.ask("SELECT count(*) AS jobs FROM jobs")[0].jobs == before
    return Done([], size.times * 2)


def _answer(line: socket.socket) -> bytes:
    said = b""
    while block := line.recv(65536):
        said += block
        if b"\r\n\r\n" in said and said.rstrip().endswith(b"}"):
            break
    return said


@attack("slow uploads, and a web process killed in the middle of one")
def slow(stand: Stand, size: Size) -> Done:
    """Others are served meanwhile; who was cut off sends again."""
    content = files.mixed(stand.numbers, size.rows, stand.dice)
    body = _body(content)
    step = len(body) // 10 + 1
    with _line(stand) as line, _line(stand) as doomed:
        for one in (line, doomed):
            one.sendall(_head(stand, len(body)))
        for start in range(0, len(body), step):
            line.sendall(body[start : start + step])
            if start < len(body) // 2:
                doomed.sendall(body[start : start + step])
            time.sleep(0.1 if size.times >= FEW else 0.05)
            assert stand.get("/livez").status_code == 200
        job_id = _answer(line).decode().partition('"id":"')[2].partition('"')[0]
        victims = stand.up.processes("web")[1:]
        for process in victims:
            process.kill()
        wait_for(lambda: _is_cut(doomed), END_SECONDS, "the other one to be cut off")
    sent = stand.note(Sent("Harbour Telecom", "/v1/uploads", {}, content, job_id, 0.0))
    again = stand.send(files.mixed(stand.numbers, size.rows, stand.dice))
    return Done([sent, again], 2)


def _is_cut(line: socket.socket) -> bool:
    try:
        return line.recv(1) == b""
    except ConnectionError:
        return True
