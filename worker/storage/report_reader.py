"""Reads rows and results of a job that has ended or is under review: in pages, and as streams for reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from schemas import arrow_schemas
from schemas.codes import CATALOGUE, Code, Outcome
from schemas.columns import Column
from schemas.jobs import Seen
from worker.reports import render
from worker.reports.row_messages import Layout, outcome_mask
from worker.storage import arrow_files, files

PORTION = 4096  # rows
Outcomes = frozenset[Outcome] | None


@dataclass(frozen=True)
class Tokens:
    """Tokens of the leases under which a job's read and check were committed: only their files are valid."""

    read: int
    check: int


class Published:
    """A report that is open for reading."""

    def __init__(self, layout: Layout, cells: arrow_files.Batches, results: pa.Table) -> None:
        self._layout = layout
        self._cells = cells
        self._results = results

    def causes(self) -> dict[tuple[Outcome, Code, Column], Seen]:
        """Return the rows counted by outcome and code, failed rows also by column."""
        return arrow_schemas.causes(self._results)

    def batches(self, outcomes: Outcomes) -> Iterator[tuple[pa.RecordBatch, pa.Table]]:
        """Yield cells and results, batch by batch, of the rows with one of the outcomes (None: of all)."""
        start = 0
        for batch in self._slices():
            results = self._results.slice(start, batch.num_rows)
            start += batch.num_rows
            if outcomes is None:
                yield batch, results
                continue
            mask = pa.array(outcome_mask(results, outcomes))
            kept = batch.filter(mask)
            if kept.num_rows:
                yield kept, results.filter(mask)

    def _slices(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in portions that are small even as Python objects, to which JSON responses convert them."""
        for batch in self._cells:
            for start in range(0, batch.num_rows, PORTION):
                yield batch.slice(start, PORTION)

    def page(
        self, outcomes: Outcomes, code: str | None, first: int, limit: int, column: Column | None = None
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Return up to `limit` records from row index `first` on, and the row index of the next page, if any.

        `column`: only rows whose code is that of a fault in it.
        """
        mask = np.ones(self._results.num_rows, dtype=bool)
        if outcomes is not None:
            mask &= outcome_mask(self._results, outcomes)
        if code is not None:
            number = CATALOGUE[Code(code)].number if code in Code.__members__ else 0
            mask &= self._results.column("code").to_numpy() == number
        if column is not None:
            mask &= arrow_schemas.has_first_fault_at(self._results.column("faults").to_numpy(), column)
        places = np.flatnonzero(mask[first:]) + first
        following = int(places[limit]) if len(places) > limit else None
        return list(self._records(places[:limit])), following

    def _records(self, places: np.ndarray) -> Iterator[dict[str, Any]]:
        start = 0
        for batch in self._cells:
            row_indices = places[(places >= start) & (places < start + batch.num_rows)]
            if len(row_indices):
                cells = batch.take(pa.array(row_indices - start))
                yield from render.records(self._layout, cells, self._results.take(pa.array(row_indices)))
            start += batch.num_rows


@contextmanager
def open_report(job: str, tokens: Tokens, layout: Layout, *, preview: bool = False) -> Iterator[Published]:
    """Open a job's report or, with `preview`, the report that a job under review would have.

    `files.MissingFileError` if it does not exist (any more).
    """
    key = files.preview_key(job, tokens.check) if preview else files.results_key(job)
    with arrow_files.batches(files.rows_key(job, tokens.read)) as cells, arrow_files.batches(key) as results:
        yield Published(layout, cells, results.table())


def stream_report(
    job: str, tokens: Tokens, layout: Layout, outcomes: Outcomes, *, preview: bool = False
) -> Iterator[tuple[pa.RecordBatch, pa.Table]]:
    """Return a report's rows from the first to the last; the report stays open while they are read.

    `files.MissingFileError` at once if it does not exist (any more): in the middle of a response it would be too late.
    """
    rows = _opened(open_report(job, tokens, layout, preview=preview), outcomes)
    next(rows)
    return rows


def _opened(opening: AbstractContextManager[Published], outcomes: Outcomes) -> Iterator[Any]:
    """Yield None once the report is open, then its rows. Only a started generator closes what it has opened."""
    with opening as published:
        yield None
        yield from published.batches(outcomes)
