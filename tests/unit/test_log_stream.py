"""A reader of standard error that stops reading stops no thread; what it missed is counted."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
import threading
import tty
from collections.abc import Callable
from typing import Any

import pytest

LINES, THREADS = 4000, 4
PROGRAM = f"""
import os, sys, threading
import structlog
REFUSED = os.environ.get("REFUSED")
if REFUSED:
    opened = os.open
    def refuse(path, *arguments, **options):
        if str(path).startswith("/proc/self/fd/"):
            raise PermissionError
        return opened(path, *arguments, **options)
    os.open = refuse
from worker.config import logs
logs.configure("web")
log = structlog.get_logger("ours")
def write():
    for number in range({LINES}):
        log.info("line", number=number, text="x" * 100)
threads = [threading.Thread(target=write) for _ in range({THREADS})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("written", flush=True)
sys.stdin.readline()
log.info("last")
"""
LIMIT = 120  # seconds; a program that waits for its reader never ends


def pipe() -> tuple[int, int]:
    return os.pipe()


def pair() -> tuple[int, int]:
    ours, its = socket.socketpair()
    return ours.detach(), its.detach()


def terminal() -> tuple[int, int]:
    ours, its = pty.openpty()
    tty.setraw(its)
    return ours, its


def all_of(fd: int, parts: list[bytes]) -> None:
    """Read until the last writer has closed the other end; a terminal then fails."""
    try:
        while part := os.read(fd, 65536):
            parts.append(part)
    except OSError:
        return


@pytest.mark.parametrize(
    ("ends", "more"),
    [(pipe, {}), (pipe, {"REFUSED": "1"}), (pair, {}), (terminal, {})],
    ids=["pipe", "pipe of another user", "socket", "terminal"],
)
def test_a_reader_that_has_stopped_delays_nothing(ends: Callable[[], tuple[int, int]], more: dict[str, str]) -> None:
    ours, its = ends()
    parts: list[bytes] = []
    reader = threading.Thread(target=all_of, args=(ours, parts))
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env={"PYTHONPATH": ":".join(sys.path)} | more,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=its,
    )  # fmt: skip
    os.close(its)
    watchdog = threading.Timer(LIMIT, program.kill)
    watchdog.start()
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == b"written\n"
        parts.append(os.read(ours, 65536))  # so that there is room again
        reader.start()
        program.communicate(b"\n")
    finally:
        watchdog.cancel()
        program.kill()
        program.wait()
    reader.join()
    os.close(ours)
    assert program.returncode == 0
    lines: list[dict[str, Any]] = [json.loads(line) for line in b"".join(parts).splitlines()]
    notes = [line for line in lines if line["event"] == "log_lines_dropped"]
    kept = [line for line in lines if line["event"] == "line"]
    assert sum(note["count"] for note in notes) + len(kept) == LINES * THREADS
    assert len(kept) > 10
    assert notes[0]["level"] == "warning"
    assert lines[-1]["event"] == "last"


def test_the_end_of_a_process_says_what_was_dropped() -> None:
    ours, its = os.pipe()
    program = PROGRAM.replace('log.info("last")', "")
    with subprocess.Popen(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=its,
    ) as process:  # fmt: skip
        os.close(its)
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        parts = [os.read(ours, 65536)]
        process.communicate(b"\n", timeout=LIMIT)
    all_of(ours, parts)
    os.close(ours)
    lines = [json.loads(line) for line in b"".join(parts).splitlines()]
    assert (lines[-1]["event"], lines[-1]["count"]) == ("log_lines_dropped", LINES * THREADS - len(lines) + 1)


def test_no_line_is_dropped_while_the_reader_reads() -> None:
    program = PROGRAM.replace("sys.stdin.readline()", "")
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, check=True
    )
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events == ["line"] * LINES * THREADS + ["last"]
