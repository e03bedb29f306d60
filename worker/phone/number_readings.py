"""Decide how the numbers of a whole file are read (R14b, R14c, R14d): the column decides, never a single row.

A reading is one interpretation of the digits: national or international, with or without a leading zero, in one of
several countries. Validation keeps every reading of a row, batch by batch. This module sees all rows, so the decision
does not depend on batches, chunks or workers (R29). Undecided rows fail with AMBIGUOUS_NUMBER.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from schemas.arrow_schemas import first_code
from schemas.codes import Code, fault_bit, warning_bit
from schemas.columns import Column
from schemas.jobs import JobOptions, NumberFormat
from worker.phone import region
from worker.phone.evidence import AMBIGUOUS, Evidence
from worker.phone.identify import Candidates

_AMBIGUOUS = np.uint64(fault_bit(Code.AMBIGUOUS_NUMBER, Column.PHONE_NUMBER))
_NATIONAL = np.uint32(warning_bit(Code.READ_AS_NATIONAL))
_PLUS_RESTORED = np.uint32(warning_bit(Code.PLUS_RESTORED))
_MOST_CODES = 1000  # a calling code has at most three digits
_OPEN = AMBIGUOUS | Evidence.WITHOUT_COUNTRY
_CHANGED = ("code", "faults", "warnings", "e164", "numbers")


class Batches(Protocol):
    """The rows of a whole file, validated one by one, in batches (`schemas.arrow_schemas.VALIDATED`).

    Columns are fetched on demand and released after use, because ten million rows take a gigabyte. Each call opens
    every batch, so fetch all the columns that are needed together in one call.
    """

    @property
    def sizes(self) -> Sequence[int]:
        """Return the row count of each batch."""

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return some columns of all rows, in file order. Read-only."""

    def columns_at(self, names: Sequence[str], row_index: np.ndarray) -> dict[str, np.ndarray]:
        """Return some columns of the rows at `row_index`: row indices (int64) in any order, one value for each."""

    def candidates(self) -> Candidates:
        """Return the readings of rows that are numbers of several countries; `row` is the row index in the file."""


@dataclass(frozen=True)
class DecidedRows:
    """`Batches` in which the decided values replace some columns of all rows."""

    rows: Batches
    decided: dict[str, np.ndarray]

    @property
    def sizes(self) -> Sequence[int]:
        return self.rows.sizes

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        columns = self.rows.columns([name for name in names if name not in self.decided])
        return {name: columns[name] if name in columns else self.decided[name] for name in names}

    def columns_at(self, names: Sequence[str], row_index: np.ndarray) -> dict[str, np.ndarray]:
        columns = self.rows.columns_at([name for name in names if name not in self.decided], row_index)
        return {name: columns[name] if name in columns else self.decided[name][row_index] for name in names}

    def candidates(self) -> Candidates:
        return Candidates.none()


@dataclass(frozen=True)
class ColumnEvidence:
    """What the rows of a file show about how its numbers are written: bits of `Evidence`, by calling code.

    `reading`: national or international (R14b); `zero`: leading zeros (R14d), once the former is decided.
    """

    reading: Mapping[int, int]
    zero: Mapping[int, int]

    def to_json(self) -> dict[str, Any]:
        return {"reading": sorted(self.reading.items()), "zero": sorted(self.zero.items())}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ColumnEvidence:
        return cls(dict(raw["reading"]), dict(raw["zero"]))


def decide_readings(
    rows: Batches, options: JobOptions, *, international_header: bool, first: ColumnEvidence | None = None
) -> tuple[Batches, ColumnEvidence | None]:
    """Decide the rows that have several readings. Most files have none and are returned as they are, with None.

    `international_header`: the column name (`MSISDN`, `E.164`) says that its numbers are international. `first`: the
    evidence that counts instead of what the rows show: it stays as it was before rows were corrected (R33).

    Return the rows, and the evidence by which they were decided.
    """
    evidence = rows.columns(("evidence",))["evidence"]
    if not (evidence & np.uint8(_OPEN)).any():
        return rows, None
    columns = rows.columns((*_CHANGED, "alternative"))
    values = {name: columns[name].copy() for name in (*_CHANGED, "alternative")}
    decision = _Decision(options, international_header, first, evidence.copy(), **values)
    if (evidence & Evidence.WITHOUT_COUNTRY).any():
        decision.choose_country(rows.candidates())
    decision.choose_reading()
    decision.choose_zero()
    decision.finish()
    shown = ColumnEvidence(decision.shown["reading"], decision.shown["zero"])
    return DecidedRows(rows, {name: getattr(decision, name) for name in _CHANGED}), shown


def evidence_of(rows: Batches) -> ColumnEvidence:
    """Return the evidence of rows of which none has several readings."""
    columns = rows.columns(("evidence", "e164", "alternative"))
    shown = _by_calling_code(columns["evidence"], columns["e164"], columns["alternative"])
    return ColumnEvidence(shown, shown)


def _by_calling_code(evidence: np.ndarray, e164: np.ndarray, alternative: np.ndarray) -> dict[int, int]:
    """Return the evidence of all rows as bits, by calling code."""
    shows = np.flatnonzero(evidence & ~np.uint8(_OPEN))
    lost = evidence[shows] & Evidence.SHOWS_ZERO_LOST != 0
    code = region.calling_code_numbers(np.where(lost, alternative[shows], e164[shows]))
    is_seen = np.zeros(_MOST_CODES << 8, dtype=bool)  # marking them is ten times as fast as sorting them
    is_seen[code.astype(np.intp) << 8 | evidence[shows]] = True
    evidence_of_codes = dict[int, int]()
    for pair in np.flatnonzero(is_seen).tolist():
        evidence_of_codes[pair >> 8] = evidence_of_codes.get(pair >> 8, 0) | pair & 0xFF
    return evidence_of_codes


