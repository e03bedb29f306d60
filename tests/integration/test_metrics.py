"""`/metrics`: what it counts adds up with what jobs say, survives them, and is told to nobody but operators."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics

from schemas import metrics, request_problems
from schemas.jobs import JobStatus, Phase, Stage
from schemas.metrics import (
    HELD_UP,
    HTTP_IN_FLIGHT,
    HTTP_SECONDS,
    JOBS,
    LEASED,
    LEDGER_UP,
    OPEN_JOBS,
    PENDING,
    PIECES,
    QUEUE_AGE,
    ROWS,
    STAGE_SECONDS,
    SWEEP,
    Finding,
)
from schemas.request_problems import RequestCode
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.job_rows import DEADLINE, FIRST, Ledger, checked, finish, sheet
from tests.support.metrics_scrape import Scrape, scrape
from tests.support.servers import databases
from worker import pipeline
from worker.config.settings import get_settings
from worker.database import counters, folded_sums
from worker.jobs import metrics_queries as of_ledger
from worker.maintenance import rescuer
from worker.queue import completion
from worker.queue import job_state as steps

FAULTS = b"1,12,TRUE,,\r\n1,12125550000,TRUE,,\r\n1,abc,TRUE,,\r\n,,,,\r\n1,12125550900,maybe,,\r\n"
SECRET = "a token of sixteen letters"  # noqa: S105
UNAVAILABLE = request_problems.of_request(RequestCode.UNAVAILABLE)


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


def by_outcome(found: Scrape) -> dict[str, float]:
    counts: dict[str, float] = {}
    for (outcome, _), value in found.nonzero(ROWS).items():
        counts[outcome] = counts.get(outcome, 0) + value
    return counts


def counted(*all_jobs: Json) -> dict[str, float]:
    """Rows by outcome, as the jobs tell."""
    names = ("created", "updated", "deleted", "unchanged", "skipped", "failed", "unprocessed")
    counts = {name: sum(job["counts"][name] for job in all_jobs) for name in names}
    return {name: float(count) for name, count in counts.items() if count}


# What jobs came to


@pytest.mark.long
def test_rows_and_jobs_add_up(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    """An upload with faults, and what undoes it; by code as the error summary has it."""
    configure(rows_per_chunk=2)
    first = api.upload(sheet(5) + FAULTS)
    found = scrape(api.client)
    assert first["counts"]["failed"] > 1
    assert by_outcome(found) == counted(first)
    failed = {code: value for (outcome, code), value in found.nonzero(ROWS).items() if outcome == "failed"}
    assert failed == {entry["code"]: entry["count"] for entry in first["error_summary"]}
    assert found.nonzero(JOBS) == {("upload", "completed_with_errors"): 1}
    assert found.nonzero(PIECES) == {("check",): 1, ("write",): 3, ("report",): 1}
    undone = api.done(api.post(f"/v1/jobs/{first['id']}/undo"))
    found = scrape(api.client)
    assert by_outcome(found) == counted(first, undone)
    assert found[JOBS, "undo", "completed"] == 1
    ledger.run("DELETE FROM job_chunks")
    assert by_outcome(scrape(api.client)) == counted(first, undone)


@pytest.mark.long
def test_a_job_that_failed_or_was_cancelled_is_counted_as_it_ended(api: Door, ledger: Ledger) -> None:
    """Rows that nobody reached bear the code of what ended their job; a refused file has none."""
    refused = api.upload(b"nothing,of\r\nuse,here\r\n")
    assert refused["status"] == "failed"
    failing = checked(api, 3)
    with ledger.engine.begin() as connection:
        completion.fail_job(connection, ledger.claim(), UNAVAILABLE)
    early = api.send(sheet(2, FIRST + 10)).json["id"]
    assert api.post(f"/v1/jobs/{early}/cancel").status_code == 202
    late = checked(api, 4, FIRST + 20)
    assert api.post(f"/v1/jobs/{late}/cancel").status_code == 202
    ended = [finish(api, ledger, job_id) for job_id in (failing, early, late)]
    assert [job["status"] for job in ended] == ["failed", "cancelled", "cancelled"]
    found = scrape(api.client)
    assert found.nonzero(JOBS) == {("upload", "failed"): 2, ("upload", "cancelled"): 2}
    assert found.nonzero(ROWS) == {("unprocessed", "UNAVAILABLE"): 3, ("unprocessed", "CANCELLED"): 4}


def test_counters_of_rows_that_the_service_failed_begin_at_zero(api: Door) -> None:
    """Prometheus sees no increase in a counter that begins with its first value, and so raises no alert."""
    found = scrape(api.client)
    names = {dict(labels)["code"]: value for (name, labels), value in found.samples.items() if name == ROWS.name}
    assert (names["UNAVAILABLE"], names["INTERNAL_ERROR"]) == (0.0, 0.0)


def test_an_end_that_is_not_committed_counts_nothing(api: Door, ledger: Ledger) -> None:
    checked(api, 3)
    lease = ledger.claim()
    with ledger.engine.connect() as connection:
        completion.fail_job(connection, lease, UNAVAILABLE)
        connection.rollback()
    assert not scrape(api.client).nonzero(JOBS)


def test_stage_seconds_are_the_sums_over_a_job_s_pieces(
    api: Door, ledger: Ledger, configure: Callable[..., None]
) -> None:
    """Pieces that noted nothing count as nothing, and what is no number keeps no job from ending."""
    configure(rows_per_chunk=1)
    checked(api, 3)
    ledger.run("""UPDATE job_chunks SET seconds = '{"read": 0.25, "validate": 1.5}' WHERE phase = 'check'""")
    while pipeline.run(Phase.WRITE):
        pass
    ledger.run("UPDATE job_chunks SET seconds = 'null' WHERE phase = 'write' AND number = 0")
    ledger.run(
        """UPDATE job_chunks SET seconds = '{"read": 0.5, "cut": "fast"}' WHERE phase = 'write' AND number = 1"""
    )
    assert pipeline.run(Phase.REPORT)
    found = scrape(api.client)
    assert found.nonzero(JOBS) == {("upload", "completed"): 1}
    spent = found.nonzero(STAGE_SECONDS)
    assert (spent["read",], spent["validate",]) == (0.75, 1.5)
    # The third chunk's own, and the report's.
    assert set(spent) == {(stage,) for stage in Stage if stage is not Stage.CUT}


@pytest.mark.long
def test_ends_do_not_wait_for_each_other(api: Door, ledger: Ledger) -> None:
    """A worker stands still between a job's end and its commit; another job ends, and the sweep goes by."""
    first = checked(api, 2)
    ledger.claim()
    second = checked(api, 2, FIRST + 10)
    with ledger.engine.connect() as still:
        row = ledger.ask("SELECT id FROM jobs WHERE public_id = :job", job=first)[0]
        still.execute(sa.text("UPDATE jobs SET status = 'cancelling' WHERE id = :id"), {"id": row.id})
        steps.end_job(still, row.id, JobStatus.CANCELLED)
        ending = threading.Thread(target=finish, args=(api, ledger, second, 20))
        ending.start()
        rescuer.rescue()
        ending.join(DEADLINE)
        assert not ending.is_alive()
        assert scrape(api.client).nonzero(JOBS) == {("upload", "completed"): 1}
        still.commit()
    assert scrape(api.client).nonzero(JOBS) == {("upload", "completed"): 1, ("upload", "cancelled"): 1}


