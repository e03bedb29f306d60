"""Looks at all rows of a file together, for duplicates (R16), and cuts what is to be written into chunks.

Every row was checked by itself before, batch by batch, wherever that was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from schemas import permissions
from schemas.arrow_schemas import CHUNK, RESULTS
from schemas.codes import Code, fault_bit, number_of
from schemas.columns import Column
from schemas.jobs import JobKind, JobOptions, OnExisting
from schemas.user_services import Service, given
from worker.stages import number_ranges
from worker.stages.number_readings import Batches, decide_readings

DUPLICATE, CONFLICT = map(number_of, (Code.DUPLICATE_IN_FILE, Code.CONFLICTING_DUPLICATE))
CONFLICT_BIT = np.uint64(fault_bit(Code.CONFLICTING_DUPLICATE, Column.PHONE_NUMBER))
OVERLAP_BIT = np.uint64(fault_bit(Code.CONFLICTING_DUPLICATE, Column.END_NUMBER))
_CAPABILITIES = ("voice", "sms", "fax")
_COMPARED = ("voice_carrier_id", "sms_carrier_id", "target_id", "user_id", "service", "numbers")
_BITS = 64


@dataclass(frozen=True)
class CheckedFile:
    """A whole file checked: a result for every row that is settled, and the others in the order of their numbers."""

    rows: Batches
    code: np.ndarray  # uint8, of every row
    faults: np.ndarray  # uint64, of every row
    duplicate_of: np.ndarray  # int64: the first row's own number, 0 where the row is no duplicate
    order: np.ndarray  # int64: places of the rows to be written, by ascending number
    first: np.ndarray  # int64: the number, or the first one, that each of these stands for
    counts: np.ndarray  # int64: how many numbers each of these stands for

    def results(self) -> pa.Table:
        """Every row's standing (`schemas.arrow_schemas.RESULTS`), in the batches of the file."""
        found = {"code": self.code, "faults": self.faults, "duplicate_of": self.duplicate_of}
        found["written"] = np.zeros(len(self.code), dtype=np.int32)
        found |= self._both | self.rows.columns(("e164", "numbers"))
        ends = np.cumsum(self.rows.sizes).tolist()
        columns = []
        for field in RESULTS:
            values = found[field.name]
            parts = [values[end - size : end] for size, end in zip(self.rows.sizes, ends, strict=True)]
            columns.append(pa.chunked_array([pa.array(part, field.type) for part in parts], field.type))
        return pa.table(columns, schema=RESULTS)

    @cached_property
    def _both(self) -> dict[str, np.ndarray]:
        """What the results and the chunks have of every row."""
        return self.rows.columns(("row", "warnings"))

    @property
    def numbers(self) -> int:
        """How many numbers are to be written."""
        return int(self.counts.sum())

    def chunks(self, size: int) -> Iterator[pa.Table]:
        """What is to be written, about `size` numbers at a time (`schemas.arrow_schemas.CHUNK`); no row is split."""
        other = [name for name in CHUNK.names if name not in {"place", "e164", *self._both}]
        columns = self._both | self.rows.columns(other)
        for part in number_ranges.cuts(self.counts, size):
            rows, numbers = self.order[part], self.counts[part]
            place = number_ranges.repeated(rows, numbers)
            found = {name: values[place] for name, values in columns.items()}
            found |= {"place": place, "e164": number_ranges.expanded(self.first[part], numbers)}
            yield pa.table([pa.array(found[name]) for name in CHUNK.names], schema=CHUNK)


def check_file(rows: Batches, kind: JobKind, options: JobOptions, *, international_header: bool = False) -> CheckedFile:
    """Look at all rows together: of rows with the same number the first sound one in file order wins (R16).

    First the readings of their numbers are decided (`number_readings`); `international_header` as there.

    A row with a fault of its own takes no part: it can neither win, which would lose the number, nor be a duplicate,
    which would hide the fault.
    """
    rows = decide_readings(rows, options, international_header=international_header)
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
        # Each row that is not the first of its number stands behind the one that is.
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
    return CheckedFile(rows, code, faults, duplicate_of, order, first, numbers[order].astype(np.int64))


def _by_number(e164: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Some places (int64, ascending) by ascending number; those of one number stay in file order."""
    number = e164[place]
    bits = max(len(place) - 1, 0).bit_length()
    lowest = int(number.min(initial=np.iinfo(np.int64).max))
    span = int(number.max(initial=lowest)) - lowest
    if span.bit_length() + bits > _BITS:
        turn = np.argsort(number, kind="stable")
    else:
        # A number and its place in one integer: sorting these takes half the time of sorting places by numbers.
        key = (number - lowest).astype(np.uint64) << np.uint64(bits)
        key |= np.arange(len(place), dtype=np.uint64)
        key.sort()
        key &= np.uint64((1 << bits) - 1)
        turn = key.view(np.int64)
    found: np.ndarray = place[turn]
    return found


def _differ(rows: Batches, later: np.ndarray, original: np.ndarray, *, leaves: bool) -> np.ndarray:
    """Where two rows of one number do not agree in what they must agree in (bool; R10, R23).

    Left empty means FALSE, unless it leaves what there is.
    """
    lowest = -1 if leaves else 0
    differs = np.zeros(len(later), dtype=bool)
    pairs = rows.columns_at((*_CAPABILITIES, *_COMPARED), np.concatenate([later, original]))
    for name, values in pairs.items():
        both = np.maximum(values, lowest) if name in _CAPABILITIES else values
        differs |= both[: len(later)] != both[len(later) :]
    return differs


def _refuse_taken_slots(
    rows: Batches, code: np.ndarray, faults: np.ndarray, place: np.ndarray, options: JobOptions
) -> None:
    """R2: of rows (`place`, in file order) that give one user its number, or its Default DID, the first has it.

    Told here, where all rows are seen: chunks are written in any order (R29).
    """
    found = rows.columns_at(("user_id", "target_id", "service"), place)
    user, target, chosen = found["user_id"], found["target_id"], found["service"]
    user, service = given(user, target, chosen, options)
    claimed = (user != 0) & (service & int(Service.VOICE) != 0)
    claims, user = place[claimed], user[claimed]
    later = np.ones(len(claims), dtype=bool)
    later[np.unique(user, return_index=True)[1]] = False
    refused = permissions.check_slot(taken=True)
    if refused is not None:
        code[claims[later]] = number_of(refused)
        faults[claims[later]] |= np.uint64(fault_bit(refused, Column.USER))
