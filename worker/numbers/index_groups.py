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

from schemas.database.tables import ASSIGNED, UNASSIGNED, phone_numbers, tenants
from worker.phone.e164_ranges import EVERY, Span

NUMBER = phone_numbers.c
Beside = Sequence[sa.ColumnElement[Any]]
Bounds = tuple[sa.ColumnElement[int], sa.ColumnElement[int]]  # the first and the last number, both included

# Who may hold numbers, and who may have uploaded them.
Lines = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Groups:
    """A table with a row for each group, or None where all numbers are one, and which numbers a group has.

    `key`: what an index has before the number, each with the group's value of it.
    """

    table: sa.FromClause | None
    key: Sequence[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]] = ()
    conditions: Sequence[sa.ColumnElement[bool]] = ()
    count: int = 1

    def only(self, table: sa.FromClause) -> Groups:
        """Those of the groups that another table with the same columns has."""
        return replace(self, table=table, key=[(column, table.c[value.name]) for column, value in self.key])

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


def lines_of(connection: sa.Connection, asked: sa.ColumnElement[bool], uploaders: Sequence[int] | None) -> Lines:
    """Of each tenant of which this is asked, whose uploads it may hold: those of its line (`permissions.check_move`).

    With `uploaders`, only of these. Also where there are none: a number may be on its way there.
    """
    line = sa.func.unnest(tenants.c.path).table_valued("id").render_derived().lateral("line")
    query = sa.select(tenants.c.id, line.c.id.label("uploader")).select_from(tenants.join(line, sa.true())).where(asked)
    if uploaders is not None:
        query = query.where(line.c.id.in_(uploaders))
    return [(row.id, row.uploader) for row in connection.execute(query)]


def of_lines(lines: Lines, *, is_unassigned: bool | None = None) -> list[Groups]:
    """The numbers of some lines: those unassigned, those assigned, or both.

    What is unassigned is held by its uploader. What is assigned stands by holder and uploader.
    """
    own = [holder for holder, uploader in lines if holder == uploader]
    found = []
    if own and is_unassigned is not False:
        table = rows(sa.Integer, holder=own)
        key = [(NUMBER.holder_id, table.c.holder)]
        found.append(Groups(table, key, [status_is(is_unassigned=True)], len(own)))
    if lines and is_unassigned is not True:
        table = table_of(lines)
        key = [(NUMBER.holder_id, table.c.holder), (NUMBER.uploader_id, table.c.uploader)]
        found.append(Groups(table, key, [status_is(is_unassigned=False)], len(lines)))
    return found


def table_of(lines: Lines) -> sa.FromClause:
    """Each `holder` with each `uploader`."""
    return rows(sa.Integer, holder=[holder for holder, _ in lines], uploader=[uploader for _, uploader in lines])


def seen_by(lines: Lines | None) -> list[Groups]:
    """All numbers of some lines; None is everybody's."""
    return [all_numbers()] if lines is None else of_lines(lines)


def rows(kind: type[Any], **columns: Sequence[Any]) -> sa.FromClause:
    """Columns of one type, or of text, as a table."""
    kinds = (sa.Text if values and isinstance(values[0], str) else kind for values in columns.values())
    arrays = (sa.bindparam(None, list(values), ARRAY(one)) for one, values in zip(kinds, columns.values(), strict=True))
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived()


def status_is(*, is_unassigned: bool) -> sa.ColumnElement[bool]:
    """`permissions.is_assigned`, for the database, in the words of its indexes."""
    return sa.literal_column(f"({UNASSIGNED if is_unassigned else ASSIGNED})", sa.Boolean)