def test_totals_are_folded_and_stay_the_same(database: sa.Engine, ledger: Ledger) -> None:
    """Also while several fold at once: no figure is lost or doubled."""
    for _ in range(folded_sums.MOST_ROWS + 5):
        with database.begin() as connection:
            counters.add(connection, {(JOBS, ("upload", "failed")): 1, (SWEEP, ("settled",)): 2})
    with database.begin() as connection:
        counters.add(connection, {(JOBS, ("undo", "failed")): 1})
        before = counters.read(connection)
    folding = [threading.Thread(target=_fold, args=(database,)) for _ in range(4)]
    for thread in folding:
        thread.start()
    for thread in folding:
        thread.join(DEADLINE)
    with database.begin() as connection:
        assert counters.read(connection) == before
        assert counters.fold(connection) == 0
    assert ledger.ask("SELECT count(*) AS rows FROM totals")[0].rows <= 3 + 3


def _fold(database: sa.Engine) -> None:
    with database.begin() as connection:
        counters.fold(connection)


# What is there now


def test_waiting_and_running_work(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=2)
    checked(api, 6)
    ledger.claim()
    ledger.run("UPDATE job_chunks SET next_attempt_at = now() - interval '90 s' WHERE phase = 'write' AND number = 1")
    ledger.run("UPDATE job_chunks SET next_attempt_at = now() + interval '1 h' WHERE phase = 'write' AND number = 2")
    ledger.run("UPDATE job_chunks SET setback_since = now() - interval '2 h' WHERE phase = 'write' AND number = 2")
    found = scrape(api.client)
    assert (found.nonzero(PENDING), found.nonzero(LEASED)) == ({("write",): 2}, {("write",): 1})
    assert found[QUEUE_AGE, "write"] == pytest.approx(90, abs=20)
    assert found[HELD_UP, "write"] == pytest.approx(7200, abs=20)
    assert found.nonzero(OPEN_JOBS) == {("running",): 1}


