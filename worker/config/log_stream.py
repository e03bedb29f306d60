"""Standard error as logs use it: a reader that has stopped reading delays no request and no work item.

A pipe of Linux holds 64 KiB. Once it is full, a write waits for the reader, with the lock of `logging`, so that every
thread waits. Here it waits for at most `PATIENCE` seconds, once; until the reader goes on, lines are dropped and
counted. Nothing waits in the process, so a process that is killed loses no line.
"""

from __future__ import annotations

import atexit
import os
import select
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TextIO

PATIENCE = 0.1  # seconds
_opened: dict[tuple[int, int], BoundedStream] = {}


class BoundedStream:
    """A stream of lines whose writes do not block. Not for several threads at once: `logging` has a lock."""

    def __init__(self, write: Callable[[bytes], int], fd: int) -> None:
        self._write = write
        self._fd = fd
        self._rest = b""  # of a line that a terminal or a socket has taken in part
        self._dropped = 0
        self._is_stalled = False
        atexit.register(self.end)
        self.note: Callable[[int], str] = "{} lines were dropped\n".format

    def write(self, text: str) -> None:
        """Write lines, or drop and count them. Before the first one after a gap, `note` says how many were dropped."""
        self._tell()
        if self._dropped or not self._send(text.encode()):
            self._dropped += 1

    def _tell(self) -> None:
        if self._dropped and self._send(self.note(self._dropped).encode()):
            self._dropped = 0

    def end(self) -> None:
        """Say how many lines were dropped, when the process ends."""
        self._is_stalled = False
        with suppress(OSError):
            self._tell()

    def flush(self) -> None:
        """Do nothing: every line is written at once."""

    def _send(self, line: bytes) -> bool:
        """Return whether the line was taken, if only in part: then its rest comes first next time."""
        until = time.monotonic() + (0.0 if self._is_stalled else PATIENCE)
        data = self._rest + line
        least = len(self._rest)
        while data:
            try:
                written = self._write(data[: select.PIPE_BUF])  # in whole or not at all, if it is a pipe
            except BlockingIOError:
                if not self._wait(until - time.monotonic()):
                    break
                continue
            data = data[written:]
            least -= written
        self._is_stalled = bool(data)
        is_taken = least < 0 or not data
        self._rest = data if is_taken else data[: max(least, 0)]
        return is_taken

    def _wait(self, seconds: float) -> bool:
        return seconds > 0 and _has_room(self._fd, seconds)


def _has_room(fd: int, seconds: float = 0.0) -> bool:
    """Return whether a line can be written within a time."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


def bounded(stream: TextIO) -> TextIO | BoundedStream:
    """Return a stream to the same reader that does not block; the same stream if it is a file or has no descriptor."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return stream
    key = (status.st_dev, status.st_ino)
    if key not in _opened:
        if stat.S_ISSOCK(status.st_mode):
            _opened[key] = _of_socket(stream.fileno())
        elif stat.S_ISFIFO(status.st_mode) or os.isatty(stream.fileno()):
            _opened[key] = _of_pipe(stream.fileno())
    return _opened.get(key, stream)


def _of_pipe(fd: int) -> BoundedStream:
    """Open the pipe again: O_NONBLOCK of the inherited one would be set in other processes, too."""
    try:
        again = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # it is another user's, or there is no /proc
        return BoundedStream(partial(_write_if_room, fd), fd)
    return BoundedStream(partial(os.write, again), again)


def _write_if_room(fd: int, data: bytes) -> int:
    """Write a line if the pipe has room. If another process fills it in between, this waits after all."""
    if not _has_room(fd):
        raise BlockingIOError
    return os.write(fd, data)


def _of_socket(fd: int) -> BoundedStream:
    """Of the journal, for example."""
    again = socket.socket(fileno=os.dup(fd))
    return BoundedStream(lambda data: again.send(data, socket.MSG_DONTWAIT), again.fileno())
