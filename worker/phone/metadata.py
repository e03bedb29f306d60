"""Compilation of libphonenumber's metadata for one calling code into plain tables of states and lengths.

The source is the metadata of the installed `phonenumbers`; this module contains no country data. `pattern` and
`automaton` interpret its expressions; `parse_column` runs rows through the tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import or_

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, REGION_CODE_FOR_NON_GEO_ENTITY, PhoneMetadata, PhoneNumberDesc

from worker.phone.automaton import PrefixFinder, Recogniser, find_prefix, recognise
from worker.phone.pattern import Program, UnsupportedPattern, read_pattern

LENGTHS = 32  # size of tables indexed by the length of national numbers; the library knows none longer than 17 digits
_LONGEST = 17
_TYPES = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


class Length(IntEnum):
    """What the length of a national number means in one region, as in `is_possible_number_with_reason`."""

    POSSIBLE = 0
    LOCAL_ONLY = 1
    TOO_SHORT = 2
    TOO_LONG = 3
    INVALID = 4


# Every (calling code, region) of the metadata; the index in this tuple is the region's row in all tables. The first
# region of a calling code is its main region and represents the calling code.
REGIONS: tuple[tuple[int, str], ...] = tuple(
    (code, region) for code in sorted(COUNTRY_CODE_TO_REGION_CODE) for region in COUNTRY_CODE_TO_REGION_CODE[code]
)
MAIN_ROW: dict[int, int] = {code: row for row, (code, _) in reversed(list(enumerate(REGIONS)))}
REGION_ROW: dict[str, int] = {
    region: row for row, (_, region) in enumerate(REGIONS) if region != REGION_CODE_FOR_NON_GEO_ENTITY
}


@dataclass(frozen=True)
class RegionPlan:
    """One region: `lengths[n]` for a national number of n digits, its dialling prefixes, and what replaces them.

    `rule`: the digits put before the captured group of the national prefix; None where a prefix is only removed.
    """

    row: int
    lengths: list[Length]
    international_prefix: PrefixFinder | None
    national_prefix: PrefixFinder | None
    rule: tuple[int, ...] | None


@dataclass(frozen=True)
class CodePlan:
    """One calling code.

    `valid_lengths[state]`: bit n is set if a number of n digits that ends in this state is valid. `general[state]`: bit
    r is set if it matches the general description (`general_desc`) of the calling code's r-th region.
    """

    numbers: Recogniser
    valid_lengths: list[int]
    general: list[int]
    regions: list[RegionPlan]


def metadata_of(code: int, region: str) -> PhoneMetadata:
    """Return the library's metadata for a calling code's region ("001" for a calling code without a country)."""
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    if metadata is None:
        raise KeyError((code, region))
    return metadata


@dataclass(frozen=True)
class _Kind:
    """One description of a region: its label in the recogniser, and the lengths that it allows, as bits."""

    label: int
    lengths: int


@dataclass(frozen=True)
class _Rules:
    """The library's rules for whether a number belongs to this region and is valid in it."""

    general: _Kind
    kinds: list[_Kind]
    leading_digits: _Kind | None

    def valid_lengths(self, labels: int) -> int:
        if not labels >> self.general.label & 1:
            return 0
        matched = (kind.lengths for kind in self.kinds if labels >> kind.label & 1)
        return self.general.lengths & reduce(or_, matched, 0)


class _Compiler:
    """Collector of the patterns of one calling code, which numbers their labels."""

    def __init__(self) -> None:
        self.program = Program()
        self.starts: list[int] = []

    def kind(self, pattern: str, lengths: int) -> _Kind:
        self.starts.append(self.program.pattern(pattern, len(self.starts)))
        return _Kind(len(self.starts) - 1, lengths)

    def description(self, description: PhoneNumberDesc | None) -> _Kind | None:
        if description is None or not description.national_number_pattern:
            return None
        lengths = sum(1 << length for length in description.possible_length if length > 0)
        return self.kind(description.national_number_pattern, lengths if description.possible_length else -1)

    def rules(self, metadata: PhoneMetadata) -> _Rules:
        general = self.description(metadata.general_desc)
        if general is None:
            raise UnsupportedPattern(metadata.id)
        kinds = [self.description(getattr(metadata, name)) for name in _TYPES]
        leading = metadata.leading_digits
        return _Rules(
            general,
            [kind for kind in kinds if kind is not None],
            self.kind(rf"(?:{leading})\d{{0,{_LONGEST}}}", -1) if leading else None,
        )


def compile_code(code: int) -> CodePlan:
    """Compile one calling code (1 to 70 ms). Raises `UnsupportedPattern` if the metadata uses unknown syntax."""
    regions = [(row, metadata_of(*pair)) for row, pair in enumerate(REGIONS) if pair[0] == code]
    compiler = _Compiler()
    rules = [compiler.rules(metadata) for _, metadata in regions]
    numbers = recognise(compiler.program, compiler.starts)
    return CodePlan(
        numbers,
        [_valid_lengths(rules, labels) for labels in numbers.labels],
        [_general(rules, labels) for labels in numbers.labels],
        [_region_plan(row, metadata) for row, metadata in regions],
    )


def _general(rules: list[_Rules], labels: int) -> int:
    return sum((labels >> rule.general.label & 1) << bit for bit, rule in enumerate(rules))


def _valid_lengths(rules: list[_Rules], labels: int) -> int:
    """Return valid lengths as bits; the first region that claims a number decides (`region_code_for_number`)."""
    if len(rules) == 1:
        return rules[0].valid_lengths(labels)
    valid, open_lengths = 0, -1
    for rule in rules:
        lengths = rule.valid_lengths(labels) & open_lengths
        if rule.leading_digits is None:
            valid |= lengths
            open_lengths &= ~lengths
        elif labels >> rule.leading_digits.label & 1:
            return valid | lengths
    return valid


def _region_plan(row: int, metadata: PhoneMetadata) -> RegionPlan:
    rule, groups = _rule(metadata)
    return RegionPlan(
        row,
        [_length(metadata, length) for length in range(LENGTHS)],
        _prefix(metadata.international_prefix, 0),
        _prefix(metadata.national_prefix_for_parsing, groups),
        rule,
    )


def _prefix(pattern: str | None, captured: int) -> PrefixFinder | None:
    if not pattern:
        return None
    program = Program(captured=captured)
    return find_prefix(program, program.pattern(pattern, 0))


def _rule(metadata: PhoneMetadata) -> tuple[tuple[int, ...] | None, int]:
    """Return the digits that a transform rule puts before the last group, and that group's number."""
    rule, pattern = metadata.national_prefix_transform_rule, metadata.national_prefix_for_parsing
    if not rule or not pattern:
        return None, 0
    groups = read_pattern(pattern)[1]
    parts = re.fullmatch(r"(\d*)\\(\d)", rule)
    if parts is None or int(parts[2]) != groups:
        raise UnsupportedPattern(rule)
    return tuple(map(int, parts[1])), groups


def _length(metadata: PhoneMetadata, length: int) -> Length:
    general = metadata.general_desc
    possible = general.possible_length if general else ()
    if general and length in general.possible_length_local_only:
        return Length.LOCAL_ONLY
    if length in possible:
        return Length.POSSIBLE
    if length < possible[0]:
        return Length.TOO_SHORT
    return Length.TOO_LONG if length > possible[-1] else Length.INVALID
