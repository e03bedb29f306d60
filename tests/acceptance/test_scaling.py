"""Groups of workers, and connections to the database, as the guide says (docs/guides/maintenance.md)."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from tests.support import guides
from tests.support.servers import service
from tests.support.servers.service import wait_for
from tests.upgrade.accounts import Api
from tests.upgrade.rounds import FIRST, LARGE, SMALL, assert_nothing_lost, begun, in_flight, load, opened
from tests.upgrade.stand import PRESENT, Running, Stand

pytestmark = pytest.mark.xdist_group("maintenance")
DEADLINE = 60.0
EVERY = 0.02  # seconds between two counts
CLIENTS, REQUESTS = 32, 800
TOKENS = 8  # requests of one token run only a few at a time


@pytest.fixture
def bench(database_server: sa.URL, tmp_path: Path) -> Iterator[Stand]:
    with opened(database_server, tmp_path) as found:
        yield found


def ask(bench: Stand, query: str) -> list[sa.Row[tuple[object, ...]]]:
    engine = sa.create_engine(
        sa.make_url(bench.database_url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        return list(connection.execute(sa.text(query)))


def items(bench: Stand, phase: str, state: str) -> int:
    """Return how many work items of a phase are in a state."""
    (row,) = ask(bench, f"SELECT count(*) FROM job_chunks WHERE phase = '{phase}' AND state = '{state}'")  # noqa: S608 - ours
    return int(str(row[0]))


def test_groups_by_queue_and_a_worker_that_is_removed(bench: Stand, tmp_path: Path) -> None:
    """Each group takes the work of its queues, here on a host with folders of its own; SIGTERM loses no attempt."""
    everything, checking, writing = guides.blocks("maintenance", "Add and remove workers")
    bench.settings |= {"storage_url": f"file://{tmp_path}/files", "lease_seconds": 30}
    _, own = begun(bench, PRESENT, ("upkeep", "beat"), webs=1)
    second = tmp_path / "second host"
    (second / "tmp").mkdir(parents=True)
    other = Stand(second, bench.database_url, bench.redis_url, bench.settings, {"TMPDIR": str(second / "tmp")})
    try:
        first = bench.run("checking", checking)
        job = own.reseller.upload(service.block(1_000, FIRST))
        own.reseller.reaches(job, "running")
        assert items(bench, "validate", "done") + items(bench, "check", "done") > 0
        assert (items(bench, "write", "done"), items(bench, "write", "leased")) == (
            0,
            0,
        )  # no consumer
        writer, third = other.run("writing", writing), other.run("writing", writing)
        assert own.reseller.ended(job)["status"] == "completed"
        requests = load(own)
        with requests.running():
            large = in_flight(own)
            assert own.reseller.job(large)["status"] not in service.ENDED, "too fast for this test"
            writer.drain()  # on a busy machine the other worker may have written all of it when this has ended
            bench.run("worker", everything)
            wait_for(lambda: workers(bench) == 6, DEADLINE, "the new worker", 0.1)  # three of two children
            third.drain()
            first.drain()
            own.reseller.ended(large)
        assert not requests.errors, requests.errors[:5]
        created = {job: 1_000, large: LARGE} | dict.fromkeys(requests.uploads, SMALL)
        assert_nothing_lost(bench, own, created)
        assert ask(bench, "SELECT 1 FROM job_chunks WHERE attempt > 1") == [], "a work item was begun and given up"
    finally:
        other.close()
        print(other.logs())  # noqa: T201 - shown if the test has failed


def workers(bench: Stand) -> int:
    """Return how many children of importing workers run, as they register: without the process of `upkeep`."""
    (row,) = ask(bench, "SELECT count(*) FROM processes WHERE kind = 'worker'")
    return int(str(row[0])) - 1


@dataclass
class Counts:
    """The connections of each process to the database, counted again and again until the end of the block."""

    port: int
    roles: dict[str, Running]
    most: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    total: int = 0
    rounds: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def now(self) -> dict[str, list[int]]:
        """Return the connections of the processes of each role: of the one that was started, then of its children."""
        return {role: [self._of(one) for one in family(running)] for role, running in self.roles.items()}

    def _of(self, process: psutil.Process) -> int:
        with contextlib.suppress(psutil.NoSuchProcess):
            connections = process.net_connections(kind="tcp")
            return sum(
                bool(one.raddr) and one.raddr.port == self.port and one.status == psutil.CONN_ESTABLISHED
                for one in connections
            )
        return 0

    def _run(self) -> None:
        while not self._done.wait(EVERY):
            counted = self.now()
            for role, (parent, *children) in counted.items():
                self.most[f"parent of {role}"] = max(self.most[f"parent of {role}"], parent)
                self.most[role] = max(self.most[role], *children, 0)
            self.total = max(self.total, sum(map(sum, counted.values())))
            self.rounds += 1


def family(running: Running) -> list[psutil.Process]:
    first = psutil.Process(running.process.pid)
    return [first, *first.children(recursive=True)]


def test_connections_stay_within_the_formula(bench: Stand) -> None:
    """At rest and under load: more clients than a pool has connections, an import, exports and callbacks."""
    most = guides.connections()
    bench.settings |= {"database_wait_seconds": 60}  # requests wait for a connection, however slow the machine is
    _, own = begun(bench, PRESENT, webs=1)
    roles = {running.role: running for running in bench.started}
    counts = Counts(int(sa.make_url(bench.database_url).port or 0), roles)
    wait_for(lambda: len(family(roles["worker"])) == 3, DEADLINE, "the two children of the worker", 0.1)
    assert len(family(roles["web"])) == 3
    made = [own.reseller.post("/v1/tokens", {"name": f"client {number}"})["token"] for number in range(TOKENS)]
    apis = [Api(own.reseller.webs, token) for token in made]
    with counts.running():
        large = own.reseller.upload(service.block(20_000, FIRST))
        exports = [own.reseller.post("/v1/exports", {"format": kind})["id"] for kind in ("csv", "xlsx", "jsonl")]
        with ThreadPoolExecutor(CLIENTS) as clients:
            statuses = list(clients.map(lambda number: request(apis, number), range(REQUESTS)))
        for job in (large, *exports):
            assert own.reseller.ended(job)["status"] == "completed"
    assert {status for status in statuses if status != 200} == set()
    print(dict(counts.most), counts.total, counts.rounds)  # noqa: T201 - the figures of the guide
    assert counts.most["web"] > 4, "the load never needed more than the pool keeps"
    assert counts.most["worker"] >= 1  # a second one only if a work item takes long enough for its lease to be extended
    assert counts.most["upkeep"] > 1 or counts.most["parent of upkeep"] > 1
    assert counts.most["web"] <= most["web"]
    assert counts.most["worker"] <= most["worker"]
    assert counts.most["parent of upkeep"] <= most["upkeep"]
    assert counts.most["beat"] == counts.most["parent of beat"] == most["beat"] == 0
    assert counts.most["parent of web"] == counts.most["parent of worker"] == 0
    assert counts.total <= most["web"] * 2 + most["worker"] * 2 + most["upkeep"]
    wait_for(lambda: at_rest(counts), DEADLINE, "the connections of the load to be closed", 0.2)


def request(apis: list[Api], number: int) -> int:
    paths = ("/v1/numbers?limit=200", "/v1/jobs?limit=50", "/v1/tenants", "/v1/carriers")
    return apis[number // len(paths) % len(apis)].request("GET", paths[number % len(paths)]).status_code


def at_rest(counts: Counts) -> bool:
    return all(each <= 4 for role in counts.now().values() for each in role)
