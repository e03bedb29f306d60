"""The private folder of one embedded server: locked by one process at a time, with a password generated once.

It contains `lock`, `password`, `server.log` and the server's own data. Existing data is never removed.
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
    """A server's folder. Between `acquire` and `release`, no other process on this machine can acquire it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.log_path = self.path / "server.log"
        self._lock: int | None = None

    def acquire(self) -> int:
        """Create the folder if necessary, lock it, and return the file descriptor that holds the lock.

        The server inherits that descriptor, so the folder stays locked until the server's last process has ended.
        Processes may outlive a killed server for a moment; `acquire` waits for them. Raises ServerError if the folder
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
        # With our own pid, the server is being restarted: remaining processes of the previous one still hold the lock.
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
        """Close our descriptor of the lock; the folder stays locked while the server runs."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def password(self) -> str:
        """Return the password of this folder's server; the first call generates it. Requires the lock."""
        path = self.path / "password"
        try:
            if not path.exists():
                replace_file(path, secrets.token_urlsafe(24))
            return path.read_text()
        except OSError as error:
            message = f"the password of the data folder {self.path} can't be read: {error.strerror}"
            raise ServerError(message) from error


def replace_file(path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """Write a file atomically, readable by its owner only."""
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
