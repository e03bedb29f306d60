"""A page of the numbers that match a filter which no index serves (last digits, kind of user), in bounded time.

The search scans the numbers that match the other criteria. If that takes too long, it goes on range by range and stops
when its time is up: a page may then be short, and the next page begins where this one stopped. Ranges begin at a number
that the actor sees, so where a search stops reveals nothing about others (R3).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import sqlalchemy as sa

from worker.database.time_limit import TooLongError, time_limit
from worker.numbers import search
from worker.numbers.filters import ResolvedFilter
from worker.phone import e164_ranges
from worker.phone.e164_ranges import EVERY

PAGE_SECONDS = 2.0  # a page is returned after this time, full or not
COUNT_SECONDS = 8.0  # an exact count, or a selection of all that match, is refused after this time
_TRY_SECONDS = 1.0
# E.164 numbers in a range: at first, and at least. A range never has more numbers than that.
_WIDTH, _LEAST_WIDTH = 10**7, 10**4
# After a range that was read so quickly, the next one is wider; it should not exceed the limit then.
_QUICK_SECONDS, _WIDER = 0.2, 4


@dataclass(frozen=True)
class Page:
    """Matching numbers, ascending, and the number up to which the page is complete; None if no match is left."""

    numbers: list[int]
    examined_to: int | None


def page(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> Page:
    """Return the first matching numbers, at most `most`; fewer if the time is up first.

    `TooLongError` if not even the smallest range can be read in time.
    """
    if not resolved_filter.is_scanned:
        numbers = search.first(connection, resolved_filter, most)
        return Page(numbers, numbers[-1] if len(numbers) == most else None)
    began, numbers = time.monotonic(), list[int]()
    for some, end in _parts(connection, resolved_filter, most):
        numbers += some
        if len(numbers) >= most:
            return Page(numbers[:most], numbers[most - 1])
        if end is not None and time.monotonic() - began > PAGE_SECONDS:
            return Page(numbers, end)
    return Page(numbers, None)


def _parts(
    connection: sa.Connection, resolved_filter: ResolvedFilter, most: int
) -> Iterator[tuple[list[int], int | None]]:
    """Yield the matches of each range, at most `most`, and its last number; None at the end of the search."""
    width: int | None = None  # everything that is left
    left = resolved_filter
    while True:
        part, end = _part(connection, left, width)
        if part is None:
            return
        began = time.monotonic()
        try:
            with time_limit(connection, _TRY_SECONDS):
                numbers = search.first_scanned(connection, part, most)
        except TooLongError:
            if width is not None and width <= _LEAST_WIDTH:
                raise
            width = _WIDTH if width is None else width // 10
            continue
        yield numbers, end
        if end is None:
            return
        left = left.beyond(end)
        if width is not None and time.monotonic() - began < _QUICK_SECONDS:
            width *= _WIDER


def _part(
    connection: sa.Connection, left: ResolvedFilter, width: int | None
) -> tuple[ResolvedFilter | None, int | None]:
    """Return the filter for the next range and the range's last number; (None, None) if there are no numbers left."""
    if width is None:
        return left, None
    first = search.first(connection, left.indexed(), 1)
    if not first:
        return None, None
    end = first[0] + width - 1
    if end >= EVERY[1]:
        return left, None
    return replace(left, spans=e164_ranges.common(left.spans, [(first[0], end)])), end
