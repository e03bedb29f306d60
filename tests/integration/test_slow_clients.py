"""Slow, silent and hostile clients of the real server take no threads, little memory, and are closed in time."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import pytest

from tests.support.factories import World
from tests.support.servers.service import wait_for
from tests.support.servers.web_server import WebServer, head, received, serving

BOUNDARY = "boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
BEGIN = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'.encode()
END = f"\r\n--{BOUNDARY}--\r\n".encode()
HALF_HEAD = b"GET /v1/numbers HTTP/1.1\r\nHost: localhost\r\nX-Half: "
FIELDS = {"Origin": "http://localhost", "Content_Type": "application/x-www-form-urlencoded", "Content_Length": 1000}
HALF_BODY = head("POST", "/sign-in", **FIELDS) + b"email="
OTHER_ADDRESS = "127.0.0.2"
MEMORY = 64 * 1024 * 1024


@contextlib.contextmanager
def attacked(web: WebServer, connections: int) -> Iterator[None]:
    """So many half-sent requests stay open, and 20 silent connections a second come in addition."""
    with contextlib.ExitStack() as held:
        for number in range(connections):
            connection = held.enter_context(web.connect())
            with contextlib.suppress(OSError):
                connection.sendall(HALF_BODY if number % 2 else HALF_HEAD)
        over = threading.Event()

        def keep_on() -> None:
            while not over.wait(0.05):
                held.enter_context(web.connect())

        thread = threading.Thread(target=keep_on)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def measured(client: httpx.Client, path: str) -> float:
    """Seconds at p90 of 20 requests, each on a connection of its own."""
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        assert client.get(path).status_code == 200
        taken.append(time.perf_counter() - began)
    return quantiles(taken, n=10)[-1]


def problem(answer: bytes, status: int, code: str) -> dict[str, Any]:
    """The problem document of a raw answer, whose status and code must be these."""
    fields, _, body = answer.partition(b"\r\n\r\n")
    assert fields.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"application/problem+json" in fields
    found: dict[str, Any] = json.loads(body)
    assert (found["status"], found["code"]) == (status, code)
    return found


def bearer(world: World) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.north.token}"}


@pytest.mark.long
@pytest.mark.parametrize("is_limited", [False, True])
def test_half_sent_requests_hold_no_threads(world: World, tmp_path: Path, is_limited: bool) -> None:
    """With twice as many half-sent requests as threads, others are served as before."""
    limits: dict[str, Any] = {"trusted_proxies": "", "max_connections_per_address": 10} if is_limited else {}
    transport = httpx.HTTPTransport(local_address=OTHER_ADDRESS)  # the attack must not use up this client's connections
    with (
        serving(tmp_path, web_threads=8, **limits) as web,
        web.client(world.north.token, transport=transport) as client,
    ):
        alone = measured(client, "/v1/carriers")
        before = web.memory()
        with attacked(web, 2 * 8 + 60):
            measured(client, "/livez")
            beside = min(measured(client, "/v1/carriers") for _ in range(2))
            assert web.memory() - before < MEMORY
        assert beside < 3 * alone + 0.5  # seconds that a busy machine may take; without threads it is a minute
        if is_limited:
            with attacked(web, 10):
                problem(web.exchange(head("GET", "/livez", Connection="close")), 429, "RATE_LIMITED")


@pytest.mark.long
def test_deadlines(world: World, tmp_path: Path, stored: Callable[[], list[str]]) -> None:
    """Heads have a deadline, bodies a minimum rate; what is faster is served, however small its pieces."""
    quick: dict[str, Any] = {"request_head_seconds": 0.5, "body_grace_seconds": 1, "min_body_bytes_per_second": 20_000}
    fields = bearer(world) | {"Content_Type": FORM, "Content_Length": 200_000}
    with serving(tmp_path, **quick) as web:
        assert web.exchange() == b""
        problem(web.exchange(HALF_HEAD), 408, "REQUEST_TOO_SLOW")
        problem(web.exchange(HALF_BODY.replace(b"/sign-in", b"/v1/jobs")), 408, "REQUEST_TOO_SLOW")
        assert b"text/html" in web.exchange(HALF_BODY)
        upload = head("POST", "/v1/uploads", **fields) + BEGIN + bytes(70_000)
        slowed = threading.Event()
        with web.connect() as connection:
            connection.sendall(upload)
            # So slow that the rate of the whole falls below the minimum after 3.5 seconds.
            thread = threading.Thread(target=_drip, args=(connection, slowed))
            thread.start()
            answer = received(connection)
            slowed.set()
            thread.join()
        problem(answer, 408, "REQUEST_TOO_SLOW")
        assert stored() == []
        content = BEGIN + b"Number\r\n" * 100_000 + END
        head_of_all = head("POST", "/v1/uploads", **fields | {"Content_Length": len(content), "Connection": "close"})
        pieces = [content[start : start + 80_000] for start in range(0, len(content), 80_000)]
        with web.connect() as connection:
            connection.sendall(head_of_all)
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.02)
            assert received(connection).startswith(b"HTTP/1.1 202 ")


def _drip(connection: socket.socket, over: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not over.wait(0.05):
            connection.sendall(bytes(10))


@pytest.mark.long
def test_bounds(world: World, tmp_path: Path) -> None:
    """One server for all that needs no settings of its own."""
    with serving(tmp_path, max_connections=12, share_uploads=1, max_upload_bytes=1_000_000) as web:
        _requests_are_framed_strictly(web)
        _unwanted_bodies_are_refused_unread(web, world)
        _uploads_have_threads_of_their_own(web, world)
        _the_longest_idle_connection_gives_way(web)
        _too_many_busy_connections_are_refused(web)
        _requests_under_way_are_finished_at_the_end(web)


def _requests_are_framed_strictly(web: WebServer) -> None:
    """RFC 9112: there is one reading of where a request ends. What the parser refuses is a problem document, too."""
    both = head("POST", "/sign-in", Content_Length=6, Transfer_Encoding="chunked") + b"0\r\n\r\nX"
    problem(web.exchange(both), 400, "BAD_REQUEST")
    problem(web.exchange(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n"), 400, "BAD_REQUEST")
    problem(web.exchange(head("GET", "/" + "a" * 9_000)), 414, "BAD_REQUEST")
    problem(web.exchange(head("GET", "/livez", **{f"X-{n}": n for n in range(200)})), 431, "BAD_REQUEST")
    problem(web.exchange(b"GET /livez HTTP/1.1\r\nX: " + b"a" * 70_000), 431, "BAD_REQUEST")
    problem(web.exchange(b"PRI * HTTP/2.0\r\n\r\n"), 505, "BAD_REQUEST")
    in_chunks = head("POST", "/sign-in", Transfer_Encoding="xchunked") + b"0\r\n\r\n"
    problem(web.exchange(in_chunks), 501, "BAD_REQUEST")
    with web.connect() as connection:
        connection.sendall(head("GET", "/livez"))
        connection.shutdown(socket.SHUT_WR)
        assert received(connection).startswith(b"HTTP/1.1 200 ")
    two = web.exchange(head("GET", "/livez") + head("GET", "/livez", Connection="close"))
    assert len(re.findall(rb"HTTP/1.1 200 OK", two)) == 2
    # With `_` for `-` it would be a proxy's header, and figures are for this machine alone.
    assert web.exchange(
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX_Forwarded_For: 8.8.8.8\r\nConnection: close\r\n\r\n"
    ).startswith(b"HTTP/1.1 200 ")


def _unwanted_bodies_are_refused_unread(web: WebServer, world: World) -> None:
    """RFC 9110, section 10.1.1: the client is answered before it has sent the body.

    The first keeps its connection, but not the only slot for uploads.
    """
    fields = bearer(world) | {"Content_Type": FORM, "Content_Length": 10**12}
    with contextlib.ExitStack() as held:
        for expectation in ({}, {"Expect": "100-continue"}):
            connection = held.enter_context(web.connect())
            connection.sendall(head("POST", "/v1/uploads", **fields, **expectation))
            answer = HTTPResponse(connection)
            answer.begin()
            assert (answer.status, json.load(answer)["code"]) == (413, "FILE_TOO_LARGE")
            assert answer.headers["Connection"] == "close"


def _uploads_have_threads_of_their_own(web: WebServer, world: World) -> None:
    """While the share is used up, an upload is refused at once; all else is served."""
    fields = bearer(world) | {"Content_Type": FORM, "Content_Length": 200_000}
    with web.connect() as first, web.client(world.north.token) as client:
        first.sendall(head("POST", "/v1/uploads", **fields) + BEGIN + bytes(70_000))
        answer = wait_for(lambda: _refused_upload(client), 10, "the share to be used up")
        assert client.get("/livez").status_code == 200
        assert client.get("/v1/carriers").status_code == 200
        page = client.post("/uploads", content=bytes(100_000), headers={"Accept": "text/html"})
        assert (answer.headers["Retry-After"], answer.headers["Content-Type"]) == ("2", "application/problem+json")
        assert answer.json()["code"] == "UNAVAILABLE"
        assert (page.status_code, page.headers["Retry-After"]) == (503, "2")
        assert page.headers["Content-Type"].startswith("text/html")
        first.sendall(bytes(200_000 - 70_000 - len(BEGIN) - len(END)) + END)
        assert first.recv(12) == b"HTTP/1.1 202"


def _refused_upload(client: httpx.Client) -> httpx.Response | None:
    answer = client.post("/v1/uploads", files={"file": ("a.csv", bytes(100_000))})
    return answer if answer.status_code == 503 else None


def _the_longest_idle_connection_gives_way(web: WebServer) -> None:
    with contextlib.ExitStack() as held, web.client() as client:
        first, *_ = [held.enter_context(web.connect()) for _ in range(12)]
        assert client.get("/livez").status_code == 200
        assert first.recv(1) == b""


def _too_many_busy_connections_are_refused(web: WebServer) -> None:
    with contextlib.ExitStack() as held:

        def refusal() -> bytes:
            busy = held.enter_context(web.connect())
            with contextlib.suppress(OSError):
                busy.sendall(HALF_BODY)
            answer = web.exchange(head("GET", "/livez", Connection="close"))
            return b"" if answer.startswith(b"HTTP/1.1 200 ") else answer

        answer = wait_for(refusal, 20, "a connection to be refused")
    assert "connections" in problem(answer, 503, "UNAVAILABLE")["detail"]
    assert b"\r\nRetry-After: " in answer


def _requests_under_way_are_finished_at_the_end(web: WebServer) -> None:
    """SIGTERM: a request in progress is answered, idle connections are closed, and the process ends by itself."""
    wait_for(lambda: web.exchange(head("GET", "/livez", Connection="close"))[9:12] == b"200", 20, "free connections")
    with web.connect() as idle, web.connect() as busy:
        idle.sendall(HALF_HEAD)
        busy.sendall(HALF_BODY)
        web.exchange(head("GET", "/livez", Connection="close"))
        web.process.terminate()
        assert received(idle) == b""
        busy.sendall(bytes(1000))
        assert received(busy).startswith(b"HTTP/1.1 ")
        assert web.process.wait(30) == 0
