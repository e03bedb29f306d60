"""Corrections of an upload under review (R33): find what they change, and say beforehand what they would do.

Few rows are validated at once (`worker.steps.recut`). Many are validated batch by batch, by any worker
(`worker.steps.check.validate_batch`), and then all rows are cut again: duplicates are looked for in the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Row

from schemas import arrow_schemas
from schemas.capabilities import CAPABILITY_NAMES
from schemas.codes import Code, fault_bit
from schemas.columns import Column
from schemas.corrections import Correction
from schemas.jobs import OnExisting, Phase
from worker.database.engine import transaction
from worker.phone.number_readings import decide_readings
from worker.queue import completion, leases
from worker.reports import render
from worker.reports.row_messages import Layout
from worker.spreadsheet.corrected_cells import CorrectedCells
from worker.stages.correct import corrections_of
from worker.stages.read import FileFault
from worker.stages.validate import LEFT_OUT, Names, Parts
from worker.steps import check
from worker.steps import recut as recut_step
from worker.steps.chunk_facts import Job
from worker.steps.recut import Recut
from worker.storage import arrow_files, corrected_files, files

NO_CAPABILITY_BIT = np.uint64(fault_bit(Code.NO_CAPABILITY, Column.VOICE))
MOST_EXAMINED = 100_000  # rows that one question validates; of more, the first


@dataclass(frozen=True)
class Applied:
    """What the open corrections changed: the facts about the file, changed rows by batch, and by correction.

    `recut`: the checked job, if so few rows changed that they were validated here.
    """

    facts: Mapping[str, Any]
    rows: Mapping[int, int]
    batch_rows: Mapping[int, int] = field(default_factory=dict)
    recut: completion.RecutJob | None = None


def apply(lease: leases.Lease, job: Job, row: Row[Any], corrections: Sequence[Row[Any]]) -> Applied:
    """Apply corrections (rows of `corrections`) that are new, and take back those that are to be removed.

    Stores the corrected cells under the lease's token, and removes the files of the review that is over. `FileFault`
    TOO_MANY_ROWS if the file now stands for more numbers than it may.
    """
    public_id, facts = lease.job_public_id, row.file_facts
    cells = corrected_files.load(public_id, lease.read, facts)
    changed, counts = [np.zeros(0, np.int64)], dict[int, int]()
    for each in corrections:
        if each.is_removed:
            changed.append(cells.rows_of(each.number))
            cells = cells.without(each.number)
            continue
        correction = Correction.from_json(each.body)
        with _reviewed(lease, facts, cells) as parts:
            found = [part.changes(correction, each.number) for part in parts()]
        cells = cells.added(pa.concat_tables([arrow_schemas.CORRECTED_CELLS.empty_table(), *found]))
        changed.append(cells.rows_of(each.number))
        counts[each.number] = len(changed[-1])
    all_changed = np.unique(np.concatenate(changed))
    with transaction() as connection:
        validated = completion.result_keys(connection, lease.job_id, Phase.VALIDATE)
    _remove_superseded(lease, facts, validated)
    facts = {**facts, corrected_files.CORRECTING: lease.token}
    small = Recut(lease, job, facts, all_changed, validated)
    if small.is_small:
        corrected_files.put(public_id, lease.read, lease.token, cells, all_changed)
        recut = small.done()
        if recut is not None:
            return Applied(facts, counts, recut=recut)
    all_changed = np.union1d(all_changed, recut_step.overridden_rows(lease, facts))
    corrected_files.put(public_id, lease.read, lease.token, cells, all_changed)
    batch_rows = _by_batch(lease, all_changed)
    if not validated and not batch_rows:
        batch_rows = {0: 0}  # the check kept no validated rows of a single batch, and all rows are cut again
    facts = {name: value for name, value in facts.items() if name != corrected_files.OVERRIDES}
    return Applied(facts, counts, batch_rows)


def _remove_superseded(lease: leases.Lease, facts: Mapping[str, Any], validated: Iterable[str]) -> None:
    """Remove what no step needs any more; the review's files and the `validated` batches stay.

    A job that is cancelled now reports the results of the review.
    """
    job = lease.job_public_id
    kept = {files.rows_key(job, lease.read), files.checked_key(job, lease.check), files.preview_key(job, lease.check)}
    token = facts.get(corrected_files.CORRECTED)
    if token is not None:
        kept.add(files.corrected_key(job, lease.read, token))
    overrides = facts.get(corrected_files.OVERRIDES)
    if overrides is not None:
        kept.add(files.overrides_key(job, lease.read, overrides))
    kept.add(files.effects_key(job, lease.check))
    with transaction() as connection:
        chunks = completion.chunks_of_review(connection, lease)
    kept |= {files.chunk_key(job, token_of_chunk, number) for number, token_of_chunk in chunks.items()}
    files.remove_older(job, lease.token, kept | set(validated))


def _by_batch(lease: leases.Lease, changed: np.ndarray) -> dict[int, int]:
    """Return how many of the rows (ascending numbers) are in each batch that has some of them."""
    found = dict[int, int]()
    with arrow_files.batches(files.rows_key(lease.job_public_id, lease.read)) as batches:
        for number, cells in enumerate(batches):
            row = cells.column("row").to_numpy()
            if len(row) and (count := int(np.diff(np.searchsorted(changed, (row[0], row[-1] + 1)))[0])):
                found[number] = count
    return found


@dataclass(frozen=True)
class _Part:
    """The rows of one batch as the review shows them."""

    layout: Layout
    names: Names
    cells: pa.RecordBatch
    row: np.ndarray
    faults: np.ndarray

    def changes(self, correction: Correction, number: int) -> pa.Table:
        """Return what a correction changes here (`schemas.arrow_schemas.CORRECTED_CELLS`)."""
        is_named = bool(correction.rows) and np.isin(self.row, np.fromiter(correction.rows, np.int64)).any()
        if not is_named and not (correction.rules and self.faults.any()):
            return arrow_schemas.CORRECTED_CELLS.empty_table()
        sources = self.layout.sources(self.row)
        return corrections_of(
            correction,
            number,
            self.row,
            self.faults,
            lambda column: sources.untranslated(column, self.cells),
            lambda column: sources.original(column, self.cells),
        )


@contextmanager
def _reviewed(
    lease: leases.Lease, facts: Mapping[str, Any], cells: CorrectedCells
) -> Iterator[Callable[[], Iterator[_Part]]]:
    """Open the rows of a review with these corrections; each call of what it yields reads them batch by batch."""
    layout = replace(Layout.from_json(facts), preview=True, corrections=cells)
    results = arrow_files.get_table(files.preview_key(lease.job_public_id, lease.check), ("row", "faults"))
    row, faults = (results.column(name).to_numpy() for name in ("row", "faults"))
    with arrow_files.batches(files.rows_key(lease.job_public_id, lease.read)) as batches:
        names = Names.from_json(batches.metadata[check.NAMES])

        def parts() -> Iterator[_Part]:
            start = 0
            for stored in batches:
                part = slice(start, start + stored.num_rows)
                start = part.stop
                yield _Part(layout, names, stored, row[part], faults[part])

        yield parts


def preview(lease: leases.Lease, job: Job, row: Row[Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a correction would do (`schemas.http.corrections.CorrectionPreview`), each rule by itself.

    Rows are validated by themselves: whether a number is twice in the file, or exists, shows the next review.
    """
    correction = Correction.from_json(body)
    facts = row.file_facts
    current = corrected_files.load(lease.job_public_id, lease.read, facts)
    rules = []
    with _reviewed(lease, facts, current) as parts:
        for rule in correction.rules:
            examined = _Examined(lease, job, facts, current)
            for part in parts():
                examined.add(part, Correction(rules=(rule,)))
            rules.append(examined.counts())
        examined = _Examined(lease, job, facts, current, lists=True)
        if correction.rows:
            for part in parts():
                examined.add(part, replace(correction, rules=()))
    return {"rules": rules, "rows": examined.listed}


