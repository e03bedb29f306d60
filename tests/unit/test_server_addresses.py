"""Addresses of several servers: of a PostgreSQL with standbys, and of Redis Sentinel."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pydantic import SecretStr, ValidationError

from worker.config.settings import Settings
from worker.database import address
from worker.queue import redis_client


@pytest.mark.parametrize(
    ("text", "hosts", "shown"),
    [
        ("postgresql+psycopg://u:p%40@h1:5433,h2/db", ("h1", "h2"), "h1:5433 or h2:5432"),
        ("postgres://u@[::1]:1,h2:2/db?sslmode=require", ("::1", "h2"), "::1:1 or h2:2"),
        ("postgresql://u:p@/db?host=h1:1&host=h2:2", ("h1", "h2"), "h1:1 or h2:2"),
        ("postgresql://u:p@h/db", ("h",), "h:5432"),
        ("postgresql:///db", (), "the local socket"),
    ],
)
def test_addresses(text: str, hosts: tuple[str, ...], shown: str) -> None:
    url = address.parse(text)
    assert (address.hosts_of(url), address.shown(url)) == (hosts, shown)
    assert url.query.get("target_session_attrs") == ("read-write" if len(hosts) > 1 else None)
    assert address.parse(url.render_as_string(hide_password=False)) == url


@pytest.mark.parametrize(
    "text", ["x", "mysql://h/db", "postgresql://u:secret@h1:x,h2/db", "postgresql://u:secret@h:x/db"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(sa.exc.ArgumentError) as failure:
        address.parse(text)
    assert "secret" not in str(failure.value)


def test_the_name_is_needed() -> None:
    with pytest.raises(ValidationError, match="needed with sentinel://"):
        Settings(redis_url=SecretStr("sentinel://localhost"))


def test_every_sentinel_gets_the_password_of_the_first() -> None:
    url = "sentinels://user:p%40@h1:1/3;sentinels://h2"
    assert redis_client.celery_url(url) == "sentinel://user:p%40@h1:1/3;sentinel://user:p%40@h2:26379/3"
    assert redis_client.Sentinels.of(url) == redis_client.Sentinels((("h1", 1), ("h2", 26379)), "user", "p@", 3)
    assert redis_client.shown(url) == "the sentinels h1:1, h2:26379"
