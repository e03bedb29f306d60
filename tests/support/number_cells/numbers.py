"""Valid phone numbers at random, and the readings that the numbering plans allow for digits.

The numbers come from the metadata of libphonenumber: digits at random that match the pattern of a type of number,
confirmed by `is_valid_number_for_region`. Nothing here comes from the code under test.
"""

from __future__ import annotations

import functools
import importlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberFormat

LONGEST_E164 = 15
NON_GEOGRAPHIC = "001"
COMMON_TYPES = ("fixed_line", "mobile")
SPECIAL_TYPES = ("toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan", "voicemail")
NO_TYPE = {None, "NA"}


@dataclass(frozen=True)
class Number:
    """A valid number; `national` is the national significant number with its leading zeros."""

    region: str
    code: int
    national: str
    type: str

    @property
    def e164(self) -> int:
        return int(f"{self.code}{self.national}")

    def formatted(self, form: int) -> str:
        return str(phonenumbers.format_number(parsed(self.code, self.national), form))

    @property
    def in_country(self) -> str:
        """The number as people of its country write it."""
        return self.formatted(PhoneNumberFormat.NATIONAL)

    @property
    def abroad(self) -> str:
        return self.formatted(PhoneNumberFormat.INTERNATIONAL)


def parsed(code: int, national: str) -> PhoneNumber:
    """Return the library's object for a number that is known, without any parsing."""
    number = PhoneNumber(country_code=code, national_number=int(national))
    zeros = min(len(national) - len(national.lstrip("0")), len(national) - 1)
    if zeros:
        number.italian_leading_zero = True
        number.number_of_leading_zeros = zeros if zeros > 1 else None
    return number


@functools.lru_cache(maxsize=1 << 17)
def is_valid(code: int, national: str) -> bool:
    """Say whether this is a valid number of any region with the calling code that E.164 has room for.

    What `phonenumbers.is_valid_number` says, which compiles its patterns anew for every number; a test compares them.
    """
    if not national.isdecimal() or len(national) < 2 or len(f"{code}{national}") > LONGEST_E164:
        return False
    return any(
        leading(national) and general(national) and any(kind(national) for kind in kinds)
        for leading, general, kinds in _patterns(code)
    )


Match = Callable[[str], object]


@functools.cache
def _patterns(code: int) -> list[tuple[Match, Match, list[Match]]]:
    """For each region with a calling code: what its numbers begin with, look like, and look like by type."""
    found = list[tuple[Match, Match, list[Match]]]()
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    for region in regions:
        plan = metadata(region, code)
        kinds = [_fitting(getattr(plan, kind)) for kind in (*COMMON_TYPES, *SPECIAL_TYPES) if _has(plan, kind)]
        leading = re.compile(plan.leading_digits or "").match if len(regions) > 1 else str.isdecimal
        found.append((leading, re.compile(plan.general_desc.national_number_pattern).fullmatch, kinds))
    return found


def _fitting(description: phonenumbers.PhoneNumberDesc) -> Match:
    """Match the numbers of a type, which may have fewer lengths than its pattern allows."""
    match, lengths = re.compile(description.national_number_pattern).fullmatch, set(description.possible_length)
    return lambda national: (not lengths or len(national) in lengths) and match(national)


@functools.cache
def metadata(region: str, code: int = 0) -> PhoneMetadata:
    """Return the metadata of a region, or of a calling code that belongs to none."""
    found = PhoneMetadata.metadata_for_region_or_calling_code(code or calling_code(region), region)
    assert found is not None
    return found


@functools.cache
def calling_code(region: str) -> int:
    return int(phonenumbers.country_code_for_region(region))


