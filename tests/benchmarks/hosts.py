"""One host with a worker against two, and what one database takes at most: the limit beyond them.

The hosts share PostgreSQL, Valkey and an S3 API server (`tests.chaos.hosts`). Their processor time is theirs alone, so
it can be compared on a machine with few cores; rates of more hosts than cores cannot be measured here.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.lab import Lab
from tests.chaos.hosts import ACCOUNT, COMMANDS, HostsStand, worker_command
from tests.support.servers.service import wait_for

QUEUES = "checking,chunks,reports,upkeep"
MOST_MORE = 1.15  # processor time of two hosts
PARTITIONS = 8
IMPORT_SECONDS = 600.0
_VALIDATED = """
    SELECT extract(epoch FROM max(ended_at) - min(claimed_at))::float8 AS seconds FROM job_chunks
    JOIN jobs ON jobs.id = job_chunks.job_id WHERE jobs.public_id = :job AND phase = 'validate'"""


def scenario(lab: Lab) -> Findings:
    """Processor time per row, validation by two workers, and COPY into tables of several kinds."""
    spent: dict[int, list[float]] = {1: [], 2: []}
    validated: dict[int, list[float | None]] = {1: [], 2: []}
    for _ in range(lab.rounds):
        for hosts, seconds_of_hosts in spent.items():
            with _running(hosts) as stand:
                seconds, span = _import(stand, lab)
            seconds_of_hosts.append(seconds)
            validated[hosts].append(span)
    rows = lab.sizes.big
    found = [
        *(
            Figure(f"processor time, {hosts} hosts", figures.median(one * 1e6 / rows for one in seconds), "us/row")
            for hosts, seconds in spent.items()
        ),
        Figure(
            "processor time: two hosts / one",
            figures.ratios(spent[2], spent[1]),
            "x",
            guarded(lab.sizes.judged, at_most(MOST_MORE)),
        ),
        Figure(
            "validation: one host / two",
            figures.ratios(validated[1], validated[2]),
            "x",
            None,
            "the S3 API server runs on the same cores; `workers` has the figure without it",
        ),
        *_copies(lab),
    ]
    return Findings(found, {"processor seconds": spent, "validation": validated})


@contextmanager
def _running(hosts: int) -> Iterator[HostsStand]:
    """The service with so many hosts that work, each with one worker process."""
    workers = {
        f"work-{number}": worker_command(f"work-{number}", QUEUES, "--concurrency", "1") for number in range(hosts)
    }
    with tempfile.TemporaryDirectory(prefix="bench-hosts-", ignore_cleanup_errors=True) as folder:
        large = {"rows_per_chunk": 25_000, "rows_per_batch": 65_536, "lease_seconds": 60}
        stand = HostsStand(Path(folder) / "1", random.Random(1), settings=large)
        stand.commands = {"web-1": COMMANDS["web-1"], "beat": COMMANDS["beat"], **workers}
        with stand:
            yield stand


def _import(stand: HostsStand, lab: Lab) -> tuple[float, float | None]:
    """Import the large file; return the processor seconds of the hosts that work, and the seconds of validation."""
    warm = stand.send(lab.file(imports.WARMING).read_bytes(), account=ACCOUNT)
    stand.ended(warm, IMPORT_SECONDS)
    with stand.engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE phone_numbers, number_events, number_changes, number_change_positions")
    before = _processor_seconds(stand)
    sent = stand.send(lab.file(lab.sizes.big).read_bytes(), account=ACCOUNT)
    job = stand.ended(sent, IMPORT_SECONDS)
    assert job["status"] in imports.SUCCESSES, job
    wait_for(lambda: not stand.ask("SELECT 1 FROM job_chunks WHERE state = 'leased'"), 60, "the end of all work")
    return _processor_seconds(stand) - before, stand.ask(_VALIDATED, job=sent.job_id)[0].seconds


def _processor_seconds(stand: HostsStand) -> float:
    hosts = [host for host in stand.hosts.hosts if host.name.startswith("work")]
    times = [process.cpu_times() for host in hosts for process in host.all_processes()]
    return sum(one.user + one.system for one in times)


def _copies(lab: Lab) -> Iterator[Figure]:
    """What the database takes: the rows of an import, sorted, by one and by two connections, by kind of table."""
    service = imports.warmed(lab)
    done = imports.run(lab, service, lab.file(lab.sizes.big))
    columns = imports.COLUMNS
    rows = _binary(service.connection, f"SELECT {columns} FROM phone_numbers ORDER BY e164")  # noqa: S608
    halves = [
        _binary(service.connection, f"SELECT {columns} FROM phone_numbers WHERE {half} ORDER BY e164")  # noqa: S608
        for half in ("hashint8(e164) % 2 = 0", "hashint8(e164) % 2 <> 0")
    ]
    yield Figure("whole import", done.seconds, "s")
    rates: dict[str, list[float]] = {}
    for _ in range(lab.rounds):
        for name, tables, contents in (
            ("one connection", ["plain"], [rows]),
            ("two connections", ["plain"], halves),
            ("two connections, hash partitions", ["parted"], halves),
            ("two connections, two tables", ["plain", "other"], halves),
        ):
            _make_tables(service.connection)
            rates.setdefault(name, []).append(_seconds(service.database_url, tables, contents))
    for name, seconds in rates.items():
        yield Figure(f"COPY, {name}", figures.median(lab.sizes.big / one for one in seconds), "rows/s")


def _make_tables(connection: psycopg.Connection) -> None:
    for name in ("plain", "other"):
        connection.execute(f"DROP TABLE IF EXISTS {name}".encode())
        connection.execute(f"CREATE TABLE {name} (LIKE phone_numbers INCLUDING ALL)".encode())
    connection.execute("DROP TABLE IF EXISTS parted")
    connection.execute("CREATE TABLE parted (LIKE phone_numbers INCLUDING ALL) PARTITION BY HASH (e164)")
    for number in range(PARTITIONS):
        of = f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
        connection.execute(f"CREATE TABLE parted_{number} PARTITION OF parted {of}".encode())
    connection.execute("CHECKPOINT")


def _binary(connection: psycopg.Connection, query: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode()) as copy:
        return b"".join(copy)


def _seconds(url: str, tables: list[str], contents: list[bytes]) -> float:
    """Load the contents at once, each over a connection of its own; return the seconds of all."""

    def load(table: str, content: bytes) -> None:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            into = f"COPY {table} ({imports.COLUMNS}) FROM STDIN (FORMAT binary)".encode()
            with cursor.copy(into) as copy:
                view = memoryview(content)
                for start in range(0, len(view), imports.BLOCK):
                    copy.write(view[start : start + imports.BLOCK])

    began = time.perf_counter()
    threads = [
        threading.Thread(target=load, args=(tables[place % len(tables)], content))
        for place, content in enumerate(contents)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began
