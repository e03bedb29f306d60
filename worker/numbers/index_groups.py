"""SQL that merges several ascending index ranges ("groups") into one list of numbers (loose index scan).

There are few groups and millions of numbers, so one index lookup per group is cheap, and no group is read further than
needed. Nothing here knows filters or permissions.
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


@dataclass(frozen=True)
class Lines:
    """Pairs (holder, uploader) whose numbers are searched: each tenant that meets `holders`, with its uploaders.

    By `permissions.check_move`, the uploaders of a tenant's numbers are the tenants on its path from the root;
    `uploaders` limits them. Pairs without numbers are included, because a number may be about to move there.

    The pairs are part of the queries and are not read before: there can be tens of thousands, and most queries stop
    after a few.
    """

    holders: sa.ColumnElement[bool]
    uploaders: Sequence[int] | None = None

    def own(self) -> sa.Subquery:
        """Return the holders that are their own uploaders as a table with the column `holder`."""
        return self._own(tenants.c.id.label("holder")).subquery()

    def pairs(self) -> sa.Subquery:
        """Return the pairs as a table with the columns `holder` and `uploader`."""
        line = sa.func.unnest(tenants.c.path).table_valued("id").render_derived().lateral("line")
        query = sa.select(tenants.c.id.label("holder"), line.c.id.label("uploader")).where(self.holders)
        query = query.select_from(tenants.join(line, sa.true()))
        if self.uploaders is not None:  # the first condition is served by an index
            query = query.where(tenants.c.path.overlap(list(self.uploaders)), line.c.id.in_(self.uploaders))
        return query.subquery()

    def count_own(self) -> sa.Select[int]:
        """Return a query for the number of rows of `own`."""
        return self._own(sa.func.count())

    def count_pairs(self) -> sa.Select[int]:
        """Return a query for the number of rows of `pairs`."""
        if self.uploaders is not None:
            return sa.select(sa.func.count()).select_from(self.pairs())
        return sa.select(sa.func.coalesce(sa.func.sum(sa.func.cardinality(tenants.c.path)), 0)).where(self.holders)

    def include_number(self) -> sa.ColumnElement[bool]:
        """Return the condition that a number's holder and uploader are one of the pairs."""
        on_path = NUMBER.uploader_id == sa.any_(tenants.c.path)
        condition = sa.exists().where(self.holders, tenants.c.id == NUMBER.holder_id, on_path).correlate(phone_numbers)
        return condition if self.uploaders is None else condition & NUMBER.uploader_id.in_(self.uploaders)

    def _own(self, column: sa.ColumnElement[int]) -> sa.Select[int]:
        query = sa.select(column).select_from(tenants).where(self.holders)
        return query if self.uploaders is None else query.where(tenants.c.id.in_(self.uploaders))


@dataclass(frozen=True)
class Groups:
    """A table with a row for each group (None: one group of all numbers), and the conditions on a group's numbers.

    `key`: the index columns before the number, each with the table column that has the group's value. `order`: the
    index columns before the number, for one group that is a whole index. `count`: the number of groups, or a query
    for it.
    """

    table: sa.FromClause | None
    key: Sequence[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]] = ()
    conditions: Sequence[sa.ColumnElement[bool]] = ()
    count: int | sa.Select[int] = 1
    order: Sequence[sa.ColumnElement[Any]] = ()

    def only(self, table: sa.FromClause) -> Groups:
        """Return the groups that are also in another table with the same columns."""
        return replace(self, table=table, key=[(column, table.c[value.name]) for column, value in self.key])

    def narrowed(self, conditions: Sequence[sa.ColumnElement[bool]]) -> Groups:
        """Return the same groups, limited to numbers that meet further conditions."""
        return replace(self, conditions=(*self.conditions, *conditions))

    def within(self, span: Bounds | None) -> list[sa.ColumnElement[bool]]:
        """Return the conditions for a group's numbers in a range."""
        equal = [column == value for column, value in self.key]
        return equal if span is None else [*equal, NUMBER.e164.between(*span)]

    def first_within(self, span: Bounds | None, most: int, beside: Beside = ()) -> sa.Select[Any]:
        """Return a query for the first `most` numbers of a group in a range, ascending (first by `order`).

        The conditions are row comparisons with the group's first and last entry in the key's index, which only that
        index can serve. With equality conditions and ORDER BY, the planner may choose the primary key if it
        overestimates the group, and then reads the numbers of all other groups.
        """
        sort_key = [column for column, _ in self.key] + [NUMBER.e164]
        query = sa.select(NUMBER.e164, *beside).order_by(*self.order, *sort_key).limit(most)
        if span is None:
            # Comparing column by column is faster than comparing rows.
            return query.where(*(side for column, value in self.key for side in (column >= value, column <= value)))
        first, last = (sa.tuple_(*(value for _, value in self.key), number) for number in span)
        return query.where(sa.tuple_(*sort_key) >= first, sa.tuple_(*sort_key) <= last)


