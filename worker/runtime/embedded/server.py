"""What the two embedded servers have in common: start, stop, and the same as a service for the supervisor.

Holds no setting of either server.
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

# Nothing of the user's environment: a PGDATA, LC_ALL or LD_LIBRARY_PATH meant for other programs must not reach the
# servers.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedServer(ABC):
    """A server on a loopback port and a folder of its own; port and password outlast any number of restarts.

    Either `start` and `stop` it (or use it in a `with` block), or hand `service()` to a supervisor and call `release`
    when that has stopped it.
    """

    name: str
    stop_signal: int = signal.SIGTERM

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """`durable=False` is for tests: faster, but a crash of the machine (not of the server) may damage the data."""
        self.folder = DataFolder(folder)
        self.durable = durable
        self.port = free_port()
        self._password: str | None = None
        self._child: Child | None = None

    @property
    def password(self) -> str:
        """The generated password. Raises ServerError before the first start."""
        if self._password is None:
            message = f"{self.name} has not been started"
            raise ServerError(message)
        return self._password

    @property
    @abstractmethod
    def url(self) -> str:
        """The address with the password in it. Raises ServerError before the first start."""

    @property
    @abstractmethod
    def pid(self) -> int:
        """Process id of the server itself while it runs."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the server answers to our password now."""

    @abstractmethod
    def _prepare(self, lock: int) -> Command:
        """Make the data folder fit to start on; `lock` is to stay open in every process of the server."""

    def command(self) -> Command:
        """Prepare the folder and answer the command that starts the server. Raises ServerError."""
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
        """This server for a supervisor, which asks for the command anew before each start."""
        return Service(self.name, self.command, self.ready, self.stop_signal, stop_timeout=60.0, start_timeout=120.0)

    def start(self) -> None:
        """Start the server and wait until it answers. Raises ServerError, leaving nothing running, if it can't."""
        self.stop()
        try:
            self._child = start_service(self.service())
        except BaseException:
            self.folder.release()
            raise

    def stop(self) -> None:
        """Stop the server, if it runs, and let go of the folder."""
        if self._child is not None:
            self._child.stop(self.stop_signal, timeout=60.0)
            self._child = None
        self.release()

    def release(self) -> None:
        """Let go of the folder, once a supervisor has stopped the server."""
        self.folder.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
