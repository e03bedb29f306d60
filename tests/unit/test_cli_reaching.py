"""What is said when no answer comes, or one that is not Numberyard's: what happened, and what to do."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme
from click.testing import CliRunner
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.unit.fake_service import TOKEN, running
from webhook.cli import client, main
from webhook.cli.connection_errors import (
    UnreachableError,
    error_without_problem_document,
    translating_connection_errors,
)
from webhook.cli.exit_codes import Exit


def said(url: str, **env: str) -> str:
    """What `numberyard jobs` says of a service it cannot reach."""
    known = {"NUMBERYARD_URL": url, "NUMBERYARD_TOKEN": TOKEN, "NUMBERYARD_CONFIG": "/none"}
    result = CliRunner().invoke(main, ["jobs"], env=known | env)
    assert result.exit_code == Exit.UNREACHABLE, result.output
    assert result.stdout == ""
    assert "Errno" not in result.stderr
    assert len(result.stderr.splitlines()) == 2
    return result.stderr


@contextmanager
def listening(answer: bytes | None = None, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port that takes one connection and answers `answer`; None: takes none, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                connection, _ = server.accept()
                with connection if context is None else context.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(65536)
                    wrapped.sendall(answer or b"")
            except OSError:  # the client broke off the handshake, as it should
                pass

        thread = threading.Thread(target=serve, daemon=True)
        if answer is not None:
            thread.start()
        yield server.getsockname()[1]
        if answer is not None:
            thread.join(timeout=10)


def test_connection_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening
        told = said(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert "Connection refused by http://127.0.0.1:" in told
    assert "numberyard up" in told


def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "Host numbers.invalid not found" in said("http://numbers.invalid")


def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_TIMEOUT", httpx.Timeout(0.2))
    with listening() as port:
        assert "did not respond in time" in said(f"http://127.0.0.1:{port}")


def test_no_connection_in_time() -> None:
    with (
        pytest.raises(UnreachableError, match="far does not respond") as caught,
        translating_connection_errors("https://far:8443"),
    ):
        raise httpx.ConnectTimeout("timed out")
    assert "firewall" in caught.value.fix


def test_a_certificate_nobody_vouches_for() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with listening(b"", context) as port:
        told = said(f"https://127.0.0.1:{port}")
    assert "certificate of 127.0.0.1 is not trusted" in told
    assert "SSL_CERT_FILE" in told


def test_https_where_there_is_none() -> None:
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        told = said(f"https://127.0.0.1:{port}")
    assert "TLS connection to https://127.0.0.1:" in told
    assert "http://" in told


@pytest.mark.parametrize("answer", [b"\x15\x03\x01\x00\x02\x02\x16", b""])
def test_http_where_something_else_is_spoken(answer: bytes) -> None:
    with listening(answer) as port:
        assert "may need https://" in said(f"http://127.0.0.1:{port}")


def test_a_web_page() -> None:
    with running() as service:
        service.plain_answer = "<h1>It works!</h1>"
        told = said(f"{service.url}/login")
    assert "A web page answers" in told
    assert "address only" in told


def test_a_gateway_without_service() -> None:
    answer = httpx.Response(502, text="<h1>Bad Gateway</h1>")
    assert "the service behind it is not available" in str(error_without_problem_document(answer, "http://x"))


def test_an_upload_that_is_sent_elsewhere(tmp_path: Path) -> None:
    """A file is not sent twice: who gave the wrong address is told the right one."""

    @Request.application
    def moved(request: Request) -> Response:
        request.get_data()
        return Response(status=301, headers={"Location": "https://numbers.example.com/v1/uploads?x=1"})

    server = make_server("127.0.0.1", 0, moved)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    (tmp_path / "n.csv").write_text("x")
    try:
        env = {"NUMBERYARD_URL": f"http://127.0.0.1:{server.server_port}", "NUMBERYARD_TOKEN": TOKEN}
        result = CliRunner().invoke(main, ["upload", str(tmp_path / "n.csv")], env=env)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert result.exit_code == Exit.UNREACHABLE
    assert "redirects to https://numbers.example.com. " in result.stderr


def test_a_password_in_the_url_is_not_shown() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        told = said(f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}")
    assert "secret" not in told


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://host:port", "http://host:99999", "//host", "http://a\n"]
)
def test_an_address_that_is_none(url: str) -> None:
    result = CliRunner().invoke(main, ["jobs", "--url", url, "--token", TOKEN])
    assert result.exit_code == Exit.USAGE
    assert "http://" in result.stderr


def test_a_path_in_the_url_is_doubted() -> None:
    with running() as service:
        env = {"NUMBERYARD_URL": f"{service.url}/docs", "NUMBERYARD_TOKEN": TOKEN}
        result = CliRunner().invoke(main, ["jobs"], env=env)
    assert result.exit_code == Exit.NOT_FOUND
    assert "/docs" in result.stderr
