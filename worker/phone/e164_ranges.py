"""Ranges of E.164 numbers: the numbers of a country, or the numbers that begin with what a user typed.

A span is (first, last), both included, of E.164 numbers without the plus, all of one length. Spans miss no number, but
may include too many for the smaller regions of a shared calling code.
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

_DEPTH = 5  # first digits that distinguish the regions of a calling code, as far as digits can
_NOT_DIGITS = re.compile(r"[^0-9]")
_IN_BRACKETS = re.compile(r"\(\s*0\s*\)")
# Copied numbers may have direction marks, "tel:" or an apostrophe before the plus.
_ABROAD = re.compile(r"[^0-9+]*(?:\+|00)")


def beginning_with(digits: str) -> list[Span]:
    """Return numbers of any length that begin with these digits; none for a leading 0 or for too many digits."""
    if not digits or digits.startswith("0") or len(digits) > MOST_DIGITS:
        return []
    first, least = int(digits), max(LEAST_DIGITS, len(digits))
    powers = (10 ** (length - len(digits)) for length in range(least, MOST_DIGITS + 1))
    return [(first * power, (first + 1) * power - 1) for power in powers]


def of_country(country: str) -> list[Span]:
    """Return the numbers of a region ("US", "us", "001"; none if unknown), or with a calling code ("+44", "44")."""
    digits = country.lstrip("+")
    if digits.isdigit() and digits != "001":
        return beginning_with(digits)
    return list(_of_region(country.upper()))


def is_region(country: str) -> bool:
    """Return whether a country is given as a region, as in the numbers' `country` column, not as a calling code."""
    digits = country.lstrip("+")
    return not digits.isdigit() or digits == "001"


def regions_of(code: int) -> Sequence[str]:
    """Return the regions that share a calling code, the main one first; "001" for a code without a country."""
    return COUNTRY_CODE_TO_REGION_CODE.get(code, ())


def is_international(text: str) -> bool:
    """Return whether typed text begins like an international number, so that no calling code has to be guessed."""
    return _ABROAD.match(ascii_digits(text)) is not None


def typed(text: str, codes: Iterable[int]) -> list[Span]:
    """Return the numbers that begin with the digits that a user typed, ignoring other characters.

    With a plus or 00, the digits begin an international number. Without, they may also begin a national number of one
    of these calling codes, written with the national prefix ("0", "1", "8", "06", ...) or without.
    """
    text = ascii_digits(text)
    if is_international(text):
        return beginning_with(_NOT_DIGITS.sub("", _IN_BRACKETS.sub("", text)).removeprefix("00"))
    digits = _NOT_DIGITS.sub("", text)
    begins = {digits, *(f"{code}{national}" for code in codes for national in _national(code, digits))}
    return joined(span for begin in begins if digits for span in beginning_with(begin))


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the same numbers as ascending spans that do not overlap or touch."""
    joined_spans: list[Span] = []
    for first, last in sorted(spans):
        if joined_spans and first <= joined_spans[-1][1] + 1:
            joined_spans[-1] = (joined_spans[-1][0], max(joined_spans[-1][1], last))
        else:
            joined_spans.append((first, last))
    return joined_spans


def by_length(spans: Sequence[Span]) -> list[Span]:
    """Return one span per length of number, from the first to the last number; `spans` are ascending and disjoint."""
    return [
        (same_length[0][0], same_length[-1][1])
        for same_length in (list(group) for _, group in itertools.groupby(spans, lambda span: len(str(span[0]))))
    ]


def common(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return the intersection of two lists of ascending, disjoint spans."""
    shared, index = [], 0
    for first, last in some:
        while index < len(others) and others[index][1] < first:
            index += 1
        for low, high in others[index:]:
            if low > last:
                break
            shared.append((max(first, low), min(last, high)))
    return shared


def _national(code: int, digits: str) -> Iterator[str]:
    yield digits
    prefixes = {metadata_of(code, name).national_prefix for name in COUNTRY_CODE_TO_REGION_CODE[code]}
    for prefix in sorted(prefix for prefix in prefixes if prefix):
        if digits.startswith(prefix) and digits != prefix:
            yield digits.removeprefix(prefix)


@lru_cache(maxsize=512)
def _of_region(name: str) -> tuple[Span, ...]:
    """Return the numbers of a region, as `worker.phone.region` assigns them."""
    spans: list[Span] = []
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if name not in regions:
            continue
        if name == regions[0]:
            # The main region has every number that no other region claims, or claimed when the number was imported.
            spans += beginning_with(str(code))
        elif code == region.NANP:
            spans += _by_area_code(name)
        else:
            spans += _of_claim(code, name)
    return tuple(joined(spans))


def _by_area_code(name: str) -> Iterator[Span]:
    """Yield a region's area codes, and the numbers of other lengths, which may belong to any region."""
    least, power = region.NANP_LEAST, 10**7
    for area in region.area_codes_of(name):
        yield least + area * power, least + (area + 1) * power - 1
    yield from (span for span in beginning_with(str(region.NANP)) if span[0] != least)


def _of_claim(code: int, name: str) -> Iterator[Span]:
    """Yield the numbers that a smaller region claims: by leading digits, of any length; else only of its lengths."""
    metadata = metadata_of(code, name)
    general = None if metadata.leading_digits else metadata.general_desc
    lengths = {len(str(code)) + length for length in general.possible_length} if general else None
    for begin in _claimed(name):
        for span in beginning_with(f"{code}{begin}"):
            if lengths is None or len(str(span[0])) in lengths:
                yield span


def _claimed(name: str) -> list[str]:
    """Return the first digits of the national numbers that a smaller region of a calling code claims."""
    program = Program()
    try:
        return beginnings(program, program.pattern(region.claim_of(name), 0), _DEPTH)
    except UnsupportedPattern:
        return [""]
