"""The logs of the whole service: each line that a process writes is one JSON object, whatever happens to it."""

from __future__ import annotations

import json
import re
import signal
from contextlib import suppress
from typing import Any

import httpx
import psutil
import pytest

from tests.support.servers import service
from tests.support.servers.service import NO_TLS, Service, wait_for

Json = dict[str, Any]
ROLES = ("web", "worker", "upkeep", "beat")
REQUIRED = {"timestamp", "level", "event", "logger", "process", "pid"}
OF_REQUEST = {"method", "route", "status", "ms"}
OF_WORK_ITEM = {"job_id", "phase", "item", "tenant", "rows", "attempt", "outcome", "ms", "request_id"}
NUMBER = "2122000000"
TYPED = "correct horse battery"  # as a password


def lines_of(running: Service, role: str) -> list[str]:
    """What a process and its children have written to standard output and standard error."""
    return (running.folder / "logs" / f"{role}.log").read_text(encoding="utf-8").splitlines()


def logged(running: Service, role: str, event: str) -> list[Json]:
    """The complete lines of an event so far."""
    found = []
    for line in lines_of(running, role):
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return [line for line in found if line["event"] == event]


def use(running: Service) -> str:
    """Requests of all kinds, good and bad; an upload; returns its job."""
    client = running.client("Harbour")
    client.http.headers["X-Request-Id"] = "first-upload"
    job_id = client.upload(service.block(3000), "numbers\u2028\r\n{}.csv")
    client.http.headers.pop("X-Request-Id")
    client.ended(job_id)
    client.get(f"/v1/numbers/+1{NUMBER}")
    client.get("/v1/numbers", q=NUMBER)
    with httpx.Client(base_url=running.url, verify=NO_TLS, trust_env=False) as anyone:
        anyone.get("/v1/jobs", headers={"Authorization": "Bearer nyk_not-a-token-at-all", "X-Request-Id": "a b"})
        anyone.get("/v1/jobs", headers=[(b"X-Request-Id", b"\xff\xfe{}"), (b"User-Agent", b"\x85\xe2\x80\xa8")])
        anyone.get("/nothing/+12125550142?secret=s3cret-in-query")
        anyone.request("BREW", "/")
        page = anyone.get("/sign-in")
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
        form |= {"email": "nobody@example.com", "password": TYPED}
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        wrong = anyone.post("/sign-in", data=form, headers={"Cookie": cookie, "Origin": running.url})
        assert wrong.status_code == 422, wrong.text
        anyone.post("/v1/uploads", content=b"{", headers={"Authorization": f"Bearer {client.account['token']}"})
        for path in ("/livez", "/readyz", "/metrics"):
            anyone.get(path)
    return job_id


def hurt(running: Service) -> None:
    """Kill children of the worker and of web, and the servers while requests and jobs are under way."""
    client = running.client("Harbour")
    for role in ("worker", "web"):
        running.processes(role)[-1].send_signal(signal.SIGKILL)
    job_id = ""
    with suppress(httpx.TransportError):
        job_id = client.upload(service.block(20_000, first=2_132_000_000))
    database = next(one for one in running.below() if one.name() == "postgres" and "-D" in one.cmdline())
    broker = next(one for one in running.below() if one.name().startswith("valkey"))
    for server in (database, broker):
        server.send_signal(signal.SIGKILL)
    wait_for(lambda: _is_refused(client.http), 60, "an answer without a database")
    wait_for(lambda: not psutil.pid_exists(database.pid) and _is_ready(client.http), 120, "the service to be back")
    if job_id:
        assert client.ended(job_id)["status"] == "completed"


def _is_refused(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/v1/jobs").status_code == 503
    return False


def _is_ready(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/readyz").status_code == 200
    return False


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, str]:
    """The service after use, damage and its end; and the job of the first upload."""
    # A setting that does not exist, which every process logs, so that beat has a line, too.
    with service.running(tmp_path_factory.mktemp("logs") / "data", workers=2, log_levle="INFO") as running:
        job_id = use(running)
        hurt(running)
    return running, job_id


pytestmark = pytest.mark.xdist_group("logs")


@pytest.mark.parametrize("role", ROLES)
def test_every_line_is_one_json_object(used: tuple[Service, str], role: str) -> None:
    running, _ = used
    lines = lines_of(running, role)
    assert any("NUMBERYARD_LOG_LEVLE" in line for line in lines)
    for line in lines:
        fields = json.loads(line)
        assert fields.keys() >= REQUIRED, line
        assert fields["process"] == role, line
        assert len(line) < 4096
        assert fields["event"] != "log_failed"


def test_a_request_has_one_line_with_its_route_and_actor(used: tuple[Service, str]) -> None:
    running, _ = used
    (upload,) = [one for one in logged(running, "web", "http_request") if one.get("request_id") == "first-upload"]
    assert upload.keys() >= OF_REQUEST
    assert (upload["method"], upload["route"], upload["status"]) == ("POST", "/v1/uploads", 202)
    assert upload["tenant"] == running.account("Harbour")["tenant_id"]
    assert upload["actor"].startswith("token:")
    routes = {(one["method"], one["route"], one["status"]) for one in logged(running, "web", "http_request")}
    assert {
        ("GET", "/v1/numbers/<e164>", 200), ("GET", "/v1/jobs", 401), ("GET", "none", 404), ("GET", "/v1/jobs", 503),
    } <= routes  # fmt: skip
    assert not {route for _, route, status in routes if route in {"/livez", "/readyz", "/metrics"} and status < 400}
    assert ("other", "none", 405) in routes
    assert [one["request_id"] for one in logged(running, "web", "http_request") if "a b" in one["request_id"]] == []


def test_a_refused_request_names_the_sqlstate_or_the_reason(used: tuple[Service, str]) -> None:
    running, _ = used
    refused = [one for one in logged(running, "web", "http_request") if one["status"] == 503]
    assert refused
    assert all(one["code"] == "UNAVAILABLE" for one in refused if "code" in one)
    assert any("psycopg" in one.get("reason", "") for one in refused)


def test_each_attempt_at_a_work_item_has_a_line_that_names_the_request(used: tuple[Service, str]) -> None:
    running, job_id = used
    lines = [one for one in logged(running, "worker", "work_item") if one["job_id"] == job_id]
    assert [one["phase"] for one in lines] == ["check", "write", "report"]
    for line in lines:
        assert line.keys() >= OF_WORK_ITEM
        assert (line["outcome"], line["request_id"], line["attempt"]) == ("done", "first-upload", 1)
        assert line["tenant"] == running.account("Harbour")["tenant_id"]
    assert {"resolve", "write"} <= lines[1]["stages"].keys()


def test_nothing_secret_is_in_any_line(used: tuple[Service, str]) -> None:
    running, _ = used
    text = "\n".join("\n".join(lines_of(running, role)) for role in ROLES)
    secrets = [account["token"] for account in running.demo["accounts"]]
    secrets += [account["password"] for account in running.demo["accounts"]]
    secrets += [NUMBER, "12125550142", "s3cret-in-query", TYPED, "not-a-token-at-all"]
    secrets += re.findall(r"://[^:]*:([^@]+)@", running.demo["database_url"])
    assert [secret for secret in secrets if secret in text] == []
