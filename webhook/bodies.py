"""Bodies of requests that are read here and not by the framework: JSON of many numbers, and the fields of forms.

A hostile body costs no more than a large honest one: its size, members and items are limited before it is understood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from schemas.actions import MOST_NUMBERS
from schemas.codes import Code
from schemas.problems import RequestCode
from webhook.errors import refuse, refuse_file

MIB = 1024 * 1024
JSON = "application/json"
MULTIPART = "multipart/form-data"
LONGEST = 64 * MIB  # bytes
MOST_MEMBERS = 64  # of one object
# Commas and brackets, a cheap measure of how many things parsing makes; numbers as people write them hold few.
MOST_MARKS = 3 * MOST_NUMBERS
_LONGEST_FIELD = 100  # characters of the client's own names that an answer repeats
_MOST_FAULTS = 20
Body = TypeVar("Body", bound=BaseModel)


class _NotJsonError(ValueError):
    """JSON that means two things, or is none (RFC 8259)."""


def read_json(request: Request, limit: int = LONGEST) -> Mapping[str, Any]:
    """The request's JSON object. `Refused` when it is too large, broken off, no JSON, or ambiguous."""
    request.max_content_length = limit
    try:
        content = request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise refuse_file(Code.FILE_TOO_LARGE, f"A JSON body may have {limit} bytes.", limit=limit) from error
    except ClientDisconnected as error:
        raise refuse_file(Code.TRUNCATED_UPLOAD) from error
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_MARKS:
        raise refuse(RequestCode.INVALID_FIELD, f"A list may have {MOST_NUMBERS} numbers; send a file instead.")
    return _object(content)


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content.decode(), object_pairs_hook=_members, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        detail = str(error) if isinstance(error, _NotJsonError) else "The body is not the JSON that is wanted here."
        raise refuse(RequestCode.BAD_REQUEST, detail) from error
    if not isinstance(found, dict):
        raise refuse(RequestCode.BAD_REQUEST, "The body must be a JSON object.")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members. Of two with one name a reader would take the one or the other (RFC 8259, section 4)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotJsonError("A name is there twice in one object.")
    if len(pairs) > MOST_MEMBERS:
        raise _NotJsonError(f"An object has more than {MOST_MEMBERS} members.")
    return found


def _not_json(constant: str) -> NoReturn:
    raise _NotJsonError(f"{constant} is not JSON.")


def validated(body: type[Body], raw: Mapping[str, Any]) -> Body:
    """The body that the fields make; `Refused` with each field that is wrong, and why."""
    try:
        return body.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[:_MOST_FAULTS]
        errors = [{"field": _name(entry["loc"]), "message": entry["msg"]} for entry in found]
        detail = "; ".join(": ".join(filter(None, (entry["field"], entry["message"]))) for entry in errors)
        raise refuse(RequestCode.INVALID_FIELD, detail, errors=errors) from error


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:_LONGEST_FIELD] for part in location)


def form_schema(form: type[BaseModel]) -> dict[str, Any]:
    """What a multipart body with a file and this form is, for the API's description."""
    schema = form.model_json_schema()
    schema["properties"]["file"] = {"type": "string", "contentMediaType": "application/octet-stream"}
    return {MULTIPART: {"schema": schema | {"required": ["file"]}}}
