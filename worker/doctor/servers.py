"""Checks of the servers that the settings name: database, broker, storage, mail server. Each takes seconds at most."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis
import sqlalchemy as sa

from worker.config.settings import Settings
from worker.database import address, processes, schema_version
from worker.database.bounded_connection import NO_RESPONSE, BoundedConnection
from worker.database.engine import connection_options, sqlalchemy_url
from worker.doctor.findings import Finding, error, ok, warning
from worker.mail import deliver, smtp_client
from worker.queue import broker, redis_client, redis_tls
from worker.runtime import external_servers
from worker.runtime.processes.child import ServerError

SECONDS = 3.0  # for connecting, and for each request
CLOCKS_APART = 5.0  # seconds
NEARLY_ALL = 0.8  # of the connections that the database allows
DATABASE, REDIS, STORAGE = "database", "broker", "storage"
_EMBEDDED = "Not set: `numberyard up` starts its own."
_VERIFIED = frozenset({"verify-ca", "verify-full"})  # values of sslmode
# What to do about an error of a connection, by words in its message.
_FIXES = (
    ("startup parameter", "Set NUMBERYARD_DATABASE_POOLED=true."),
    (NO_RESPONSE, "Give the pooler, if there is one, more connections; else restart the database."),
    ("certificate", "Correct the file of the authorities, or use the host name in the server's certificate."),
    ("session is read-only", "Use the address of the primary server, or promote a standby."),
    ("AuthenticationError", "Check NUMBERYARD_REDIS_SENTINEL_PASSWORD."),
    ("No sentinel", "Check NUMBERYARD_REDIS_MASTER_NAME and the sentinels."),
)


def database(settings: Settings) -> Iterator[Finding]:
    """Yield whether the database can be used, has this version's tables, and is set up so that nothing is lost."""
    if settings.database_url is None:
        yield ok(DATABASE, f"{external_servers.DATABASE_SETTING}: {_EMBEDDED}")
        return
    try:
        external_servers.check_postgres(settings.database_url.get_secret_value(), patience=0)
        url = sqlalchemy_url(settings)
        arguments = address.driver_arguments(url)
        # With the options of the service, some of which a pooler may refuse.
        own = {"connect_timeout": int(SECONDS), "application_name": "numberyard doctor"}
        options = arguments | connection_options(settings) | own
        with BoundedConnection.connect(**options) as connection:
            connection.wait_seconds = SECONDS
            # For this transaction only: a pooler gives the connection to others afterwards.
            connection.execute(f"SET LOCAL statement_timeout = '{int(SECONDS)}s'")
            version = connection.info.parameter_status("server_version")
            host = connection.info.host or None
            yield ok(DATABASE, f"PostgreSQL {version} at {host or 'the local socket'}.")
            yield from _encryption(DATABASE, host, is_encrypted=bool(connection.pgconn.ssl_in_use))
            yield from _verification(host, arguments, is_encrypted=bool(connection.pgconn.ssl_in_use))
            yield from _database_facts(connection)
            yield _tables(connection)
            yield from _others(connection)
    except ServerError as failure:
        yield error(DATABASE, _sentence(failure), _fix(failure, "Check the address, the password and the network."))
    except psycopg.Error as failure:
        yield error(DATABASE, _sentence(failure), _fix(failure, "Check the rights of the database user."))


def _fix(failure: Exception, otherwise: str) -> str:
    return next((fix for words, fix in _FIXES if words in str(failure)), otherwise)


def _verification(host: str | None, arguments: dict[str, Any], *, is_encrypted: bool) -> Iterator[Finding]:
    if is_encrypted and host is not None and not _is_here(host) and arguments.get("sslmode") not in _VERIFIED:
        detail = f"The connection to {host} is encrypted, but the server's certificate is not verified."
        yield warning(DATABASE, detail, "Use sslmode=verify-full and sslrootcert in the address.")


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
    url = settings.redis_url.get_secret_value()
    try:
        external_servers.check_redis(url, patience=0)
        with broker.client(settings, SECONDS) as client:
            server, memory = client.info("server"), client.info("memory")
            host = _host(url, client)
    except ServerError as failure:
        yield error(REDIS, _sentence(failure), _fix(failure, "Check the address, the password and the network."))
        return
    except redis.RedisError as failure:
        yield error(REDIS, _sentence(failure), "Check the rights of the broker's user.")
        return
    product = "Valkey" if "valkey_version" in server else "Redis"
    shown = server.get("valkey_version") or server.get("redis_version")
    named = f", named by {redis_client.shown(url)}" if redis_client.is_sentinel(url) else ""
    yield ok(REDIS, f"{product} {shown} at {host or 'the local socket'}{named}.")
    yield from _encryption(REDIS, host, is_encrypted=redis_tls.is_tls(url))
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        detail = f"With maxmemory-policy {policy} it deletes messages when its memory is full."
        yield warning(REDIS, detail, "Set maxmemory-policy noeviction.")


def _host(url: str, client: redis.Redis) -> str | None:
    """Return the host of the server that the client has used; None for the local socket."""
    if redis_client.is_sentinel(url):
        address_of_primary = client.connection_pool.master_address  # type: ignore[attr-defined] # of its own kind
        return None if address_of_primary is None else str(address_of_primary[0])
    return urlsplit(url).hostname


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
        fix = "sslmode=verify-full in the address" if subject == DATABASE else "TLS (rediss:// or sentinels://)"
        yield warning(subject, f"The connection to {host} is not encrypted.", f"Use {fix}.")


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
    plain = url.partition("?")[0]
    return sa.make_url(plain).render_as_string(hide_password=True) if "@" in plain else plain
