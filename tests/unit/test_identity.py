"""Which number an action means (R14, R18): international without a Country Code, as the file says with one."""

from __future__ import annotations

import numpy as np
import phonenumbers
import pyarrow as pa
import pytest

from schemas.codes import Code, faults_of, warnings_of
from worker import phone
from worker.phone.formatting import readable
from worker.phone.validate_column import PhoneColumn


def find(number: str, country: str = "", *, calling_codes: tuple[int, ...] = (1, 44)) -> PhoneColumn:
    return phone.find_column(pa.array([country]), pa.array([number]), np.array([False]), calling_codes).column


@pytest.mark.parametrize(
    ("number", "e164", "warning"),
    [
        ("+14155550100", 14155550100, None),
        ("14155550100", 14155550100, Code.COUNTRY_CODE_REPEATED),
        ("0041 44 668 18 00", 41446681800, None),
        ("+1 (415) 555-0100", 14155550100, None),
        ("+1.415.555.0100", 14155550100, None),
        ("+44\u00a020\u20117946\u20130958", 442079460958, None),
        ("\uff0b\uff14\uff14 20 7946 0958", 442079460958, None),
        ("+\u0664\u0664 20 7946 0958", 442079460958, None),
        ("+44 [20] 7946 0958", 442079460958, None),
        ("+98 9601", 989601, None),
        ("+44 20\u20117946\u20130958", 442079460958, None),
        # Possible, not valid: one that entered with accept=possible must still be found (R15).
        ("+11112223333", 11112223333, None),
        # The shortest that are valid (R14f).
        ("0043 1110", 431110, None),
    ],
)
def test_an_international_number(number: str, e164: int, warning: Code | None) -> None:
    found = find(number)
    assert (int(found.e164[0]), int(found.faults[0])) == (e164, 0)
    assert list(warnings_of(int(found.warnings[0]))) == ([warning] if warning else [])


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("", Code.MISSING_VALUE),
        ("   ", Code.MISSING_VALUE),
        ("+", Code.MISSING_VALUE),
        ("+1", Code.TOO_SHORT),
        ("+1234567890123456", Code.TOO_LONG),
        ("1" * 400, Code.NOT_FOUND),
        ("0155550100", Code.NOT_FOUND),
        ("number", Code.INVALID_CHARACTER),
        ("+1415x5550100", Code.INVALID_CHARACTER),
        ("+\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03", Code.INVALID_CHARACTER),
        ("+1415555010\u00b2", Code.INVALID_CHARACTER),
        ("-14155550100e3", Code.INVALID_CHARACTER),
    ],
)
def test_what_is_no_international_number(number: str, code: Code) -> None:
    found = find(number)
    assert [fault.code for fault in faults_of(int(found.faults[0]))] == [code]
    assert int(found.e164[0]) == 0


@pytest.mark.parametrize(
    ("country", "number", "e164"),
    [("1", "2125550142", 12125550142), ("GB", "020 7946 0958", 442079460958), ("1", "1112223333", 11112223333)],
)
def test_with_a_country_code_it_is_read_as_in_an_upload(country: str, number: str, e164: int) -> None:
    """R14; without the warning that it is merely possible: it is there already, or it is not."""
    found = find(number, country)
    assert (int(found.e164[0]), int(found.faults[0])) == (e164, 0)
    assert Code.POSSIBLE_NOT_VALID not in warnings_of(int(found.warnings[0]))


def test_rows_with_and_without_a_country_code_in_one_column() -> None:
    country, number = pa.array(["1", "", None, "ZZ"]), pa.array(["2125550142", "+442079460958", None, "2125550142"])
    found = phone.find_column(country, number, np.zeros(4, bool)).column
    assert found.e164.tolist()[:2] == [12125550142, 442079460958]
    assert [[fault.code for fault in faults_of(int(faults))] for faults in found.faults[2:]] == [
        [Code.MISSING_VALUE],
        [Code.INVALID_COUNTRY_CODE],
    ]


def test_a_number_to_be_added_must_be_valid() -> None:
    """R15, R21."""
    faults = phone.faults_of_new(np.array([12125550142, 11112223333, 442079460958]))
    assert [[fault.code for fault in faults_of(int(each))] for each in faults] == [[], [Code.INVALID_NUMBER], []]


@pytest.mark.parametrize("e164", [4402079460958, 4904915110000, 3606155501000, 3304612345678])
def test_r21_a_trunk_prefix_is_no_part_of_a_number_to_be_added(e164: int) -> None:
    """The library reads `+44 020 ...` as +44 20 ...; with the zero, the digits are not a number at all."""
    judged = phonenumbers.parse(f"+{e164}")
    assert phonenumbers.format_number(judged, phonenumbers.PhoneNumberFormat.E164) != f"+{e164}"
    assert phone.faults_of_new(np.array([e164]))[0] != 0
    assert readable(f"+{e164}") == f"+{e164}"


def test_an_italian_zero_is_part_of_the_number() -> None:
    assert phone.faults_of_new(np.array([390612345678]))[0] == 0
    assert readable("+390612345678") == "+39 06 1234 5678"
