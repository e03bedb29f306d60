"""Where numbers stand in their order: never is a number left out, and what is typed is taken as people mean it."""

from __future__ import annotations

import numpy as np
import pytest
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from worker.phone import e164_ranges, region
from worker.phone.identify import LEAST_DIGITS

SHARED = [code for code, names in COUNTRY_CODE_TO_REGION_CODE.items() if len(names) > 1]
SOME_OTHERS = [49, 33, 800, 380, 674]


def has(found: list[e164_ranges.Span], e164: int) -> bool:
    return any(low <= e164 <= high for low, high in found)


@pytest.mark.parametrize("code", [*SHARED, *SOME_OTHERS])
def test_no_number_of_a_region_is_left_out(code: int) -> None:
    rng = np.random.default_rng(code)
    digits = len(str(code))
    drawn = [code * 10**rest + rng.integers(0, 10**rest, 5000) for rest in range(LEAST_DIGITS - digits, 15 - digits)]
    e164 = np.unique(np.concatenate(drawn))
    regions = np.array(region.REGIONS)[region.regions_of(e164)]
    for name in COUNTRY_CODE_TO_REGION_CODE[code]:
        low, high = np.array(e164_ranges.of_country(name)).T
        place = np.searchsorted(low, e164, side="right") - 1
        inside = (place >= 0) & (e164 <= high[np.maximum(place, 0)])
        assert inside[regions == name].all(), name


def test_smaller_regions_are_narrowed() -> None:
    assert not has(e164_ranges.of_country("GG"), 442070000000)
    assert has(e164_ranges.of_country("GG"), 441481250000)
    assert not has(e164_ranges.of_country("CA"), 12125550142)
    assert has(e164_ranges.of_country("ca"), 14165550142)
    assert e164_ranges.of_country("ZZ") == []


@pytest.mark.parametrize(
    ("typed", "codes", "number"),
    [
        ("+1 (212) 555-0142", [], 12125550142),
        ("1.212.555", [], 12125550142),
        ("0212 555", [44], 442125550142),
        ("212-555", [1, 44], 12125550142),
        ("212-555", [1, 44], 442125550142),
        ("1 212", [1], 12125550142),
        ("0049 (30) 12", [], 493012345),
        ("+49 (0)30 12", [], 493012345),
        ("8 (495)", [7], 74952120000),
        ("06 698", [39], 390669812345),
        ("+98 96", [], 989601),
        ("9601", [1, 98], 989601),
        ("01640", [49], 491640),
    ],
)
def test_what_is_on_paper_finds_the_number(typed: str, codes: list[int], number: int) -> None:
    assert has(e164_ranges.typed(typed, codes), number)


@pytest.mark.parametrize(
    ("typed", "codes", "number"),
    [
        ("+212", [1], 12125550142),
        ("00 212", [1], 12125550142),
        ("213", [1], 12125550142),
        ("212", [], 12125550142),
        ("", [1], 12125550142),
        ("--", [1], 12125550142),
        ("0", [1], 12125550142),
        ("1" * 40, [1], 12125550142),
    ],
)
def test_what_is_meant_otherwise_does_not(typed: str, codes: list[int], number: int) -> None:
    assert not has(e164_ranges.typed(typed, codes), number)


def test_common_and_joined() -> None:
    assert e164_ranges.joined([(5, 7), (1, 2), (3, 3), (6, 9)]) == [(1, 3), (5, 9)]
    assert e164_ranges.common([(1, 10), (20, 30)], [(5, 6), (8, 21), (29, 99)]) == [(5, 6), (8, 10), (20, 21), (29, 30)]


@pytest.mark.parametrize("typed", ["+0", "00", "+", "+\u0660", "\uff10", "+" + "1" * 16])
def test_what_begins_no_number_finds_none(typed: str) -> None:
    assert e164_ranges.typed(typed, []) == []


@pytest.mark.parametrize("typed", ["+44 20", "\u0660\u066044 (\u0660)20", "tel:+4420", "\u202a+44 20", "'0044 20"])
def test_international_is_seen_whatever_comes_before_it(typed: str) -> None:
    """As numbers are when they are copied."""
    assert e164_ranges.is_international(typed)
    found = e164_ranges.typed(typed, [1])
    assert has(found, 442079460000)
    assert not has(found, 14420555014)
    assert found == e164_ranges.joined(found)
