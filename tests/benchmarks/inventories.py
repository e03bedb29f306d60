"""An inventory of millions of numbers as a platform has them after some years, made in a database that is migrated.

One master, resellers and enterprises of very different sizes, a country with half of the numbers and many with few,
carriers that nearly everybody has and some that hardly anybody has. The same numbers every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from tests.support.servers import databases
from worker.numbers import copy_binary
from worker.phone import region

Ints = NDArray[np.int64]

FILES = 25  # for each reseller, in which the numbers came, each sorted, of one uploader and with few carriers
FEW = 10
# Calling code and first digits, digits of the whole number, share of all numbers.
PLANS: Sequence[tuple[tuple[int, ...], int, float]] = (
    ((1212, 1305, 1312, 1404, 1415, 1512, 1617, 1702, 1713, 1917, 1206, 1214, 1646, 1503), 11, 0.50),
    ((1416, 1514, 1604, 1403), 11, 0.08),
    ((4420, 44161, 44121), 12, 0.10),
    ((4930, 4989, 4940), 12, 0.08),
    ((331, 334), 11, 0.05),
    ((3120,), 11, 0.03),
    ((3491,), 11, 0.03),
    ((612, 613), 11, 0.03),
    *(
        ((lead,), 11, 0.1 / 30)
        for lead in (
            *(326, 351211, 35318, 3905, 4122, 431, 453, 468, 4722, 4822, 5255, 5411, 5511, 5622, 571, 603, 658, 6622),
            *(7495, 813, 822, 842, 862, 901, 911, 972, 9714, 2711, 234, 254),
        )
    ),
)
RARE = 441_481_250_000  # Guernsey's, of which there are `FEW`
# Indexes with the constraints behind them; without those that foreign keys of other tables need.
_INDEXES = """
    SELECT entry.indexrelid::regclass::text, pg_get_indexdef(entry.indexrelid), conname, pg_get_constraintdef(rule.oid)
    FROM pg_index AS entry
    LEFT JOIN pg_constraint AS rule ON rule.conindid = entry.indexrelid AND rule.conrelid = entry.indrelid
    WHERE entry.indrelid = %s::text::regclass AND NOT EXISTS (
        SELECT 1 FROM pg_constraint WHERE conindid = entry.indexrelid AND contype = 'f')"""
_TENANT = "INSERT INTO tenants (parent_id, path, kind, name) VALUES (%s, '{}', %s, %s) RETURNING id"


@dataclass(frozen=True)
class Extent:
    """About how many tenants there are, and how many numbers of an enterprise there are for each of its users."""

    resellers: int = 20
    enterprises: int = 400
    numbers_per_user: int = 10


@dataclass(frozen=True)
class Stocked:
    """Whose numbers are looked at: inner ids, and the names that filters take."""

    master: int
    resellers: list[int]
    enterprises: dict[int, list[int]]  # reseller -> its enterprises
    carriers: dict[str, int] = field(default_factory=dict)


def stock(connection: psycopg.Connection, count: int, extent: Extent = Extent(), seed: int = 1) -> Stocked:
    """Fill a migrated database without tenants; autocommit. Less than a minute for five million numbers."""
    rng = np.random.default_rng(seed)
    connection.execute("SET work_mem = '128MB'; SET maintenance_work_mem = '512MB'")
    with connection.transaction():
        tree = _tree(connection, extent)
    columns = _columns(rng, count, tree)
    with without_indexes(connection, "phone_numbers"):
        for begin in range(0, len(columns["e164"]), 500_000):
            _copy(connection, {name: values[begin : begin + 500_000] for name, values in columns.items()})
        _users(connection, columns, extent)
    connection.execute(databases.NOTE_HOLDINGS.encode())
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")
    return tree


@contextmanager
def without_indexes(connection: psycopg.Connection, table: str) -> Iterator[None]:
    """Drop a table's indexes while many rows are added, and build them afterwards, which is several times as fast."""
    indexes = connection.execute(_INDEXES, (table,)).fetchall()
    for index, _, constraint, _ in indexes:
        dropped = f"DROP INDEX {index}" if constraint is None else f"ALTER TABLE {table} DROP CONSTRAINT {constraint}"
        connection.execute(dropped.encode())
    yield
    for _, made, constraint, rule in indexes:
        added = made if constraint is None else f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {rule}"
        connection.execute(added.encode())


