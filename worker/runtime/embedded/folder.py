"""The folder of one embedded server: private, held by one process at a time, with a password made once per folder.

It holds `lock`, `password`, `server.log` and the server's own data. Data that is there already is never removed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from worker.runtime.processes.child import ServerError

LIVING_OWNER_WAIT = 1.0
DEAD_OWNER_WAIT = 10.0


class DataFolder:
    """A server's folder. Between `acquire` and `release` no other process on this machine can acquire it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.log_path = self.path / "server.log"
        self._lock: int | None = None

    def acquire(self) -> int:
        """Take the folder, make it if need be, and answer the descriptor that holds it.

        The server inherits that descriptor, so the folder counts as taken until the server's last process has ended:
        also those that outlive a killed server for a moment, which are waited for. Raises ServerError when the folder
        is in use or can't be used.
        """
        self.release()
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"the data folder {self.path} can't be used: {error.strerror}"
            raise ServerError(message) from error
        try:
            self._take(lock)
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock
        return lock

    def _take(self, lock: int) -> None:
        owner = _read_pid(lock)
        # Our own pid: the server is being started again, what still holds the folder is left over from the one before.
        patience = LIVING_OWNER_WAIT if owner != os.getpid() and _alive(owner) else DEAD_OWNER_WAIT
        deadline = time.monotonic() + patience
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                message = f"the data folder {self.path} is in use by a running server (process {owner})"
                raise ServerError(message)
            time.sleep(0.02)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let go of the folder; it stays taken for as long as the server still runs."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def password(self) -> str:
        """The password of this folder's server, made at the first call. Call between `acquire` and `release`."""
        path = self.path / "password"
        try:
            if not path.exists():
                replace_file(path, secrets.token_urlsafe(24))
            return path.read_text()
        except OSError as error:
            message = f"the password of the data folder {self.path} can't be read: {error.strerror}"
            raise ServerError(message) from error


def replace_file(path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """Write a file that its owner alone can read; it is there in full or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        if owner is not None:
            os.fchown(file.fileno(), *owner)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _read_pid(lock: int) -> int | None:
    with suppress(ValueError):
        return int(os.pread(lock, 20, 0))
    return None


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
