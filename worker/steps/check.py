"""The check of a job: reads its rows, validates them and cuts them into chunks.

The rows come from a file, a list, a selection or the job to undo. A single batch is checked in one work item; of
several batches each is validated in its own, by any free worker. Stores the results under the lease's token; writes
nothing to the database.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Row

from schemas import arrow_schemas
from schemas.codes import Code
from schemas.column_mapping import ColumnMapping
from schemas.columns import Column, is_international
from schemas.job_kinds import ACTIONS, JOB_KINDS, JobKind
from schemas.jobs import JobStatus, Mode, OnError, Stage
from worker.config.failpoints import Failpoint, hit
from worker.config.settings import Settings, get_settings
from worker.database.engine import transaction
from worker.phone import Candidates
from worker.phone.number_readings import Batches, ColumnEvidence
from worker.queue import completion, leases
from worker.reports.row_messages import Layout
from worker.stages.block_rows import BlockLimits
from worker.stages.correct import spliced
from worker.stages.cut import deduplicate
from worker.stages.merge import merge
from worker.stages.plan import plan_undo
from worker.stages.read import FileFacts, FileFault, Limits, ReadOptions, RowBatch, Rows, no_profiles, read, read_list
from worker.stages.validate import Names, Parts, ValidatedRows, candidates_of, join_candidates, validate_rows
from worker.steps import failed_rows
from worker.steps.chunk_facts import Job, names_for
from worker.steps.failed_rows import FailedRows
from worker.steps.file_profiles import Profiles, may_take_profile
from worker.steps.file_reading import FileReading, described, file_facts
from worker.steps.preview import preview
from worker.storage import arrow_files, background_writes, corrected_files, scratch
from worker.storage import files as storage_files
from worker.storage.corrected_files import CORRECTED, CORRECTING

NAMES = b"names"  # metadata key of the stored rows
# Properties of each row that the reader determines, stored after its cells.
_BESIDE = pa.schema([("row", pa.int64()), ("too_wide", pa.bool_()), ("blank", pa.bool_())])


@dataclass(frozen=True)
class ReadFile:
    """A file of several batches that has been read: the facts about it, and the number of rows of each batch."""

    facts: Mapping[str, Any]
    batch_rows: Sequence[int]


Checked = completion.CheckedJob | ReadFile


def check_rows_of(lease: leases.Lease, job: Job, row: Row[Any], profiles: Profiles) -> tuple[Checked, FileReading]:
    """Read a file, a list or a selection; if it is a single batch, check it as well.

    `profiles` finds the import profile of a file that does not explain itself (R32). Raises `UnsettledTableError` if
    none fits; under review it has a description.
    """
    with scratch.folder() as workdir, _rows_of(lease, job, row, workdir, profiles) as rows:
        job = _by_profile(job, rows.facts, profiles)
        with transaction() as connection:
            names = names_for(connection, job, rows.facts)
        sizes, only = _read_all(lease, rows, names)
        facts = file_facts(rows.facts)  # after reading: some columns' meaning depends on all values
        if job.kind in ACTIONS:
            facts |= {"calling_codes": list(names.calling_codes), "country_code": job.options.country_code}
        if isinstance(rows, FailedRows):
            facts |= rows.kept_facts(lease)
        reading = FileReading(job.options, facts, _description(rows, job), profiles)
    if only is None:
        return ReadFile(facts, sizes), reading
    layout = corrected_files.layout_of(lease.job_public_id, lease.token, facts)
    return _cut_rows(lease, job, facts, Parts([validated(lease, job, layout, names, only)])), reading


def _description(rows: Rows, job: Job) -> dict[str, Any] | None:
    description = rows.description
    return None if description is None else described(description, rows.facts, JOB_KINDS[job.kind].form, job.actor)


def _by_profile(job: Job, facts: FileFacts, profiles: Profiles) -> Job:
    """Return the job with the options of the import profile that its file was read by, if any."""
    if facts.profile is None:
        return job
    return replace(job, options=profiles.applied(facts.profile, job.options))


def validate_batch(lease: leases.Lease, job: Job, facts: Mapping[str, Any]) -> str:
    """Validate the rows of one batch, each by itself; return the storage key of the results.

    After a correction (R33) only the rows that it changed, if the batch had been validated by a work item before.
    `FileFault` TOO_MANY_ROWS if its blocks contain more numbers than a file may have.
    """
    token = facts.get(CORRECTING)
    layout = corrected_files.layout_of(
        lease.job_public_id, lease.read, facts, CORRECTED if token is None else CORRECTING
    )
    with arrow_files.batches(storage_files.rows_key(lease.job_public_id, lease.read)) as stored:
        names = Names.from_json(stored.metadata[NAMES])
        batch = from_stored(stored[lease.number])
        base = None if token is None else _validated_before(lease)
        if token is None or base is None:
            table = validated(lease, job, layout, names, batch).table()
        else:
            changed = corrected_files.changed_rows(lease.job_public_id, lease.read, token)
            index = np.flatnonzero(np.isin(batch.row_number, changed, assume_unique=True))
            table = spliced(base, index, validated(lease, job, layout, names, rows_at(batch, index)).table())
    key = storage_files.batch_key(lease.job_public_id, lease.read, lease.number, lease.token)
    arrow_files.put_table(key, table)
    return key


def _validated_before(lease: leases.Lease) -> pa.Table | None:
    """Return the validated rows of a batch before its rows were corrected; None if they are not stored."""
    with transaction() as connection:
        key = completion.last_result_key(connection, lease)
    try:
        table = None if key is None else arrow_files.get_table(key)
    except storage_files.MissingFileError:
        return None
    return table if table is not None and table.schema.equals(arrow_schemas.VALIDATED) else None


def cut(lease: leases.Lease, job: Job, facts: Mapping[str, Any], keys: Sequence[str]) -> completion.CheckedJob:
    """Check all rows of a file together and cut them into chunks. `keys`: the files of its validated batches."""
    return _cut_rows(lease, job, facts, _Stored(keys))


class _Stored:
    """The validated rows of a whole file, read batch by batch (a `worker.phone.number_readings.Batches`)."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self.sizes: Sequence[int] = [table.num_rows for table in self._parts(("code",))]
        self._ends = np.cumsum(self.sizes)

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        columns = dict[str, np.ndarray]()
        for end, part in zip(self._ends.tolist(), self._parts(names), strict=True):
            for name in part.column_names:
                values = part.column(name).to_numpy()
                # In most files most columns are empty: they need no memory.
                if name not in columns and values.any():
                    columns[name] = np.zeros(self._ends[-1], values.dtype)
                if name in columns:
                    columns[name][end - len(values) : end] = values
        return {name: columns[name] if name in columns else self._zeros(name) for name in names}

    def columns_at(self, names: Sequence[str], row_index: np.ndarray) -> dict[str, np.ndarray]:
        columns = {name: np.zeros(len(row_index), self._zeros(name).dtype) for name in names}
        order = np.argsort(row_index)
        stops = np.searchsorted(row_index[order], self._ends)
        for begin, stop, start, key in zip([0, *stops[:-1]], stops, self._ends - self.sizes, self._keys, strict=True):
            if begin < stop:
                positions = order[begin:stop]
                part = arrow_files.get_table(key, names)
                for name in part.column_names:
                    columns[name][positions] = part.column(name).to_numpy()[row_index[positions] - start]
        return columns

    def candidates(self) -> Candidates:
        return join_candidates(
            zip(self.sizes, (candidates_of(part) for part in self._parts(("candidates",))), strict=True)
        )

    def _zeros(self, name: str) -> np.ndarray:
        return np.broadcast_to(
            np.zeros(1, arrow_schemas.VALIDATED.field(name).type.to_pandas_dtype()), int(self._ends[-1])
        )

    def _parts(self, names: Sequence[str]) -> Iterator[pa.Table]:
        return (arrow_files.get_table(key, names) for key in self._keys)


