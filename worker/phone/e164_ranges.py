"""Where the numbers of a country, or those that begin with what somebody types, stand in the order of all numbers.

A span is (first, last), both included, of E.164 numbers without the plus; no span goes beyond numbers of one length.
What is told here is never too little, and may be too much for the smaller regions of a shared calling code.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from worker.phone import region
from worker.phone.automaton import beginnings
from worker.phone.digits import ascii_digits
from worker.phone.identify import LEAST_DIGITS, MOST_DIGITS
from worker.phone.metadata import metadata_of
from worker.phone.pattern import Program, UnsupportedPattern

Span = tuple[int, int]

EVERY: Span = (0, 10**16)

_DEPTH = 5  # digits that tell the regions of a calling code apart, as far as digits can
_NOT_DIGITS = re.compile(r"[^0-9]")
_IN_BRACKETS = re.compile(r"\(\s*0\s*\)")
# Before the plus there may be what comes with a number that was copied: marks of direction, "tel:", an apostrophe.
_ABROAD = re.compile(r"[^0-9+]*(?:\+|00)")


def beginning_with(digits: str) -> list[Span]:
    """Numbers of any length that begin with these digits; none that begins with 0 or is longer than a number."""
    if not digits or digits.startswith("0") or len(digits) > MOST_DIGITS:
        return []
    first, least = int(digits), max(LEAST_DIGITS, len(digits))
    powers = (10 ** (length - len(digits)) for length in range(least, MOST_DIGITS + 1))
    return [(first * power, (first + 1) * power - 1) for power in powers]


def of_country(country: str) -> list[Span]:
    """Numbers of a region ("US", "us", "001"), or with a calling code ("+44", "44"); none where there is none such."""
    digits = country.lstrip("+")
    if digits.isdigit() and digits != "001":
        return beginning_with(digits)
    return list(_of_region(country.upper()))


def is_region(country: str) -> bool:
    """Whether a country is named by its region, so that the numbers' own column decides; else by its calling code."""
    digits = country.lstrip("+")
    return not digits.isdigit() or digits == "001"


def regions_of(code: int) -> Sequence[str]:
    """The regions that share a calling code, the main one first; "001" for a code of no country."""
    return COUNTRY_CODE_TO_REGION_CODE.get(code, ())


def is_international(text: str) -> bool:
    """Whether what somebody typed begins as an international number does, so that no calling code need be guessed."""
    return _ABROAD.match(ascii_digits(text)) is not None


def typed(text: str, codes: Iterable[int]) -> list[Span]:
    """Numbers that begin with what somebody typed, whatever stands between the digits.

    With a plus, or 00, it is the beginning of an international number. Without, it may also be that of a national one
    with any of these calling codes, written with the national prefix ("0", "1", "8", "06", ...) or without.
    """
    text = ascii_digits(text)
    if is_international(text):
        return beginning_with(_NOT_DIGITS.sub("", _IN_BRACKETS.sub("", text)).removeprefix("00"))
    digits = _NOT_DIGITS.sub("", text)
    begins = {digits, *(f"{code}{national}" for code in codes for national in _national(code, digits))}
    return joined(span for begin in begins if digits for span in beginning_with(begin))


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same numbers in spans that are ascending and apart."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def by_length(spans: Sequence[Span]) -> list[Span]:
    """For each length of a number that spans, ascending and apart, have any of: from the first to the last of it."""
    return [
        (found[0][0], found[-1][1])
        for found in (list(group) for _, group in itertools.groupby(spans, lambda span: len(str(span[0]))))
    ]


def common(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What is in both of two lists of spans that are ascending and apart."""
    found, place = [], 0
    for first, last in some:
        while place < len(others) and others[place][1] < first:
            place += 1
        for low, high in others[place:]:
            if low > last:
                break
            found.append((max(first, low), min(last, high)))
    return found


def _national(code: int, digits: str) -> Iterator[str]:
    yield digits
    prefixes = {metadata_of(code, name).national_prefix for name in COUNTRY_CODE_TO_REGION_CODE[code]}
    for prefix in sorted(prefix for prefix in prefixes if prefix):
        if digits.startswith(prefix) and digits != prefix:
            yield digits.removeprefix(prefix)


@lru_cache(maxsize=512)
def _of_region(name: str) -> tuple[Span, ...]:
    """As `worker.phone.region` gives numbers their region."""
    found: list[Span] = []
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if name not in regions:
            continue
        if name == regions[0]:
            # It has all that no other claims, or claimed when it was imported.
            found += beginning_with(str(code))
        elif code == region.NANP:
            found += _by_area_code(name)
        else:
            found += _of_claim(code, name)
    return tuple(joined(found))


def _by_area_code(name: str) -> Iterator[Span]:
    """The area codes of a region; numbers of other lengths may be anybody's."""
    least, power = region.NANP_LEAST, 10**7
    for area in region.area_codes_of(name):
        yield least + area * power, least + (area + 1) * power - 1
    yield from (span for span in beginning_with(str(region.NANP)) if span[0] != least)


def _of_claim(code: int, name: str) -> Iterator[Span]:
    """What a smaller region of a calling code claims: by first digits alone, of any length; else of its lengths."""
    metadata = metadata_of(code, name)
    general = None if metadata.leading_digits else metadata.general_desc
    lengths = {len(str(code)) + length for length in general.possible_length} if general else None
    for begin in _claimed(name):
        for span in beginning_with(f"{code}{begin}"):
            if lengths is None or len(str(span[0])) in lengths:
                yield span


def _claimed(name: str) -> list[str]:
    """The first digits of the national numbers that a smaller region of a calling code claims."""
    program = Program()
    try:
        return beginnings(program, program.pattern(region.claim_of(name), 0), _DEPTH)
    except UnsupportedPattern:
        return [""]
