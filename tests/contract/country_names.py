"""Writes the names of countries that a Country Code cell may hold, from CLDR: `python -m tests.contract.country_names`.

Two sources: Babel's copy of CLDR and the names that come with `phonenumbers`, which keep some that CLDR has replaced
("Turkey"). In English, the languages of the headers that are understood, and the languages of the country itself.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.languages import get_official_languages
from phonenumbers.geodata.locale import LOCALE_DATA

from worker.phone.country_names import fold_name

TARGET = Path("worker/phone/country_names.txt")
LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl")
# Names that more than one country goes by, whatever CLDR calls each of them.
SHARED = frozenset({"congo", "kongo", "korea", "corea", "coree", "guyane", "virgin islands", "america", "saint martin"})


def text() -> str:
    """Return the file: a line for each region, its letters and its names, folded, in order."""
    regions_of = defaultdict[str, set[str]](set)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for name in (region, *_letters(region), *_names(region)):
            regions_of[fold_name(name)].add(region)
    names = defaultdict[str, list[str]](list)
    for name, regions in sorted(regions_of.items()):
        if name and name not in SHARED and len(regions) == 1:
            names[min(regions)].append(name)
    return "".join(f"{region}\t{'|'.join(found)}\n" for region, found in sorted(names.items()))


def _letters(region: str) -> Iterator[str]:
    """Yield the three letters of ISO 3166 and other usual letters, such as UK."""
    for alias, regions in get_global("territory_aliases").items():
        if list(regions) == [region] and alias.isalpha():
            yield alias
    if region == "GR":
        yield "EL"  # as the European Union writes Greece


def _names(region: str) -> Iterator[str]:
    for language in dict.fromkeys((*LANGUAGES, *get_official_languages(region, regional=True, de_facto=True))):
        try:
            name = Locale.parse(language).territories.get(region)
        except (UnknownLocaleError, ValueError):
            name = None
        if name:
            yield name
            yield name.partition(" (")[0]
            if name.endswith(("SAR China", "Sonderverwaltungsregion China")):
                yield name.split(" SAR")[0]
        older = LOCALE_DATA.get(region, {}).get(language)
        if older:
            yield LOCALE_DATA[region].get(older[1:], "") if older.startswith("*") else older


if __name__ == "__main__":
    if "--write" in sys.argv:
        TARGET.write_text(text(), encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text():
        sys.exit(f"{TARGET} is not what CLDR says: python -m tests.contract.country_names --write")
