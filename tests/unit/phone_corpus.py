"""Builds rows of (Country Code, Phone Number) for every region of the installed metadata, the same for the same seed.

Spells valid, nearly valid and hopeless numbers in all the ways people and machines write them; judges nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberFormat

NON_GEOGRAPHIC = "001"
TYPES = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)
SEPARATORS = (" ", "-", ".", "", "  ", ") ", " (", "/", "\u00a0", "\u2011", " - ")
# The ways of writing in which a number is well formed: digits and the usual punctuation, national or international.
WELL_FORMED = ("plain", "national", "international", "e164", "zeros", "dialled", "punctuated", "repeated")


@dataclass(frozen=True)
class Case:
    """One row, and the way it is written."""

    country: str
    number: str
    way: str


@dataclass(frozen=True)
class Region:
    """One region with example numbers of all its types."""

    code: int
    name: str
    metadata: PhoneMetadata
    examples: tuple[str, ...]


def regions() -> list[Region]:
    """All regions and all calling codes of no country."""
    found = []
    for code, names in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        for name in names:
            metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, name)
            assert metadata is not None
            kinds = (getattr(metadata, kind) for kind in TYPES)
            examples = tuple(kind.example_number for kind in kinds if kind is not None and kind.example_number)
            found.append(Region(code, name, metadata, examples))
    return found


def number_of(region: Region, national: str) -> PhoneNumber:
    """The number object for a national number, leading zeros kept."""
    number = PhoneNumber(country_code=region.code, national_number=int(national))
    zeros = len(national) - len(national.lstrip("0"))
    if zeros and len(national) > 1:
        number.italian_leading_zero, number.number_of_leading_zeros = True, min(zeros, len(national) - 1)
    return number


def some_number(region: Region, chance: random.Random) -> str:
    """An example with some of its last digits drawn anew: often, not always, valid."""
    example = chance.choice(region.examples)
    drawn = chance.choice((0, 1, 2, 4, 4, 5, 6))
    kept = max(len(example) - drawn, 0)
    return example[:kept] + "".join(chance.choices("0123456789", k=len(example) - kept))


def country_cell(region: Region, chance: random.Random) -> str:
    code = str(region.code)
    spellings = [code, f"+{code}", f"00{code}", f" {code} ", f"({code})"]
    if region.name != NON_GEOGRAPHIC:
        spellings += [region.name, region.name, region.name.lower(), f" {region.name}"]
    return chance.choice(spellings)


Writer = Callable[[Region, str, random.Random], str]


def _formatted(region: Region, national: str, form: int) -> str:
    return phonenumbers.format_number(number_of(region, national), form)


def _dialled(region: Region, national: str, chance: random.Random) -> str:
    prefix = region.metadata.international_prefix or "00"
    known = prefix if prefix.isdigit() else region.metadata.preferred_international_prefix or "00"
    return f"{known}{chance.choice(SEPARATORS)}{region.code}{national}"


def punctuated(text: str, chance: random.Random) -> str:
    """The same digits with punctuation strewn in, none before a leading plus."""
    return "".join(part + (chance.choice(SEPARATORS) if chance.random() < 0.3 else "") for part in text)


def _off_by_one(region: Region, national: str, chance: random.Random) -> str:
    place, digit = chance.randrange(len(national)), chance.choice("0123456789")
    longer, shorter = national[:place] + digit + national[place:], national[:place] + national[place + 1 :]
    changed = national[:place] + digit + national[place + 1 :]
    text = chance.choice((longer, shorter, changed))
    return chance.choice(
        (text, text, f"+{region.code}{text}", f"00{region.code}{text}", f"{region.code}{text}", f"0{text}")
    )


def _prefixes(region: Region, national: str, chance: random.Random) -> str:
    """Digits that prefix patterns look for, in any order: trunk, abroad, carriers, calling codes, mobile 15."""
    metadata = region.metadata
    trunk = metadata.national_prefix or "0"
    parts = (
        trunk,
        "0",
        "00",
        "1",
        "8",
        "15",
        "011",
        "90",
        "144",
        "180020",
        "0038",
        "999",
        str(region.code),
        "19",
        "10",
    )
    front = "".join(chance.choices(parts, k=chance.choice((1, 1, 2, 3))))
    middle = chance.randrange(len(national))
    body = national if chance.random() < 0.7 else national[:middle] + "15" + national[middle:]
    return ("+" if chance.random() < 0.15 else "") + front + body


def _extension(region: Region, national: str, chance: random.Random) -> str:
    label = chance.choice((" ext. ", "x", " x", "#", ";ext=", ", ", ",,", " extension ", " доб ", "~", " int "))
    return f"+{region.code} {national}{label}{chance.randrange(1, 99999)}"


def _carrier(region: Region, national: str, chance: random.Random) -> str:
    carrier = chance.choice(("15", "31", "14", "21", "99", "7", "444", "1"))
    return phonenumbers.format_national_number_with_carrier_code(number_of(region, national), carrier)


def _odd(region: Region, national: str, chance: random.Random) -> str:
    wide = national.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    arabic = national.translate({ord("0") + digit: 0x660 + digit for digit in range(10)})
    texts = (
        wide,
        arabic,
        f"\uff0b{region.code}{wide}",
        f"++{region.code}{national}",
        f"+{national}+{region.code}",
        f"tel:+{region.code}-{national}",
        f"tel:{national};phone-context=+{region.code}",
        f"Tel. {national}",
        f"{national}*",
        f"*{national}",
        f"+{region.code}(0){national}",
        f"{national[:4]}\t{national[4:]}",
        f"{national[:3]} {national[3:]} or {national}",
        f"1-800-FLOWERS {national[:2]}",
        f"+0{region.code}{national}",
        f"+999{national}",
        f"{national}/x2/x{national[:3]}",
        "" if chance.random() < 0.5 else "   ",
        "n/a",
        "-",
        "+",
        "0",
        "00",
        "12",
        f" {national} ",
        national * 3,
        " " * 248 + national,
    )
    return chance.choice(texts)


def _garbage(_: Region, __: str, chance: random.Random) -> str:
    text = "".join(chance.choices("0123456789", k=chance.randrange(1, 25)))
    return chance.choice(("", "", "+", "00", "0", "(")) + text


WAYS: tuple[tuple[str, Writer], ...] = (
    ("plain", lambda _, national, __: national),
    ("national", lambda region, national, _: _formatted(region, national, PhoneNumberFormat.NATIONAL)),
    ("international", lambda region, national, _: _formatted(region, national, PhoneNumberFormat.INTERNATIONAL)),
    ("e164", lambda region, national, _: f"+{region.code}{national}"),
    ("zeros", lambda region, national, chance: chance.choice(("00", "00 ", "(00) ")) + f"{region.code} {national}"),
    ("dialled", _dialled),
    (
        "punctuated",
        lambda region, national, chance: punctuated(chance.choice(("", f"+{region.code}")) + national, chance),
    ),
    ("repeated", lambda region, national, _: f"{region.code}{national}"),
    ("off by one", _off_by_one),
    ("off by one", _off_by_one),
    ("prefixes", _prefixes),
    ("prefixes", _prefixes),
    ("carrier", _carrier),
    ("extension", _extension),
    ("rfc3966", lambda region, national, _: _formatted(region, national, PhoneNumberFormat.RFC3966)),
    ("zero in brackets", lambda region, national, _: f"+{region.code} (0){national}"),
    ("local", lambda _, national, __: national[-7:]),
    ("odd", _odd),
    ("garbage", _garbage),
)


def _endless(seed: int) -> Iterator[Case]:
    chance = random.Random(seed)
    everywhere = regions()
    for region in cycle(everywhere):
        for way, writer in WAYS:
            number = writer(region, some_number(region, chance), chance)
            elsewhere = chance.random() < 0.03
            where = chance.choice(everywhere) if elsewhere else region
            cell = country_cell(where, chance) if chance.random() > 0.01 else chance.choice(("", "zz", "999", "x1"))
            yield Case(cell, number, "elsewhere" if elsewhere or cell in {"", "zz", "999", "x1"} else way)


def build_corpus(size: int, seed: int = 20260101) -> list[Case]:
    """`size` rows, all regions in turn, every region in every way of writing."""
    return list(islice(_endless(seed), size))
