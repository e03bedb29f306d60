"""Checks every row by itself, whole columns at a time, then the file as a whole for duplicates (R10, R12, R14..R16).

Sees cells and names, nothing of the inventory: what the world says about a number is told by `resolve`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import pyarrow as pa

from schemas import cells, phone
from schemas.codes import FAULTS, Code, fault_bit, number_of
from schemas.columns import Column
from schemas.jobs import Accept, OnExisting
from schemas.names import fold
from schemas.phone import region
from schemas.results import CHUNK, RESULTS
from worker.stages.read import RowBatch

BLANK, DUPLICATE, CONFLICT = map(number_of, (Code.BLANK_ROW, Code.DUPLICATE_IN_FILE, Code.CONFLICTING_DUPLICATE))
CONFLICT_BIT = np.uint32(fault_bit(Code.CONFLICTING_DUPLICATE, Column.PHONE_NUMBER))
TOO_WIDE_BIT = np.uint32(fault_bit(Code.ROW_TOO_WIDE, Column.NONE))
NOT_FOUND_CODE: Mapping[Column, Code] = {
    Column.VOICE_CARRIER: Code.CARRIER_NOT_FOUND,
    Column.SMS_CARRIER_PROFILE: Code.CARRIER_NOT_FOUND,
    Column.TARGET: Code.TARGET_NOT_FOUND,
}
# The code's number of every fault, in the order of its bit.
_FAULT_CODES = np.array([number_of(fault.code) for fault in FAULTS], dtype=np.uint8)


@dataclass(frozen=True)
class Names:
    """What a name in a row may mean to this uploader (R12): folded name -> id. A name of two things is absent."""

    ids: Mapping[Column, Mapping[str, int]]


@dataclass(frozen=True)
class CheckedRows:
    """Rows checked one by one: arrays of one length, in file order. Dtypes as in `schemas.results`."""

    row: np.ndarray
    code: np.ndarray
    faults: np.ndarray
    warnings: np.ndarray
    e164: np.ndarray
    country: np.ndarray
    voice: np.ndarray
    sms: np.ndarray
    fax: np.ndarray
    voice_carrier_id: np.ndarray
    sms_carrier_id: np.ndarray
    target_id: np.ndarray

    @classmethod
    def concat(cls, parts: Sequence[CheckedRows]) -> CheckedRows:
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


@dataclass(frozen=True)
class CheckedFile:
    """A whole file checked: a result for every row that is settled, and the others in the order of their numbers."""

    rows: CheckedRows
    duplicate_of: np.ndarray  # int64: the first row's own number, 0 where the row is no duplicate
    order: np.ndarray  # int64: places of the rows to be written, by ascending number

    def results(self) -> pa.Table:
        """Every row's standing (`schemas.results.RESULTS`)."""
        rows = self.rows
        columns = (rows.row, rows.code, rows.faults, rows.warnings, rows.e164, self.duplicate_of)
        return pa.table([pa.array(column) for column in columns], schema=RESULTS)

    def chunks(self, size: int) -> Iterator[pa.Table]:
        """The rows to be written, `size` at a time (`schemas.results.CHUNK`)."""
        for start in range(0, len(self.order), size):
            place = self.order[start : start + size]
            columns = {"place": place} | {
                name: getattr(self.rows, name)[place] for name in CHUNK.names if name not in ("place", "country")
            }
            columns["country"] = region.names(self.rows.country[place])
            yield pa.table([pa.array(columns[name]) for name in CHUNK.names], schema=CHUNK)


