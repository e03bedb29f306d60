"""Number plans of the sample spreadsheet: prefixes after which every digit is free, and how people write the numbers.

The table is written by hand, not derived from libphonenumber: a new metadata release must not change the bytes of a
sample. `tests/unit/test_sample.py` checks with the library that every prefix is still in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Layout:
    """A cell's text as UTF-8 bytes; `digits[i]` is the national digit that replaces byte `i`, -1 for none."""

    text: bytes
    digits: tuple[int, ...]

    def __add__(self, other: Layout) -> Layout:
        return Layout(self.text + other.text, self.digits + other.digits)


def literal(text: str) -> Layout:
    """Return the layout of a text without digits of the number."""
    raw = text.encode()
    return Layout(raw, (-1,) * len(raw))


@cache
def layout(pattern: str) -> Layout:
    """Return a pattern's layout: `#` takes the number's next national digit, `_` skips one, other text is literal."""
    text, digits, position = bytearray(), [], 0
    for char in pattern:
        if char != "_":
            raw = char.encode()
            text += raw
            digits += [position] if char == "#" else [-1] * len(raw)
        position += char in "#_"
    return Layout(bytes(text), tuple(digits))


@dataclass(frozen=True)
class Plan:
    """Numbers of one kind in one region: every prefix followed by any digits up to the sum of `groups`.

    `weight`: the plan's share of the rows (relative). `trunk`: the national prefix that people dial. `national`:
    replaces the layouts derived from `groups` and `trunk`. `double_zero`: the region dials abroad with 00. `unused`:
    first digits of numbers that have the right length but are not in use. `exact`: all numbers of the region have one
    length. `iso`: the region is a country. `plus_can_go`: calling code and number without + can only mean that number.
    """

    region: str
    calling_code: str
    weight: float
    prefixes: tuple[str, ...]
    groups: tuple[int, ...]
    trunk: str = ""
    national: tuple[str, ...] = ()
    double_zero: bool = True
    unused: str = ""
    exact: bool = False
    iso: bool = True
    plus_can_go: bool = True

    @property
    def length(self) -> int:
        """Return the number of digits of the national number, including leading zeros (Italy)."""
        return sum(self.groups)

    @property
    def free(self) -> int:
        """Return the number of digits after the prefix, all of them free."""
        return self.length - len(self.prefixes[0])

    @property
    def size(self) -> int:
        """Return how many different numbers the plan has."""
        return len(self.prefixes) * int(10**self.free)

    @property
    def digits(self) -> str:
        """Return the pattern of the national number without separators."""
        return "#" * self.length

    def grouped(self, separator: str) -> str:
        """Return the pattern of the national number in its groups."""
        return separator.join("#" * width for width in self.groups)


def national_layouts(plan: Plan) -> tuple[str, ...]:
    """Return patterns without calling code, usual ones several times; () if the numbers have no national form."""
    if plan.national or not plan.iso:
        return plan.national
    first, rest = "#" * plan.groups[0], ["#" * width for width in plan.groups[1:]]
    trunk = plan.trunk
    return (
        *(trunk + plan.digits,) * 3,
        *(trunk + plan.grouped(" "),) * 2,
        plan.digits,
        trunk + plan.grouped("-"),
        trunk + plan.grouped("."),
        f"({trunk}{first}) {'-'.join(rest)}",
        f"({trunk}{first}) {' '.join(rest)}",
    )


def international_layouts(plan: Plan) -> tuple[str, ...]:
    """Return patterns with + and calling code, usual ones several times."""
    code = plan.calling_code
    first, rest = "#" * plan.groups[0], ["#" * width for width in plan.groups[1:]]
    bracketed = (f"+{code} ({first}) {'-'.join(rest)}",) if plan.iso else ()
    return (
        *(f"+{code}{plan.digits}",) * 4,
        *(f"+{code} {plan.grouped(' ')}",) * 2,
        f"+{code}-{plan.grouped('-')}",
        *bracketed,
    )


def double_zero_layouts(plan: Plan) -> tuple[str, ...]:
    """Return patterns with 00 and calling code."""
    code = plan.calling_code
    return (f"00{code}{plan.digits}", f"00{code} {plan.grouped(' ')}") if plan.double_zero else ()


@cache
def sound_layouts(plan: Plan) -> tuple[Layout, ...]:
    """Return every layout of this plan's numbers that has no fault."""
    patterns = (*national_layouts(plan), *international_layouts(plan), *double_zero_layouts(plan))
    return tuple(layout(pattern) for pattern in patterns)


