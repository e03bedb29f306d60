"""From whom an assignment would take numbers, and how many from each, as its page shows before saving (R19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.http import resources
from webhook.http.request_bodies import validated
from webhook.portal.numbers.selection import Selection
from webhook.services import holders
from webhook.services.holders import Holder

MOST = 10  # holders that a page names


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a selection are now; numbers that would stay are counted separately.

    `own`: the actor's own that no user has. `customers`: the tenants below that would lose numbers, the most first, at
    most `MOST`; `others` more of them would lose `others_count`. `in_use`: numbers that stay with their users. `there`:
    numbers that the target already holds.
    """

    own: int
    customers: Sequence[Holder]
    others: int
    others_count: int
    in_use: int
    there: int

    @property
    def lost(self) -> int:
        """Return how many numbers customers would lose."""
        return sum(holder.free for holder in self.customers) + self.others_count


def origin(selection: Selection, target_id: str) -> Origin | None:
    """Return where the numbers are now; None if that takes too long to count."""
    holdings = _holders(selection)
    if holdings is None:
        return None
    elsewhere = [holder for holder in holdings if holder.id != target_id]
    customers = [holder for holder in elsewhere if not holder.is_own and holder.free]
    shown, others = customers[:MOST], customers[MOST:]
    return Origin(
        own=sum(holder.free for holder in elsewhere if holder.is_own),
        customers=shown,
        others=len(others),
        others_count=sum(holder.free for holder in others),
        in_use=sum(holder.in_use for holder in elsewhere),
        there=sum(holder.count for holder in holdings if holder.id == target_id),
    )


def _holders(selection: Selection) -> Sequence[Holder] | None:
    if selection.filter is None:
        return holders.of_numbers(selection.numbers)
    return holders.of_filter(validated(resources.NumbersFilter, dict(selection.filter)), selection.expected)
