"""Regions of whole columns against the library's own answer, for numbers of every region and kind."""

from __future__ import annotations

import random

import numpy as np
import phonenumbers
import pytest

from worker.phone.region import REGIONS, may_be_cut_short, regions_of

KINDS = range(11)


def _valid_numbers(per_kind: int) -> list[int]:
    chance = random.Random(7)
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in KINDS:
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            digits = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[1:]
            for _ in range(per_kind):
                tail = chance.randint(1, 6)
                changed = digits[:-tail] + "".join(chance.choice("0123456789") for _ in range(tail))
                if phonenumbers.is_valid_number(_parsed(changed)):
                    found.append(int(changed))
    return found


def _parsed(digits: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return phonenumbers.PhoneNumber()


def test_same_region_as_the_library() -> None:
    numbers = _valid_numbers(per_kind=8)
    assert len(numbers) > 8_000
    found = [REGIONS[place] for place in regions_of(np.array(numbers, np.int64))]
    differs = [
        (number, region)
        for number, region in zip(numbers, found, strict=True)
        if region != phonenumbers.region_code_for_number(_parsed(str(number)))
    ]
    assert differs == []


@pytest.mark.parametrize(
    ("number", "region"),
    [
        (0, ""),
        (80012345678, "001"),
        (870123456789, "001"),
        (14165550142, "CA"),
        (390669812345, "VA"),
        (77011234567, "KZ"),
    ],
)
def test_known_regions(number: int, region: str) -> None:
    assert REGIONS[regions_of(np.array([number], np.int64))[0]] == region


def test_no_rows() -> None:
    assert len(regions_of(np.zeros(0, np.int64))) == 0


def test_numbers_that_may_be_cut_short_are_those_whose_lengths_differ() -> None:
    """By the library's metadata: in North America only numbers of Canada that begin with 310."""
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        assert metadata is not None
        assert metadata.general_desc.possible_length == ((7, 10) if region == "CA" else (10,))
    short = phonenumbers.PhoneMetadata.metadata_for_region("CA").uan.national_number_pattern
    assert short.startswith("310")
    numbers = np.array([12125550142, 13105550142, 13101234, 493012345, 33123456789, 6512345678, 870773111632])
    expected = [False, True, True, True, False, True, True]  # all numbers of France have nine digits
    assert may_be_cut_short(numbers).tolist() == expected
