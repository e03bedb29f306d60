"""Look up countries by their letters and names (R14), in the languages that CLDR has them in.

The names are in `country_names.txt`, which `tests.contract.country_names` writes; ambiguous ones are not in it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files

# Usual names that are in no source, or no more.
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
    """Reduce a name to its words: case, accents of Latin, Greek and Cyrillic letters, and punctuation do not count."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", name).casefold())
    return _BETWEEN.sub(" ", unicodedata.normalize("NFC", plain)).strip()


@lru_cache(maxsize=1)
def regions_by_name() -> dict[str, str]:
    """Return the regions (ISO 3166, two letters) by their folded letters and names."""
    lines = files("worker.phone").joinpath("country_names.txt").read_text(encoding="utf-8").splitlines()
    found = dict(_ALSO)
    for line in lines:
        region, names = line.split("\t")
        found |= dict.fromkeys(names.split("|"), region)
    return found