def all_numbers() -> Groups:
    """Return one group of all numbers, ordered by the primary key."""
    return Groups(None)


def all_of_status(*, is_unassigned: bool) -> Groups:
    """Return one group of all unassigned or all assigned numbers, in the order of their index: by holder."""
    order = [NUMBER.holder_id] if is_unassigned else [NUMBER.holder_id, NUMBER.uploader_id]
    return Groups(None, conditions=[status_is(is_unassigned=is_unassigned)], order=order)


def of_lines(lines: Lines, *, is_unassigned: bool | None = None) -> list[Groups]:
    """Return the groups for pairs of holder and uploader: unassigned numbers, assigned numbers, or both.

    Unassigned numbers are held by their uploader; their groups are by holder. Those of assigned ones are by holder and
    uploader.
    """
    groups = []
    if is_unassigned is not False:
        table = lines.own()
        key = [(NUMBER.holder_id, table.c.holder)]
        groups.append(Groups(table, key, [status_is(is_unassigned=True)], lines.count_own()))
    if is_unassigned is not True:
        table = lines.pairs()
        key = [(NUMBER.holder_id, table.c.holder), (NUMBER.uploader_id, table.c.uploader)]
        groups.append(Groups(table, key, [status_is(is_unassigned=False)], lines.count_pairs()))
    return groups


def counted(connection: sa.Connection, groups: Sequence[Groups]) -> int:
    """Return how many groups there are."""
    counts = [group.count for group in groups]
    return sum(each if isinstance(each, int) else connection.execute(each).scalar_one() for each in counts)


def seen_by(lines: Lines | None) -> list[Groups]:
    """Return the groups of all numbers of the pairs; None stands for all numbers."""
    return [all_numbers()] if lines is None else of_lines(lines)


def rows(kind: type[Any], **columns: Sequence[Any]) -> sa.FromClause:
    """Return arrays as a table. The columns have the type `kind`, or text if their values are strings."""
    kinds = (sa.Text if values and isinstance(values[0], str) else kind for values in columns.values())
    arrays = (
        sa.bindparam(None, list(values), ARRAY(element_type))
        for element_type, values in zip(kinds, columns.values(), strict=True)
    )
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived()


def status_is(*, is_unassigned: bool) -> sa.ColumnElement[bool]:
    """Return `permissions.is_assigned` or its opposite in SQL, with the exact predicate of the partial indexes."""
    return sa.literal_column(f"({UNASSIGNED if is_unassigned else ASSIGNED})", sa.Boolean)


def numbers_of(
    groups: Sequence[Groups], spans: Sequence[Span], most: int | None, *, in_order: bool, beside: Beside = ()
) -> sa.Select[Any]:
    """Return a query for numbers of the groups in ascending disjoint ranges: all, the first `most`, or any `most`.

    `beside`: further columns of the numbers, but not of the first `most`.
    """
    if not groups or not spans:
        return sa.select(NUMBER.e164, *beside).where(sa.false())
    if list(spans) == [EVERY]:
        every = sa.select(*within(groups, None, most, in_order=in_order, beside=beside).subquery("found").c)
        return every.order_by("e164") if in_order else every
    ranges = rows(sa.BigInteger, low=[low for low, _ in spans], high=[high for _, high in spans])
    return _in_ranges(groups, ranges, most, in_order=in_order, beside=beside)


def numbers_in_parameters(groups: Sequence[Groups], name: str, beside: Beside) -> sa.Select[Any]:
    """Return a query for all numbers of the groups in ranges that are given when it runs, unordered.

    Its parameters are the arrays `{name}_low` and `{name}_high` (bigint).
    """
    if not groups:
        return sa.select(NUMBER.e164, *beside).where(sa.false())
    arrays = (sa.bindparam(f"{name}_{end}", type_=ARRAY(sa.BigInteger)) for end in ("low", "high"))
    ranges = sa.func.unnest(*arrays).table_valued("low", "high").render_derived()
    return _in_ranges(groups, ranges, None, in_order=False, beside=beside)


