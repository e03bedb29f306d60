"""Beat away, two beats, a worker whose clock is off, and everybody told to end and started again under load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos import files
from tests.chaos.attacks import FEW, Done, Size, attack
from tests.chaos.stand import END_SECONDS, LEASE, Stand
from worker.config.failpoints import Failpoint
from worker.queue.broker import ALL_QUEUES

HOUR = 3600
SKEWED = Path(__file__).with_name("skewed")


@attack("beat away (ten leases) while a worker dies")
def beat_away(stand: Stand, size: Size) -> Done:
    """Nobody sweeps: what goes on by itself goes on, and the rest does when somebody sweeps again."""
    with stand.standing_still("beat"):
        stand.arm(Failpoint.WRITE_RESOLVED)
        sent = stand.send(files.mixed(stand.numbers, size.rows, stand.dice))
        stand.wait_met(Failpoint.WRITE_RESOLVED)
        time.sleep(LEASE * (1.25 if size.times < FEW else 10))
        after = stand.send(files.mixed(stand.numbers, 300, stand.dice))
        stand.ended(after)
    return Done([sent, after], 1)


@attack("two beats")
def two_beats(stand: Stand, size: Size) -> Done:
    """Everything due is due twice."""
    with _another(stand, "beat", "--scheduler", "worker.queue.scheduler:Scheduler", "--pidfile="):
        stand.arm(Failpoint.WRITE_RESOLVED)
        sent = [stand.send(files.mixed(stand.numbers, size.rows, stand.dice)) for _ in range(2)]
        for one in sent:
            stand.ended(one)
        stand.wait_met(Failpoint.WRITE_RESOLVED)
    return Done(sent, 1)


def _off(name: str, seconds: int) -> None:
    @attack(f"the clock of the only worker {name}")
    def off(stand: Stand, size: Size) -> Done:
        """All times are the database's: the work is done, swept and counted as always."""
        words = ("worker", "--concurrency", "2", "--queues", ",".join(ALL_QUEUES), "-n", "skewed@%h")
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        with (
            stand.standing_still("worker"),
            stand.standing_still("upkeep"),
            _another(stand, *words, *quiet, PYTHONPATH=str(SKEWED), CHAOS_CLOCK_OFF=str(seconds)),
        ):
            stand.arm(Failpoint.WRITE_RESOLVED)  # freed by a sweep, which this worker must do
            sent = [stand.send(files.mixed(stand.numbers, size.rows, stand.dice)) for _ in range(2)]
            for one in sent:
                stand.ended(one)
            assert stand.met(Failpoint.WRITE_RESOLVED)
        return Done(sent, 1)


_off("an hour ahead", HOUR)
_off("an hour behind", -HOUR)


@contextmanager
def _another(stand: Stand, *words: str, **variables: str) -> Iterator[None]:
    """One more Celery process beside those of `up`, with such environment."""
    (model, *_) = stand.up.processes("worker")
    environment = model.environ() | variables
    if "PYTHONPATH" in variables and "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] += os.pathsep + os.environ["PYTHONPATH"]
    command = [sys.executable, "-m", "celery", "-A", "worker.celery_app", *words, "--loglevel", "WARNING"]
    with (stand.folder / "another.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=stand.folder / "data", env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@attack("SIGTERM to everybody, one after the other, under load")
def rolling(stand: Stand, size: Size) -> Done:
    """A rolling restart: what is at hand is finished, what is not is done by those who come after."""
    sent, tried = [], 0
    for _ in range(max(1, size.times // 3)):
        for role in ("worker", "upkeep", "web", "beat"):
            sent.append(stand.send(files.mixed(stand.numbers, size.rows, stand.dice)))
            for process in stand.up.processes(role)[:1]:
                process.terminate()
                process.wait(END_SECONDS)
                tried += 1
    return Done(sent, tried)
