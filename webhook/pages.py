"""Pages of lists: the body, and where the next one is (RFC 8288)."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, request
from pydantic import BaseModel


def next_link(body: BaseModel, cursor: str | None) -> Response:
    """A page as an answer. The link to the next one keeps the caller's filters."""
    response = Response(body.model_dump_json(), content_type="application/json")
    if cursor is not None:
        query = urlencode({**request.args.to_dict(), "cursor": cursor})
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response
