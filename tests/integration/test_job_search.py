"""Activity is found by file, person, kind, state, day and cause, page by page, at a cost that has a bound (R3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.database.tables import jobs
from schemas.permissions import Actor, Tenant, TenantKind
from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.portal_client import Portal, signed_in, text_of
from tests.support.servers.databases import rows_read
from worker.jobs import search
from worker.jobs.search import JobFilter

DAY = timedelta(days=1)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FAILED = {"results": [["created", "CREATED", 9, 2], ["failed", "INVALID_NUMBER", 3, 11]], "rows_with_warnings": 0}


def entered(connection: sa.Connection, owner: Tenant, **values: Any) -> str:  # noqa: ANN401 - columns
    """A job that has ended."""
    job_id = factories.job(connection, owner)
    defaults = {"status": "completed", "created_at": NOON, "finished_at": NOON, "started_at": NOON}
    connection.execute(jobs.update().where(jobs.c.public_id == job_id).values(defaults | values))
    return job_id


@pytest.fixture
def several(database: sa.Engine, world: World) -> dict[str, str]:
    """Jobs of three tenants in a tree and one beside it, oldest first."""
    north, clinic, south = world.north.tenant, world.clinic.tenant, world.south.tenant
    with database.begin() as connection:
        return {
            "old": entered(connection, north, file_name="Januar 100%.csv", created_at=NOON - 60 * DAY),
            "clinic": entered(connection, clinic, created_by="Nurse@clinic.example", created_at=NOON - 3 * DAY),
            "failing": entered(connection, north, status="completed_with_errors", tally=FAILED, created_at=NOON - DAY),
            "south": entered(connection, south, file_name="Januar 100%.csv", tally=FAILED),
            "delete": entered(connection, clinic, kind="delete", file_name=None),
            "new": entered(
                connection, north, file_name="march_a.csv", created_at=NOON + DAY, finished_at=NOON + 2 * DAY
            ),
        }


NARROWED = (
    ("", "new delete failing clinic old"),
    ("q=januar", "old"),
    ("q=100%25", "old"),
    ("q=h_a", "new"),  # not a wildcard
    ("q=r%25c", ""),
    ("q=nurse@", "clinic"),
    ("q=%20", "new delete failing clinic old"),
    ("kind=delete", "delete"),
    ("status=completed_with_errors", "failing"),
    ("code=INVALID_NUMBER", "failing"),
    ("code=CREATED", ""),
    ("created_after=2026-03-10", "new delete"),
    ("created_after=2026-03-10T12:00:00Z&created_before=2026-03-11", "delete"),
    ("created_before=2026-03-10T12:00:00%2B02:00", "failing clinic old"),
    ("finished_after=2026-03-11T00:00:00Z", "new"),
    ("kind=upload&q=a.csv&created_before=2026-03-11", "failing clinic"),
    ("q=nothing", ""),
)


def test_jobs_are_narrowed(api: Door, several: dict[str, str]) -> None:
    names = {job_id: name for name, job_id in several.items()}
    for query, expected in NARROWED:
        answer = api.get(f"/v1/jobs?{query}")
        assert answer.status_code == 200, answer.json
        assert [names[job["id"]] for job in answer.json["data"]] == expected.split(), query
        assert answer.json["next_cursor"] is None


@pytest.mark.long
@pytest.mark.parametrize("query", ["created_after=yesterday", "created_before=2026-13-01", f"q={'x' * 1000}"])
def test_what_is_no_filter_is_refused(api: Door, query: str) -> None:
    answer = api.get(f"/v1/jobs?{query}")
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")


def pages(connection: sa.Connection, actor: Actor, filters: JobFilter, limit: int) -> Iterator[search.SearchPage]:
    cursor = None
    while True:
        found = search.find(connection, actor, JobFilter(**{**vars(filters), "cursor": cursor}), limit)
        yield found
        if found.cursor is None:
            return
        cursor = factories.public_id(connection, jobs, found.cursor)


@pytest.mark.long
@pytest.mark.parametrize("looker", ["master", "north", "clinic"])
def test_every_page_has_a_bound_and_together_they_have_all(
    database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch, looker: str
) -> None:
    """300 jobs of three tenants, by turns and not; every 40th matches. A page examines at most about 40."""
    monkeypatch.setattr(search, "MOST_EXAMINED", 40)
    owners = [world.north.id, world.clinic.id, world.clinic.id, world.south.id]
    rows = [
        {
            "tenant_id": owners[place % 4 if place < 200 else 1],
            "kind": "upload",
            "status": "failed" if place % 40 == 1 else "completed",
            "created_by": "test",
            "file_name": "a.csv",
            "created_at": NOON + timedelta(minutes=place // 3),
        }
        for place in range(300)
    ]
    with database.begin() as connection:
        connection.execute(jobs.insert(), rows)
        actor = Actor(getattr(world, looker).tenant, "test")
        seen = {"master": set(owners), "north": {world.north.id, world.clinic.id}, "clinic": {world.clinic.id}}[looker]
        expected = [place for place, row in enumerate(rows) if row["tenant_id"] in seen]
        ids = connection.execute(sa.select(jobs.c.id).order_by(jobs.c.id)).scalars().all()
        everything = list(pages(connection, actor, JobFilter(), 7))
        assert [id_ for page in everything for id_ in page.ids] == [ids[place] for place in reversed(expected)]
        found = list(pages(connection, actor, JobFilter(status="failed"), 2))
        matching = [ids[place] for place in reversed(expected) if rows[place]["status"] == "failed"]
        assert [id_ for page in found for id_ in page.ids] == matching
        assert len(found) > len(expected) // 100  # no page has looked through all


# Jobs of each tenant by turns, so that the newest are of as many tenants as there are.
BY_TURNS = """
    INSERT INTO jobs (tenant_id, kind, status, created_by, created_at)
    SELECT id, 'upload', CASE WHEN turn % 4 = 0 THEN 'failed' ELSE 'completed' END, 'test',
        now() - interval '1 hour' * turn - interval '1 second' * row_number() OVER (PARTITION BY turn ORDER BY id)
    FROM tenants, generate_series(1, 20) AS turn WHERE path @> ARRAY[CAST(:top AS int)]"""


@pytest.mark.long
def test_a_page_of_many_tenants_jobs_reads_few_of_them(
    database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 300 tenants with 20 jobs each: one job of each tenant, and the others that a page examines."""
    monkeypatch.setattr(search, "MOST_EXAMINED", 200)
    with database.begin() as connection:
        for _ in range(297):
            factories.tenant(connection, world.north.tenant, TenantKind.ENTERPRISE)
        connection.execute(sa.text(BY_TURNS), {"top": world.north.id})
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    full = {JobFilter(): True, JobFilter(kind="upload"): True, JobFilter(status="failed"): False}
    for filters, is_full in {**full, JobFilter(q="none"): False}.items():
        condition = sa.true() if filters.status is None else jobs.c.status == filters.status
        query = sa.select(jobs.c.id).where(condition).order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        with database.begin() as connection:
            expected = [] if filters.q else connection.execute(query.limit(10)).scalars().all()
        with database.begin() as connection:
            before = rows_read(connection)
            page = search.find(connection, Actor(world.north.tenant, "test"), filters, 10)
            read = rows_read(connection) - before
        assert page.ids == expected[: len(page.ids)]
        assert len(page.ids) == 10 if is_full else page.cursor is not None, filters
        assert read < 3 * 300 + 3 * 200 + 50, (filters, read)