@contextmanager
def _rows_of(lease: leases.Lease, job: Job, row: Row[Any], workdir: Path, profiles: Profiles) -> Iterator[Rows]:
    form = JOB_KINDS[job.kind].form
    if job.options.only_failed:
        yield failed_rows.of_parent(job)
        return
    if row.file_name is None:
        yield read_list(
            arrow_files.get_table(storage_files.listed_key(lease.job_public_id)), _limits(get_settings()), form
        )
        return
    options = job.options
    mapping = ColumnMapping.from_json(options.mapping)
    layout = (options.delimiter, options.encoding, options.sheet, options.header_row)
    hints = ReadOptions(*layout, mapping, profiles.of_headers if may_take_profile(options) else no_profiles)
    describes = job.kind is JobKind.UPLOAD and options.mode is Mode.REVIEW
    with (
        _as_it_came(lease, row) as path,
        read(path, _limits(get_settings()), workdir=workdir, form=form, hints=hints, describes=describes) as sheet,
    ):
        yield sheet


@contextmanager
def _as_it_came(lease: leases.Lease, row: Row[Any]) -> Iterator[Path]:
    """Yield the path of the uploaded file. `FileFault` if its digest is no longer the one of the upload."""
    with storage_files.local(storage_files.upload_key(lease.job_public_id)) as path:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if not hmac.compare_digest(digest, row.file_sha256):
            raise FileFault(Code.DIGEST_MISMATCH, "The stored file no longer matches the upload.")
        yield path


