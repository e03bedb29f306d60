"""The service on many hosts: `python -m tests.chaos.hosts [--rows 300000 --faults 60]`; what `make chaoshosts` runs.

Web, workers in two groups, upkeep and beat on hosts of their own, which share only PostgreSQL, Valkey and an S3 API
server. While files are imported, numbers assigned, jobs undone and exports written, hosts are killed, paused, cut off
from one server or from all, and start with a wrong clock; at last the store is silent for all of them. Then the checker
of `make chaos` checks that nothing was lost or doubled. Prints a line for each fault. `make test-long` runs it small.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import httpx

from tests.chaos import files
from tests.chaos.checker import Findings, check
from tests.chaos.host import FIRST_UID, SERVERS, Host, can_have_networks, can_have_users
from tests.chaos.stand import LEASE, Sent, Stand
from tests.support.servers.s3_server import BUCKET, CREDENTIALS, S3
from tests.support.servers.service import NO_TLS, Client, Json, Service, wait_for
from worker.config.settings import Settings
from worker.database import migrate
from worker.queue.broker import PHASES, QUEUES_OF_UPKEEP, QUEUES_OF_WORKER
from worker.runtime import demo_data

READY_SECONDS = 120.0
END_SECONDS = 900.0
HOUR = 3600
STORAGE = "storage"
FILES = 6  # in which the rows come
ACCOUNT = "Harbour Telecom"
_CELERY = ("-m", "celery", "-A", "worker.celery_app")
_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")
_WEB = (
    "-m",
    "gunicorn",
    "--bind",
    "{bind}",
    "--config",
    "python:webhook.http.gunicorn_conf",
    "webhook.asgi:create_app()",
)


def worker_command(name: str, queues: str, *pool: str) -> tuple[str, ...]:
    return (*_CELERY, "worker", "--hostname", f"{name}@%h", *pool, "--queues", queues, *_QUIET)


COMMANDS: Mapping[str, tuple[str, ...]] = {
    "web-1": _WEB,
    "web-2": _WEB,
    "checks-1": worker_command("checks-1", "checking,upkeep", "--concurrency", "1"),
    "checks-2": worker_command("checks-2", "checking,upkeep", "--concurrency", "1"),
    "writes-1": worker_command("writes-1", "chunks,reports", "--concurrency", "1"),
    "writes-2": worker_command("writes-2", "chunks,reports", "--concurrency", "1"),
    "upkeep": worker_command("upkeep", ",".join(QUEUES_OF_UPKEEP), "--pool", "threads", "--concurrency", "8"),
    "beat": (
        *_CELERY,
        "beat",
        "--scheduler",
        "worker.queue.scheduler:Scheduler",
        "--pidfile=",
        "--loglevel",
        "WARNING",
    ),
}


@dataclass
class Hosts:
    """The hosts, in the place of `numberyard up`."""

    hosts: list[Host]
    demo: Json
    environment: dict[str, str]
    _turn: int = 0

    def client(self, name: str) -> Client:
        """Return a client of one of the web processes, by turns, as a load balancer without health checks does."""
        account = next(one for one in self.demo["accounts"] if one["name"].startswith(name))
        self._turn += 1
        webs = [host for host in self.hosts if host.name.startswith("web")]
        headers = {"Authorization": f"Bearer {account['token']}"}
        base = webs[self._turn % len(webs)].url
        return Client(
            httpx.Client(base_url=base, headers=headers, timeout=10.0, trust_env=False, verify=NO_TLS), account
        )

    def start(self, host: Host, *, clock_off: int = 0) -> None:
        """Start the processes of a host."""
        host.start(self.environment, clock_off=clock_off)

    def below(self) -> list[Any]:
        """Return all processes of the service."""
        return [process for host in self.hosts for process in host.all_processes()]

    def stop(self) -> None:
        """End all processes as an orchestrator does; none may be left."""
        for host in self.hosts:
            host.heal()
            host.stop()
        assert not self.below()


class HostsStand(Stand):
    """The stand with its service on hosts, which run `commands`."""

    commands = COMMANDS

    def _start_service(self, given: Mapping[str, object]) -> Service:
        self._held.enter_context(patch.dict(os.environ, CREDENTIALS))
        store = self._held.enter_context(S3())
        place = {"storage_url": f"s3://{BUCKET}/service", "storage_endpoint": store.url}
        urls = {"database_url": self.postgres.url, "redis_url": self.valkey.url}
        seeded = Settings.model_validate({**urls, **place, "data_dir": self.folder})
        migrate.upgrade(seeded)
        accounts = demo_data.seed(seeded, self.folder)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
        named = {
            **given,
            **place,
            "storage_endpoint": "http://{store}",
            "database_url": self.postgres.url.replace(f"127.0.0.1:{self.postgres.port}", "{database}"),
            "redis_url": self.valkey.url.replace(f"127.0.0.1:{self.valkey.port}", "{broker}"),
            "storage_timeout_seconds": 5,
        }
        environment |= {f"NUMBERYARD_{name.upper()}": str(value) for name, value in named.items()}
        ports = {"database": self.postgres.port, "broker": self.valkey.port, "store": store.port}
        folder = Path(self._held.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        folder.chmod(0o711)  # for the users of the hosts
        self.has_users = can_have_users(folder)
        hosts = [
            self._held.enter_context(
                Host(
                    name,
                    [command],
                    folder / name,
                    number,
                    ports,
                    has_network=can_have_networks(),
                    uid=FIRST_UID + number if self.has_users else None,
                ).running()
            )
            for number, (name, command) in enumerate(self.commands.items())
        ]
        found = Hosts(hosts, {"accounts": accounts}, environment)
        for host in hosts:
            found.start(host)
        wait_for(lambda: all(is_ready(host) for host in hosts), READY_SECONDS, "web processes to be ready", 0.2)
        return cast("Service", found)

    @property
    def hosts(self) -> Hosts:
        """Return the hosts."""
        return cast("Hosts", self.up)

    def _stop_up(self) -> None:
        for host in self.hosts.hosts:
            host.signal(signal.SIGCONT)
        self.up.stop()


def is_ready(host: Host) -> bool:
    """Return whether a host's web process is ready; True for hosts without one."""
    if not host.name.startswith("web"):
        return True
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{host.url}/readyz", timeout=5, trust_env=False, verify=NO_TLS).status_code == 200
    return False


