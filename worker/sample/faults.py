"""Faults of the sample spreadsheet, as Excel and people make them: their share, the plans they fit, the cell texts.

States the expected result of each fault, so that a test can compare a whole import with its input. Draws no random
numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from schemas.codes import Code
from worker.sample.number_plans import (
    Layout,
    Plan,
    international_layouts,
    layout,
    literal,
    national_layouts,
    sound_layouts,
)


class Kind(IntEnum):
    """The fault of a row; the value is its position in `FAULTS`."""

    NONE = 0
    NEAR_DUPLICATE = 1
    FAR_DUPLICATE = 2
    CONFLICTING_DUPLICATE = 3
    FLOAT_SUFFIX = 4
    LOST_PLUS = 5
    SCIENTIFIC_WHOLE = 6
    HARD_SPACE = 7
    ZERO_WIDTH = 8
    TRUNK_IN_BRACKETS = 9
    SCIENTIFIC_LOSS = 10
    TOO_SHORT = 11
    TOO_LONG = 12
    UNUSED_RANGE = 13
    LOST_ZERO = 14
    WRONG_COUNTRY = 15
    UNKNOWN_COUNTRY = 16
    NO_COUNTRY = 17
    NO_NUMBER = 18
    TEXT = 19
    TWO_NUMBERS = 20
    BAD_BOOLEAN = 21
    NO_CAPABILITY = 22
    BLANK = 23


DUPLICATES = (Kind.NEAR_DUPLICATE, Kind.FAR_DUPLICATE, Kind.CONFLICTING_DUPLICATE)
NOTES = ("to come", "pending", "-", "unknown", "TBD", "see notes", "#N/A", "#REF!", "#VALUE!", "call reception")
UNKNOWN_COUNTRIES = ("Congo", "XX", "ZZ", "999", "Unknown")
NO_BOOLEANS = ("maybe", "TBD", "?", "ask Bob")

_HARD_SPACE, _ZERO_WIDTH = "\u00a0", "\u200b"
_EMBEDDED, _EMBEDDED_END = "\u202a", "\u202c"


def _always(_: Plan) -> bool:
    return True


def _is_country(plan: Plan) -> bool:
    return plan.iso


def _one_length(plan: Plan) -> bool:
    return plan.exact


def _can_lose_plus(plan: Plan) -> bool:
    return plan.plus_can_go


def _has_unused(plan: Plan) -> bool:
    return bool(plan.unused)


def _fits_a_float(plan: Plan) -> bool:
    return plan.iso and not plan.prefixes[0].startswith("0")


def _starts_with_zero(plan: Plan) -> bool:
    return plan.prefixes[0].startswith("0")


def _has_plain_trunk(plan: Plan) -> bool:
    return plan.trunk == "0"


def _layouts_of(*patterns: str) -> tuple[Layout, ...]:
    return tuple(layout(pattern) for pattern in patterns)


def _float_suffix(plan: Plan) -> tuple[Layout, ...]:
    return _layouts_of(f"{plan.digits}.0")


def _lost_plus(plan: Plan) -> tuple[Layout, ...]:
    return _layouts_of(plan.calling_code + plan.digits)


def _scientific_whole(plan: Plan) -> tuple[Layout, ...]:
    power = f"{plan.length - 1:02d}"
    digits = "#" * (plan.length - 1)
    return _layouts_of(f"#.{digits}E+{power}", f"#.{digits}e+{power}")


def _scientific_loss(plan: Plan) -> tuple[Layout, ...]:
    shown = plan.calling_code + plan.digits
    return _layouts_of(f"{shown[0]}.{shown[1:3]}E+{len(shown) - 1:02d}")


def _hard_space(plan: Plan) -> tuple[Layout, ...]:
    grouped = plan.grouped(_HARD_SPACE)
    return _layouts_of(
        f"+{plan.calling_code}{_HARD_SPACE}{grouped}", plan.digits + _HARD_SPACE, _HARD_SPACE + plan.digits
    )


def _zero_width(plan: Plan) -> tuple[Layout, ...]:
    number = f"+{plan.calling_code}{plan.digits}"
    return _layouts_of(_ZERO_WIDTH + number, number + _ZERO_WIDTH, _EMBEDDED + number + _EMBEDDED_END)


def _trunk_in_brackets(plan: Plan) -> tuple[Layout, ...]:
    return _layouts_of(f"+{plan.calling_code} ({plan.trunk}){plan.grouped(' ')}")


def _too_short(plan: Plan) -> tuple[Layout, ...]:
    return _layouts_of("#####", f"+{plan.calling_code} #####")


def _too_long(plan: Plan) -> tuple[Layout, ...]:
    return _layouts_of(f"{plan.digits}173", f"+{plan.calling_code}{plan.digits}173")


def _unused_range(plan: Plan) -> tuple[Layout, ...]:
    rest = "_" * len(plan.unused) + "#" * (plan.length - len(plan.unused))
    return _layouts_of(plan.unused + rest, f"+{plan.calling_code} {plan.unused}{rest}")


def _lost_zero(plan: Plan) -> tuple[Layout, ...]:
    return _layouts_of("_" + "#" * (plan.length - 1))


def _international(plan: Plan) -> tuple[Layout, ...]:
    return _layouts_of(*international_layouts(plan))


def _national(plan: Plan) -> tuple[Layout, ...]:
    return _layouts_of(*national_layouts(plan))


def _nothing(_: Plan) -> tuple[Layout, ...]:
    return (literal(""),)


def _text(_: Plan) -> tuple[Layout, ...]:
    return tuple(literal(note) for note in NOTES)


def _two_numbers(plan: Plan) -> tuple[Layout, ...]:
    other = layout("#" * (plan.length - 2)) + literal("17")
    return tuple(layout(plan.digits) + literal(between) + other for between in (" / ", " or "))


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault: its share of all rows, the expected result, the plans it fits, and the layouts of the cell.

    `code`: the row's result in an empty inventory with `on_existing=skip`. `warning`: the row's warning.
    """

    share: float
    code: Code
    layouts: Callable[[Plan], tuple[Layout, ...]]
    fits: Callable[[Plan], bool] = _always
    warning: Code | None = None

    @property
    def keeps_number(self) -> bool:
        """Return whether the row has a number of its own, which a later row can repeat."""
        return self.code is Code.CREATED