def check_rows(batch: RowBatch, mapping: Mapping[Column, int], names: Names, accept: Accept) -> CheckedRows:
    """Check rows one by one: cells repaired and read, every fault found."""
    size = len(batch.row_number)

    def cell(column: Column) -> pa.Array:
        place = mapping.get(column)
        return pa.repeat(pa.scalar("", pa.string()), size) if place is None else batch.cells.column(place)

    country = cells.repair_country(cell(Column.COUNTRY_CODE))
    number = cells.repair_phone(cell(Column.PHONE_NUMBER))
    checked = phone.check_column(
        country.text, number.text, accept_possible=accept is Accept.POSSIBLE, was_numeric=number.was_numeric
    )
    booleans = {column: cells.read_boolean(cell(column), column) for column in (Column.VOICE, Column.SMS, Column.FAX)}
    named = {
        column: _ids_of(cell(column), names, column) if column in mapping else _Named.nothing(size)
        for column in NOT_FOUND_CODE
    }
    faults: np.ndarray = _first_repair_then_number(number.faults, checked.faults) | country.faults.astype(np.uint32)
    for found in (*(each.faults for each in booleans.values()), *(each.faults for each in named.values())):
        faults |= found.astype(np.uint32)
    faults[batch.too_wide] |= TOO_WIDE_BIT
    faults[batch.blank] = 0
    return CheckedRows(
        row=batch.row_number,
        code=np.where(batch.blank, BLANK, _first_code(faults)).astype(np.uint8),
        faults=faults,
        warnings=np.where(batch.blank, 0, country.warnings | number.warnings | checked.warnings).astype(np.uint32),
        e164=np.where(batch.blank, 0, checked.e164),
        country=region.regions_of(checked.e164),
        voice=booleans[Column.VOICE].value,
        sms=booleans[Column.SMS].value,
        fax=booleans[Column.FAX].value,
        voice_carrier_id=named[Column.VOICE_CARRIER].value,
        sms_carrier_id=named[Column.SMS_CARRIER_PROFILE].value,
        target_id=named[Column.TARGET].value,
    )


def check_file(parts: Sequence[CheckedRows], on_existing: OnExisting) -> CheckedFile:
    """Look at all rows together: of rows with the same number the first sound one in file order wins (R16).

    A row with a fault of its own takes no part: it can neither win, which would lose the number, nor be a duplicate,
    which would hide the fault.
    """
    rows = CheckedRows.concat(parts)
    sound = np.flatnonzero(rows.code == 0)
    order = sound[np.argsort(rows.e164[sound], kind="stable")]
    number = rows.e164[order]
    is_first = np.r_[True, number[1:] != number[:-1]][: len(order)]
    first = order[is_first][np.cumsum(is_first) - 1]
    later, original = order[~is_first], first[~is_first]
    differs = np.zeros(len(later), dtype=bool)
    for values in _compared(rows, on_existing):
        differs |= values[later] != values[original]
    rows.code[later] = np.where(differs, CONFLICT, DUPLICATE)
    rows.faults[later[differs]] |= CONFLICT_BIT
    duplicate_of = np.zeros(len(rows.row), dtype=np.int64)
    duplicate_of[later] = rows.row[original]
    return CheckedFile(rows, duplicate_of, order[is_first])


def _compared(rows: CheckedRows, on_existing: OnExisting) -> Iterator[np.ndarray]:
    """What two rows of one number must agree in. Left empty means FALSE, unless it may mean "leave as it is" (R10)."""
    for capability in (rows.voice, rows.sms, rows.fax):
        yield capability if on_existing is OnExisting.UPDATE else np.maximum(capability, 0)
    yield from (rows.voice_carrier_id, rows.sms_carrier_id, rows.target_id)


@dataclass(frozen=True)
class _Named:
    value: np.ndarray  # int32: the id, 0 where the cell is empty
    faults: np.ndarray  # uint32

    @classmethod
    def nothing(cls, size: int) -> _Named:
        return cls(np.zeros(size, np.int32), np.zeros(size, np.uint32))


def _ids_of(column: pa.Array, names: Names, which: Column) -> _Named:
    """Names to ids, each distinct name looked up once."""
    codes, distinct = pd.factorize(pd.array(cells.trim(column), dtype="string[pyarrow]"), use_na_sentinel=False)
    known = names.ids.get(which, {})
    folded = [fold(str(name)) for name in distinct]
    ids = np.array([known.get(name, 0) for name in folded] or [0], dtype=np.int32)
    bit = fault_bit(NOT_FOUND_CODE[which], which)
    faults = np.array([bit if name and name not in known else 0 for name in folded] or [0], dtype=np.uint32)
    return _Named(ids[codes], faults[codes])


def _first_repair_then_number(repair: np.ndarray, number: np.ndarray) -> np.ndarray:
    """A number whose digits are lost is not judged any further: what the library says of the rest would mislead."""
    country_bits = sum(1 << place for place, fault in enumerate(FAULTS) if fault.column is Column.COUNTRY_CODE)
    kept: np.ndarray = np.where(repair != 0, number & np.uint64(country_bits), number) | repair
    return kept.astype(np.uint32)


def _first_code(faults: np.ndarray) -> np.ndarray:
    """The code of the most telling fault, 0 where there is none."""
    lowest = faults & (~faults + np.uint32(1))
    place = np.log2(np.maximum(lowest, 1)).astype(np.uint8)
    codes: np.ndarray = np.where(faults == 0, 0, _FAULT_CODES[place])
    return codes
