"""PostgreSQL loses connections, is restarted at once, and answers into cut lines; disks are full; files are touched."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psutil

from tests.chaos import files
from tests.chaos.attacks import FEW, Done, Size, attack
from tests.chaos.stand import END_SECONDS, Sent, Stand
from tests.support.servers.service import ENDED, wait_for
from worker.config.failpoints import Failpoint, Fault

ROOM = 4_000  # bytes that a file may have on a full disk: none of those that are stored here is as small


@attack("pg_terminate_backend of random backends")
def terminated(stand: Stand, size: Size) -> Done:
    """Connections end in the middle of whatever they do."""
    sent = stand.send(files.mixed(stand.numbers, size.rows * 5, stand.dice))
    one = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND application_name = 'numberyard' ORDER BY random() LIMIT 1"
    )
    stand.under_way(sent)
    hits = []
    for _ in range(size.times * 5):
        hits += [stand.history.now()] * len(stand.ask(one))
        time.sleep(stand.dice.uniform(0, 0.05))
    stand.ended(sent)
    stand.was_under_way(sent, hits[0])
    return Done([sent], len(hits))


@attack("immediate restart of PostgreSQL")
def restarted(stand: Stand, size: Size) -> Done:
    """As `pg_ctl stop -m immediate`: every session is cut, the log is replayed."""
    sent = []
    for _ in range(max(1, size.times // 3)):
        sent.append(stand.send(files.mixed(stand.numbers, size.rows * 5, stand.dice)))
        stand.under_way(sent[-1])
        at = stand.history.now()
        os.kill(stand.postgres.pid, signal.SIGQUIT)
        stand.postgres.start()
        stand.ended(sent[-1])
        stand.was_under_way(sent[-1], at)
    return Done(sent, len(sent))


@attack("answer to COMMIT lost: whoever is next")
def commits_lost(stand: Stand, size: Size) -> Done:
    """It is committed, and who asked for it never hears so, reader or writer: door, worker, sweep."""
    before, sent = stand.database_net.commits_lost, []
    for _ in range(size.times):
        stand.database_net.lose_commits(4)
        sent.append(stand.send(files.mixed(stand.numbers, size.rows, stand.dice)))
        stand.database_net.lose_commits(4)
        stand.ended(sent[-1])
    stand.database_net.lose_commits(0)
    tried = stand.database_net.commits_lost - before
    assert tried >= size.times
    return Done(sent, tried)


def _loses(whose: str, statement: bytes) -> None:
    @attack(f"answer to COMMIT lost: {whose}")
    def lost(stand: Stand, size: Size) -> Done:
        """What was written is there, who wrote it does not know, and it is not written again."""
        sent: list[Sent] = []
        before = stand.database_net.commits_lost
        wanted, met = max(1, size.times // 3), 0
        while met < wanted and len(sent) < wanted + MOST_MISSES:
            stand.cut_connections()  # so that the statement's text is on the wire
            stand.database_net.lose_commits(1, statement)
            sent.append(stand.send(files.mixed(stand.numbers, size.rows, stand.dice)))
            stand.ended(sent[-1])
            # A claim may have found nothing to take, and then cost nothing: aim again.
            met += whose != CLAIM or any(event.ran_out_at for event in stand.events(sent[-1]))
        stand.database_net.lose_commits(0)
        assert stand.database_net.commits_lost - before == len(sent), "not such a COMMIT each time"
        assert met == wanted, "no work was taken by somebody who did not know it"
        return Done(sent, len(sent))


CLAIM = "the claim's"
MOST_MISSES = 10
for _whose, _statement in (
    ("the door's", b"INSERT INTO jobs"),
    (CLAIM, b"worker_token="),
    ("the reading's end", b"read_token="),
    ("a batch's end", b"pieces_left=(jobs.pieces_left"),
    ("the check's end", b"check_token="),
    ("a chunk's end", b"COPY phone_numbers"),
    ("the report's end", b"finished_at="),
):
    _loses(_whose, _statement)


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


def _full_at(point: Failpoint, name: str) -> None:
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
    (Failpoint.CHECK_CLAIMED, "the rows are"),
    (Failpoint.VALIDATE_CLAIMED, "what was found for a batch is"),
    (Failpoint.CUT_CLAIMED, "the chunks are"),
    (Failpoint.WRITE_COPIED, "the chunk's results are"),
    (Failpoint.REPORT_CLAIMED, "the merged results are"),
    (Failpoint.RENDER_CLAIMED, "a part of the report is"),
):
    _full_at(_point, _name)


# Files


@attack("stored upload deleted before it is checked")
def deleted(stand: Stand, size: Size) -> Done:
    """The job ends as our failure, with every row unprocessed; nothing is written."""
    sent = _touched(stand, size, remove=True)
    if size.times < FEW:
        wait_for(lambda: _hurried(stand, sent), END_SECONDS, "all tries to be used up")
    job = stand.ended(sent)
    assert (job["status"], job["problem"]["code"]) == ("failed", "INTERNAL_ERROR")
    return Done([sent], 1)


def _hurried(stand: Stand, sent: Sent) -> bool:
    """Have the next try begin at once, which would wait twice as long every time; answers whether the job has ended."""
    stand.ask(
        "UPDATE job_chunks SET next_attempt_at = now(), hint_due_at = now()"
        " WHERE job_id = :job AND state = 'pending' AND next_attempt_at > now() RETURNING 1",
        job=stand.job_row(sent),
    )
    return stand.job(sent)["status"] in ENDED


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
        stand.arm(Failpoint.WRITE_CLAIMED, Fault.STOP)
        sent.append(stand.send(files.mixed(stand.numbers, size.rows, stand.dice)))
        standing = stand.wait_met(Failpoint.WRITE_CLAIMED)
        _touch(stand, sent[-1], remove=remove)
        os.kill(standing, signal.SIGCONT)
        stand.ended(sent[-1])
        stand.disarm()
    return Done(sent, 2)


def _touched(stand: Stand, size: Size, *, remove: bool) -> Sent:
    stand.arm(Failpoint.CHECK_CLAIMED, Fault.STOP)
    sent = stand.send(files.sound(stand.numbers, size.rows), judged=False)
    standing = stand.wait_met(Failpoint.CHECK_CLAIMED)
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