def _in_ranges(
    groups: Sequence[Groups], ranges: sa.FromClause, most: int | None, *, in_order: bool, beside: Beside
) -> sa.Select[Any]:
    # Ordered, so that no further range is read once there are enough numbers.
    span = sa.select(ranges).order_by(ranges.c.low).subquery("span")
    matches = within(groups, (span.c.low, span.c.high), most, in_order=in_order, beside=beside).lateral("found")
    query = sa.select(*matches.c).select_from(span.join(matches, sa.true())).limit(most)
    return query.order_by(span.c.low, matches.c.e164) if in_order else query


def within(
    groups: Sequence[Groups], span: Bounds | None, most: int | None, *, in_order: bool = True, beside: Beside = ()
) -> sa.SelectBase:
    """Return a query for numbers of at least one group in one range: all, the first `most`, or any `most`.

    `beside`: as in `numbers_of`.
    """
    if len(groups) == 1 and groups[0].table is None:
        return _part(groups[0], span, most, beside)
    if in_order and most is not None and all(group.key for group in groups):
        return _first(groups, span, most)
    together = sa.union_all(*(_part(group, span, most, beside) for group in groups)).subquery("together")
    query = sa.select(*together.c).limit(most)
    return query.order_by(together.c.e164) if in_order and most is not None else query


def _first(groups: Sequence[Groups], span: Bounds | None, most: int) -> sa.Select[int]:
    """Return a query for the first `most` numbers of the groups, ascending.

    It first reads the first number of each group. The `most`-th smallest of these is an upper bound of the result, so
    only groups that begin at or below it are read further, and only up to it. So most groups cost one lookup, however
    far apart their numbers are.
    """
    begins = [
        _begins(group, span).cte(f"begins_{index}").prefix_with("MATERIALIZED") for index, group in enumerate(groups)
    ]
    order = sa.union_all(*(sa.select(begin.c.e164) for begin in begins)).order_by("e164")
    last = sa.func.coalesce(order.offset(most - 1).limit(1).scalar_subquery(), EVERY[1] if span is None else span[1])
    bound = sa.select(last.label("e164")).correlate_except().cte("bound").prefix_with("MATERIALIZED")
    parts = []
    for group, begin in zip(groups, begins, strict=True):
        rest = group.only(begin).first_within((begin.c.e164, bound.c.e164), most).where(*group.conditions)
        numbers = rest.correlate_except(phone_numbers).lateral()
        matches = begin.join(bound, begin.c.e164 <= bound.c.e164).join(numbers, sa.true())
        parts.append(sa.select(numbers.c.e164).select_from(matches))
    together = sa.union_all(*parts).subquery("together")
    query = sa.select(together.c.e164).order_by(together.c.e164).limit(most)
    return query.add_cte(*begins, bound, nest_here=True)


def _begins(group: Groups, span: Bounds | None) -> sa.Select[Any]:
    """Return a query for each group that has numbers, with its first number."""
    table = group.table
    if table is None:
        raise ValueError("the group of all numbers has no table to list first numbers by")
    begin = group.first_within(span, 1).where(*group.conditions).correlate_except(phone_numbers).lateral()
    return sa.select(*(value for _, value in group.key), begin.c.e164).select_from(table.join(begin, sa.true()))


def any_within(groups: Sequence[Groups], span: Bounds) -> sa.Select[int]:
    """Return a query for any one number of the groups in one range, for a lateral join.

    With EXISTS instead, the planner may evaluate all ranges at once by reading every number.
    """
    return sa.select(within(groups, span, 1, in_order=False).subquery()).limit(1)


def _part(group: Groups, span: Bounds | None, most: int | None, beside: Beside = ()) -> sa.Select[Any]:
    # The limit is also set if any numbers will do: it makes the planner look up each group's range in the index instead
    # of reading whole groups and filtering them.
    query = (
        group.first_within(span, most, beside)
        if most is not None
        else sa.select(NUMBER.e164, *beside).where(*group.within(span))
    )
    query = query.where(*group.conditions).correlate_except(phone_numbers)
    if group.table is None:
        return query
    numbers = query.lateral()
    return sa.select(*numbers.c).select_from(group.table.join(numbers, sa.true()))
