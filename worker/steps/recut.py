"""After few rows of a review were corrected (R33): validate these, and replace only what they concern.

A corrected number may be a duplicate of any other, so rows with the numbers that a corrected row has, or had, are
compared again, by the same code as at the first check. Rows that can be written now are in new chunks. A chunk with a
row that is no longer written, or otherwise, is stored again without it. What was decided about all other rows stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import arrow_schemas
from schemas.jobs import OnError, Stage
from worker.arrays.batched_tables import batch_ends, with_rows
from worker.config.settings import get_settings
from worker.database.engine import transaction
from worker.phone import Candidates
from worker.phone.number_readings import ColumnEvidence
from worker.queue import completion, leases
from worker.stages.correct import spliced
from worker.stages.cut import DeduplicatedFile, deduplicate
from worker.stages.validate import Names
from worker.steps import check
from worker.steps.chunk_facts import Job
from worker.steps.preview import effects_of, preview
from worker.storage import arrow_files, background_writes, corrected_files, files
from worker.storage.corrected_files import CORRECTING, OVERRIDES

_VALIDATED = arrow_schemas.VALIDATED.names[:-1]  # without the readings in several countries, which an upload has not
_LOW_BITS = 0xFFFF


@dataclass(frozen=True)
class Recut:
    """A review whose rows (ascending numbers) were corrected; `facts` name the corrected cells that are to count."""

    lease: leases.Lease
    job: Job
    facts: Mapping[str, Any]
    changed: np.ndarray
    validated: Sequence[str]  # keys of the validated batches

    @property
    def is_small(self) -> bool:
        """Whether the rows can be validated in one work item, and the job's chunks stand for themselves."""
        most = get_settings().rows_per_batch
        is_apart = self.job.options.on_error is not OnError.ABORT and len(self.validated) > 1
        return is_apart and len(self.changed) <= most and len(overridden_rows(self.lease, self.facts)) <= most

    def done(self) -> completion.RecutJob | None:
        """Return the checked job; None if all rows have to be cut again."""
        lease = self.lease
        evidence = check.first_evidence(self.facts)
        try:
            effects = effects_of(lease)
        except files.MissingFileError:  # checked by an earlier release
            return None
        before = arrow_files.get_table(files.checked_key(lease.job_public_id, lease.check))
        with lease.timed(Stage.CUT), background_writes.storing() as writes:
            overrides = self._overrides(writes)
            if evidence is None or _has_blocks(before) or _has_blocks(overrides):
                return None
            compared = _Compared.of(self, before, overrides, evidence)
            writes.put(files.checked_key(lease.job_public_id, lease.token), compared.results)
            chunks = _chunks(lease, compared)
            if chunks is None:
                return None
            with background_writes.storing() as few:
                added = check.store_chunks(lease, chunks.stored.items(), few)
            tally = arrow_schemas.tally(compared.results)
            facts = {**check.after_corrections(self.facts), OVERRIDES: lease.token}
            stay = {number: effects[number] for number in chunks.kept}
            decided = chunks.decided(lease, compared)
            review = preview(lease, self.job, facts, decided, added, tally, stay)
        done = completion.CheckedJob(facts, before.num_rows, tally, list(added.values()), review)
        return completion.RecutJob(done, chunks.kept, added, compared.rows_to_write)

    def _overrides(self, writes: background_writes.Files) -> pa.Table:
        """Validate the changed rows; store them with those of earlier corrections, and return all of them."""
        lease, parts = self.lease, list[pa.RecordBatch]()
        layout = corrected_files.layout_of(lease.job_public_id, lease.read, self.facts, CORRECTING)
        with arrow_files.batches(files.rows_key(lease.job_public_id, lease.read)) as batches:
            names = Names.from_json(batches.metadata[check.NAMES])
            for stored in batches:
                row = stored.column("row").to_numpy()
                begin, end = np.searchsorted(self.changed, (row[0], row[-1] + 1)).tolist() if len(row) else (0, 0)
                if begin < end:
                    parts.append(stored.take(pa.array(np.searchsorted(row, self.changed[begin:end]))))
        earlier = _overridden(lease, self.facts)
        joined = earlier.filter(pa.array(~np.isin(earlier.column("row").to_numpy(), self.changed)))
        if parts:
            some = check.from_stored(pa.concat_batches(parts))
            joined = pa.concat_tables([joined, check.validated(lease, self.job, layout, names, some).table()])
        overrides = joined.sort_by("row").combine_chunks()
        writes.put(files.overrides_key(lease.job_public_id, lease.read, lease.token), overrides)
        return overrides

    def validated_at(self, row_index: np.ndarray, row: np.ndarray, ends: np.ndarray, over: pa.Table) -> pa.Table:
        """Return the validated rows at some ascending indices (`schemas.arrow_schemas.VALIDATED`).

        `row`: the numbers of all rows; `ends` as for `batch_ends`; `over`: rows that replace those of the batches.
        """
        stops = np.searchsorted(row_index, ends)
        starts = np.concatenate([[0], ends[:-1]])
        parts = [
            arrow_files.get_table(key, _VALIDATED).take(pa.array(row_index[begin:stop] - start))
            for key, begin, stop, start in zip(self.validated, [0, *stops[:-1]], stops, starts, strict=True)
            if begin < stop
        ]
        table = pa.concat_tables([arrow_schemas.VALIDATED.empty_table().select(_VALIDATED), *parts])
        theirs = np.searchsorted(over.column("row").to_numpy(), row[row_index])
        is_replaced = np.isin(row[row_index], over.column("row").to_numpy(), assume_unique=True)
        replacing = over.select(_VALIDATED).take(pa.array(theirs[is_replaced]))
        return spliced(table, np.flatnonzero(is_replaced), replacing)


