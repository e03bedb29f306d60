"""The web server alone: gunicorn as it is started everywhere, and clients of it that speak HTTP badly."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.servers.service import NO_TLS, wait_for
from worker.runtime.processes.ports import free_port

SECONDS = 120.0  # generous: the machine may be busy
LOOPBACK = "127.0.0.1"
APP = "webhook.asgi:create_app()"
NOT_KEPT = httpx.Limits(max_keepalive_connections=0)


@dataclass(frozen=True)
class WebServer:
    """A running gunicorn."""

    process: psutil.Popen
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://{LOOPBACK}:{self.port}"

    def client(self, token: str = "", *, limits: httpx.Limits = NOT_KEPT, **options: Any) -> httpx.Client:  # noqa: ANN401 - httpx's options
        """Return a client, in the name of a token if one is given, that opens a connection for each request."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options = {"headers": headers, "limits": limits, "timeout": SECONDS, **options}
        return httpx.Client(base_url=self.url, verify=NO_TLS, trust_env=False, **options)

    def connect(self, source: str = LOOPBACK) -> socket.socket:
        """Return a connection from a loopback address."""
        return socket.create_connection((LOOPBACK, self.port), SECONDS, (source, 0))

    def exchange(self, *pieces: bytes, source: str = LOOPBACK) -> bytes:
        """Send the pieces, and return all that comes back until the server closes the connection."""
        with self.connect(source) as connection:
            for piece in pieces:
                connection.sendall(piece)
            return received(connection)

    def memory(self) -> int:
        """Return the memory of all web processes, in bytes."""
        return sum(child.memory_info().rss for child in self.process.children())

    def pids(self) -> list[int]:
        """Return the ids of all its processes."""
        return [self.process.pid, *(child.pid for child in self.process.children(recursive=True))]


def received(connection: socket.socket) -> bytes:
    """Return all that comes until the connection is closed."""
    blocks = []
    with contextlib.suppress(ConnectionResetError):
        while block := connection.recv(65536):
            blocks.append(block)
    return b"".join(blocks)


def head(method: str, path: str, **fields: object) -> bytes:
    """Return a whole request head. Names of fields are written with `_` for `-`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode()


@contextlib.contextmanager
def serving(
    folder: Path, workers: int = 1, app: str = APP, options: tuple[str, ...] = (), **settings: object
) -> Iterator[WebServer]:
    """Run gunicorn with our configuration, options and settings; the environment names what these do not."""
    port = free_port()
    arguments = (
        *("--config", "python:webhook.http.gunicorn_conf", "--bind", f"{LOOPBACK}:{port}", "--workers", str(workers)),
        *options,
    )
    environment = os.environ | {f"NUMBERYARD_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "gunicorn", *arguments, app]
    log = folder / "gunicorn.log"
    with log.open("wb") as output:
        process = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
    web = WebServer(process, port, log)
    try:
        with web.client() as client:
            wait_for(lambda: process.poll() is not None or _answers(client), SECONDS, "gunicorn to answer")
        assert process.poll() is None, log.read_text(errors="replace")
        yield web
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False
