"""Cells as a peer reads them: one `phonenumbers` call after the other, as everybody writes it first."""

from __future__ import annotations

import phonenumbers


def e164_of(country: str, number: str) -> int | None:
    """The number as an integer; None unless it is valid. `country`: US, or 1, +1, 001."""
    code = country.lstrip("+0")
    region = phonenumbers.region_code_for_country_code(int(code)) if code.isdigit() else country
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return int(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)[1:])


def is_true(cell: str) -> bool:
    return cell.strip().upper() == "TRUE"
