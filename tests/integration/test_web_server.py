"""The web server alone, with an application that shows what arrives: bodies, streams, clients that go, and the end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.servers.plain_app import MIB, block
from tests.support.servers.service import wait_for
from tests.support.servers.web_server import WebServer, head, received, serving

APP = "tests.support.servers.plain_app:create_app()"
SECONDS = 30.0
LARGE = 24  # MiB
THREADS = 8


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    with serving(tmp_path, app=APP, web_threads=THREADS) as running:
        yield running


def counts(web: WebServer) -> dict[str, int]:
    with web.client() as client:
        found: dict[str, int] = client.get("/counts").json()
    return found


def blocks(size: int) -> bytes:
    return b"".join(map(block, range(size)))


@pytest.mark.long
def test_bodies_arrive_whole(web: WebServer, tmp_path: Path) -> None:
    """Small and large ones, with a length or in chunks, announced or not; the judge is curl."""
    for size in (0, 1, 65_535, 65_536, 65_537, 3 * MIB):
        content = os.urandom(size)
        wanted = [hashlib.sha256(content).hexdigest(), size]
        (tmp_path / "body").write_bytes(content)
        for option in ("Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"):
            sent = ("--header", option, "--data-binary", f"@{tmp_path / 'body'}")
            assert json.loads(curl(web, "/body", *sent)) == wanted, (size, option)


def curl(web: WebServer, path: str, *options: str) -> bytes:
    command = ("curl", "--silent", "--fail", "--max-time", "60", "--noproxy", "*", *options)
    return subprocess.run([*command, f"http://127.0.0.1:{web.port}{path}"], capture_output=True, check=True).stdout


@pytest.mark.long
def test_responses_are_sent_whole(web: WebServer) -> None:
    """With a length or in chunks, in HTTP/1.0, and none of it to HEAD; the connection is used again."""
    whole = blocks(LARGE)
    assert curl(web, f"/blocks/{LARGE}") == whole
    assert curl(web, f"/blocks/{LARGE}?length") == whole
    assert curl(web, f"/blocks/{LARGE}", "--http1.0") == whole
    answer = web.exchange(head("HEAD", "/blocks/3?length", Connection="close"))
    assert f"content-length: {3 * MIB}\r\n".encode() in answer
    assert answer.endswith(b"\r\n\r\n")
    with httpx.Client(base_url=f"http://127.0.0.1:{web.port}", trust_env=False, timeout=SECONDS) as client:
        ports = {_port(client.get("/blocks/1")) for _ in range(5)}
        ports |= {_port(client.post("/body", content=b"a" * size)) for size in (10, 100_000)}
    assert len(ports) == 1


@pytest.mark.long
def test_a_request_knows_nothing_of_the_one_before(web: WebServer) -> None:
    """On one connection, after a large body: whose it was, for example, which Flask keeps in the context."""
    with web.client(limits=httpx.Limits(max_connections=1)) as client:
        ports = {_port(client.post("/body", content=bytes(3 * MIB)))}
        answer = client.get("/context")
        assert (answer.text, ports) == ("1", {_port(answer)})


def _port(response: httpx.Response) -> int:
    response.raise_for_status()
    port: int = response.extensions["network_stream"].get_extra_info("client_addr")[1]
    return port


@pytest.mark.long
def test_slow_readers_hold_neither_threads_nor_memory(web: WebServer) -> None:
    """Three times as many as threads read nothing of large responses; then they get them whole."""
    counts(web)
    before = web.memory()
    with contextlib.ExitStack() as held:
        readers = [held.enter_context(_reader(web)) for _ in range(3 * THREADS)]
        for reader in readers:
            reader.recv(1)
        counts(web)
        assert web.memory() - before < 2 * LARGE * MIB  # of 24 times as much that is on its way
        with ThreadPoolExecutor(len(readers)) as threads:
            sizes = [len(answer.partition(b"\r\n\r\n")[2]) for answer in threads.map(received, readers)]
    assert sizes == [LARGE * MIB] * len(readers)


@contextlib.contextmanager
def _reader(web: WebServer) -> Iterator[socket.socket]:
    with web.connect() as connection:
        connection.sendall(head("GET", f"/blocks/{LARGE}?length", Connection="close"))
        yield connection


@pytest.mark.long
def test_what_a_client_leaves_is_ended(web: WebServer) -> None:
    """A client goes within a request body, or within a response: the application is told, and closes what it has."""
    for _ in range(THREADS + 1):
        with web.connect() as connection:
            connection.sendall(head("POST", "/body", Content_Length=10 * MIB) + bytes(MIB))
        with _reader(web) as connection:
            connection.recv(1)
    wait_for(lambda: counts(web) == {"closed": THREADS + 1, "broken": THREADS + 1}, SECONDS, "all to be ended")


@pytest.mark.long
@pytest.mark.parametrize(("length", "sent"), [(1000, 0), (1000, 100), (10 * MIB, 100), (10 * MIB, 3 * MIB)])
def test_a_client_that_ends_its_side_within_a_body_gets_an_answer(web: WebServer, length: int, sent: int) -> None:
    """It may still read (RFC 9112, section 9.6): the application reads what has arrived, and answers."""
    with web.connect() as connection:
        connection.sendall(head("POST", "/body", Content_Length=length) + bytes(sent))
        connection.shutdown(socket.SHUT_WR)
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"truncated")


@pytest.mark.long
def test_a_large_body_takes_little_memory(web: WebServer) -> None:
    counts(web)
    before, size = web.memory(), 100
    with web.connect() as connection, ThreadPoolExecutor(1) as thread:
        connection.sendall(head("POST", "/body", Content_Length=size * MIB, Connection="close"))
        answer = thread.submit(received, connection)
        grown = []
        for number in range(size):
            connection.sendall(block(number))
            grown.append(web.memory() - before)
    assert max(grown) < 32 * MIB
    assert json.loads(answer.result().partition(b"\r\n\r\n")[2])[1] == size * MIB


@pytest.mark.long
def test_the_end_finishes_requests(web: WebServer) -> None:
    """SIGTERM: what has begun is answered and sent whole, even to a client that reads later."""
    with web.connect() as slow, _reader(web) as reader:
        slow.sendall(head("GET", "/slow"))
        reader.recv(1)
        web.process.terminate()
        assert received(slow).endswith(b"slow")
        assert len(received(reader).partition(b"\r\n\r\n")[2]) == LARGE * MIB
        assert web.process.wait(SECONDS) == 0


@pytest.mark.long
def test_processes_are_replaced(tmp_path: Path) -> None:
    """With `--max-requests`, no request fails while processes end and others take over."""
    with serving(tmp_path, 2, APP, ("--max-requests", "20"), web_threads=THREADS) as web:
        first = {child.pid for child in web.process.children()}
        for _ in range(100):
            assert len(curl(web, "/blocks/1", "--retry", "3", "--retry-all-errors", "--retry-delay", "1")) == MIB
        assert not first & {child.pid for child in web.process.children()}