def country_cells(plan: Plan) -> tuple[str, ...]:
    """Return every spelling of the plan's country, usual ones several times (R14)."""
    code = plan.calling_code
    return (*(code,) * 5, *(plan.region if plan.iso else code,) * 3, f"+{code}", f"00{code}")


def _nanp(areas: str) -> tuple[str, ...]:
    # The exchange of a North American number begins with 2..9; every digit after that one is free.
    return tuple(area + exchange for area in areas.split() for exchange in "23456789")


def _prefixes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_US_AREAS = "201 202 206 212 213 214 303 305 310 312 313 404 407 408 415 469 503 512 602 612 617 646 702 713 718 917"
_CA_AREAS = "204 250 306 403 416 418 438 450 506 514 519 604 613 647 705 778 780 902 905"
_INDIAN = ("0##### #####", "0##########", "##########", "##### #####", "#####-#####")
_BRAZILIAN_MOBILE = ("(##) #####-####", "## #####-####", "###########", "##-#####-####")
_ARGENTINE_MOBILE = ("_0## 15 ####-####", "_0## 15########", "_0##-15-####-####", "_(0##) 15-####-####")

PLANS: tuple[Plan, ...] = (
    Plan("US", "1", 41.0, _nanp(_US_AREAS), (3, 3, 4), "", unused="555", exact=True),
    Plan("US", "1", 3.0, _nanp("800 833 844 855 866 877 888"), (3, 3, 4), "1 ", unused="555", exact=True),
    Plan("CA", "1", 15.0, _nanp(_CA_AREAS), (3, 3, 4), "", unused="555", exact=True),
    Plan("GB", "44", 6.0, _prefixes("207 203"), (2, 4, 4), "0"),
    Plan("GB", "44", 1.5, _prefixes("1212 1213 1312 1313 1412 1413 1612"), (3, 3, 4), "0"),
    Plan("GB", "44", 3.5, _prefixes("7401 7402 7403 7501 7711 7712 7901"), (4, 6), "0"),
    Plan("DE", "49", 3.5, _prefixes("302 303 402 403 892 893"), (2, 6), "0"),
    Plan("DE", "49", 2.5, _prefixes("1511 1512 1520 1601 1701 1711"), (4, 7), "0", plus_can_go=False),
    Plan("FR", "33", 3.0, _prefixes("14 15 32 43 55"), (1, 2, 2, 2, 2), "0", exact=True),
    Plan("FR", "33", 2.0, _prefixes("61 62 66 68"), (1, 2, 2, 2, 2), "0", exact=True),
    Plan("IT", "39", 2.0, _prefixes("0212 0223 0633 0644"), (2, 8)),
    Plan("IT", "39", 2.5, _prefixes("320 328 333 338 347 349"), (3, 3, 4)),
    Plan("ES", "34", 2.0, _prefixes("911 912 931 932"), (3, 2, 2, 2), exact=True, unused="2"),
    Plan("ES", "34", 2.0, _prefixes("61 62 65 66"), (3, 2, 2, 2), exact=True, unused="2"),
    Plan("MX", "52", 3.0, _prefixes("552 555 332 333 818"), (2, 4, 4)),
    Plan("BR", "55", 1.2, _prefixes("112 113 213 313"), (2, 4, 4), double_zero=False),
    Plan("BR", "55", 1.8, _prefixes("1196 1197 2198 2199"), (2, 5, 4), national=_BRAZILIAN_MOBILE, double_zero=False),
    Plan("AU", "61", 1.5, _prefixes("280 390 391 730"), (1, 4, 4), "0", double_zero=False),
    Plan("AU", "61", 1.5, _prefixes("40 41 42 43"), (3, 3, 3), "0", double_zero=False),
    Plan("IN", "91", 3.0, _prefixes("98 99 97"), (5, 5), national=_INDIAN),
    Plan("AR", "54", 0.7, _prefixes("114 115"), (2, 4, 4), "0"),
    Plan("AR", "54", 0.8, _prefixes("9114 9115 9116"), (1, 2, 4, 4), national=_ARGENTINE_MOBILE),
    Plan("NL", "31", 0.8, _prefixes("20 10 61 62"), (2, 3, 4), "0"),
    Plan("JP", "81", 0.5, _prefixes("33 35 66"), (1, 4, 4), "0", double_zero=False),
    Plan("001", "800", 0.2, _prefixes("1 2 3 4 5 6 7 8 9"), (4, 4), iso=False, plus_can_go=False),
    Plan("001", "870", 0.1, _prefixes("773 776"), (3, 3, 3), iso=False, plus_can_go=False),
)