def digits_of(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


def draw(region: str, chance: random.Random, types: tuple[str, ...] = (), code: int = 0) -> Number:
    """Return a valid number of a region; mostly fixed lines and mobiles by default."""
    plan = metadata(region, code)
    wanted = types or (COMMON_TYPES if chance.random() < 0.85 else SPECIAL_TYPES)
    kinds = [kind for kind in wanted if _has(plan, kind)] or [
        kind for kind in (*COMMON_TYPES, *SPECIAL_TYPES) if _has(plan, kind)
    ]
    for _ in range(1000):
        kind = chance.choice(kinds)
        national = digits_like(getattr(plan, kind).national_number_pattern, chance)
        if is_number_of(plan, region, national):
            return Number(region, plan.country_code, national, kind)
    raise AssertionError(f"no number of {region} found")


def has_type(region: str, kind: str, code: int = 0) -> bool:
    """Say whether a region, or a calling code that belongs to none, has numbers of a type."""
    return _has(metadata(region, code), kind)


def is_number_of(plan: PhoneMetadata, region: str, national: str) -> bool:
    """Say whether it is a valid number of the region, and its national format means no other one.

    In Gabon, old numbers of seven digits are written with the zero that is part of the new ones.
    """
    code = plan.country_code
    if len(f"{code}{national}") > LONGEST_E164 or national.startswith("00"):
        return False
    number = parsed(code, national)
    if not phonenumbers.is_valid_number_for_region(number, region) or not is_read_back(code, national):
        return False
    if region == NON_GEOGRAPHIC:
        return True
    written = digits_of(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    return national_readings(region, written) <= {int(f"{code}{national}")}


def is_read_back(code: int, national: str) -> bool:
    """Say whether the library reads the E.164 form of a number as that number; some seem to have a trunk prefix."""
    return bool(phonenumbers.parse(f"+{code}{national}") == parsed(code, national))


def _has(plan: PhoneMetadata, kind: str) -> bool:
    description = getattr(plan, kind)
    return description is not None and description.national_number_pattern not in NO_TYPE


# --- digits at random that match a pattern ---

Sampler = Callable[[random.Random], str]
_parser: Any = importlib.import_module("re._parser")  # the only parser of patterns there is
_MOST = 12  # repetitions without an upper bound


def digits_like(pattern: str, chance: random.Random) -> str:
    """Return digits at random that match a pattern of the metadata."""
    return _sampler(pattern)(chance)


@functools.cache
def _sampler(pattern: str) -> Sampler:
    return _sequence(_parser.parse(pattern))


def _sequence(tree: Any) -> Sampler:  # noqa: ANN401 - the parser's own nested lists
    parts = [_part(str(name), value) for name, value in tree]
    return lambda chance: "".join([part(chance) for part in parts])


def _part(name: str, value: Any) -> Sampler:  # noqa: ANN401 - as above
    match name:
        case "LITERAL":
            return lambda _: chr(value)
        case "IN":
            members = _members(value)
            return lambda chance: members[int(chance.random() * len(members))]
        case "BRANCH":
            branches = [_sequence(tree) for tree in value[1]]
            return lambda chance: branches[int(chance.random() * len(branches))](chance)
        case "SUBPATTERN":
            return _sequence(value[3])
        case "MAX_REPEAT":
            return _repeated(*value)
    raise AssertionError(f"unknown in a pattern of the metadata: {name}")


def _repeated(least: int, most: int, tree: Any) -> Sampler:  # noqa: ANN401 - as above
    part, most = _sequence(tree), min(int(most), max(least, _MOST))
    return lambda chance: "".join([part(chance) for _ in range(chance.randint(least, most))])


def _members(items: Any) -> str:  # noqa: ANN401 - as above
    found = ""
    for name, value in items:
        match str(name):
            case "LITERAL":
                found += chr(value)
            case "RANGE":
                found += "".join(chr(place) for place in range(value[0], value[1] + 1))
            case "CATEGORY":
                found += "0123456789"
    return found


# --- readings of digits (R14b, R14d) ---


@dataclass(frozen=True)
class Readings:
    """What digits without a plus may mean, as E.164 numbers."""

    national: frozenset[int]
    international: frozenset[int]
    zero_added: frozenset[int]

    @property
    def all(self) -> frozenset[int]:
        return self.national | self.international | self.zero_added


@functools.lru_cache(maxsize=1 << 16)
def readings(region: str, digits: str) -> Readings:
    """Return the readings of digits alone in the row of a region."""
    code = calling_code(region)
    national = national_readings(region, digits)
    prefix, rest = digits[: len(str(code))], digits[len(str(code)) :]
    international = {int(digits)} if prefix == str(code) and is_valid(code, rest) else set()
    zero = national_readings(region, "0" + digits) - national if digits[0] != "0" else frozenset()
    return Readings(frozenset(national), frozenset(international), frozenset(zero))


def national_readings(region: str, digits: str) -> frozenset[int]:
    """Return the numbers that digits are when dialled within a country: as they are, and without a trunk prefix."""
    code = calling_code(region)
    found = {int(f"{code}{digits}")} if is_valid(code, digits) else set()
    _, stripped, _ = phonenumbers.phonenumberutil._maybe_strip_national_prefix_carrier_code(  # noqa: SLF001
        digits, metadata(region)
    )
    if stripped != digits and is_valid(code, stripped):
        found.add(int(f"{code}{stripped}"))
    return frozenset(found)
