"""Responses of the API: a resource that is shown, created or deleted, a secret, and a page of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, urlencode

from flask import Response, json, request
from pydantic import BaseModel

SECRETS = frozenset({"token", "secret"})  # members of responses


def shown(body: BaseModel) -> Response:
    """Return 200 with the resource."""
    return Response(body.model_dump_json(), content_type="application/json")


def created(body: BaseModel, location: str) -> Response:
    """Return 201 with the resource and its URL."""
    return Response(body.model_dump_json(), 201, {"Location": location}, content_type="application/json")


def secret(response: Response) -> Response:
    """Return the response as one whose members `SECRETS` are stored nowhere, not even for repeated requests."""
    response.headers["Cache-Control"] = "no-store"
    return response


def without_secrets(response: Response) -> str:
    """Return the body of a response as it may be stored: with null for secrets."""
    body = response.get_data(as_text=True)
    if not response.cache_control.no_store or not response.is_json:
        return body
    document = json.loads(body)
    hidden: Mapping[str, object] = dict.fromkeys(SECRETS & document.keys())
    return json.dumps(document | hidden)


def done() -> Response:
    """Return 204, without a body."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


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
