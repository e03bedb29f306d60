"""A whole import, from the first byte sent to `completed` with its report published, and a bare COPY of its rows.

The COPY loads what the import ended up with, in the file's order, into an identical table with the same indexes;
nothing else is asked of it.
"""

from __future__ import annotations

import io
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from tests.benchmarks.figures import Json
from tests.benchmarks.lab import WORKERS, Lab, Service
from tests.benchmarks.memory import MIB, Watch
from webhook.cli.client import Api

COLUMNS = (
    "e164, created_job_id, changed_job_id, holder_id, uploader_id, voice_carrier_id, sms_carrier_id, voice, sms, fax, "
    "country"
)
BLOCK = 1 << 20
WARMING = 100_000  # rows: some chunks for every worker
WAIT = 5  # seconds that a look at a job may take, as the command line has it
SUCCESSES = {"completed", "completed_with_errors"}
# As JSON, so that a ledger without these columns gives null.
LEDGER = """
    SELECT phase, to_jsonb(job_chunks) -> 'seconds',
        extract(epoch FROM (to_jsonb(job_chunks) ->> 'claimed_at')::timestamptz)::float8,
        extract(epoch FROM (to_jsonb(job_chunks) ->> 'ended_at')::timestamptz)::float8
    FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id WHERE jobs.public_id = %s"""


@dataclass(frozen=True)
class Times:
    """What the ledger says of a job.

    `stages`: seconds by stage, summed over all pieces of work. `phases`: (begin, end) by phase, seconds on one clock.
    """

    stages: Mapping[str, float]
    phases: Mapping[str, tuple[float, float]]

    def spans(self) -> dict[str, float]:
        """Seconds from the first claim to the last end, by phase."""
        return {phase: end - begin for phase, (begin, end) in self.phases.items()}

    def span_of(self, phases: Iterable[str]) -> float | None:
        """Seconds from the first claim to the last end of these phases; None if none of them was timed."""
        known = [self.phases[phase] for phase in phases if phase in self.phases]
        return max(end for _, end in known) - min(begin for begin, _ in known) if known else None


@dataclass(frozen=True)
class Import:
    """One import: seconds, rows of the file, peaks (MiB by role), and what it wrote (MiB)."""

    file: str
    rows: int
    seconds: float
    job: str
    status: str
    counts: Mapping[str, int]
    times: Times
    peaks: Mapping[str, float]
    written: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds

    def as_json(self) -> Json:
        return asdict(self)


def run(lab: Lab, service: Service, file: Path, *, anew: bool = True, **fields: str) -> Import:
    """Import a file, into an empty inventory unless not `anew`; RuntimeError if it does not end well."""
    if anew:
        service.empty()
    log = service.ask("SELECT pg_current_wal_lsn()")
    stored = _bytes_in(service.files)
    with service.api() as api, Watch() as watch:
        began = time.perf_counter()
        job = ended(api, begin(api, file, **fields))
        seconds = time.perf_counter() - began
    written = {
        "write-ahead log": float(service.ask("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s::pg_lsn)", log)),
        "inventory with indexes": float(service.ask("SELECT pg_total_relation_size('phone_numbers')")),
        "files": float(_bytes_in(service.files) - stored),
    }
    found = Import(
        file.name,
        job["counts"]["total"],
        seconds,
        job["id"],
        job["status"],
        job["counts"],
        times_of(service, job["id"]),
        watch.peaks,
        {name: size / MIB for name, size in written.items()},
    )
    lab.imports.append(found)
    return found


def warmed(lab: Lab, workers: int = WORKERS) -> Service:
    """The service once its processes have done their first work: what they then compile and load, they keep."""
    service = lab.service(workers)
    if not service.is_warm:
        with service.api() as api:
            ended(api, begin(api, lab.file(WARMING)))
        service.is_warm = True
    return service


def begin(api: Api, file: Path, **fields: str) -> Json:
    """Send a file; answers the job as it was accepted."""
    with file.open("rb") as content:
        return api.upload(file.name, content, fields, lambda _count: None)


def ended(api: Api, job: Json) -> Json:
    """A job once it has ended; RuntimeError if not well."""
    while job["finished_at"] is None:
        job = api.job(job["id"], wait=WAIT)
    if job["status"] not in SUCCESSES:
        raise RuntimeError(f"the import ended as {job['status']}: {job['problem']}")
    return job


def times_of(service: Service, job_id: str) -> Times:
    """The times of a job as far as the ledger has them."""
    stages: dict[str, float] = defaultdict(float)
    phases: dict[str, tuple[float, float]] = {}
    for phase, seconds, claimed, over in service.connection.execute(LEDGER, (job_id,)):
        for stage, spent in (seconds or {}).items():
            stages[stage] += float(spent)
        if claimed is not None and over is not None:
            begin, end = phases.get(phase, (claimed, over))
            phases[phase] = (min(begin, claimed), max(end, over))
    return Times(dict(stages), phases)


def rows_in_file_order(service: Service, job_id: str) -> bytes:
    """What the import wrote, as COPY reads it, in the order in which the numbers stand in the file."""
    query = f"COPY (SELECT {COLUMNS} FROM phone_numbers) TO STDOUT (FORMAT csv)"  # noqa: S608 - our own columns
    with service.connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
        text = io.BytesIO(b"".join(bytes(block) for block in copy))
    written = pd.read_csv(text, header=None, dtype=str, keep_default_na=False)
    with service.api() as api, api.report(job_id, "all", "csv") as blocks:
        report = pd.read_csv(io.BytesIO(b"".join(blocks)), dtype=str, keep_default_na=False)
    order = report.loc[report["_result"] == "created", "_number"].str.lstrip("+").tolist()
    return written.set_index(0, drop=False).loc[order].to_csv(header=False, index=False).encode()


def bare_copy(service: Service, rows: bytes) -> float:
    """Seconds that PostgreSQL takes to COPY the rows into an identical table."""
    service.like_the_inventory("bare")
    command = f"COPY bare ({COLUMNS}) FROM STDIN (FORMAT csv)".encode()
    began = time.perf_counter()
    with service.connection.cursor() as cursor, cursor.copy(command) as copy:
        for start in range(0, len(rows), BLOCK):
            copy.write(rows[start : start + BLOCK])
    seconds = time.perf_counter() - began
    service.connection.execute("DROP TABLE bare")
    return seconds


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
