"""The review of a large file, and a correction of few of its rows (R33): only these are validated again.

Times are those of the ledger, from the first claim to the last end of the check's phases, so that a client's polling
makes no difference.
"""

from __future__ import annotations

import csv
import tempfile
import time
from pathlib import Path

from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, Json, at_most, guarded
from tests.benchmarks.lab import Lab, Service
from webhook.cli.client import Api
from worker.config.settings import get_settings
from worker.stages.read import Limits, read
from worker.stages.reading.description import ColumnCounter

DAMAGED = 400  # rows
FIRST = ("check", "validate", "cut")
AGAIN = ("correct", "validate", "cut")
RULE = {"column": "Country Code", "code": "MISSING_VALUE", "set": "1"}


def scenario(lab: Lab) -> Findings:
    """The correction takes at most a fifth of the first check; describing the columns at most 3 % of it."""
    service = imports.warmed(lab)
    first: list[float] = []
    again: list[float] = []
    described: list[float] = []
    with tempfile.TemporaryDirectory(prefix="numberyard-corrections-") as folder:
        file = _damaged(lab.file(lab.sizes.big), Path(folder) / "damaged.csv")
        for _ in range(lab.rounds):
            service.empty()
            with service.api() as api:
                job = _reviewed(api, imports.begin(api, file, mode="review"))
                first.append(_seconds(service, job, FIRST))
                before = job["review"]["effect"]["failed"]
                job = _reviewed(api, api.correct(job["id"], {"rules": [RULE]}))
                again.append(_seconds(service, job, AGAIN))
                made_right = before - job["review"]["effect"]["failed"]
                api.decide(job["id"], "cancel")
            described.append(_describing(file, Path(folder)))
    return Findings(
        [
            Figure("first check, under review", figures.median(first), "s"),
            Figure("rows made right by one rule", made_right, "rows"),
            Figure(
                f"correction of {DAMAGED} rows / first check",
                figures.ratios(again, first),
                "x",
                guarded(lab.sizes.judged, at_most(0.2)),
            ),
            Figure(
                "samples and values of the columns / first check",
                figures.ratios(described, first),
                "x",
                guarded(lab.sizes.judged, at_most(0.03)),
                "processor time of one worker",
            ),
        ],
        {"first": first, "correction": again, "description": described},
    )


def _damaged(source: Path, target: Path) -> Path:
    """The file with the country of `DAMAGED` rows removed, evenly over all of it."""
    with source.open(newline="", encoding="utf-8-sig") as read, target.open("w", newline="", encoding="utf-8") as write:
        rows = list(csv.reader(read))
        place = rows[0].index("Country Code")
        step = max(len(rows) // DAMAGED, 1)
        for row in rows[1 + step // 2 :: step]:
            row[place] = ""
        csv.writer(write).writerows(rows)
    return target


def _reviewed(api: Api, job: Json) -> Json:
    while job["status"] in {"accepted", "checking"}:
        job = api.job(job["id"], wait=imports.WAIT)
    if job["status"] != "review":
        raise RuntimeError(f"the check ended as {job['status']}: {job['problem']}")
    return job


def _seconds(service: Service, job: Json, phases: tuple[str, ...]) -> float:
    """Seconds of the phases that followed the latest start of the check."""
    query = """
        SELECT extract(epoch FROM max(ended_at) - min(claimed_at))::float8 FROM job_chunks
        WHERE job_id = (SELECT id FROM jobs WHERE public_id = %s) AND phase = ANY(%s)
          AND claimed_at >= (SELECT started_at FROM jobs WHERE public_id = %s) - interval '1 second'"""
    return float(service.ask(query, job["id"], list(phases), job["id"]))


def _describing(file: Path, folder: Path) -> float:
    """Processor seconds that counting the columns' values takes, beside reading them."""
    settings = get_settings()
    limits = Limits(
        bytes=settings.max_upload_bytes,
        rows=settings.max_rows,
        columns=settings.max_columns,
        cell_chars=settings.max_cell_chars,
        inflated_bytes=settings.max_inflated_bytes,
        child_memory_bytes=settings.workbook_memory_bytes,
        child_seconds=settings.workbook_seconds,
        inflated_ratio=settings.max_inflated_ratio,
        sheets=settings.max_sheets,
        batch_rows=settings.rows_per_batch,
        block=settings.max_block,
    )
    spent = 0.0
    with read(file, limits, workdir=folder) as sheet:
        header = sheet.table.header
        counter = ColumnCounter(header.numbers, header.columns)
        for batch in sheet.batches():
            began = time.process_time()
            counter.add(batch)
            spent += time.process_time() - began
        began = time.process_time()
        counter.columns()
        spent += time.process_time() - began
    return spent