def one_has_all(connection: psycopg.Connection, tree: Stocked, count: int) -> None:
    """The other extreme, as a young platform has it: every number the first reseller's, a hundredth at an enterprise.

    `FEW` of them, far apart, are like no other. In place of what there is; autocommit.
    """
    reseller = tree.resellers[0]
    values = {
        "count": count,
        "reseller": reseller,
        "enterprise": tree.enterprises[reseller][0],
        "carrier": tree.carriers["Master voice 0"],
        "rare": tree.carriers["Master voice 8"],
        "few": FEW,
    }
    connection.execute("TRUNCATE phone_numbers")
    connection.execute(
        """INSERT INTO phone_numbers (e164, created_job_id, changed_job_id, holder_id, uploader_id, voice, sms, fax,
            country, voice_carrier_id)
        SELECT (ARRAY[1212, 1305, 1312, 1404])[1 + place %% 4] * 10000000::bigint + place, 0, 0,
            CASE WHEN place %% 101 = 0 THEN %(enterprise)s ELSE %(reseller)s END, %(reseller)s,
            true, place %% 2 = 0, place %% (%(count)s / %(few)s) = 7, 'US',
            CASE WHEN place %% (%(count)s / %(few)s) = 7 THEN %(rare)s ELSE %(carrier)s END
        FROM generate_series(1, %(count)s) AS place""",
        values,
    )
    connection.execute("TRUNCATE holdings")
    connection.execute(databases.NOTE_HOLDINGS.encode())
    connection.execute("VACUUM ANALYZE phone_numbers")
    connection.execute("CHECKPOINT")


def _tree(connection: psycopg.Connection, extent: Extent) -> Stocked:
    master = _tenant(connection, None, "master_reseller", "Master")
    resellers = [_tenant(connection, master, "reseller", f"Reseller {place:02}") for place in range(extent.resellers)]
    # The first has the largest share of them, the last a handful.
    shares = _shares(len(resellers))
    below = {
        reseller: [
            _tenant(connection, reseller, "enterprise", f"Enterprise {place:02}-{one:03}")
            for one in range(max(round(extent.enterprises * share), 2))
        ]
        for place, (reseller, share) in enumerate(zip(resellers, shares, strict=True))
    }
    connection.execute("""
        WITH RECURSIVE line AS (
            SELECT id, ARRAY[id] AS path FROM tenants WHERE parent_id IS NULL
            UNION ALL SELECT t.id, line.path || t.id FROM tenants t JOIN line ON line.id = t.parent_id)
        UPDATE tenants SET path = line.path FROM line WHERE line.id = tenants.id""")
    carriers = {}
    for service in ("voice", "sms"):
        for place in range(10):
            name = f"Master {service} {place}"
            carriers[name] = _carrier(connection, master, service, name)
        for place, reseller in enumerate(resellers):
            carriers[f"Own {service} {place}"] = _carrier(connection, reseller, service, f"Own {service} {place}")
    return Stocked(master, resellers, below, carriers)


def _tenant(connection: psycopg.Connection, parent: int | None, kind: str, name: str) -> int:
    return _made(connection, _TENANT, parent, kind, name)


def _carrier(connection: psycopg.Connection, owner: int, service: str, name: str) -> int:
    statement = "INSERT INTO carriers (tenant_id, service, name) VALUES (%s, %s, %s) RETURNING id"
    return _made(connection, statement, owner, service, name)


def _made(connection: psycopg.Connection, statement: str, *values: object) -> int:
    row = connection.execute(statement.encode(), values).fetchone()
    return int(row[0])


def _shares(count: int) -> NDArray[np.float64]:
    """Shares of one, each smaller than the one before."""
    weights = 1 / np.arange(2, count + 2)
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _columns(rng: np.random.Generator, count: int, tree: Stocked) -> dict[str, NDArray[Any]]:
    """The numbers in the order in which they came: file after file, each ascending."""
    e164 = rng.permutation(_numbers(rng, count))
    resellers = len(tree.resellers)
    files = np.arange(len(e164)) * (FILES * resellers) // len(e164)
    e164 = e164[np.lexsort((e164, files))]
    many = int(files[-1]) + 1
    by_master = rng.random(many) < 0.15
    reseller = rng.choice(resellers, many, p=_shares(resellers))
    uploader = np.where(by_master, tree.master, np.array(tree.resellers)[reseller])[files]
    columns: dict[str, NDArray[Any]] = {"e164": e164, "uploader_id": uploader}
    columns["holder_id"] = holder = _holders(rng, tree, uploader, reseller[files])
    voice, sms, fax = (rng.random(len(e164)) < share for share in (0.9, 0.4, 0.005))
    voice |= ~sms & ~fax
    owner = np.where(holder == tree.master, -1, reseller[files])
    columns |= {"voice": voice, "sms": sms, "fax": fax & (owner != resellers - 1)}
    for service, has in (("voice", voice), ("sms", sms)):
        columns[f"{service}_carrier_id"] = _carriers(rng, tree, service, owner, files) * has
    _few(columns, tree)
    return columns


