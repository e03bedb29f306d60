"""The columns of all numbers that match a filter, ascending, page by page from one snapshot, as arrays.

The first page is small, and found like the page of a list: it is there at once. Then one statement counts the rest and
draws a sample that determines where the other pages end. Each page is read by one statement, group by group, so that
every index entry is read twice, however many groups there are. Between two pages the transaction is idle, and the
server ends it if that takes too long.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.capabilities import CAPABILITY_NAMES
from schemas.database.tables import phone_numbers
from worker.numbers import bounded_search, copy_binary, search, selections, times
from worker.numbers.filters import ResolvedFilter
from worker.phone.e164_ranges import EVERY

PAGE = 20_000  # numbers, about: a page and its text take about ten megabytes
FIRST_PAGE = 500
SCANNED_PAGE = 2_000  # of a filter that no index serves
_DRAWN = 256  # numbers of a page in the sample that determines where pages end: at least so many
_MANY = 50_000  # from this many numbers on, a full scan is faster than fetching those of a kind one by one
_ID, _SPARE = 31, 2  # bits of an id, and those that two ids leave free in a bigint
FLAGS = (*CAPABILITY_NAMES, "voice_forwarded")
if len(FLAGS) > 2 * _SPARE:
    raise NotImplementedError("more flags need an array of their own")
Counted = Callable[[int], None]


@dataclass(frozen=True)
class ExportPage:
    """Numbers (int64, ascending) with their columns: n rows each. Ids are pairs of int32, 0 for none.

    `tenants`: holder and uploader; `carriers`, `users`: for voice and SMS. `flags`: a bit for each of `FLAGS`.
    `created_jobs`, `last_jobs` (int64): empty unless they were requested.
    """

    e164: NDArray[np.int64]
    tenants: NDArray[np.int64]
    carriers: NDArray[np.int64]
    users: NDArray[np.int64]
    flags: NDArray[np.int64]
    countries: pa.StringArray
    created_jobs: NDArray[np.int64]
    last_jobs: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.e164)


def halves(pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the second ids of pairs."""
    return pairs >> 32, pairs & 0xFFFFFFFF


def pages(
    connection: sa.Connection,
    resolved_filter: ResolvedFilter,
    on_total: Counted | None = None,
    *,
    with_jobs: bool = False,
) -> Iterator[ExportPage]:
    """Yield all matching numbers, ascending, `with_jobs` or without. The connection has one snapshot.

    `on_total` is called with how many match, as soon as that is known; not for a filter that no index serves.
    `TooLongError` if such a filter takes too long.
    """
    last: int | None = None
    columns = _columns(with_jobs=with_jobs)
    these = _arrays(connection, _these(columns))
    size = min(SCANNED_PAGE if resolved_filter.is_scanned else FIRST_PAGE, PAGE)
    while True:
        found = bounded_search.page(connection, resolved_filter.beyond(last), size)
        if found.numbers:
            yield _read(connection, these, {"numbers": found.numbers})
        last = found.examined_to
        if last is None:
            if on_total is not None and not resolved_filter.is_scanned:
                on_total(len(found.numbers))
            return
        if not resolved_filter.is_scanned:
            break
    rest = resolved_filter.beyond(last)
    are_many = selections.count_up_to(connection, rest, _MANY) > _MANY
    ends, total = _ends(connection, search.matching(connection, rest, are_many=are_many))
    if on_total is not None:
        on_total(size + total)
    windows = search.windows(connection, rest, are_many=are_many, beside=columns[1:])
    in_window = _arrays(connection, windows.query)
    for end in ends:
        page = _read(connection, in_window, windows.parameters((last + 1, end)))
        if len(page):
            yield page
        last = end


