"""How long a page of the inventory takes with millions of numbers, for each filter and each kind of looker.

The database is one of its own, as `inventories` fills it, twice: many tenants, and one that has all. Pages are asked
for in turn, so that none is warmer than it would be for somebody who goes from one to the other.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from schemas.permissions import Actor
from tests.benchmarks import figures, inventories
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.inventories import Stocked
from tests.benchmarks.lab import Lab
from tests.support.portal_client import Portal, signed_in
from tests.support.process_caches import forget
from webhook.http import gunicorn_conf
from worker.config.settings import Settings
from worker.database import migrate, tenant_scope
from worker.numbers import facets, filters, queries, selections
from worker.numbers.filters import NumberFilter
from worker.runtime.embedded import EmbeddedPostgres

TURNS, FEW_TURNS = 40, 20
PAGE = 50
CAP = 1_000  # numbers that are counted for a page, beyond which it says "more than"
DEEP = 442_000_000_000  # more than half of all numbers come before it
MS = 1000.0
Ask = Callable[[sa.Connection, Actor], object]


def scenario(lab: Lab) -> Findings:
    """A page of 50 within 150 ms at the 95th percentile, whatever is asked for; what the filters offer within 50."""
    with tempfile.TemporaryDirectory(prefix="numberyard-lists-") as folder, EmbeddedPostgres(Path(folder)) as server:
        migrate.upgrade(Settings(database_url=SecretStr(server.url)))
        engine = sa.create_engine(server.url)
        with (
            psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as fill,
            engine.connect() as connection,
        ):
            tree = inventories.stock(fill, lab.sizes.listed)
            gunicorn_conf.post_worker_init(None)  # as in a web process
            pages, offers = measured(connection, tree, TURNS)
            whole = portal_pages(server.url, engine, connection, tree)
            inventories.one_has_all(fill, tree, lab.sizes.listed)
            alone, offers_alone = measured(connection, tree, FEW_TURNS)
        engine.dispose()
    tables = {
        "": pages,
        "whole page: ": whole,
        "offer: ": offers,
        "one has all: ": alone,
        "one has all, offer: ": offers_alone,
    }
    return Findings(
        [
            Figure(
                f"{kind}{name}: p95",
                figures.percentile(found, 95),
                "ms",
                guarded(lab.sizes.judged, at_most(50 if "offer" in kind else 150)),
                _median(found),
            )
            for kind, table in tables.items()
            for name, found in table.items()
        ],
        {kind or "page": table for kind, table in tables.items()},
    )


def measured(
    connection: sa.Connection, tree: Stocked, turns: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Milliseconds by filter and looker: of pages, the first and one deep down in turn; of what the boxes offer."""
    connection.rollback()
    pages: dict[str, list[float]] = {}
    offers: dict[str, list[float]] = {}
    lookers = {
        name: Actor(tenant_scope.tenant_by_id(connection, one), "bench") for name, one in lookers_of(tree).items()
    }
    filters = filters_of(connection, tree)
    for turn in range(turns):
        after = DEEP if turn % 2 else None
        for looker, actor in lookers.items():
            for name, asked in filters.items():
                wanted = NumberFilter(**asked)
                seconds = _timed(lambda: _page(connection, actor, wanted, after))  # noqa: B023 - at once
                pages.setdefault(f"{name}, {looker}", []).append(seconds * MS)
            for name, ask in _offers():
                offers.setdefault(f"{name}, {looker}", []).append(_timed(lambda: ask(connection, actor)) * MS)  # noqa: B023
    return pages, offers


