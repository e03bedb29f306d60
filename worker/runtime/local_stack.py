"""The whole service on one machine: servers (embedded ones, or those in the settings), web, workers and beat.

`numberyard up` runs it. `worker.runtime.processes.supervisor` keeps the processes running; on other machines, the same
commands run under Docker Compose.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import SecretStr

from worker.config.settings import Settings, variable_of
from worker.database import migrate, processes
from worker.database.schema_version import UnusableSchemaError
from worker.queue import broker
from worker.queue.broker import QUEUES_OF_UPKEEP, QUEUES_OF_WORKER
from worker.runtime import demo_data, external_servers
from worker.runtime.embedded import EmbeddedPostgres, EmbeddedValkey
from worker.runtime.processes.child import Command, ServerError, Service
from worker.runtime.processes.ports import LOOPBACK, port_is_free
from worker.runtime.processes.supervisor import Supervisor

BROKER_SECONDS = 3.0
DRAIN_SECONDS = 30  # time for a worker to finish its present chunk
UPKEEP_THREADS = 8  # concurrent callbacks, each waiting for a receiver; few threads build workbooks (`worker.tasks`)


class Stack:
    """The service in a data folder. The end of the `with` block stops all of it."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._given = settings
        self._port = port
        self._supervisor = Supervisor()
        self._servers: list[EmbeddedPostgres | EmbeddedValkey] = []
        self._held = ExitStack()
        self.settings = settings
        self.accounts: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        """Base URL of the service."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._given.data_dir.absolute()

    def __enter__(self) -> Self:
        self._held.enter_context(self._supervisor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()
        for server in self._servers:
            server.release()

    def start(self, *, with_demo: bool) -> None:
        """Start everything in order; write `demo.json` with `with_demo`. `ServerError` with a message of one line."""
        if not port_is_free(self._port):
            raise ServerError(f"port {self._port} on {LOOPBACK} is taken; choose another one with --port")
        for private in ("logs", "files"):  # numbers of all tenants: private to this user of the machine
            (self.folder / private).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings = self._given.model_copy(
            update={
                "data_dir": self.folder,
                "database_url": SecretStr(self._database()),
                "redis_url": SecretStr(self._broker()),
                "storage_url": self._given.files_url,
            }
        )
        external_servers.check_storage(self.settings)
        self._migrate()
        if with_demo:
            self.accounts = demo_data.seed(self.settings, self.folder)
        self._supervisor.start_together([self._web(), self._worker(), self._upkeep(), self._beat()])
        if with_demo:
            demo_data.write(self.folder, self._facts())

    def run_forever(self) -> None:
        """Supervise the processes until SIGTERM or Ctrl-C."""
        self._supervisor.run_forever()

    def _migrate(self) -> None:
        """Update the tables. Nothing else uses an embedded database; others may have processes on other machines."""
        patience = processes.EXPIRES_SECONDS + processes.SECONDS
        try:
            migrate.upgrade(self.settings, wait_seconds=patience, force=self._given.database_url is None)
        except migrate.StillRunningError as error:
            raise ServerError(f"processes of an older release are running: {error}; stop them first") from error
        except UnusableSchemaError as error:
            raise ServerError(str(error)) from error

    def _database(self) -> str:
        if self._given.database_url is not None:
            url = self._given.database_url.get_secret_value()
            external_servers.check_postgres(url)
            return url
        return self._embedded(EmbeddedPostgres(self.folder / "postgres"))

    def _broker(self) -> str:
        if self._given.redis_url is not None:
            url = self._given.redis_url.get_secret_value()
            external_servers.check_redis(url)
            return url
        return self._embedded(EmbeddedValkey(self.folder / "valkey"))

    def _embedded(self, server: EmbeddedPostgres | EmbeddedValkey) -> str:
        self._servers.append(server)
        self._supervisor.start_all([server.service()])
        return server.url

    def _web(self) -> Service:
        arguments = ("--bind", f"{LOOPBACK}:{self._port}", "--config", "python:webhook.http.gunicorn_conf")
        return self._service("web", ("gunicorn", *arguments, "webhook.asgi:create_app()"), self._answers)

    def _worker(self) -> Service:
        arguments = (
            *("--hostname", "worker@%h", "--concurrency", str(self._given.workers)),
            *("--queues", ",".join(QUEUES_OF_WORKER)),
        )
        return self._celery("worker", arguments)

    def _upkeep(self) -> Service:
        """Return the worker for callbacks, workbooks and maintenance, so that these occupy no importing worker."""
        arguments = (
            *("--hostname", "upkeep@%h", "--pool", "threads", "--concurrency", str(UPKEEP_THREADS)),
            *("--queues", ",".join(QUEUES_OF_UPKEEP)),
        )
        return self._celery("upkeep", arguments)

    def _celery(self, name: str, arguments: tuple[str, ...]) -> Service:
        """Return a Celery worker; it is ready once it reports so. If there is a backlog, it begins with it at once."""
        common = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")
        module = ("celery", "-A", "worker.celery_app", "worker", *arguments, *common)
        return self._service(name, module, lambda: self._listens(name))

    def _beat(self) -> Service:
        arguments = ("--scheduler", "worker.queue.scheduler:Scheduler", "--pidfile=", "--loglevel", "WARNING")
        return self._service("beat", ("celery", "-A", "worker.celery_app", "beat", *arguments))

    def _service(self, name: str, module: tuple[str, ...], ready: Any = lambda: True) -> Service:  # noqa: ANN401
        command = Command(
            argv=(sys.executable, "-m", *module),
            env=self._environment(),
            cwd=self.folder,
            log_path=self.folder / "logs" / f"{name}.log",
        )
        return Service(name, lambda: command, ready, stop_timeout=DRAIN_SECONDS)

    def _environment(self) -> dict[str, str]:
        """Return the settings as environment variables for the processes."""
        settings = self.settings.model_dump(mode="python", exclude_none=True)
        values = {
            variable_of(name): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in settings.items()
        }
        return {**os.environ, **values}

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)  # noqa: PLR2004
        except (urllib.error.URLError, OSError):
            return False

    def _listens(self, name: str) -> bool:
        with broker.client(self.settings, BROKER_SECONDS) as client:
            return broker.is_ready(client, name)

    def _facts(self) -> dict[str, Any]:
        database, broker = self.settings.database_url, self.settings.redis_url
        return {
            "url": self.url,
            "database_url": "" if database is None else database.get_secret_value(),
            "redis_url": "" if broker is None else broker.get_secret_value(),
            "accounts": self.accounts,
        }