def test_a_job_elsewhere_is_no_cursor(api: Door, several: dict[str, str]) -> None:
    foreign = api.get(f"/v1/jobs?q=januar&cursor={several['south']}")
    assert (foreign.status_code, foreign.json["code"], foreign.json["field"]) == (422, "INVALID_FIELD", "cursor")


@pytest.mark.long
def test_activity_is_searched_by_its_form(portal: Portal, several: dict[str, str]) -> None:
    def listed(query: str) -> list[str]:
        page = portal.get(f"/jobs?{query}")
        assert page.status_code == 200
        return [name for name, job_id in several.items() if f'id="job-{job_id}"' in page.get_data(as_text=True)]

    assert listed("q=Januar&kind=&status=&from=&to=") == ["old"]
    assert listed("from=2026-03-09&to=2026-03-10") == ["failing", "delete"]
    assert listed("code=INVALID_NUMBER") == ["failing"]
    assert "Failed rows: " in text_of(portal.get("/jobs?code=INVALID_NUMBER"))
    assert "No matching activity" in text_of(portal.get("/jobs?q=nothing"))
    wrong = portal.get("/jobs?from=soon")
    assert wrong.status_code == 422
    assert "Enter a date" in text_of(wrong)
    assert portal.get("/jobs?to=9999-12-31").status_code == 422
    assert portal.get("/jobs?code=%3Cb%3E").status_code == 422


@pytest.mark.long
def test_filters_are_kept_over_pages(
    portal: Portal, database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.begin() as connection:
        for _ in range(27):
            entered(connection, world.north.tenant, file_name="x & y.csv")
    page = portal.get("/jobs?q=x+%26&kind=upload&from=2026-03-10&to=2026-03-10").get_data(as_text=True)
    link = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    for part in ("q=x+%26", "kind=upload", "from=2026-03-10", "to=2026-03-10", "cursor="):
        assert part in link
    following = portal.get(link).get_data(as_text=True)
    assert following.count('id="job-') == 2
    assert "First page" in following
    monkeypatch.setattr(search, "MOST_EXAMINED", 5)
    assert "Search older activity" in portal.get("/jobs?q=nothing").get_data(as_text=True)


def test_r3_the_search_stays_in_the_tree(several: dict[str, str], database: sa.Engine, world: World) -> None:
    browser = signed_in(database, world.clinic.tenant)
    page = browser.get("/jobs?q=januar").get_data(as_text=True)
    assert "No matching activity" in page
    assert several["south"] not in page
