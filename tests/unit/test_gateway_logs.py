"""What the gateway itself logs about a request has the id of the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import structlog

from webhook.server import gateway
from worker.config import error_reports
from worker.config.settings import Settings

ID = "request-1"
SCOPE = {
    "type": "http", "method": "GET", "http_version": "1.1", "scheme": "http", "path": "/", "raw_path": b"/",
    "query_string": b"", "headers": [(b"host", b"h")], "server": ("h", 80), "client": None,
}  # fmt: skip


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(_message: dict[str, Any]) -> None:
    return


async def stall(message: dict[str, Any]) -> None:
    if message["type"] == "http.response.body":
        await asyncio.Event().wait()


def served(app: Callable[[Any, Any], Iterable[bytes]], send: gateway.Send) -> list[Any]:
    """The lines about one request."""

    def bound(environ: Any, start: Any) -> Iterable[bytes]:  # noqa: ANN401 - as in WSGI
        structlog.contextvars.bind_contextvars(request_id=ID)
        return app(environ, start)

    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        asyncio.run(gateway.Gateway(bound, Settings())(SCOPE, receive, send))
    return lines


def test_a_failed_application_is_logged_and_reported_in_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(
        error_reports, "report", lambda _error: reported.append(structlog.contextvars.get_contextvars())
    )

    def fails(_environ: Any, _start: Any) -> Iterable[bytes]:  # noqa: ANN401 - as in WSGI
        raise ValueError

    (line,) = served(fails, send)
    assert (line["event"], line["log_level"], line["request_id"]) == ("application_failed", "error", ID)
    assert isinstance(line["exc_info"], ValueError)
    assert reported == [{"request_id": ID}]


def test_a_stalled_client_is_logged_with_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "STALL_SECONDS", 0.01)

    def answers(_environ: Any, start: Any) -> Iterable[bytes]:  # noqa: ANN401 - as in WSGI
        start("200 OK", [("Content-Length", "1")])
        return [b"x"]

    (line,) = served(answers, stall)
    assert (line["event"], line["request_id"]) == ("client_stalled", ID)
