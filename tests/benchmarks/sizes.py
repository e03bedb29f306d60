"""What everybody looks at, and the service's own rounds, on a platform of full size and on one of a tenth of it.

Each platform has a database of its own: numbers, tenants, users, and a year of ended jobs. Both are asked in turn, so
that growth per tenfold is a ratio of medians from the same minutes; of several lookers, the worst ratio counts.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from structlog.testing import capture_logs

from schemas.database.tables import jobs
from schemas.permissions import Actor, Tenant
from tests.benchmarks import ended_jobs, figures, inventories
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.inventories import Extent, Stocked
from tests.benchmarks.lab import Lab
from tests.support import factories
from tests.support.portal_client import Portal, signed_in
from tests.support.process_caches import forget
from worker.config.settings import Settings
from worker.database import migrate, tenant_scope
from worker.maintenance import cleaner, rescuer
from worker.numbers import changes
from worker.numbers.changes import Cursor
from worker.runtime.embedded import EmbeddedPostgres

TENTH = 10
TURNS, WARMING = 7, 3  # of each platform in each round; and before what is timed
DEEP = 442_000_000_000  # more than half of all numbers come before it
EXPORTED = 100_000
ENTERPRISES_OF_A_RESELLER = 19
HELD = 0.6  # of all numbers, by enterprises
MOST_PAGE_MS, MOST_GROWTH = 150, 2.0
MS = 1000.0
OPERATOR, ENTERPRISE = "operator", "enterprise"
BELOW = "enterprises"  # which an enterprise has not
METRICS, EXPORT, RESCUE, CLEANING = "/metrics", "export", "rescue round", "cleaning round"
FEED = "feed"
# Of the whole page in the portal (`/...`), or of the response of the API (`/v1/...`). `{}`: a job or change far back.
PAGES: Mapping[str, str] = {
    "numbers": "/numbers",
    "numbers, deep": f"/numbers?cursor={DEEP}",
    "last digits, many": "/numbers?ends_with=4567",
    "last digits, few": "/numbers?ends_with=98765432",
    "overview": "/overview",
    "Activity": "/jobs",
    "Activity, a state": "/jobs?status=failed",
    "Activity, a rare cause": "/jobs?code=TOO_LONG",
    "Activity, no such file": "/jobs?q=no-such-file",
    "jobs": "/v1/jobs",
    "jobs, a kind": "/v1/jobs?kind=assign",
    "jobs, deep": "/v1/jobs?cursor={job}",
    BELOW: "/enterprises",
    f"{BELOW}, search": "/enterprises?q=-001",
    "tenants": "/v1/tenants",
    "users": "/users",
    "users, search": "/users?q=ann",
    "users, list": "/v1/users",
    f"{FEED}, oldest": "/v1/changes",
    f"{FEED}, deep": "/v1/changes?after={change}",
}
Samples = dict[tuple[str, str], list[float]]
"""What was asked, and the looker -> milliseconds."""


@dataclass(frozen=True)
class Extents:
    """How much there is of everything."""

    numbers: int
    tenants: int
    jobs: int
    users: int

    def tenth(self) -> Extents:
        return Extents(*(max(count // TENTH, 10) for count in (self.numbers, self.tenants, self.jobs, self.users)))

    def tree(self) -> Extent:
        """What `inventories` makes of it."""
        resellers = max(self.tenants // (ENTERPRISES_OF_A_RESELLER + 1), 2)
        per_user = max(round(self.numbers * HELD / self.users), 1)
        return Extent(resellers, self.tenants - resellers - 1, per_user)

    def __str__(self) -> str:
        return f"{self.numbers:,} numbers, {self.jobs:,} jobs"


@dataclass(frozen=True)
class Looker:
    """A tenant's person in the portal and token in the API, and the cursors far back that it may use."""

    portal: Portal
    token: str
    job: str
    change: str

    def ask(self, path: str) -> str:
        """A page of the portal or a response of the API; AssertionError if it is none."""
        path = path.format(job=self.job, change=self.change)
        if path.startswith("/v1"):
            answer = self.portal.client.get(path, headers={"Authorization": f"Bearer {self.token}"})
        else:
            answer = self.portal.get(path)
        text = answer.get_data(as_text=True)
        assert answer.status_code == HTTPStatus.OK, f"{path}: {answer.status}: {text[:500]}"
        return text


