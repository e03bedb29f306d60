"""Responses of resources that are created, read, changed and deleted."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel


def shown(body: BaseModel) -> Response:
    """Return 200 with the resource."""
    return Response(body.model_dump_json(), content_type="application/json")


def created(body: BaseModel, location: str) -> Response:
    """Return 201 with the resource and its URL."""
    return Response(body.model_dump_json(), 201, {"Location": location}, content_type="application/json")


def done() -> Response:
    """Return 204, without a body."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response