@dataclass
class _Examined:
    """Rows that a correction changes, validated with it."""

    lease: leases.Lease
    job: Job
    facts: Mapping[str, Any]
    current: CorrectedCells
    lists: bool = False
    rows: int = 0
    examined: int = 0
    right: int = 0

    def __post_init__(self) -> None:
        self.listed: list[dict[str, Any]] = []

    def counts(self) -> dict[str, int]:
        """Return `schemas.http.corrections.RulePreview`."""
        return {"rows": self.rows, "examined": self.examined, "right": self.right}

    def add(self, part: _Part, correction: Correction) -> None:
        """Count, and with `lists` describe, the rows of a batch that the correction changes."""
        changes = part.changes(correction, np.iinfo(np.int32).max)
        changed = np.unique(changes.column("row").to_numpy())
        self.rows += len(changed)
        index = np.flatnonzero(np.isin(part.row, changed[: MOST_EXAMINED - self.examined], assume_unique=True))
        if not len(index):
            return
        self.examined += len(index)
        layout = replace(part.layout, corrections=self.current.added(changes))
        batch = check.rows_at(check.from_stored(part.cells), index)
        try:
            rows = check.validated(self.lease, self.job, layout, part.names, batch)
        except FileFault:
            return  # blocks with more numbers than a file may have: none of these rows becomes right
        decided, _ = decide_readings(
            Parts([rows]),
            self.job.options,
            international_header=check.has_international_header(self.facts),
            first=check.first_evidence(self.facts),
        )
        names = ("row", "code", "faults", "warnings", "e164", "numbers")
        columns = decided.columns((*names, *CAPABILITY_NAMES))
        columns["faults"] = columns["faults"] | self._without_capability(columns)
        self.right += int(np.count_nonzero((columns["faults"] == 0) & (columns["code"] != LEFT_OUT)))
        if self.lists:
            self._list(layout, part.cells.take(pa.array(index)), columns)

    def _without_capability(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Return the fault (uint64, n) of rows that would add a number without any capability, as `resolve` finds it.

        Not if existing numbers are changed: which these are, only the next review shows.
        """
        has_none = np.all([columns[name] != 1 for name in CAPABILITY_NAMES], axis=0)
        adds = (columns["code"] == 0) & (columns["faults"] == 0)
        fails = has_none & adds & (self.job.options.on_existing is not OnExisting.UPDATE)
        return np.where(fails, NO_CAPABILITY_BIT, np.uint64(0))

    def _list(self, layout: Layout, cells: pa.RecordBatch, columns: dict[str, np.ndarray]) -> None:
        nothing = np.zeros(len(columns["row"]), np.int64)
        columns["code"] = np.where(columns["code"] == 0, arrow_schemas.first_code(columns["faults"]), columns["code"])
        values = columns | {"duplicate_of": nothing, "written": nothing}
        results = pa.table(
            [pa.array(values[field.name]).cast(field.type) for field in arrow_schemas.RESULTS],
            schema=arrow_schemas.RESULTS,
        )
        for record in render.records(layout, cells, results):
            shown = ("row", "code", "column", "message", "fix", "number", "warnings", "faults")
            self.listed.append({"right": not record["faults"]} | {name: record[name] for name in shown})
