"""The stand: a whole Numberyard in processes of its own, with bad networks before its servers, and hands to hurt it.

`up` supervises web, workers and beat as it does for users; PostgreSQL and Valkey are the stand's, so that they can be
restarted or emptied. Whoever sends a file sends it as a careful client does: with its Idempotency-Key, again until 202.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil
import redis
import sqlalchemy as sa

from tests.chaos.files import Numbers
from tests.chaos.history import Event, History
from tests.chaos.proxy import Proxy
from tests.chaos.twin import Twin
from tests.support.servers import callback_receiver, service
from tests.support.servers.service import POLL_SECONDS, Json, Service, wait_for
from worker.config import failpoints
from worker.config.failpoints import Failpoint, Fault
from worker.queue.broker import ALL_QUEUES
from worker.runtime.embedded import EmbeddedPostgres, EmbeddedValkey

LEASE = 2.0
MAX_ATTEMPTS = 5
CHILDREN = 2  # workers at work at a time
END_SECONDS = 90.0  # for a job to end once nothing goes wrong any more
# Small: what takes minutes in the field takes seconds here.
SETTINGS: Mapping[str, object] = {
    "lease_seconds": LEASE,
    "hint_seconds": 1.0,
    "sweep_seconds": 0.5,
    "rows_per_chunk": 100,
    "rows_per_batch": 400,
    "max_attempts": MAX_ATTEMPTS,
    "callback_networks": callback_receiver.NETWORK,
    "callback_backoff_scale": 0.05,
    "callback_timeout_seconds": 1.0,
    "tidy_seconds": 2.0,
    "orphan_hours": 6 / 3600,
}
MADE = 202
TRANSIENT = {409, 429, 500, 502, 503, 504}


@dataclass
class Sent:
    """A request that made a job. `judged`: its outcome is compared with the twin's."""

    account: str
    path: str
    fields: Json
    content: bytes | None
    job_id: str
    took: float  # seconds, until it was accepted
    judged: bool = True


