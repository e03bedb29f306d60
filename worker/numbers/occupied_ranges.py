"""Ranges that contain numbers: all occupied blocks, found by a loose index scan, and the occupied ones of given ranges.

A block is the range of all numbers with one calling code and one length. Blocks in which no tenant of the platform has
numbers are left out first. No input affects this, so it cannot be used for probing. The time of a search must not
reveal other tenants' numbers (R3), so all other functions use the groups that the actor sees, and `counted_up_to` is
only for actors who see all numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from schemas.permissions import Tenant
from worker.numbers import tree_countries
from worker.numbers.index_groups import Groups, all_numbers, any_within, rows, within
from worker.phone import region
from worker.phone.e164_ranges import EVERY, Span


def occupied_spans(connection: sa.Connection) -> list[Span]:
    """Return the blocks in which any tenant has numbers, ascending."""
    none = sa.literal_column("0::bigint", sa.BigInteger)
    block = sa.select(none.label("low"), none.label("high")).cte("block", recursive=True)
    beyond = (block.c.high + 1, sa.literal(EVERY[1], sa.BigInteger))
    first_beyond = within([all_numbers()], beyond, 1).lateral("found")
    size = _size(first_beyond.c.e164)
    low = first_beyond.c.e164 - first_beyond.c.e164 % size
    every = block.union_all(sa.select(low, low + size - 1).select_from(block.join(first_beyond, sa.true())))
    query = sa.select(every).where(every.c.high > 0).order_by(every.c.low)
    return [(row.low, row.high) for row in connection.execute(query)]


def blocks_of_tree(connection: sa.Connection, actor: Tenant) -> list[Span]:
    """Return the blocks with a calling code that numbers in the actor's tree have or had, ascending.

    The others need not be searched, holder by holder.
    """
    # No calling code: numbers that a later version of the numbering plans does not know.
    codes = {0, *tree_countries.calling_codes_in_tree(connection, actor)}
    return [span for span in occupied_spans(connection) if region.calling_code_of(span[0]) in codes]


def spans_with_numbers(connection: sa.Connection, groups: Sequence[Groups], spans: Sequence[Span]) -> list[Span]:
    """Return those of the ascending ranges in which the groups have numbers."""
    if not groups or not spans:
        return []
    ranges = rows(sa.BigInteger, low=[low for low, _ in spans], high=[high for _, high in spans])
    some = any_within(groups, (ranges.c.low, ranges.c.high))
    query = sa.select(ranges).select_from(ranges.join(some.lateral(), sa.true())).order_by(ranges.c.low)
    return [(row.low, row.high) for row in connection.execute(query)]


def counted_up_to(connection: sa.Connection, spans: Sequence[Span], most: int) -> list[tuple[Span, int]]:
    """Count the numbers of all tenants in each range, up to `most`."""
    ranges = rows(sa.BigInteger, low=[low for low, _ in spans], high=[high for _, high in spans])
    some = within([all_numbers()], (ranges.c.low, ranges.c.high), most, in_order=False).subquery()
    count = sa.select(sa.func.count()).select_from(some).scalar_subquery()
    return [((row.low, row.high), row.found) for row in connection.execute(sa.select(ranges, count.label("found")))]


def _size(e164: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """Return the size of a number's block."""
    digits = sa.cast(e164, sa.Text)
    calling_code = "".join(map(str, region.calling_code_digits()))
    code_digits = sa.cast(sa.func.substr(calling_code, sa.cast(sa.func.left(digits, 3), sa.Integer), 1), sa.Integer)
    national_digits = sa.func.greatest(sa.func.length(digits) - code_digits, 0)
    return sa.cast(sa.func.power(10, national_digits), sa.BigInteger)
