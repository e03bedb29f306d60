"""The web server alone, in processes of its own, started as `numberyard up` starts it, on a test's database."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil

from tests.service import NO_TLS, wait_for
from worker.infra.ports import free_port
from worker.infra.settings import Settings
from worker.infra.stack import Stack

SECONDS = 120.0  # generous: the machine may be busy


@dataclass(frozen=True)
class WebServer:
    """A running web server."""

    url: str
    process: psutil.Popen

    def client(self, token: str) -> httpx.Client:
        """Return a client of the API in the name of a token."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS, trust_env=False, verify=NO_TLS)

    def pids(self) -> list[int]:
        """Return the ids of all its processes."""
        return [self.process.pid, *(child.pid for child in self.process.children(recursive=True))]


@contextmanager
def serving(settings: Settings) -> Iterator[WebServer]:
    """Run the web server for the length of a block; it must end well."""
    stack = Stack(settings, free_port())
    command = stack._web().command()  # noqa: SLF001 - the command of the product itself
    environment = {**(command.env or os.environ), "PYTHONUNBUFFERED": "1"}
    log_path = settings.data_dir / "web.log"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with log_path.open("wb") as log:
        process = psutil.Popen(command.argv, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: process.poll() is not None or _answers(stack.url), SECONDS, "the web server to answer")
        assert process.poll() is None, log_path.read_text(errors="replace")
        yield WebServer(stack.url, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", trust_env=False, verify=NO_TLS).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
