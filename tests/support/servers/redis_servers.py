"""Redis and Valkey servers of a test's own, with any settings; a primary with a replica, watched by sentinels.

Valkey comes with the service. Redis is Debian's package `redis-server`; it has TLS, which the other lacks.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import redis

from tests.support.programs import need
from tests.support.servers.service import wait_for
from worker.runtime.embedded.binaries import valkey_server
from worker.runtime.processes.child import Child, Command, Service, start_service
from worker.runtime.processes.ports import LOOPBACK, free_port

PASSWORD, SENTINEL_PASSWORD, NAME = "secret-of-tests", "secret-of-sentinels", "numbers"
SECONDS = 60.0
SETTINGS = """
bind {host}
dir .
daemonize no
requirepass {password}
"""


def valkey() -> Path:
    return valkey_server()


def debian_redis() -> Path:
    """Debian's Redis; without it the test is skipped, or fails where it is required."""
    return Path(need("redis-server"))


class Server:
    """A server for the length of a `with` block. `options`: how clients connect, besides host, port and password."""

    password = PASSWORD
    arguments: tuple[str, ...] = ()
    settings = f"{SETTINGS}save ''\nmaxmemory-policy noeviction\nmasterauth {PASSWORD}\n"

    def __init__(
        self, folder: Path, program: Path, extra: str = "", options: dict[str, Any] | None = None, tls: bool = False
    ) -> None:
        folder.mkdir()
        self.folder, self.program, self.options = folder, program, options or {}
        self.port = free_port()
        ports = f"port 0\ntls-port {self.port}\n" if tls else f"port {self.port}\n"
        text = self.settings.format(host=LOOPBACK, password=self.password)
        (folder / "server.conf").write_text(ports + text + extra)
        self._child: Child | None = None

    def client(self) -> redis.Redis:
        return redis.Redis(LOOPBACK, self.port, password=self.password, socket_timeout=5, **self.options)

    def __enter__(self) -> Self:
        command = Command(
            argv=(str(self.program), "server.conf", *self.arguments), cwd=self.folder, log_path=self.folder / "log",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )  # fmt: skip
        self._child = start_service(Service("redis", lambda: command, self._answers))
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def kill(self) -> None:
        """End it as a crash of its machine does."""
        with self.client() as client:
            os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
        self.__exit__()

    def _answers(self) -> bool:
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False


class SentinelServer(Server):
    """A sentinel."""

    password = SENTINEL_PASSWORD
    arguments = ("--sentinel",)
    settings = SETTINGS

    def watch(self, port: int) -> None:
        """Watch the primary at this port, with the others that do so."""
        with self.client() as client:
            client.execute_command("SENTINEL", "MONITOR", NAME, LOOPBACK, port, 2)
            for option, value in (
                ("auth-pass", PASSWORD), ("down-after-milliseconds", 1000), ("failover-timeout", 5000),
            ):  # fmt: skip
                client.execute_command("SENTINEL", "SET", NAME, option, value)

    def primary(self) -> int:
        """The port of the primary."""
        with self.client() as client:
            return int(client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def knows_all(self, others: int) -> bool:
        with self.client() as client:
            state = client.sentinel_masters()[NAME]
            return bool(state["num-other-sentinels"] == others and state["num-slaves"] == 1)


@dataclass
class Watched:
    """A primary with a replica, and the sentinels."""

    primary: Server
    replica: Server
    sentinels: list[SentinelServer]

    def settings(self, scheme: str = "sentinel", *before: int) -> dict[str, object]:
        """The settings of the service; `before`: other ports, to be asked before the sentinels."""
        first, *ports = (*before, *(one.port for one in self.sentinels))
        others = (f"{scheme}://{LOOPBACK}:{port}" for port in ports)
        return {
            "redis_url": ";".join((f"{scheme}://:{PASSWORD}@{LOOPBACK}:{first}/0", *others)),
            "redis_master_name": NAME,
            "redis_sentinel_password": SENTINEL_PASSWORD,
        }

    def fail_over(self) -> None:
        """Kill the primary, and wait until the sentinels have made the replica the primary."""
        self.primary.kill()
        self.await_primary(self.replica.port)

    def await_primary(self, port: int) -> None:
        for one in self.sentinels:
            wait_for(lambda one=one: one.primary() == port, SECONDS, "the failover")  # type: ignore[misc]
        wait_for(self._takes_writes, SECONDS, "the new primary")

    def _takes_writes(self) -> bool:
        with self.replica.client() as client:
            return bool(client.info("replication")["role"] == "master")


@contextmanager
def watched(folder: Path, program: Path, extra: str = "", **options: Any) -> Iterator[Watched]:  # noqa: ANN401 - of `Server`
    """A primary and a replica with three sentinels."""
    folder.mkdir()
    with ExitStack() as running:
        primary = running.enter_context(Server(folder / "primary", program, extra, **options))
        of_primary = f"{extra}\nreplicaof {LOOPBACK} {primary.port}\n"
        replica = running.enter_context(Server(folder / "replica", program, of_primary, **options))
        of_sentinel = f"{extra}\nsentinel sentinel-pass {SENTINEL_PASSWORD}\n"
        sentinels = [
            running.enter_context(SentinelServer(folder / f"sentinel{number}", program, of_sentinel, **options))
            for number in range(3)
        ]
        for one in sentinels:
            one.watch(primary.port)
        for one in sentinels:
            wait_for(lambda one=one: one.knows_all(2), SECONDS, "the sentinels to find each other")  # type: ignore[misc]
        yield Watched(primary, replica, sentinels)
