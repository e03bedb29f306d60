"""Checks whether the external servers and the storage in the settings are available and recent enough.

An error is one line that names the setting and contains no password. Database and broker are not
changed; in the storage a test file is written and deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psycopg
import redis
from sqlalchemy.exc import ArgumentError

from worker.config.settings import Settings, get_settings
from worker.database import address, certificate_faults
from worker.queue import redis_client
from worker.runtime.processes.child import ServerError, wait_until
from worker.storage import files

DATABASE_SETTING, REDIS_SETTING = "NUMBERYARD_DATABASE_URL", "NUMBERYARD_REDIS_URL"
STORAGE_SETTING = "NUMBERYARD_STORAGE_URL"
OLDEST_POSTGRES, OLDEST_REDIS = 15, 7
# Long enough for a server that is starting at the same time, short enough for a user who mistyped the address.
PATIENCE = 5.0
ATTEMPT_TIMEOUT = 3


@dataclass
class _Attempt:
    failure: str = ""

    def made(self, ask: Callable[[], None]) -> bool:
        """Try the server once; keep the error for the message."""
        try:
            ask()
        except (psycopg.Error, redis.RedisError, OSError) as error:
            self.failure = " ".join(str(error).split())
            return False
        return True


def check_postgres(url: str, patience: float = PATIENCE) -> None:
    """Raise ServerError unless PostgreSQL 15 or later accepts a login at `url` within `patience` seconds."""
    try:
        parsed = address.parse(url)
    except ArgumentError as error:
        message = f"{DATABASE_SETTING}: {error}, expected postgresql://user:password@host:port/name"
        raise ServerError(message) from None
    arguments = address.driver_arguments(parsed) | {"connect_timeout": ATTEMPT_TIMEOUT}

    def ask() -> None:
        try:
            with psycopg.connect(**arguments) as connection:
                judge_postgres(connection.info.server_version, connection.info.parameter_status("server_version") or "")
        except psycopg.OperationalError as error:
            message = certificate_faults.explain(str(error), arguments, ATTEMPT_TIMEOUT)
            raise psycopg.OperationalError(message) from None

    server = f"PostgreSQL at {address.shown(parsed)}"
    _ask_until(DATABASE_SETTING, server, ask, patience, *address.secrets_of(parsed))


def check_database(settings: Settings) -> None:
    """Raise ServerError unless the database of the settings can be used; `LookupError` if none is set."""
    if settings.database_url is None:
        raise LookupError(f"{DATABASE_SETTING} is not set")
    check_postgres(settings.database_url.get_secret_value())


def check_redis(url: str, patience: float = PATIENCE) -> None:
    """Raise ServerError unless Redis 7+ or any Valkey accepts a login at `url` within `patience` seconds."""
    try:
        client = redis_client.connect(url, get_settings(), ATTEMPT_TIMEOUT)
    except ValueError as error:
        message = f"{REDIS_SETTING}: not a Redis address, expected redis://:password@host:port/0"
        raise ServerError(message) from error
    options = client.connection_pool.connection_kwargs

    def ask() -> None:
        with client:
            judge_redis(client.info("server"))

    password = options.get("password")
    server = f"Redis at {redis_client.shown(url)}"
    _ask_until(REDIS_SETTING, server, ask, patience, *([str(password)] if password else []))


def check_storage(settings: Settings) -> None:
    """Raise ServerError, with the error of the storage, unless a file can be stored, read and deleted there."""
    try:
        files.try_out(settings)
    except (files.StoreError, OSError, ValueError) as error:
        message = f"{STORAGE_SETTING}: the storage can't be used: {' '.join(str(error).split())}"
        raise ServerError(message) from error


def _ask_until(setting: str, server: str, ask: Callable[[], None], patience: float, *passwords: str) -> None:
    attempt = _Attempt()
    if wait_until(lambda: attempt.made(ask), patience):
        return
    reason = attempt.failure
    for password in passwords:
        reason = reason.replace(password, "***")
    message = f"{setting}: {server} can't be used: {reason}"
    raise ServerError(message)


def judge_postgres(version: int, shown: str) -> None:
    """Raise ServerError if a version in libpq's format (150004) is too old; `shown` is the server's own text."""
    if version < OLDEST_POSTGRES * 10_000:
        message = f"{DATABASE_SETTING}: PostgreSQL {shown} is too old, {OLDEST_POSTGRES} or later is needed"
        raise ServerError(message)


def judge_redis(info: Mapping[str, object]) -> None:
    """Raise ServerError if INFO (section `server`) reports too old a Redis. Valkey began with 7.2: any will do."""
    version_text = str(info.get("redis_version", "0"))
    if "valkey_version" in info or int(version_text.partition(".")[0]) >= OLDEST_REDIS:
        return
    message = f"{REDIS_SETTING}: Redis {version_text} is too old, {OLDEST_REDIS} or later, or Valkey, is needed"
    raise ServerError(message)
