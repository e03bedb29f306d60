"""Finds the numbers that a filter lets through, in milliseconds however few of millions they are.

Numbers are listed by number, and one that many do not have is far away in that order. So they are looked for group by
group, in an index that has each group's numbers ascending: those of each holder, or, for who sees all, those of each
kind that occurs. The groups are few; what is found in them is put in order. The planner is left no choice in this: it
takes what a filter lets through to be spread evenly, and numbers of a country, or of a carrier, are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE

from schemas.tables import KIND
from worker.infra.number_filter import Wanted
from worker.infra.number_groups import NUMBER, Groups, all_numbers, numbers_of, of_holders, rows, status_is

# Places to be looked at, groups times spans, above which a group is one too many.
_MANY_PLACES = 20_000
_KIND_NAMES = ("is_unassigned", "voice", "sms", "fax", "voice_carrier", "sms_carrier")
_FLAGS = _KIND_NAMES[:4]
_KINDS = f"""
    WITH RECURSIVE kinds AS (
        (SELECT {", ".join(f"{part} AS {name}" for part, name in zip(KIND, _KIND_NAMES, strict=True))}
        FROM phone_numbers ORDER BY {", ".join(KIND)} LIMIT 1)
        UNION ALL
        SELECT next.* FROM kinds, LATERAL (
            SELECT {", ".join(KIND)} FROM phone_numbers
            WHERE ({", ".join(KIND)}) > ({", ".join(f"kinds.{name}" for name in _KIND_NAMES)})
            ORDER BY {", ".join(KIND)} LIMIT 1) AS next)
    SELECT * FROM kinds"""  # noqa: S608 - our names


def matching(
    connection: sa.Connection, wanted: Wanted, first: int | None = None, *, are_many: bool = False
) -> sa.Select[tuple[int]]:
    """The numbers that are let through (`e164`): all of them in no order, or the `first` so many, ascending.

    `are_many`: so many are expected that looking at every number is the shorter way.
    """
    if are_many and wanted.holders is None and wanted.users is None:
        return numbers_of([all_numbers().narrowed([*wanted.conditions(), *_of_status(wanted)])], wanted.spans, first)
    groups, spans = _groups(connection, wanted), wanted.spans
    if sum(one.count for one in groups) * len(spans) > _MANY_PLACES:
        groups, spans = _in_one_stretch(wanted, groups), [(spans[0][0], spans[-1][1])]
    return numbers_of(groups, spans, first)


def _in_one_stretch(wanted: Wanted, groups: Sequence[Groups]) -> list[Groups]:
    """Each group from the first span to the last, and whatever is between them left out number by number."""
    text = ",".join(f"[{low},{high}]" for low, high in wanted.spans)
    # Selected, so that it is read once and not for every number.
    spans = sa.select(sa.cast(sa.literal(f"{{{text}}}", sa.Text), INT8MULTIRANGE)).scalar_subquery()
    return [one.narrowed([spans.op("@>")(NUMBER.e164)]) for one in groups]


def kinds(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """The kinds of numbers that occur on the platform, for who sees all of it; a carrier of 0 is none."""
    return connection.execute(sa.text(_KINDS)).all()


def _groups(connection: sa.Connection, wanted: Wanted) -> list[Groups]:
    if wanted.users is not None:
        return [_of_users(wanted)]
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
    return Groups(table, conditions)


def _of_kinds(connection: sa.Connection, wanted: Wanted) -> list[Groups]:
    """The kinds that a filter lets through, in all their numbers."""
    found = [kind for kind in kinds(connection) if _lets_through(wanted, kind)]
    columns = {name: [int(kind[place]) for kind in found] for place, name in enumerate(_KIND_NAMES)}
    table = rows(sa.Integer, **columns)
    given = [sa.cast(table.c[name], sa.Boolean) if name in _FLAGS else table.c[name] for name in _KIND_NAMES]
    stands = [sa.literal_column(part) == value for part, value in zip(KIND, given, strict=True)]
    return [Groups(table, [*stands, *wanted.conditions(but_kind=True)], len(found))] if found else []


def _lets_through(wanted: Wanted, kind: sa.Row[Any]) -> bool:
    capabilities = {"voice": kind.voice, "sms": kind.sms, "fax": kind.fax}
    return (
        wanted.is_unassigned in {None, kind.is_unassigned}
        and (wanted.capability is None or capabilities[wanted.capability])
        and (wanted.carriers is None or not {kind.voice_carrier, kind.sms_carrier}.isdisjoint(wanted.carriers))
    )


def _of_status(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    return [] if wanted.is_unassigned is None else [status_is(is_unassigned=wanted.is_unassigned)]
