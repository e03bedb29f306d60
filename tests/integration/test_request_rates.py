"""Requests per minute (R37): counted by a real Valkey, with the header fields that a parser of others reads.

And what happens while it is away, or silent: requests go on, and hardly any of them waits.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import http_sf
import pytest
import redis
import sqlalchemy as sa
from limits.storage.redis import RedisStorage
from werkzeug.test import TestResponse

from schemas.quotas import Quota
from tests.support.api_client import Door, application
from tests.support.factories import World
from tests.support.portal_client import Portal, signed_in, text_of
from worker.accounts import tenant_quotas
from worker.queue import request_rates

Given = Callable[..., None]
MANY = 200


@pytest.fixture
def minute(database: sa.Engine, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:  # noqa: ARG001 - its settings come first
    """The present minute and its seconds that are left, which only the test changes; no count is left of others."""
    with redis.Redis.from_url(broker_url) as client:
        for key in client.scan_iter(f"{request_rates.PREFIX}:*"):
            client.delete(key)
    now = [(1000, 42)]
    monkeypatch.setattr(request_rates, "_now", lambda: now[-1])
    return now


def member_of(text: str) -> tuple[str, dict[str, int]]:
    """The only member of a list, with its parameters."""
    members: Any = http_sf.parse(text.encode(), tltype="list")
    ((name, parameters),) = members
    return str(name), dict(parameters)


def fields(answer: TestResponse) -> tuple[tuple[int, int], tuple[int, int]]:
    """The limit and its window, what is left of it and for how long, as a parser of structured fields reads them."""
    (policy, asked), (name, left) = (member_of(answer.headers[field]) for field in ("RateLimit-Policy", "RateLimit"))
    assert policy == name == "requests"
    return (asked["q"], asked["w"]), (left["r"], left["t"])


def test_every_answer_says_what_is_left(api: Door, configure: Given, minute: list[tuple[int, int]]) -> None:
    configure(quota_requests_per_minute=5)
    assert fields(api.get("/v1/jobs")) == ((5, 60), (4, 42))
    assert fields(api.get("/v1/jobs/nothing")) == ((5, 60), (3, 42))  # also a refusal
    minute.append((1000, 7))
    assert fields(api.get("/v1/numbers")) == ((5, 60), (2, 7))
    assert "RateLimit" not in api.client.get("/v1/jobs").headers  # nobody's
    assert "RateLimit" not in api.get("/livez").headers


def test_a_request_beyond_the_limit_is_refused_until_the_next_minute(
    api: Door, world: World, configure: Given, minute: list[tuple[int, int]]
) -> None:
    configure(quota_requests_per_minute=3)
    assert [api.get("/v1/jobs").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    answer = api.post("/v1/deletions", {"numbers": ["+12125550142"]})
    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json")
    problem = answer.json
    assert (problem["code"], problem["quota"], problem["limit"]) == ("RATE_LIMITED", Quota.REQUESTS, 3)
    assert answer.headers["Retry-After"] == "42"
    assert fields(answer) == ((3, 60), (0, 42))
    assert "3 requests per minute" in problem["detail"]
    for other in (world.clinic, world.south):  # below it, and beside it
        assert api.as_(other.token).get("/v1/jobs").status_code == 200
    minute.append((1001, 60))
    assert api.get("/v1/jobs").status_code == 200


def test_of_requests_at_once_no_more_than_the_limit_pass(
    api: Door, configure: Given, minute: list[tuple[int, int]]
) -> None:
    configure(quota_requests_per_minute=5)
    assert minute

    def ask(_: int) -> int:
        return Door(application().test_client(), api.token, api.work_off).get("/v1/jobs").status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(20)))
    assert sorted(statuses) == [200] * 5 + [429] * 15


def test_the_tenants_own_limit_holds_from_the_next_request_on(
    api: Door, world: World, configure: Given, database: sa.Engine, minute: list[tuple[int, int]]
) -> None:
    configure(quota_requests_per_minute=1000)
    assert fields(api.get("/v1/jobs"))[0] == (1000, 60)
    for limit, expected in ((2, (2, 60)), (None, (1000, 60))):
        with database.begin() as connection:
            tenant_quotas.change(connection, world.north.id, {Quota.REQUESTS: limit})
        assert fields(api.get("/v1/jobs"))[0] == expected
    with database.begin() as connection:
        tenant_quotas.change(connection, world.north.id, {Quota.REQUESTS: 0})
    assert "RateLimit-Policy" not in api.get("/v1/jobs").headers
    assert minute


def test_scripts_of_the_company_keep_nobody_out_of_the_portal(
    api: Door, portal: Portal, world: World, configure: Given, database: sa.Engine, minute: list[tuple[int, int]]
) -> None:
    configure(quota_requests_per_minute=3)
    while api.get("/v1/jobs").status_code != 429:
        pass
    assert [portal.get("/overview").status_code for _ in range(4)] == [200, 200, 200, 429]
    page = portal.get("/overview")
    assert "3 requests per minute" in text_of(page)
    assert page.headers["Retry-After"] == "42"
    colleague = signed_in(database, world.north.tenant, "colleague@north.example")
    assert colleague.get("/overview").status_code == 200
    assert portal.client.get("/sign-in").status_code != 429
    assert minute


# Without a broker that responds


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def many() -> list[request_rates.Minute | None]:
    return [request_rates.count("tenant/somebody") for _ in range(MANY)]


def test_while_it_is_away_many_requests_together_wait_less_than_a_second(
    api: Door, configure: Given, silent: int
) -> None:
    configure(quota_requests_per_minute=1)
    for port in (closed_port(), silent):
        configure(redis_url=f"redis://127.0.0.1:{port}/0")
        began = time.monotonic()
        assert many() == [None] * MANY
        assert time.monotonic() - began < 1.0
        answers = [api.get("/v1/jobs") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert answers[-1].headers["RateLimit-Policy"] == '"requests";q=1;w=60'
        assert "RateLimit" not in answers[-1].headers
        assert {state["name"]: state["used"] for state in api.get("/v1/quotas").json["data"]}[Quota.REQUESTS] is None


def test_requests_at_once_wait_once_at_most(configure: Given, database: sa.Engine, silent: int) -> None:
    assert database
    configure(redis_url=f"redis://127.0.0.1:{silent}/0")
    began = time.monotonic()
    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(lambda _: request_rates.count("tenant/somebody"), range(MANY))) == {None}
    assert time.monotonic() - began < 2 * request_rates.ANSWER_SECONDS + 1.0  # of one wave, on a busy machine


def test_a_name_that_is_not_resolved_is_waited_for_once(
    configure: Given, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database
    configure(redis_url="redis://broker.invalid:6379/0")
    go = threading.Event()

    def resolve(*_: object, **__: object) -> list[object]:
        go.wait(60)
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    try:
        began = time.monotonic()
        assert many() == [None] * MANY
        assert time.monotonic() - began < request_rates.ANSWER_SECONDS + 0.5
    finally:
        go.set()


def test_it_counts_again_after_a_pause(
    configure: Given, database: sa.Engine, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database
    configure(redis_url=f"redis://127.0.0.1:{closed_port()}/0")
    assert request_rates.count("tenant/again") is None
    monkeypatch.setattr(request_rates, "_storage", good_storage(broker_url))
    assert request_rates.count("tenant/again") is None  # not asked: the pause lasts
    monkeypatch.setattr(request_rates._breaker(), "_pause_until", time.monotonic() - 1)  # noqa: SLF001 - the pause is over
    minute = request_rates.count("tenant/again")
    assert minute is not None
    assert minute.requests >= 1
    assert request_rates.count("tenant/again") is not None


def good_storage(url: str) -> Callable[[], object]:
    storage = RedisStorage(
        "redis://", connection_pool=redis.ConnectionPool.from_url(url), key_prefix=request_rates.PREFIX
    )
    return lru_cache(lambda: storage)


def test_one_request_is_one_command(database: sa.Engine, broker_url: str) -> None:
    """Also the keys go away by themselves."""
    assert database
    request_rates.count("tenant/one")
    with redis.Redis.from_url(broker_url) as client:
        before = calls(client)
        for _ in range(10):
            request_rates.count("tenant/one")
        assert calls(client) - before == 10
        (key,) = client.keys(f"{request_rates.PREFIX}:tenant/one/*")
        assert 0 < client.ttl(key) <= 60


def calls(client: redis.Redis) -> int:
    """How many scripts were called; the other tests' commands are others."""
    return int(client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])