@dataclass(frozen=True)
class Size:
    """How large the run is: rows of all files, faults, seconds that each lasts, and that the store is silent."""

    rows: int
    faults: int
    lasts: float
    silent: float
    only: str = ""  # the one kind of fault


SMALL = Size(rows=12_000, faults=7, lasts=3.0, silent=5.0)
WITHIN = {"/livez": 1.0, "/v1/jobs": 1.0, "/v1/numbers": 1.0, "/readyz": 3.0}  # seconds, while the store is silent
Fault = Callable[["Run", Host], None]


@dataclass
class Run:
    """A service on hosts, what it was sent, and the faults so far."""

    stand: HostsStand
    size: Size
    dice: random.Random
    sent: list[Sent] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    kills: list[tuple[datetime, datetime]] = field(default_factory=list)  # while a host was gone
    slowest: dict[str, float] = field(default_factory=dict)  # seconds by path, while the store was silent

    def send(self, content: bytes | None, path: str = "/v1/uploads", *, judged: bool = True, **fields: Any) -> Sent:  # noqa: ANN401
        """Make a job; one that is `judged` is compared with the undisturbed run."""
        sent = self.stand.send(content, path, judged=judged, **fields)
        self.sent.append(sent)
        return sent

    def ended(self, sent: Sent) -> Json:
        """Return the job once it has ended, as it should."""
        job = self.stand.ended(sent, END_SECONDS)
        assert job["status"] in {"completed", "completed_with_errors"}, job
        return job

    def is_busy(self) -> bool:
        """Return whether a job is under way."""
        query = "SELECT count(*) AS jobs FROM jobs WHERE finished_at IS NULL"
        return bool(self.stand.ask(query)[0].jobs)

    def rest(self) -> None:
        """Let the fault last."""
        time.sleep(self.size.lasts)


def killed(run: Run, host: Host) -> None:
    """The host is gone for a while, and comes back."""
    began = run.stand.history.now()
    host.kill()
    run.rest()
    run.kills.append((began, run.stand.history.now()))
    run.stand.hosts.start(host)


def paused(run: Run, host: Host) -> None:
    """The host stands still, as a virtual machine that is moved, and goes on where it was."""
    host.signal(signal.SIGSTOP)
    run.rest()
    host.signal(signal.SIGCONT)


def off_the_network(run: Run, host: Host) -> None:
    """No byte of the host arrives anywhere."""
    host.cut()
    run.rest()
    host.heal()


def _without(server: str) -> Fault:
    def cut(run: Run, host: Host) -> None:
        host.cut([server])
        run.rest()
        host.heal()

    cut.__name__ = f"without_{server}"
    return cut


def wrong_clock(run: Run, host: Host) -> None:
    """The host starts again with a clock that is an hour off, and keeps it until its next start."""
    host.kill()
    run.stand.hosts.start(host, clock_off=run.dice.choice([-HOUR, HOUR]))
    run.rest()


_CUT = {server: _without(server) for server in SERVERS}
FAULTS: tuple[Fault, ...] = (killed, off_the_network, *_CUT.values(), paused, wrong_clock)


def concerns(fault: Fault, host: Host) -> bool:
    """Return whether the host would notice the fault: beat uses the broker only."""
    return host.name != "beat" or fault not in {_CUT["database"], _CUT["store"]}


