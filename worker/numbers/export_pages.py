"""The columns of all numbers that match a filter, ascending, page by page from one snapshot, as arrays.

The first page is small, and found like the page of a list: it is there at once. Then one statement finds the numbers at
which the other pages end, and each page is read by one statement, group by group, so that every index entry is read
twice, however many groups there are. Between two pages the transaction is idle, and the server ends it if that takes
too long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.capabilities import CAPABILITY_NAMES
from schemas.database.tables import phone_numbers
from worker.numbers import bounded_search, copy_binary, search, selections
from worker.numbers.filters import ResolvedFilter
from worker.phone import e164_ranges
from worker.phone.e164_ranges import EVERY

PAGE = 20_000  # numbers: a page and its text take about ten megabytes
FIRST_PAGE = 500
SCANNED_PAGE = 2_000  # of a filter that no index serves
_MANY = 50_000  # from this many numbers on, a full scan is faster than fetching those of a kind one by one
_WIDTH = 3  # characters of the longest country
FLAGS = (*CAPABILITY_NAMES, "voice_forwarded")
Counted = Callable[[int], None]


@dataclass(frozen=True)
class ExportPage:
    """Numbers (int64, ascending) with their columns: n rows each. Ids are pairs of int32, 0 for none.

    `tenants`: holder and uploader; `carriers`, `users`: for voice and SMS. `flags`: a bit for each of `FLAGS`.
    `countries`: bytes of a fixed width, padded with spaces.
    """

    e164: NDArray[np.int64]
    tenants: NDArray[np.int64]
    carriers: NDArray[np.int64]
    users: NDArray[np.int64]
    flags: NDArray[np.int64]
    countries: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.e164)


def halves(pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the second ids of pairs."""
    return pairs >> 32, pairs & 0xFFFFFFFF


def pages(
    connection: sa.Connection, resolved_filter: ResolvedFilter, on_total: Counted | None = None
) -> Iterator[ExportPage]:
    """Yield all matching numbers, ascending. The connection has one snapshot.

    `on_total` is called with how many match, as soon as that is known; not for a filter that no index serves.
    `TooLongError` if such a filter takes too long.
    """
    last: int | None = None
    size = min(SCANNED_PAGE if resolved_filter.is_scanned else FIRST_PAGE, PAGE)
    while True:
        found = bounded_search.page(connection, resolved_filter.beyond(last), size)
        if found.numbers:
            yield _read(connection, _these(found.numbers))
        last = found.examined_to
        if last is None:
            if on_total is not None and not resolved_filter.is_scanned:
                on_total(len(found.numbers))
            return
        if not resolved_filter.is_scanned:
            break
    yield from _pages_beyond(connection, resolved_filter, last, size, on_total)


def _pages_beyond(
    connection: sa.Connection, resolved_filter: ResolvedFilter, last: int, before: int, on_total: Counted | None
) -> Iterator[ExportPage]:
    """Yield the numbers above `last`, below which `before` numbers match."""
    rest = resolved_filter.beyond(last)
    are_many = selections.count_up_to(connection, rest, _MANY) > _MANY
    ends, total = _ends(connection, search.matching(connection, rest, are_many=are_many))
    if on_total is not None:
        on_total(before + total)
    for end in ends:
        part = replace(rest, spans=e164_ranges.common(rest.spans, [(last + 1, end)]))
        page = _read(connection, search.matching(connection, part, are_many=are_many, beside=_columns()[1:]))
        if len(page):
            yield page
        last = end


def _ends(connection: sa.Connection, matching: sa.Select[Any]) -> tuple[list[int], int]:
    """Return the numbers at which pages end, the last one the highest of all; and how many numbers match."""
    found = matching.subquery("found")
    place = sa.func.row_number().over(order_by=found.c.e164).label("place")
    placed = sa.select(found.c.e164, place).subquery("placed")
    ends = sa.select(
        sa.func.array_agg(placed.c.e164).filter(placed.c.place % PAGE == 0), sa.func.max(placed.c.place)
    ).select_from(placed)
    row = connection.execute(ends).one()
    return ([*sorted(row[0] or ()), EVERY[1]] if row[1] else []), row[1] or 0


def _these(numbers: list[int]) -> sa.Select[Any]:
    return sa.select(*_columns()).where(phone_numbers.c.e164 == sa.any_(sa.cast(numbers, ARRAY(sa.BigInteger))))


def _columns() -> list[sa.ColumnElement[Any]]:
    number = phone_numbers.c
    flags = " + ".join(f"({number[name]}::int << {bit})" for bit, name in enumerate(FLAGS))
    return [
        number.e164,
        _pair(number.holder_id, number.uploader_id).label("tenants"),
        _pair(number.voice_carrier_id, number.sms_carrier_id).label("carriers"),
        _pair(number.voice_user_id, number.sms_user_id).label("users"),
        _packed(f"({flags})::bigint").label("flags"),
        number.country,
    ]


def _pair(first: sa.ColumnElement[int], second: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return _packed(f"(coalesce({first}, 0)::bigint << 32 | coalesce({second}, 0))")


def _packed(text: str) -> sa.ColumnElement[int]:
    return sa.literal_column(text, sa.BigInteger)


def _read(connection: sa.Connection, query: sa.Select[Any]) -> ExportPage:
    """Run a query with the columns of `_columns`; one array for each, as rows would take longer than the query."""
    found = query.subquery("page")
    arrays = [sa.func.array_agg(found.c[name]) for name in ("e164", "tenants", "carriers", "users", "flags")]
    countries = sa.func.string_agg(sa.func.rpad(found.c.country, _WIDTH), "")
    compiled = sa.select(*arrays, countries).compile(dialect=connection.dialect)
    with copy_binary.cursor_of(connection) as cursor:
        cursor.execute(str(compiled).encode(), compiled.params, binary=True)
        *columns, text = cursor.fetchone() or (None,) * (len(arrays) + 1)
    values = [copy_binary.bigints_of(column) for column in columns]
    order = np.argsort(values[0], kind="stable")
    fixed = np.frombuffer(str(text or "").encode("ascii"), f"S{_WIDTH}")
    return ExportPage(*(column[order] for column in (*values, fixed)))