FAULTS: dict[Kind, FaultKind] = {
    Kind.NONE: FaultKind(0.0, Code.CREATED, sound_layouts),
    Kind.NEAR_DUPLICATE: FaultKind(0.0030, Code.DUPLICATE_IN_FILE, sound_layouts),
    Kind.FAR_DUPLICATE: FaultKind(0.0030, Code.DUPLICATE_IN_FILE, sound_layouts),
    Kind.CONFLICTING_DUPLICATE: FaultKind(0.0010, Code.CONFLICTING_DUPLICATE, sound_layouts),
    Kind.FLOAT_SUFFIX: FaultKind(0.0025, Code.CREATED, _float_suffix, _fits_a_float, Code.FLOAT_SUFFIX_REMOVED),
    Kind.LOST_PLUS: FaultKind(0.0025, Code.CREATED, _lost_plus, _can_lose_plus, Code.COUNTRY_CODE_REPEATED),
    Kind.SCIENTIFIC_WHOLE: FaultKind(0.0007, Code.CREATED, _scientific_whole, _one_length, Code.SCIENTIFIC_RESTORED),
    Kind.HARD_SPACE: FaultKind(0.0015, Code.CREATED, _hard_space, _is_country),
    Kind.ZERO_WIDTH: FaultKind(0.0008, Code.CREATED, _zero_width, _always, Code.INVISIBLE_REMOVED),
    Kind.TRUNK_IN_BRACKETS: FaultKind(
        0.0010, Code.CREATED, _trunk_in_brackets, _has_plain_trunk, Code.TRUNK_PREFIX_REMOVED
    ),
    Kind.SCIENTIFIC_LOSS: FaultKind(0.0025, Code.SCIENTIFIC_NOTATION_LOSS, _scientific_loss, _is_country),
    Kind.TOO_SHORT: FaultKind(0.0020, Code.TOO_SHORT, _too_short, _one_length),
    Kind.TOO_LONG: FaultKind(0.0012, Code.TOO_LONG, _too_long, _one_length),
    Kind.UNUSED_RANGE: FaultKind(0.0020, Code.INVALID_NUMBER, _unused_range, _has_unused),
    Kind.LOST_ZERO: FaultKind(0.0003, Code.INVALID_NUMBER, _lost_zero, _starts_with_zero),
    Kind.WRONG_COUNTRY: FaultKind(0.0012, Code.COUNTRY_MISMATCH, _international, _is_country),
    Kind.UNKNOWN_COUNTRY: FaultKind(0.0006, Code.INVALID_COUNTRY_CODE, _national, _is_country),
    Kind.NO_COUNTRY: FaultKind(0.0006, Code.MISSING_VALUE, _national, _is_country),
    Kind.NO_NUMBER: FaultKind(0.0008, Code.MISSING_VALUE, _nothing),
    Kind.TEXT: FaultKind(0.0010, Code.INVALID_CHARACTER, _text, _is_country),
    Kind.TWO_NUMBERS: FaultKind(0.0004, Code.INVALID_CHARACTER, _two_numbers, _one_length),
    Kind.BAD_BOOLEAN: FaultKind(0.0008, Code.INVALID_BOOLEAN, sound_layouts),
    Kind.NO_CAPABILITY: FaultKind(0.0006, Code.NO_CAPABILITY, sound_layouts),
    Kind.BLANK: FaultKind(0.0006, Code.BLANK_ROW, _nothing),
}
