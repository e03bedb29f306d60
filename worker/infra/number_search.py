"""Finds the numbers that a filter lets through without going through those of others, however few of millions they are.

Numbers are listed by number, and one that many do not have is far away in that order. So they are looked for group by
group, in an index that has each group's numbers ascending: those of each holder, or, for who sees all, those of each
kind that occurs. The groups are few; what is found in them is put in order. The planner is left no choice in this: it
takes what a filter lets through to be spread evenly, and numbers of a country, or of a carrier, are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE

from schemas.tables import KIND, phone_numbers
from worker.infra.number_filter import Wanted
from worker.infra.number_groups import NUMBER, Groups, all_numbers, numbers_of, of_holders, rows, status_is

# Places to be looked at, groups times spans, above which a group is one too many.
_MANY_PLACES = 20_000
# Numbers that are looked at for each that is wanted, before groups are.
_GLANCE = 20
_KIND: sa.ColumnElement[int] = sa.literal_column(f"({KIND})", sa.BigInteger)


@dataclass(frozen=True)
class Kind:
    """What some numbers have in common; no carrier is 0. `code` is `schemas.tables.KIND` of them."""

    code: int

    @property
    def carriers(self) -> set[int]:
        """For voice and for SMS."""
        return {self.code >> 33, self.code >> 4 & (1 << 29) - 1}

    @property
    def capabilities(self) -> dict[str, bool]:
        """By name."""
        return {name: bool(self.code >> bit & 1) for name, bit in (("voice", 3), ("sms", 2), ("fax", 1))}

    @property
    def is_unassigned(self) -> bool:
        """Whether nobody has them but their uploader."""
        return bool(self.code & 1)


def first(connection: sa.Connection, wanted: Wanted, most: int) -> list[int]:
    """The first numbers that are let through, ascending, at most so many."""
    found = near(connection, wanted, most)
    if len(found) == most:
        return found
    return list(connection.execute(_matching(connection, wanted, most, in_order=True)).scalars())


def near(connection: sa.Connection, wanted: Wanted, most: int) -> list[int]:
    """As `first`, but fewer, perhaps, of a looker who sees all: what many numbers have, the next few have, too."""
    if wanted.holders is not None or wanted.users is not None or not wanted.spans:
        return []
    return list(connection.execute(_glance(wanted, most)).scalars())


def _glance(wanted: Wanted, most: int) -> sa.Select[int]:
    """As many as are let through of the first numbers there are."""
    low, high = wanted.spans[0]
    condition = sa.and_(sa.true(), *wanted.conditions(), *_of_status(wanted)).label("is_let_through")
    some = sa.select(NUMBER.e164, condition).where(NUMBER.e164.between(low, high)).order_by(NUMBER.e164)
    seen = some.limit(most * _GLANCE).subquery()
    return sa.select(seen.c.e164).where(seen.c.is_let_through).order_by(seen.c.e164).limit(most)


def some(connection: sa.Connection, wanted: Wanted, most: int) -> sa.Select[int]:
    """Numbers that are let through (`e164`), any so many: what a count needs that does not go beyond."""
    return _matching(connection, wanted, most, in_order=False)


def matching(connection: sa.Connection, wanted: Wanted, *, are_many: bool = False) -> sa.Select[int]:
    """All numbers that are let through (`e164`), in no order.

    `are_many`: so many are expected that looking at every number is the shorter way.
    """
    if are_many and wanted.holders is None and wanted.users is None:
        groups = [all_numbers().narrowed([*wanted.conditions(), *_of_status(wanted)])]
        return numbers_of(groups, wanted.spans, None, in_order=False)
    return _matching(connection, wanted, None, in_order=False)


def _matching(connection: sa.Connection, wanted: Wanted, most: int | None, *, in_order: bool) -> sa.Select[int]:
    groups, spans = _groups(connection, wanted), wanted.spans
    if sum(one.count for one in groups) * len(spans) > _MANY_PLACES:
        groups, spans = _in_one_stretch(wanted, groups), [(spans[0][0], spans[-1][1])]
    return numbers_of(groups, spans, most, in_order=in_order)


def _in_one_stretch(wanted: Wanted, groups: Sequence[Groups]) -> list[Groups]:
    """Each group from the first span to the last, and whatever is between them left out number by number."""
    text = ",".join(f"[{low},{high}]" for low, high in wanted.spans)
    # Selected, so that it is read once and not for every number.
    spans = sa.select(sa.cast(sa.literal(f"{{{text}}}", sa.Text), INT8MULTIRANGE)).scalar_subquery()
    return [one.narrowed([spans.op("@>")(NUMBER.e164)]) for one in groups]


def kinds(connection: sa.Connection) -> list[Kind]:
    """The kinds of numbers that occur on the platform, for who sees all of it; found by skipping over each."""
    known = sa.select(sa.literal_column("-1::bigint", sa.BigInteger).label("code")).cte("known", recursive=True)
    further = sa.select(_KIND.label("code")).select_from(phone_numbers).where(known.c.code < _KIND)
    further = further.order_by(_KIND).limit(1).correlate(known)
    found = further.lateral("further")
    every = known.union_all(sa.select(found.c.code).select_from(known.join(found, sa.true())))
    return [Kind(code) for code in connection.execute(sa.select(every.c.code).where(every.c.code >= 0)).scalars()]


def _groups(connection: sa.Connection, wanted: Wanted) -> list[Groups]:
    if wanted.users is not None:
        return [_of_users(wanted)] if wanted.users else []
    if wanted.holders is not None:
        found = of_holders(wanted.holders, is_unassigned=wanted.is_unassigned)
        return [one.narrowed(wanted.conditions()) for one in found]
    if wanted.is_unassigned is None and wanted.capability is None and wanted.carriers is None:
        return [all_numbers().narrowed(wanted.conditions())]
    return _of_kinds(connection, wanted)


def _of_users(wanted: Wanted) -> Groups:
    """What some users have is little: each number is a group."""
    columns = (NUMBER.voice_user_id, NUMBER.sms_user_id)
    theirs = sa.union(*(sa.select(NUMBER.e164).where(column.in_(wanted.users or ())) for column in columns))
    table = theirs.subquery("theirs")
    conditions = [NUMBER.e164 == table.c.e164, *wanted.conditions(), *_of_status(wanted)]
    if wanted.holders is not None:
        pairs = [(holder, uploader) for holder, uploaders in wanted.holders for uploader in uploaders]
        conditions.append(sa.tuple_(NUMBER.holder_id, NUMBER.uploader_id).in_(pairs))
    return Groups(table, conditions=conditions)


def _of_kinds(connection: sa.Connection, wanted: Wanted) -> list[Groups]:
    """The kinds that a filter lets through, in all their numbers."""
    found = [kind for kind in kinds(connection) if _lets_through(wanted, kind)]
    table = rows(sa.BigInteger, code=[kind.code for kind in found])
    return [Groups(table, [(_KIND, table.c.code)], wanted.conditions(but_kind=True), len(found))] if found else []


def _lets_through(wanted: Wanted, kind: Kind) -> bool:
    return (
        wanted.is_unassigned in {None, kind.is_unassigned}
        and (wanted.capability is None or kind.capabilities[wanted.capability])
        and (wanted.carriers is None or not kind.carriers.isdisjoint(wanted.carriers))
    )


def _of_status(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    return [] if wanted.is_unassigned is None else [status_is(is_unassigned=wanted.is_unassigned)]
