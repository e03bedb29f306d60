"""Which cells of a column are phone numbers, and of which country (R14, R31).

Asks `phonenumbers` directly, a bounded number of times: the compiled tables of `worker.phone` are faster for whole
files, but take up to 300 ms to prepare for each country.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import phonenumbers
import pyarrow as pa
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, CountryCodeSource, NumberParseException, PhoneMetadata

from worker.phone.country import read_country
from worker.phone.digits import DATE
from worker.spreadsheet import cell_repair

NORTH_AMERICA = 1
# 6 to 15 digits, and up to two zeros in front, with plain punctuation. Bounded, so that no cell takes long.
_SHAPE = re.compile(
    r"(?:tel:\s?)?[\s(\[]{0,3}\+?[\s(\[]{0,3}\d(?:[\s().\[\]/\u2010-\u2015\u2212-]{0,5}\d){5,16}[\s.)\]]{0,3}",
    re.IGNORECASE,
)
_LONGEST_TEXT = 60
# Dates, ZIP+4, US social security numbers, addresses of computers, amounts, coordinates.
_OTHER = re.compile(
    rf"{DATE}|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])|\d{{5}}-\d{{4}}|\d{{3}}-\d{{2}}-\d{{4}}|"
    r"\d{1,3}(?:\.\d{1,3}){3}|-?\d{1,4}\.\d+|\d+\.\d{1,2}|\d{1,3}(?:\.\d{3})+"
)
_ABROAD = re.compile(r"(?:tel:)?[\s(\[]*(?:\+|0[\s(\[]*0)", re.IGNORECASE)
_NORTH_AMERICAN = re.compile(r"(?:\([2-9]\d\d\)\s?|[2-9]\d\d[-. ])[2-9]\d\d[-. ]\d{4}")
_GROUPS = re.compile(r"\d+")
_NOT_DIGITS = re.compile(r"\D")
_PUNCTUATED = re.compile(r"\d[\s().\[\]/\u2010-\u2015\u2212-]+\d")
_EQUIPMENT_DIGITS = 15  # of an IMEI or IMSI; a number without a plus is shorter
_LONGEST = 15


class Written(Enum):
    """How a cell is written."""

    NOT = "it is no phone number"
    ABROAD = "with a plus, or 00"
    DIGITS = "digits alone, the first one no zero"
    NATIONAL = "any other way"


@dataclass(frozen=True)
class NumberCell:
    """A cell that may hold a number: its repaired text, its digits, and how it is written."""

    text: str
    digits: str
    written: Written

    @property
    def is_grouped(self) -> bool:
        """Whether there is punctuation between the digits."""
        return _PUNCTUATED.search(self.text) is not None

    @property
    def is_distinctive(self) -> bool:
        """Whether the cell is written like a phone number, and not like any count or identifier."""
        has_zero = self.written is Written.NATIONAL and self.digits.startswith("0")
        return self.written is Written.ABROAD or has_zero or self.is_grouped


_NO_NUMBER = NumberCell("", "", Written.NOT)


class Verdict(Enum):
    """The result for one cell. INTERNATIONAL: only its digits with a plus in front are valid."""

    INVALID = 0
    VALID = 1
    INTERNATIONAL = 2


def number_cells(columns: Sequence[Sequence[str]]) -> list[list[NumberCell]]:
    """Return the cells of columns as numbers, after the repairs that the import makes as well."""
    flat = pa.array([cell for cells in columns for cell in cells], pa.string())
    repaired = iter(cell_repair.repair_phone(flat).text.to_pylist())
    return [[_number_cell(next(repaired)) for _ in cells] for cells in columns]


def _number_cell(text: str) -> NumberCell:
    if len(text) > _LONGEST_TEXT or _SHAPE.fullmatch(text) is None or _OTHER.fullmatch(text):
        return _NO_NUMBER
    digits = _NOT_DIGITS.sub("", text)
    if _ABROAD.match(text):
        return NumberCell(text, digits.removeprefix("00"), Written.ABROAD)
    if len(digits) > _LONGEST:
        return _NO_NUMBER
    alone = text.isdecimal() and text[0] != "0"
    return NumberCell(text, digits, Written.DIGITS if alone else Written.NATIONAL)


def is_equipment(cells: Sequence[NumberCell]) -> bool:
    """Return whether all cells are 15 digits, as IMEI and IMSI are."""
    return all(cell.written is Written.DIGITS and len(cell.digits) == _EQUIPMENT_DIGITS for cell in cells)


def is_north_american_form(cell: NumberCell) -> bool:
    """Return whether a cell is written as in North America: (212) 555-0142."""
    return _NORTH_AMERICAN.fullmatch(cell.text) is not None


class Judge:
    """Verdicts of the library, each distinct question asked once."""

    def __init__(self) -> None:
        self._verdicts = dict[tuple[str, str], tuple[Verdict, int]]()

    def abroad(self, cell: NumberCell) -> bool:
        """Return whether a cell's digits with a plus in front are a valid number."""
        return self._ask("+" + cell.digits, "")[0] is not Verdict.INVALID

    def calling_code(self, cell: NumberCell) -> int:
        """Return the calling code of a cell's digits with a plus in front; 0 if they are no valid number."""
        return self._ask("+" + cell.digits, "")[1]

    def in_country(self, cell: NumberCell, code: int) -> Verdict:
        """Return whether a cell is a valid number in a country (its calling code)."""
        regions = COUNTRY_CODE_TO_REGION_CODE.get(code)
        if not regions:
            return Verdict.INVALID
        verdict, calling_code = self._ask(cell.text, regions[0])
        return verdict if calling_code == code else Verdict.INVALID

    def in_named_country(self, cell: NumberCell, country: str) -> Verdict:
        """Return whether a cell agrees with its row's Country Code cell."""
        where = read_country(country)
        if where is None:
            return Verdict.INVALID
        if cell.written is Written.ABROAD:
            agrees = self.calling_code(cell) == where.calling_code
            return Verdict.VALID if agrees else Verdict.INVALID
        return self.in_country(cell, where.calling_code)

    def _ask(self, text: str, region: str) -> tuple[Verdict, int]:
        if (text, region) not in self._verdicts:
            self._verdicts[text, region] = _verdict(text, region)
        return self._verdicts[text, region]


def drops_zero(code: int) -> bool:
    """Return whether national numbers of a country are written with a zero in front that is no part of them."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, regions[0]) if regions else None
    return metadata is not None and (metadata.national_prefix or "").startswith("0")


def is_grouped_as_in(cell: NumberCell, code: int) -> bool:
    """Return whether a number is grouped as is usual in a country (its calling code)."""
    try:
        number = phonenumbers.parse(cell.text, COUNTRY_CODE_TO_REGION_CODE[code][0])
    except NumberParseException:
        return False
    usual = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return _GROUPS.findall(usual) == _GROUPS.findall(cell.text)


def _verdict(text: str, region: str) -> tuple[Verdict, int]:
    try:
        number = phonenumbers.parse(text, region or None, keep_raw_input=True)
    except NumberParseException:
        return Verdict.INVALID, 0
    if not phonenumbers.is_valid_number(number):
        return Verdict.INVALID, 0
    without_plus = number.country_code_source == CountryCodeSource.FROM_NUMBER_WITHOUT_PLUS_SIGN
    return (Verdict.INTERNATIONAL if without_plus else Verdict.VALID), number.country_code or 0
