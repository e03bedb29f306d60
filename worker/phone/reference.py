"""Validation of one number at a time with `phonenumbers`: the reference for the column path, and its fallback.

The verdict is the library's on the cleaned cell (R14a). R14 adds a `00` that means `+`, a calling code counted once,
agreement with the Country Code, and the readings that only the column can decide (R14b, R14d).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    CountryCodeSource,
    NumberParseException,
    PhoneNumber,
    PhoneNumberType,
    ValidationResult,
)

from schemas.codes import Code, fault_bit, warning_bit
from schemas.columns import Column
from worker.phone.automaton import DEAD
from worker.phone.cell_text import Cell, parts_of, read_cell
from worker.phone.compiled_tables import tables_for
from worker.phone.country import Country, read_country
from worker.phone.evidence import Evidence
from worker.phone.metadata import MAIN_ROW, REGIONS, metadata_of

E164_DIGITS = 15
_BY_ERROR = {
    NumberParseException.INVALID_COUNTRY_CODE: Code.INVALID_NUMBER,
    NumberParseException.NOT_A_NUMBER: Code.INVALID_CHARACTER,
    NumberParseException.TOO_SHORT_AFTER_IDD: Code.TOO_SHORT,
    NumberParseException.TOO_SHORT_NSN: Code.TOO_SHORT,
    NumberParseException.TOO_LONG: Code.TOO_LONG,
}
_BY_LENGTH = {
    ValidationResult.IS_POSSIBLE: Code.INVALID_NUMBER,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: Code.TOO_SHORT,
    ValidationResult.TOO_SHORT: Code.TOO_SHORT,
    ValidationResult.TOO_LONG: Code.TOO_LONG,
    ValidationResult.INVALID_LENGTH: Code.INVALID_NUMBER,
    ValidationResult.INVALID_COUNTRY_CODE: Code.INVALID_NUMBER,
}
_PLUS = re.compile(r"[\s(\[]*\+")
_DOUBLE_ZERO = re.compile(r"[^\d+]*0[^\d+]*0")
_FIRST_DIGIT = re.compile(r"[^\d+]*(?=\d)")
_VANITY_TYPES = {PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST, PhoneNumberType.PREMIUM_RATE}
_VANITY_NAMES = {
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.PREMIUM_RATE: "premium_rate",
}
_INVALID_CHARACTER = fault_bit(Code.INVALID_CHARACTER, Column.PHONE_NUMBER)

# Without the cache, the library recompiles its patterns again and again once a file spans many countries.
phonenumbers.enable_pattern_cache()


@dataclass(frozen=True)
class Phone:
    """One validated number: E.164 as an integer (0: none), faults and warnings as bit sets of `schemas.codes`.

    `evidence`: bits of `Evidence`. `alternative`: the number read as international (ALSO_INTERNATIONAL), or with one
    more leading zero (SHOWS_ZERO_LOST); else 0.
    """

    e164: int
    faults: int = 0
    warnings: int = 0
    evidence: int = 0
    alternative: int = 0


@dataclass(frozen=True)
class Rules:
    """The rules for the numbers of a column.

    `accept_possible`: a number of possible length passes, with a warning (R15). `international`: the uploader says that
    digits without a plus are international; it applies to rows without a country (R14b).
    `zero_tolerated`: a number that is valid only with one more leading zero may pass as possible, because it exists
    already.
    """

    accept_possible: bool = False
    international: bool = False
    zero_tolerated: bool = False


STRICT = Rules()


@dataclass(frozen=True)
class _Reading:
    """The library's result for one spelling; `fault` None: valid; `possible`: at least its length fits."""

    fault: Code | None
    calling_code: int = 0
    e164: int = 0
    possible: bool = False
    repeated: bool = False
    trunk: bool = False
    number: PhoneNumber | None = None

    def accepted(self, rules: Rules) -> bool:
        return self.fault is None or (rules.accept_possible and self.possible)


def check_one(country: str, number: str, rules: Rules = STRICT, *, was_numeric: bool = False) -> Phone:
    """Check one row's Country Code and Phone Number (R14, R15).

    `was_numeric`: the cell was a spreadsheet number, so a repeated calling code is a lost plus.
    """
    where = read_country(country)
    if not number.strip():
        faults = 0 if where else _country_fault(country)
        return Phone(0, faults | fault_bit(Code.MISSING_VALUE, Column.PHONE_NUMBER))
    cell = read_cell(number)
    if where is None:
        missing = 0 if not country.strip() and _international_spelling(number) else _country_fault(country)
        return _without_country(country, cell, rules, missing)
    if not cell.number:
        return _vanity(where, cell) or Phone(0, _INVALID_CHARACTER)
    return _checked(where, cell.number, rules, was_numeric=was_numeric)