def _numbers(rng: np.random.Generator, count: int) -> Ints:
    parts = [np.arange(RARE, RARE + FEW)]
    for leads, digits, share in PLANS:
        for lead in leads:
            span = 10 ** (digits - len(str(lead)))
            wanted = min(int(count * share / len(leads)), span // 2)
            step = span // wanted
            parts.append(lead * span + np.arange(wanted) * step + rng.integers(0, step, wanted))
    return np.unique(np.concatenate(parts))


def _holders(rng: np.random.Generator, tree: Stocked, uploader: Ints, reseller: Ints) -> Ints:
    """A third is still its uploader's, the rest its enterprises'; of the master's some are a reseller's."""
    holder = uploader.copy()
    given = rng.random(len(holder)) < 0.65
    order = np.argsort(reseller, kind="stable")
    bounds = np.searchsorted(reseller, np.arange(1, len(tree.resellers)), sorter=order)
    for mine, numbers in zip(tree.resellers, np.split(order, bounds), strict=True):
        rows = numbers[given[numbers]]
        below = tree.enterprises[mine]
        holder[rows] = rng.choice(below, len(rows), p=_shares(len(below)))
        holder[rows[(uploader[rows] == tree.master) & (rng.random(len(rows)) < 0.2)]] = mine
    return holder


def _carriers(rng: np.random.Generator, tree: Stocked, service: str, owner: Ints, files: Ints) -> Ints:
    """One carrier for most of a file: usually one of the master's (a few by far the most), or the reseller's."""
    common = np.array([tree.carriers[f"Master {service} {place}"] for place in range(6)])
    own = np.array([tree.carriers[f"Own {service} {place}"] for place in range(len(tree.resellers))])
    of_file = rng.choice(common, int(files[-1]) + 1, p=_shares(6))[files]
    is_own = (owner >= 0) & (rng.random(len(owner)) < 0.1)
    return np.where(is_own, own[owner], of_file)


def _few(columns: dict[str, NDArray[Any]], tree: Stocked) -> None:
    """`FEW` numbers far down the list with a carrier, and of an enterprise, that hardly anybody has."""
    place = np.argsort(columns["e164"], kind="stable")[-FEW * 1000 :: 1000]
    columns["voice"][place] = True
    columns["voice_carrier_id"][place] = tree.carriers["Master voice 8"]
    last = tree.resellers[-1]
    for name in ("holder_id", "uploader_id"):
        columns[name][place] = tree.enterprises[last][-1]


def _copy(connection: psycopg.Connection, part: dict[str, NDArray[Any]]) -> None:
    e164 = part["e164"]
    fields = {
        "e164": copy_binary.bigints(e164),
        "created_job_id": copy_binary.bigints(np.zeros_like(e164)),
        "changed_job_id": copy_binary.bigints(np.zeros_like(e164)),
        **{name: copy_binary.integers(part[name]) for name in ("holder_id", "uploader_id")},
        **{name: copy_binary.integers(part[name], part[name] == 0) for name in ("voice_carrier_id", "sms_carrier_id")},
        **{name: copy_binary.booleans(part[name]) for name in ("voice", "sms", "fax")},
        "country": copy_binary.texts(region.REGIONS, region.regions_of(e164)),
    }
    statement = f"COPY phone_numbers ({', '.join(fields)}) FROM STDIN (FORMAT binary)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(copy_binary.copy_rows(list(fields.values())))


def _users(connection: psycopg.Connection, columns: dict[str, NDArray[Any]], extent: Extent) -> None:
    """A user for about so many numbers of an enterprise; half of what enterprises have is a user's."""
    holders, counts = np.unique(columns["holder_id"], return_counts=True)
    connection.execute("CREATE TEMP TABLE homes (tenant_id int PRIMARY KEY, wanted int)")
    wanted = np.maximum(counts // extent.numbers_per_user, 2)
    query = "INSERT INTO homes SELECT * FROM unnest(%s::int[], %s::int[])"
    connection.execute(query, (holders.tolist(), wanted.tolist()))
    connection.execute("DELETE FROM homes USING tenants t WHERE t.id = tenant_id AND t.kind <> 'enterprise'")
    connection.execute("""
        INSERT INTO users (tenant_id, kind, name, email)
        SELECT tenant_id, CASE WHEN n % 10 = 0 THEN 'trunk' ELSE 'pbx' END,
            (ARRAY['Ann','Ben','Cora','Dan','Eve','Finn','Gina','Hugo','Ida','Jon'])[1 + n % 10] || ' Miller' || n,
            'user' || n || '@t' || tenant_id || '.example'
        FROM homes, generate_series(1, wanted) AS n ORDER BY tenant_id, n""")
    connection.execute("""
        UPDATE phone_numbers SET voice_user_id = u.first + e164 % u.many, voice_forwarded = true
        FROM (SELECT tenant_id, min(id) AS first, count(*) AS many FROM users GROUP BY 1) AS u
        WHERE u.tenant_id = holder_id AND voice AND e164 / 10 % 2 = 0""")
    connection.execute("""
        UPDATE phone_numbers SET sms_user_id = voice_user_id
        WHERE voice_user_id IS NOT NULL AND sms AND e164 / 100 % 5 = 0""")
