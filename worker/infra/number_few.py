"""Numbers with capabilities and carriers that few of a tree's numbers have: whether they are few, and which they are.

In the order of all numbers they may stand anywhere, and to find that there are none everything would be read. So they
are counted first, in an index that has a holder's numbers by what they can and who carries them, and if few fetched one
by one. How long that takes depends on what the looker sees, and on nothing that others have (R3).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from schemas.phone.spans import EVERY
from schemas.tables import BESIDE, OF_ANYBODY, phone_numbers
from worker.infra.number_filter import Wanted
from worker.infra.number_groups import NUMBER, rows, stands_within

# Fetching so many one by one takes as long as reading twenty times as many in the order of an index.
FEW = 5_000
_BY_KIND = sa.literal_column(f"({OF_ANYBODY})", sa.Boolean)


def let_through(connection: sa.Connection, wanted: Wanted, most: int | None) -> sa.Select[int] | None:
    """All numbers that are let through (`e164`), in no order, if there are fewer than `FEW` to look at and than `most`.

    None where there are more; and of a filter that asks for no capability and no carrier, and of who sees all.
    """
    alternatives = wanted.alternatives()
    if not alternatives or not wanted.holders or not wanted.spans or wanted.users is not None:
        return None
    holders = rows(sa.Integer, holder=[holder for holder, _ in wanted.holders])
    parts = [(_BY_KIND, NUMBER.holder_id == holders.c.holder, *one) for one in alternatives]
    if not _are_fewer(connection, holders, parts, FEW if most is None else min(FEW, most)):
        return None
    # Judged beside, not where they are looked for: the planner would think of other ways to find them.
    found = sa.select(NUMBER.e164, _is_let_through(wanted).label("is_let_through")).offset(0)
    few = sa.union_all(*(_of_each(holders, found.where(*part)) for part in parts)).subquery("few")
    return sa.select(few.c.e164).where(few.c.is_let_through)


def _are_fewer(
    connection: sa.Connection, holders: sa.FromClause, parts: list[tuple[sa.ColumnElement[bool], ...]], than: int
) -> bool:
    # In the order of the index, which nothing else has.
    ordered = sa.select(NUMBER.holder_id).order_by(NUMBER.holder_id, *(NUMBER[name] for name in BESIDE)).limit(than)
    some = sa.union_all(*(_of_each(holders, ordered.where(*part)) for part in parts)).subquery("some")
    count = sa.select(sa.func.count()).select_from(sa.select(some).limit(than).subquery())
    return bool(connection.execute(count).scalar_one() < than)


def _is_let_through(wanted: Wanted) -> sa.ColumnElement[bool]:
    """Beside holder, capabilities and carriers. What one holds was uploaded by one of its line (`number_groups`)."""
    uploaders = sorted({uploader for _, line in wanted.holders or () for uploader in line})
    spans = [] if list(wanted.spans) == [EVERY] else [stands_within(wanted.spans)]
    return sa.and_(NUMBER.uploader_id.in_(uploaders), *wanted.of_status(), *wanted.of_row(), *spans)


def _of_each(holders: sa.FromClause, query: sa.Select[Any]) -> sa.Select[Any]:
    theirs = query.correlate_except(phone_numbers).lateral()
    return sa.select(*theirs.c).select_from(holders.join(theirs, sa.true()))