def test_work_of_ended_jobs_waits_for_nobody(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=2)
    checked(api, 6)
    with ledger.engine.begin() as connection:
        completion.fail_job(connection, ledger.claim(), UNAVAILABLE)
    assert ledger.chunks().count(("pending", 0)) == 2
    found = scrape(api.client)
    assert not any(found.nonzero(metric) for metric in (PENDING, LEASED, QUEUE_AGE, OPEN_JOBS))


def test_the_time_under_review_is_no_waiting(api: Door, ledger: Ledger) -> None:
    job_id = api.send(sheet(3), mode="review").json["id"]
    assert pipeline.run(Phase.CHECK)
    ledger.run("UPDATE job_chunks SET next_attempt_at = now() - interval '5 h' WHERE phase = 'write'")
    found = scrape(api.client)
    assert (found.nonzero(PENDING), found.nonzero(OPEN_JOBS)) == ({}, {("review",): 1})
    assert api.post(f"/v1/jobs/{job_id}/confirm").status_code == 202
    found = scrape(api.client)
    assert found[PENDING, "write"] == 1
    assert 0 < found[QUEUE_AGE, "write"] < 60


def test_what_the_sweep_finds(api: Door, ledger: Ledger) -> None:
    checked(api, 2)
    ledger.claim()
    ledger.run("UPDATE job_chunks SET lease_until = now() - interval '1 s' WHERE state = 'leased'")
    ledger.run("UPDATE job_chunks SET next_attempt_at = now() - interval '1 h'")
    reviewed = api.send(sheet(3, FIRST + 10), mode="review").json["id"]
    assert pipeline.run(Phase.CHECK)
    ledger.run("UPDATE jobs SET review_until = now() WHERE public_id = :job", job=reviewed)
    ledger.run("UPDATE job_chunks SET hint_due_at = now() WHERE state <> 'done'")
    rescuer.rescue()
    found = scrape(api.client)
    assert found.nonzero(SWEEP) == {
        (Finding.LEASES_EXPIRED,): 1,
        (Finding.REVIEWS_EXPIRED,): 1,
        (Finding.SETTLED,): 1,
        (Finding.ANNOUNCED,): 1,
    }
    assert found[QUEUE_AGE, "write"] < 60  # its worker had it in hand until now
    rows = ledger.ask("SELECT count(*) AS rows FROM totals")
    rescuer.rescue()
    assert ledger.ask("SELECT count(*) AS rows FROM totals") == rows, "what finds nothing leaves nothing"


# Requests