def _read_all(lease: leases.Lease, rows: Rows, names: Names) -> tuple[list[int], RowBatch | None]:
    """Store the rows' cells for the checks and the report; return the batch sizes, and the batch if it is the only one.

    The current meaning of names is stored with the cells: all batches must interpret them alike (R29).
    """
    # Columns are named by their index: two of a file may have the same name. The last holds text beyond all columns.
    cells = [(str(index), pa.string()) for index in range(len(rows.facts.columns) + 1)]
    schema = pa.schema([*cells, *_BESIDE], {NAMES: names.to_json()})
    sizes = list[int]()
    only = None
    with (
        lease.timed(Stage.READ),
        arrow_files.writer(storage_files.rows_key(lease.job_public_id, lease.token), schema) as writer,
    ):
        for batch in rows.batches():
            only = None if sizes else batch
            sizes.append(len(batch.row_number))
            writer.write_batch(_to_store(batch, schema))
        hit(Failpoint.CHECK_READ)
    hit(Failpoint.CHECK_ROWS_STORED)
    return sizes, only


def _to_store(batch: RowBatch, schema: pa.Schema) -> pa.RecordBatch:
    rows = len(batch.row_number)
    surplus = pa.repeat(pa.scalar("", pa.string()), rows)
    if batch.surplus:
        surplus = pa.array([batch.surplus.get(row_index, "") for row_index in range(rows)], pa.string())
    beside = [pa.array(values) for values in (batch.row_number, batch.too_wide, batch.blank)]
    return pa.record_batch([*batch.cells.columns, surplus, *beside], schema=schema)


def from_stored(stored: pa.RecordBatch) -> RowBatch:
    """Return the rows of a stored batch, without the text beyond the last column."""
    beside = (stored.column(name).to_numpy(zero_copy_only=False) for name in _BESIDE.names)
    row_number, too_wide, blank = beside
    width = stored.num_columns - len(_BESIDE) - 1
    return RowBatch(row_number, stored.select(list(range(width))), too_wide, blank)


def rows_at(batch: RowBatch, index: np.ndarray) -> RowBatch:
    """Return some rows of a batch: `index` has their ascending indices (int64)."""
    cells = batch.cells.take(pa.array(index))
    return RowBatch(batch.row_number[index], cells, batch.too_wide[index], batch.blank[index])


def validated(lease: leases.Lease, job: Job, layout: Layout, names: Names, batch: RowBatch) -> ValidatedRows:
    """Validate rows, each by itself, with the layout's corrections. `FileFault` as for `validate_rows`."""
    sources = layout.sources(batch.row_number)
    with lease.timed(Stage.VALIDATE):
        return validate_rows(batch, sources, names, job.kind, job.options, _block_limits(get_settings()))


def _cut_rows(lease: leases.Lease, job: Job, facts: Mapping[str, Any], rows: Batches) -> completion.CheckedJob:
    with lease.timed(Stage.CUT):
        evidence = first_evidence(facts)
        international = has_international_header(facts)
        checked = deduplicate(rows, job.kind, job.options, international_header=international, evidence=evidence)
        _block_limits(get_settings()).check(checked.numbers)
        if job.options.on_error is OnError.ABORT:
            _check_all_or_nothing(checked.numbers, get_settings().max_rows_all_or_nothing)
        results = checked.results()
        facts = after_corrections(facts)
        # What a correction, or a retry of rows that fail when they are written, reads by the first evidence.
        is_needed = checked.decided_by is not None or job.options.mode is Mode.REVIEW or checked.faults.any()
        job_checked = _cut(lease, job, facts, results, checked.chunks)
        if job.kind is JobKind.UPLOAD and evidence is None and is_needed:
            return replace(job_checked, evidence=checked.evidence().to_json())
        return job_checked


def has_international_header(facts: Mapping[str, Any]) -> bool:
    """Return whether the name of the column with the numbers says that they are international (R14b)."""
    layout = Layout.from_json(facts)
    index = layout.mapping.get(Column.PHONE_NUMBER)
    return index is not None and is_international(layout.names[index])