def portal_pages(url: str, engine: sa.Engine, connection: sa.Connection, tree: Stocked) -> dict[str, list[float]]:
    """Milliseconds of the portal's page, rendered, with all that its filters offer: by filter, of all lookers."""
    found: dict[str, list[float]] = {}
    long: set[tuple[int, str]] = set()
    filters = filters_of(connection, tree)
    tenants = [tenant_scope.tenant_by_id(connection, one) for one in lookers_of(tree).values()]
    connection.rollback()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NUMBERYARD_DATABASE_URL", url)
        environment.setenv("NUMBERYARD_LOG_LEVEL", "ERROR")  # it stays: the figures are what is to be read
        forget()
        browsers = [signed_in(engine, tenant) for tenant in tenants]
        for browser in browsers:
            _shown(browser, {})  # the application puts its templates together once
        gunicorn_conf.post_worker_init(None)
        for turn in range(TURNS // len(browsers)):
            for browser in browsers:
                for name, asked in filters.items():
                    # Where a page has all there is, no other follows.
                    query = {**asked, **({"cursor": DEEP} if turn % 2 and (id(browser), name) in long else {})}
                    began = time.perf_counter()
                    page = _shown(browser, query)
                    found.setdefault(name, []).append((time.perf_counter() - began) * MS)
                    if "Next page" in page:
                        long.add((id(browser), name))
                began = time.perf_counter()
                assert browser.get("/overview").status_code == HTTPStatus.OK
                found.setdefault("overview", []).append((time.perf_counter() - began) * MS)
    forget()
    return found


def _shown(browser: Portal, query: Mapping[str, Any]) -> str:
    answer = browser.get("/numbers", query_string=query)
    assert answer.status_code == HTTPStatus.OK, answer.status
    return answer.get_data(as_text=True)


def lookers_of(tree: Stocked) -> dict[str, int]:
    """One of each level, and of the resellers the largest."""
    first = tree.resellers[0]
    return {
        "master": tree.master,
        "largest reseller": first,
        "reseller": tree.resellers[10],
        "enterprise": tree.enterprises[first][0],
    }


def filters_of(connection: sa.Connection, tree: Stocked) -> Mapping[str, Mapping[str, Any]]:
    """Each filter with what many numbers have, few, and none; and pairs."""
    ids = {row.id: row.public_id for row in connection.execute(sa.text("SELECT id, public_id::text FROM tenants"))}
    first = tree.resellers[0]
    large, small = (ids[tree.enterprises[one][place]] for one, place in ((first, 0), (tree.resellers[-1], -1)))
    master, reseller = ids[tree.master], ids[first]
    user = """SELECT public_id::text FROM users JOIN phone_numbers ON voice_user_id = users.id
        WHERE holder_id = :holder LIMIT 1"""
    someone = connection.execute(sa.text(user), {"holder": tree.enterprises[first][0]}).scalar()
    few, nobody = "Master voice 8", "Master voice 9"
    return {
        "everything": {},
        **{f"status {one}": {"status": one} for one in ("assigned", "unassigned")},
        **{f"capability {one}": {"capability": one} for one in ("voice", "sms", "fax")},
        **{f"country {one}": {"country": one} for one in ("US", "CA", "DE", "GG", "ZW", "+44")},
        "carrier, many": {"carrier": "Master voice 0"},
        "carrier, a reseller's": {"carrier": "Own sms 0"},
        "carrier, few": {"carrier": few},
        "carrier, none": {"carrier": nobody},
        "assigned to tenant, many": {"tenant_id": large},
        "assigned to tenant, few": {"tenant_id": small},
        "assigned to user": {"user_id": someone},
        "uploaded by, master": {"uploaded_by": master},
        "uploaded by, reseller": {"uploaded_by": reseller},
        "uploaded by, few": {"uploaded_by": small},
        **{f"q {one}": {"q": one} for one in ("+1 212", "212", "0212 5", "2", "030 12345", "+999")},
        "status + carrier, few": {"status": "unassigned", "carrier": few},
        "status + country": {"status": "unassigned", "country": "GG"},
        "status + q": {"status": "unassigned", "q": "2"},
        "carrier + country, none": {"carrier": "Own voice 3", "country": "NO"},
        "capability + country": {"capability": "fax", "country": "US"},
        "capability + q": {"capability": "fax", "q": "212"},
        "uploaded by + country": {"uploaded_by": master, "country": "US"},
        "uploaded by + carrier, none": {"uploaded_by": master, "carrier": nobody},
        "user + capability, none": {"user_id": someone, "capability": "fax"},
        "tenant + status": {"tenant_id": large, "status": "unassigned"},
    }


def _offers() -> Iterator[tuple[str, Ask]]:
    yield "countries", facets.countries
    yield "carriers", lambda connection, actor: facets.carrier_names(connection, actor, "voice")
    yield "users", lambda connection, actor: facets.users_named(connection, actor, "ann")
    yield "count", _counted(NumberFilter())
    yield "count of many", _counted(NumberFilter(capability="voice"))


def _page(connection: sa.Connection, actor: Actor, asked: NumberFilter, after: int | None) -> None:
    queries.page(connection, filters.resolve(connection, actor, asked).beyond(after), PAGE)


def _counted(asked: NumberFilter) -> Ask:
    return lambda connection, actor: selections.all_up_to(connection, filters.resolve(connection, actor, asked), CAP)


def _timed(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def _median(found: list[float]) -> str:
    return f"p50 {figures.shown(figures.percentile(found, 50))}"
