"""The plain answers of resources that are made, shown, changed and deleted."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel


def shown(body: BaseModel) -> Response:
    """200 with the thing."""
    return Response(body.model_dump_json(), content_type="application/json")


def created(body: BaseModel, location: str) -> Response:
    """201 with the thing and where it is from now on."""
    return Response(body.model_dump_json(), 201, {"Location": location}, content_type="application/json")


def done() -> Response:
    """204: there is nothing left to show."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response
