"""Clients of the broker: of one server, or of the primary that Redis Sentinel names at that moment.

Addresses of sentinels have Celery's form, `sentinel://:password@host1:26379/0;sentinel://host2:26379`. User, password
and database are those of the first one; they are the primary's, sentinels have a password of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from worker.config.settings import SENTINEL_SCHEMES, Settings
from worker.queue import redis_tls

PORT, SENTINEL_PORT = 6379, 26379
_KIND = re.compile(r"\b[A-Z][A-Za-z]*Error\b")
RETRIES = 1  # with the primary of that moment, after a connection to an earlier one broke; without a pause


@dataclass(frozen=True)
class Sentinels:
    """The parts of an address of sentinels."""

    hosts: tuple[tuple[str, int], ...]
    username: str | None
    password: str | None
    database: int

    @classmethod
    def of(cls, url: str) -> Sentinels:
        """Parse an address. ValueError if a part of it is none."""
        parts = [urlsplit(part.strip()) for part in url.split(";")]
        if any(part.scheme not in SENTINEL_SCHEMES or not part.hostname for part in parts):
            raise ValueError("not an address of sentinels")
        first = parts[0]
        return cls(
            tuple((part.hostname or "", part.port or SENTINEL_PORT) for part in parts),
            unquote(first.username) if first.username else None,
            unquote(first.password) if first.password else None,
            int(first.path.strip("/") or 0),
        )


class _Sentinel(Sentinel):
    """The sentinels; their errors name the kinds of faults, without the options of the clients."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return the address of the primary. `MasterNotFoundError`."""
        try:
            found: tuple[str, int] = super().discover_master(service_name)  # type: ignore[no-untyped-call]
        except MasterNotFoundError as error:
            kinds = sorted(set(_KIND.findall(str(error))))
            causes = f" ({', '.join(kinds)})" if kinds else ""
            raise MasterNotFoundError(f"No sentinel names a primary for {service_name!r}{causes}") from None
        return found


class SentinelClient(redis.Redis):
    """A client of the primary that also closes its connections to the sentinels."""

    def close(self) -> None:
        """Close all connections."""
        super().close()
        self.connection_pool.sentinel_manager.close()  # type: ignore[attr-defined] # of its SentinelConnectionPool


def is_sentinel(url: str) -> bool:
    """Return whether an address is one of sentinels."""
    return urlsplit(url.partition(";")[0]).scheme in SENTINEL_SCHEMES


def connect(url: str, settings: Settings, timeout: float, **more: Any) -> redis.Redis:  # noqa: ANN401 - redis-py's options
    """Return a new client; `timeout`: seconds for each operation. ValueError if the address is none."""
    options = {"socket_timeout": timeout, "socket_connect_timeout": timeout, **redis_tls.options(url, settings), **more}
    if not is_sentinel(url):
        return redis.Redis.from_url(url, **options)
    address = Sentinels.of(url)
    manager = _Sentinel(  # type: ignore[no-untyped-call]
        list(address.hosts),
        sentinel_kwargs=sentinel_options(url, settings, timeout),
        username=address.username,
        password=address.password,
        db=address.database,
        ssl=redis_tls.is_tls(url),
        **{"retry": Retry(NoBackoff(), RETRIES), **options},
    )
    client: redis.Redis = manager.master_for(  # type: ignore[no-untyped-call]
        str(settings.redis_master_name), SentinelClient
    )
    return client


def sentinel_options(url: str, settings: Settings, timeout: float) -> dict[str, object]:
    """Return the keyword arguments of clients of the sentinels. If one does not respond, the next is asked at once."""
    password = settings.redis_sentinel_password
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "password": None if password is None else password.get_secret_value(),
        "ssl": redis_tls.is_tls(url),
        **redis_tls.options(url, settings),
    }


def celery_url(url: str) -> str:
    """Return the address as kombu takes it: with one scheme for sentinels, and a password for each of them.

    When kombu changes to the next sentinel, it takes user, password and database from that one's part of the address.
    """
    if not is_sentinel(url):
        return url
    _, _, rest = url.partition(";")[0].partition("://")
    user, at, server = rest.rpartition("@")
    _, slash, database = server.partition("/")
    hosts = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in Sentinels.of(url).hosts)
    return ";".join(f"sentinel://{user}{at}{host}{slash}{database}" for host in hosts)


def shown(url: str) -> str:
    """Return the servers of an address for messages, without a password."""
    if is_sentinel(url):
        return "the sentinels " + ", ".join(f"{host}:{port}" for host, port in Sentinels.of(url).hosts)
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or PORT}" if parts.scheme != "unix" else parts.path
