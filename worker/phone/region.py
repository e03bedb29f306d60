"""Assignment of numbers to countries, by whole columns: ISO 3166 regions, or "001" for a code without a country.

Expects valid (or at least possible) numbers, as `check_column` returns them; validates nothing.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

REGIONS: tuple[str, ...] = ("", "001", *sorted(phonenumbers.SUPPORTED_REGIONS))
NANP = 1  # its 25 regions differ only in the area code, the three digits after the 1
NANP_LEAST, NANP_LAST = 10**10, 2 * 10**10 - 1  # a few numbers of its plan are shorter
_SHORT_IN_CANADA = 1310
_INDEX = {region: index for index, region in enumerate(REGIONS)}
_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
_POWERS = 10 ** np.arange(16, dtype=np.int64)


def regions_of(e164: NDArray[np.int64]) -> NDArray[np.int16]:
    """Return the region of each number (int64, 0: none) as an index in `REGIONS`."""
    calling_code = calling_code_numbers(e164)
    region_rows = np.zeros(len(e164), np.int16)
    for code in np.flatnonzero(np.bincount(calling_code)):
        rows = calling_code == code
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code), ("",))
        region_rows[rows] = _INDEX[regions[0]]
        if code == NANP:
            full = rows & (e164 >= NANP_LEAST)
            region_rows[full] = _by_area_code()[e164[full] // 10**7 % 1000]
            rows &= ~full
        if len(regions) > 1:
            region_rows[rows] = _by_patterns(e164[rows], len(str(code)), regions)
    return region_rows


def calling_codes_of(e164: NDArray[np.int64]) -> pa.StringArray:
    """Return the calling code of each number (int64) as text; "0" where no country has it."""
    return pc.cast(pa.array(calling_code_numbers(e164)), pa.string())


def is_calling_code(code: int) -> bool:
    """Return whether a calling code is in the numbering plans."""
    return code in COUNTRY_CODE_TO_REGION_CODE


def calling_code_numbers(e164: NDArray[np.int64]) -> NDArray[np.int16]:
    """Return the calling code of each number (int64); 0 where no country has it."""
    first_digits = e164 // _POWERS[np.maximum(np.searchsorted(_POWERS, e164, side="right") - 3, 0)]
    codes: NDArray[np.int16] = _calling_codes()[np.minimum(first_digits, 999)]
    return codes


def may_be_cut_short(e164: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether numbers (int64) without their last digits may be numbers, too: in plans with several lengths."""
    is_short: NDArray[np.bool_] = _has_several_lengths()[calling_code_numbers(e164)]
    # In North America, all numbers have ten digits except seven-digit ones of Canada, which begin with 310.
    in_canada = e164 // 10**7 == _SHORT_IN_CANADA
    is_short &= (e164 < NANP_LEAST) | (e164 > NANP_LAST) | in_canada
    return is_short


@lru_cache(maxsize=1)
def _has_several_lengths() -> NDArray[np.bool_]:
    """Return for each calling code (the index, up to 999) whether its national numbers differ in length."""
    table = np.zeros(1000, np.bool_)
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        lengths = set[int]()
        for name in regions:
            metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, name)
            lengths.update(metadata.general_desc.possible_length if metadata and metadata.general_desc else ())
        table[code] = len(lengths) > 1
    return table


def calling_code_digits() -> list[int]:
    """Return the calling code's length by a number's first three digits, from 001 on; 3 where there is no code."""
    return [len(str(code)) if code else 3 for code in _calling_codes()[1:].tolist()]


def calling_code_of(e164: int) -> int:
    """Return the calling code of a number of three digits or more; 0 where no country has it."""
    return int(_calling_codes()[int(str(e164)[:3])])


@lru_cache(maxsize=1)
def _calling_codes() -> NDArray[np.int16]:
    """Return the calling code by a number's first three digits; 0: none. No code is a prefix of another."""
    table = np.zeros(1000, np.int16)
    for code in COUNTRY_CODE_TO_REGION_CODE:
        span = 10 ** (3 - len(str(code)))
        table[code * span : (code + 1) * span] = code
    return table


def area_codes_of(region: str) -> list[int]:
    """Return the area codes of a region of the North American plan; unassigned ones count as the main region's."""
    return [int(area) for area in np.flatnonzero(_by_area_code() == _INDEX[region])]


def region_of_area(area: int) -> str:
    """Return the region of an area code of the North American plan; "" where no country has it."""
    name = _region_of_area(area)
    return name if name != "001" else ""


def _region_of_area(area: int) -> str:
    number = phonenumbers.PhoneNumber(country_code=NANP, national_number=area * 10**7 + 2_345_678)
    return phonenumbers.region_code_for_number(number) or ""


@lru_cache(maxsize=1)
def _by_area_code() -> NDArray[np.int16]:
    """Return the region by NANP area code, from one library lookup for each."""
    table = np.full(1000, _INDEX["US"], np.int16)
    for area in range(200, 1000):
        table[area] = _INDEX[_region_of_area(area) or "US"]
    return table


def _by_patterns(e164: NDArray[np.int64], code_length: int, regions: tuple[str, ...]) -> NDArray[np.int16]:
    """Return the first region whose patterns match each number, as in `region_code_for_number`."""
    regions_found = np.full(len(e164), _INDEX[regions[0]], np.int16)
    text = pc.utf8_slice_codeunits(pc.cast(pa.array(e164), pa.string()), code_length)
    waiting = np.ones(len(e164), np.bool_)
    for region in regions:
        matched = waiting & pc.match_substring_regex(text, _pattern(region)).to_numpy(zero_copy_only=False)
        regions_found[matched] = _INDEX[region]
        waiting &= ~matched
    return regions_found


def is_valid_in(e164: NDArray[np.int64], name: str) -> NDArray[np.bool_]:
    """Return whether numbers (int64), valid for their calling code, are valid for one region of it.

    As in `is_valid_number_for_region`, which ignores leading digits and the claims of other regions.
    """
    code = phonenumbers.country_code_for_region(name)
    fits = np.zeros(len(e164), np.bool_)
    if code == NANP:
        # Nearly every number has an area code of the region that the row names.
        fits = (e164 >= NANP_LEAST) & (_by_area_code()[e164 // 10**7 % 1000] == _INDEX[name])
    left = np.flatnonzero(~fits)
    if left.size:
        text = pc.utf8_slice_codeunits(pc.cast(pa.array(e164[left]), pa.string()), len(str(code)))
        fits[left] = pc.match_substring_regex(text, _valid_pattern(name)).to_numpy(zero_copy_only=False)
    return fits


@lru_cache(maxsize=64)
def _pattern(region: str) -> str:
    return f"^(?:{claim_of(region)})$"


def claim_of(region: str) -> str:
    """Return the expression of the whole national numbers that a region of a shared calling code claims."""
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        raise LookupError(region)
    return rf"(?:{metadata.leading_digits})\d{{0,17}}" if metadata.leading_digits else _kinds_of(metadata)


@lru_cache(maxsize=256)
def _valid_pattern(region: str) -> str:
    """Return the expression of the national numbers that are valid for a region."""
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        raise LookupError(region)
    return f"^(?:{_kinds_of(metadata)})$"


def _kinds_of(metadata: PhoneMetadata) -> str:
    kinds = [getattr(metadata, kind) for kind in _KINDS]
    patterns = [kind.national_number_pattern for kind in kinds if kind is not None]
    return "|".join(f"(?:{pattern})" for pattern in patterns if pattern)
