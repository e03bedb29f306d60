"""Where in the order of all numbers some groups have any: the calling codes that occur, found by skipping over each.

A block is all numbers of one calling code and one length. Blocks that nobody on the platform has are left out first: no
input decides about that, so it cannot be probed. What others have must not tell by how long a search takes (R3), so in
all else the groups are those that the looker sees, and counts are for who sees all.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from worker.numbers.index_groups import Groups, all_numbers, any_within, rows, within
from worker.phone import region
from worker.phone.e164_ranges import EVERY, Span


def occupied(connection: sa.Connection) -> list[Span]:
    """The blocks in which anybody has numbers; ascending."""
    none = sa.literal_column("0::bigint", sa.BigInteger)
    block = sa.select(none.label("low"), none.label("high")).cte("block", recursive=True)
    beyond = (block.c.high + 1, sa.literal(EVERY[1], sa.BigInteger))
    found = within([all_numbers()], beyond, 1).lateral("found")
    size = _size(found.c.e164)
    low = found.c.e164 - found.c.e164 % size
    every = block.union_all(sa.select(low, low + size - 1).select_from(block.join(found, sa.true())))
    query = sa.select(every).where(every.c.high > 0).order_by(every.c.low)
    return [(row.low, row.high) for row in connection.execute(query)]


def inhabited(connection: sa.Connection, groups: Sequence[Groups], spans: Sequence[Span]) -> list[Span]:
    """Those of some spans, ascending, in which the groups have numbers."""
    if not groups or not spans:
        return []
    given = rows(sa.BigInteger, low=[low for low, _ in spans], high=[high for _, high in spans])
    some = any_within(groups, (given.c.low, given.c.high))
    query = sa.select(given).select_from(given.join(some.lateral(), sa.true())).order_by(given.c.low)
    return [(row.low, row.high) for row in connection.execute(query)]


def counted_up_to(connection: sa.Connection, spans: Sequence[Span], most: int) -> list[tuple[Span, int]]:
    """How many numbers, whoever's, there are in each of some spans: `most` for all that is more."""
    given = rows(sa.BigInteger, low=[low for low, _ in spans], high=[high for _, high in spans])
    some = within([all_numbers()], (given.c.low, given.c.high), most, in_order=False).subquery()
    count = sa.select(sa.func.count()).select_from(some).scalar_subquery()
    return [((row.low, row.high), row.found) for row in connection.execute(sa.select(given, count.label("found")))]


def _size(e164: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """How many numbers a number's block has room for."""
    digits = sa.cast(e164, sa.Text)
    known = "".join(map(str, region.calling_code_digits()))
    code_digits = sa.cast(sa.func.substr(known, sa.cast(sa.func.left(digits, 3), sa.Integer), 1), sa.Integer)
    national_digits = sa.func.greatest(sa.func.length(digits) - code_digits, 0)
    return sa.cast(sa.func.power(10, national_digits), sa.BigInteger)
