"""Child processes that never outlive this one: start, wait, stop.

Each child runs under a subreaper process (subreaper.py, "guard") in a session of its own: Ctrl-C in the terminal
doesn't reach it, and when this process ends for any reason, the subreaper ends the child and all its descendants. This
module restarts nothing and knows no concrete server.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

TAIL_BYTES = 8192
KILL_TIMEOUT = 8.0  # seconds; the subreaper needs at most six


class ServerError(Exception):
    """A server is not available: missing, too old, in use, not starting. The text is one line without a password."""


@dataclass(frozen=True)
class RunAs:
    """The user a child runs as. `shown_uid` is the user id that the child sees, in a user namespace of its own."""

    uid: int | None = None
    gid: int | None = None
    shown_uid: int | None = None


@dataclass(frozen=True)
class Command:
    """How to start a child. `env=None` inherits the environment, `log_path=None` the output; `keep_fds` stay open.

    The child gets `orphan_signal` when this process ends or `kill` is called; a second later, the rest is killed.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    log_path: Path | None = None
    run_as: RunAs | None = None
    keep_fds: tuple[int, ...] = ()
    stdin: int = subprocess.DEVNULL
    orphan_signal: int = signal.SIGKILL


@dataclass(frozen=True)
class Service:
    """A child to keep running. `command` is called before each start and may prepare things; times are in seconds.

    `ready` is called until it returns True or `start_timeout` is over. After `stop_signal`, the child has
    `stop_timeout` to drain.
    """

    name: str
    command: Callable[[], Command]
    ready: Callable[[], bool]
    stop_signal: int = signal.SIGTERM
    stop_timeout: float = 30.0
    start_timeout: float = 60.0


class Child:
    """A started child under its subreaper. `pid` is the subreaper's, and the id of the process group."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._log_start = _size(command.log_path)
        self._process = _spawn(command)
        self.pid = self._process.pid

    def ended(self) -> int | None:
        """Return the exit code (128 + n after signal n), or None while it runs."""
        if (
            self._process.returncode is None
            and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        ):
            # The process is not reaped yet, so the group id can't have been reused. Matters only if the subreaper was
            # killed.
            self._kill_group()
        return self._process.poll()

    def stop(self, stop_signal: int, timeout: float, hurry: Callable[[], bool] = lambda: False) -> bool:
        """Ask the child to end; kill it after `timeout` seconds or once `hurry()`. True if it ended by itself."""
        self.ask_to_end(stop_signal)
        return self.await_end(timeout, hurry)

    def ask_to_end(self, stop_signal: int) -> None:
        """Send the child its stop signal."""
        if self.ended() is None:
            self._process.send_signal(stop_signal)

    def await_end(self, timeout: float, hurry: Callable[[], bool] = lambda: False) -> bool:
        """Wait for the end of the child; kill it as `stop` does. True if it ended by itself."""
        deadline = time.monotonic() + timeout
        while self.ended() is None:
            if hurry() or time.monotonic() > deadline:
                self.kill()
                return False
            time.sleep(0.01)
        return True

    def kill(self) -> None:
        """End the child and all its descendants at once."""
        if self.ended() is None:
            self._process.send_signal(signal.SIGABRT)
            if not wait_until(lambda: self.ended() is not None, KILL_TIMEOUT):
                self._kill_group()
                self._process.wait()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def last_lines(self, count: int = 1) -> str:
        """Return the last non-empty lines that this child logged, joined by ` | `; empty if it has no log."""
        path = self._command.log_path
        if path is None:
            return ""
        with path.open("rb") as log:
            log.seek(max(self._log_start, _size(path) - TAIL_BYTES))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
        return " | ".join([line for line in lines if line][-count:])


def _spawn(command: Command) -> subprocess.Popen[bytes]:
    run_as = command.run_as or RunAs()
    spec = {
        "parent": os.getpid(),
        "orphan_signal": int(command.orphan_signal),
        "uid": run_as.uid,
        "gid": run_as.gid,
        "shown_uid": run_as.shown_uid,
    }
    guard = Path(__file__).with_name("subreaper.py")
    with ExitStack() as stack:
        log = stack.enter_context(command.log_path.open("ab")) if command.log_path else None
        return subprocess.Popen(  # noqa: S603 - no shell; argv comes from our own code
            # Isolated and without site: starts in a third of the time and is independent of the user's environment.
            [sys.executable, "-I", "-S", str(guard), json.dumps(spec), *command.argv],
            env=command.env,
            cwd=command.cwd,
            stdin=command.stdin,
            stdout=log,
            stderr=log,
            pass_fds=command.keep_fds,
            start_new_session=True,
        )


def _size(path: Path | None) -> int:
    return path.stat().st_size if path and path.exists() else 0


def run_to_end(name: str, command: Command, timeout: float) -> None:
    """Run a command to its end. ServerError (last log line) if it fails or takes longer than `timeout` seconds."""
    child = Child(command)
    try:
        wait_until(lambda: child.ended() is not None, timeout)
    finally:
        child.kill()
    if child.ended() != 0:
        message = f"{name} failed: {child.last_lines() or f'exit code {child.ended()}'}"
        raise ServerError(message)


def start_service(service: Service) -> Child:
    """Start a service and wait until it is ready. ServerError, with nothing left running, if it isn't in time."""
    return await_ready(service, Child(service.command()))


def await_ready(service: Service, child: Child) -> Child:
    """Wait until the child of a service is ready, and return it. ServerError, with the child killed, if it isn't."""
    try:
        if (
            wait_until(lambda: child.ended() is not None or service.ready(), service.start_timeout)
            and child.ended() is None
        ):
            return child
    except BaseException:
        child.kill()
        raise
    code = child.ended()
    child.kill()
    reason = (
        f"wasn't ready within {service.start_timeout:.0f} s"
        if code is None
        else f"ended while starting (exit code {code})"
    )
    lines = child.last_lines(3)
    message = f"{service.name} {reason}{': ' + lines if lines else ''}"
    raise ServerError(message)


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Poll `condition` at growing intervals (10 ms to 0.25 s) until it is true; False after `timeout` seconds."""
    deadline, pause = time.monotonic() + timeout, 0.01
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.2, 0.25)
    return True
