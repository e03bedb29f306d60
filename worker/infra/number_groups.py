"""Numbers by groups that an index has each ascending: how the first of them all, or all of them, are asked for.

Groups are few and numbers are millions, so one look into the index for each group is cheap, and no group is read
beyond what is asked for. Nothing here knows filters or permissions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.phone.spans import EVERY, Span
from schemas.tables import ASSIGNED, UNASSIGNED, phone_numbers

NUMBER = phone_numbers.c
Bounds = tuple[sa.ColumnElement[int], sa.ColumnElement[int]]  # the first and the last number, both included

# Who holds numbers, each with those who may have uploaded what it holds.
Holders = Sequence[tuple[int, Sequence[int]]]


@dataclass(frozen=True)
class Groups:
    """A table with a row for each group, or None where all numbers are one, and which numbers a group has.

    `key`: what an index has before the number, each with the group's value of it.
    """

    table: sa.FromClause | None
    key: Sequence[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]] = ()
    conditions: Sequence[sa.ColumnElement[bool]] = ()
    count: int = 1

    def narrowed(self, conditions: Sequence[sa.ColumnElement[bool]]) -> Groups:
        """The same groups with those of their numbers that meet the conditions."""
        return replace(self, conditions=(*self.conditions, *conditions))

    def within(self, span: Bounds | None) -> list[sa.ColumnElement[bool]]:
        """A group's numbers in a span."""
        equal = [column == value for column, value in self.key]
        return equal if span is None else [*equal, NUMBER.e164.between(*span)]

    def first_within(self, span: Bounds | None, most: int) -> sa.Select[int]:
        """The first so many of them, ascending.

        Told by where they begin and end in the index of the key, which nothing else can answer. To equal values and an
        order the primary key is an answer, too: the planner takes it where it thinks that many numbers are of a group,
        and then reads all that are not.
        """
        place = [column for column, _ in self.key] + [NUMBER.e164]
        query = sa.select(NUMBER.e164).order_by(*place).limit(most)
        if span is None:
            # Compared one by one, which is faster than as rows.
            return query.where(*(side for column, value in self.key for side in (column >= value, column <= value)))
        first, last = (sa.tuple_(*(value for _, value in self.key), number) for number in span)
        return query.where(sa.tuple_(*place) >= first, sa.tuple_(*place) <= last)


def all_numbers() -> Groups:
    """One group of all numbers, by the primary key."""
    return Groups(None)


def of_holders(holders: Holders, *, is_unassigned: bool | None = None) -> list[Groups]:
    """The numbers of some holders: those unassigned, those assigned, or both.

    What is unassigned is held by its uploader. What is assigned stands by holder and uploader, who is always of the
    holder's line (`permissions.check_move`).
    """
    own = [holder for holder, uploaders in holders if holder in uploaders]
    pairs = [(holder, uploader) for holder, uploaders in holders for uploader in uploaders]
    found = []
    if own and is_unassigned is not False:
        table = rows(sa.Integer, holder=own)
        key = [(NUMBER.holder_id, table.c.holder)]
        found.append(Groups(table, key, [status_is(is_unassigned=True)], len(own)))
    if pairs and is_unassigned is not True:
        table = rows(sa.Integer, holder=[pair[0] for pair in pairs], uploader=[pair[1] for pair in pairs])
        key = [(NUMBER.holder_id, table.c.holder), (NUMBER.uploader_id, table.c.uploader)]
        found.append(Groups(table, key, [status_is(is_unassigned=False)], len(pairs)))
    return found


def seen_by(holders: Holders | None) -> list[Groups]:
    """All numbers of some holders; None is everybody."""
    return [all_numbers()] if holders is None else of_holders(holders)


def rows(kind: type[Any], **columns: Sequence[Any]) -> sa.FromClause:
    """Columns of one type, or of text, as a table."""
    kinds = (sa.Text if values and isinstance(values[0], str) else kind for values in columns.values())
    arrays = (sa.bindparam(None, list(values), ARRAY(one)) for one, values in zip(kinds, columns.values(), strict=True))
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived()


def status_is(*, is_unassigned: bool) -> sa.ColumnElement[bool]:
    """`permissions.is_assigned`, for the database, in the words of its indexes."""
    return sa.literal_column(f"({UNASSIGNED if is_unassigned else ASSIGNED})", sa.Boolean)


def numbers_of(groups: Sequence[Groups], spans: Sequence[Span], most: int | None, *, in_order: bool) -> sa.Select[int]:
    """Numbers of some groups within spans that are ascending and apart: all, the first so many, or any so many."""
    if not groups or not spans:
        return sa.select(NUMBER.e164).where(sa.false())
    if list(spans) == [EVERY]:
        every = sa.select(within(groups, None, most, in_order=in_order).subquery("found").c.e164)
        return every.order_by("e164") if in_order else every
    given = rows(sa.BigInteger, low=[low for low, _ in spans], high=[high for _, high in spans])
    # In order, so that no span is looked at once there are enough.
    span = sa.select(given).order_by(given.c.low).subquery("span")
    found = within(groups, (span.c.low, span.c.high), most, in_order=in_order).lateral("found")
    query = sa.select(found.c.e164).select_from(span.join(found, sa.true())).limit(most)
    return query.order_by(span.c.low, found.c.e164) if in_order else query


def within(groups: Sequence[Groups], span: Bounds | None, most: int | None, *, in_order: bool = True) -> sa.SelectBase:
    """Numbers of some groups, at least one, in one span: all, the first so many, or any so many."""
    parts = [_part(one, span, most) for one in groups]
    if len(parts) == 1 and groups[0].table is None:
        return parts[0]
    together = sa.union_all(*parts).subquery("together")
    query = sa.select(together.c.e164).limit(most)
    return query.order_by(together.c.e164) if in_order and most is not None else query


def any_within(groups: Sequence[Groups], span: Bounds) -> sa.Select[int]:
    """One number, whichever, of some groups in one span, if they have any there.

    To be joined laterally. By EXISTS the planner takes leave to answer for all spans at once, from every number.
    """
    return sa.select(within(groups, span, 1, in_order=False).subquery()).limit(1)


def _part(one: Groups, span: Bounds | None, most: int | None) -> sa.Select[int]:
    # Limited also where any will do: the planner then takes each group's span as a place in the index, instead of
    # reading groups whole and leaving out afterwards.
    query = sa.select(NUMBER.e164).where(*one.within(span)) if most is None else one.first_within(span, most)
    query = query.where(*one.conditions).correlate_except(phone_numbers)
    if one.table is None:
        return query
    numbers = query.lateral()
    return sa.select(numbers.c.e164).select_from(one.table.join(numbers, sa.true()))
