"""The database's address, of one server or of several of which one is the primary; as SQLAlchemy and libpq write it."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+psycopg"
PORT = 5432
_NO_ADDRESS = "not a PostgreSQL address"
_BACKENDS = frozenset({"postgresql", "postgres"})
# libpq's form for several servers, postgresql://user:password@host:port,host:port/name, which SQLAlchemy does not know.
_SEVERAL = re.compile(
    r"(?P<begin>[\w+]+://(?:[^@/?]*@)?)(?P<hosts>[^@/?]*,[^@/?]*)(?P<path>/[^?]*)?(?:\?(?P<query>.*))?"
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:,\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


def parse(text: str) -> sa.URL:
    """Return the address with the one driver that we use. `ArgumentError`, without the address, if it is none.

    With several servers, connections go to the one that takes writes, unless the address says otherwise.
    """
    try:
        url = sa.make_url(_as_sqlalchemy_writes(text))
        hosts = hosts_of(url)
    except (ValueError, ArgumentError):
        raise ArgumentError(_NO_ADDRESS) from None
    if url.get_backend_name() not in _BACKENDS:
        raise ArgumentError(_NO_ADDRESS)
    if len(hosts) > 1 and "target_session_attrs" not in url.query:
        url = url.update_query_dict({"target_session_attrs": "read-write"})
    return url.set(drivername=DRIVER)


def _as_sqlalchemy_writes(text: str) -> str:
    several = _SEVERAL.fullmatch(text)
    if several is None:
        return text
    found = [_HOST.fullmatch(host) for host in several["hosts"].split(",")]
    hosts = ",".join(host["host"].strip("[]") for host in found if host is not None)
    ports = ",".join(host["port"] or str(PORT) for host in found if host is not None)
    if None in found:
        raise ValueError
    query = f"&{several['query']}" if several["query"] else ""
    return f"{several['begin']}{several['path'] or '/'}?host={hosts}&port={ports}{query}"


def driver_arguments(url: sa.URL) -> dict[str, Any]:
    """Return the keyword arguments of `psycopg.connect` for a parsed address."""
    _, arguments = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
    return dict(arguments)


def hosts_of(url: sa.URL) -> tuple[str, ...]:
    """Return the hosts of a parsed address; none for the local socket."""
    return tuple(host for host in str(driver_arguments(url).get("host") or "").split(",") if host)


def shown(url: sa.URL) -> str:
    """Return the servers of a parsed address as `host:port`, for messages."""
    hosts = hosts_of(url)
    if not hosts:
        return "the local socket"
    ports = str(driver_arguments(url).get("port") or PORT).split(",")
    ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
    return " or ".join(f"{host}:{port or PORT}" for host, port in zip(hosts, ports, strict=True))


def secrets_of(url: sa.URL) -> tuple[str, ...]:
    """Return the passwords in a parsed address, none of which is ever shown."""
    arguments = driver_arguments(url)
    return tuple(str(arguments[name]) for name in ("password", "sslpassword") if arguments.get(name))
