"""The whole service behind nginx with the configuration of deploy/nginx: slow clients, uploads, TLS, problems."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import METRICS_TOKEN, MIB
from tests.support import guides
from tests.support.files import sheets
from tests.support.programs import need
from tests.support.servers import service
from tests.support.servers.nginx import Nginx, certified, proxied
from tests.support.servers.service import Service, wait_for
from worker.runtime.processes.ports import LOOPBACK, free_port

pytestmark = pytest.mark.xdist_group("clients")
LIMIT = 64 * MIB  # of the service
SLOW_BYTES = 50 * MIB
PIECE = 64 * 1024
SLOW_CLIENTS = 200
MOST_SECONDS = 20.0  # of a short request on a busy machine
DEADLINE = 60.0
BOUNDARY = "boundary"
HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="numbers.csv"\r\n'
    "Content-Type: text/csv\r\n\r\n"
).encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
PAGE = "text/html,application/xhtml+xml"


@pytest.fixture(scope="module")
def nginx(up: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with proxied(tmp_path_factory.mktemp("proxy") / "nginx", int(up.url.rpartition(":")[2])) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def token(up: Service) -> str:
    return str(up.account("Harbour")["token"])


def padded_file(size: int) -> bytes:
    """Return a CSV of valid rows that is so large because of a column that is not read."""
    filler = "x" * 30_000
    rows = [["1", f"2125{number:06}", "TRUE", "", "", filler] for number in range(size // 30_030)]
    content = sheets.csv_bytes([[*sheets.HEADER, "Remark"], *rows])
    return content + b"\r\n" * ((size - len(content)) // 2)


def stored_bytes(up: Service) -> int:
    return sum(path.stat().st_size for path in (up.folder / "files").rglob("*") if path.is_file())


def connections(up: Service) -> int:
    """Return how many connections the web processes have."""
    return sum(len(web.net_connections(kind="tcp")) for web in up.processes("web"))


def test_a_slow_upload_and_silent_clients_delay_nobody(up: Service, nginx: Nginx, token: str) -> None:
    """50 MB that arrive slowly are stored as they arrive, while nginx holds 200 clients with half a request head."""
    content = padded_file(SLOW_BYTES)
    body = HEAD + content + TAIL
    before = stored_bytes(up)
    stored_at_half = 0

    def slowly() -> Iterator[bytes]:
        nonlocal stored_at_half
        for start in range(0, len(body), PIECE):
            yield body[start : start + PIECE]
            time.sleep(0.005)  # a slow client
            if not stored_at_half and start > len(body) // 2:
                wait_for(lambda: stored_bytes(up) - before > SLOW_BYTES // 4, MOST_SECONDS, "the first part")
                stored_at_half = stored_bytes(up) - before

    headers = {"Content-Type": MULTIPART, "Content-Length": str(len(body))}
    with ExitStack() as stack:
        idle = connections(up)
        silent = [stack.enter_context(half_a_request(nginx)) for _ in range(SLOW_CLIENTS)]
        client = stack.enter_context(nginx.client(token))
        with ThreadPoolExecutor(1) as pool, nginx.client(token) as uploader:
            upload = pool.submit(uploader.post, "/v1/uploads", content=slowly(), headers=headers)
            waits = []
            while not upload.done():
                began = time.monotonic()
                assert client.get("/v1/jobs", params={"limit": 5}).status_code == 200
                assert client.get("/sign-in", headers={"Accept": PAGE}).status_code == 200
                waits.append(time.monotonic() - began)
            accepted = upload.result()
        assert accepted.status_code == 202, accepted.text
        assert len(waits) > 3
        assert max(waits) < MOST_SECONDS, waits
        assert stored_at_half < len(content)
        assert connections(up) < idle + SLOW_CLIENTS // 2
        # nginx closes them when their time is over.
        wait_for(lambda: all(is_closed(each) for each in silent), 90, "the end of the silent clients", 0.5)
    job = up.client("Harbour").ended(accepted.json()["id"])
    assert (job["file"]["size"], job["file"]["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert job["counts"]["failed"] == 0


def half_a_request(nginx: Nginx) -> socket.socket:
    """Return a connection with TLS on which half a request head was sent."""
    connection = nginx.trust.wrap_socket(
        socket.create_connection((LOOPBACK, nginx.port), 60), server_hostname="localhost"
    )
    connection.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    connection.settimeout(0.001)
    return connection


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_what_the_service_refuses_is_refused_through_nginx_alike(up: Service, nginx: Nginx, token: str) -> None:
    """Status, problem and headers of the service reach the client: also if it answers before the body is complete."""
    headers = {"Authorization": f"Bearer {token}"}
    with (
        nginx.client() as through,
        httpx.Client(base_url=up.url, trust_env=False, timeout=60) as direct,
    ):
        requests: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", "/v1/jobs", {}),
            ("GET", "/v1/jobs/unknown", {"headers": headers}),
            ("GET", "/v1/nothing", {"headers": headers}),
            ("POST", "/v1/uploads", {"headers": headers | {"Content-Type": MULTIPART}, "content": HEAD[:20]}),
            ("POST", "/v1/uploads", {"headers": headers, "files": {"file": ("a.csv", b"x" * (LIMIT + MIB))}}),
            ("POST", "/v1/uploads", {"files": {"file": ("a.csv", b"x" * (8 * MIB))}}),
            ("POST", "/v1/uploads", {"headers": headers | {"Content-Type": MULTIPART}, "content": b"x" * MIB}),
        ]
        for method, path, more in requests:
            answers = [client.request(method, path, **more) for client in (direct, through)]
            problems = [answer.json() for answer in answers]
            for problem in problems:
                problem.pop("request_id", None)
                problem.pop("instance", None)
            assert answers[0].status_code >= 400
            assert answers[1].status_code == answers[0].status_code, (path, answers[1].text)
            assert problems[1] == problems[0]
            assert answers[1].headers["content-type"] == "application/problem+json"
    assert "upstream prematurely" not in nginx.log()


def test_an_upload_without_a_length_is_cut_off_at_the_limit(nginx: Nginx, token: str) -> None:
    body = (HEAD + b"x" * MIB, *(b"x" * MIB for _ in range(LIMIT // MIB)))
    with nginx.client(token, **{"Content-Type": MULTIPART}) as client:
        answer = client.post("/v1/uploads", content=iter(body))
    assert (answer.status_code, answer.json()["code"]) == (413, "FILE_TOO_LARGE")


def test_waiting_requests_are_held(up: Service, nginx: Nginx, token: str) -> None:
    """As long as the job does not end, because all workers are halted."""
    client = up.client("Harbour")
    workers = up.workers()
    for worker in workers:
        worker.suspend()
    try:
        job = client.upload(service.block(20, 2_124_000_000))
        with nginx.client(token, Prefer="wait=3") as through:
            began = time.monotonic()
            answer = through.get(f"/v1/jobs/{job}")
            waited = time.monotonic() - began
    finally:
        for worker in workers:
            worker.resume()
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=3")
    assert answer.json()["status"] == "accepted"
    assert waited >= 3
    client.ended(job)


def test_downloads_are_the_same_and_can_be_resumed(up: Service, nginx: Nginx, token: str) -> None:
    client = up.client("Harbour")
    job = client.ended(client.upload(service.block(40_000, 2_125_500_000)))
    direct = client.report(job["id"])
    path = f"/v1/jobs/{job['id']}/report.csv"
    with nginx.client(token, **{"Accept-Encoding": "identity"}) as through:
        whole = through.get(path)
        assert whole.content == direct
        assert not whole.headers["ETag"].startswith("W/")
        assert through.get(path, headers={"Accept-Encoding": "gzip"}).content == direct
        rest = through.get(path, headers={"Range": "bytes=1000000-", "If-Range": whole.headers["ETag"]})
    assert (rest.status_code, rest.content) == (206, direct[1_000_000:])


def test_cookies_are_for_https_only(up: Service, nginx: Nginx) -> None:
    account = up.account("Harbour")
    with nginx.client(Accept=PAGE) as browser:
        page = browser.get("/sign-in")
        assert all(is_for_https(cookie) for cookie in page.headers.get_list("set-cookie"))
        assert page.headers["Strict-Transport-Security"].startswith("max-age=")
        (csrf,) = set(re.findall(r'name="csrf_token" value="(\w+)"', page.text))
        form = {"csrf_token": csrf, "email": account["email"], "password": account["password"]}
        signed_in = browser.post("/sign-in", data=form, headers={"Origin": nginx.url})
        assert signed_in.is_redirect, signed_in.text
        assert not signed_in.headers["Location"].startswith("http:")
        cookies = signed_in.headers.get_list("set-cookie")
        assert any(cookie.startswith("__Host-numberyard=") and is_for_https(cookie) for cookie in cookies)
        assert browser.get("/account").status_code == 200


def is_for_https(cookie: str) -> bool:
    return cookie.startswith("__Host-") and "; Secure" in cookie


def test_plain_http_leads_to_https_and_takes_no_token(nginx: Nginx, token: str) -> None:
    with httpx.Client(base_url=f"http://localhost:{nginx.plain_port}", trust_env=False) as client:
        page = client.get("/sign-in?next=/numbers")
        assert (page.status_code, page.headers["Location"]) == (308, "https://localhost/sign-in?next=/numbers")
        call = client.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"})
        assert (call.status_code, call.json()["code"]) == (403, "FORBIDDEN")


def test_metrics_are_not_public(nginx: Nginx) -> None:
    with nginx.client(METRICS_TOKEN) as client:
        answer = client.get("/metrics")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_a_new_certificate_interrupts_nothing(up: Service, token: str, tmp_path: Path) -> None:
    """nginx takes one of another authority, by the command of docs/guides/maintenance.md, while requests go on."""
    with proxied(tmp_path / "nginx", int(up.url.rpartition(":")[2])) as nginx:
        both = trusting(nginx.trust)
        answers: list[int | str] = []
        done = threading.Event()
        thread = threading.Thread(target=ask, args=(nginx.url, token, both, answers, done))
        thread.start()
        try:
            new = certified(nginx.folder)
            trusting(new, both)
            assert not accepts(nginx.url, new), "the new certificate is in use before the reload"
            reload, *_ = guides.blocks("maintenance", "Certificates")
            place = f"{need('nginx')} -p '{nginx.folder}' -c '{nginx.folder}/nginx.conf'"
            guides.run(reload.replace("nginx", place, 1))
            wait_for(lambda: accepts(nginx.url, new), DEADLINE, "the new certificate", 0.1)
            before = len(answers)
            wait_for(lambda: len(answers) > before + 20, DEADLINE, "requests to go on", 0.1)
        finally:
            done.set()
            thread.join()
        assert {answer for answer in answers if answer not in {200, 202}} == set()
        assert not accepts(nginx.url, nginx.trust), "the old certificate is still in use"


def trusting(trust: ssl.SSLContext, context: ssl.SSLContext | None = None) -> ssl.SSLContext:
    """Have a context, a new one if none is given, trust what another does."""
    context = context or ssl.create_default_context()
    context.load_verify_locations(cadata=b"".join(trust.get_ca_certs(binary_form=True)))
    return context


def accepts(url: str, trust: ssl.SSLContext) -> bool:
    """Return whether the certificate is by what is trusted."""
    try:
        return httpx.get(f"{url}/livez", verify=trust, trust_env=False).status_code == 200
    except httpx.ConnectError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return False
        raise


def ask(url: str, token: str, trust: ssl.SSLContext, answers: list[int | str], done: threading.Event) -> None:
    """List and upload, each by a connection of its own, and note the statuses or errors."""
    headers, file = {"Authorization": f"Bearer {token}"}, service.block(2)
    while not done.is_set():
        for method, path, files in (("GET", "/v1/jobs", None), ("POST", "/v1/uploads", {"file": ("few.csv", file)})):
            try:
                sent = httpx.request(
                    method, url + path, headers=headers, files=files, verify=trust, trust_env=False, timeout=60
                )
                answers.append(sent.status_code)
            except httpx.TransportError as error:
                answers.append(str(error))


# Without the service


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Nginx]:
    """nginx in front of nothing."""
    with proxied(tmp_path / "nginx", free_port()) as proxy:
        yield proxy


def test_what_nginx_refuses_itself_is_a_problem_or_a_page(alone: Nginx) -> None:
    with alone.client() as client:
        away = client.get("/v1/jobs")
        assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
        assert (away.headers["content-type"], away.json()["code"]) == ("application/problem+json", "UNAVAILABLE")
        page = client.get("/", headers={"Accept": PAGE})
        assert (page.status_code, page.headers["content-type"]) == (503, "text/html")
        assert "unavailable" in page.text
    for request, status, code in (
        (b"POST /v1/uploads HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000000\r\n\r\n", 413, "BODY_TOO_LARGE"),
        (b"GET /v1/jobs HTTP/1.1\r\n\r\n", 400, "BAD_REQUEST"),
    ):
        with (
            socket.create_connection((LOOPBACK, alone.port), 60) as plain,
            alone.trust.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(request)
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
        assert int(head.split()[1]) == status
        assert json.loads(body)["code"] == code


class Echo(BaseHTTPRequestHandler):
    """Answers with the header fields of the request."""

    def do_GET(self) -> None:
        body = json.dumps(list(self.headers.items())).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_clients_cannot_forge_their_address(tmp_path: Path) -> None:
    with ThreadingHTTPServer((LOOPBACK, 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with (
            proxied(tmp_path / "nginx", server.server_port) as proxy,
            proxy.client(
                **{
                    "X-Forwarded-For": "192.0.2.1",
                    "X-Forwarded-Proto": "http",
                    "X-Forwarded-Host": "evil.example",
                    "X-Real-IP": "192.0.2.1",
                    "Forwarded": "for=192.0.2.1",
                }
            ) as client,
        ):
            received = [(name.lower(), value) for name, value in client.get("/").json()]
        server.shutdown()
    told = {name: value for name, value in received if "forwarded" in name or "real" in name or name == "host"}
    assert told == {
        "x-forwarded-for": LOOPBACK,
        "x-forwarded-proto": "https",
        "host": f"localhost:{proxy.port}",
    }
    assert len(received) == len(dict(received))
