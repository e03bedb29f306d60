"""What a Country Code cell means (R14): a calling code, or an ISO region in any case. Guesses nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from phonenumbers import REGION_CODE_FOR_NON_GEO_ENTITY

from schemas.phone.metadata import MAIN_ROW, REGION_ROW, REGIONS

_CALLING_CODE = re.compile(r"[\s(]*(?:\+\s*|00)?([1-9][0-9]{0,2})[\s)]*", re.ASCII)
_REGION = re.compile(r"[\s(]*([A-Za-z]{2})[\s)]*", re.ASCII)


@dataclass(frozen=True)
class Country:
    """The country of a row: `row` is its place in `metadata.REGIONS`; a calling code means its main region."""

    row: int

    @property
    def calling_code(self) -> int:
        """Such as 44."""
        return REGIONS[self.row][0]

    @property
    def region(self) -> str | None:
        """The region national numbers are read in; None for a calling code of no country, such as 800."""
        region = REGIONS[self.row][1]
        return None if region == REGION_CODE_FOR_NON_GEO_ENTITY else region


@lru_cache(maxsize=4096)
def read_country(text: str) -> Country | None:
    """The country a cell names, or None: `1`, `+1`, `001`, ` (44) `, `US`, `gb`."""
    code, region = _CALLING_CODE.fullmatch(text), _REGION.fullmatch(text)
    row = MAIN_ROW.get(int(code[1])) if code else REGION_ROW.get(region[1].upper()) if region else None
    return None if row is None else Country(row)