@dataclass
class Stand:
    """The service under attack, for as long as the `with` block."""

    folder: Path
    dice: random.Random
    workers: int = CHILDREN
    settings: Mapping[str, object] = field(default_factory=dict)
    numbers: Numbers = field(default_factory=Numbers)
    sent: list[Sent] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._held = contextlib.ExitStack()
        self.faults = self.folder / "faults"
        self.scratch = self.folder / "scratch"
        for made in (self.faults, self.scratch):
            made.mkdir(parents=True)
        self.postgres = EmbeddedPostgres(self.folder / "postgres", durable=False)
        self.valkey = EmbeddedValkey(self.folder / "valkey", durable=False)
        try:
            self._start()
        except BaseException:
            self._held.close()
            raise
        return self

    def _start(self) -> None:
        for server in (self.postgres, self.valkey):
            self._held.enter_context(server)
        given = {**SETTINGS, **self.settings}
        self.rows_per_chunk = int(str(given["rows_per_chunk"]))
        # A file of so many rows is checked and reported in one piece each; those of most attacks have more.
        self.rows_per_batch = int(str(given["rows_per_batch"]))
        self.up = self._start_service(given)
        self._held.callback(self._stop_up)
        self.engine = sa.create_engine(self.postgres.url, pool_pre_ping=True)
        self._held.callback(self.engine.dispose)
        self.history = History(self.engine)
        # What becomes of a row does not depend on how large pieces are (R29): the twin works on every file in one.
        undisturbed = {"lease_seconds": 60, "rows_per_chunk": 1_000_000, "rows_per_batch": 1_000_000}
        # It has a storage of its own, too, on the disk.
        own = {name: value for name, value in given.items() if not name.startswith("storage_")}
        self.twin = Twin(sa.make_url(self.postgres.url), self.folder / "twin", {**own, **undisturbed})
        self.twin.start(self.up.demo["accounts"])

    def _start_service(self, given: Mapping[str, object]) -> Service:
        """Start the service behind bad networks."""
        self.database_net = self._held.enter_context(Proxy(self.postgres.port))
        self.broker_net = self._held.enter_context(Proxy(self.valkey.port))
        self.environment = {
            **given,
            "database_url": self.postgres.url.replace(f":{self.postgres.port}/", f":{self.database_net.port}/"),
            "redis_url": self.valkey.url.replace(f":{self.valkey.port}/", f":{self.broker_net.port}/"),
            "faults_dir": self.faults,
        }
        return service.start(self.folder / "data", self.workers, self.scratch, **self.environment)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def _stop_up(self) -> None:
        for process in self.up.below():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)  # what a failed attack left standing
        self.up.stop()

    # What a client does

    def send(
        self,
        content: bytes | None,
        path: str = "/v1/uploads",
        *,
        account: str = "Harbour Telecom",
        judged: bool = True,
        **fields: Any,  # noqa: ANN401 - as the door takes them
    ) -> Sent:
        """Make a job, whatever it takes; the same key every time, so that there is one in the end."""
        key, began = str(uuid.uuid4()), time.monotonic()

        def made() -> str | None:
            answer = self.post(path, fields, content, account, key)
            if answer is None or answer.status_code in TRANSIENT:
                return None
            assert answer.status_code == MADE, answer.text
            return str(answer.json()["id"])

        job_id = wait_for(made, END_SECONDS, "a job to be accepted", POLL_SECONDS)
        return self.note(Sent(account, path, fields, content, job_id, time.monotonic() - began, judged))

    def send_at_once(self, contents: Sequence[bytes]) -> list[Sent]:
        """Make jobs of files, as clients do who know nothing of each other: none waits for another's answer."""
        with ThreadPoolExecutor(len(contents)) as pool:
            return list(pool.map(self.send, contents))

    def note(self, sent: Sent) -> Sent:
        """Every request that made a job is noted: there are to be no other jobs."""
        self.sent.append(sent)
        return sent

    def post(
        self,
        path: str,
        fields: Json | None = None,
        content: bytes | None = None,
        account: str = "Harbour Telecom",
        key: str = "",
    ) -> httpx.Response | None:
        """One request; None if it came to no answer."""
        headers = {"Idempotency-Key": key} if key else {}
        with contextlib.suppress(httpx.TransportError), self.up.client(account).http as http:
            if content is None:
                return http.post(path, json=fields, headers=headers)
            files = {"file": ("numbers.csv", content)}
            return http.post(path, files=files, data=fields, headers=headers)
        return None

    def delete(self, path: str, account: str = "Harbour Telecom") -> None:
        """Delete something that is there."""
        with self.up.client(account).http as http:
            assert http.delete(path).is_success

    def get(self, path: str, account: str = "Harbour Telecom", **query: str) -> httpx.Response:
        """What is there, asked for until somebody answers."""

        def asked() -> httpx.Response | None:
            with contextlib.suppress(httpx.TransportError), self.up.client(account).http as http:
                answer = http.get(path, params=query)
                return None if answer.status_code in TRANSIENT else answer
            return None

        found: httpx.Response = wait_for(asked, END_SECONDS, f"an answer to {path}")
        return found

    def job(self, sent: Sent) -> Json:
        """The job as it is now; its counts add up, whenever it is looked at (R28)."""
        found: Json = self.get(f"/v1/jobs/{sent.job_id}", sent.account).json()
        assert service.adds_up(found), found["counts"]
        return found

    def ended(self, sent: Sent, seconds: float = END_SECONDS) -> Json:
        """The job once it has ended."""

        def look() -> Json | None:
            job = self.job(sent)
            return job if job["status"] in service.ENDED else None

        found: Json = wait_for(look, seconds, f"end of job {sent.job_id}", POLL_SECONDS)
        return found

    # Hands to hurt it

    def arm(self, point: Failpoint, fault: Fault = Fault.KILL, times: int = 1, number: int | None = None) -> None:
        """Have processes meet a fault at a point."""
        failpoints.arm(self.faults, point, fault, times, number)

    def met(self, point: Failpoint) -> list[int]:
        """The processes that met a fault at a point."""
        return [int(path.name.rpartition("@")[2]) for path in self.faults.glob(f"met-{point}@*")]

    def wait_met(self, point: Failpoint, *besides: int) -> int:
        """Wait until a process, none of these, has met the fault at a point; answers which one."""
        return self.wait_all_met(point, 1, *besides)[0]

    def wait_all_met(self, point: Failpoint, count: int, *besides: int) -> list[int]:
        """Wait until so many processes have met the fault at a point; answers which."""

        def met() -> list[int]:
            return [pid for pid in self.met(point) if pid not in besides]

        wait_for(lambda: len(met()) >= count, END_SECONDS, f"{point} to be met")
        return met()

    def disarm(self) -> None:
        """Nobody meets anything any more."""
        for path in self.faults.iterdir():
            path.unlink()

    @property
    def broker(self) -> redis.Redis:
        """A connection of our own, past the bad network."""
        return redis.Redis.from_url(self.valkey.url)

    def ask(self, query: str, **values: Any) -> list[Any]:  # noqa: ANN401 - bound values
        """Rows of a query on the service's database, past the bad network."""
        with self.engine.begin() as connection:
            return list(connection.execute(sa.text(query), values))

    def job_row(self, sent: Sent) -> int:
        """The job's inner key."""
        return int(self.ask("SELECT id FROM jobs WHERE public_id = :job", job=sent.job_id)[0].id)

    def under_way(self, sent: Sent) -> None:
        """Wait until one of the job's chunks is written; whoever hurts it then proves it by `was_under_way`."""
        wait_for(lambda: self._written(sent), END_SECONDS, "the job to be under way")

    def was_under_way(self, sent: Sent, at: datetime) -> None:
        """Fail unless chunks of the job, which has ended, were written before a moment, and others only after it."""
        written = self._written(sent)
        assert min(written) < at < max(written), f"at {at} the job was not under way"

    def _written(self, sent: Sent) -> list[datetime]:
        return [event.at for event in self.events(sent) if (event.phase, event.state) == ("write", "done")]

    def messages(self, *queues: str) -> list[bytes]:
        """The messages that nobody has taken, of some queues or of all."""
        found = [self.broker.lrange(queue, 0, -1) for queue in queues or ALL_QUEUES]
        return [message for waiting in found for message in waiting if isinstance(message, bytes)]

    def logged(self, sent: Sent, event: str) -> list[Json]:
        """What the workers have logged of a job under this word."""
        lines = (self.folder / "data" / "logs" / "worker.log").read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if sent.job_id in line and f'"event": "{event}"' in line]
        return [line for line in found if line["job_id"] == sent.job_id]

    def cut_connections(self) -> None:
        """End every connection of the service to its database, and with it whatever was prepared there."""
        self.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'numberyard'")

    def events(self, sent: Sent) -> list[Event]:
        """What happened to the job's pieces until now."""
        return self.history.of(self.job_row(sent))

    @contextlib.contextmanager
    def standing_still(self, role: str) -> Iterator[None]:
        """All processes of a role are stopped, and go on behind the block."""
        stopped = self.up.processes(role)
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()