def silent_store(run: Run) -> dict[str, float]:
    """The store takes requests and answers none, on all hosts; return the slowest responses of a web process by path.

    `/readyz` has to name it. Imports go on afterwards.
    """
    stand = run.stand
    run.send(files.mixed(stand.numbers, run.size.rows // FILES, stand.dice))
    for host in stand.hosts.hosts:
        host.cut(["store"])
    slowest = dict.fromkeys(WITHIN, 0.0)
    end, named = time.monotonic() + run.size.silent, False
    while time.monotonic() < end or not named:
        assert time.monotonic() < end + READY_SECONDS, "/readyz does not name the store"
        for path in WITHIN:
            with stand.hosts.client(ACCOUNT).http as http:
                began = time.monotonic()
                answer = http.get(path)
                slowest[path] = max(slowest[path], time.monotonic() - began)
            if path == "/readyz":
                named |= answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE and answer.json()["failing"] == [STORAGE]
            else:
                assert answer.status_code == HTTPStatus.OK, answer.text
    for host in stand.hosts.hosts:
        host.heal()
    return slowest


def act(run: Run) -> None:
    """Whatever else a service is asked for: numbers are assigned, a job is undone, the inventory is exported."""
    count = 300
    upload = run.send(files.sound(run.stand.numbers, count))
    undone = run.send(files.sound(run.stand.numbers, count), judged=False)
    run.ended(upload)
    listed = run.stand.get(f"/v1/jobs/{upload.job_id}/rows", limit="100").json()["data"]
    clinic = run.stand.hosts.client("Ashford").account
    run.send(None, "/v1/assignments", numbers=[row["number"] for row in listed], tenant_id=clinic["tenant_id"])
    run.ended(undone)
    run.send(None, f"/v1/jobs/{undone.job_id}/undo", judged=False)
    run.send(None, "/v1/exports", judged=False, format="csv")


def run_all(folder: Path, size: Size, seed: int, **settings: object) -> Run:
    """Start the hosts, cause the faults in the middle of imports, and check the results."""
    with HostsStand(folder, random.Random(seed), settings=settings) as stand:
        run = Run(stand, size, random.Random(seed))
        try:
            _disturb(run)
        except BaseException:
            traceback.print_exc()  # before the hosts are stopped, which may fail, too
            raise
        return run


def _disturb(run: Run) -> None:
    stand, size = run.stand, run.size
    _tell(f"hosts: {len(stand.hosts.hosts)}; own networks: {can_have_networks()}; own users: {stand.has_users}")
    began = stand.history.now()
    faults = [fault for fault in FAULTS if size.only in {"", fault.__name__}]
    uploads = (files.mixed(stand.numbers, size.rows // FILES, stand.dice) for _ in range(FILES))
    run.send(next(uploads))
    for number in range(size.faults):
        if number * FILES // size.faults >= len([one for one in run.sent if one.judged and one.content]) - 1:
            for content in uploads:
                run.send(content)
                break
        if not run.is_busy():
            run.send(files.mixed(stand.numbers, size.rows // FILES, stand.dice))
        if number % max(size.faults // 3, 1) == 1:
            act(run)
        fault = faults[number % len(faults)]
        host = run.dice.choice([host for host in stand.hosts.hosts if concerns(fault, host)])
        since = time.monotonic()
        fault(run, host)
        run.faults.append(f"{fault.__name__} of {host.name}")
        _tell(f"{number + 1:>4} {run.faults[-1]:<40}{time.monotonic() - since:>8.1f} s")
    for content in uploads:
        run.send(content)
    run.slowest = silent_store(run)
    for path, seconds in run.slowest.items():
        _tell(f"while the store is silent, slowest {path}: {seconds:.2f} s")
    for one in run.sent:
        run.ended(one)
    found: Findings = check(stand, [one for one in run.sent if one.judged])
    for work, queues in (
        ("killed host", QUEUES_OF_WORKER),
        ("killed host upkeep (there is no other)", QUEUES_OF_UPKEEP),
    ):
        phases = [phase for queue in queues for phase in PHASES.get(queue, ())]
        took = (stand.history.slowest_return(since, LEASE, until, phases) for since, until in run.kills)
        _tell(f"slowest return of work of a {work}: {max(took, default=0.0):.1f} s, with a lease of {LEASE:.1f} s")
    _tell(f"slowest return of work of a host with any fault: {stand.history.slowest_return(began, LEASE):.1f} s")
    _tell(f"{found.jobs} jobs, {found.rows:,} rows checked, {found.rows_lost} lost, {found.rows_doubled} doubled")
    assert found.faults == [], found.faults
    assert (found.rows_lost, found.rows_doubled) == (0, 0)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run at the size that the arguments give."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--lasts", type=float, default=6.0)
    parser.add_argument("--silent", type=float, default=60.0)
    parser.add_argument("--only", choices=[fault.__name__ for fault in FAULTS], default="")
    arguments = parser.parse_args()
    size = Size(arguments.rows, arguments.faults, arguments.lasts, arguments.silent, arguments.only)
    with tempfile.TemporaryDirectory(prefix="chaos-hosts-", ignore_cleanup_errors=True) as folder:
        run = run_all(Path(folder) / "1", size, arguments.seed, rows_per_chunk=1_000, rows_per_batch=5_000)
    return int(any(seconds > WITHIN[path] for path, seconds in run.slowest.items()))


if __name__ == "__main__":
    sys.exit(main())
