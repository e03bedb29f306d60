"""Pages of API lists: the body, and the link to the next page (RFC 8288)."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import quote, urlencode

from flask import Response, request


class Page(Protocol):
    """A response body that is one page of a list."""

    next_cursor: str | None

    def model_dump_json(self) -> str: ...


def next_link(page: Page) -> Response:
    """Return a page as a response. The link to the next page keeps the caller's filters."""
    response = Response(page.model_dump_json(), content_type="application/json")
    if page.next_cursor is not None:
        query = urlencode({**request.args.to_dict(), "cursor": page.next_cursor})
        response.headers["Link"] = f'<{quote(request.path)}?{query}>; rel="next"'
    return response
