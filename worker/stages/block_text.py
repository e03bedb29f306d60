"""Parse the text of a cell that holds a block of numbers, such as `212 555 0100-0199` (R14e).

Text only: `worker.stages.block_rows` decides whether the numbers are valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from worker.phone.digits import DATE

DASH = "[-\u2010-\u2015\u2212]"  # the characters themselves, for `re` and for RE2
_LAST_DIGITS = 2
LEAST_TAIL = 3  # digits after a hyphen that repeat the digits before; fewer are an extension
OTHER_DASH = "[\u2010-\u2015\u2212]"
ELLIPSIS = "\u2026"
_WORD = r"(?:to|bis|through|thru|a|al|au|tot)"
_BETWEEN = rf"\s*{DASH}\s*|\s*(?:\.\.+|{ELLIPSIS})\s*|\s*\b{_WORD}\b\s*"
# Greedy: divides at the last possible position. After it come only digits and blanks.
_BLOCK = re.compile(
    rf"(?P<first>.*\d\)?)(?P<between>{_BETWEEN})(?:{DASH}\s*)?(?P<last>\+?\d(?:[\d\s().]*\d)?)", re.IGNORECASE
)
_ANY_DASH = re.compile(rf"\s*{DASH}\s*")
_DATE = re.compile(DATE)
_DIVIDES = re.compile(_BETWEEN, re.IGNORECASE)
WHOLE_DIGITS = 7  # fewest digits of a number that is written in full
_WHOLE_LAST = re.compile(rf"[+(]*\d(?:[\d\s().]|{DASH})*\d")
_GROUP = re.compile(r"\d+")
# For whole columns: cells that may be blocks.
LOOKS_LIKE = (
    rf"(?i)^.*\d\)?(?:\s*{DASH}|\s*(?:\.\.+|{ELLIPSIS})|\s*\b{_WORD}\b)" + rf"[\s\-]*[+(]?\d(?:[\d\s().]|{DASH})*$"
)


class Widths(Enum):
    """How the digits of the last number relate to those of the first."""

    WHOLE = "the last number is written whole"
    ENDING = "the last digits, as many as the first number has there, or fewer"
    SHORTER_FIRST = "the first ending is shorter than the last: two meanings"


@dataclass(frozen=True)
class BlockText:
    """A block as written: the text of its first number, the digits of its last number, and how they relate.

    `stem` and `first_ending` divide the digits of the first number where its last group begins. `by_dash`: only dashes
    divide first and last, so the whole may be one number. `is_spaced`: the divider is more than one hyphen. `is_mixed`:
    the dashes are not the punctuation of one number, so the whole is not one. `is_pattern`: the groups in front have
    the same width, as in `12-34-56`, so the dash is most likely punctuation.
    """

    first: str
    last: str
    widths: Widths
    by_dash: bool
    is_spaced: bool
    is_mixed: bool
    is_pattern: bool
    stem: str
    first_ending: str

    @property
    def may_be_block(self) -> bool:
        """Return whether a cell that is one number as written may still be meant as a block.

        A hyphen groups digits (`+49 89 217-327`) or precedes an extension (`030 765432-10`, DIN 5008). The digits after
        it are the end of a block only if they run within the last two digits, or from zeros to nines (`1000-1999`). Any
        other dash, or one with blanks around it, divides two numbers if the first of them is valid.
        """
        if not self.by_dash or self.is_pattern:
            return False
        if self.is_spaced:
            return True
        if self.widths is Widths.SHORTER_FIRST:
            return False
        last = re.sub(r"\D", "", self.last)
        first = self.first_ending[-len(last) :]
        last = last[-len(first) :]
        if len(last) < len(self.first_ending) and len(last) < LEAST_TAIL:
            return False
        return first[:-_LAST_DIGITS] == last[:-_LAST_DIGITS] or _runs(first, last)


def read_block(text: str) -> BlockText | None:
    """Divide a cell into the first and the last number of a block; None if it has no such form, or is a date."""
    cell = text.strip()
    if _DATE.fullmatch(_ANY_DASH.sub("-", cell)):
        return None
    match = _whole(cell) or _BLOCK.fullmatch(cell)
    if match is None:
        return None
    first, last = match["first"], match["last"]
    between = cell[len(first) : len(cell) - len(last)]
    groups, last_groups = _GROUP.findall(first), _GROUP.findall(last)
    widths = _widths(first, groups, last, last_groups)
    by_dash = re.fullmatch(rf"(?:\s*{DASH})+\s*", between) is not None
    is_spaced = between != "-"
    is_pattern = by_dash and len(groups) > 1 and len(groups[-1]) == len(groups[-2]) == len("".join(last_groups))
    stem = first[: first.rindex(groups[-1])]
    is_mixed = by_dash and _is_mixed(cell, between, groups[-1], "".join(last_groups))
    return BlockText(first, last, widths, by_dash, is_spaced, is_mixed, is_pattern, stem, groups[-1])


def _is_mixed(cell: str, between: str, first_ending: str, last: str) -> bool:
    """Return whether the divider is not the punctuation of one number.

    That is: two dashes in a row; blanks around the dash in an ending such as `00 - 99`; or another kind of dash than
    before. Word processors replace hyphens by other dashes, so another kind counts only with blanks around it, or with
    few digits after it.
    """
    if len(re.findall(DASH, between)) > 1:
        return True
    has_blanks = " " in between
    if has_blanks and len(first_ending) == len(last) > 1 and _runs(first_ending, last):
        return True
    return len(set(_ANY_DASH.findall(cell))) > 1 and (has_blanks or len(last) < LEAST_TAIL)


def _runs(first: str, last: str) -> bool:
    """Return whether two endings of equal width run from zeros to nines in the digits that they do not share."""
    pairs = enumerate(zip(first, last, strict=True))
    shared = next((index for index, (first_digit, last_digit) in pairs if first_digit != last_digit), len(last))
    return not first[shared:].strip("0") and not last[shared:].strip("9")


def _widths(first: str, groups: list[str], last: str, last_groups: list[str]) -> Widths:
    digits, count = "".join(last_groups), len(last_groups)
    if last.startswith("+") or len(digits) == len("".join(groups)):
        return Widths.WHOLE
    # A hyphen sets the ending apart: it is as wide as the digits after the hyphen.
    divided = first[: first.rindex(groups[-1])].rstrip().endswith("-")
    alike = [len(group) for group in last_groups] == [len(group) for group in groups[-count:]]
    sums = {len("".join(groups[-number:])) for number in range(1, len(groups) + 1)}
    fits = len(digits) <= len(groups[-1]) or alike or (not divided and len(digits) in sums)
    return Widths.ENDING if fits else Widths.SHORTER_FIRST


def _whole(cell: str) -> dict[str, str] | None:
    """Match a block whose last number is written in full like the first, punctuation included."""
    for between in _DIVIDES.finditer(cell):
        first, last = cell[: between.start()], cell[between.end() :]
        digits = [re.sub(r"\D", "", part) for part in (first, last)]
        if len(digits[0]) == len(digits[1]) >= WHOLE_DIGITS and _WHOLE_LAST.fullmatch(last):
            return {"first": first, "last": last}
    return None
