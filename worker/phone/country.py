"""Parsing of Country Code cells (R14): calling codes, ISO 3166 letters, names of countries, area codes.

A cell may hold two of these if they agree, such as `+1 (US)`. Nothing is guessed: a name that two countries share, or a
calling code and a country that do not belong together, gives no country.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, REGION_CODE_FOR_NON_GEO_ENTITY

from worker.phone import region
from worker.phone.country_names import fold_name, regions_by_name
from worker.phone.digits import ascii_digits
from worker.phone.metadata import MAIN_ROW, REGION_ROW, REGIONS, metadata_of

LONGEST = 100  # characters; the longest name of a country has 60
_CALLING_CODE = r"(?:\+\s*|00)?0?(?P<code>[1-9][0-9]{0,2})"
_CODE = re.compile(_CALLING_CODE, re.ASCII)
_WITH_AREA = re.compile(rf"{_CALLING_CODE}(?:\s*[-/.\s]\s*|\s*\(\s*)(?P<area>[0-9]{{1,6}})\s*\)?", re.ASCII)
_WITH_NAME = re.compile(
    r"(?P<digits>\+?\s*[0-9][0-9\s\-]*)[\s(\[,;:/=\-]+(?P<name>[^\d\s(\[+][^\d+]*)|"
    r"(?P<name_first>[^\d\s(\[+][^\d+]*?)[\s(\[,;:/=\-]*(?P<digits_last>\+?\s*[0-9][0-9\s\-]*)"
)
_TWO_NAMES = re.compile(r"(?P<one>[^\d]+?)\s*[(\[,;:/=\-\u2013]\s*(?P<other>[^\d]+?)[)\]]?")
_LEAST_AREA = 2  # digits
_AROUND = " \t\r\n\u00a0\"'()[]"


@dataclass(frozen=True)
class Country:
    """The country of a row: `row` is its index in `metadata.REGIONS`; a calling code means its main region.

    `is_region`: the cell names one region, not only a calling code that several regions may share.
    """

    row: int
    is_region: bool = False

    @property
    def calling_code(self) -> int:
        """Return the calling code, such as 44."""
        return REGIONS[self.row][0]

    @property
    def region(self) -> str | None:
        """Return the region for parsing national numbers; None for a calling code without a country, such as 800."""
        name = REGIONS[self.row][1]
        return None if name == REGION_CODE_FOR_NON_GEO_ENTITY else name


@lru_cache(maxsize=4096)
def read_country(text: str) -> Country | None:
    """Return the country a cell names, or None: `1`, `+1`, `001`, ` (44) `, `US`, `gbr`, `Germany`, `1-809`."""
    if len(text) > LONGEST:
        return None
    cell = ascii_digits(text).strip(_AROUND)
    return _by_code(cell) or _by_name(cell) or _by_area(cell) or _by_both(cell)


def _by_code(cell: str) -> Country | None:
    code = _CODE.fullmatch(cell)
    row = MAIN_ROW.get(int(code["code"])) if code else None
    return None if row is None else Country(row)


def _by_name(cell: str) -> Country | None:
    region_name = regions_by_name().get(fold_name(cell))
    row = REGION_ROW.get(region_name) if region_name else None
    return None if row is None else Country(row, is_region=True)


def _by_area(cell: str) -> Country | None:
    """Parse `1-809` and `44-1481`: an area code that selects one of the countries of a calling code."""
    match = _WITH_AREA.fullmatch(cell)
    if match is None or int(match["code"]) not in MAIN_ROW:
        return None
    names = list(_regions_of_area(int(match["code"]), match["area"]))
    return Country(REGION_ROW[names[0]], is_region=True) if len(names) == 1 else None


def _regions_of_area(code: int, area: str) -> Iterator[str]:
    if code == region.NANP:
        name = region.region_of_area(int(area))
        if name:
            yield name
        return
    # Area codes of the main region add nothing to the calling code.
    for name in COUNTRY_CODE_TO_REGION_CODE[code][1:]:
        metadata = metadata_of(code, name)
        fixed = metadata.fixed_line.example_number if metadata.fixed_line else None
        leads = metadata.leading_digits and re.fullmatch(metadata.leading_digits, area)
        if leads or (fixed and len(area) >= _LEAST_AREA and fixed.startswith(area)):
            yield name


def _by_both(cell: str) -> Country | None:
    """Parse `+1 (US)`, `Germany +49`: a calling code and a country that agree."""
    match = _WITH_NAME.fullmatch(cell)
    if match is None:
        return _by_two_names(cell)
    digits, name = match["digits"] or match["digits_last"], match["name"] or match["name_first"]
    by_name, number = _by_name(name.strip(_AROUND)), digits.strip(_AROUND + "-")
    by_digits = _by_code(number) or _by_area(number)
    if by_name is None or by_digits is None or by_name.calling_code != by_digits.calling_code:
        return None
    return by_name if not by_digits.is_region or by_digits == by_name else None


def _by_two_names(cell: str) -> Country | None:
    """Parse `India (IN)`, `ES - Spain`: letters and a name that agree."""
    match = _TWO_NAMES.fullmatch(cell)
    if match is None:
        return None
    first, second = _by_name(match["one"].strip(_AROUND)), _by_name(match["other"].strip(_AROUND))
    return first if first == second else None
