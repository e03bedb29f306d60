"""A whole import against a bare COPY: same rows, same server, same indexes, one run (`make bench`).

The import is timed from the first byte sent to `completed` with its report published. The COPY loads what the import
ended up with, in the file's order, into an identical table with the same indexes; nothing else is asked of it.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg

from webhook.cli.client import Api
from webhook.cli.sample import write_sample
from worker.infra.ports import free_port
from worker.infra.settings import Settings
from worker.infra.stack import Stack

COLUMNS = (
    "e164, created_job_id, changed_job_id, holder_id, uploader_id, voice_carrier_id, sms_carrier_id, voice, sms, fax, "
    "country"
)
BLOCK = 1 << 20


@dataclass(frozen=True)
class Round:
    """Seconds of one import and of one bare COPY of its rows."""

    imported: float
    copied: float
    rows: int


def main() -> None:
    """Print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(".bench/import.json"))
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="numberyard-bench-") as folder:
        figures = measure(Path(folder), wanted.rows, wanted.rounds, wanted.workers)
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    wanted.out.write_text(json.dumps(figures, indent=2))
    print(f"{'':28}{'seconds':>10}{'rows/s':>12}")
    for name in ("import", "copy"):
        seconds = figures[f"{name}_seconds"]
        print(f"{name:28}{seconds:>10.2f}{figures['rows'] / seconds:>12,.0f}")
    print(f"import / bare COPY          {figures['ratio']:>10.2f}   (median of {wanted.rounds} rounds)")


def measure(folder: Path, rows: int, rounds: int, workers: int) -> dict[str, Any]:
    """Figures of `rounds` imports and COPYs, one after the other on one server."""
    file = folder / "numbers.csv"
    write_sample(file, rows, seed=1)
    with Stack(Settings(data_dir=folder / "data", workers=workers), free_port()) as stack:
        stack.start(with_demo=True)
        found = [_round(stack, file) for _ in range(rounds)]
    imported = statistics.median(round_.imported for round_ in found)
    copied = statistics.median(round_.copied for round_ in found)
    return {
        "rows": rows,
        "workers": workers,
        "rounds": [vars(round_) for round_ in found],
        "import_seconds": imported,
        "copy_seconds": copied,
        "ratio": statistics.median(round_.imported / round_.copied for round_ in found),
        "machine": {"python": sys.version.split()[0], "processor": platform.processor() or platform.machine()},
    }


def _round(stack: Stack, file: Path) -> Round:
    reseller = next(account for account in stack.accounts if account["kind"] == "reseller")
    address = stack.settings.database_url.get_secret_value().replace("+psycopg", "")
    with Api(stack.url, reseller["token"]) as api, psycopg.connect(address, autocommit=True) as connection:
        connection.execute("TRUNCATE phone_numbers")
        connection.execute("CHECKPOINT")
        began = time.perf_counter()
        job = api.upload(file, {}, lambda _count: None)
        while job["finished_at"] is None:
            job = api.job(job["id"], wait=5)
        imported = time.perf_counter() - began
        if job["status"] not in {"completed", "completed_with_errors"}:
            raise RuntimeError(f"the import ended as {job['status']}")
        rows = _rows_in_file_order(api, connection, job["id"])
        connection.execute("CREATE TABLE bare (LIKE phone_numbers INCLUDING ALL)")
        connection.execute("CHECKPOINT")
        began = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy(f"COPY bare ({COLUMNS}) FROM STDIN (FORMAT csv)") as copy:
            for start in range(0, len(rows), BLOCK):
                copy.write(rows[start : start + BLOCK])
        copied = time.perf_counter() - began
        connection.execute("DROP TABLE bare")
    return Round(imported, copied, job["counts"]["total"])


def _rows_in_file_order(api: Api, connection: psycopg.Connection, job_id: str) -> bytes:
    """What the import wrote, as COPY reads it, in the order in which the numbers stand in the file."""
    query = f"COPY (SELECT {COLUMNS} FROM phone_numbers) TO STDOUT (FORMAT csv)"  # noqa: S608 - our own columns
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        text = io.BytesIO(b"".join(bytes(block) for block in copy))
    written = pd.read_csv(text, header=None, dtype=str, keep_default_na=False)
    with api.report(job_id, "all", "csv") as blocks:
        report = pd.read_csv(io.BytesIO(b"".join(blocks)), dtype=str, keep_default_na=False)
    order = report.loc[report["_result"] == "created", "_number"].str.lstrip("+").tolist()
    return written.set_index(0, drop=False).loc[order].to_csv(header=False, index=False).encode()


if __name__ == "__main__":
    main()
