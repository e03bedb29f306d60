"""Which numbers a form is about: some that were ticked, or all that match a filter. Told by the page's address.

So a form can be reloaded, gone back to and opened in another tab, and needs nothing to be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

from flask import Request, url_for

from schemas.http.resources import NumbersFilter
from schemas.request_problems import RequestCode
from webhook.http.errors import refuse
from webhook.http.request_bodies import validated
from webhook.portal.shared.content_negotiation import local
from worker.phone.formatting import readable

FIELDS = tuple(NumbersFilter.model_fields)
MOST_TICKED = 200  # what an address can hold, and a page lists
_WHERE = "where_"  # before a filter's name: forms have fields of the same names
_BETWEEN = "."  # needs no escape in an address
_LONGEST = 15  # digits


@dataclass(frozen=True)
class Selection:
    """`numbers` ("+12125550142", ascending), or `filter` and how many it was seen to let through."""

    numbers: tuple[str, ...] = ()
    filter: Mapping[str, str] | None = None
    expected: int = 0
    back: str = "/numbers"

    @classmethod
    def ticked(cls, texts: list[str], back: str) -> Self:
        """The numbers whose boxes were ticked; `Refused` if any is none or there are too many."""
        digits = {text.removeprefix("+") for text in texts}
        if not all(one.isascii() and one.isdigit() and len(one) <= _LONGEST for one in digits) or "" in digits:
            raise _unknown()
        if len(digits) > MOST_TICKED:
            detail = f"{len(digits)} numbers are ticked; {MOST_TICKED} can be."
            raise refuse(RequestCode.BAD_REQUEST, detail, fix="Use a filter and select all that match.")
        return cls(tuple(f"+{one}" for one in sorted(map(int, digits))), back=back)

    @classmethod
    def of(cls, request: Request) -> Self | None:
        """The selection that an address tells of; None if of none."""
        back = local(request.args.get("back"), url_for("portal.numbers"))
        told, expected = request.args.get("numbers"), request.args.get("expected_count")
        if told:
            return cls.ticked(_unpacked(told), back)
        if expected is None:
            return None
        if not (expected.isascii() and expected.isdigit()) or len(expected) > _LONGEST:
            raise _unknown()
        given = {name: text for name in FIELDS if (text := request.args.get(_WHERE + name, "").strip())}
        validated(NumbersFilter, given)
        return cls(filter=given, expected=int(expected), back=back)

    @property
    def count(self) -> int:
        """How many numbers."""
        return len(self.numbers) if self.filter is None else self.expected

    @property
    def single(self) -> str | None:
        """The number, if it is one that was chosen itself."""
        return self.numbers[0] if len(self.numbers) == 1 else None

    @property
    def words(self) -> str:
        """What is chosen: "+1 212-555-0142" or "25 numbers"."""
        return readable(self.single) if self.single else f"{self.count:,} number{'' if self.count == 1 else 's'}"

    @property
    def plural(self) -> str:
        """What makes "Phone Number" fit."""
        return "" if self.count == 1 else "s"

    def args(self) -> dict[str, Any]:
        """The address's parameters; `of` reads them."""
        if self.filter is None:
            return {"numbers": _packed(self.numbers), "back": self.back}
        where = {_WHERE + name: text for name, text in self.filter.items()}
        return {**where, "expected_count": str(self.expected), "back": self.back}

    def body(self) -> dict[str, Any]:
        """The members of `schemas.http.actions.Selection`."""
        if self.filter is None:
            return {"numbers": list(self.numbers)}
        return {"filter": dict(self.filter), "expected_count": self.expected}

    def with_count(self, found: int) -> Self:
        """All that match now."""
        return replace(self, expected=found)


def _packed(numbers: tuple[str, ...]) -> str:
    """The first, then how much further each is: "12125550100.1.1"."""
    values = [int(number) for number in numbers]
    return _BETWEEN.join(map(str, [values[0], *(later - first for first, later in pairwise(values))]))


def _unpacked(text: str) -> list[str]:
    values: list[int] = []
    for part in text.split(_BETWEEN)[: MOST_TICKED + 1]:
        if not (part.isascii() and part.isdigit()) or len(part) > _LONGEST:
            raise _unknown()
        values.append(int(part) + (values[-1] if values else 0))
    return [str(value) for value in values]


def _unknown() -> Exception:
    detail = "This address does not tell which numbers are meant."
    return refuse(RequestCode.BAD_REQUEST, detail, fix="Choose them in the list.")
