"""PostgreSQL loses connections, is restarted at once, and answers into cut lines; disks are full; files are touched."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psutil

from tests.chaos import files
from tests.chaos.attacks import Done, Size, attack
from tests.chaos.stand import END_SECONDS, Sent, Stand
from tests.service import wait_for
from worker.infra.faults import Fault, Point

ROOM = 4_000  # bytes that a file may have on a full disk: none of those that are stored here is as small


@attack("pg_terminate_backend of random backends")
def terminated(stand: Stand, size: Size) -> Done:
    """Connections end in the middle of whatever they do."""
    sent = stand.send(files.mixed(stand.numbers, size.rows * 2, stand.dice))
    one = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND application_name = 'numberyard' ORDER BY random() LIMIT 1"
    )
    tried = 0
    for _ in range(size.times * 5):
        tried += len(stand.ask(one))
        time.sleep(stand.dice.uniform(0, 0.1))
    return Done([sent], tried)


@attack("immediate restart of PostgreSQL")
def restarted(stand: Stand, size: Size) -> Done:
    """As `pg_ctl stop -m immediate`: every session is cut, the log is replayed."""
    sent = []
    for _ in range(max(1, size.times // 3)):
        sent.append(stand.send(files.mixed(stand.numbers, size.rows, stand.dice)))
        time.sleep(stand.dice.uniform(0, 0.3))
        os.kill(stand.postgres.pid, signal.SIGQUIT)
        stand.postgres.start()
    return Done(sent, len(sent))


@attack("answer to COMMIT lost")
def commits_lost(stand: Stand, size: Size) -> Done:
    """It is committed, and who asked for it never hears so: door, check, chunk, report, sweep, whoever is next."""
    sent = []
    for _ in range(size.times):
        stand.database_net.lose_commits(4)
        sent.append(stand.send(files.mixed(stand.numbers, size.rows, stand.dice)))
        stand.database_net.lose_commits(4)
        stand.ended(sent[-1])
    stand.database_net.lose_commits(0)
    assert stand.database_net.commits_lost >= size.times
    return Done(sent, stand.database_net.commits_lost)


# Disks


@contextlib.contextmanager
def _full(processes: list[psutil.Process]) -> Iterator[None]:
    """No file that these processes write may become larger than `ROOM`: to them it is as if the disk were full."""
    before = {process: process.rlimit(psutil.RLIMIT_FSIZE) for process in processes}
    for process, (_, hard) in before.items():
        process.rlimit(psutil.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        for process, limits in before.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.rlimit(psutil.RLIMIT_FSIZE, limits)


@attack("disk full while the upload is stored")
def full_at_the_door(stand: Stand, size: Size) -> Done:
    """Refused with a clear answer and nothing kept; sent again, it is taken."""
    content = files.mixed(stand.numbers, size.rows, stand.dice)
    before = _stored(stand)
    with _full(stand.up.processes("web")):
        for _ in range(size.times):
            answer = stand.post("/v1/uploads", {}, content)
            assert answer is not None
            assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE"), answer.text
            assert int(answer.headers["Retry-After"]) > 0
    wait_for(lambda: _stored(stand) == before, END_SECONDS, "nothing to be kept")
    return Done([stand.send(content)], size.times)


def _stored(stand: Stand) -> list[str]:
    return sorted(str(path) for path in (stand.folder / "data" / "files").rglob("*") if path.is_file())


def _full_at(point: Point, name: str) -> None:
    @attack(f"disk full while {name} stored")
    def full(stand: Stand, size: Size) -> Done:
        """The work waits until there is room; not a row is blamed for it."""
        stand.arm(point, Fault.STOP)
        sent = stand.send(files.mixed(stand.numbers, size.rows, stand.dice))
        standing = stand.wait_met(point)
        tried = _attempts(stand, sent)
        with _full(stand.up.processes("worker")):
            os.kill(standing, signal.SIGCONT)
            # It fails more often than a row would be forgiven.
            wait_for(lambda: _attempts(stand, sent) >= tried + 2, END_SECONDS, "tries on the full disk")
        return Done([sent], _attempts(stand, sent) - tried)


def _attempts(stand: Stand, sent: Sent) -> int:
    """How often pieces of the job were begun."""
    return sum(event.state == "leased" for event in stand.events(sent))


for _point, _name in (
    (Point.CHECK_CLAIMED, "the rows are"),
    (Point.WRITE_COPIED, "the chunk's results are"),
    (Point.REPORT_CLAIMED, "the report is"),
):
    _full_at(_point, _name)


# Files


@attack("stored upload deleted before it is checked")
def deleted(stand: Stand, size: Size) -> Done:
    """The job ends as our failure, with every row unprocessed; nothing is written."""
    sent = _touched(stand, size, remove=True)
    job = stand.ended(sent)
    assert (job["status"], job["problem"]["code"]) == ("failed", "INTERNAL_ERROR")
    return Done([sent], 1)


@attack("stored upload altered before it is checked")
def altered(stand: Stand, size: Size) -> Done:
    """What is checked is what was sent, or nothing."""
    sent = _touched(stand, size, remove=False)
    job = stand.ended(sent)
    assert (job["status"], job["problem"]["code"]) == ("failed", "DIGEST_MISMATCH")
    return Done([sent], 1)


@attack("stored upload deleted and altered in mid-job")
def touched_later(stand: Stand, size: Size) -> Done:
    """Once it is checked nobody needs it."""
    sent = []
    for remove in (True, False):
        stand.arm(Point.WRITE_CLAIMED, Fault.STOP)
        sent.append(stand.send(files.mixed(stand.numbers, size.rows, stand.dice)))
        standing = stand.wait_met(Point.WRITE_CLAIMED)
        _touch(stand, sent[-1], remove=remove)
        os.kill(standing, signal.SIGCONT)
        stand.ended(sent[-1])
        stand.disarm()
    return Done(sent, 2)


def _touched(stand: Stand, size: Size, *, remove: bool) -> Sent:
    stand.arm(Point.CHECK_CLAIMED, Fault.STOP)
    sent = stand.send(files.sound(stand.numbers, size.rows), judged=False)
    standing = stand.wait_met(Point.CHECK_CLAIMED)
    _touch(stand, sent, remove=remove)
    os.kill(standing, signal.SIGCONT)
    return sent


def _touch(stand: Stand, sent: Sent, *, remove: bool) -> None:
    path = stand.folder / "data" / "files" / "jobs" / sent.job_id / "upload"
    if remove:
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content.replace(b"TRUE", b"true", 1))
