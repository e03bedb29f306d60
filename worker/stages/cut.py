"""Find duplicates among all rows of a file (R16), and cut the rows to be written into chunks.

Every row has been validated by itself before, batch by batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from schemas import permissions
from schemas.arrow_schemas import CHUNK, RESULTS
from schemas.capabilities import CAPABILITY_NAMES
from schemas.codes import Code, fault_bit, number_of
from schemas.columns import Column
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions, OnExisting
from schemas.user_services import Service, assigned_services
from worker.phone.number_readings import Batches, ColumnEvidence, decide_readings, evidence_of
from worker.stages import number_ranges

DUPLICATE, CONFLICT = map(number_of, (Code.DUPLICATE_IN_FILE, Code.CONFLICTING_DUPLICATE))
CONFLICT_BIT = np.uint64(fault_bit(Code.CONFLICTING_DUPLICATE, Column.PHONE_NUMBER))
OVERLAP_BIT = np.uint64(fault_bit(Code.CONFLICTING_DUPLICATE, Column.END_NUMBER))
_COMPARED = ("voice_carrier_id", "sms_carrier_id", "target_id", "user_id", "service", "numbers")
_BITS = 64
_CHUNKS = 16  # in a file of so many chunks, they become larger


@dataclass(frozen=True)
class DeduplicatedFile:
    """A deduplicated file: the final results of rows that end here, and the rows to be written, by ascending number."""

    rows: Batches
    code: np.ndarray  # uint8, one per row of the file
    faults: np.ndarray  # uint64, one per row of the file
    duplicate_of: np.ndarray  # int64: row number of the first row with the same number, 0 if there is none
    order: np.ndarray  # int64: row indices of the rows to be written, by ascending number
    first: np.ndarray  # int64: the first number of each row in `order`
    counts: np.ndarray  # int64: the count of numbers of each row in `order`
    decided_by: ColumnEvidence | None  # what decided the rows with several readings; None: no row has several

    def evidence(self) -> ColumnEvidence:
        """Return what the rows show about how the file's numbers are written."""
        return evidence_of(self.rows) if self.decided_by is None else self.decided_by

    def results(self) -> pa.Table:
        """Return the result of every row so far (`schemas.arrow_schemas.RESULTS`), in the batches of the file."""
        values_by_name = {"code": self.code, "faults": self.faults, "duplicate_of": self.duplicate_of}
        values_by_name["written"] = np.zeros(len(self.code), dtype=np.int32)
        values_by_name |= self._shared_columns | self.rows.columns(("e164", "numbers"))
        ends = np.cumsum(self.rows.sizes).tolist()
        columns = []
        for field in RESULTS:
            values = values_by_name[field.name]
            parts = [values[end - size : end] for size, end in zip(self.rows.sizes, ends, strict=True)]
            columns.append(pa.chunked_array([pa.array(part, field.type) for part in parts], field.type))
        return pa.table(columns, schema=RESULTS)

    @cached_property
    def _shared_columns(self) -> dict[str, np.ndarray]:
        """The columns of all rows that both the results and the chunks need."""
        return self.rows.columns(("row", "warnings"))

    @property
    def numbers(self) -> int:
        """Return the count of numbers to be written."""
        return int(self.counts.sum())

    def chunks(self, size: int) -> Iterator[pa.Table]:
        """Yield the rows to be written in chunks of about `size` numbers, without splitting a row.

        A chunk costs about 20 ms besides its numbers, so in a file of many chunks each has up to twice as many. Each
        has the schema `schemas.arrow_schemas.CHUNK`.
        """
        other = [name for name in CHUNK.names if name not in {"place", "e164", *self._shared_columns}]
        columns = self._shared_columns | self.rows.columns(other)
        size = min(max(size, self.numbers // _CHUNKS), 2 * size)
        for part in number_ranges.cuts(self.counts, size):
            rows, numbers = self.order[part], self.counts[part]
            row_index = number_ranges.repeated(rows, numbers)
            chunk = {name: values[row_index] for name, values in columns.items()}
            chunk |= {"place": row_index, "e164": number_ranges.expanded(self.first[part], numbers)}
            yield pa.table([pa.array(chunk[name]) for name in CHUNK.names], schema=CHUNK)


def deduplicate(
    rows: Batches,
    kind: JobKind,
    options: JobOptions,
    *,
    international_header: bool = False,
    evidence: ColumnEvidence | None = None,
) -> DeduplicatedFile:
    """Deduplicate a file: of rows with the same number, the first valid row in file order wins (R16).

    Decides first how ambiguous numbers are read; `international_header` and `evidence` as in
    `number_readings.decide_readings`, whose `first` is the latter.

    A row with a fault of its own takes no part. If it won, the number would be lost; if it were a duplicate, the fault
    would be hidden.
    """
    rows, decided_by = decide_readings(rows, options, international_header=international_header, first=evidence)
    looked_at = rows.columns(("code", "faults", "e164", "numbers"))
    e164, numbers = looked_at["e164"], looked_at["numbers"]
    code, faults = looked_at["code"].copy(), looked_at["faults"].copy()
    del looked_at
    duplicate_of = np.zeros(len(code), dtype=np.int64)
    overlaps = number_ranges.overlapping(e164, numbers, code == 0)
    code[overlaps.later] = CONFLICT
    faults[overlaps.later] |= OVERLAP_BIT
    order = _by_number(e164, np.flatnonzero(code == 0))
    first = e164[order]
    is_first = np.r_[True, first[1:] != first[:-1]][: len(order)]
    later = order[~is_first]
    if len(later):
        # Each later row of a number comes after the first row of that number.
        begins = np.flatnonzero(is_first)
        original = order[begins[np.searchsorted(begins, np.flatnonzero(~is_first)) - 1]]
        order, first = order[is_first], first[is_first]
        leaves = kind is JobKind.CHANGE or options.on_existing is OnExisting.UPDATE
        differs = _differ(rows, later, original, leaves=leaves)
        code[later] = np.where(differs, CONFLICT, DUPLICATE)
        faults[later[differs]] |= CONFLICT_BIT
        duplicate_of[later] = rows.columns_at(("row",), original)["row"]
    if len(overlaps.later):
        duplicate_of[overlaps.later] = rows.columns_at(("row",), overlaps.earlier)["row"]
    if kind is JobKind.ASSIGN:
        _refuse_taken_slots(rows, code, faults, np.sort(order), options)
        goes_on = code[order] == 0
        order, first = order[goes_on], first[goes_on]
    counts = numbers[order].astype(np.int64)
    return DeduplicatedFile(rows, code, faults, duplicate_of, order, first, counts, decided_by)


def _by_number(e164: np.ndarray, row_index: np.ndarray) -> np.ndarray:
    """Sort row indices (int64, ascending) by their number; rows with the same number stay in file order."""
    number = e164[row_index]
    bits = max(len(row_index) - 1, 0).bit_length()
    lowest = int(number.min(initial=np.iinfo(np.int64).max))
    span = int(number.max(initial=lowest)) - lowest
    if span.bit_length() + bits > _BITS:
        turn = np.argsort(number, kind="stable")
    else:
        # Number and row index packed into one integer: sorting these takes half the time of an indirect sort.
        key = (number - lowest).astype(np.uint64) << np.uint64(bits)
        key |= np.arange(len(row_index), dtype=np.uint64)
        key.sort()
        key &= np.uint64((1 << bits) - 1)
        turn = key.view(np.int64)
    sorted_rows: np.ndarray = row_index[turn]
    return sorted_rows


def _differ(rows: Batches, later: np.ndarray, original: np.ndarray, *, leaves: bool) -> np.ndarray:
    """Return where two rows of the same number disagree in a value that must be the same (bool; R10, R23).

    An empty cell means FALSE, unless `leaves` is set: then it leaves the existing value as it is.
    """
    lowest = -1 if leaves else 0
    differs = np.zeros(len(later), dtype=bool)
    pairs = rows.columns_at((*CAPABILITY_NAMES, *_COMPARED), np.concatenate([later, original]))
    for name, values in pairs.items():
        both = np.maximum(values, lowest) if name in CAPABILITY_NAMES else values
        differs |= both[: len(later)] != both[len(later) :]
    return differs


def _refuse_taken_slots(
    rows: Batches, code: np.ndarray, faults: np.ndarray, row_index: np.ndarray, options: JobOptions
) -> None:
    """Let only the first row assign a user its number, or its Default DID (R2); later rows get a fault.

    `row_index`: row indices in file order. Decided here, where all rows are known, because chunks are written in any
    order (R29).
    """
    columns = rows.columns_at(("user_id", "target_id", "service"), row_index)
    user, target, services = columns["user_id"], columns["target_id"], columns["service"]
    user, service = assigned_services(user, target, services, options)
    claimed = (user != 0) & (service & int(Service.VOICE) != 0)
    claims, user = row_index[claimed], user[claimed]
    later = np.ones(len(claims), dtype=bool)
    later[np.unique(user, return_index=True)[1]] = False
    refused = permissions.check_slot(taken=True)
    if refused is not None:
        code[claims[later]] = number_of(refused)
        faults[claims[later]] |= np.uint64(fault_bit(refused, Column.USER))
