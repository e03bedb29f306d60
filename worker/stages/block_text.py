"""Read the text of a cell that holds a block of numbers, such as `212 555 0100-0199` (R14e).

Text only: whether the numbers are valid is judged by `worker.stages.ranges`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

DASH = "[-\u2010-\u2015\u2212]"  # the characters themselves: for `re` and for RE2
_LAST_DIGITS = 2
ELLIPSIS = "\u2026"
_WORD = r"(?:to|bis|through|thru|a|al|au|tot)"
_BETWEEN = rf"\s*{DASH}\s*|\s*(?:\.\.+|{ELLIPSIS})\s*|\s*\b{_WORD}\b\s*"
# The last place where a block may be divided: what is behind it holds digits and blanks, or is a whole number.
_BLOCK = re.compile(
    rf"(?P<first>.*\d\)?)(?P<between>{_BETWEEN})(?:{DASH}\s*)?(?P<last>\+?\d(?:[\d\s().]*\d)?)", re.IGNORECASE
)
_WHOLE_LAST = re.compile(
    rf"(?P<first>.*?\d\)?)(?P<between>\s*(?:\.\.+|{ELLIPSIS})\s*|\s*\b{_WORD}\b\s*|\s+{DASH}\s+|\s*{DASH}\s*(?=\+))"
    rf"(?P<last>[+(]?\d(?:[\d\s().]|{DASH})*\d)",
    re.IGNORECASE,
)
_GROUP = re.compile(r"\d+")
# For whole columns: cells that may be blocks.
LOOKS_LIKE = (
    rf"(?i)^.*\d\)?(?:\s*{DASH}|\s*(?:\.\.+|{ELLIPSIS})|\s*\b{_WORD}\b)" + rf"[\s\-]*[+(]?\d(?:[\d\s().]|{DASH})*$"
)


class Widths(Enum):
    """How the digits of the last number go with those of the first."""

    WHOLE = "the last number is written whole"
    ENDING = "the last digits, as many as the first number has there, or fewer"
    SHORTER_FIRST = "the first ending is shorter than the last: two meanings"


@dataclass(frozen=True)
class BlockText:
    """A block as written: the text of its first number, the digits of its last one, and how they go together.

    `stem` and `first_ending` divide the digits of the first number where the last group begins; `by_dash`: nothing but
    one dash divides first and last, so the whole may be one number. `is_pattern`: the groups in front are as wide, as
    in `12-34-56`, so that the dash is most likely punctuation.
    """

    first: str
    last: str
    widths: Widths
    by_dash: bool
    is_pattern: bool
    stem: str
    first_ending: str

    @property
    def may_be_block(self) -> bool:
        """Whether a cell that is one number as written may still be meant as a block.

        People group digits by dashes, too (`+49 89 217-327`). A block runs within the last two digits, or from zeros to
        nines (`1000-1999`).
        """
        last = re.sub(r"\D", "", self.last)[-len(self.first_ending) :]
        pairs = enumerate(zip(self.first_ending, last, strict=False))
        shared = next((place for place, (one, other) in pairs if one != other), len(last))
        zeros, nines = self.first_ending[shared:], last[shared:]
        runs = len(nines) <= _LAST_DIGITS or (not zeros.strip("0") and not nines.strip("9"))
        return self.by_dash and not self.is_pattern and self.widths is not Widths.SHORTER_FIRST and runs


def read_block(text: str) -> BlockText | None:
    """Divide a cell into the first and the last number of a block; None where it has no such form."""
    cell = text.strip()
    match = _whole(cell) or _BLOCK.fullmatch(cell)
    if match is None:
        return None
    first, last, between = match["first"], match["last"], match["between"].strip()
    groups, last_groups = _GROUP.findall(first), _GROUP.findall(last)
    digits, last_digits = "".join(groups), "".join(last_groups)
    endings = {"".join(groups[-count:]) for count in range(1, len(groups) + 1)}
    if last.startswith("+") or len(last_digits) == len(digits):
        widths = Widths.WHOLE
    elif len(last_digits) < len(groups[-1]) or any(len(ending) == len(last_digits) for ending in endings):
        widths = Widths.ENDING
    else:
        widths = Widths.SHORTER_FIRST
    by_dash = re.fullmatch(DASH, between) is not None
    is_pattern = by_dash and len(groups) > 1 and len(groups[-1]) == len(groups[-2]) == len(last_digits)
    stem = first[: first.rindex(groups[-1])]
    return BlockText(first, last, widths, by_dash, is_pattern, stem, groups[-1])


def _whole(cell: str) -> re.Match[str] | None:
    """A block whose last number is written like the first, punctuation included."""
    match = _WHOLE_LAST.fullmatch(cell)
    if match is None or len(_GROUP.findall(match["last"])) < len(_GROUP.findall(match["first"])):
        return None
    return match
