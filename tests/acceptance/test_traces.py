"""Traces and error reports of the whole service, as real receivers get them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.support.servers import service, telemetry
from tests.support.servers.callback_receiver import silent_port
from tests.support.servers.service import Service
from tests.support.servers.telemetry import Span, Telemetry
from worker.runtime.processes.ports import free_port

pytestmark = pytest.mark.xdist_group("traces")
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FIRST = 2_122_000_000
BAD = 2_132_000_000
REQUEST_ID = "traced-upload"
BREAK = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.e164 >= 12132000000 THEN RAISE EXCEPTION 'no % here', NEW.e164 USING ERRCODE = 'XX000'; END IF;
    RETURN NEW; END $$;
CREATE TRIGGER refusal BEFORE INSERT ON phone_numbers FOR EACH ROW EXECUTE FUNCTION refuse()"""


@dataclass(frozen=True)
class Traced:
    """The service after use and its end, what it has sent, and the two jobs: a good and a failed one."""

    service: Service
    sent: Telemetry
    job_id: str
    failed_id: str

    @property
    def upload(self) -> Span:
        (span,) = [each for each in self.sent.spans if each.trace == TRACE and each.kind == "SERVER"]
        return span

    def lines(self, role: str) -> list[dict[str, Any]]:
        text = (self.service.folder / "logs" / f"{role}.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


def change(running: Service, statement: str) -> None:
    """Change the tables of the service."""
    with psycopg.connect(running.demo["database_url"].replace("+psycopg", "")) as connection:
        connection.execute(statement)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traces") / "data"
    with telemetry.receiving() as sent, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sent.endpoint)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        with service.running(folder, workers=2, sentry_dsn=sent.dsn, max_attempts=1) as running:
            client = running.client("Harbour")
            headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-Id": REQUEST_ID}
            files = {"file": ("numbers.csv", service.block(3000, FIRST))}
            answer = client.http.post("/v1/uploads", files=files, headers=headers)
            assert answer.headers["traceparent"] == headers["traceparent"]
            job_id = str(answer.json()["id"])
            client.ended(job_id)
            change(running, "ALTER TABLE import_profiles RENAME COLUMN name TO renamed")
            assert client.http.get("/v1/import-profiles", headers={"X-Request-Id": "broken"}).status_code == 500
            change(running, "ALTER TABLE import_profiles RENAME COLUMN renamed TO name")
            change(running, BREAK)
            failed_id = client.upload(service.block(5, BAD), on_error="abort")
            assert client.ended(failed_id)["status"] == "failed"
        yield Traced(running, sent, job_id, failed_id)


def test_the_request_is_a_child_of_its_caller(traced: Traced) -> None:
    upload = traced.upload
    assert (upload.parent, upload.name, upload.process) == (CALLER, "POST /v1/uploads", "web")
    assert upload.service == "numberyard"
    assert upload.attributes["http.route"] == "/v1/uploads"
    assert upload.attributes["http.response.status_code"] == 202
    assert upload.attributes["numberyard.request_id"] == REQUEST_ID


def test_work_items_are_below_the_request_that_submitted_their_job(traced: Traced) -> None:
    """HTTP -> job -> work item -> stage and SQL, across processes."""
    (submit,) = [each for each in traced.sent.children(traced.upload) if each.kind == "PRODUCER"]
    assert (submit.name, submit.attributes["numberyard.job"]) == ("submit upload", traced.job_id)
    items = [each for each in traced.sent.children(submit) if each.kind == "CONSUMER"]
    assert [each.name for each in items] == ["work item check", "work item write", "work item report"]
    for item in items:
        assert (item.process, item.attributes["numberyard.job_id"]) == ("worker", traced.job_id)
        assert (item.attributes["numberyard.outcome"], item.is_error) == ("done", False)
        assert item.attributes["numberyard.tenant"] == traced.service.account("Harbour")["tenant_id"]
        assert any(each.kind == "CLIENT" for each in traced.sent.below(item)), item.name
    write = items[1]
    stages = {each.name for each in traced.sent.children(write) if each.kind == "INTERNAL"}
    assert {"look_up", "resolve", "write"} <= stages
    statements = {each.name for each in traced.sent.below(write) if each.kind == "CLIENT"}
    assert {"COPY phone_numbers", "UPDATE job_chunks", "SELECT jobs"} <= statements
    assert any(each.kind == "CLIENT" and each.name == "INSERT jobs" for each in traced.sent.below(traced.upload))


