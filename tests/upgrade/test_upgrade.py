"""From the earlier release to this one and back, with jobs of every state and requests all the time.

The earlier release is the judge of what it leaves and of what it finds again: its own processes, its own lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from tests.support.files import sheets
from tests.support.servers import service
from tests.support.servers.service import Json, wait_for
from tests.upgrade import accounts, stand
from tests.upgrade.accounts import Accounts
from tests.upgrade.rounds import FIRST, LARGE, SMALL, assert_nothing_lost, begun, in_flight, load, opened
from tests.upgrade.stand import PRESENT, Release, Running, Stand
from worker.database import migrate, schema_version

PREVIOUS = "0.1.0"
pytestmark = pytest.mark.xdist_group("upgrade")


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return stand.install(PREVIOUS, tmp_path_factory.mktemp("previous"))


@pytest.fixture
def bench(database_server: sa.URL, tmp_path: Path) -> Iterator[Stand]:
    with opened(database_server, tmp_path) as found:
        yield found


def running(bench: Stand, release: Release, *roles: str) -> list[Running]:
    return [
        one
        for one in bench.started
        if one.release is release and one.process.poll() is None and (not roles or one.role in roles)
    ]


def jobs_of_every_state(own: Accounts) -> dict[str, str]:
    """Ids by name; all but the last two have ended or wait for somebody."""
    api = own.reseller
    ids = {"done": api.upload(service.block(1_000, FIRST))}
    api.ended(ids["done"])
    faulty = [sheets.HEADER, ("1", "abc", "TRUE", "TRUE", "FALSE"), ("1", str(FIRST + 2_000), "TRUE", "FALSE", "FALSE")]
    ids["errors"] = api.upload(sheets.csv_bytes(faulty))
    ids["unreadable"] = api.upload(b"\x00\x01\x02")
    ids["undone"] = api.upload(service.block(100, FIRST + 3_000))
    for name in ("errors", "unreadable", "undone"):
        api.ended(ids[name])
    ids["undo"] = api.post(f"/v1/jobs/{ids['undone']}/undo")["id"]
    api.ended(ids["undo"])
    ids["review"] = api.upload(service.block(300, FIRST + 4_000), mode="review")
    ids["stopped"] = api.upload(service.block(50, FIRST + 5_000), mode="review")
    for name in ("review", "stopped"):
        api.reaches(ids[name], "review")
    api.post(f"/v1/jobs/{ids['stopped']}/cancel")
    api.ended(ids["stopped"])
    return ids


def versions(bench: Stand) -> set[tuple[str, str]]:
    """The kinds of registered processes, and the version that each knows."""
    engine = sa.create_engine(sa.make_url(bench.database_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT kind, schema_version FROM processes")).all()
    engine.dispose()
    return {(row.kind, row.schema_version) for row in rows}


def test_a_rolling_upgrade_loses_nothing_and_answers_no_error(bench: Stand, previous: Release) -> None:
    """Web processes one after the other, as an orchestrator replaces them; workers of the earlier release still run."""
    webs, own = begun(bench, previous)
    ids = jobs_of_every_state(own)
    requests = load(own)
    with requests.running():
        ids["large"] = in_flight(own)
        migrated = bench.numberyard(PRESENT, "migrate")
        assert migrated.returncode == 0, migrated.stderr
        assert "release before 0.2.0" in migrated.stderr
        for place, old in enumerate(list(webs)):
            (webs[place],) = bench.start(PRESENT, "web")
            old.stop()
        bench.start(PRESENT, "worker", "upkeep", "beat")
        stand.stop(running(bench, previous))
        before = len(requests.uploads)
        wait_for(lambda: len(requests.uploads) > before + 5, 60, "uploads to go on", 0.2)
    assert not requests.errors, requests.errors[:5]
    own.reseller.post(f"/v1/jobs/{ids['review']}/confirm")
    created = {ids["done"]: 1_000, ids["review"]: 300, ids["large"]: LARGE}
    created |= dict.fromkeys(requests.uploads, SMALL)
    one = own.reseller.job(ids["errors"])
    assert one["counts"]["failed"] == 1
    undo_errors = own.reseller.post(f"/v1/jobs/{ids['errors']}/undo")["id"]
    assert own.reseller.ended(undo_errors)["status"] == "completed"
    assert_nothing_lost(bench, own, created)
    assert versions(bench) == {("web", schema_version.own()), ("worker", schema_version.own())}


def test_web_processes_of_the_release_before_serve_at_every_version(bench: Stand, previous: Release) -> None:
    """Migrations can stop between any two of them, and requests go on meanwhile."""
    webs, own = begun(bench, previous, webs=1)
    ids = jobs_of_every_state(own)
    stand.stop(running(bench, previous, "worker", "upkeep", "beat"))
    paths = ["/v1/jobs", "/v1/numbers", "/v1/tenants", "/v1/carriers", "/v1/tokens", "/v1/users", "/readyz"]
    paths += [f"/v1/jobs/{job_id}{rest}" for job_id in ids.values() for rest in ("", "/rows")]
    engine = sa.create_engine(sa.make_url(bench.database_url).set(drivername="postgresql+psycopg"))
    for version in schema_version.all_versions():
        if version <= migrate.RELEASES[PREVIOUS]:
            continue
        with engine.begin() as connection:
            made = migrate.config()
            made.attributes["connection"] = connection
            command.upgrade(made, version)
        for path in paths:
            answer = own.reseller.request("GET", path)
            assert answer.status_code < 500, f"{version} {path}: {answer.text}"
        own.reseller.upload(service.block(2, FIRST + 2_000_000))
        name = own.reseller.post("/v1/tokens", {"name": f"at {version}"})["id"]
        own.reseller.request("DELETE", f"/v1/tokens/{name}")
    engine.dispose()
    webs[:] = bench.start(PRESENT, "web")
    assert own.reseller.get("/v1/jobs")["data"][0]["status"] == "accepted"


def test_a_step_back_with_jobs_in_flight(bench: Stand, previous: Release) -> None:
    """Refused while something stands in the way; then the earlier release carries on what this one has begun."""
    webs, own = begun(bench, PRESENT, webs=1)
    ids = jobs_of_every_state(own)
    restricted = own.reseller.post("/v1/tokens", {"name": "reader", "role": "viewer"})["token"]
    own.reseller.post("/v1/webhooks", {"url": "https://hooks.example.com/", "events": ["job.completed"]})
    export = own.reseller.post("/v1/exports", {"format": "csv"})["id"]
    own.reseller.ended(export)
    unsettled = own.reseller.upload(b"a;b\r\n1;2\r\n", mode="review")
    own.reseller.reaches(unsettled, "review")
    refused = json.loads(bench.numberyard(PRESENT, "migrate", "--to", PREVIOUS, "--yes", "--json").stderr)
    assert refused["code"] == "STILL_RUNNING"
    stand.stop(running(bench, PRESENT, "web"))
    stand.stop(running(bench, PRESENT))
    refused = json.loads(bench.numberyard(PRESENT, "migrate", "--to", PREVIOUS, "--yes", "--json").stderr)
    assert (refused["code"], unsettled in refused["detail"]) == ("UNFINISHED_JOBS", True)
    webs[:] = bench.start(PRESENT, "web", "worker", "beat")[:1]
    own.reseller.post(f"/v1/jobs/{unsettled}/cancel")
    own.reseller.ended(unsettled)
    ids["large"] = in_flight(own)
    for one in running(bench, PRESENT):
        one.kill()
    asked = json.loads(bench.numberyard(PRESENT, "migrate", "--to", PREVIOUS, "--json").stderr)
    assert asked["code"] == "CONFIRMATION_NEEDED"
    assert "1 subscriptions to events" in asked["detail"]
    done: Json = stand.document(bench.numberyard(PRESENT, "migrate", "--to", PREVIOUS, "--yes", "--force", "--json"))
    assert done["to"] == "0019"
    webs[:] = bench.start(previous, "web", "worker", "upkeep", "beat")[:1]
    requests = load(own)
    with requests.running():
        own.reseller.ended(ids["large"])
        own.reseller.post(f"/v1/jobs/{ids['review']}/confirm")
        own.reseller.ended(ids["review"])
    assert not requests.errors, requests.errors[:5]
    assert accounts.Api(webs, restricted).request("GET", "/v1/tenants/me").status_code == 401
    assert own.reseller.request("GET", f"/v1/jobs/{export}").status_code == 404
    created = {ids["done"]: 1_000, ids["review"]: 300, ids["large"]: LARGE} | dict.fromkeys(requests.uploads, SMALL)
    undo = own.reseller.post(f"/v1/jobs/{ids['errors']}/undo")["id"]
    own.reseller.ended(undo)
    assert_nothing_lost(bench, own, created, is_present=False)
