"""The migrations make what `schemas.database.tables` says, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from pydantic import SecretStr

from schemas.database.tables import WORKERS_SINCE, metadata, schema_versions
from schemas.jobs import Phase
from schemas.roles import Scope
from tests.support.servers import databases
from worker.config.settings import Settings
from worker.database import migrate, schema_version
from worker.database.schema_version import ProcessKind
from worker.queue.broker import QUEUES

# Alembic's own comparison looks at neither checks, sequences, identities nor partial indexes; the catalogue has it all.
CATALOGUE = {
    "columns": """SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default, identity_generation
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "sequences": "SELECT sequencename, data_type::text FROM pg_sequences WHERE schemaname = 'public'",
    "routines": "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "triggers": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}


# Two of one kind, with a carrier or none, and a user's.
WRITTEN_BEFORE = """
    INSERT INTO tenants (kind, name, path) VALUES ('master_reseller', 'Master', '{1}');
    INSERT INTO phone_numbers (e164, created_job_id, changed_job_id, holder_id, uploader_id, voice, sms, fax, country,
        voice_carrier_id, voice_user_id)
    SELECT 12125550100 + place, 0, 0, id, id, true, false, false, 'US', carrier, person
    FROM tenants, (VALUES (0, 7, NULL), (1, 7, NULL), (2, NULL, NULL), (3, 7, 9)) AS w (place, carrier, person)"""

# One of each calling code there is, and two more of some.
COUNTRIES_BEFORE = """
    INSERT INTO tenants (kind, name, path) VALUES ('master_reseller', 'Master', '{1}');
    INSERT INTO phone_numbers (e164, created_job_id, changed_job_id, holder_id, uploader_id, voice, sms, fax, country)
    SELECT rpad(code::text || digit, 11, '5')::bigint, 0, 0, id, id, true, false, false, 'US'
    FROM tenants, unnest(CAST(:codes AS int[])) AS code, generate_series(1, 3) AS digit"""

ADMINS_BEFORE = """
    INSERT INTO tenants (kind, name, path) VALUES ('master_reseller', 'Master', '{1}');
    INSERT INTO admins (tenant_id, email, password_hash, must_change_password)
    SELECT id, email, 'x', email = 'new' FROM tenants, (VALUES ('new'), ('old')) AS w (email)"""


