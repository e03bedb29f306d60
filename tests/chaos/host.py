"""Hosts: processes with a user, folders and a network of their own, that share only the servers.

A host is a network namespace with one cable to this machine, where that is permitted (Linux, root, `ip`); else its
processes use the loopback of this machine, and only the proxies before the servers separate it. It has a user of its
own where other users can read the code.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from tests.chaos.proxy import Mode, Proxy
from worker.config.settings import PREFIX
from worker.runtime.processes.ports import LOOPBACK, free_port

FIRST_UID = 61_000  # not used by Debian
NETWORK = "198.18"  # for tests of networks (RFC 2544), never routed
WEB_PORT = 8080
SERVERS = ("database", "broker", "store")


@dataclass
class Host:
    """A host with the commands that it runs. Its processes are killed at the end of the `with` block of `running`."""

    name: str
    commands: Sequence[Sequence[str]]  # arguments of Python; "{bind}" is the address of a web process
    folder: Path
    number: int
    ports: Mapping[str, int]  # of the servers on this machine
    has_network: bool = False
    uid: int | None = None
    links: dict[str, Proxy] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    address: str = LOOPBACK  # of this machine, as the host sees it
    port: int = WEB_PORT

    @property
    def _namespace(self) -> str:
        return f"ny{os.getpid()}-{self.number}"

    @property
    def _cable(self) -> str:
        return f"nyc{os.getpid() % 100_000}-{self.number}"

    def _address(self, end: int) -> str:
        """Return an address of the host's own network of four: 1 is this machine, 2 the host."""
        place = ((os.getpid() * 16 + self.number) % 16_384) * 4 + end
        return f"{NETWORK}.{place // 256}.{place % 256}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Host]:
        """Make the host's network and its proxies; starts no process."""
        with contextlib.ExitStack() as held:
            if self.has_network:
                held.callback(self._remove_network)
                self._make_network()
            here = self._address(1) if self.has_network else LOOPBACK
            for server, port in self.ports.items():
                self.links[server] = held.enter_context(Proxy(port, here))
            self.address = here
            self.port = WEB_PORT if self.has_network else free_port()
            for name in ("data", "tmp"):
                (self.folder / name).mkdir(parents=True)
            if self.uid is not None:
                for path in (self.folder, *self.folder.iterdir()):
                    os.chown(path, self.uid, self.uid)
            held.callback(self.kill)
            yield self

    @property
    def url(self) -> str:
        """Return the base URL of its web process."""
        return f"http://{self._address(2) if self.has_network else LOOPBACK}:{self.port}"

    def start(self, environment: Mapping[str, str], *, clock_off: int = 0) -> None:
        """Start its processes, with `{database}`, `{broker}` and `{store}` in the environment replaced by addresses.

        `clock_off`: seconds by which its clock is ahead.
        """
        links = {server: f"{self.address}:{proxy.port}" for server, proxy in self.links.items()}
        # Only settings name servers: make, for one, has braces in variables of its own.
        values = {
            name: value.format_map(links) if name.startswith(PREFIX) else value for name, value in environment.items()
        }
        values |= {"TMPDIR": str(self.folder / "tmp"), "NUMBERYARD_DATA_DIR": str(self.folder / "data")}
        values["HOME"] = str(self.folder)
        if clock_off:
            skewed = str(Path(__file__).with_name("skewed"))
            values |= {"CHAOS_CLOCK_OFF": str(clock_off)}
            values["PYTHONPATH"] = os.pathsep.join(filter(None, (skewed, values.get("PYTHONPATH", ""))))
        bind = self.url.removeprefix("http://")
        for place, command in enumerate(self.commands):
            arguments = [argument.format(bind=bind) for argument in command]
            with (self.folder / f"{place}.log").open("ab") as log:
                self.processes.append(
                    subprocess.Popen(
                        [*self._prefix(), sys.executable, *arguments],
                        env=values,
                        cwd=self.folder,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )

    def _prefix(self) -> list[str]:
        user = [] if self.uid is None else ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        return [*(["ip", "netns", "exec", self._namespace] if self.has_network else []), *user]

    def all_processes(self) -> list[psutil.Process]:
        """Return the host's processes that are alive."""
        found = []
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = psutil.Process(process.pid)
                found += [parent, *parent.children(recursive=True)]
        return found

    def kill(self) -> None:
        """End all of its processes, as a power failure does."""
        for process in self.all_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for one in self.processes:
            one.wait(30)
        self.processes.clear()

    def stop(self, seconds: float = 90.0) -> None:
        """End its processes by SIGTERM, and wait until they have."""
        for one in self.processes:
            one.send_signal(signal.SIGTERM)
        for one in self.processes:
            one.wait(seconds)
        self.processes.clear()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        for process in self.all_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def cut(self, servers: Sequence[str] = SERVERS) -> None:
        """Let nothing pass to these servers any more: bytes are lost, and no connection is closed."""
        if self.has_network and set(servers) == set(SERVERS):
            _ip("link", "set", self._cable, "down")
            return
        for server in servers:
            self.links[server].be(Mode.SILENT)

    def heal(self) -> None:
        """Let everything pass again."""
        if self.has_network:
            _ip("link", "set", self._cable, "up")
        for link in self.links.values():
            link.be(Mode.SOUND)

    def log(self) -> str:
        """Return what its processes have logged last."""
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("*.log")))

    def _make_network(self) -> None:
        inner = f"{self._cable}e"
        _ip("netns", "add", self._namespace)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", inner)
        _ip("link", "set", inner, "netns", self._namespace)
        _ip("address", "add", f"{self._address(1)}/30", "dev", self._cable)
        _ip("link", "set", self._cable, "up")
        _ip("-n", self._namespace, "address", "add", f"{self._address(2)}/30", "dev", inner)
        _ip("-n", self._namespace, "link", "set", inner, "up")
        _ip("-n", self._namespace, "link", "set", "lo", "up")

    def _remove_network(self) -> None:
        for arguments in (("link", "delete", self._cable), ("netns", "delete", self._namespace)):
            subprocess.run(["ip", *arguments], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)


@cache
def can_have_networks() -> bool:
    """Return whether this process may make network namespaces."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        return False
    name = f"ny{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        made = subprocess.run(["ip", "netns", "exec", name, "true"], capture_output=True, check=False).returncode == 0
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
    return made


@cache
def can_have_users(folder: Path) -> bool:
    """Return whether processes can run as other users, which read the code and write below a folder."""
    if shutil.which("setpriv") is None or os.geteuid() != 0:
        return False
    other = ["setpriv", f"--reuid={FIRST_UID}", f"--regid={FIRST_UID}", "--clear-groups"]
    code = "import celery, schemas, sys, worker; open(sys.argv[1]).close()"
    probe = folder / "probe"
    probe.touch(mode=0o644)
    tried = [*other, sys.executable, "-c", code, str(probe)]
    return subprocess.run(tried, capture_output=True, check=False, cwd="/").returncode == 0
