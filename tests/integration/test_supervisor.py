"""The supervisor on real process trees: killed processes are restarted, stopped ones are gone."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
import sqlalchemy as sa

from worker.runtime.processes.child import Child, Command, ServerError, Service, wait_until
from worker.runtime.processes.supervisor import Supervisor

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE = 20.0

# A service with a child, and a grandchild in a session of its own (as PostgreSQL's are), which no group signal reaches.
TREE = """
import os, signal, subprocess, sys, time
from pathlib import Path
stubborn = sys.argv[2] == "stubborn"
ignoring = lambda: [signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
if stubborn:
    ignoring()
child = subprocess.Popen(["sleep", "300"], preexec_fn=ignoring)
apart = sys.argv[2] != "grouped"
grandchild = subprocess.Popen(["sh", "-c", "sleep 300 & wait"], start_new_session=apart, preexec_fn=ignoring)
with Path(sys.argv[1]).open("a") as starts:
    starts.write(f"{os.getpid()} {time.monotonic()}\\n")
if sys.argv[2] == "flaky":
    sys.exit(3)
while True:
    signal.pause()
"""

# `up` in small: both servers and a tree under supervision, their addresses and process ids on the first line of output.
HOST = """
import json, logging, sys
from pathlib import Path
import psutil
from worker.runtime.processes.child import Command, Service
from worker.runtime.embedded import EmbeddedPostgres, EmbeddedValkey
from worker.runtime.processes.supervisor import Supervisor
folder, tree, manner = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
logging.basicConfig(level=logging.INFO, filename=folder / "supervisor.log", format="%(message)s")
postgres, valkey = EmbeddedPostgres(folder / "pg", durable=False), EmbeddedValkey(folder / "vk", durable=False)
starts = folder / "starts"
starts.unlink(missing_ok=True)
started = lambda: starts.exists() and starts.read_text().endswith("\\n")
web = Service("tree", lambda: Command((sys.executable, "-c", tree, str(starts), manner)), started, stop_timeout=60)
with Supervisor() as supervisor:
    supervisor.start_all([postgres.service(), valkey.service(), web])
    processes = psutil.Process().children(recursive=True)
    pids = {"postgres": postgres.pid, "valkey": valkey.pid, "tree": int(starts.read_text().splitlines()[-1].split()[0])}
    pids["guard"] = psutil.Process(pids["tree"]).ppid()
    addresses = {"database_url": postgres.url, "redis_url": valkey.url}
    print(json.dumps({**addresses, "pids": pids, "all": [process.pid for process in processes]}), flush=True)
    supervisor.run_forever()
"""


class Up:
    """A running HOST."""

    def __init__(self, folder: Path, manner: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOST, str(folder), TREE, manner],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.told: dict[str, Any] = json.loads(self.process.stdout.readline())

    def log(self) -> str:
        return (self.folder / "supervisor.log").read_text()

    def started_again(self, times: int) -> bool:
        return self.log().count("started again") == times

    def all_gone(self) -> bool:
        return wait_until(lambda: all(gone(pid) for pid in self.told["all"]), DEADLINE)


@pytest.fixture
def up(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Up]:
    running = Up(tmp_path, getattr(request, "param", "calm"))
    yield running
    running.process.kill()
    running.process.wait()
    assert running.all_gone()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def database_answers(url: str) -> bool:
    try:
        with psycopg.connect(sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)):
            return True
    except psycopg.OperationalError:
        return False


def broker_answers(url: str) -> bool:
    try:
        return bool(redis.Redis.from_url(url).ping())
    except redis.RedisError:
        return False


# "grouped": with its guard dead, only what is in the group of the guard can still be found.
@pytest.mark.long
@pytest.mark.parametrize("up", ["grouped"], indirect=True)
def test_killed_children_are_started_again_on_the_same_address(up: Up) -> None:
    for count, victim in enumerate(("postgres", "valkey", "guard"), start=1):
        dead = up.told["pids"][victim]
        psutil.Process(dead).kill()
        assert wait_until(partial(up.started_again, count), DEADLINE)
        assert wait_until(lambda: database_answers(up.told["database_url"]), DEADLINE)
        assert wait_until(lambda: broker_answers(up.told["redis_url"]), DEADLINE)
        assert gone(dead)
    assert gone(up.told["pids"]["tree"])
    assert up.process.poll() is None


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_in_reverse_order_and_exits_with_0(up: Up, number: signal.Signals) -> None:
    up.process.send_signal(number)
    assert up.process.wait(DEADLINE) == 0
    assert up.all_gone()
    assert re.findall(r"^(\w+) stopped after", up.log(), re.MULTILINE) == ["tree", "valkey", "postgres"]


@pytest.mark.long
@pytest.mark.parametrize("up", ["stubborn"], indirect=True)
def test_a_second_signal_ends_everything_at_once(up: Up) -> None:
    up.process.send_signal(signal.SIGINT)
    assert wait_until(lambda: "stopping" in up.log(), DEADLINE)
    assert not gone(up.told["pids"]["tree"])
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(DEADLINE) == 0
    assert up.all_gone()


@pytest.mark.long
@pytest.mark.parametrize("up", ["stubborn"], indirect=True)
def test_nothing_outlives_a_killed_supervisor(up: Up) -> None:
    up.process.kill()
    assert up.all_gone()
    again = Up(up.folder, "calm")
    again.process.terminate()
    assert again.process.wait(DEADLINE) == 0
    assert again.all_gone()


def children() -> set[int]:
    """Ids of all processes below this one; other tests' servers may be among them."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


def sleeper(name: str, *, stop_timeout: float = DEADLINE, program: str = "sleep 300") -> Service:
    return Service(name, lambda: Command(("sh", "-c", program)), lambda: True, stop_timeout=stop_timeout)


def test_what_does_not_drain_in_time_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trapped = tmp_path / "trapped"
    program = f"trap '' TERM; touch {trapped}; while :; do sleep 300; done"
    before = children()
    with caplog.at_level(logging.INFO, "numberyard.supervisor"), Supervisor() as supervisor:
        service = sleeper("stubborn", stop_timeout=0.2, program=program)
        supervisor.start(Service(service.name, service.command, trapped.exists, stop_timeout=service.stop_timeout))
        pids = children() - before
    assert pids
    assert wait_until(lambda: all(gone(pid) for pid in pids), DEADLINE)
    assert "stubborn killed" in caplog.text


# Started when its own file is there; ends once the other service has been told to end, too.
PAIRED = """
trap 'touch {own}.ends; until [ -e {other}.ends ]; do sleep 0.01; done; exit 0' TERM
touch {own}
while :; do sleep 0.05; done
"""


def test_services_are_started_and_stopped_at_the_same_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither would ever be ready, or end, if it were started and stopped before the other."""
    files = [tmp_path / "first", tmp_path / "second"]

    def paired(own: Path, other: Path) -> Service:
        command = Command(("sh", "-c", PAIRED.format(own=own, other=other)))
        return Service(own.name, lambda: command, other.exists, stop_timeout=DEADLINE)

    with caplog.at_level(logging.INFO, "numberyard.supervisor"), Supervisor() as supervisor:
        supervisor.start(sleeper("earlier"))
        supervisor.start_together([paired(*files), paired(*reversed(files))])
    stopped = re.findall(r"(\w+) (stopped|killed) after", caplog.text)
    assert stopped == [("second", "stopped"), ("first", "stopped"), ("earlier", "stopped")]


def test_one_that_cannot_be_started_ends_those_started_with_it(tmp_path: Path) -> None:
    broken = Service("broken", lambda: Command(("sh", "-c", "exit 3"), log_path=tmp_path / "log"), lambda: False)
    before = children()
    with Supervisor() as supervisor:
        with pytest.raises(ServerError, match="broken ended while starting"):
            supervisor.start_together([sleeper("first"), broken, sleeper("last")])
        assert wait_until(lambda: children() == before, DEADLINE)


@pytest.mark.parametrize(
    ("program", "ready"),
    [
        ("echo broken-because >&2; exit 3", lambda: False),
        ("echo broken-because; sleep 300", lambda: False),
        ("/no/such/program broken-because", lambda: False),
    ],
)
def test_what_cannot_be_started_ends_the_others_with_its_last_words(
    tmp_path: Path, program: str, ready: Callable[[], bool]
) -> None:
    log = tmp_path / "log"
    log.write_text("an older line\n")
    first = sleeper("first")
    broken = Service("broken", lambda: Command(("sh", "-c", program), log_path=log), ready, start_timeout=0.5)
    before = children()
    with Supervisor() as supervisor:
        supervisor.start(first)
        pids = children() - before
        assert pids
        with pytest.raises(ServerError) as error:
            supervisor.start_all([broken])
        assert all(gone(pid) for pid in pids)
    assert "broken-because" in str(error.value) or "/no/such/program" in str(error.value)
    assert "older" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.long
def test_what_keeps_ending_is_started_ever_more_slowly(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    service = Service("flaky", lambda: Command((sys.executable, "-c", TREE, str(starts), "flaky")), lambda: True)
    with Supervisor() as supervisor:
        supervisor.start(service)

        def looked() -> bool:
            supervisor.check()
            return starts.exists() and len(starts.read_text().splitlines()) >= 4

        assert wait_until(looked, DEADLINE)
        times = [float(line.split()[1]) for line in starts.read_text().splitlines()]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert pauses[2] >= 0.8


def test_a_child_that_ends_takes_what_it_left_with_it(tmp_path: Path) -> None:
    mark = f"MARK_{tmp_path.name}"
    child = Child(
        Command((sys.executable, "-c", TREE, str(tmp_path / "starts"), "flaky"), env={**os.environ, mark: ""})
    )
    assert wait_until(lambda: child.ended() is not None, DEADLINE)
    assert child.ended() == 3
    # Its sleeps, also the one in a session of its own, would be children of the init process by now.
    assert not [process for process in psutil.process_iter(["environ"]) if mark in (process.info["environ"] or {})]


@pytest.mark.parametrize(
    ("argv", "code"),
    [(("true",), 0), (("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -9 $$"), 137), (("/no/such",), 127)],
)
def test_exit_codes_follow_the_shell(argv: tuple[str, ...], code: int) -> None:
    child = Child(Command(argv))
    assert wait_until(lambda: child.ended() is not None, DEADLINE)
    assert child.ended() == code
