"""Checks of the servers that the settings name: database, broker, storage, mail server. Each takes seconds at most."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import redis
import sqlalchemy as sa

from worker.config.settings import Settings
from worker.database import processes, schema_version
from worker.database.engine import sqlalchemy_url
from worker.doctor.findings import Finding, error, ok, warning
from worker.mail import deliver, smtp_client
from worker.queue import broker
from worker.runtime import external_servers
from worker.runtime.processes.child import ServerError

SECONDS = 3.0  # for connecting, and for each request
CLOCKS_APART = 5.0  # seconds
NEARLY_ALL = 0.8  # of the connections that the database allows
DATABASE, REDIS, STORAGE = "database", "broker", "storage"
_EMBEDDED = "Not set: `numberyard up` starts its own."


def database(settings: Settings) -> Iterator[Finding]:
    """Yield whether the database can be used, has this version's tables, and is set up so that nothing is lost."""
    if settings.database_url is None:
        yield ok(DATABASE, f"{external_servers.DATABASE_SETTING}: {_EMBEDDED}")
        return
    try:
        external_servers.check_postgres(settings.database_url.get_secret_value(), patience=0)
        url = sqlalchemy_url(settings)
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, connect_timeout=int(SECONDS)) as connection:
            # For this transaction only: a pooler gives the connection to others afterwards.
            connection.execute(f"SET LOCAL statement_timeout = '{int(SECONDS)}s'")
            version = connection.info.parameter_status("server_version")
            yield ok(DATABASE, f"PostgreSQL {version} at {url.host or 'the local socket'}.")
            yield from _encryption(DATABASE, url.host, is_encrypted=bool(connection.pgconn.ssl_in_use))
            yield from _database_facts(connection)
            yield _tables(connection)
            yield from _others(connection)
    except ServerError as failure:
        yield error(DATABASE, _sentence(failure), "Check the address, the password and the network.")
    except psycopg.Error as failure:
        yield error(DATABASE, _sentence(failure), "Check the rights of the database user.")


def _database_facts(connection: psycopg.Connection) -> Iterator[Finding]:
    before = time.time()
    row = connection.execute(
        "SELECT pg_is_in_recovery(), current_setting('fsync') = 'on', current_setting('max_connections')::int,"
        " (SELECT sum(numbackends) FROM pg_stat_database)::int,"
        " extract(epoch FROM clock_timestamp())::float8"
    ).fetchone()
    if row is None:
        return
    is_replica, is_durable, most, used, clock = row
    if is_replica:
        yield error(DATABASE, "It is a replica that cannot be written.", "Use the address of the primary server.")
    if not is_durable:
        yield warning(DATABASE, "fsync is off: a crash of its machine loses numbers.", "Set fsync = on.")
    if used > most * NEARLY_ALL:
        fix = "Raise max_connections, or use fewer processes."
        yield warning(DATABASE, f"{used} of {most} connections are in use.", fix)
    apart = clock - (before + time.time()) / 2
    if abs(apart) > CLOCKS_APART:
        fix = "Synchronize both clocks (NTP)."
        yield warning("clock", f"The database's clock differs from this machine's by {apart:+.0f} s.", fix)


def _tables(connection: psycopg.Connection) -> Finding:
    known = schema_version.all_versions()
    newest = known[-1]
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return error(DATABASE, "It has no tables.", "Run `numberyard migrate`.")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    version = None if row is None else row[0]
    if version == newest:
        return ok(DATABASE, f"Its tables have this version ({newest}).")
    if version in known:
        return error(DATABASE, f"Its tables have version {version}, {newest} is needed.", "Run `numberyard migrate`.")
    fix = "Use the release that made the tables, or a later one."
    return error(DATABASE, f"Its tables have version {version}, which this release does not know.", fix)