def test_requests_are_counted_by_the_rule_they_met(api: Door) -> None:
    job_id = api.upload(sheet(2))["id"]
    before = scrape(api.client)
    rule, name = "/v1/jobs/<job_id>", f"{HTTP_SECONDS.name}_count"
    for path in (f"/v1/jobs/{job_id}", "/v1/jobs/unknown", "/v1/no/such/thing", f"/v1/jobs/{job_id}/report.csv"):
        with api.get(path) as answer:
            assert answer.get_data()
    with api.client.open("/v1/jobs", method="BREW"):
        pass
    after = scrape(api.client)

    def more(*labels: str) -> float:
        return after.sample(name, HTTP_SECONDS, *labels) - before.sample(name, HTTP_SECONDS, *labels)

    assert (more("GET", rule, "2xx"), more("GET", rule, "4xx"), more("GET", "none", "4xx")) == (1, 1, 1)
    assert (more("GET", "/v1/jobs/<job_id>/report.csv", "2xx"), more("other", "none", "4xx")) == (1, 1)
    assert more("GET", "/metrics", "2xx") == 1
    total = after.sample(f"{HTTP_SECONDS.name}_bucket", HTTP_SECONDS, "GET", rule, "2xx", le="+Inf")
    assert total == after.sample(name, HTTP_SECONDS, "GET", rule, "2xx")
    assert job_id not in after.text
    assert "BREW" not in after.text
    assert "_created" not in after.text


def test_a_request_under_way_is_counted_until_its_last_byte(api: Door) -> None:
    before = scrape(api.client)[HTTP_IN_FLIGHT]
    answer = api.client.get("/livez")
    assert scrape(api.client)[HTTP_IN_FLIGHT] == before + 1
    answer.close()
    assert scrape(api.client)[HTTP_IN_FLIGHT] == before


# The exposition


def test_every_metric_is_shown_as_the_catalogue_has_it(api: Door) -> None:
    with api.client.get("/livez"):
        pass
    families = {family.name: family for family in scrape(api.client).families()}
    for metric in metrics.METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)
    assert len(families) == len(metrics.METRICS)


def test_open_metrics_for_who_asks_for_it(api: Door) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    with api.client.get("/metrics", headers={"Accept": accept}) as answer:
        assert answer.content_type.startswith("application/openmetrics-text")
        families = list(open_metrics(answer.get_data(as_text=True)))  # type: ignore[no-untyped-call]
        assert len(families) == len(metrics.METRICS)


def test_no_tenant_is_told_of(api: Door, world: World) -> None:
    api.upload(sheet(3), voice_carrier="North voice")
    text = scrape(api.client).text
    for account in (world.master, world.north, world.clinic):
        assert account.tenant.name not in text
        assert account.tenant.public_id not in text
    assert "North voice" not in text


def test_without_the_database_the_requests_are_still_told(api: Door, configure: Callable[..., None]) -> None:
    url = os.environ["NUMBERYARD_DATABASE_URL"]
    configure(database_url=re.sub(r":\d+/", ":1/", url))
    found = scrape(api.client)
    assert (found[LEDGER_UP], ROWS.name in found.text, HTTP_SECONDS.name in found.text) == (0, False, True)
    configure(database_url=url)
    assert scrape(api.client)[LEDGER_UP] == 1


@pytest.mark.long
@pytest.mark.parametrize("believed", ["nothing", "what is", "that all are open"])
def test_a_scrape_reads_no_jobs_that_have_ended(world: World, ledger: Ledger, believed: str) -> None:
    """Nor the inventory, whatever the planner believes to know. In rows: seconds are the machine's."""
    ledger.run(
        "INSERT INTO jobs (tenant_id, kind, status, created_by) "
        "SELECT :tenant, 'upload', 'running', 'test' FROM generate_series(1, 20000)",
        tenant=world.master.id,
    )
    ledger.run(
        "INSERT INTO job_chunks (job_id, phase, number, state) "
        "SELECT id, phase, 0, 'pending' FROM jobs, unnest(ARRAY['check', 'write', 'report']) AS phase"
    )
    if believed == "that all are open":
        ledger.run("ANALYZE")
    ledger.run("UPDATE job_chunks SET state = 'done'")
    ledger.run("UPDATE jobs SET status = 'completed', finished_at = now()")
    if believed == "what is":
        ledger.run("ANALYZE")
    with ledger.engine.connect() as connection:
        before = databases.rows_read(connection)
        of_ledger.read(connection)
        assert databases.rows_read(connection) - before < 1_000


