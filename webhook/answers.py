"""The plain answers of resources that are made, shown, changed and deleted; and the stop where a rule refuses."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response
from pydantic import BaseModel

from schemas.problems import RequestCode
from webhook.errors import refuse


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


def stop_if(code: RequestCode | None, words: Mapping[RequestCode, str], **more: object) -> None:
    """End the request here if a rule says so; `words` tell what a code means for this resource."""
    if code is not None:
        raise refuse(code, words.get(code, ""), **more)