@dataclass(frozen=True)
class _SomeRows:
    """Some rows of a file, in its order (a `worker.phone.number_readings.Batches`)."""

    table: pa.Table

    @property
    def sizes(self) -> Sequence[int]:
        return [self.table.num_rows]

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: self.table.column(name).to_numpy() for name in names}

    def columns_at(self, names: Sequence[str], row_index: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[row_index] for name, values in self.columns(names).items()}

    def candidates(self) -> Candidates:
        return Candidates.none()


@dataclass(frozen=True)
class _Compared:
    """The rows that a correction may concern, compared again. All arrays have ascending row indices (int64).

    `results`: of all rows, as after a cut. `some`: these rows, of which `checked` has the indices in `index`. `added`:
    rows that are written now and were not, or otherwise; `removed`: rows that were written, and are not, or otherwise.
    """

    results: pa.Table
    index: np.ndarray
    checked: DeduplicatedFile
    added: np.ndarray
    removed: np.ndarray
    rows_to_write: int

    @classmethod
    def of(cls, recut: Recut, before: pa.Table, overrides: pa.Table, evidence: ColumnEvidence) -> _Compared:
        """Compare the changed rows with all that have one of their numbers. `before`: the results of the last cut."""
        row, e164 = (before.column(name).to_numpy() for name in ("row", "e164"))
        changed = np.searchsorted(row, recut.changed)
        theirs = overrides.filter(pa.array(np.isin(overrides.column("row").to_numpy(), recut.changed)))
        numbers = [e164[changed], *(theirs.column(name).to_numpy() for name in ("e164", "alternative"))]
        index = np.union1d(changed, _having(e164, np.unique(np.concatenate(numbers))))
        rows = _SomeRows(recut.validated_at(index, row, batch_ends(before), overrides))
        international = check.has_international_header(recut.facts)
        options = recut.job.options
        checked = deduplicate(rows, recut.job.kind, options, international_header=international, evidence=evidence)
        found = checked.results()
        now = {name: found.column(name).to_numpy() for name in found.column_names}
        was_written, is_written = before.column("code").to_numpy()[index] == 0, now["code"] == 0
        differs = (e164[index] != now["e164"]) | np.isin(index, changed, assume_unique=True)
        added = index[is_written & (~was_written | differs)]
        removed = index[was_written & (~is_written | differs)]
        results = with_rows(before, index, now)
        total = int(np.count_nonzero(results.column("code").to_numpy() == 0))
        return cls(results, index, checked, added, removed, total)

    def new_chunks(self) -> Iterator[pa.Table]:
        """Yield the added rows as chunks (`schemas.arrow_schemas.CHUNK`)."""
        some = np.isin(self.index, self.added, assume_unique=True)[self.checked.order]
        of_added = {name: getattr(self.checked, name)[some] for name in ("order", "first", "counts")}
        for chunk in replace(self.checked, **of_added).chunks(get_settings().rows_per_chunk):
            place = pa.array(self.index[chunk.column("place").to_numpy()])
            yield chunk.set_column(chunk.schema.get_field_index("place"), "place", place)


