"""The failed rows of an ended upload, read from its stored cells for a new review (R33). The file is not read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from schemas.codes import Code, Outcome
from schemas.columns import Column
from schemas.jobs import JobOptions, OnError
from worker.database.engine import transaction
from worker.queue import completion, leases
from worker.reports.row_messages import outcome_mask
from worker.stages.read import FileFacts, FileFault, RowBatch
from worker.steps.chunk_facts import Job
from worker.storage import arrow_files, corrected_files, files


class FailedRows:
    """The rows of an ended upload that failed (a `worker.stages.read.Rows`), with their numbers in its file.

    If the upload was all-or-nothing, all rows: none was written, because some failed.
    """

    description = None

    def __init__(self, ended: sa.Row[Any]) -> None:
        self._job, self._read = ended.public_id, ended.read_token
        self._stored_facts: Mapping[str, Any] = ended.file_facts
        aborted = JobOptions.from_json(ended.options).on_error is OnError.ABORT
        self._outcomes = frozenset(Outcome if aborted else {Outcome.FAILED})
        self.facts = _facts(ended)

    def batches(self) -> Iterator[RowBatch]:
        """Yield the rows, in the batches of their file. `FileFault` EMPTY_FILE if none failed."""
        start, is_empty = 0, True
        with (
            arrow_files.batches(files.rows_key(self._job, self._read)) as batches,
            arrow_files.batches(files.results_key(self._job)) as results,
        ):
            table = results.table()
            for stored in batches:
                mask = outcome_mask(table.slice(start, stored.num_rows), self._outcomes)
                start += stored.num_rows
                if mask.any():
                    is_empty = False
                    yield _batch(stored.filter(pa.array(mask)))
        if is_empty:
            raise FileFault(Code.EMPTY_FILE, "The job has no failed rows.")

    def kept_facts(self, lease: leases.Lease) -> dict[str, Any]:
        """Return what the new job takes over: the first evidence, and its corrected cells, which this stores."""
        facts: dict[str, Any] = {}
        if "evidence" in self._stored_facts:
            facts["evidence"] = self._stored_facts["evidence"]
        if corrected_files.CORRECTED not in self._stored_facts:
            return facts
        rows = np.concatenate([batch.row_number for batch in self.batches()])
        return facts | corrected_files.copied(lease, self._job, self._read, self._stored_facts, rows)


def of_parent(job: Job) -> FailedRows:
    """Return the failed rows of the job's parent."""
    with transaction() as connection:
        own = completion.job_row(connection, job.id)
        return FailedRows(completion.job_row(connection, own.parent_id))


def _facts(ended: sa.Row[Any]) -> FileFacts:
    """Return the facts about the file as they were stored (`worker.steps.file_reading.file_facts`)."""
    names = {field.name for field in fields(FileFacts)} - {"profile"}
    raw = {name: value for name, value in ended.file_facts.items() if name in names}
    by_column = {
        part: {Column[name]: value for name, value in raw.get(part, {}).items()}
        for part in ("mapping", "constants", "values")
    }
    listed = {part: tuple(raw.get(part, ())) for part in ("columns", "ignored_columns", "numbers")}
    facts = FileFacts(**{**raw, **by_column, **listed, "notes": ()})
    return replace(facts, notes=(f"These are the rows that failed in an earlier job ({ended.public_id}).",))


def _batch(stored: pa.RecordBatch) -> RowBatch:
    """Return rows that `worker.steps.check` has stored: cells, the text beyond the last column, what is beside them."""
    row, too_wide, blank = (stored.column(name).to_numpy(zero_copy_only=False) for name in ("row", "too_wide", "blank"))
    width = stored.num_columns - 4
    surplus = {index: text for index, text in enumerate(stored.column(width).to_pylist()) if text}
    return RowBatch(row, stored.select(list(range(width))), too_wide, blank, surplus)