@dataclass(frozen=True)
class Platform:
    """A filled database, which the settings can be pointed to, and who looks at it."""

    extents: Extents
    url: str
    folder: Path
    filling: float  # seconds
    lookers: Mapping[str, Looker]
    samples: Samples

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """The process works with this database, as long as it lasts."""
        with _settings(self.url, self.folder):
            yield


def scenario(lab: Lab) -> Findings:
    """Pages within 150 ms at the 95th percentile; at most twice as long on a platform of ten times the size."""
    sizes = lab.sizes
    full = Extents(sizes.platform_numbers, sizes.platform_tenants, sizes.platform_jobs, sizes.platform_users)
    with ExitStack() as stack:
        platforms = [stack.enter_context(filled(extents)) for extents in (full.tenth(), full)]
        for platform in platforms:
            with platform.in_use():
                for _ in range(WARMING):
                    measured(replace(platform, samples={}), 1)
                measured_day(platform)
        gc.collect()
        gc.freeze()  # as in a web process
        for _ in range(lab.rounds):
            for platform in platforms:
                with platform.in_use():
                    measured(platform, TURNS if sizes.judged else 1)
                    measured_rounds(platform)
    tenth, whole = platforms
    return Findings(
        [
            *(Figure(f"filling, {one.extents}", one.filling, "s") for one in platforms),
            *compared(tenth.samples, whole.samples, judged=sizes.judged),
        ],
        {
            str(one.extents): {f"{name}, {looker}": found for (name, looker), found in one.samples.items()}
            for one in platforms
        },
    )


@contextmanager
def filled(extents: Extents) -> Iterator[Platform]:
    """A platform of this size in a database of its own."""
    with tempfile.TemporaryDirectory(prefix="numberyard-sizes-") as name, ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(EmbeddedPostgres(folder / "server"))
        began = time.perf_counter()
        migrate.upgrade(Settings(database_url=SecretStr(server.url)))
        engine = sa.create_engine(server.url)
        stack.callback(engine.dispose)
        with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
            tree = inventories.stock(connection, extents.numbers, extents.tree())
            ended_jobs.fill(connection, engine, tree, extents.jobs)
        filling = time.perf_counter() - began
        with _settings(server.url, folder):
            lookers = {name: _looker(engine, tenant_id) for name, tenant_id in _tenants(tree).items()}
        yield Platform(extents, server.url, folder, filling, lookers, {})


def measured(platform: Platform, turns: int) -> None:
    """Ask for all pages, the metrics and the first block of an export, so many times."""
    for someone in platform.lookers.values():
        someone.ask("/overview")  # the process connects to the database
    for _ in range(turns):
        for looker, someone in platform.lookers.items():
            for name, path in PAGES.items():
                if looker == ENTERPRISE and name.startswith(BELOW):
                    continue
                _time(platform, name, looker, lambda: someone.ask(path))  # noqa: B023 - at once
            _time(platform, f"{EXPORT}, first block", looker, lambda: _exported(someone, 1))  # noqa: B023
        _time(platform, METRICS, OPERATOR, lambda: _scraped(platform.lookers["master"]))


def measured_rounds(platform: Platform) -> None:
    """Export many numbers, and run a round of the rescuer and of the cleaner."""
    _time(platform, f"{EXPORT}, {EXPORTED:,}", "master", lambda: _exported(platform.lookers["master"], EXPORTED))
    _time(platform, RESCUE, OPERATOR, _undisturbed(rescuer.rescue))
    _time(platform, CLEANING, OPERATOR, _undisturbed(cleaner.clean))


def measured_day(platform: Platform) -> None:
    """Run the first cleaning round of a day, which counts all numbers."""
    _time(platform, "first cleaning of a day", OPERATOR, _undisturbed(cleaner.clean))


