"""Looks at all rows of a file together, for duplicates (R16), and cuts what is to be written into chunks.

Every row was checked by itself before, batch by batch, wherever that was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from schemas import permissions
from schemas.codes import Code, fault_bit, number_of
from schemas.columns import Column
from schemas.jobs import JobKind, JobOptions, OnExisting
from schemas.results import CHUNK, RESULTS
from schemas.services import Service, given
from worker.stages import ranges

DUPLICATE, CONFLICT = map(number_of, (Code.DUPLICATE_IN_FILE, Code.CONFLICTING_DUPLICATE))
CONFLICT_BIT = np.uint64(fault_bit(Code.CONFLICTING_DUPLICATE, Column.PHONE_NUMBER))
OVERLAP_BIT = np.uint64(fault_bit(Code.CONFLICTING_DUPLICATE, Column.END_NUMBER))


class Batches(Protocol):
    """The rows of a whole file, checked one by one, batch by batch. Columns are those of `schemas.results.CHECKED`.

    Ten million rows are a gigabyte, so a column is fetched when it is needed and let go of afterwards.
    """

    @property
    def sizes(self) -> Sequence[int]:
        """How many rows each batch has."""

    def column(self, name: str) -> np.ndarray:
        """A column of all rows, in file order; not to be written to."""


@dataclass(frozen=True)
class CheckedFile:
    """A whole file checked: a result for every row that is settled, and the others in the order of their numbers."""

    rows: Batches
    code: np.ndarray  # uint8, of every row
    faults: np.ndarray  # uint64, of every row
    duplicate_of: np.ndarray  # int64: the first row's own number, 0 where the row is no duplicate
    order: np.ndarray  # int64: places of the rows to be written, by ascending number
    counts: np.ndarray  # int64: how many numbers each of these stands for

    def results(self) -> pa.Table:
        """Every row's standing (`schemas.results.RESULTS`), in the batches of the file."""
        found = {"code": self.code, "faults": self.faults, "duplicate_of": self.duplicate_of}
        found["written"] = np.zeros(len(self.code), dtype=np.int32)
        ends = np.cumsum(self.rows.sizes).tolist()
        columns = []
        for field in RESULTS:
            values = found[field.name] if field.name in found else self.rows.column(field.name)
            parts = [values[end - size : end] for size, end in zip(self.rows.sizes, ends, strict=True)]
            columns.append(pa.chunked_array([pa.array(part, field.type) for part in parts], field.type))
        return pa.table(columns, schema=RESULTS)

    @property
    def numbers(self) -> int:
        """How many numbers are to be written."""
        return int(self.counts.sum())

    def chunks(self, size: int) -> Iterator[pa.Table]:
        """What is to be written, about `size` numbers at a time (`schemas.results.CHUNK`); no row is split."""
        columns = {name: self.rows.column(name) for name in CHUNK.names if name != "place"}
        for part in ranges.cuts(self.counts, size):
            rows, numbers = self.order[part], self.counts[part]
            place = ranges.repeated(rows, numbers)
            found = {name: values[place] for name, values in columns.items() if name != "e164"}
            found |= {"place": place, "e164": ranges.expanded(columns["e164"][rows], numbers)}
            yield pa.table([pa.array(found[name]) for name in CHUNK.names], schema=CHUNK)


def check_file(rows: Batches, kind: JobKind, options: JobOptions) -> CheckedFile:
    """Look at all rows together: of rows with the same number the first sound one in file order wins (R16).

    A row with a fault of its own takes no part: it can neither win, which would lose the number, nor be a duplicate,
    which would hide the fault.
    """
    code, faults = rows.column("code").copy(), rows.column("faults").copy()
    e164, numbers = rows.column("e164"), rows.column("numbers")
    duplicate_of = np.zeros(len(code), dtype=np.int64)
    overlaps = ranges.overlapping(e164, numbers, code == 0)
    code[overlaps.later] = CONFLICT
    faults[overlaps.later] |= OVERLAP_BIT
    sound = np.flatnonzero(code == 0)
    order = sound[np.argsort(e164[sound], kind="stable")]
    number = e164[order]
    is_first = np.r_[True, number[1:] != number[:-1]][: len(order)]
    later = order[~is_first]
    # Each row that is not the first of its number stands behind the one that is.
    original = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))[~is_first]]
    order = order[is_first]
    if len(later):
        differs = np.zeros(len(later), dtype=bool)
        leaves = kind is JobKind.CHANGE or options.on_existing is OnExisting.UPDATE
        for values in _compared(rows, later, original, leaves=leaves):
            differs |= values[0] != values[1]
        code[later] = np.where(differs, CONFLICT, DUPLICATE)
        faults[later[differs]] |= CONFLICT_BIT
    if len(later) or len(overlaps.later):
        row = rows.column("row")
        duplicate_of[later] = row[original]
        duplicate_of[overlaps.later] = row[overlaps.earlier]
    if kind is JobKind.ASSIGN:
        _refuse_taken_slots(rows, code, faults, np.sort(order), options)
        order = order[code[order] == 0]
    return CheckedFile(rows, code, faults, duplicate_of, order, numbers[order].astype(np.int64))


def _compared(
    rows: Batches, later: np.ndarray, original: np.ndarray, *, leaves: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What two rows of one number must agree in, of both (R10, R23).

    Left empty means FALSE, unless it leaves what there is.
    """
    for name in ("voice", "sms", "fax"):
        values = rows.column(name)
        lowest = -1 if leaves else 0
        yield np.maximum(values[later], lowest), np.maximum(values[original], lowest)
    for name in ("voice_carrier_id", "sms_carrier_id", "target_id", "user_id", "service", "numbers"):
        values = rows.column(name)
        yield values[later], values[original]


def _refuse_taken_slots(
    rows: Batches, code: np.ndarray, faults: np.ndarray, place: np.ndarray, options: JobOptions
) -> None:
    """R2: of rows (`place`, in file order) that give one user its number, or its Default DID, the first has it.

    Told here, where all rows are seen: chunks are written in any order (R29).
    """
    user, target, chosen = (rows.column(name)[place] for name in ("user_id", "target_id", "service"))
    user, service = given(user, target, chosen, options)
    claimed = (user != 0) & (service & int(Service.VOICE) != 0)
    claims, user = place[claimed], user[claimed]
    later = np.ones(len(claims), dtype=bool)
    later[np.unique(user, return_index=True)[1]] = False
    refused = permissions.check_slot(taken=True)
    if refused is not None:
        code[claims[later]] = number_of(refused)
        faults[claims[later]] |= np.uint64(fault_bit(refused, Column.USER))
