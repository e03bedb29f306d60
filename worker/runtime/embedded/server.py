"""Base class of the two embedded servers: start, stop, and a service description for the supervisor.

Has no settings of either server.
"""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.runtime.embedded.folder import DataFolder
from worker.runtime.processes.child import Child, Command, ServerError, Service, start_service
from worker.runtime.processes.ports import free_port

# Nothing of the user's environment: a PGDATA, LC_ALL or LD_LIBRARY_PATH for other programs must not reach the servers.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedServer(ABC):
    """A server on a loopback port with its own folder; port and password survive restarts.

    Either call `start` and `stop` (or use it in a `with` block), or pass `service()` to a supervisor and call `release`
    after the supervisor has stopped it.
    """

    name: str
    stop_signal: int = signal.SIGTERM

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """With `durable=False`, for tests: faster, but a crash of the machine (not the server) may damage the data."""
        self.folder = DataFolder(folder)
        self.durable = durable
        self.port = free_port()
        self._password: str | None = None
        self._child: Child | None = None

    @property
    def password(self) -> str:
        """The generated password. ServerError before the first start."""
        if self._password is None:
            message = f"{self.name} has not been started"
            raise ServerError(message)
        return self._password

    @property
    @abstractmethod
    def url(self) -> str:
        """The address, including the password. ServerError before the first start."""

    @property
    @abstractmethod
    def pid(self) -> int:
        """Process id of the server itself while it runs."""

    @abstractmethod
    def ready(self) -> bool:
        """Return whether the server accepts our password now."""

    @abstractmethod
    def _prepare(self, lock: int) -> Command:
        """Prepare the data folder for a start; `lock` must stay open in every process of the server."""

    def command(self) -> Command:
        """Prepare the folder and return the command that starts the server. ServerError if that fails."""
        lock = self.folder.acquire()
        try:
            self._password = self.folder.password()
            return self._prepare(lock)
        except OSError as error:
            self.folder.release()
            message = f"{self.name} can't be started: {error}"
            raise ServerError(message) from error
        except ServerError:
            self.folder.release()
            raise

    def service(self) -> Service:
        """Return this server as a service for a supervisor, which calls `command` before each start."""
        return Service(self.name, self.command, self.ready, self.stop_signal, stop_timeout=60.0, start_timeout=120.0)

    def start(self) -> None:
        """Start the server and wait until it is ready. ServerError, with nothing left running, if that fails."""
        self.stop()
        try:
            self._child = start_service(self.service())
        except BaseException:
            self.folder.release()
            raise

    def stop(self) -> None:
        """Stop the server, if it runs, and release the folder."""
        if self._child is not None:
            self._child.stop(self.stop_signal, timeout=60.0)
            self._child = None
        self.release()

    def release(self) -> None:
        """Release the folder, after a supervisor has stopped the server."""
        self.folder.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