def numbers_of(
    groups: Sequence[Groups], spans: Sequence[Span], most: int | None, *, in_order: bool, beside: Beside = ()
) -> sa.Select[Any]:
    """Numbers of some groups within spans that are ascending and apart: all, the first so many, or any so many.

    `beside`: further columns of the numbers, where all are asked for.
    """
    if not groups or not spans:
        return sa.select(NUMBER.e164, *beside).where(sa.false())
    if list(spans) == [EVERY]:
        every = sa.select(*within(groups, None, most, in_order=in_order, beside=beside).subquery("found").c)
        return every.order_by("e164") if in_order else every
    given = rows(sa.BigInteger, low=[low for low, _ in spans], high=[high for _, high in spans])
    # In order, so that no span is looked at once there are enough.
    span = sa.select(given).order_by(given.c.low).subquery("span")
    found = within(groups, (span.c.low, span.c.high), most, in_order=in_order, beside=beside).lateral("found")
    query = sa.select(*found.c).select_from(span.join(found, sa.true())).limit(most)
    return query.order_by(span.c.low, found.c.e164) if in_order else query


def within(
    groups: Sequence[Groups], span: Bounds | None, most: int | None, *, in_order: bool = True, beside: Beside = ()
) -> sa.SelectBase:
    """Numbers of some groups, at least one, in one span: all, the first so many, or any so many.

    `beside`: as `numbers_of`.
    """
    if len(groups) == 1 and groups[0].table is None:
        return _part(groups[0], span, most, beside)
    if in_order and most is not None and all(one.key for one in groups):
        return _first(groups, span, most)
    together = sa.union_all(*(_part(one, span, most, beside) for one in groups)).subquery("together")
    query = sa.select(*together.c).limit(most)
    return query.order_by(together.c.e164) if in_order and most is not None else query


def _first(groups: Sequence[Groups], span: Bounds | None, most: int) -> sa.Select[int]:
    """The first so many numbers, ascending.

    First the first number of each group. Only so many groups as numbers are wanted can have any of them, those whose
    own is among the first; and nothing is wanted beyond the last of these. So no more is read of most groups, however
    far apart in them is what is looked for.
    """
    begins = [_begins(one, span).cte(f"begins_{place}").prefix_with("MATERIALIZED") for place, one in enumerate(groups)]
    order = sa.union_all(*(sa.select(one.c.e164) for one in begins)).order_by("e164")
    last = sa.func.coalesce(order.offset(most - 1).limit(1).scalar_subquery(), EVERY[1] if span is None else span[1])
    bound = sa.select(last.label("e164")).correlate_except().cte("bound").prefix_with("MATERIALIZED")
    parts = []
    for one, found in zip(groups, begins, strict=True):
        rest = one.only(found).first_within((found.c.e164, bound.c.e164), most).where(*one.conditions)
        numbers = rest.correlate_except(phone_numbers).lateral()
        wanted = found.join(bound, found.c.e164 <= bound.c.e164).join(numbers, sa.true())
        parts.append(sa.select(numbers.c.e164).select_from(wanted))
    together = sa.union_all(*parts).subquery("together")
    query = sa.select(together.c.e164).order_by(together.c.e164).limit(most)
    return query.add_cte(*begins, bound, nest_here=True)


def _begins(one: Groups, span: Bounds | None) -> sa.Select[Any]:
    """Each group that has numbers, with the first of them."""
    table = one.table
    if table is None:
        raise ValueError("all numbers begin where they begin")
    begin = one.first_within(span, 1).where(*one.conditions).correlate_except(phone_numbers).lateral()
    return sa.select(*(value for _, value in one.key), begin.c.e164).select_from(table.join(begin, sa.true()))


def any_within(groups: Sequence[Groups], span: Bounds) -> sa.Select[int]:
    """One number, whichever, of some groups in one span, if they have any there.

    To be joined laterally. By EXISTS the planner takes leave to answer for all spans at once, from every number.
    """
    return sa.select(within(groups, span, 1, in_order=False).subquery()).limit(1)


def _part(one: Groups, span: Bounds | None, most: int | None, beside: Beside = ()) -> sa.Select[Any]:
    # Limited also where any will do: the planner then takes each group's span as a place in the index, instead of
    # reading groups whole and leaving out afterwards.
    query = (
        one.first_within(span, most) if most is not None else sa.select(NUMBER.e164, *beside).where(*one.within(span))
    )
    query = query.where(*one.conditions).correlate_except(phone_numbers)
    if one.table is None:
        return query
    numbers = query.lateral()
    return sa.select(*numbers.c).select_from(one.table.join(numbers, sa.true()))