@pytest.fixture
def fresh(database_server: sa.URL, request: pytest.FixtureRequest) -> Iterator[Callable[[str], sa.URL]]:
    """Makes an empty database; all of them are gone after the test."""
    made: list[str] = []
    server = sa.create_engine(database_server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    def make(name: str) -> sa.URL:
        made.append(f"migrated_{abs(hash(request.node.nodeid))}_{name}")
        with server.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {made[-1]} TEMPLATE template0"))
        return database_server.set(drivername="postgresql+psycopg", database=made[-1])

    yield make
    with server.connect() as connection:
        for name in made:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


def upgrade(url: sa.URL) -> None:
    migrate.upgrade(Settings(database_url=SecretStr(url.render_as_string(hide_password=False))))


@contextmanager
def connected(url: sa.URL) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        yield connection


# What only migrations create: triggers that enter jobs in the queue (0037).
BY_MIGRATIONS: dict[str, list[tuple[object, ...]]] = {
    "routines": [("enqueue_pending_items",), ("first_turn",), ("queue_of_phase",), ("requeue_job",)],
    "triggers": [("enqueue_added",), ("enqueue_changed",), ("requeue",)],
}


@contextmanager
def stepping(url: sa.URL) -> Iterator[tuple[sa.Connection, Config]]:
    """A connection, and the configuration with which Alembic goes step by step on it."""
    with connected(url) as connection:
        config = migrate.config()
        config.attributes["connection"] = connection
        yield connection, config


def catalogue(url: sa.URL) -> dict[str, list[tuple[object, ...]]]:
    """What is in the database, but for Alembic's own table."""
    with connected(url) as connection:
        found = {
            kind: sorted((tuple(row) for row in connection.execute(sa.text(query))), key=repr)
            for kind, query in CATALOGUE.items()
        }
    return {kind: [row for row in rows if "alembic_version" not in repr(row)] for kind, rows in found.items()}


def test_migrated_tables_are_the_tables_of_the_code(fresh: Callable[[str], sa.URL]) -> None:
    migrated, made = fresh("up"), fresh("made")
    upgrade(migrated)
    with connected(made) as connection:
        metadata.create_all(connection)
    expected = catalogue(made) | BY_MIGRATIONS
    assert expected["constraints"]
    assert catalogue(migrated) == expected


def test_the_database_knows_the_queue_of_each_phase(fresh: Callable[[str], sa.URL]) -> None:
    url = fresh("queues")
    upgrade(url)
    with connected(url) as connection:
        found = {phase: connection.execute(sa.select(sa.func.queue_of_phase(phase))).scalar_one() for phase in Phase}
    assert found == QUEUES


def test_alembic_finds_no_difference(fresh: Callable[[str], sa.URL]) -> None:
    url = fresh("check")
    upgrade(url)
    with stepping(url) as (_, config):
        command.check(config)


def test_down_to_nothing_and_up_again(fresh: Callable[[str], sa.URL]) -> None:
    url = fresh("down")
    upgrade(url)
    before = catalogue(url)
    with stepping(url) as (_, config):
        command.downgrade(config, "base")
    assert not any(catalogue(url).values())
    upgrade(url)
    assert catalogue(url) == before


def test_the_index_that_was_taken_back_is_gone(fresh: Callable[[str], sa.URL]) -> None:
    """Databases that were brought to 0014 while it added one end as all others do."""
    url, plain = fresh("taken"), fresh("plain")
    upgrade(plain)
    with stepping(url) as (connection, config):
        command.upgrade(config, "0014")
        connection.execute(sa.text("CREATE INDEX ix_phone_numbers_holder ON phone_numbers (holder_id)"))
        command.upgrade(config, "head")
    assert catalogue(url) == catalogue(plain)


def test_what_tenants_hold_already_is_noted(fresh: Callable[[str], sa.URL]) -> None:
    """Lists narrow by the table of holdings (0015): of what was written before they must not lack anything."""
    url = fresh("holdings")
    with stepping(url) as (connection, config):
        command.upgrade(config, "0014")
        connection.execute(sa.text(WRITTEN_BEFORE))
        command.upgrade(config, "head")
        assert connection.execute(sa.text("SELECT count(*) FROM holdings")).scalar_one() == 3
        assert databases.forgotten(connection) == 0
        assert connection.execute(sa.text("SELECT sum(count) FROM number_counts")).scalar_one() > 0
        assert databases.miscounted(connection) == 0  # 0022


def test_the_countries_of_tenants_numbers_are_noted(fresh: Callable[[str], sa.URL]) -> None:
    """R14c: of every calling code that libphonenumber knows."""
    url = fresh("countries")
    tenants, numbers = COUNTRIES_BEFORE.split(";")
    with stepping(url) as (connection, config):
        command.upgrade(config, "0016")
        connection.execute(sa.text(tenants))
        connection.execute(sa.text(numbers), {"codes": sorted(COUNTRY_CODE_TO_REGION_CODE)})
        command.upgrade(config, "head")
        found = connection.execute(sa.text("SELECT calling_code FROM tenant_countries ORDER BY 1")).scalars().all()
        assert found == sorted(COUNTRY_CODE_TO_REGION_CODE)
        assert databases.forgotten_countries(connection) == 0
        command.downgrade(config, "0016")
        command.upgrade(config, "head")
        assert databases.forgotten_countries(connection) == 0


def test_one_time_passwords_of_before_get_their_time(fresh: Callable[[str], sa.URL]) -> None:
    """Until 0016 they were good for ever; own ones stay so, there and back."""
    url = fresh("one_time")
    count = "SELECT count(*) FROM admins WHERE email = 'new' AND"
    with stepping(url) as (connection, config):
        command.upgrade(config, "0015")
        connection.execute(sa.text(ADMINS_BEFORE))
        command.upgrade(config, "head")
        assert connection.execute(sa.text(f"{count} one_time_until = now() + interval '72 hours'")).scalar_one() == 1
        assert connection.execute(sa.text("SELECT count(one_time_until) FROM admins")).scalar_one() == 1
        command.downgrade(config, "0015")
        assert connection.execute(sa.text(f"{count} must_change_password")).scalar_one() == 1
        assert connection.execute(sa.text("SELECT count(*) FROM admins WHERE must_change_password")).scalar_one() == 1


ACCOUNTS_BEFORE = """
    INSERT INTO tenants (kind, name, path) VALUES ('master_reseller', 'Master', '{1}');
    INSERT INTO admins (tenant_id, email, password_hash) SELECT id, 'a@b.example', 'x' FROM tenants;
    INSERT INTO tokens (tenant_id, name, hash) SELECT id, 'before', 'x' FROM tenants"""


def test_r35_people_and_tokens_of_before_may_do_everything(fresh: Callable[[str], sa.URL]) -> None:
    url = fresh("roles")
    with stepping(url) as (connection, config):
        command.upgrade(config, "0026")
        connection.execute(sa.text(ACCOUNTS_BEFORE))
        command.upgrade(config, "head")
        assert connection.execute(sa.text("SELECT role FROM admins")).scalars().all() == ["admin"]
        token = connection.execute(sa.text("SELECT * FROM tokens")).one()
        assert (token.role, token.networks, token.created_by, token.admin_id) == ("admin", [], None, None)
        assert token.scopes == list(Scope)
        command.downgrade(config, "0026")
        command.upgrade(config, "head")


LIMITED = """
    INSERT INTO admins (tenant_id, email, password_hash, role)
    SELECT id, role || '@b.example', 'x', role FROM tenants, (VALUES ('viewer'), ('operator')) AS of (role);
    INSERT INTO tokens (tenant_id, name, hash, role) SELECT id, 'viewer', 'v', 'viewer' FROM tenants;
    INSERT INTO tokens (tenant_id, name, hash, networks) SELECT id, 'networks', 'n', '{10.0.0.0/8}' FROM tenants;
    INSERT INTO tokens (tenant_id, name, hash, scopes) SELECT id, 'scopes', 's', '{jobs:read}' FROM tenants;
    INSERT INTO tokens (tenant_id, name, hash, admin_id)
    SELECT admins.tenant_id, 'of a viewer', 'o', admins.id FROM admins WHERE role = 'viewer'"""


def test_r35_who_was_limited_is_not_let_in_by_an_older_release(fresh: Callable[[str], sa.URL]) -> None:
    """It knows no roles, so a viewer would be an admin."""
    url = fresh("limited")
    with stepping(url) as (connection, config):
        command.upgrade(config, "head")
        connection.execute(sa.text(ACCOUNTS_BEFORE))
        connection.execute(sa.text(LIMITED))
        command.downgrade(config, "0026")
        assert connection.execute(sa.text("SELECT name FROM tokens")).scalars().all() == ["before"]
        assert connection.execute(sa.text("SELECT email FROM admins")).scalars().all() == ["a@b.example"]


LEFT_OUT = """
    INSERT INTO tenants (kind, name, path) VALUES ('master_reseller', 'Master', '{1}');
    INSERT INTO jobs (tenant_id, kind, status, created_by, options, tally, review)
    SELECT id, of.kind, 'failed', 'x', '{}',
        '{"results": [["created", "CREATED", 10, 1], ["skipped", "BLANK_ROW", 5, 4], ["skipped", "LEFT_OUT", 1, 2]]}',
        '{"faults": [], "effect": {}}'
    FROM tenants, (VALUES ('upload'), ('export')) AS of (kind)"""


def test_an_older_release_finds_only_jobs_that_it_can_show(fresh: Callable[[str], sa.URL]) -> None:
    url = fresh("shown")
    with stepping(url) as (connection, config):
        command.upgrade(config, "head")
        connection.execute(sa.text(LEFT_OUT))
        command.downgrade(config, "0019")
        row = connection.execute(sa.text("SELECT kind, tally, review FROM jobs")).one()
        assert row.kind == "upload"
        assert sorted(row.tally["results"]) == [["created", "CREATED", 10, 1], ["skipped", "BLANK_ROW", 6, 2]]
        assert row.review == {"effect": {}}


def test_every_migration_says_which_processes_can_use_the_tables() -> None:
    """And the constraint keeps out the workers that cannot."""
    stated = [schema_version.stated(version) for version in schema_version.all_versions() if version >= "0034"]
    assert stated
    assert max(since[ProcessKind.WORKER] for since in stated) == f"{WORKERS_SINCE:04}"
    assert max(since[ProcessKind.WEB] for since in stated) <= schema_version.own()


def test_what_migrations_say_is_stored_and_taken_back(fresh: Callable[[str], sa.URL]) -> None:
    url = fresh("stated")
    newer = [version for version in schema_version.all_versions() if version >= "0034"]
    upgrade(url)
    with stepping(url) as (connection, config):
        rows = connection.execute(sa.select(schema_versions).order_by(schema_versions.c.version)).all()
        assert [row.version for row in rows] == newer
        assert [row.workers_since for row in rows] == [
            schema_version.stated(version)[ProcessKind.WORKER] for version in newer
        ]
        command.downgrade(config, "0034")
        assert connection.execute(sa.select(schema_versions.c.version)).scalars().all() == ["0034"]


SHORT_NUMBER = """
    INSERT INTO tenants (kind, name, path) VALUES ('master_reseller', 'Master', '{1}');
    INSERT INTO phone_numbers (e164, created_job_id, changed_job_id, holder_id, uploader_id, voice, sms, fax, country)
    SELECT 989601, 0, 0, id, id, true, false, false, 'IR' FROM tenants"""


def test_r14f_short_numbers_stay_when_their_migration_is_taken_back(fresh: Callable[[str], sa.URL]) -> None:
    """The older release refuses new ones, as it always did, and those that are there do not stop anybody."""
    url = fresh("short")
    upgrade(url)
    before = catalogue(url)
    with stepping(url) as (connection, config):
        connection.execute(sa.text(SHORT_NUMBER))
        command.downgrade(config, "0016")
        other = sa.text(SHORT_NUMBER.partition(";")[2].replace("989601", "431110"))
        with pytest.raises(sa.exc.IntegrityError, match="ck_phone_numbers_e164"), connection.begin_nested():
            connection.execute(other)
        command.upgrade(config, "head")
        connection.execute(other)
        assert connection.execute(sa.text("SELECT count(*) FROM phone_numbers")).scalar_one() == 2
    assert catalogue(url) == before


def test_a_check_that_a_migration_left_unvalidated_is_validated_after_it(fresh: Callable[[str], sa.URL]) -> None:
    """Where the table is large, so that nobody is kept out while it is read."""
    url = fresh("validated")
    upgrade(url)
    before = catalogue(url)
    with connected(url) as connection:
        check = "ALTER TABLE phone_numbers {} CONSTRAINT ck_phone_numbers_e164 {}"
        connection.execute(sa.text(check.format("DROP", "")))
        condition = "CHECK (e164 > 0 AND e164 < 1000000000000000) NOT VALID"
        connection.execute(sa.text(check.format("ADD", condition)))
    assert catalogue(url) != before
    upgrade(url)
    assert catalogue(url) == before


def test_upgrading_twice_changes_nothing(fresh: Callable[[str], sa.URL]) -> None:
    url = fresh("twice")
    upgrade(url)
    before = catalogue(url)
    upgrade(url)
    assert catalogue(url) == before