def first_evidence(facts: Mapping[str, Any]) -> ColumnEvidence | None:
    """Return the evidence of the file's column of numbers before any row was corrected (R33), if it is stored."""
    return ColumnEvidence.from_json(facts["evidence"]) if "evidence" in facts else None


def after_corrections(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts once all rows are validated: the corrections that were being applied now count."""
    if CORRECTING not in facts:
        return facts
    return {name: value for name, value in facts.items() if name != CORRECTING} | {CORRECTED: facts[CORRECTING]}


def _check_all_or_nothing(numbers: int, most: int) -> None:
    """Refuse more numbers than one transaction may write: all are in memory at once. `FileFault` TOO_MANY_ROWS."""
    if numbers > most:
        detail = f"With on_error=abort, a job can write at most {most:,} numbers; this one has {numbers:,}."
        raise FileFault(Code.TOO_MANY_ROWS, detail, {"limit": most})


def check_undo(lease: leases.Lease, job: Job, row: Row[Any]) -> completion.CheckedJob:
    """Plan an undo from the results of the job to undo and its before-images (R27)."""
    with transaction() as connection:
        undone = completion.job_row(connection, row.undo_of_id)
        result_keys = completion.result_keys(connection, undone.id)
        image_keys = completion.image_keys(connection, undone.id)
    if undone.status == JobStatus.FAILED:  # a failed job has no merged results
        reached = merge(
            arrow_files.get_table(storage_files.checked_key(undone.public_id, undone.check_token)),
            map(arrow_files.get_table, result_keys),
            unreached=Code.CANCELLED,
        )
    else:
        reached = arrow_files.get_table(storage_files.results_key(undone.public_id))
    plan = plan_undo(reached, [arrow_files.get_table(key) for key in image_keys], undone.id)
    with storage_files.local(storage_files.rows_key(undone.public_id, undone.read_token)) as path:
        storage_files.put(storage_files.rows_key(lease.job_public_id, lease.token), path)
    kept = corrected_files.copied(lease, undone.public_id, undone.read_token, undone.file_facts)
    facts = {name: value for name, value in undone.file_facts.items() if name not in {CORRECTED, CORRECTING}}
    return _cut(lease, job, facts | kept, plan.results, plan.chunks)


def _cut(
    lease: leases.Lease,
    job: Job,
    facts: Mapping[str, Any],
    table: pa.Table,
    chunks: Callable[[int], Iterator[pa.Table]],
) -> completion.CheckedJob:
    """Store the check's results and the chunks to write. An all-or-nothing job has one chunk, for one transaction."""
    all_at_once = job.options.on_error is OnError.ABORT
    size = sys.maxsize if all_at_once else get_settings().rows_per_chunk
    with background_writes.storing() as writes:
        writes.put(storage_files.checked_key(lease.job_public_id, lease.token), table)
        sizes = store_chunks(lease, enumerate(chunks(size)), writes)
    tally = arrow_schemas.tally(table)
    review = None if job.options.mode is Mode.APPLY else preview(lease, job, facts, table, sizes, tally)
    return completion.CheckedJob(facts, table.num_rows, tally, list(sizes.values()), review)


def store_chunks(
    lease: leases.Lease, chunks: Iterable[tuple[int, pa.Table]], writes: background_writes.Files
) -> dict[int, int]:
    """Start to store chunks with their numbers; return the row count of each, by its number."""
    sizes = dict[int, int]()
    for number, chunk in chunks:
        writes.put(storage_files.chunk_key(lease.job_public_id, lease.token, number), chunk)
        hit(Failpoint.CHECK_CHUNK_STORED)
        sizes[number] = int(arrow_schemas.first_lines(chunk).sum())
    return sizes


def _block_limits(settings: Settings) -> BlockLimits:
    return BlockLimits(settings.max_block, settings.max_rows)


def _limits(settings: Settings) -> Limits:
    return Limits(
        bytes=settings.max_upload_bytes,
        rows=settings.max_rows,
        columns=settings.max_columns,
        cell_chars=settings.max_cell_chars,
        inflated_bytes=settings.max_inflated_bytes,
        child_memory_bytes=settings.workbook_memory_bytes,
        child_seconds=settings.workbook_seconds,
        inflated_ratio=settings.max_inflated_ratio,
        sheets=settings.max_sheets,
        block=settings.max_block,
        batch_rows=settings.rows_per_batch,
    )
