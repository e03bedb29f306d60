"""Checks of request heads beyond those of the parser: limits, and one unambiguous end of the body."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

LONGEST_TARGET = 8190  # bytes of path and query
MOST_FIELDS = 100
Fault = tuple[HTTPStatus, str]


def fault_of(scope: dict[str, Any]) -> Fault | None:
    """Return why a request is refused before its body is read; None if its head is sound.

    RFC 9112, section 6.1: both framings in one request, or chunks in HTTP/1.0, may be an attempt to smuggle a request
    past a proxy that finds its end elsewhere.
    """
    names = [name for name, _ in scope["headers"]]
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_TARGET:
        return HTTPStatus.REQUEST_URI_TOO_LONG, f"The address is too long: at most {LONGEST_TARGET:,} bytes."
    if len(names) > MOST_FIELDS:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"Too many header fields: at most {MOST_FIELDS}."
    if b"transfer-encoding" in names and b"content-length" in names:
        return HTTPStatus.BAD_REQUEST, "A request has either Content-Length or Transfer-Encoding."
    if scope["http_version"] not in {"1.0", "1.1"}:
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "The versions supported are HTTP/1.1 and HTTP/1.0."
    if b"transfer-encoding" in names and scope["http_version"] != "1.1":
        return HTTPStatus.BAD_REQUEST, "Transfer-Encoding needs HTTP/1.1."
    return None
