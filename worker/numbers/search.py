"""Finds the numbers that a filter lets through without going through those of others, however few of millions they are.

Numbers are listed by number, and one that many do not have is far away in that order. So they are looked for group by
group, in an index that has each group's numbers ascending: those of each holder, or, where carriers or capabilities are
asked for, those of each kind that a holder has (`number_kinds`). The groups are few; what is found in them is put in
order. Where there are hardly any numbers, these are looked at themselves. The planner is left no choice in this: it
takes what a filter lets through to be spread evenly, and numbers of a country, or of a carrier, are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE

from worker.numbers import holding_kinds, occupied_ranges
from worker.numbers.filters import Wanted
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

# Places to be looked at, groups times spans, above which a group is one too many: where numbers are wanted in order, so
# that each has to be looked at, and else.
_MANY_PLACES, _TOO_MANY_PLACES = 5_000, 20_000
# Numbers that are looked at for each that is wanted, before groups are: at first, and where there are a few among them.
_GLANCES = (20, 400)
_A_FEW = 3
# Numbers of a span, and of all such spans, that are sooner looked at one by one than groups are there.
_THIN, _ALL_THIN = 1_000, 10_000


def first(connection: sa.Connection, wanted: Wanted, most: int) -> list[int]:
    """The first numbers that are let through, ascending, at most so many."""
    if wanted.lines is None and wanted.users is None and wanted.spans:
        # Who sees all has the most groups; and what many numbers have, the next ones have, too.
        for numbers in _GLANCES:
            found = connection.execute(_glance(wanted, most, numbers)).scalars().all()
            if len(found) == most:
                return list(found)
            if len(found) < _A_FEW:
                break
    return list(connection.execute(_matching(connection, wanted, most, in_order=True)).scalars())


def _glance(wanted: Wanted, most: int, numbers: int) -> sa.Select[int]:
    """As many as are let through of the first numbers there are, so many for each that is wanted."""
    condition = sa.and_(sa.true(), *_conditions(wanted)).label("is_let_through")
    some = sa.select(NUMBER.e164, condition).where(NUMBER.e164.between(*wanted.spans[0])).order_by(NUMBER.e164)
    seen = some.limit(most * numbers).subquery()
    return sa.select(seen.c.e164).where(seen.c.is_let_through).order_by(seen.c.e164).limit(most)


def some(connection: sa.Connection, wanted: Wanted, most: int) -> sa.Select[int]:
    """Numbers that are let through (`e164`), any so many: what a count needs that does not go beyond."""
    return _matching(connection, wanted, most, in_order=False)


def matching(
    connection: sa.Connection, wanted: Wanted, *, are_many: bool = False, beside: Beside = ()
) -> sa.Select[Any]:
    """All numbers that are let through (`e164`, and the columns `beside` it), in no order.

    `are_many`: so many are expected that looking at every number is the shorter way.
    """
    if are_many and wanted.lines is None and wanted.users is None:
        return numbers_of([_one_by_one(wanted)], wanted.spans, None, in_order=False, beside=beside)
    return _matching(connection, wanted, None, in_order=False, beside=beside)


def _matching(
    connection: sa.Connection, wanted: Wanted, most: int | None, *, in_order: bool, beside: Beside = ()
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
    connection: sa.Connection, wanted: Wanted, most: int | None, *, in_order: bool, beside: Beside = ()
) -> sa.Select[Any]:
    spans = wanted.spans
    groups = _groups(connection, wanted, _MANY_PLACES if in_order else _TOO_MANY_PLACES)
    if len(spans) > 1 and sum(one.count for one in groups) * len(spans) > _TOO_MANY_PLACES:
        groups, spans = _in_one_stretch(wanted, groups), [(spans[0][0], spans[-1][1])]
    return numbers_of(groups, spans, most, in_order=in_order, beside=beside)


def _thin_spans(connection: sa.Connection, wanted: Wanted) -> list[Span]:
    """Those of several spans where there are fewer numbers than it is worth looking for many groups.

    Only where the looker sees all numbers: how many others have must not tell by the time it takes (R3).
    """
    several = len(wanted.spans)
    if several <= 1 or wanted.lines is not None or wanted.users is not None or not _has_groups(wanted):
        return []
    few = min(_THIN, _ALL_THIN // several)
    counted = occupied_ranges.counted_up_to(connection, wanted.spans, few + 1)
    return [span for span, count in counted if count <= few]


def _in_one_stretch(wanted: Wanted, groups: Sequence[Groups]) -> list[Groups]:
    """Each group from the first span to the last, and whatever is between them left out number by number."""
    text = ",".join(f"[{low},{high}]" for low, high in wanted.spans)
    # Selected, so that it is read once and not for every number.
    spans = sa.select(sa.cast(sa.literal(f"{{{text}}}", sa.Text), INT8MULTIRANGE)).scalar_subquery()
    return [one.narrowed([spans.op("@>")(NUMBER.e164)]) for one in groups]


def _groups(connection: sa.Connection, wanted: Wanted, most_places: int) -> list[Groups]:
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


def _has_groups(wanted: Wanted) -> bool:
    """Whether something is asked for that tells groups apart, whoever looks."""
    return wanted.is_unassigned is not None or _narrows_kinds(wanted)


def _narrows_kinds(wanted: Wanted) -> bool:
    return wanted.capability is not None or wanted.carriers is not None


def _of_kinds(connection: sa.Connection, wanted: Wanted, most: int) -> list[Groups] | None:
    """By kind, unless there are more than so many."""
    kinds = holding_kinds.of(wanted)
    count = holding_kinds.count_up_to(connection, kinds, most)
    if count > most:
        return None
    return [holding_kinds.groups(kinds, count, wanted)] if count else []


def _of_users(wanted: Wanted) -> Groups:
    """What some users have is little: each number is a group."""
    columns = (NUMBER.voice_user_id, NUMBER.sms_user_id)
    theirs = sa.union(*(sa.select(NUMBER.e164).where(column.in_(wanted.users or ())) for column in columns))
    table = theirs.subquery("theirs")
    conditions = [NUMBER.e164 == table.c.e164, *_conditions(wanted)]
    if wanted.lines is not None:
        lines = sa.select(table_of(wanted.lines))
        conditions.append(sa.tuple_(NUMBER.holder_id, NUMBER.uploader_id).in_(lines))
    return Groups(table, conditions=conditions)


def _one_by_one(wanted: Wanted) -> Groups:
    """One group of all numbers, each looked at."""
    return all_numbers().narrowed(_conditions(wanted))


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    status = [] if wanted.is_unassigned is None else [status_is(is_unassigned=wanted.is_unassigned)]
    return [*wanted.conditions(), *status]
