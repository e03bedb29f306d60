"""The broker loses, doubles, shuffles and delays messages, is emptied, restarted, away, silent; strange messages."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schemas.jobs import Phase
from tests.chaos import files
from tests.chaos.attacks import FEW, Done, Size, attack
from tests.chaos.proxy import Mode
from tests.chaos.stand import END_SECONDS, LEASE, Sent, Stand
from tests.support.servers.service import wait_for
from worker.queue.broker import ALL_QUEUES, QUEUES, TASKS

NO_LONGER_THAN = 1.0  # seconds that publishing may hold a request up
BASE = 0.7  # seconds for all else that accepting a small file may take on a busy machine

Give = Callable[["_Thief", str, bytes], None]


class _Thief(threading.Thread):
    """Takes messages that are waiting and does something else with each of them, once."""

    def __init__(self, stand: Stand, give: Give) -> None:
        super().__init__(name="thief", daemon=True)
        self.stand, self.broker = stand, stand.broker
        self.taken = 0
        self.kept: list[tuple[float, str, bytes]] = []
        self._give, self._known, self._over = give, set[str](), threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            for queue in QUEUES.values():
                taken = self.broker.rpop(queue)
                if isinstance(taken, bytes):
                    self._take(queue, taken)
            self.return_kept(now=time.monotonic())
            time.sleep(0.002)

    def _take(self, queue: str, message: bytes) -> None:
        name = json.loads(message)["properties"]["delivery_tag"]
        if name in self._known:
            self.broker.rpush(queue, message)
            return
        self._known.add(name)
        self.taken += 1
        self._give(self, queue, message)

    def return_kept(self, now: float) -> None:
        """Give back what was kept until now."""
        for kept in [kept for kept in self.kept if kept[0] <= now]:
            self.kept.remove(kept)
            self.broker.lpush(*kept[1:])

    def end(self) -> None:
        self._over.set()
        self.join()
        self.return_kept(float("inf"))


def _copies(count: int) -> Give:
    def give(thief: _Thief, queue: str, message: bytes) -> None:
        for _ in range(count):
            thief.broker.lpush(queue, message)

    return give


def _shuffled(thief: _Thief, queue: str, message: bytes) -> None:
    thief.kept.append((time.monotonic() + thief.stand.dice.uniform(0, LEASE / 2), queue, message))
    thief.stand.dice.shuffle(thief.kept)


def _late(thief: _Thief, queue: str, message: bytes) -> None:
    thief.kept.append((time.monotonic() + 3 * LEASE, queue, message))


def _lost(_thief: _Thief, _queue: str, _message: bytes) -> None:
    """Nobody gets it."""


def _meddled(name: str, give: Give) -> None:
    @attack(f"each message {name}")
    def meddled(stand: Stand, size: Size) -> Done:
        """Messages carry no facts: whatever becomes of them costs time at most."""
        thief = _Thief(stand, give)
        thief.start()
        try:
            sent = stand.send_at_once([files.mixed(stand.numbers, size.rows, stand.dice) for _ in range(3)])
            for one in sent:
                stand.ended(one)
        finally:
            thief.end()
        assert thief.taken, "no message was met"
        return Done(sent, thief.taken)


for _name, _give in (
    ("delivered twice", _copies(2)),
    ("delivered ten times", _copies(10)),
    ("shuffled", _shuffled),
    ("late (three leases)", _late),
    ("lost", _lost),
):
    _meddled(_name, _give)


@attack("FLUSHALL in mid-job")
def flushed(stand: Stand, size: Size) -> Done:
    """The broker forgets all it had, again and again."""
    sent = stand.send(files.mixed(stand.numbers, size.rows * 5, stand.dice))
    stand.under_way(sent)
    moments, lost = [stand.history.now()], 0
    while len(moments) <= size.times and _waiting(stand, sent):
        with stand.standing_still("worker"):
            wait_for(lambda: _hints(stand) or not _waiting(stand, sent), END_SECONDS, "hints of chunks to pile up")
            moments.append(stand.history.now())
            lost += _hints(stand)
            stand.broker.flushall()
    stand.ended(sent)
    stand.was_under_way(sent, moments[1])
    return Done([sent], lost)


def _hints(stand: Stand) -> int:
    """How many messages say that there are chunks to write, with nobody having taken them yet."""
    return len(stand.messages(QUEUES[Phase.WRITE]))


def _waiting(stand: Stand, sent: Sent) -> bool:
    """Whether there are chunks that nobody is at."""
    pending = "SELECT 1 FROM job_chunks WHERE job_id = :job AND phase = 'write' AND state = 'pending' LIMIT 1"
    return bool(stand.ask(pending, job=stand.job_row(sent)))


@attack("broker killed and restarted empty")
def restarted_empty(stand: Stand, size: Size) -> Done:
    """Killed in mid-job; it comes back with nothing in it."""
    sent = stand.send(files.mixed(stand.numbers, size.rows * 5, stand.dice))
    stand.under_way(sent)
    at = stand.history.now()
    os.kill(stand.valkey.pid, signal.SIGKILL)
    time.sleep(LEASE / 4)
    stand.valkey.start()
    stand.ended(sent)
    stand.was_under_way(sent, at)
    return Done([sent], 1)


@attack("broker down while web and workers start")
def down_at_start(stand: Stand, size: Size) -> Done:
    """What is sent meanwhile is accepted without delay, and done once the broker is there."""
    stand.valkey.stop()
    for role in ("web", "worker", "beat", "upkeep"):
        for process in stand.up.processes(role):
            process.kill()
    wait_for(lambda: len(stand.up.processes("web")) > 1, END_SECONDS, "the web processes to be started again")
    stand.get("/v1/jobs")
    sent = stand.send(files.mixed(stand.numbers, size.rows, stand.dice))
    stand.valkey.start()
    assert sent.took < NO_LONGER_THAN + BASE, sent.took
    return Done([sent], 1)


@contextmanager
def _network(stand: Stand, mode: Mode) -> Iterator[None]:
    stand.broker_net.be(mode)
    try:
        yield
    finally:
        stand.broker_net.be(Mode.SOUND)


def _bad_network(mode: Mode, name: str) -> None:
    @attack(f"broker {name}")
    def bad(stand: Stand, size: Size) -> Done:
        """In the middle of a job, and while others are accepted."""
        first = stand.send(files.mixed(stand.numbers, size.rows * 5, stand.dice))
        stand.under_way(first)
        at = stand.history.now()
        with _network(stand, mode):
            others = [stand.send(files.mixed(stand.numbers, 300, stand.dice)) for _ in range(size.times)]
            time.sleep(LEASE if size.times >= FEW else LEASE / 2)
        for one in others:
            assert one.took < NO_LONGER_THAN + BASE, one.took
        stand.ended(first)
        stand.was_under_way(first, at)
        return Done([first, *others], 1 + len(others))


for _mode, _name in ((Mode.SILENT, "black-holed"), (Mode.HALF, "half-deaf"), (Mode.RESET, "resetting")):
    _bad_network(_mode, _name)

STRANGE = (
    b"",
    b"no JSON at all \xff",
    b"[]",
    b"{}",
    b'{"body": 5, "headers": null, "properties": null}',
)


@attack("malformed and unknown messages in every queue")
def strange(stand: Stand, size: Size) -> Done:
    """Some end the process that gets them, which is started again; none ends a job."""
    sent = stand.send(files.mixed(stand.numbers, size.rows, stand.dice))
    placed = set()
    for queue in ALL_QUEUES:
        known = json.dumps(_message("numberyard.unknown", queue)).encode()
        wrong = json.dumps(_message(next(iter(TASKS.values())), queue) | {"body": "bm8gSlNPTg=="}).encode()
        for message in (*STRANGE, known, wrong):
            stand.broker.rpush(queue, message)
            placed.add(message)
    wait_for(lambda: placed.isdisjoint(stand.messages()), END_SECONDS, "the messages to be taken")
    after = stand.send(files.mixed(stand.numbers, size.rows, stand.dice))
    return Done([sent, after], len(ALL_QUEUES) * (len(STRANGE) + 2))


def _message(task: str, queue: str) -> dict[str, object]:
    """A message as Celery writes it."""
    headers = {"lang": "py", "task": task, "id": "1", "root_id": "1", "parent_id": None, "retries": 0, "eta": None}
    info = {"exchange": "", "routing_key": queue}
    about = {"correlation_id": "1", "delivery_mode": 2, "delivery_info": info, "priority": 0, "body_encoding": "base64"}
    return {
        "body": "W1tdLCB7fSwge31d",
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": about | {"delivery_tag": f"strange-{queue}"},
    }
