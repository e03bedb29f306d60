"""Lookup of countries by their ISO 3166 letters and their names (R14), in the languages of CLDR.

`tests.contract.country_names` writes the names to `country_names.txt`, without ambiguous ones.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files

# Common names that no source has, or no longer has.
_ALSO = {
    "burma": "MM",
    "east timor": "TL",
    "great britain": "GB",
    "holland": "NL",
    "ivory coast": "CI",
    "macao": "MO",
    "macau": "MO",
    "macedonia": "MK",
    "palestine": "PS",
    "republic of korea": "KR",
    "russian federation": "RU",
    "swaziland": "SZ",
    "u k": "GB",
    "u s": "US",
    "u s a": "US",
    "united states of america": "US",
    "viet nam": "VN",
}
_ACCENTS = re.compile("[\u0300-\u036f]")
_BETWEEN = re.compile(r"[\s.,'\u2019\u2018`()\[\]&_/\-\u2010-\u2015]+")


def fold_name(name: str) -> str:
    """Reduce a name to its words, without case, punctuation, and accents of Latin, Greek and Cyrillic letters."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", name).casefold())
    return _BETWEEN.sub(" ", unicodedata.normalize("NFC", plain)).strip()


@lru_cache(maxsize=1)
def regions_by_name() -> dict[str, str]:
    """Return the regions (ISO 3166, two letters) by their folded letters and names."""
    lines = files("worker.phone").joinpath("country_names.txt").read_text(encoding="utf-8").splitlines()
    regions = dict(_ALSO)
    for line in lines:
        region, names = line.split("\t")
        regions |= dict.fromkeys(names.split("|"), region)
    return regions
