"""Identification of existing numbers, for actions on them (R14c, R18, R23, R24), by whole columns.

Unlike an upload, an action does not validate a number that names its country: it must still find one that was accepted
as possible. A number without a country is parsed in each country of the actor's tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import Code, fault_bit, warning_bit
from schemas.columns import Column
from worker.phone import region
from worker.phone.cell_text import read_cell
from worker.phone.compiled_tables import DIALS_ABROAD, HAS_TRUNK, SPELLED, tables_for
from worker.phone.digits import FIRST, WIDTH, Digits, plain_punctuation, read_digits
from worker.phone.evidence import Evidence
from worker.phone.metadata import MAIN_ROW, Length
from worker.phone.reference import Rules
from worker.phone.validate_column import PhoneColumn, check_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

# ITU-T E.164: at most 15 digits. The shortest valid numbers have six (+43 1110, +49 1640, +98 9601); one fewer is
# accepted in case a later numbering plan has shorter numbers (R14f).
LEAST_DIGITS, MOST_DIGITS = 5, 15
EXISTING = Rules(accept_possible=True, zero_tolerated=True)
_PREFIX = r"^[\s(\[]*(?:\+|0[\s(\[]*0)"
_POSSIBLE = np.uint32(warning_bit(Code.POSSIBLE_NOT_VALID))
_INVALID = np.uint64(fault_bit(Code.INVALID_NUMBER, Column.PHONE_NUMBER))
_PLUS = np.uint32(warning_bit(Code.PLUS_RESTORED))
_NOT_FOUND = np.uint64(fault_bit(Code.NOT_FOUND, Column.PHONE_NUMBER))
_NO_ROWS: Ints = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Candidates:
    """The readings of rows that are valid numbers in several countries (R14c); arrays of one length, sorted by row.

    `row` int64; `e164` int64; `kind` int64: 0 as written, else the `Evidence` bit of the reading.
    """

    row: Ints
    e164: Ints
    kind: Ints

    @classmethod
    def none(cls) -> Candidates:
        """Return an empty set of readings."""
        return cls(_NO_ROWS, _NO_ROWS, _NO_ROWS)


@dataclass(frozen=True)
class IdentifiedColumn:
    """The verdicts on n rows; rows with `candidates` have e164 0, no fault, and `Evidence.WITHOUT_COUNTRY`."""

    column: PhoneColumn
    candidates: Candidates


def find_column(
    country: pa.StringArray,
    number: pa.StringArray,
    was_numeric: Bools,
    calling_codes: Sequence[int] = (),
    *,
    international: bool = False,
) -> IdentifiedColumn:
    """Identify n numbers; the first arguments are as for `check_column`.

    `calling_codes`: those of the countries in the actor's tree, for rows without a country. `international`: the
    uploader says that digits without a plus are international.
    """
    country, number = (pc.fill_null(column.cast(pa.string()), "") for column in (country, number))
    without = pc.equal(pc.utf8_trim_whitespace(country), "").to_numpy(zero_copy_only=False)
    identified, rows = PhoneColumn.empty(len(number)), np.flatnonzero(~without)
    if rows.size:
        with_country = pa.array(rows)
        read = check_column(
            country.take(with_country), number.take(with_country), EXISTING, was_numeric=was_numeric[rows]
        )
        read.warnings[:] &= ~_POSSIBLE
        identified.put(rows, read)
    rows = np.flatnonzero(without)
    if not rows.size:
        return IdentifiedColumn(identified, Candidates.none())
    part = _find_without_country(
        number.take(pa.array(rows)), was_numeric[rows], calling_codes, international=international
    )
    identified.put(rows, part.column)
    candidates = part.candidates
    return IdentifiedColumn(identified, Candidates(rows[candidates.row], candidates.e164, candidates.kind))


def names_country(number: pa.StringArray) -> Bools:
    """Return whether each number begins with `+` or `00`, and so names its country (bool, n)."""
    begins: Bools = pc.match_substring_regex(_cleaned(number), _PREFIX).to_numpy(zero_copy_only=False)
    return begins


def faults_of_new(e164: Ints) -> NDArray[np.uint64]:
    """Return the faults (uint64) of numbers (int64) to be added without a Country Code; 0 where valid (R15)."""
    text = pc.binary_join_element_wise("+", pc.cast(pa.array(e164), pa.string()), "")
    read = check_column(region.calling_codes_of(e164), text)
    # The library skips a trunk prefix (+44 0 20 ...); the digits with the prefix are not a valid number.
    differs = (read.faults == 0) & (read.e164 != e164)
    return np.where(differs, _INVALID, read.faults)


def _find_without_country(
    number: pa.StringArray, was_numeric: Bools, calling_codes: Sequence[int], *, international: bool
) -> IdentifiedColumn:
    cleaned = _cleaned(number)
    digits = read_digits(cleaned)
    begins = pc.match_substring_regex(cleaned, _PREFIX).to_numpy(zero_copy_only=False)
    if international:
        begins |= digits.alone & (digits.flat[_starts(digits)] != 0)
    column, candidates = PhoneColumn.empty(len(number)), Candidates.none()
    rows = np.flatnonzero(~begins)
    if rows.size:
        texts = cleaned.take(pa.array(rows))
        part, candidates = _read_in_countries(texts, was_numeric[rows], calling_codes)
        column.put(rows, part)
        candidates = Candidates(rows[candidates.row], candidates.e164, candidates.kind)
    rows = np.flatnonzero(begins)
    column.put(rows, _read_international(cleaned.take(pa.array(rows))))
    empty = pc.equal(pc.utf8_trim_whitespace(number), "").to_numpy(zero_copy_only=False)
    unreadable = pc.equal(cleaned, "").to_numpy(zero_copy_only=False)
    column.faults[unreadable] = fault_bit(Code.INVALID_CHARACTER, Column.PHONE_NUMBER)
    column.faults[empty] = fault_bit(Code.MISSING_VALUE, Column.PHONE_NUMBER)
    return IdentifiedColumn(column, candidates)


def _cleaned(number: pa.StringArray) -> pa.StringArray:
    """Return the numbers in ASCII (R14a); "" where a cell holds no number, or other text besides it."""
    plain = plain_punctuation(number)
    odd = ~read_digits(plain).plain
    if not odd.any():
        return plain
    texts = [read_cell(text).number for text in plain.filter(pa.array(odd)).to_pylist()]
    return pc.replace_with_mask(plain, pa.array(odd), pa.array(texts, pa.string()))


def _read_international(number: pa.StringArray) -> PhoneColumn:
    """Parse `+14155550100` and `0041 44 668 18 00` as written, valid or not."""
    had_prefix = pc.match_substring_regex(number, _PREFIX).to_numpy(zero_copy_only=False)
    digits = pc.replace_substring_regex(pc.replace_substring_regex(number, _PREFIX, ""), r"[^0-9]", "")
    length = pc.utf8_length(digits).to_numpy().astype(np.int64)
    begins_well = pc.match_substring_regex(digits, "^[1-9]").to_numpy(zero_copy_only=False)
    column = PhoneColumn.empty(len(number))
    for rows, code in (
        (length == 0, Code.MISSING_VALUE),
        ((length > 0) & ~begins_well, Code.INVALID_CHARACTER),
        (begins_well & (length < LEAST_DIGITS), Code.TOO_SHORT),
        (begins_well & (length > MOST_DIGITS), Code.TOO_LONG),
    ):
        column.faults[rows] |= np.uint64(fault_bit(code, Column.PHONE_NUMBER))
    sound = column.faults == 0
    column.e164[:] = pc.cast(pc.if_else(pa.array(sound), digits, "0"), pa.int64()).to_numpy()
    column.warnings[sound & ~had_prefix] = _PLUS
    return column


def _read_in_countries(
    number: pa.StringArray, was_numeric: Bools, calling_codes: Sequence[int]
) -> tuple[PhoneColumn, Candidates]:
    """Parse national numbers in each of the countries (R14c): one match decides, several are candidates."""
    digits = read_digits(number)
    column, times = PhoneColumn.empty(len(number)), np.zeros(len(number), np.int64)
    parts: list[tuple[Ints, PhoneColumn]] = []
    for code in calling_codes:
        rows = _possible_rows(digits, code)
        if not rows.size:
            continue
        read = check_column(pa.repeat(str(code), rows.size), number.take(pa.array(rows)), was_numeric=was_numeric[rows])
        valid = np.flatnonzero(read.e164)
        rows = rows[valid]
        part = read.part(valid)
        _only_digits_alone(part, digits.alone[rows])
        times[rows] += 1
        column.put(rows, part)
        parts.append((rows, part))
    column.evidence[times > 0] |= np.uint8(Evidence.WITHOUT_COUNTRY)
    column.faults[times == 0] = _NOT_FOUND
    candidates = _candidates(parts, times > 1)
    several = times > 1
    for values in (column.e164, column.warnings, column.alternative):
        values[several] = 0
    column.evidence[several] = np.uint8(Evidence.WITHOUT_COUNTRY)
    return column, candidates


def _possible_rows(digits: Digits, code: int) -> Ints:
    """Return the rows whose length and first digits allow the country: a cheap filter for nearly all others."""
    row = MAIN_ROW[code]
    tables, start, count = tables_for(np.array([row])), _starts(digits), digits.count
    first, second, third = (digits.flat[start + index].astype(np.int64) for index in range(3))
    lengths, size = tables.lengths[row] == Length.POSSIBLE, len(str(code))
    may = lengths[count]
    may |= (SPELLED[first * 256 + second * 16 + third] == row) & lengths[np.maximum(count - size, 0)]
    may |= tables.hints[row, first * 16 + second] & (HAS_TRUNK | DIALS_ABROAD) != 0
    # The library judges rows that are not plain digits.
    return np.flatnonzero((may & digits.plain) | (~digits.plain & ~digits.empty))


def _starts(digits: Digits) -> Ints:
    return np.arange(len(digits.count)) * WIDTH + FIRST


def _only_digits_alone(part: PhoneColumn, alone: Bools) -> None:
    """Drop the reading as an international number without its plus where a cell holds more than digits (R14c)."""
    other = ~alone & (part.evidence & Evidence.ALSO_INTERNATIONAL != 0)
    part.evidence[other] &= ~np.uint8(Evidence.ALSO_INTERNATIONAL)
    part.alternative[other] = 0


def _candidates(parts: Sequence[tuple[Ints, PhoneColumn]], several: Bools) -> Candidates:
    """Return all readings of the rows that have several, by row and in the order of the countries."""
    rows, e164, kinds = [_NO_ROWS], [_NO_ROWS], [_NO_ROWS]
    for row, read in parts:
        ambiguous = np.flatnonzero(several[row])
        also = ambiguous[read.evidence[ambiguous] & Evidence.ALSO_INTERNATIONAL != 0]
        zero = read.evidence[ambiguous] & np.uint8(Evidence.ALSO_WITH_ZERO)
        rows += [row[ambiguous], row[also]]
        e164 += [read.e164[ambiguous], read.alternative[also]]
        kinds += [zero.astype(np.int64), np.full(len(also), int(Evidence.ALSO_INTERNATIONAL), np.int64)]
    row = np.concatenate(rows)
    order = np.argsort(row, kind="stable")
    return Candidates(row[order], np.concatenate(e164)[order], np.concatenate(kinds)[order])
