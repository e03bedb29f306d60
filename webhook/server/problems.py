"""Problem documents (RFC 9457) for requests that do not reach the application."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from schemas import request_problems
from schemas.request_problems import RequestCode

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 2
_CODES = {
    HTTPStatus.NOT_IMPLEMENTED: RequestCode.BAD_REQUEST,
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: RequestCode.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT: RequestCode.REQUEST_TOO_SLOW,
    HTTPStatus.TOO_MANY_REQUESTS: RequestCode.RATE_LIMITED,
    HTTPStatus.SERVICE_UNAVAILABLE: RequestCode.UNAVAILABLE,
}


def document(status: int, detail: str = "") -> bytes:
    """Return the problem document for a status, as JSON."""
    code = _CODES.get(HTTPStatus(status))
    if code is None:
        code = RequestCode.BAD_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else RequestCode.INTERNAL_ERROR
    return json.dumps(request_problems.of_request(code, detail) | {"status": status}).encode()


def headers(status: int) -> list[tuple[str, str]]:
    """Return the header fields that belong to such a document."""
    fields = [("Content-Type", CONTENT_TYPE), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        fields.append(("Retry-After", str(RETRY_SECONDS)))
    return fields


def response(status: int, detail: str = "") -> bytes:
    """Return a complete HTTP/1.1 response with the document; the connection is closed after it."""
    body = document(status, detail)
    fields = [*headers(status), ("Content-Length", str(len(body))), ("Connection", "close")]
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def send(
    send_message: Callable[[dict[str, Any]], Awaitable[None]],
    status: int,
    detail: str = "",
    *more_headers: tuple[bytes, bytes],
) -> None:
    """Send the document as an ASGI response."""
    body = document(status, detail)
    fields = [*headers(status), ("Content-Length", str(len(body)))]
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    await send_message({"type": "http.response.start", "status": status, "headers": [*encoded, *more_headers]})
    await send_message({"type": "http.response.body", "body": body})
