"""Processes of two releases on the same servers: each role as docker-compose.yml starts it.

The earlier release is installed from its commit, with its own lock, into an environment of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tomllib
import venv
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.servers.service import NO_TLS, QUICK, Json, wait_for
from worker.runtime.processes.ports import LOOPBACK, free_port

ROOT = Path(__file__).resolve().parents[2]
RELEASES = tomllib.loads((ROOT / "tests/upgrade/releases.toml").read_text(encoding="utf-8"))["release"]
INSTALL_SECONDS = 900
COMMAND_SECONDS = 120
READY_SECONDS = 90.0
STOP_SECONDS = 60.0
_COMMON = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING")

_POOLS = {
    "worker": ("--concurrency=2", "--queues=checking,chunks,reports,upkeep"),
    "upkeep": (
        *("--pool=threads", "--concurrency=8"),
        "--queues=callbacks,workbooks,mails,previews,exports,upkeep",
    ),
}


@dataclass(frozen=True)
class Release:
    """An installed release: its interpreter, and its source tree, which its processes import from."""

    version: str
    python: Path
    tree: Path


PRESENT = Release("present", Path(sys.executable), ROOT)


def install(version: str, folder: Path) -> Release:
    """Install a recorded release; the test is skipped where the checkout has no history."""
    release = next(one for one in RELEASES if one["version"] == version)
    archive = subprocess.run(["git", "archive", release["commit"]], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("this checkout has no history")
    tree = folder / "tree"
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(tree, filter="data")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv/bin/python"
    locked = ["--require-hashes", "--no-deps", "--requirement", str(tree / "requirements.lock")]
    quiet = ["--disable-pip-version-check", "--quiet", "--no-input"]
    # Most of what pip would compile is never imported.
    pip = [sys.executable, "-m", "pip", "--python", str(python), *quiet, "install", "--no-compile"]
    subprocess.run([*pip, *locked], check=True, timeout=INSTALL_SECONDS)
    return Release(version, python, tree)


@dataclass
class Running:
    """A process of a release; `port` is that of a web process."""

    release: Release
    role: str
    process: subprocess.Popen[bytes]
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        """End it as an orchestrator does, and wait."""
        stop([self])

    def drain(self) -> None:
        """End it as `stop` does; it must have ended by itself, without an error."""
        self.stop()
        assert self.process.returncode == 0, f"{self.role}: {self.process.returncode}"

    def kill(self) -> None:
        """Kill it with all processes that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)


def stop(running: Iterable[Running]) -> None:
    """End processes at the same time, as an orchestrator does, and wait."""
    ending = [each.process for each in running if each.process.poll() is None]
    for process in ending:
        process.send_signal(signal.SIGTERM)
    for process in ending:
        process.wait(STOP_SECONDS)


@dataclass
class Stand:
    """The servers, the shared folder, and the processes that were started."""

    folder: Path
    database_url: str
    redis_url: str
    settings: Json = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)  # of the environment, that are no settings
    started: list[Running] = field(default_factory=list)

    def environment(self, release: Release) -> dict[str, str]:
        """Return the environment of a process of a release."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
        given: Json = {
            **QUICK,
            "lease_seconds": 10,  # a request that stands still for longer, on a busy machine, is answered 503
            "rows_per_chunk": 500,
            "storage_url": f"file://{self.folder}/files",
            "metrics_token": "0123456789abcdef",
            **self.settings,
            "database_url": self.database_url,
            "redis_url": self.redis_url,
        }
        named = {f"NUMBERYARD_{name.upper()}": str(value) for name, value in given.items()}
        return kept | named | self.variables | {"PYTHONPATH": str(release.tree)}

    def numberyard(self, release: Release, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of a release."""
        command = [str(release.python), "-c", "from webhook.cli import main; main()", *arguments]
        return subprocess.run(
            command,
            env=self.environment(release),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )

    def run(self, role: str, script: str) -> Running:
        """Start a process of this release by a command of a shell, which may name `celery` and `numberyard`."""
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        return self._begun(PRESENT, role, ["bash", "-c", f"PATH='{path}'; exec {script}"])

    def start(self, release: Release, *roles: str) -> list[Running]:
        """Start processes at the same time and wait until those of the web are ready."""
        started = [self._start(release, role) for role in roles]
        for running in started:
            if running.role == "web":
                wait_for(partial(_is_ready, running), READY_SECONDS, f"{running.role} of {release.version}", 0.2)
        return started

    def _start(self, release: Release, role: str) -> Running:
        port = free_port() if role == "web" else 0
        return self._begun(release, role, [str(release.python), "-m", *_command(role, port)], port)

    def _begun(self, release: Release, role: str, command: list[str], port: int = 0) -> Running:
        with (self.folder / f"{role}-{len(self.started)}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self.environment(release),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        running = Running(release, role, process, port)
        self.started.append(running)
        return running

    def logs(self) -> str:
        """Return what all processes have logged."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        """Kill whatever still runs."""
        for running in self.started:
            running.kill()


def _command(role: str, port: int) -> list[str]:
    if role == "web":
        bound = (f"--bind={LOOPBACK}:{port}", "--config=python:webhook.http.gunicorn_conf")
        return ["gunicorn", *bound, "webhook.asgi:create_app()"]
    celery = ["celery", "--app=worker.celery_app"]
    if role == "beat":
        return [*celery, "beat", "--scheduler=worker.queue.scheduler:Scheduler", "--pidfile=", "--loglevel=WARNING"]
    return [*celery, "worker", f"--hostname={role}@%h", *_POOLS[role], *_COMMON]


def _is_ready(running: Running) -> bool:
    assert running.process.poll() is None, f"{running.role} of {running.release.version} ended"
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{running.url}/readyz", trust_env=False, verify=NO_TLS).status_code == 200
    return False


def document(done: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON that a command has printed; it must have succeeded."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
