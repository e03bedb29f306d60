"""Writes the file of an export (R34): all numbers that match its filter, from one snapshot, in bounded memory.

The filter is resolved again, for the tenant as it is now: the file has nothing that its admin could not list (R3). A
work item that runs twice writes two files; the one that commits counts, and the other is removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import sqlalchemy as sa

from schemas import request_problems
from schemas.exports import MOST_SHEET_ROWS, ExportFormat, ExportOptions
from schemas.http.resources import NumbersFilter
from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from worker.config.failpoints import Failpoint, hit
from worker.database.engine import snapshot, transaction
from worker.database.time_limit import TooLongError
from worker.numbers import export, export_facts, export_names, export_workbook, filters
from worker.numbers.export_names import NamedPage
from worker.numbers.export_workbook import TooLargeError
from worker.numbers.filters import NumberFilter
from worker.queue import broker, completion, leases
from worker.steps.chunk_facts import job_of
from worker.storage import files, scratch

PROGRESS_SECONDS = 0.5  # between two records of how far the export is


class _CancelledError(Exception):
    """The job is being cancelled."""


@dataclass(frozen=True)
class _Order:
    """What to write, for whom."""

    actor: Actor
    options: ExportOptions


def write(lease: leases.Lease) -> None:
    """Store the file and end the job; or end it with the problem why the file cannot be made."""
    hit(Failpoint.EXPORT_CLAIMED)
    with transaction() as connection:
        row = completion.job_row(connection, lease.job_id)
        job = job_of(connection, row)
    if job.options.export is None:
        raise LookupError(f"job {lease.job_public_id} does not say what to export")
    actor = Actor(job.actor, row.created_by, row.created_by_admin_id)
    order = _Order(actor, ExportOptions.from_json(job.options.export))
    files.remove_older(lease.job_public_id, lease.token)  # of attempts that were killed
    key = files.export_key(lease.job_public_id, order.options.format, lease.token)
    try:
        numbers, facts = _stored(lease, order, key)
    except _CancelledError:
        _end(lease, completion.cancel_export)
    except TooLargeError:
        _refuse(lease, RequestCode.EXPORT_TOO_LARGE)
    except TooLongError:
        _refuse(lease, RequestCode.SEARCH_TOO_BROAD)
    else:
        hit(Failpoint.EXPORT_STORED)
        _complete(lease, key, numbers, facts)


def _complete(lease: leases.Lease, key: str, numbers: int, facts: dict[str, Any]) -> None:
    try:
        with transaction() as connection:
            following, is_kept = completion.complete_export(connection, lease, key, numbers, facts)
            hit(Failpoint.EXPORT_ENTERED)
    except leases.LostLeaseError:
        _remove(key)
        raise
    hit(Failpoint.EXPORT_COMMITTED)
    if not is_kept:
        _remove(key)
    broker.wake(following, lease.job_public_id)


def _remove(key: str) -> None:
    """Delete a file that no job refers to; if that fails, it is removed with the job's other files."""
    with suppress(files.StoreError):
        files.remove(key)


def _refuse(lease: leases.Lease, code: RequestCode) -> None:
    problem = request_problems.of_request(code)
    _end(lease, lambda connection, lease: completion.fail_job(connection, lease, problem))


def _end(lease: leases.Lease, end: Callable[[sa.Connection, leases.Lease], Any]) -> None:
    with transaction() as connection:
        following = end(connection, lease)
    broker.wake(following, lease.job_public_id)


def _stored(lease: leases.Lease, order: _Order, key: str) -> tuple[int, dict[str, Any]]:
    """Store the file; return how many numbers it has, and the facts about it (`schemas.http.resources.JobExport`)."""
    progress = _Progress(lease, MOST_SHEET_ROWS if order.options.format is ExportFormat.XLSX else None)
    with snapshot() as connection:
        facts = export_facts.facts_of(connection, order.actor)
        requested = NumbersFilter.model_validate(order.options.filter)
        resolved_filter = filters.resolve(connection, order.actor, NumberFilter(**requested.model_dump()))
        with_jobs = order.options.format is ExportFormat.JSONL
        named = export_names.named_pages(connection, resolved_filter, progress.expect, with_jobs=with_jobs)
        with closing(named) as pages:
            size = _written(key, order, progress.following(pages))
    return progress.done, facts.as_json() | {"size": size}


def _written(key: str, order: _Order, pages: Iterator[NamedPage]) -> int:
    """Store the pages in the format of the order; return the size of the file in bytes."""
    if order.options.format is ExportFormat.XLSX:
        with scratch.folder() as folder:
            path = folder / "numbers.xlsx"
            export_workbook.write(path, starmap(export.sheet_rows, pages))
            files.put(key, path)
            return path.stat().st_size
    is_csv = order.options.format is ExportFormat.CSV
    json_lines = export.JsonLines(order.actor)
    with files.Receiver(key, digest=False) as file:
        if is_csv:
            file.write(export.csv_header())
        for names, page in pages:
            file.write(export.csv_rows(names, page) if is_csv else json_lines.rows(names, page))
    return file.size


class _Progress:
    """Counts the numbers that are written, records it now and then, and ends the export if it is cancelled."""

    def __init__(self, lease: leases.Lease, most: int | None) -> None:
        self.done = 0
        self._lease = lease
        self._most = most
        self._total = 0
        self._due = time.monotonic()

    def expect(self, total: int) -> None:
        """Take how many numbers match in all. `TooLargeError`."""
        self._total = total
        self._check(total)

    def following(self, pages: Iterator[NamedPage]) -> Iterator[NamedPage]:
        """Yield the pages. `_CancelledError`, `TooLargeError`, `LostLeaseError`."""
        for names, page in pages:
            self._check(self.done + len(page))
            yield names, page
            self.done += len(page)
            hit(Failpoint.EXPORT_HALF_STORED, page.e164)
            self._record()

    def _check(self, numbers: int) -> None:
        if self._most is not None and numbers > self._most:
            raise TooLargeError

    def _record(self) -> None:
        if time.monotonic() < self._due:
            return
        with transaction() as connection:  # another one than the snapshot's, in which nothing can be written
            is_open = completion.note_progress(connection, self._lease, self._total, self.done)
        if not is_open:
            raise _CancelledError
        self._due = time.monotonic() + PROGRESS_SECONDS