@dataclass
class _Decision:
    """All rows of a file while their readings are decided. Arrays as in `schemas.arrow_schemas.VALIDATED`."""

    options: JobOptions
    international_header: bool
    first: ColumnEvidence | None
    evidence: np.ndarray
    code: np.ndarray
    faults: np.ndarray
    warnings: np.ndarray
    e164: np.ndarray
    numbers: np.ndarray
    alternative: np.ndarray
    shown: dict[str, Mapping[int, int]] = field(
        init=False, default_factory=dict
    )  # what decided, by field of `ColumnEvidence`

    def choose_country(self, candidates: Candidates) -> None:
        """Choose the one country that makes every row without a country valid, or none (R14c)."""
        row, e164, kind = candidates.row, candidates.e164, candidates.kind
        if self.options.number_format is NumberFormat.NATIONAL:
            kept = kind & Evidence.ALSO_INTERNATIONAL == 0
            row, e164, kind = row[kept], e164[kept], kind[kept]
        undecided = np.unique(row)
        if not undecided.size:
            return
        code = region.calling_code_numbers(e164)
        country = self._common_country(row, code, len(undecided))
        in_country = code == country
        if country:
            row, e164, kind = row[in_country], e164[in_country], kind[in_country]
            first = np.r_[True, row[1:] != row[:-1]]
            self.e164[row[first]] = e164[first]
            self.evidence[row[first]] |= kind[first].astype(np.uint8)
            self.alternative[row[~first]] = e164[~first]
            self.evidence[row[~first]] |= np.uint8(Evidence.ALSO_INTERNATIONAL)
        else:
            self._fail(undecided)

    def _common_country(self, row: np.ndarray, code: np.ndarray, undecided: int) -> int:
        """Return the one calling code under which all these rows are valid, or 0.

        Rows without a country that are already decided must have the same calling code.
        """
        pairs = np.unique(np.stack([code.astype(np.int64), row]), axis=1)
        codes, times = np.unique(pairs[0], return_counts=True)
        common = codes[times == undecided]
        decided = (self.evidence & Evidence.WITHOUT_COUNTRY != 0) & (self.e164 != 0)
        others = set(region.calling_code_numbers(self.e164[decided]).tolist())
        return int(common[0]) if len(common) == 1 and others <= {int(common[0])} else 0

    def choose_reading(self) -> None:
        """Choose national, or international with a lost plus, by the evidence for each calling code (R14b)."""
        rows = np.flatnonzero(self.evidence & Evidence.ALSO_INTERNATIONAL)
        code = region.calling_code_numbers(self.e164[rows])
        shown = self._show("reading")
        for each in np.unique(code).tolist():
            rows_of_code = rows[code == each]
            reading = self._reading_of(shown.get(each, 0))
            if reading is Evidence.SHOWS_NATIONAL:
                self.warnings[rows_of_code] |= _NATIONAL
            elif reading is Evidence.SHOWS_INTERNATIONAL:
                self.e164[rows_of_code] = self.alternative[rows_of_code]
                self.warnings[rows_of_code] |= _PLUS_RESTORED
                self.evidence[rows_of_code] &= ~np.uint8(Evidence.ALSO_WITH_ZERO)
            else:
                self._fail(rows_of_code)

    def _show(self, what: str) -> Mapping[int, int]:
        """Return the evidence that counts, by calling code; `what`: the field of `ColumnEvidence`."""
        if self.first is None:
            self.shown[what] = _by_calling_code(self.evidence, self.e164, self.alternative)
        else:
            self.shown[what] = getattr(self.first, what)
        return self.shown[what]

    def _reading_of(self, shown: int) -> Evidence | None:
        if self.options.number_format is not NumberFormat.AUTO:
            national = self.options.number_format is NumberFormat.NATIONAL
            return Evidence.SHOWS_NATIONAL if national else Evidence.SHOWS_INTERNATIONAL
        national = bool(shown & (Evidence.SHOWS_NATIONAL | Evidence.SHOWS_ZERO_KEPT))
        international = self.international_header or bool(shown & Evidence.SHOWS_INTERNATIONAL)
        if national == international:
            return None
        return Evidence.SHOWS_NATIONAL if national else Evidence.SHOWS_INTERNATIONAL

    def choose_zero(self) -> None:
        """Keep numbers as written if the column shows leading zeros and no lost ones (R14d).

        Numbers without a leading zero, such as mobile numbers, look the same in a column that lost its zeros, so they
        are no evidence. A lost zero is never restored.
        """
        rows = np.flatnonzero((self.evidence & Evidence.ALSO_WITH_ZERO != 0) & (self.faults & _AMBIGUOUS == 0))
        as_written = np.full(len(rows), self.options.number_format is NumberFormat.NATIONAL)
        code, shown = region.calling_code_numbers(self.e164[rows]), self._show("zero")
        for each in np.unique(code).tolist():
            kept, lost = (shown.get(each, 0) & flag for flag in (Evidence.SHOWS_ZERO_KEPT, Evidence.SHOWS_ZERO_LOST))
            as_written[code == each] |= bool(kept) and not lost
        self.warnings[rows[as_written]] |= _NATIONAL
        self._fail(rows[~as_written])

    def _fail(self, rows: np.ndarray) -> None:
        self.faults[rows] |= _AMBIGUOUS

    def finish(self) -> None:
        """Clear the numbers and warnings of rows that failed."""
        failed = np.flatnonzero(self.faults & _AMBIGUOUS)
        self.code[failed] = first_code(self.faults[failed])
        self.numbers[failed] = 1
        for values in (self.e164, self.warnings):
            values[failed] = 0