def _others(connection: psycopg.Connection) -> Iterator[Finding]:
    """Yield whether the processes that use the database are all of this version."""
    if connection.execute("SELECT to_regclass('processes')").fetchone() == (None,):
        return
    since = f"seen_at > now() - interval '{processes.EXPIRES_SECONDS} seconds'"
    running = connection.execute(
        f"SELECT kind, schema_version, count(*) FROM processes WHERE {since} GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: S608 - our own
    ).fetchall()
    if not running:
        return
    listed = ", ".join(f"{count} {kind} of version {version}" for kind, version, count in running)
    if all(version == schema_version.own() for _, version, _ in running):
        yield ok("processes", f"Running: {listed}.")
    else:
        fix = "Replace the others once the upgrade is done."
        yield warning("processes", f"Running: {listed}; this release has version {schema_version.own()}.", fix)


def redis_server(settings: Settings) -> Iterator[Finding]:
    """Yield whether the broker can be used and keeps its messages."""
    if settings.redis_url is None:
        yield ok(REDIS, f"{external_servers.REDIS_SETTING}: {_EMBEDDED}")
        return
    address = settings.redis_url.get_secret_value()
    try:
        external_servers.check_redis(address, patience=0)
        with broker.client(settings, SECONDS) as client:
            server, memory = client.info("server"), client.info("memory")
    except ServerError as failure:
        yield error(REDIS, _sentence(failure), "Check the address, the password and the network.")
        return
    except redis.RedisError as failure:
        yield error(REDIS, _sentence(failure), "Check the rights of the broker's user.")
        return
    product = "Valkey" if "valkey_version" in server else "Redis"
    shown = server.get("valkey_version") or server.get("redis_version")
    parts = urlsplit(address)
    yield ok(REDIS, f"{product} {shown} at {parts.hostname or 'the local socket'}.")
    yield from _encryption(REDIS, parts.hostname, is_encrypted=parts.scheme == "rediss")
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        detail = f"With maxmemory-policy {policy} it deletes messages when its memory is full."
        yield warning(REDIS, detail, "Set maxmemory-policy noeviction.")


def storage(settings: Settings) -> Iterator[Finding]:
    """Yield whether a file can be stored, read and deleted, and whether other machines see it."""
    is_local = settings.files_url.startswith("file:")
    if is_local and settings.storage_url is None and settings.database_url is None:
        return  # of `numberyard up`: its folder is checked
    try:
        external_servers.check_storage(settings.model_copy(update={"storage_timeout_seconds": SECONDS}))
    except ServerError as failure:
        yield error(STORAGE, _sentence(failure), "Check the address, the bucket and the credentials.")
        return
    shared = " All processes have to see this folder." if is_local else ""
    yield ok(STORAGE, f"Files can be stored, read and deleted in {_without_query(settings.files_url)}.{shared}")


def mail_server(settings: Settings) -> Iterator[Finding]:
    """Yield whether the mail server accepts the sign-in; sends nothing."""
    if not settings.offers_mail:
        return
    server = deliver.server_of(settings)
    fault = smtp_client.try_out(server, SECONDS)
    if fault is None:
        yield ok("e-mail", f"{server.host} accepts messages.")
    else:
        yield error("e-mail", f"{server.host}: {fault.replace('_', ' ')}.", "Check host, port, TLS and account.")


def _encryption(subject: str, host: str | None, *, is_encrypted: bool) -> Iterator[Finding]:
    if not is_encrypted and host is not None and not _is_here(host):
        fix = "Use sslmode=verify-full in the address." if subject == DATABASE else "Use rediss:// in the address."
        yield warning(subject, f"The connection to {host} is not encrypted.", fix)


def _is_here(host: str) -> bool:
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sentence(failure: Exception) -> str:
    return f"{' '.join(str(failure).split()).rstrip('.')}."


def _without_query(url: str) -> str:
    address = url.partition("?")[0]
    return sa.make_url(address).render_as_string(hide_password=True) if "@" in address else address
