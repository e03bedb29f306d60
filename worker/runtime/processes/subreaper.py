"""The subreaper ("guard"): a small process between this service and one child; it ends the child when the parent ends.

Runs as a separate script (`python -I -S subreaper.py SPEC ARGV...`). Forwards signals to the child, adopts the child's
orphaned descendants, and ends them all when the parent is gone or sends SIGABRT. Imports only the standard library.
Restarting is the supervisor's task.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
END_ALL = signal.SIGABRT
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CLONE_NEWUSER = 0x10000000
PARENT_POLL_MS = 500
GRACE = 1.0
SWEEP_LIMIT = 5.0
CANNOT_START = 127


def main(spec: dict[str, Any], argv: list[str]) -> int:
    """Run `argv` until it or the parent ends; return the exit code of the child, or 128 + n if signal n ended it."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake = _catch_signals()
    parent = _open_parent(spec["parent"])
    # Blocked during the fork, so that our handler can't swallow a signal in the child before its exec.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _become(spec, argv, guard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    status = _watch(child, wake, parent, spec)
    _sweep()
    return status


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _catch_signals() -> int:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (*FORWARDED, END_ALL, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    return read_end


def _open_parent(parent: int) -> int | None:
    # A pidfd reports the end of the process. PR_SET_PDEATHSIG on the subreaper would report the end of the *thread*
    # that started it.
    opener = getattr(os, "pidfd_open", None)
    with suppress(OSError):
        return int(opener(parent)) if opener else None
    return None


def _become(spec: dict[str, Any], argv: list[str], guard: int) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        for number in (*FORWARDED, END_ALL, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        _change_user(spec)
        # After the change of user, which clears it. If the subreaper died before this call, no signal would come:
        # therefore the check of the parent below.
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        if os.getppid() == guard:
            os.execvp(argv[0], argv)  # noqa: S606 - no shell on purpose; argv comes from our own code
    except OSError as error:
        os.write(2, f"{argv[0]} can't be started: {error}\n".encode())
    os._exit(CANNOT_START)


def _change_user(spec: dict[str, Any]) -> None:
    if spec["uid"] is not None:
        os.setgroups([])
        os.setgid(spec["gid"])
        os.setuid(spec["uid"])
    if spec["shown_uid"] is not None:
        uid, gid = os.geteuid(), os.getegid()
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "no user namespace to be had")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{spec['shown_uid']} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _watch(child: int, wake: int, parent: int | None, spec: dict[str, Any]) -> int:
    poller = select.poll()
    for descriptor in (wake, parent):
        if descriptor is not None:
            poller.register(descriptor, select.POLLIN)
    while (status := _reap(child)) is None:
        if os.getppid() != spec["parent"]:
            return _end(child, spec["orphan_signal"])
        poller.poll(PARENT_POLL_MS if parent is None else None)
        for number in _caught(wake):
            if number == END_ALL:
                return _end(child, spec["orphan_signal"])
            if number in FORWARDED:
                os.kill(child, number)
    return status


def _caught(wake: int) -> bytes:
    with suppress(BlockingIOError):
        return os.read(wake, 512)
    return b""


def _reap(child: int) -> int | None:
    """Reap ended processes; return the exit code if `child` is among them, else None."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            if ended[0] == child:
                code = os.waitstatus_to_exitcode(ended[1])
                return code if code >= 0 else 128 - code
    return None


def _end(child: int, last_signal: int) -> int:
    os.kill(child, last_signal)
    deadline = time.monotonic() + GRACE
    while _reap(child) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return 128 + last_signal


def _sweep() -> None:
    """Kill and reap all descendants: orphans of the child are our children now, and theirs will be."""
    deadline = time.monotonic() + SWEEP_LIMIT
    while time.monotonic() < deadline:
        for pid in _own_children():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.005)
        except ChildProcessError:
            return


def _own_children() -> list[int]:
    own = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in parentheses may contain blanks and parentheses: the state and the parent follow the last one.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                own.append(int(stat.parent.name))
    return own


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))