def _ends(connection: sa.Connection, matching: sa.Select[Any]) -> tuple[list[int], int]:
    """Return the numbers at which pages end, the last one the highest of all; and how many numbers match.

    They are about every `PAGE`-th: those of a sample, as sorting all numbers takes longer than reading them. It is
    drawn by a hash with a random seed, so numbers cannot be chosen to make a page large.
    """
    found = matching.subquery("found")
    hashed = sa.func.hashint8extended(found.c.e164, sa.literal(secrets.randbits(62), sa.BigInteger))
    one_of = 1 << max((PAGE // _DRAWN).bit_length() - 1, 0)
    sample = sa.func.array_agg(found.c.e164).filter(hashed.op("&")(one_of - 1) == 0)
    drawn = sa.select(sample.label("sample"), sa.func.count().label("total")).select_from(found).cte("drawn")
    number = sa.func.unnest(sa.select(drawn.c.sample).scalar_subquery()).table_valued("e164").render_derived()
    placed = sa.select(number.c.e164, sa.func.row_number().over(order_by=number.c.e164).label("place")).subquery()
    ends = sa.select(sa.func.array_agg(placed.c.e164)).where(placed.c.place % (PAGE // one_of) == 0).scalar_subquery()
    row = connection.execute(sa.select(drawn.c.total, ends.label("ends"))).one()
    return ([*sorted(row.ends or ()), EVERY[1]] if row.total else []), row.total


def _these(columns: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    numbers = sa.bindparam("numbers", type_=ARRAY(sa.BigInteger))
    return sa.select(*columns).where(phone_numbers.c.e164 == sa.any_(numbers))


def _columns(*, with_jobs: bool) -> list[sa.ColumnElement[Any]]:
    number = phone_numbers.c
    users = _packed(f"(coalesce({number.voice_user_id}, 0)::bigint << 32 | coalesce({number.sms_user_id}, 0))")
    return [
        number.e164,
        _with_flags(number.holder_id, number.uploader_id, FLAGS[:_SPARE]).label("tenants"),
        _with_flags(number.voice_carrier_id, number.sms_carrier_id, FLAGS[_SPARE:]).label("carriers"),
        users.label("users"),
        number.country,
        *((number.created_job_id.label("created_jobs"), times.LAST_JOB.label("last_jobs")) if with_jobs else ()),
    ]


def _with_flags(
    first: sa.ColumnElement[int], second: sa.ColumnElement[int], flags: Sequence[str]
) -> sa.ColumnElement[int]:
    """Return two ids (31 bits each) and two flags as one bigint."""
    ids = f"(coalesce({first}, 0)::bigint << {_ID + _SPARE}) | (coalesce({second}, 0)::bigint << {_SPARE})"
    bits = (f"({phone_numbers.c[name]}::int << {bit})" for bit, name in enumerate(flags))
    return _packed(f"({' | '.join([ids, *bits])})")


def _packed(text: str) -> sa.ColumnElement[int]:
    return sa.literal_column(text, sa.BigInteger)


def _unpacked(packed: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of ids as `ExportPage` has them, and the flags; the reverse of `_with_flags`."""
    bits = packed.view(np.uint64)
    first, second = bits >> np.uint64(_ID + _SPARE), bits >> np.uint64(_SPARE) & np.uint64((1 << _ID) - 1)
    return (first << np.uint64(32) | second).view(np.int64), packed & ((1 << _SPARE) - 1)


def _arrays(connection: sa.Connection, query: sa.Select[Any]) -> sa.Compiled:
    """Return a query with the columns of `_columns` as one with an array for each column.

    Rows would take longer than the query, and so does making the text: that is done once. Each array takes a sixth of
    the time: so flags are in spare bits, and users only those of numbers that have some.
    """
    page = query.subquery("page").c
    arrays = [sa.func.array_agg(page[name]) for name in ("e164", "tenants", "carriers")]
    of_users = [sa.func.array_agg(page[name]).filter(page.users != 0) for name in ("e164", "users")]
    of_jobs = [sa.func.array_agg(page[name]) for name in ("created_jobs", "last_jobs") if name in page]
    countries = sa.func.string_agg(page.country, ",")
    return sa.select(*arrays, *of_users, *of_jobs, countries).compile(dialect=connection.dialect)


def _read(connection: sa.Connection, arrays: sa.Compiled, parameters: Mapping[str, Sequence[int]]) -> ExportPage:
    """Run a query that `_arrays` has made."""
    with copy_binary.cursor_of(connection) as cursor:
        cursor.execute(str(arrays).encode(), {**arrays.params, **parameters}, binary=True)
        columns = cursor.fetchone()
    if columns is None:
        raise RuntimeError("a query of aggregates has no row")
    e164, tenants, carriers, used, users_of_used, *jobs = map(copy_binary.bigints_of, columns[:-1])
    order = np.argsort(e164)
    e164 = e164[order]
    (holders, low), (services, high) = (_unpacked(column[order]) for column in (tenants, carriers))
    users = np.zeros(len(e164), np.int64)
    users[np.searchsorted(e164, used)] = users_of_used
    texts = pc.split_pattern(pa.array([str(columns[-1] or "")], pa.string()), ",").values
    created_jobs, last_jobs = (column[order] for column in jobs) if jobs else (np.zeros(0, np.int64),) * 2
    flags, countries = low | high << _SPARE, texts.take(pa.array(order))
    return ExportPage(e164, holders, services, users, flags, countries, created_jobs, last_jobs)
