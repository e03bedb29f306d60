"""Databases of tests: clones of a migrated template, emptied after one test and taken by the next.

To empty one takes a tenth of what it takes to clone another. One that is no longer what it was is dropped: its tables
were changed, it has grown, or something still holds on to it.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import sqlalchemy as sa
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from schemas.database.tables import UNASSIGNED, metadata, schema_versions
from worker.config.settings import Settings
from worker.database import migrate
from worker.queue.turns import CLAIMABLE

TEMPLATE = "template_of_tests"
APPLICATION = "tests"  # the connections of this module
GROWN = 4 << 20  # bytes beyond the template's: what was deleted is still there to be read over
_HELD = f"""
    SELECT DISTINCT holder_id, uploader_id, coalesce(voice_carrier_id, 0), coalesce(sms_carrier_id, 0), voice, sms, fax,
        {UNASSIGNED}
    FROM phone_numbers"""  # noqa: S608 - our own
_COUNTRIES = f"""
    SELECT DISTINCT line.id, code
    FROM (SELECT DISTINCT holder_id, left(e164::text, 3) AS start FROM phone_numbers) AS held
    JOIN tenants ON tenants.id = held.holder_id CROSS JOIN unnest(tenants.path) AS line (id)
    JOIN unnest(ARRAY{sorted(COUNTRY_CODE_TO_REGION_CODE)}) AS code ON starts_with(start, code::text)"""  # noqa: S608 - our own
_COUNTED = f"""
    SELECT line.id AS tenant_id, counted.dimension, counted.key, held.is_unassigned, sum(held.count)::bigint AS count
    FROM (SELECT holder_id, left(e164::text, 3) AS start, coalesce(voice_carrier_id, 0) AS voice,
            coalesce(sms_carrier_id, 0) AS sms, ({UNASSIGNED}) AS is_unassigned, count(*) AS count
        FROM phone_numbers GROUP BY 1, 2, 3, 4, 5) AS held
    JOIN tenants ON tenants.id = held.holder_id CROSS JOIN unnest(tenants.path) AS line (id)
    LEFT JOIN unnest(ARRAY{sorted(COUNTRY_CODE_TO_REGION_CODE)}) AS code ON starts_with(start, code::text)
    CROSS JOIN LATERAL (VALUES ('total', 0, true), ('held', 0, line.id = held.holder_id), ('code', code, code > 0),
        ('carrier', voice, voice > 0), ('carrier', sms, sms > 0)) AS counted (dimension, key, is_one)
    WHERE counted.is_one GROUP BY 1, 2, 3, 4"""  # noqa: S608 - our own
_SUMS = """
    SELECT tenant_id, dimension, key, is_unassigned, sum(count)::bigint AS count FROM number_counts
    GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0"""
_MISCOUNTED = f"""
    SELECT count(*) FROM (({_COUNTED} EXCEPT {_SUMS}) UNION ALL ({_SUMS} EXCEPT {_COUNTED})) AS them"""  # noqa: S608 - our own
# For numbers that no chunk has written: all that a chunk notes of them.
NOTE_HOLDINGS = f"""
    WITH kinds AS (INSERT INTO holdings {_HELD} ON CONFLICT DO NOTHING)
        , old AS (DELETE FROM number_counts)
        , counts AS (INSERT INTO number_counts (tenant_id, dimension, key, is_unassigned, count) {_COUNTED})
    INSERT INTO tenant_countries {_COUNTRIES} ON CONFLICT DO NOTHING"""  # noqa: S608 - our own
_FORGOTTEN = f"SELECT count(*) FROM ({_HELD} EXCEPT SELECT * FROM holdings) AS them"  # noqa: S608 - our own
_FORGOTTEN_COUNTRIES = f"SELECT count(*) FROM ({_COUNTRIES} EXCEPT SELECT * FROM tenant_countries) AS them"  # noqa: S608 - our own
_UNQUEUED = f"""
    SELECT count(*) FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id
    WHERE job_chunks.state = 'pending' AND ({CLAIMABLE}) AND NOT EXISTS (
        SELECT 1 FROM queued_jobs JOIN queued_tenants USING (tenant_id, queue)
        WHERE job_id = jobs.id AND queue = queue_of_phase(job_chunks.phase) AND is_due AND is_waiting
        UNION ALL
        SELECT 1 FROM queued_jobs
        WHERE job_id = jobs.id AND queue = queue_of_phase(job_chunks.phase) AND NOT is_due
            AND due_at <= greatest(job_chunks.next_attempt_at, now()))"""  # noqa: S608 - our own
_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences ORDER BY 1"
_SIZE = "SELECT pg_database_size(current_database())"
_READ = """
    SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_xact_user_tables"""
# All that a test can change of tables and what is theirs, but for their rows.
_SHAPE = """
    WITH ours AS (SELECT oid, relname, relchecks, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    SELECT concat_ws('; ',
        (SELECT string_agg(concat_ws(' ', oid, relname, relchecks, reloptions), ',' ORDER BY oid) FROM ours),
        (SELECT string_agg(concat_ws(' ', attrelid, attname, atttypid, attnotnull), ',' ORDER BY attrelid, attnum)
            FROM pg_attribute WHERE attnum > 0 AND attrelid IN (SELECT oid FROM ours)),
        (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_constraint WHERE conrelid IN (SELECT oid FROM ours)),
        (SELECT string_agg(concat_ws(' ', oid, tgenabled), ',' ORDER BY oid) FROM pg_trigger),
        (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
        (SELECT string_agg(schema_versions::text, ',' ORDER BY version) FROM schema_versions),
        (SELECT string_agg(version_num, ',') FROM alembic_version))"""


class Databases:
    """The databases of one server; `server` is the address of its own database."""

    def __init__(self, server: sa.URL) -> None:
        self._server = server
        self._names = (f"test_{number}" for number in itertools.count())
        self._empty: list[sa.URL] = []
        self._connections: dict[sa.URL, sa.Connection] = {}  # kept: a new one takes longer than all its statements
        run(server, f"CREATE DATABASE {TEMPLATE}")
        template = server.set(database=TEMPLATE)
        migrate.upgrade(Settings(database_url=SecretStr(template.render_as_string(hide_password=False))))
        with _connected(template) as connection:
            self._shape, self._size = (connection.execute(sa.text(query)).scalar_one() for query in (_SHAPE, _SIZE))
            sequences = connection.execute(sa.text(_SEQUENCES)).scalars().all()
        # Tenants and their default carriers refer to each other.
        emptied = ["UPDATE tenants SET default_voice_carrier_id = NULL, default_sms_carrier_id = NULL;"]
        tables = (table for table in reversed(metadata.sorted_tables) if table is not schema_versions)
        emptied += [f"DELETE FROM {table.name};" for table in tables]  # noqa: S608 - our own
        begun = [f"PERFORM setval('{name}', 1, false);" for name in sequences]
        self._empty_it = f"DO $$ BEGIN {' '.join([*emptied, *begun])} END $$"

    def take(self) -> sa.URL:
        """An empty database."""
        if self._empty:
            return self._empty.pop()
        url = self._server.set(database=next(self._names))
        run(self._server, f"CREATE DATABASE {url.database} TEMPLATE {TEMPLATE}")
        return url

    def give_back(self, url: sa.URL) -> None:
        """Empty it for the next test; or drop it."""
        try:
            is_as_before = self._emptied(url)
        except SQLAlchemyError:
            is_as_before = False
        if is_as_before:
            self._empty.append(url)
        else:
            if url in self._connections:
                self._connections.pop(url).close()
            run(self._server, f"DROP DATABASE {url.database} WITH (FORCE)")

    def _emptied(self, url: sa.URL) -> bool:
        connection = self._connection(url)
        connection.execute(sa.text(_OTHERS), {"name": url.database})
        if connection.execute(sa.text(_SHAPE)).scalar_one() != self._shape or self._has_grown(connection):
            return False
        assert not forgotten(connection), "kinds of numbers that lists do not know of"
        assert not forgotten_countries(connection), "countries that numbers without one are not read in"
        assert not unqueued(connection), "work items that no claim would find"
        connection.execute(sa.text(self._empty_it))
        return not self._has_grown(connection)

    def _connection(self, url: sa.URL) -> sa.Connection:
        if url not in self._connections:
            self._connections[url] = _connected(url)
            self._connections[url].execute(sa.text("SET lock_timeout = '3s'; SET statement_timeout = '5s'"))
        return self._connections[url]

    def _has_grown(self, connection: sa.Connection) -> bool:
        return bool(connection.execute(sa.text(_SIZE)).scalar_one() >= self._size + GROWN)


def run(url: sa.URL, statement: str) -> None:
    """A statement that no transaction may be around."""
    with _connected(url) as connection:
        connection.execute(sa.text(statement))


def forgotten(connection: sa.Connection) -> int:
    """How many kinds of numbers there are that the table of holdings does not know: narrowed lists lack all of them."""
    found: int = connection.execute(sa.text(_FORGOTTEN)).scalar_one()
    return found


def forgotten_countries(connection: sa.Connection) -> int:
    """How many pairs of a tenant and a calling code of its tree's numbers are missing from `tenant_countries`."""
    found: int = connection.execute(sa.text(_FORGOTTEN_COUNTRIES)).scalar_one()
    return found


def unqueued(connection: sa.Connection) -> int:
    """How many work items wait that can be claimed, now or later, and that the queue does not lead to."""
    found: int = connection.execute(sa.text(_UNQUEUED)).scalar_one()
    return found


def miscounted(connection: sa.Connection) -> int:
    """How many counts of numbers differ from the numbers: the overview shows them."""
    found: int = connection.execute(sa.text(_MISCOUNTED)).scalar_one()
    return found


def rows_read(connection: sa.Connection) -> int:
    """Rows of all tables that the connection has read and not yet reported, wanted or not: compare two answers.

    The server reports at most once a second, so the first answer may include those of earlier transactions.
    """
    read: int = connection.execute(sa.text(_READ)).scalar_one()
    return read


def _connected(url: sa.URL) -> sa.Connection:
    return _engine(url).connect()


@lru_cache
def _engine(url: sa.URL) -> sa.Engine:
    """Kept, as a new one first asks the server what it is."""
    named = {"application_name": APPLICATION}
    return sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args=named)


@lru_cache
def engine_of(url: str) -> sa.Engine:
    """The engine of a test's own queries."""
    return sa.create_engine(url, pool_size=4)