def _country_fault(country: str) -> int:
    code = Code.INVALID_COUNTRY_CODE if country.strip() else Code.MISSING_VALUE
    return fault_bit(code, Column.COUNTRY_CODE)


def _without_country(country: str, cell: Cell, rules: Rules, faults: int) -> Phone:
    """Check a number that must be international (R14): the Country Code is empty, or has a fault (`faults`)."""
    if not cell.number:
        vanity = None if country.strip() else _vanity(_country_of(cell.vanity), cell)
        return vanity or Phone(0, faults | _INVALID_CHARACTER)
    written = _international_spelling(cell.number)
    restored = written is None and rules.international and cell.number.isdecimal() and cell.number[0] != "0"
    if country.strip() or not (written or restored):
        return Phone(0, faults | _fault_anywhere(cell.number, rules))
    reading = _parse_number(written or f"+{cell.number}", None)
    fault = _fault(reading, rules) or _fault_of_parts(None, cell.number)
    if fault is not None:
        return Phone(0, fault_bit(fault, Column.PHONE_NUMBER))
    return Phone(reading.e164, 0, _warnings(replace(reading, repeated=restored), was_numeric=restored))


def _country_of(number: str) -> Country | None:
    """Return the country of the calling code that a number with a plus begins with."""
    digits = re.sub(r"\D", "", number) if _PLUS.match(number) else ""
    rows = (MAIN_ROW.get(int(digits[:size])) for size in (1, 2, 3) if len(digits) > size)
    row = next((row for row in rows if row is not None), None)
    return None if row is None else Country(row)


def _international_spelling(number: str) -> str | None:
    """Return a number that begins with `+` or `00` in the form with `+`; None for any other number."""
    if _PLUS.match(number):
        return number
    return _DOUBLE_ZERO.sub("+", number, count=1) if _DOUBLE_ZERO.match(number) else None


def _fault_anywhere(number: str, rules: Rules) -> int:
    """Return the number's own fault where the country is unknown: only if it has a plus, or too many digits."""
    fault = _fault(_parse_number(number, None), rules)
    blamed = fault is not None and (_PLUS.match(number) or fault is Code.TOO_LONG)
    return fault_bit(fault, Column.PHONE_NUMBER) if fault is not None and blamed else 0


def _checked(where: Country, number: str, rules: Rules, *, was_numeric: bool) -> Phone:
    reading, evidence, alternative = _with_evidence(where, number, rules)
    fault = _fault(reading, rules)
    if fault is None and evidence & Evidence.SHOWS_ZERO_LOST and not rules.zero_tolerated:
        fault = reading.fault
    if fault is None and reading.calling_code != where.calling_code:
        fault = Code.COUNTRY_MISMATCH
    if fault is None and readings_with_trunk_prefix(where, number):
        fault = Code.AMBIGUOUS_NUMBER
    fault = (_fault_of_parts(where, number) if fault in {None, Code.TOO_LONG} else None) or fault
    if fault is not None:
        zero_evidence = evidence & Evidence.SHOWS_ZERO_LOST if fault is not Code.INVALID_CHARACTER else 0
        return Phone(0, fault_bit(fault, Column.PHONE_NUMBER), 0, zero_evidence, alternative if zero_evidence else 0)
    if evidence & Evidence.SHOWS_ZERO_LOST:
        evidence = alternative = 0
    warnings = _warnings(reading, was_numeric=was_numeric) | _region_warning(where, reading)
    return Phone(reading.e164, 0, warnings, evidence, alternative)


def _fault_of_parts(where: Country | None, number: str) -> Code | None:
    """Return INVALID_CHARACTER where a cell holds a second number, or a part of one after a slash (R14a)."""

    def is_number(text: str) -> bool:
        if where is None:
            return _parse_number(_international_spelling(text) or text, None).fault is None
        return _best_reading(where, text, STRICT).fault is None

    for first, second, is_whole in parts_of(number):
        if is_number(first) and (not is_whole or (_begins_number(where, first, second) and is_number(second))):
            return Code.INVALID_CHARACTER
    return None


def _begins_number(where: Country | None, first: str, second: str) -> bool:
    """Return whether the second of two parts is a number of its own: by a leading 0 or +, or as long as the first."""
    digits = [sum(map(str.isdigit, part)) for part in (first, second)]
    code = len(str(where.calling_code)) if where is not None and _PLUS.match(first) else 0
    return second.lstrip("( ").startswith(("0", "+")) or digits[0] - code == digits[1]


