"""Hostile request bodies against the real server: refused early, with little memory, and the refusal is readable."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa

from tests.support.factories import grow
from tests.support.servers.databases import Databases
from tests.support.servers.service import NO_TLS
from tests.support.servers.web_server import SECONDS, WebServer, serving
from webhook.http import body_limits

pytestmark = pytest.mark.long

MIB = 1024 * 1024
ROUTES = ("tokens", "carriers", "users", "tenants")
AT_ONCE = 20
LARGE = b'{"name": "' + b"x" * (48 * MIB) + b'"}'


@dataclass(frozen=True)
class Site:
    """A web server with a client of its API."""

    server: WebServer
    http: httpx.Client

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="module")
def site(databases: Databases, broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    address = databases.take()
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        world = grow(connection)
    engine.dispose()
    settings: dict[str, Any] = {
        "data_dir": tmp_path_factory.mktemp("data"),
        "database_url": address.render_as_string(hide_password=False),
        "redis_url": broker_url,
        "share_uploads": AT_ONCE,  # one web process may get all of them
    }
    with (
        serving(tmp_path_factory.mktemp("web"), 2, **settings) as server,
        server.client(world.north.token, limits=httpx.Limits()) as http,
    ):
        yield Site(server, http)
    databases.give_back(address)


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), MIB):
        yield content[start : start + MIB]


def _status(pid: int, name: str) -> int:
    """A figure of a process in bytes: `VmRSS`, or its largest ever, `VmHWM`."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


@contextmanager
def small_growth(site: Site) -> Iterator[None]:
    """Fail if the memory of a web process grows by more than 64 MiB at any time within the block."""
    pids = site.server.pids()
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # VmHWM starts anew
    before = {pid: _status(pid, "VmRSS") for pid in pids}
    yield
    growth = {pid: (_status(pid, "VmHWM") - before[pid]) / MIB for pid in pids}
    assert max(growth.values()) <= 64, growth


def test_large_json_is_refused_before_it_is_read(site: Site) -> None:
    """20 bodies of 48 MiB at once, half of them without a length: the web processes hardly grow."""
    headers = {**site.http.headers, "Content-Type": "application/json"}

    def send(place: int) -> tuple[int, str]:
        content = LARGE if place % 2 else pieces(LARGE)
        address = f"{site.url}/v1/{ROUTES[place // 2 % len(ROUTES)]}"
        return refused(httpx.post(address, content=content, headers=headers, timeout=SECONDS, verify=NO_TLS))

    with small_growth(site), ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(send, range(AT_ONCE))) == {(413, "BODY_TOO_LARGE")}
    assert site.http.get("/v1/tokens").json()["data"]


@pytest.mark.parametrize("path", ["/v1/tokens", "/sign-in"])
def test_many_small_things_are_refused_before_they_are_made(site: Site, path: str) -> None:
    """20 bodies as large as the route takes, all of them fields or items: each would cost 20 to 80 times its size."""
    is_form = path == "/sign-in"
    content = (
        b"&".join(b"%x" % field for field in range(80_000)) if is_form else b'{"a": [' + b"[]," * 170_000 + b"[]]}"
    )
    assert len(content) < body_limits.SMALL
    content_type = "application/x-www-form-urlencoded" if is_form else "application/json"
    headers = {"Authorization": site.http.headers["Authorization"], "Content-Type": content_type, "Origin": site.url}

    def send(_: int) -> int:
        answer = httpx.post(f"{site.url}{path}", content=content, headers=headers, timeout=SECONDS, verify=NO_TLS)
        return answer.status_code

    with small_growth(site), ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(send, range(AT_ONCE))) == {400}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_all_before_it_reads_sees_the_refusal(site: Site, chunked: bool) -> None:
    """Such as `http.client`, and what rests on it: a reset would hide the answer."""
    address = urlsplit(site.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)
    headers = {"Authorization": site.http.headers["Authorization"], "Content-Type": "application/json"}
    connection.request("POST", "/v1/tokens", pieces(LARGE) if chunked else LARGE, headers, encode_chunked=chunked)
    answer = connection.getresponse()
    assert (answer.status, json.load(answer)["code"]) == (413, "BODY_TOO_LARGE")
    connection.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("expect", ["Expect: 100-continue", "Expect:"])
def test_curl_sees_the_refusal(site: Site, tmp_path: Path, expect: str) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(LARGE)
    token = f"Authorization: {site.http.headers['Authorization']}"
    done = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(int(SECONDS))),
            *("--header", token, "--header", "Content-Type: application/json", "--header", expect),
            *("--data-binary", f"@{body}", f"{site.url}/v1/carriers"),
        ],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["code"] == "BODY_TOO_LARGE"


@pytest.mark.parametrize("path", ["/v1/tokens", "/v1/deletions"])
def test_nesting_is_refused_and_the_connection_goes_on(site: Site, path: str) -> None:
    """On one connection: nothing of a refused body is taken for a request."""
    deep = b"[" * 200_000 + b"]" * 200_000
    for content in (b"[" * 200_000, b'{"a":' * 100_000, b'{"name": ' + deep + b"}", deep):
        answer = site.http.post(path, content=content, headers={"Content-Type": "application/json"})
        assert refused(answer) == (400, "BAD_REQUEST")


def test_forms_of_the_portal_have_a_limit(site: Site) -> None:
    fields: dict[str, Any] = {"email": "x" * 1_000_000, "password": "x"}
    headers = {"Origin": site.url, "Accept": "text/html"}
    answer = httpx.post(f"{site.url}/sign-in", data=fields, headers=headers, timeout=SECONDS, verify=NO_TLS)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"].startswith("text/html")
