"""R14f: what the numbering plans call valid can be created through the API and read back, of whatever length."""

from __future__ import annotations

import functools
import random

import phonenumbers
import pytest

from tests.support.api_client import Door
from tests.support.files import sheets
from tests.support.number_cells.numbers import (
    COMMON_TYPES,
    LONGEST_E164,
    NON_GEOGRAPHIC,
    SPECIAL_TYPES,
    Number,
    digits_like,
    has_type,
    is_read_back,
    is_valid,
    metadata,
)

HEADER = ["Country Code", "Phone Number", "Voice", "SMS"]
TRIES = 25


@functools.cache
def every_length() -> list[Number]:
    """One valid number for each calling code, region, type and length that there is."""
    chance, found = random.Random(14), dict[tuple[int, str, int], Number]()
    for code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        for region in regions:
            plan = metadata(region, code)
            kinds = [kind for kind in (*COMMON_TYPES, *SPECIAL_TYPES) if has_type(region, kind, code)]
            for kind in kinds:
                for _ in range(TRIES):
                    national = digits_like(getattr(plan, kind).national_number_pattern, chance)
                    if is_valid(code, national) and is_read_back(code, national):
                        found.setdefault((code, region, len(national)), Number(region, code, national, kind))
    return list({number.e164: number for number in found.values()}.values())


@pytest.mark.long
def test_lengths_reach_from_the_shortest_to_15_digits() -> None:
    lengths = {len(str(number.e164)) for number in every_length()}
    assert min(lengths) <= 6
    assert max(lengths) == LONGEST_E164
    assert {number.code for number in every_length()} == set(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


@pytest.mark.long
@pytest.mark.parametrize("spelling", ["+", "country"])
def test_what_is_valid_is_stored(api: Door, spelling: str) -> None:
    numbers = every_length()
    if spelling == "+":
        rows = [["", f"+{number.e164}"] for number in numbers]
    else:
        rows = [[_country(number), number.abroad] for number in numbers]
    job = api.upload(sheets.csv_bytes([HEADER, *([*row, "TRUE", ""] for row in rows)]))
    refused = [
        (row["code"], row["cells"]["Country Code"], row["cells"]["Phone Number"])
        for row in api.rows(job["id"])
        if row["code"] != "CREATED"
    ]
    assert refused == []
    assert _inventory(api) == {f"+{number.e164}" for number in numbers}
    shortest, *_, longest = sorted(numbers, key=lambda number: len(str(number.e164)))
    for number in (shortest, longest, *random.Random(1).sample(numbers, 20)):
        answer = api.get(f"/v1/numbers/+{number.e164}")
        assert answer.status_code == 200, number
        assert answer.json["e164"] == f"+{number.e164}"


@pytest.mark.long
def test_the_shortest_and_the_longest_are_acted_on(api: Door) -> None:
    """R14f: not only created; a list finds them, and a deletion takes them away."""
    numbers = sorted(every_length(), key=lambda number: len(str(number.e164)))
    some = [f"+{number.e164}" for number in (*numbers[:15], *numbers[-15:])]
    api.upload(sheets.csv_bytes([HEADER, *(["", number, "TRUE", ""] for number in some)]))
    job = api.act("deletions", {"numbers": some})
    assert set(api.codes(job["id"]).values()) == {"DELETED"}
    assert _inventory(api) == set()


def _country(number: Number) -> str:
    """The calling code, or the region where only that tells several apart."""
    return str(number.code) if number.region == NON_GEOGRAPHIC else number.region


def _inventory(api: Door) -> set[str]:
    found, cursor = set[str](), ""
    while True:
        query = {"limit": 500} | ({"cursor": cursor} if cursor else {})
        page = api.get("/v1/numbers", query_string=query).json
        found |= {number["e164"] for number in page["data"]}
        cursor = page["next_cursor"]
        if not cursor:
            return found
