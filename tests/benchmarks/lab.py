"""The laboratory: one PostgreSQL, one data folder, the service on it, and files to import; all of it ends with it.

Scenarios take it as it is, empty the tables before what they time, and leave the rest behind.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

import worker.sample.generator
from tests.benchmarks.figures import Json
from tests.support.servers.service import POLL_SECONDS, role_of, wait_for
from webhook.cli.client import Api
from webhook.cli.commands.sample import write_sample
from worker.config.settings import Settings
from worker.runtime.local_stack import Stack
from worker.runtime.processes.ports import free_port

BENCH = Path(".bench")
WORKERS = 2
LEAST = 100  # rows, files or requests at the smallest scale
# Jobs that wait or run, and work items that a worker has not let go of yet.
_OPEN = """
    SELECT (SELECT count(*) FROM jobs WHERE finished_at IS NULL AND status <> 'review')
        + (SELECT count(*) FROM job_chunks WHERE state = 'leased')"""


@dataclass(frozen=True)
class Sizes:
    """How many rows, files and requests. Limits are meant for these, and not `judged` at any smaller scale."""

    big: int = 1_000_000
    middle: int = 100_000
    huge: int = 10_000_000
    stock: int = 30_000_000  # numbers in the table that is full already
    peer: int = 100_000
    peer_by_row: int = 10_000  # for what takes milliseconds a row
    actions: int = 100_000
    phone: int = 1_000_000
    listed: int = 5_000_000  # numbers in the inventory that is looked at
    waiting: int = 1_500  # files
    single: int = 2_400  # requests of all clients
    flood: int = 10_000  # files
    # A platform of the size that the service is made for.
    platform_numbers: int = 30_000_000
    platform_tenants: int = 10_000
    platform_jobs: int = 1_000_000
    platform_users: int = 100_000
    judged: bool = True

    def scaled(self, scale: float) -> Sizes:
        """All of them so many times as large."""
        rows = {
            one.name: max(round(getattr(self, one.name) * scale), LEAST) for one in fields(self) if one.name != "judged"
        }
        return replace(self, **rows, judged=self.judged and scale >= 1)


class Service:
    """The running service, and a connection of our own to its database."""

    def __init__(self, stack: Stack, connection: psycopg.Connection) -> None:
        self.stack = stack
        self.connection = connection
        self.is_warm = False  # whether every process has done its first piece of work

    @property
    def database_url(self) -> str:
        """The database's address as libpq takes it."""
        return _plain(self.stack)

    def account(self, kind: str, place: int = 0) -> Json:
        """An account of the demo's tree: the first of its kind, or a later one."""
        return [account for account in self.stack.accounts if account["kind"] == kind][place]

    def api(self, account: Json | None = None) -> Api:
        """A client in the name of an account, the first reseller's unless told."""
        return Api(self.stack.url, (account or self.account("reseller"))["token"])

    def empty(self) -> None:
        """No numbers, no files, nothing left to be written to the disk."""
        self.connection.execute("TRUNCATE phone_numbers, number_events, number_changes, number_change_positions")
        for folder in self.files.iterdir():
            shutil.rmtree(folder, ignore_errors=True)
        self.connection.execute("CHECKPOINT")

    def until_idle(self, seconds: float) -> None:
        """Wait until nothing is open but jobs in review; AssertionError after so many seconds."""
        wait_for(lambda: self.ask(_OPEN) == 0, seconds, "the end of all jobs", POLL_SECONDS)

    @contextmanager
    def paused(self, role: str) -> Iterator[None]:
        """Stop every process of a role (SIGSTOP), and continue them after the block."""
        processes = [one for one in psutil.Process().children(recursive=True) if role_of(one) == role]
        try:
            for process in processes:
                process.suspend()
            yield
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    @property
    def files(self) -> Path:
        """The storage's folder."""
        return self.stack.folder / "files"

    def like_the_inventory(self, name: str) -> None:
        """Make a table anew that has the columns and the indexes of the inventory, and no rows."""
        self.connection.execute(f"DROP TABLE IF EXISTS {name}".encode())
        self.connection.execute(f"CREATE TABLE {name} (LIKE phone_numbers INCLUDING ALL)".encode())
        self.connection.execute("CHECKPOINT")

    def ask(self, query: str, *values: object) -> Any:  # noqa: ANN401 - whatever the query gives
        """The one value that a query gives."""
        row = self.connection.execute(query.encode(), values).fetchone()
        return None if row is None else row[0]


class Lab:
    """Where scenarios run; `rounds` is how often each contender has its turn."""

    def __init__(self, sizes: Sizes, rounds: int = 3, cache: Path = BENCH) -> None:
        self.sizes = sizes
        self.rounds = rounds
        self.cache = cache
        self.imports: list[Any] = []  # every `imports.Import` so far
        self._held = ExitStack()
        self._running = ExitStack()
        self._workers = 0
        self._service: Service | None = None

    def __enter__(self) -> Self:
        folder = self._held.enter_context(tempfile.TemporaryDirectory(prefix="numberyard-bench-"))
        self._data = Path(folder) / "data"
        self._held.enter_context(self._running)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def service(self, workers: int = WORKERS) -> Service:
        """The service with so many worker processes; started again on the same data if it has another number."""
        if self._service is None or self._workers != workers:
            self._running.close()
            self._service, self._workers = self._started(workers), workers
        return self._service

    def file(self, rows: int, ending: str = "csv") -> Path:
        """The sample of so many rows; written once, and kept for later runs."""
        path = self.cache / "files" / f"{_generator()}-{rows}.{ending}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"part-{path.name}")
            write_sample(draft, rows, seed=1)
            draft.replace(path)
        return path

    def _started(self, workers: int) -> Service:
        stack = self._running.enter_context(Stack(Settings(data_dir=self._data, workers=workers), free_port()))
        stack.start(with_demo=True)
        connection = self._running.enter_context(psycopg.connect(_plain(stack), autocommit=True))
        return Service(stack, connection)


def _generator() -> str:
    """Which generator writes the samples: another one writes other files."""
    sources = sorted(Path(worker.sample.generator.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


def _plain(stack: Stack) -> str:
    url = stack.settings.database_url
    if url is None:
        raise RuntimeError("the service was not started")
    return url.get_secret_value().replace("+psycopg", "")
