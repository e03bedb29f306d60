"""Query strings: each parameter at most once, and none that the route does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Request, current_app
from werkzeug.datastructures import MultiDict

from schemas.request_problems import RequestCode
from webhook.http.errors import refuse
from webhook.http.openapi.declarations import declaration_of

_LONGEST_NAME = 100  # characters of a client's name that a response repeats


def check_query(request: Request) -> None:
    """Refuse repeated parameters, of which programs take either, and any on a route that has none."""
    check_repeated(request.args)
    view = current_app.view_functions.get(request.endpoint or "")
    if request.args and view is not None and not takes_query(view):
        name = next(iter(request.args))[:_LONGEST_NAME]
        raise refuse(RequestCode.INVALID_FIELD, f"There is no parameter “{name}” here.", field=name)


def check_repeated(fields: MultiDict[str, str]) -> None:
    """Refuse fields with a name that occurs more than once."""
    for name, values in fields.lists():
        if len(values) > 1:
            raise refuse(RequestCode.DUPLICATE_FIELD, field=name[:_LONGEST_NAME])


def takes_query(view: Callable[..., Any]) -> bool:
    """Return whether a view declares query parameters; their models refuse unknown ones."""
    if declaration_of(view).query is not None:
        return True
    declared = getattr(view, "_spec", {}).get("args") or []  # where the framework keeps what `input` declares
    return any(location == "query" for _, location in declared)