def compared(tenth: Samples, whole: Samples, *, judged: bool) -> Iterator[Figure]:
    """For everything that was asked: p95 of all lookers together, and the worst ratio of medians of one looker."""
    for name in dict.fromkeys(name for name, _ in whole):
        found = {looker: milliseconds for (asked, looker), milliseconds in whole.items() if asked == name}
        growths = {
            looker: figures.ratio(figures.median(spent), figures.median(tenth[name, looker]))
            for looker, spent in found.items()
        }
        spent = [one for milliseconds in found.values() for one in milliseconds]
        is_page = name in PAGES
        is_grown = (is_page and not name.startswith(FEED)) or name == METRICS
        note = f"p50 {figures.shown(figures.median(spent))}"
        yield Figure(
            f"{name}: p95",
            figures.percentile(spent, 95),
            "ms",
            guarded(judged and is_page, at_most(MOST_PAGE_MS)),
            note,
        )
        worst = max(growths, key=lambda looker: growths[looker] or 0.0)
        yield Figure(
            f"{name}: growth per tenfold",
            growths[worst],
            "x",
            guarded(judged and is_grown, at_most(MOST_GROWTH)),
            worst,
        )


@contextmanager
def _settings(url: str, folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NUMBERYARD_DATABASE_URL", url)
        environment.setenv("NUMBERYARD_DATA_DIR", str(folder / "data"))
        environment.setenv("NUMBERYARD_QUOTA_REQUESTS_PER_MINUTE", "0")  # no broker counts them
        environment.setenv("NUMBERYARD_LOG_LEVEL", "ERROR")  # it stays: the figures are what is to be read
        forget()
        try:
            yield
        finally:
            forget()


def _tenants(tree: Stocked) -> dict[str, int]:
    first = tree.resellers[0]
    return {"master": tree.master, "largest reseller": first, ENTERPRISE: tree.enterprises[first][0]}


def _looker(engine: sa.Engine, tenant_id: int) -> Looker:
    with engine.begin() as connection:
        tenant = tenant_scope.tenant_by_id(connection, tenant_id)
        token = factories.token(connection, tenant)
        job, change = _job_far_back(connection, tenant), _change_far_back(connection, tenant)
    return Looker(signed_in(engine, tenant), token, job, change)


def _job_far_back(connection: sa.Connection, tenant: Tenant) -> str:
    """Return the public id of the job before which half of all that the tenant sees were created."""
    seen = sa.select(jobs.c.public_id).where(tenant_scope.jobs_of(tenant))
    count: int = connection.execute(sa.select(sa.func.count()).select_from(seen.subquery())).scalar_one()
    return str(connection.execute(seen.order_by(jobs.c.created_at).offset(count // 2).limit(1)).scalar_one())


def _change_far_back(connection: sa.Connection, tenant: Tenant) -> str:
    """Return the cursor behind half of the changes that the tenant sees."""
    actor = Actor(tenant, "bench")
    half = Cursor(changes.last(connection, actor).position // 2)
    return str(changes.marked(connection, actor, half))


def _scraped(looker: Looker) -> None:
    answer = looker.portal.client.get("/metrics")
    assert "numberyard_ledger_up 1" in answer.get_data(as_text=True), answer.status


def _exported(looker: Looker, numbers: int) -> None:
    """Read the CSV of all numbers until so many have arrived, or all."""
    headers = {"Authorization": f"Bearer {looker.token}", "Accept-Encoding": "identity"}
    answer = looker.portal.client.get("/v1/numbers.csv", headers=headers, buffered=False)
    assert answer.status_code == HTTPStatus.OK, answer.status
    lines = 0
    for block in answer.iter_encoded():
        lines += block.count(b"\n")
        if lines > numbers:
            break
    answer.close()


def _undisturbed(run: Callable[[], None]) -> Callable[[], None]:
    """The round, which fails if one of its steps has failed: it would only have logged that."""

    def strict() -> None:
        with capture_logs() as logs:
            run()
        failed = [line for line in logs if line["event"] in {"sweep_failed", "tidying_failed"}]
        assert not failed, failed

    return strict


def _time(platform: Platform, name: str, looker: str, ask: Callable[[], object]) -> None:
    began = time.perf_counter()
    ask()
    platform.samples.setdefault((name, looker), []).append((time.perf_counter() - began) * MS)