def _with_evidence(where: Country, number: str, rules: Rules) -> tuple[_Reading, int, int]:
    """Return the reading of a cleaned number, the evidence that it gives (`Evidence`), and its other reading."""
    reading = _best_reading(where, number, rules)
    written, alone = re.sub(r"\D", "", number), number.isdecimal()
    in_own_country = not _PLUS.match(number) and reading.calling_code == where.calling_code
    is_unchanged = (
        in_own_country and str(reading.e164) == f"{where.calling_code}{written}"
    )  # nothing was removed or added
    evidence = alternative = 0
    if is_unchanged and reading.accepted(rules) and written.startswith(str(where.calling_code)):
        other = _parse_number(f"+{written}", None)
        as_good = other.fault is None or (reading.fault is not None and other.accepted(rules))
        if other.calling_code == where.calling_code and as_good:
            evidence, alternative = int(Evidence.ALSO_INTERNATIONAL), other.e164
    if is_unchanged or reading.accepted(rules):
        with_zero = _with_zero(where, reading)
        if with_zero and reading.fault:
            return reading, int(Evidence.SHOWS_ZERO_LOST), with_zero
        if with_zero and is_unchanged and alone:
            evidence |= int(Evidence.ALSO_WITH_ZERO)
    if alone and in_own_country and not reading.fault and not evidence:
        if reading.repeated:
            evidence = Evidence.SHOWS_INTERNATIONAL
        elif is_unchanged:
            evidence = Evidence.SHOWS_ZERO_KEPT if written[0] == "0" else Evidence.SHOWS_NATIONAL
    return reading, int(evidence), alternative


def _with_zero(where: Country, reading: _Reading) -> int:
    """Return the number with one more leading zero (R14d) if that is another valid number of the country; else 0."""
    if reading.number is None or reading.calling_code != where.calling_code or not _may_have_zero(where.calling_code):
        return 0
    national = phonenumbers.national_significant_number(reading.number)
    if national.startswith("0"):
        return 0
    other = _parse_number(f"+{where.calling_code}0{national}", None)
    # Where a leading zero is a trunk prefix, it makes no other number.
    is_kept = str(other.e164) == f"{where.calling_code}0{national}"
    return other.e164 if other.fault is None and is_kept else 0


def readings_with_trunk_prefix(where: Country, number: str) -> tuple[int, ...]:
    """Return both readings (E.164) of digits that may begin with a trunk prefix that lost its zero (R14d); else ().

    In Hungary, 680257864 is a valid number. It is also 06 80 257 864 without its leading zero.
    """
    if where.region is None or not number.isdecimal() or not _has_long_trunk_prefix(where.row):
        return ()
    readings = [_parse_number(text, where.region) for text in (number, f"0{number}")]
    numbers = tuple(reading.e164 for reading in readings if reading.fault is None)
    return numbers if len(set(numbers)) == len(readings) else ()


@lru_cache(maxsize=1024)
def _has_long_trunk_prefix(row: int) -> bool:
    """Return whether the trunk prefix of a region is a zero and more digits."""
    prefix = metadata_of(*REGIONS[row]).national_prefix or ""
    return len(prefix) > 1 and prefix.startswith("0")


@lru_cache(maxsize=1024)
def _may_have_zero(calling_code: int) -> bool:
    """Return whether national numbers of the calling code may begin with a zero, as in Italy."""
    row = MAIN_ROW[calling_code]
    tables = tables_for(np.array([row]))
    return bool(tables.moves[tables.numbers[row]] != DEAD or tables.compiled[row] < 0)


def _region_warning(where: Country, reading: _Reading) -> int:
    """Return REGION_DIFFERS if the row names one country of a shared calling code and the number is of another."""
    shared = len(COUNTRY_CODE_TO_REGION_CODE[where.calling_code]) > 1
    if not (where.is_region and shared and where.region and reading.number and reading.fault is None):
        return 0
    fits = phonenumbers.is_valid_number_for_region(reading.number, where.region)
    return 0 if fits else warning_bit(Code.REGION_DIFFERS)


