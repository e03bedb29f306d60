"""One number at a time, judged by `phonenumbers` alone: the reference for the column path, and its refuge.

Adds to the library only what R14 says: a `00` that means `+`, a calling code written twice, agreement with the
Country Code. Repairs nothing (see `schemas.cells`) and guesses nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import phonenumbers
from phonenumbers import CountryCodeSource, NumberParseException, PhoneNumber, ValidationResult

from schemas.codes import Code, fault_bit, warning_bit
from schemas.columns import Column
from schemas.phone.country import Country, read_country
from schemas.phone.metadata import metadata_of

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
_PLUS = re.compile(r"[^\d+\uff0b]*[+\uff0b]")
_DOUBLE_ZERO = re.compile(r"[^\d+\uff0b]*0[^\d+\uff0b]*0")
_BEFORE_NUMBER = re.compile(r"^[^\d+\uff0b]+")
_VANITY = re.compile(r"(?:.*?[A-Za-z]){3}")
_FIRST_DIGIT = re.compile(r"[^\d+\uff0b]*(?=\d)")

# Without it the library compiles its patterns again and again once a file spans many countries.
phonenumbers.enable_pattern_cache()


@dataclass(frozen=True)
class Phone:
    """One checked number: E.164 as an integer (0: none), faults and warnings as `schemas.codes` bit sets."""

    e164: int
    faults: int = 0
    warnings: int = 0


@dataclass(frozen=True)
class _Reading:
    """What the library makes of one spelling; `fault` None: valid; `possible`: at least its length fits."""

    fault: Code | None
    calling_code: int = 0
    e164: int = 0
    possible: bool = False
    repeated: bool = False
    trunk: bool = False


def check_one(country: str, number: str, *, accept_possible: bool = False, was_numeric: bool = False) -> Phone:
    """Check one row's Country Code and Phone Number (R14, R15).

    `accept_possible`: a number of possible length passes, with a warning. `was_numeric`: the cell was a spreadsheet
    number, so a repeated calling code is a lost plus.
    """
    where = read_country(country)
    faults = 0 if where else _country_fault(country)
    if not number.strip():
        return Phone(0, faults | fault_bit(Code.MISSING_VALUE, Column.PHONE_NUMBER))
    if where is None:
        return Phone(0, faults | _fault_anywhere(number, accept_possible=accept_possible))
    reading = _best_reading(where, number, accept_possible=accept_possible)
    fault = _fault(reading, accept_possible=accept_possible)
    if fault is None and reading.calling_code != where.calling_code:
        fault = Code.COUNTRY_MISMATCH
    if fault is not None:
        return Phone(0, faults | fault_bit(fault, Column.PHONE_NUMBER))
    return Phone(reading.e164, 0, _warnings(reading, was_numeric=was_numeric))


def _country_fault(country: str) -> int:
    code = Code.INVALID_COUNTRY_CODE if country.strip() else Code.MISSING_VALUE
    return fault_bit(code, Column.COUNTRY_CODE)


def _fault_anywhere(number: str, *, accept_possible: bool) -> int:
    """The number's own fault where the country is unknown: a national number cannot be blamed for that."""
    fault = _fault(_read(number, None), accept_possible=accept_possible)
    blamed = fault is not None and (_PLUS.match(number) or fault in {Code.INVALID_CHARACTER, Code.TOO_LONG})
    return fault_bit(fault, Column.PHONE_NUMBER) if fault is not None and blamed else 0


def _fault(reading: _Reading, *, accept_possible: bool) -> Code | None:
    return None if accept_possible and reading.possible else reading.fault


def _warnings(reading: _Reading, *, was_numeric: bool) -> int:
    repeated = Code.PLUS_RESTORED if was_numeric else Code.COUNTRY_CODE_REPEATED
    found = (
        (reading.repeated, repeated),
        (reading.trunk, Code.TRUNK_PREFIX_REMOVED),
        (reading.fault is not None, Code.POSSIBLE_NOT_VALID),
    )
    return sum(warning_bit(code) for holds, code in found if holds)


def _best_reading(where: Country, number: str, *, accept_possible: bool) -> _Reading:
    """As written if valid; else with 00 as plus; else with the calling code counted once; else what says most."""
    written = _as_written(where, number)
    if written.fault is None or _PLUS.match(number):
        return written
    if _DOUBLE_ZERO.match(number):
        abroad = _read(_DOUBLE_ZERO.sub("+", number, count=1), None)
        agrees = abroad.calling_code == where.calling_code
        kept = accept_possible and written.possible
        return abroad if abroad.fault is None or (agrees and not kept) else written
    once = _read(_FIRST_DIGIT.sub("+", number, count=1), None)
    if once.fault is None and once.calling_code == where.calling_code:
        return replace(once, repeated=True)
    return written


def _as_written(where: Country, number: str) -> _Reading:
    if where.region is None and not _PLUS.match(number):
        return _read(f"+{where.calling_code}{number}", None)
    return _read(number, where.region)


def _read(text: str, region: str | None) -> _Reading:
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
        return _Reading(None, code, e164, possible=False, repeated=repeated, trunk=trunk)
    length = phonenumbers.is_possible_number_with_reason(number)
    possible = length == ValidationResult.IS_POSSIBLE
    return _Reading(_BY_LENGTH[length], code, e164, possible=possible, repeated=repeated, trunk=trunk)


def _lost_prefix(text: str, region: str | None, number: PhoneNumber) -> bool:
    """Whether the national number lacks digits that were written: a trunk prefix, a mobile 15."""
    if ";" in text:
        return False
    written = _BEFORE_NUMBER.sub("", text)
    if _VANITY.match(written) and not number.extension:
        written = phonenumbers.convert_alpha_characters_in_number(written)
    digits = phonenumbers.normalize_digits_only(written).removesuffix(number.extension or "")
    behind = digits[_code_ends(digits, region, number) :]
    return not phonenumbers.national_significant_number(number).endswith(behind)


def _code_ends(digits: str, region: str | None, number: PhoneNumber) -> int:
    """Where the digits of the national number begin."""
    source = number.country_code_source
    if source == CountryCodeSource.FROM_DEFAULT_COUNTRY:
        return 0
    size = len(str(number.country_code))
    if source != CountryCodeSource.FROM_NUMBER_WITH_IDD or region is None:
        return size
    prefix = metadata_of(phonenumbers.country_code_for_region(region), region).international_prefix or ""
    taken = re.match(prefix, digits)
    return size + (taken.end() if taken else 0)
