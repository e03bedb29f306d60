"""Search for the numbers that match a filter, without scanning the others, even for a few numbers among millions.

Results are ordered by number, and a rare number can be far away in that order. So the search reads an index that
has the numbers of each group ascending: the groups are holders or, if the filter has carriers or capabilities, the
kinds that each holder has (`worker.numbers.holding_kinds`). There are few groups; their results are merged. Ranges with
hardly any numbers are scanned instead. The queries leave the planner no choice: it assumes that matching numbers are
evenly distributed, but those of a country or a carrier are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE

from worker.numbers import holding_kinds, occupied_ranges
from worker.numbers.filters import ResolvedFilter
from worker.numbers.index_groups import (
    NUMBER,
    Beside,
    Groups,
    all_numbers,
    lines_of,
    numbers_of,
    of_lines,
    status_is,
    table_of,
)
from worker.phone.e164_ranges import Span

# Limits on the number of index lookups (groups times ranges): for a search in order, which makes all of them, and for
# any other. A search that would need more uses fewer groups or ranges.
_MANY_PLACES, _TOO_MANY_PLACES = 5_000, 20_000
# Numbers scanned per requested number before the search by groups: in the first try, and in a second one if the first
# found at least `_A_FEW`.
_GLANCES = (20, 400)
_A_FEW = 3
# A range with at most `_THIN` numbers, `_ALL_THIN` for all such ranges together, is scanned rather than searched by
# groups.
_THIN, _ALL_THIN = 1_000, 10_000


def first(connection: sa.Connection, wanted: ResolvedFilter, most: int) -> list[int]:
    """Return the first matching numbers, ascending, at most `most`."""
    if wanted.lines is None and wanted.users is None and wanted.spans:
        # The master has the most groups, and a property that many numbers have is soon found by scanning.
        for numbers in _GLANCES:
            found = connection.execute(_glance(wanted, most, numbers)).scalars().all()
            if len(found) == most:
                return list(found)
            if len(found) < _A_FEW:
                break
    return list(connection.execute(_matching(connection, wanted, most, in_order=True)).scalars())


def _glance(wanted: ResolvedFilter, most: int, numbers: int) -> sa.Select[int]:
    """Scan the first `most * numbers` numbers of the first range and return those that match, at most `most`."""
    condition = sa.and_(sa.true(), *_conditions(wanted)).label("is_let_through")
    some = sa.select(NUMBER.e164, condition).where(NUMBER.e164.between(*wanted.spans[0])).order_by(NUMBER.e164)
    seen = some.limit(most * numbers).subquery()
    return sa.select(seen.c.e164).where(seen.c.is_let_through).order_by(seen.c.e164).limit(most)


def some(connection: sa.Connection, wanted: ResolvedFilter, most: int) -> sa.Select[int]:
    """Return a query for any `most` matching numbers (`e164`), for a count that stops there."""
    return _matching(connection, wanted, most, in_order=False)


def matching(
    connection: sa.Connection, wanted: ResolvedFilter, *, are_many: bool = False, beside: Beside = ()
) -> sa.Select[Any]:
    """Return a query for all matching numbers (`e164`, and the columns `beside`), unordered.

    `are_many`: so many matches are expected that a full scan is faster.
    """
    if are_many and wanted.lines is None and wanted.users is None:
        return numbers_of([_one_by_one(wanted)], wanted.spans, None, in_order=False, beside=beside)
    return _matching(connection, wanted, None, in_order=False, beside=beside)


def _matching(
    connection: sa.Connection, wanted: ResolvedFilter, most: int | None, *, in_order: bool, beside: Beside = ()
) -> sa.Select[Any]:
    thin = _thin_spans(connection, wanted)
    if not thin:
        return _by_group(connection, wanted, most, in_order=in_order, beside=beside)
    others = [span for span in wanted.spans if span not in thin]
    parts = [numbers_of([_one_by_one(wanted)], thin, most, in_order=in_order, beside=beside)]
    if others:
        parts.append(_by_group(connection, replace(wanted, spans=others), most, in_order=in_order, beside=beside))
    together = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery("apart")
    query = sa.select(*together.c).limit(most)
    return query.order_by(together.c.e164) if in_order else query


def _by_group(
    connection: sa.Connection, wanted: ResolvedFilter, most: int | None, *, in_order: bool, beside: Beside = ()
) -> sa.Select[Any]:
    spans = wanted.spans
    groups = _groups(connection, wanted, _MANY_PLACES if in_order else _TOO_MANY_PLACES)
    if len(spans) > 1 and sum(one.count for one in groups) * len(spans) > _TOO_MANY_PLACES:
        groups, spans = _in_one_stretch(wanted, groups), [(spans[0][0], spans[-1][1])]
    return numbers_of(groups, spans, most, in_order=in_order, beside=beside)


def _thin_spans(connection: sa.Connection, wanted: ResolvedFilter) -> list[Span]:
    """Return the ranges, if there are several, with so few numbers that a scan is faster than a search by many groups.

    Only if the actor sees all numbers: otherwise, the time would reveal how many numbers others have (R3).
    """
    several = len(wanted.spans)
    if several <= 1 or wanted.lines is not None or wanted.users is not None or not _has_groups(wanted):
        return []
    few = min(_THIN, _ALL_THIN // several)
    counted = occupied_ranges.counted_up_to(connection, wanted.spans, few + 1)
    return [span for span, count in counted if count <= few]


def _in_one_stretch(wanted: ResolvedFilter, groups: Sequence[Groups]) -> list[Groups]:
    """Return the groups for one range from first to last span; a condition excludes numbers between the spans."""
    text = ",".join(f"[{low},{high}]" for low, high in wanted.spans)
    # A scalar subquery is evaluated once, not for every number.
    spans = sa.select(sa.cast(sa.literal(f"{{{text}}}", sa.Text), INT8MULTIRANGE)).scalar_subquery()
    return [one.narrowed([spans.op("@>")(NUMBER.e164)]) for one in groups]


def _groups(connection: sa.Connection, wanted: ResolvedFilter, most_places: int) -> list[Groups]:
    if wanted.users is not None:
        return [_of_users(wanted)] if wanted.users else []
    if wanted.lines is None and not _has_groups(wanted):
        return [_one_by_one(wanted)]
    narrows_kinds = _narrows_kinds(wanted)
    most = most_places // max(len(wanted.spans), 1)
    kinds = _of_kinds(connection, wanted, most) if narrows_kinds else None
    if kinds is not None:
        return kinds
    lines = lines_of(connection, sa.true(), None) if wanted.lines is None else wanted.lines
    found = of_lines(lines, is_unassigned=wanted.is_unassigned)
    count = sum(one.count for one in found)
    if narrows_kinds and count > most:
        kinds = _of_kinds(connection, wanted, count)
    return [one.narrowed(wanted.conditions()) for one in found] if kinds is None else kinds


def _has_groups(wanted: ResolvedFilter) -> bool:
    """Return whether the filter has criteria that distinguish groups, independent of the actor."""
    return wanted.is_unassigned is not None or _narrows_kinds(wanted)


def _narrows_kinds(wanted: ResolvedFilter) -> bool:
    return wanted.capability is not None or wanted.carriers is not None


def _of_kinds(connection: sa.Connection, wanted: ResolvedFilter, most: int) -> list[Groups] | None:
    """Return the groups by kind; None if there are more than `most`."""
    kinds = holding_kinds.of(wanted)
    count = holding_kinds.count_up_to(connection, kinds, most)
    if count > most:
        return None
    return [holding_kinds.groups(kinds, count, wanted)] if count else []


def _of_users(wanted: ResolvedFilter) -> Groups:
    """Return the numbers of some users as groups of one: they are few."""
    columns = (NUMBER.voice_user_id, NUMBER.sms_user_id)
    theirs = sa.union(*(sa.select(NUMBER.e164).where(column.in_(wanted.users or ())) for column in columns))
    table = theirs.subquery("theirs")
    conditions = [NUMBER.e164 == table.c.e164, *_conditions(wanted)]
    if wanted.lines is not None:
        lines = sa.select(table_of(wanted.lines))
        conditions.append(sa.tuple_(NUMBER.holder_id, NUMBER.uploader_id).in_(lines))
    return Groups(table, conditions=conditions)


def _one_by_one(wanted: ResolvedFilter) -> Groups:
    """Return one group of all numbers, for a scan."""
    return all_numbers().narrowed(_conditions(wanted))


def _conditions(wanted: ResolvedFilter) -> list[sa.ColumnElement[bool]]:
    status = [] if wanted.is_unassigned is None else [status_is(is_unassigned=wanted.is_unassigned)]
    return [*wanted.conditions(), *status]
