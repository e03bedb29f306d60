"""Validate every row by itself, a column at a time (R10, R12, R14, R15).

The same for every job kind: a column that the kind does not have is empty. Uses cells and names only. Faults that
depend on the inventory are found by `resolve`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.arrow_schemas import VALIDATED, first_code
from schemas.capabilities import CAPABILITIES
from schemas.codes import Code, fault_bit, number_of, warning_bit
from schemas.columns import Column
from schemas.job_kinds import JobKind
from schemas.jobs import Accept, JobOptions, NumberFormat
from schemas.name_matching import fold
from schemas.user_services import NO_SERVICE, read_services
from worker import phone
from worker.phone import Candidates, existing_numbers
from worker.spreadsheet import cell_repair
from worker.spreadsheet.cell_sources import CellSources
from worker.stages import block_rows
from worker.stages.block_rows import USUAL_LIMITS, BlockLimits
from worker.stages.read import RowBatch

BLANK, LEFT_OUT = map(number_of, (Code.BLANK_ROW, Code.LEFT_OUT))
CORRECTED_BIT = np.uint32(warning_bit(Code.CORRECTED))
TOO_WIDE_BIT = np.uint64(fault_bit(Code.ROW_TOO_WIDE, Column.NONE))
NO_TARGET_BIT = np.uint64(fault_bit(Code.MISSING_VALUE, Column.TARGET))
NO_SERVICE_BIT = np.uint64(fault_bit(Code.TARGET_NOT_FOUND, Column.SERVICE))
NOT_FOUND_CODE: Mapping[Column, Code] = {
    Column.VOICE_CARRIER: Code.CARRIER_NOT_FOUND,
    Column.SMS_CARRIER_PROFILE: Code.CARRIER_NOT_FOUND,
    Column.TARGET: Code.TARGET_NOT_FOUND,
    Column.USER: Code.TARGET_NOT_FOUND,
}


@dataclass(frozen=True)
class Names:
    """The ids that names in a row refer to (R12), by column and folded name. Ambiguous names are absent.

    `calling_codes`: the countries, ascending, in which an action looks up numbers without a country (R14c).
    """

    ids: Mapping[Column, Mapping[str, int]]
    calling_codes: tuple[int, ...] = ()

    def to_json(self) -> str:
        ids = {column.name: ids for column, ids in self.ids.items()}
        return json.dumps({"ids": ids, "calling_codes": self.calling_codes}, default=dict)

    @classmethod
    def from_json(cls, text: bytes) -> Names:
        raw = json.loads(text)
        # Files that were stored before calling codes were added have no "ids" key.
        ids = {Column[name]: ids for name, ids in raw.get("ids", raw).items()}
        return cls(ids, tuple(raw.get("calling_codes", ())))


@dataclass(frozen=True)
class ValidatedRows:
    """Validated rows: arrays of one length, in file order. Dtypes as in `schemas.arrow_schemas.VALIDATED`."""

    row: np.ndarray
    code: np.ndarray
    faults: np.ndarray
    warnings: np.ndarray
    e164: np.ndarray
    capabilities: Mapping[str, np.ndarray]  # by name
    voice_carrier_id: np.ndarray
    sms_carrier_id: np.ndarray
    target_id: np.ndarray
    user_id: np.ndarray
    service: np.ndarray
    numbers: np.ndarray
    evidence: np.ndarray
    alternative: np.ndarray
    candidates: Candidates

    def table(self) -> pa.Table:
        """Return the rows as a table (`schemas.arrow_schemas.VALIDATED`)."""
        columns = {name: pa.array(self.column(name), VALIDATED.field(name).type) for name in VALIDATED.names[:-1]}
        columns["candidates"] = _as_lists(self.candidates, len(self.row))
        return pa.table(columns, schema=VALIDATED)

    def column(self, name: str) -> np.ndarray:
        """Return the array of a column of the table, except `candidates`."""
        values: np.ndarray = self.capabilities[name] if name in self.capabilities else getattr(self, name)
        return values


_KIND_BITS = 8  # the lowest bits of a stored candidate hold its kind, the others its number


def _as_lists(candidates: Candidates, rows: int) -> pa.ListArray:
    """Return the readings of each row, as `schemas.arrow_schemas.VALIDATED` stores them."""
    offsets = np.searchsorted(candidates.row, np.arange(rows + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(candidates.e164 << _KIND_BITS | candidates.kind))


def candidates_of(stored: pa.Table) -> Candidates:
    """Return the readings of the rows of a stored batch (`schemas.arrow_schemas.VALIDATED`)."""
    if "candidates" not in stored.column_names:  # stored by an earlier version
        return Candidates.none()
    column = stored.column("candidates").combine_chunks()
    values = column.flatten().to_numpy()
    row = np.repeat(np.arange(len(column)), pc.list_value_length(column).to_numpy())
    return Candidates(row, values >> _KIND_BITS, values & ((1 << _KIND_BITS) - 1))


@dataclass(frozen=True)
class Parts:
    """The rows of a whole file as batches in memory (`worker.phone.number_readings.Batches`)."""

    parts: Sequence[ValidatedRows]

    @property
    def sizes(self) -> Sequence[int]:
        return [len(part.row) for part in self.parts]

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: np.concatenate([part.column(name) for part in self.parts]) for name in names}

    def columns_at(self, names: Sequence[str], place: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[place] for name, values in self.columns(names).items()}

    def candidates(self) -> Candidates:
        return join_candidates(zip(self.sizes, (part.candidates for part in self.parts), strict=True))


def join_candidates(parts: Iterable[tuple[int, Candidates]]) -> Candidates:
    """Return the readings of consecutive batches, each with its row count, as the readings of one file."""
    batches, begin = [Candidates.none()], 0
    for size, part in parts:
        batches.append(Candidates(part.row + begin, part.e164, part.kind))
        begin += size
    return Candidates(*(np.concatenate([getattr(part, name) for part in batches]) for name in ("row", "e164", "kind")))


def validate_rows(  # noqa: PLR0913, PLR0917 - the rows, and everything that validates them
    batch: RowBatch,
    sources: CellSources,
    names: Names,
    kind: JobKind,
    options: JobOptions,
    limits: BlockLimits = USUAL_LIMITS,
) -> ValidatedRows:
    """Validate rows one by one: repair and read their cells, and collect every fault.

    Blank rows have no fault, nor have rows that were left out (R33).
    `limits`: limits on the numbers of blocks (R12). Raises `FileFault` TOO_MANY_ROWS if the blocks exceed the file's
    limit.
    """
    size = len(batch.row_number)

    def cell(column: Column) -> pa.Array:
        return sources.cells(column, batch.cells)

    columns = (Column.COUNTRY_CODE, Column.PHONE_NUMBER, Column.END_NUMBER, Column.BLOCK_SIZE)
    in_cells = _NumberCells(*map(cell, columns))
    if kind is JobKind.UPLOAD:
        number = _new_numbers(in_cells, options, limits)
    else:
        number = _existing_numbers(in_cells, options, names.calling_codes)
    booleans = {each.name: cell_repair.read_boolean(cell(each.column), each.column) for each in CAPABILITIES}
    references = {
        column: _ids_of(cell(column), names, column) if column in sources else _Named.nothing(size)
        for column in NOT_FOUND_CODE
    }
    service = _services_of(cell(Column.SERVICE)) if Column.SERVICE in sources else _Named.nothing(size)
    faults = number.faults.copy()
    for faults_of_column in (
        *(each.faults for each in booleans.values()),
        *(each.faults for each in (*references.values(), service)),
    ):
        faults |= faults_of_column
    if kind is JobKind.ASSIGN and options.target_id is None and options.user_id is None:
        nowhere = (references[Column.TARGET].value == 0) & (references[Column.USER].value == 0)
        faults[nowhere & (references[Column.TARGET].faults == 0) & (references[Column.USER].faults == 0)] |= (
            NO_TARGET_BIT
        )
    faults[batch.too_wide] |= TOO_WIDE_BIT
    corrected = sources.corrections.touched(size)
    aside = np.where(batch.blank & ~corrected, np.uint8(BLANK), np.uint8(0))
    if sources.corrections.left_out is not None:
        aside[sources.corrections.left_out] = LEFT_OUT
    is_aside = aside != 0
    faults[is_aside] = 0
    warnings = np.where(corrected, number.warnings | CORRECTED_BIT, number.warnings)
    return ValidatedRows(
        row=batch.row_number,
        code=np.where(is_aside, aside, first_code(faults)).astype(np.uint8),
        faults=faults,
        warnings=np.where(is_aside, 0, warnings).astype(np.uint32),
        e164=np.where(is_aside, 0, number.e164),
        capabilities={name: boolean.value for name, boolean in booleans.items()},
        voice_carrier_id=references[Column.VOICE_CARRIER].value,
        sms_carrier_id=references[Column.SMS_CARRIER_PROFILE].value,
        target_id=references[Column.TARGET].value,
        user_id=references[Column.USER].value,
        service=service.value.astype(np.int8),
        numbers=np.where(is_aside, 1, number.numbers),
        evidence=np.where(is_aside, 0, number.evidence).astype(np.uint8),
        alternative=number.alternative,
        candidates=number.candidates,
    )


@dataclass(frozen=True)
class _NumberCells:
    """The cells of n rows that state their numbers, unrepaired."""

    country: pa.Array
    number: pa.Array
    end: pa.Array
    size: pa.Array


@dataclass(frozen=True)
class _Numbers:
    e164: np.ndarray  # int64, 0 if the row has a fault or is undecided
    faults: np.ndarray  # uint64, faults of country and number
    warnings: np.ndarray  # uint32
    numbers: np.ndarray  # int64, count of consecutive numbers from `e164`
    evidence: np.ndarray  # uint8
    alternative: np.ndarray  # int64
    candidates: Candidates


def _new_numbers(number_cells: _NumberCells, options: JobOptions, limits: BlockLimits) -> _Numbers:
    """Read the numbers of rows to be added: validate them (R15) and expand blocks (R14e)."""
    country, number = cell_repair.repair_country(number_cells.country), cell_repair.repair_phone(number_cells.number)
    international = options.number_format is NumberFormat.INTERNATIONAL
    rules = phone.Rules(accept_possible=options.accept is Accept.POSSIBLE, international=international)
    column = phone.check_column(country.text, number.text, rules, was_numeric=number.was_numeric)
    existing_numbers.put_repairs(column, country, number)
    ends = cell_repair.repair_phone(number_cells.end).text, cell_repair.repair_phone(number_cells.size).text
    blocks = block_rows.read_blocks(block_rows.Cells(country.text, number.text, *ends, column), rules, limits)
    return _as_numbers(blocks.column, blocks.numbers, Candidates.none())


def _existing_numbers(number_cells: _NumberCells, options: JobOptions, calling_codes: Sequence[int]) -> _Numbers:
    """Identify the existing numbers that rows name, without validating them (R14c)."""
    identified = existing_numbers.read_existing(
        number_cells.country,
        number_cells.number,
        calling_codes,
        country_code=options.country_code,
        international=options.number_format is NumberFormat.INTERNATIONAL,
    )
    return _as_numbers(identified.column, np.ones(len(identified.column.e164), np.int64), identified.candidates)


def _as_numbers(column: phone.PhoneColumn, numbers: np.ndarray, candidates: Candidates) -> _Numbers:
    columns = (column.e164, column.faults, column.warnings)
    return _Numbers(*columns, numbers, column.evidence, column.alternative, candidates)


@dataclass(frozen=True)
class _Named:
    value: np.ndarray  # int32: the id, 0 if the cell is empty
    faults: np.ndarray  # uint64

    @classmethod
    def nothing(cls, size: int) -> _Named:
        return cls(np.zeros(size, np.int32), np.zeros(size, np.uint64))


def _ids_of(column: pa.Array, names: Names, which: Column) -> _Named:
    """Map names to ids, looking up each distinct name once."""
    codes, distinct = pd.factorize(pd.array(cell_repair.trim(column), dtype="string[pyarrow]"), use_na_sentinel=False)
    ids_by_name = names.ids.get(which, {})
    folded = [_unless_nothing(fold(str(name)), ids_by_name) for name in distinct]
    ids = np.array([ids_by_name.get(name, 0) for name in folded] or [0], dtype=np.int32)
    bit = fault_bit(NOT_FOUND_CODE[which], which)
    faults = np.array([bit if name and name not in ids_by_name else 0 for name in folded] or [0], dtype=np.uint64)
    return _Named(ids[codes], faults[codes])


def _unless_nothing(name: str, ids: Mapping[str, int]) -> str:
    """Return the name, or "" if it is a word for "nothing" and not a known name."""
    return name if name in ids or not cell_repair.is_nothing(name) else ""


def _services_of(column: pa.Array) -> _Named:
    """Read the services of cells as bits of `Service`, each distinct cell once."""
    codes, distinct = pd.factorize(pd.array(cell_repair.trim(column), dtype="string[pyarrow]"), use_na_sentinel=False)
    read = [read_services(str(text)) if text and not cell_repair.is_nothing(text) else NO_SERVICE for text in distinct]
    value = np.array([service or 0 for service in read] or [0], dtype=np.int32)
    faults = np.array([NO_SERVICE_BIT if service is None else 0 for service in read] or [0], dtype=np.uint64)
    return _Named(value[codes], faults[codes])