# Who may


FROM = {"REMOTE_ADDR": "203.0.113.7"}


def test_without_a_token_it_is_for_this_machine_alone(api: Door) -> None:
    asked = [
        ({}, "127.0.0.1", 200),
        ({}, "::1", 200),
        ({}, "::ffff:127.0.0.1", 200),
        ({"Host": "127.0.0.1:8080"}, "127.0.0.1", 200),
        ({"Host": "[::1]:8080"}, "::1", 200),
        ({}, "203.0.113.7", 403),
        ({}, "10.0.0.1", 403),
        ({}, "", 403),
        ({"X-Forwarded-For": "127.0.0.1"}, "203.0.113.7", 403),
        ({"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1", 403),
        ({"Forwarded": "for=203.0.113.7"}, "127.0.0.1", 403),
        ({"X-Real-IP": "203.0.113.7"}, "127.0.0.1", 403),
        ({"Via": "1.1 proxy"}, "127.0.0.1", 403),
        ({"Host": "numbers.example"}, "127.0.0.1", 403),
        ({"Authorization": f"Bearer {api.token}"}, "203.0.113.7", 403),
        ({"Authorization": "Bearer "}, "203.0.113.7", 403),
    ]
    for headers, peer, status in asked:
        with api.client.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": peer}) as answer:
            assert answer.status_code == status, (headers, peer)
            if status == 403:
                assert (answer.content_type, answer.json["code"]) == ("application/problem+json", "FORBIDDEN")


def test_with_a_token_it_is_for_its_bearer_from_anywhere(api: Door, configure: Callable[..., None]) -> None:
    configure(metrics_token=SECRET)
    right = f"Bearer {SECRET}"
    for authorization in (
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {SECRET}",
        f"{right}x",
        right[:-1],
        f"Bearer {api.token}",
    ):
        headers = {} if authorization is None else {"Authorization": authorization}
        with api.client.get("/metrics", headers=headers) as answer:  # from this machine, which helps no more
            assert (answer.status_code, answer.json["code"]) == (401, "UNAUTHENTICATED"), authorization
    with api.client.get("/metrics", headers={"Authorization": "Bearer \xe9\xff"}) as answer:
        assert answer.status_code == 401
    for authorization in (right, f"bearer {SECRET}"):
        headers = {"Authorization": authorization, "X-Forwarded-For": "203.0.113.7"}
        with api.client.get("/metrics", headers=headers, environ_overrides=FROM) as answer:
            assert answer.status_code == 200
            assert SECRET not in answer.get_data(as_text=True)


def test_an_empty_token_is_none_and_a_short_one_is_refused(api: Door, configure: Callable[..., None]) -> None:
    configure(metrics_token="")
    with api.client.get("/metrics", headers={"Authorization": "Bearer "}, environ_overrides=FROM) as answer:
        assert answer.status_code == 403
    for wrong in ("short", f"{SECRET},short", ",", f"{SECRET[:8]},{SECRET[8:16]}"):
        configure(metrics_token=wrong)
        with pytest.raises(ValueError, match="16"):
            get_settings()


def test_two_tokens_are_admitted_while_one_replaces_the_other(api: Door, configure: Callable[..., None]) -> None:
    old, new = f"old-{SECRET}", f"new-{SECRET}"
    configure(metrics_token=f"{new}, {old}")
    for token, status in ((old, 200), (new, 200), (f"{new}, {old}", 401), (SECRET, 401)):
        headers = {"Authorization": f"Bearer {token}"}
        with api.client.get("/metrics", headers=headers, environ_overrides=FROM) as answer:
            assert answer.status_code == status, token
