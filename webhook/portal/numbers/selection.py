"""The numbers that a form is about: selected numbers, all that match a filter, or a pasted list.

Selected numbers and filters are in the page's URL, so a form can be reloaded, returned to and opened in another tab,
and nothing has to be stored. A pasted list can be too long for that: the session keeps it, and the URL has its id.
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
from webhook.portal.shared.login_required import session
from webhook.services import pasted_lists
from worker.phone.formatting import readable

FIELDS = tuple(NumbersFilter.model_fields)
MOST_TICKED = 200  # what a URL can hold and a page lists
_WHERE = "where_"  # prefix of filter names: forms have fields of the same names
_BETWEEN = "."  # needs no escaping in a URL
_LONGEST = 15  # digits


@dataclass(frozen=True)
class Selection:
    """Either `numbers` ("+12125550142", ascending), or `filter` and how many numbers matched it.

    `list_id`: the pasted list that has the numbers.
    """

    numbers: tuple[str, ...] = ()
    filter: Mapping[str, str] | None = None
    expected: int = 0
    back: str = "/numbers"
    list_id: str | None = None

    @classmethod
    def ticked(cls, texts: list[str], back: str) -> Self:
        """Return a selection of numbers. Raises `Refused` if one is invalid or there are too many."""
        digits = {text.removeprefix("+") for text in texts}
        if (
            not all(number.isascii() and number.isdigit() and len(number) <= _LONGEST for number in digits)
            or "" in digits
        ):
            raise _unknown()
        if len(digits) > MOST_TICKED:
            detail = f"You selected {len(digits)} numbers; the limit is {MOST_TICKED}."
            raise refuse(RequestCode.BAD_REQUEST, detail, fix="Use a filter, then select all matching numbers.")
        return cls(tuple(f"+{number}" for number in sorted(map(int, digits))), back=back)

    @classmethod
    def of(cls, request: Request) -> Self | None:
        """Return the selection in a request's URL; None if there is none."""
        back = local(request.args.get("back"), url_for("portal.numbers"))
        packed, expected = request.args.get("numbers"), request.args.get("expected_count")
        if packed:
            return cls.ticked(_unpacked(packed), back)
        if request.args.get("list"):
            return cls.pasted(request.args["list"], back)
        if expected is None:
            return None
        if not (expected.isascii() and expected.isdigit()) or len(expected) > _LONGEST:
            raise _unknown()
        filters = {name: text for name in FIELDS if (text := request.args.get(_WHERE + name, "").strip())}
        validated(NumbersFilter, filters)
        return cls(filter=filters, expected=int(expected), back=back)

    @classmethod
    def pasted(cls, list_id: str, back: str) -> Self:
        """Return all numbers of a pasted list. Raises `Refused` if the session does not have it (any more)."""
        whole = pasted_lists.get(session().id, list_id)
        if not whole.numbers:
            raise _unknown()
        return cls(tuple(f"+{number}" for number in whole.numbers), back=back, list_id=whole.public_id)

    @property
    def shown(self) -> tuple[str, ...]:
        """Return the numbers that a page lists, at most `MOST_TICKED`."""
        return self.numbers[:MOST_TICKED]

    @property
    def count(self) -> int:
        """Return how many numbers are selected."""
        return len(self.numbers) if self.filter is None else self.expected

    @property
    def single(self) -> str | None:
        """Return the number, if it is the only one and was selected itself."""
        return self.numbers[0] if len(self.numbers) == 1 else None

    @property
    def words(self) -> str:
        """Return the selection in words: "+1 212-555-0142" or "25 numbers"."""
        return readable(self.single) if self.single else f"{self.count:,} number{'' if self.count == 1 else 's'}"

    @property
    def plural(self) -> str:
        """Return the plural ending for "Phone Number"."""
        return "" if self.count == 1 else "s"

    def args(self) -> dict[str, Any]:
        """Return the URL parameters, which `of` reads."""
        if self.list_id is not None:
            return {"list": self.list_id, "back": self.back}
        if self.filter is None:
            return {"numbers": _packed(self.numbers), "back": self.back}
        where = {_WHERE + name: text for name, text in self.filter.items()}
        return {**where, "expected_count": str(self.expected), "back": self.back}

    def body(self) -> dict[str, Any]:
        """Return the members of `schemas.http.actions.Selection`."""
        if self.filter is None:
            return {"numbers": list(self.numbers)}
        return {"filter": dict(self.filter), "expected_count": self.expected}

    def with_count(self, count: int) -> Self:
        """Return a selection of all numbers that match now."""
        return replace(self, expected=count)


def _packed(numbers: tuple[str, ...]) -> str:
    """Return the first number, then the difference of each to the one before: "12125550100.1.1"."""
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
    detail = "This link doesn't say which numbers to use."
    return refuse(RequestCode.BAD_REQUEST, detail, fix="Select them in the list.")
