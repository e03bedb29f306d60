"""Valid numbers of every region, type and length, drawn from the patterns of the installed metadata."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator
from typing import Any

import phonenumbers

from tests.unit.phone_corpus import TYPES, Region, regions

# Of the standard library, but not documented: how a pattern is parsed, and what its parts are called.
parser, sre = (importlib.import_module(f"re.{name}") for name in ("_parser", "_constants"))
MOST_DIGITS = 15  # ITU-T E.164
_DIGITS = "0123456789"
_TRIES = 500  # for one pattern; nearly all lengths are met by a few


def valid_numbers(seed: int) -> dict[str, Region]:
    """Numbers of at most 15 digits (E.164 without the plus) that libphonenumber calls valid, each with its region."""
    chance = random.Random(seed)
    return {
        f"{region.code}{national}": region
        for region in regions()
        for kind in TYPES
        for national in _of_kind(region, getattr(region.metadata, kind), chance)
    }


def _of_kind(region: Region, kind: Any, chance: random.Random) -> Iterator[str]:  # noqa: ANN401 - the library's own type
    """One national number of each length that the numbers of a type may have."""
    if kind is None or not kind.national_number_pattern:
        return
    parsed = parser.parse(kind.national_number_pattern)
    most = MOST_DIGITS - len(str(region.code))
    lengths = {length for length in kind.possible_length if 0 < length <= most}
    for _ in range(_TRIES):
        if not lengths:
            return
        national = _drawn(parsed, chance)
        if len(national) in lengths and _is_valid(f"+{region.code}{national}"):
            lengths.discard(len(national))
            yield national


def _is_valid(text: str) -> bool:
    """Whether it is valid as people write it: of a few the library takes digits for a prefix, and refuses the rest."""
    number = phonenumbers.parse(text)
    is_same = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text
    return is_same and phonenumbers.is_valid_number(number)


def _drawn(parsed: Any, chance: random.Random) -> str:  # noqa: ANN401 - of the standard library, without a type
    return "".join(_part(operation, argument, chance) for operation, argument in parsed)


def _part(operation: object, argument: Any, chance: random.Random) -> str:  # noqa: ANN401 - as above
    if operation is sre.LITERAL:
        return chr(argument)
    if operation is sre.IN:
        return chance.choice(
            [digit for digit in _DIGITS if any(_takes(what, values, digit) for what, values in argument)]
        )
    if operation is sre.SUBPATTERN:
        return _drawn(argument[3], chance)
    if operation is sre.BRANCH:
        return _drawn(chance.choice(argument[1]), chance)
    if operation in {sre.MAX_REPEAT, sre.MIN_REPEAT}:
        least, most, repeated = argument
        return "".join(_drawn(repeated, chance) for _ in range(chance.randint(least, min(most, MOST_DIGITS))))
    raise NotImplementedError(operation)


def _takes(kind: object, argument: Any, digit: str) -> bool:  # noqa: ANN401 - as above
    if kind is sre.RANGE:
        return bool(argument[0] <= ord(digit) <= argument[1])
    return kind is sre.CATEGORY or ord(digit) == argument
