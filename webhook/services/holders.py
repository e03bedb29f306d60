"""Current holders of the numbers that an action would move, and how many each holds (R3, R19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.http import resources
from webhook.http import auth
from webhook.services.numbers import filter_of
from worker.database.engine import snapshot, transaction
from worker.database.time_limit import TooLongError
from worker.numbers import filters, holders


@dataclass(frozen=True)
class Holder:
    """A tenant of the actor's tree that holds some of the numbers. `in_use`: how many of these a user has."""

    id: str
    name: str
    is_own: bool
    count: int
    in_use: int

    @property
    def free(self) -> int:
        """Return how many of them can be moved: those that no user has (R19)."""
        return self.count - self.in_use


def of_numbers(numbers: Sequence[str]) -> list[Holder]:
    """Return the holders of some numbers ("+12125550142") that the actor sees, the most numbers first."""
    with transaction() as connection:
        holdings = holders.of_numbers(connection, auth.actor(), [int(number) for number in numbers])
    return _holders(holdings)


def of_filter(number_filter: resources.NumbersFilter, expected: int) -> list[Holder] | None:
    """Return the holders of all matching numbers, about `expected`; None if counting takes too long for a page."""
    try:
        with snapshot() as connection:
            resolved = filters.resolve(connection, auth.actor(), filter_of(number_filter))
            holdings = holders.matching(connection, resolved, expected)
    except TooLongError:
        return None
    return _holders(holdings)


def _holders(holdings: Sequence[holders.Held]) -> list[Holder]:
    own = auth.actor().tenant.id
    return [
        Holder(holding.holder.public_id, holding.holder.name, holding.holder.id == own, holding.count, holding.in_use)
        for holding in holdings
    ]