def _vanity(where: Country | None, cell: Cell) -> Phone | None:
    """Return a vanity number such as 1-800-FLOWERS (R14a), if its type allows letters and its length fits."""
    if where is None or not cell.vanity:
        return None
    digits = cell.vanity[: cell.vanity.index(cell.letters)]
    reading = _best_reading(where, phonenumbers.convert_alpha_characters_in_number(cell.vanity), STRICT)
    if reading.fault or reading.number is None or reading.calling_code != where.calling_code:
        return None
    kind = phonenumbers.number_type(reading.number)
    if kind not in _VANITY_TYPES or _best_reading(where, digits, STRICT).fault is None:
        return None
    main = COUNTRY_CODE_TO_REGION_CODE[where.calling_code][0]
    example = getattr(metadata_of(where.calling_code, main), _VANITY_NAMES[kind])
    if len(phonenumbers.national_significant_number(reading.number)) != len(example.example_number or ""):
        return None
    warnings = _warnings(reading, was_numeric=False) | _region_warning(where, reading)
    return Phone(reading.e164, 0, warnings | warning_bit(Code.LETTERS_CONVERTED))


def _fault(reading: _Reading, rules: Rules) -> Code | None:
    return None if reading.accepted(rules) else reading.fault


def _warnings(reading: _Reading, *, was_numeric: bool) -> int:
    repeated = Code.PLUS_RESTORED if was_numeric else Code.COUNTRY_CODE_REPEATED
    warnings = (
        (reading.repeated, repeated),
        (reading.trunk, Code.TRUNK_PREFIX_REMOVED),
        (reading.fault is not None, Code.POSSIBLE_NOT_VALID),
    )
    return sum(warning_bit(code) for holds, code in warnings if holds)


def _best_reading(where: Country, number: str, rules: Rules) -> _Reading:
    """Return the most plausible reading of a number.

    That is the number as written if valid; else with 00 as plus; else with the calling code counted once; else the more
    informative reading.
    """
    written = _as_written(where, number)
    if written.fault is None or _PLUS.match(number):
        return written
    main = COUNTRY_CODE_TO_REGION_CODE[where.calling_code][0]
    if where.region not in {None, main}:
        # The number may be of another country of the calling code, and written as in that country.
        in_main = _parse_number(number, main)
        if in_main.fault is None and in_main.calling_code == where.calling_code:
            return in_main
    if _DOUBLE_ZERO.match(number):
        abroad = _parse_number(_DOUBLE_ZERO.sub("+", number, count=1), None)
        agrees = abroad.calling_code == where.calling_code
        accepts_written = rules.accept_possible and written.possible
        return abroad if abroad.fault is None or (agrees and not accepts_written) else written
    once = _parse_number(_FIRST_DIGIT.sub("+", number, count=1), None)
    if once.fault is None and once.calling_code == where.calling_code:
        return replace(once, repeated=True)
    return written


def _as_written(where: Country, number: str) -> _Reading:
    if where.region is None and not _PLUS.match(number):
        return _parse_number(f"+{where.calling_code}{number}", None)
    return _parse_number(number, where.region)


def _parse_number(text: str, region: str | None) -> _Reading:
    try:
        number = phonenumbers.parse(text, region, keep_raw_input=True)
    except NumberParseException as error:
        return _Reading(_BY_ERROR[error.error_type])
    code, national = number.country_code or 0, phonenumbers.national_significant_number(number)
    repeated = number.country_code_source == CountryCodeSource.FROM_NUMBER_WITHOUT_PLUS_SIGN
    trunk = _lost_prefix(text, region, number)
    if len(f"{code}{national}") > E164_DIGITS:
        return _Reading(Code.TOO_LONG, code)
    e164 = int(f"{code}{national}")
    if phonenumbers.is_valid_number(number):
        return _Reading(None, code, e164, repeated=repeated, trunk=trunk, number=number)
    length = phonenumbers.is_possible_number_with_reason(number)
    possible = length == ValidationResult.IS_POSSIBLE
    return _Reading(_BY_LENGTH[length], code, e164, possible, repeated, trunk, number)


def _lost_prefix(text: str, region: str | None, number: PhoneNumber) -> bool:
    """Return whether the national number lacks digits that were written: a trunk prefix, or Argentina's mobile 15."""
    digits = phonenumbers.normalize_digits_only(text)
    behind = digits[_code_ends(digits, region, number) :]
    return not phonenumbers.national_significant_number(number).endswith(behind)


def _code_ends(digits: str, region: str | None, number: PhoneNumber) -> int:
    """Return the index of the first digit of the national number."""
    source = number.country_code_source
    if source == CountryCodeSource.FROM_DEFAULT_COUNTRY:
        return 0
    size = len(str(number.country_code))
    if source != CountryCodeSource.FROM_NUMBER_WITH_IDD or region is None:
        return size
    prefix = metadata_of(phonenumbers.country_code_for_region(region), region).international_prefix or ""
    match = re.match(prefix, digits)
    return size + (match.end() if match else 0)
