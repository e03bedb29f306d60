"""The blueprint of all pages, and the checks that every request passes: sign-in, rate (R37), role (R35) and CSRF.

A page that needs no sign-in is marked `@open_to_all`, every other one with what it needs (`webhook.http.access`). A
form whose body is read as a stream is marked `@late`: it calls `csrf.check_token` itself, as soon as it has the fields
and before it does anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from apiflask import APIBlueprint
from flask import current_app, request

from webhook.http import access, auth, quotas
from webhook.portal.shared import csrf
from webhook.portal.shared.content_negotiation import READING
from webhook.portal.shared.login_required import load, require_admin, session

bp = APIBlueprint("portal", "webhook.portal", template_folder="templates", enable_openapi=False)

View = TypeVar("View", bound=Callable[..., Any])
_OPEN, _LATE = "_portal_open", "_portal_late"


def open_to_all(view: View) -> View:
    """Mark a page that needs no sign-in."""
    setattr(view, _OPEN, True)
    return view


def late(view: View) -> View:
    """Mark a form that calls `csrf.check_token` itself."""
    setattr(view, _LATE, True)
    return view


@bp.before_request
def _admit() -> Any:  # noqa: ANN401 - None or a response
    view = current_app.view_functions[request.endpoint or ""]
    if request.endpoint == "portal.static":
        return None
    load()
    if request.method not in READING:
        csrf.check_origin()
    if not getattr(view, _OPEN, False):
        answer = require_admin()
        if answer is not None:
            return answer
        quotas.count_page(session().tenant, session().admin_id, session().request_limit)
        access.check(auth.actor(), access.operation_of(view))
    if request.method not in READING and not getattr(view, _LATE, False):
        csrf.check_form()
    return None
