"""What a route declares for the OpenAPI document besides `bp.doc`.

Header parameters, bodies that its service reads itself, and files as responses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel

from schemas.workbooks import MEDIA_TYPE

View = TypeVar("View", bound=Callable[..., Any])
_DECLARATION = "_openapi"

CSV = "text/csv"
JSON_LINES = "application/jsonl"
DOWNLOADS = frozenset({CSV, JSON_LINES, MEDIA_TYPE})


class Header(StrEnum):
    """The request headers that routes honour; `webhook.http.openapi.headers` describes them."""

    IDEMPOTENCY_KEY = "Idempotency-Key"
    PREFER = "Prefer"
    IF_MATCH = "If-Match"
    IF_NONE_MATCH = "If-None-Match"
    RANGE = "Range"
    IF_RANGE = "If-Range"
    REQUEST_ID = "X-Request-Id"
    TRACEPARENT = "traceparent"


# What routes that send a stored file honour, and their further responses.
FILE_HEADERS = (Header.IF_MATCH, Header.IF_NONE_MATCH, Header.RANGE, Header.IF_RANGE)
FILE_RESPONSES = {
    206: "The requested range",
    304: "The client already has this file (If-None-Match)",
    412: "The file does not match If-Match",
    416: "The range is outside the file",
}
# The same of a file that is made while it is sent.
STREAM_HEADERS = (Header.IF_MATCH, Header.IF_NONE_MATCH)
STREAM_RESPONSES = {status: FILE_RESPONSES[status] for status in (304, 412)}
EVERYWHERE = (Header.REQUEST_ID, Header.TRACEPARENT)


@dataclass(frozen=True)
class Declaration:
    """The headers that a route honours, and the bodies that the framework does not know of.

    `json`: the body as JSON. `form`: the fields that are sent with a file. `query`: the parameters that are sent with a
    body that is a file, of one of the types `bodies`. `files`: content types of a successful response, if it is not
    JSON.
    """

    headers: tuple[Header, ...] = ()
    json: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    bodies: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def declares(
    *headers: Header,
    json: type[BaseModel] | None = None,
    form: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    bodies: tuple[str, ...] = (),
    files: tuple[str, ...] = (),
) -> Callable[[View], View]:
    """Declare the headers and bodies of a view."""

    def mark(view: View) -> View:
        setattr(view, _DECLARATION, Declaration(headers, json, form, query, bodies, files))
        return view

    return mark


def declaration_of(view: Callable[..., Any]) -> Declaration:
    """Return what a view declares."""
    declaration: Declaration = getattr(view, _DECLARATION, Declaration())
    return declaration
