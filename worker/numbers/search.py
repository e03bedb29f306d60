"""Search for the numbers that match a filter, without scanning the others, even for a few numbers among millions.

Results are ordered by number, and a rare number can be far away in that order. So the search reads an index that
has the numbers of each group ascending: the groups are holders or, if the filter has carriers or capabilities, the
kinds that each holder has (`worker.numbers.holding_kinds`). There are few groups; their results are merged. Ranges with
hardly any numbers are scanned instead. The queries leave the planner no choice: it assumes that matching numbers are
evenly distributed, but those of a country or a carrier are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, INT8MULTIRANGE

from schemas.database.tables import phone_numbers, users
from worker.numbers import holding_kinds, index_groups, occupied_ranges
from worker.numbers.filters import ResolvedFilter
from worker.numbers.index_groups import (
    NUMBER,
    Beside,
    Groups,
    Lines,
    all_numbers,
    all_of_status,
    numbers_of,
    of_lines,
    rows,
    status_is,
)
from worker.phone import e164_ranges
from worker.phone.e164_ranges import EVERY, Span

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
_MANY_SCANNED = 20_000
# A short search for at most so many numbers, of any order, and how many numbers it scans.
_MOST_FOUND_SOON, _SCANNED_FIRST = 5_000, 20_000
_EVERY_MATCH = 2**31 - 1  # a limit that excludes nothing; `index_groups._part` needs one


def first(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> list[int]:
    """Return the first matching numbers, ascending, at most `most`."""
    glance = _first_at_a_glance(connection, resolved_filter, most)
    if glance is not None:
        return glance
    return list(connection.execute(_matching(connection, resolved_filter, most, in_order=True)).scalars())


def first_scanned(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> list[int]:
    """Return the same as `first`, for a filter that few numbers match and no index serves: each group is read once."""
    if resolved_filter.lines is None and resolved_filter.users is None and not _has_groups(resolved_filter):
        return first(connection, resolved_filter, most)
    glance = _first_at_a_glance(connection, resolved_filter, most)
    if glance is not None:
        return glance
    every = some(connection, resolved_filter, _EVERY_MATCH).subquery()
    return list(connection.execute(sa.select(every.c.e164).order_by(every.c.e164).limit(most)).scalars())


def _first_at_a_glance(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> list[int] | None:
    """Return the same as `first` if a scan soon finds them; None otherwise, or if the actor does not see all numbers.

    The master has the most groups, and a property that many numbers have is soon found by scanning.
    """
    if resolved_filter.lines is not None or resolved_filter.users is not None or not resolved_filter.spans:
        return None
    for numbers in _GLANCES:
        glance = connection.execute(_glance(resolved_filter, most, numbers)).scalars().all()
        if len(glance) == most:
            return list(glance)
        if len(glance) < _A_FEW:
            break
    return None


def _glance(resolved_filter: ResolvedFilter, most: int, numbers: int) -> sa.Select[int]:
    """Scan the first `most * numbers` numbers of the first range and return those that match, at most `most`."""
    condition = sa.and_(sa.true(), *_conditions(resolved_filter)).label("is_let_through")
    some = sa.select(NUMBER.e164, condition).where(NUMBER.e164.between(*resolved_filter.spans[0])).order_by(NUMBER.e164)
    scanned = some.limit(most * numbers).subquery()
    return sa.select(scanned.c.e164).where(scanned.c.is_let_through).order_by(scanned.c.e164).limit(most)


def some(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> sa.Select[int]:
    """Return a query for any `most` matching numbers (`e164`), for a count that stops there."""
    return _matching(connection, resolved_filter, most, in_order=False)


def matching(
    connection: sa.Connection, resolved_filter: ResolvedFilter, *, are_many: bool = False, beside: Beside = ()
) -> sa.Select[Any]:
    """Return a query for all matching numbers (`e164`, and the columns `beside`), unordered.

    `are_many`: so many matches are expected that a full scan is faster.
    """
    if are_many and resolved_filter.lines is None and resolved_filter.users is None:
        return numbers_of([_one_by_one(resolved_filter)], resolved_filter.spans, None, in_order=False, beside=beside)
    return _matching(connection, resolved_filter, None, in_order=False, beside=beside)


_Parts = dict[str, tuple[list[Groups], Sequence[Span]]]


@dataclass(frozen=True)
class Windows:
    """A query for all matching numbers in a range, unordered, that is made once for many ranges.

    `spans`: the ranges of the filter, by the names of the query's parameters.
    """

    query: sa.Select[Any]
    spans: Mapping[str, Sequence[Span]]

    def parameters(self, window: Span) -> dict[str, list[int]]:
        """Return the parameters of the query for a range."""
        found = {name: e164_ranges.common(spans, [window]) for name, spans in self.spans.items()}
        return {
            f"{name}_{end}": [span[place] for span in spans]
            for name, spans in found.items()
            for place, end in enumerate(("low", "high"))
        }


def windows(connection: sa.Connection, resolved_filter: ResolvedFilter, *, are_many: bool, beside: Beside) -> Windows:
    """Return the query of `matching` for ranges that are given when it runs."""
    if are_many and resolved_filter.lines is None and resolved_filter.users is None:
        parts: _Parts = {"all": ([_one_by_one(resolved_filter)], resolved_filter.spans)}
    else:
        thin = _thin_spans(connection, resolved_filter)
        others = replace(resolved_filter, spans=[span for span in resolved_filter.spans if span not in thin])
        parts = {"thin": ([_one_by_one(resolved_filter)], thin)} if thin else {}
        if others.spans or not thin:
            parts["all"] = _groups_and_spans(connection, others, in_order=False)
    queries = [index_groups.numbers_in_parameters(groups, name, beside) for name, (groups, _) in parts.items()]
    together = sa.union_all(*(sa.select(query.subquery()) for query in queries)).subquery("apart")
    return Windows(sa.select(*together.c), {name: spans for name, (_, spans) in parts.items()})


def _matching(
    connection: sa.Connection, resolved_filter: ResolvedFilter, most: int | None, *, in_order: bool, beside: Beside = ()
) -> sa.Select[Any]:
    thin = _thin_spans(connection, resolved_filter)
    if not thin:
        return _by_group(connection, resolved_filter, most, in_order=in_order, beside=beside)
    others = [span for span in resolved_filter.spans if span not in thin]
    parts = [numbers_of([_one_by_one(resolved_filter)], thin, most, in_order=in_order, beside=beside)]
    if others:
        parts.append(
            _by_group(connection, replace(resolved_filter, spans=others), most, in_order=in_order, beside=beside)
        )
    together = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery("apart")
    query = sa.select(*together.c).limit(most)
    return query.order_by(together.c.e164) if in_order else query


def _by_group(
    connection: sa.Connection, resolved_filter: ResolvedFilter, most: int | None, *, in_order: bool, beside: Beside = ()
) -> sa.Select[Any]:
    if not in_order and most is not None:
        found = _found_soon(connection, resolved_filter, most)
        if len(found) == most:
            return sa.select(rows(sa.BigInteger, e164=found).c.e164)
        if _is_whole_index(resolved_filter):
            group = all_of_status(is_unassigned=resolved_filter.is_unassigned is True)
            return numbers_of([group.narrowed(resolved_filter.conditions())], [EVERY], most, in_order=False)
    groups, spans = _groups_and_spans(connection, resolved_filter, in_order=in_order)
    return numbers_of(groups, spans, most, in_order=in_order, beside=beside)


def _is_whole_index(resolved_filter: ResolvedFilter) -> bool:
    """Return whether the groups by holder are all groups of an index, so that they need not be looked up."""
    is_restricted = resolved_filter.lines is not None or resolved_filter.users is not None
    is_by_status = resolved_filter.is_unassigned is not None and not _narrows_kinds(resolved_filter)
    return not is_restricted and is_by_status and list(resolved_filter.spans) == [EVERY]


def _found_soon(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> list[int]:
    """Return any matching numbers, at most `most`: those among the numbers that a short search reads.

    It reads the numbers of the first users, or, if many numbers may be of the filter's kinds, the first ones of the
    groups by holder. So what many numbers match costs the same, however many tenants and kinds there are.
    """
    if most > _MOST_FOUND_SOON or resolved_filter.users is not None or list(resolved_filter.spans) != [EVERY]:
        return []
    if resolved_filter.users_where is not None:
        query = _of_some_users(resolved_filter, resolved_filter.users_where)
    elif _narrows_kinds(resolved_filter) and not resolved_filter.is_scanned:
        query = _of_first_scanned(resolved_filter)
    else:
        return []
    found = query.limit(most).subquery()
    # As an array: rows would take longer than the query.
    numbers: Sequence[int] | None = connection.execute(sa.select(sa.func.array_agg(found.c.e164))).scalar_one()
    return list(numbers or ())


def _of_first_scanned(resolved_filter: ResolvedFilter) -> sa.Select[int]:
    """Return a query for those of the first `_SCANNED_FIRST` numbers of the groups by holder that match."""
    if resolved_filter.lines is not None:
        groups = of_lines(resolved_filter.lines, is_unassigned=resolved_filter.is_unassigned)
    elif resolved_filter.is_unassigned is not None:
        groups = [all_of_status(is_unassigned=resolved_filter.is_unassigned)]
    else:
        groups = [all_of_status(is_unassigned=status) for status in (True, False)]
    is_match = sa.and_(*resolved_filter.conditions()).label("is_match")
    scanned = numbers_of(groups, [EVERY], _SCANNED_FIRST, in_order=False, beside=[is_match]).subquery()
    return sa.select(scanned.c.e164).where(scanned.c.is_match)


def _of_some_users(resolved_filter: ResolvedFilter, users_where: sa.ColumnElement[bool]) -> sa.Select[int]:
    """Return a query for the matching numbers of `some_users`, each once."""
    user = rows(sa.Integer, id=resolved_filter.some_users)
    conditions = _conditions(resolved_filter)
    if resolved_filter.lines is not None:
        conditions.append(resolved_filter.lines.include_number())
    # A number with two such users is found by the one for voice.
    has_other = sa.exists().where(users.c.id == NUMBER.voice_user_id, users_where)
    by_voice = sa.select(NUMBER.e164).where(NUMBER.voice_user_id == user.c.id, *conditions)
    by_sms = sa.select(NUMBER.e164).where(NUMBER.sms_user_id == user.c.id, ~has_other, *conditions)
    found = sa.union_all(*(each.correlate_except(phone_numbers) for each in (by_voice, by_sms))).lateral("found")
    return sa.select(found.c.e164).select_from(user.join(found, sa.true()))


def _groups_and_spans(
    connection: sa.Connection, resolved_filter: ResolvedFilter, *, in_order: bool
) -> tuple[list[Groups], Sequence[Span]]:
    spans = resolved_filter.spans
    groups = _groups(connection, resolved_filter, _MANY_PLACES if in_order else _TOO_MANY_PLACES)
    if len(spans) > 1 and index_groups.counted(connection, groups) * len(spans) > _TOO_MANY_PLACES:
        return _in_one_stretch(resolved_filter, groups), [(spans[0][0], spans[-1][1])]
    return groups, spans


def _thin_spans(connection: sa.Connection, resolved_filter: ResolvedFilter) -> list[Span]:
    """Return the ranges, if there are several, with so few numbers that a scan is faster than a search by many groups.

    Only if the actor sees all numbers: otherwise, the time would reveal how many numbers others have (R3).
    """
    several = len(resolved_filter.spans)
    if (
        several <= 1
        or resolved_filter.lines is not None
        or resolved_filter.users is not None
        or not _has_groups(resolved_filter)
    ):
        return []
    few = min(_THIN, _ALL_THIN // several)
    counted = occupied_ranges.counted_up_to(connection, resolved_filter.spans, few + 1)
    return [span for span, count in counted if count <= few]


def _in_one_stretch(resolved_filter: ResolvedFilter, groups: Sequence[Groups]) -> list[Groups]:
    """Return the groups for one range from first to last span; a condition excludes numbers between the spans."""
    text = ",".join(f"[{low},{high}]" for low, high in resolved_filter.spans)
    # A scalar subquery is evaluated once, not for every number.
    spans = sa.select(sa.cast(sa.literal(f"{{{text}}}", sa.Text), INT8MULTIRANGE)).scalar_subquery()
    return [group.narrowed([spans.op("@>")(NUMBER.e164)]) for group in groups]


def _groups(connection: sa.Connection, resolved_filter: ResolvedFilter, most_places: int) -> list[Groups]:
    if resolved_filter.users is not None:
        return [_of_users(resolved_filter)] if resolved_filter.users else []
    if resolved_filter.lines is None and not _has_groups(resolved_filter):
        return [_one_by_one(resolved_filter)]
    narrows_kinds = _narrows_kinds(resolved_filter)
    most = most_places // max(len(resolved_filter.spans), 1)
    kinds = _of_kinds(connection, resolved_filter, most) if narrows_kinds else None
    if kinds is not None and not (kinds and resolved_filter.is_scanned and _are_many(connection, resolved_filter)):
        return kinds
    lines = Lines(sa.true()) if resolved_filter.lines is None else resolved_filter.lines
    groups = of_lines(lines, is_unassigned=resolved_filter.is_unassigned)
    if kinds is None and narrows_kinds:
        count = index_groups.counted(connection, groups)
        kinds = _of_kinds(connection, resolved_filter, count) if count > most else None
        if kinds is not None:
            return kinds
    return [group.narrowed(resolved_filter.conditions()) for group in groups]


def _are_many(connection: sa.Connection, resolved_filter: ResolvedFilter) -> bool:
    """Return whether so many numbers would be scanned that the groups by holder are faster than those by kind.

    PostgreSQL fetches a table row for each number of an index on an expression; the indexes by holder have all columns.
    """
    scanned = some(connection, resolved_filter.indexed(), _MANY_SCANNED).subquery()
    count: int = connection.execute(sa.select(sa.func.count()).select_from(scanned)).scalar_one()
    return count == _MANY_SCANNED


def _has_groups(resolved_filter: ResolvedFilter) -> bool:
    """Return whether the filter has criteria that distinguish groups, independent of the actor."""
    return resolved_filter.is_unassigned is not None or _narrows_kinds(resolved_filter)


def _narrows_kinds(resolved_filter: ResolvedFilter) -> bool:
    return resolved_filter.capability is not None or resolved_filter.carriers is not None


def _of_kinds(connection: sa.Connection, resolved_filter: ResolvedFilter, most: int) -> list[Groups] | None:
    """Return the groups by kind; None if there are more than `most`."""
    kinds = holding_kinds.of(resolved_filter)
    count = holding_kinds.count_up_to(connection, kinds, most)
    if count > most:
        return None
    return [holding_kinds.groups(kinds, count, resolved_filter)] if count else []


def _of_users(resolved_filter: ResolvedFilter) -> Groups:
    """Return the numbers of some users as groups of one: they are few."""
    columns = (NUMBER.voice_user_id, NUMBER.sms_user_id)
    numbers_of_users = sa.union(
        *(sa.select(NUMBER.e164).where(column == sa.any_(_array(resolved_filter.users or ()))) for column in columns)
    )
    table = numbers_of_users.subquery("theirs")
    conditions = [NUMBER.e164 == table.c.e164, *_conditions(resolved_filter)]
    if resolved_filter.lines is not None:
        conditions.append(resolved_filter.lines.include_number())
    return Groups(table, conditions=conditions)


def _array(ids: Sequence[int]) -> sa.ColumnElement[Any]:
    return sa.cast(list(ids), ARRAY(sa.Integer))


def _one_by_one(resolved_filter: ResolvedFilter) -> Groups:
    """Return one group of all numbers, for a scan."""
    return all_numbers().narrowed(_conditions(resolved_filter))


def _conditions(resolved_filter: ResolvedFilter) -> list[sa.ColumnElement[bool]]:
    status = [] if resolved_filter.is_unassigned is None else [status_is(is_unassigned=resolved_filter.is_unassigned)]
    return [*resolved_filter.conditions(), *status]