@dataclass(frozen=True)
class _Chunks:
    """The chunks after a correction, by number. `kept`: with their check's token; `stored`: new ones, or again.

    `redone`: the indices of the rows that are, or were, in chunks that are stored again.
    """

    kept: Mapping[int, int]
    stored: Mapping[int, pa.Table]
    redone: Sequence[np.ndarray] = field(default_factory=list)

    def decided(self, lease: leases.Lease, compared: _Compared) -> pa.Table:
        """Return what is decided about every row (RESULTS); `code` 0 for those in the chunks that are `stored`."""
        earlier = arrow_files.get_table(files.preview_key(lease.job_public_id, lease.check))
        code = compared.results.column("code").to_numpy()[compared.index]
        stays = (code == 0) & ~np.isin(compared.index, compared.added, assume_unique=True)
        again = np.unique(np.concatenate([compared.index[~stays], *self.redone]))
        now = compared.results.take(pa.array(again))
        return with_rows(earlier, again, {name: now.column(name).to_numpy() for name in now.column_names})


def _chunks(lease: leases.Lease, compared: _Compared) -> _Chunks | None:
    """Return the chunks; None if their numbers would have a gap."""
    with transaction() as connection:
        existing = completion.chunks_of_review(connection, lease)
    stored, redone, free = dict[int, pa.Table](), list[np.ndarray](), list[int]()
    for number, token in sorted(existing.items()) if len(compared.removed) else ():
        chunk = arrow_files.get_table(files.chunk_key(lease.job_public_id, token, number))
        place = chunk.column("place").to_numpy()
        is_removed = np.isin(place, compared.removed)
        if not is_removed.any():
            continue
        redone.append(place)
        if is_removed.all():
            free.append(number)
        else:
            stored[number] = chunk.filter(pa.array(~is_removed))
    new = list(compared.new_chunks())
    unused = free[len(new) :]
    if unused != list(range(len(existing) - len(unused), len(existing))):
        return None
    later = range(len(existing), len(existing) + max(len(new) - len(free), 0))
    kept = {number: token for number, token in existing.items() if number not in stored and number not in free}
    return _Chunks(kept, stored | dict(zip([*free[: len(new)], *later], new, strict=True)), redone)


def _having(e164: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the ascending indices of the rows with one of these numbers; 0 is none."""
    may = np.zeros(_LOW_BITS + 1, np.bool_)
    may[numbers & _LOW_BITS] = True
    near = np.flatnonzero(may[e164 & _LOW_BITS])  # compares few of a million rows with the numbers
    having: np.ndarray = near[np.isin(e164[near], numbers) & (e164[near] != 0)]
    return having


def _has_blocks(table: pa.Table) -> bool:
    return (pc.max(table.column("numbers")).as_py() or 0) > 1


def _overridden(lease: leases.Lease, facts: Mapping[str, Any]) -> pa.Table:
    """Return the rows that earlier corrections have validated by themselves (`schemas.arrow_schemas.VALIDATED`)."""
    token = facts.get(OVERRIDES)
    if token is None:
        return arrow_schemas.VALIDATED.empty_table()
    return arrow_files.get_table(files.overrides_key(lease.job_public_id, lease.read, token))


def overridden_rows(lease: leases.Lease, facts: Mapping[str, Any]) -> np.ndarray:
    """Return the ascending numbers of the rows that earlier corrections have validated by themselves."""
    rows: np.ndarray = _overridden(lease, facts).column("row").to_numpy()
    return rows