def test_a_failed_work_item_and_a_failed_request_are_marked(traced: Traced) -> None:
    (failed,) = [
        each for each in traced.sent.spans
        if each.attributes.get("numberyard.outcome") == "failed" and each.kind == "CONSUMER"
    ]  # fmt: skip
    assert failed.is_error
    assert failed.message == "psycopg.errors.InternalError_ XX000: no *** here"
    (broken,) = [each for each in traced.sent.spans if each.attributes.get("numberyard.request_id") == "broken"]
    assert (broken.name, broken.is_error) == ("GET /v1/import-profiles", True)
    assert broken.message.startswith("psycopg.errors.UndefinedColumn 42703: column")


def test_polling_makes_no_spans(traced: Traced) -> None:
    """Each statement belongs to a request or a work item; claims and rescue rounds are not traced."""
    ids = {each.id for each in traced.sent.spans}
    assert [each.name for each in traced.sent.spans if each.kind == "CLIENT" and each.parent not in ids] == []


def test_log_lines_name_the_span_and_the_request(traced: Traced) -> None:
    spans = {each.id: each for each in traced.sent.spans}
    (line,) = [
        each for each in traced.lines("web")
        if each["event"] == "http_request" and each.get("request_id") == REQUEST_ID
    ]  # fmt: skip
    assert line["trace_id"] == TRACE
    items = [
        each for each in traced.lines("worker") if each["event"] == "work_item" and each["job_id"] == traced.job_id
    ]
    assert len(items) == 3
    for item in items:
        assert (item["trace_id"], item["request_id"]) == (TRACE, REQUEST_ID)
        assert spans[item["span_id"]].name == f"work item {item['phase']}"


def test_an_unexpected_error_of_a_request_is_reported(traced: Traced) -> None:
    (report,) = [each for each in traced.sent.reports if each["tags"]["process"] == "web"]
    assert (report["tags"]["request_id"], report["tags"]["route"]) == ("broken", "/v1/import-profiles")
    errors = report["exception"]["values"]
    assert errors[-1]["type"] == "ProgrammingError"
    assert errors[-1]["value"].startswith("psycopg.errors.UndefinedColumn 42703: column import_profiles.name")
    assert any(call["function"] == "full_dispatch_request" for call in errors[-1]["stacktrace"]["frames"])


def test_an_unexpected_error_of_a_work_item_is_reported(traced: Traced) -> None:
    (report,) = [each for each in traced.sent.reports if each["tags"]["process"] == "worker"]
    assert (report["tags"]["job_id"], report["tags"]["phase"]) == (traced.failed_id, "write")
    assert "XX000" in report["exception"]["values"][-1]["value"]


def test_reports_have_no_variables_headers_bodies_or_people(traced: Traced) -> None:
    assert traced.sent.reports
    for report in traced.sent.reports:
        assert not {"request", "user", "modules"} & report.keys()
        assert not report.get("breadcrumbs", {}).get("values")
        calls = [call for error in report["exception"]["values"] for call in error["stacktrace"]["frames"]]
        assert calls
        assert not any("vars" in call for call in calls)


def test_nothing_that_is_sent_has_values_of_rows_or_secrets(traced: Traced) -> None:
    sent = b"\n".join(traced.sent.bodies)
    secrets = [account[name] for account in traced.service.demo["accounts"] for name in ("token", "password", "email")]
    secrets += [str(FIRST), str(BAD), "numbers.csv", traced.service.demo["database_url"].split(":")[2].split("@")[0]]
    assert [secret for secret in secrets if secret.encode() in sent] == []


@pytest.mark.parametrize("kind", ["silent", "down"])
def test_a_receiver_that_does_not_respond_delays_nothing(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Neither requests nor jobs, and the end of the service by a few seconds at most; lines stay JSON."""
    with silent_port() as silent:
        endpoint = f"http://127.0.0.1:{silent if kind == 'silent' else free_port()}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "32")
        dsn = f"http://key@{endpoint.removeprefix('http://')}/1"
        with service.running(tmp_path_factory.mktemp("silent") / "data", workers=1, sentry_dsn=dsn) as running:
            client = running.client("Harbour")
            for _ in range(50):
                client.get("/v1/jobs")
            assert client.ended(client.upload(service.block(3000)))["status"] == "completed"
            began = time.monotonic()
        assert time.monotonic() - began < service.STOP_SECONDS / 2
    for role in ("web", "worker", "upkeep", "beat"):
        for line in (running.folder / "logs" / f"{role}.log").read_text(encoding="utf-8").splitlines():
            json.loads(line)
