"""The layout of every page: globals of templates, navigation, headers, and problems rendered as pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from apiflask import APIFlask
from flask import Response, current_app, g, json, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from schemas import permissions
from schemas.capabilities import CAPABILITIES
from schemas.http import resources
from schemas.permissions import Tenant, TenantKind
from schemas.request_problems import RequestCode
from schemas.roles import Operation, Role
from webhook.http import auth
from webhook.portal.shared import csrf, flash, static_files
from webhook.portal.shared.content_negotiation import READING, came_from, local, wants_page
from webhook.portal.shared.durations import file_size
from webhook.portal.shared.login_required import load
from webhook.portal.shared.select_fields import name_field
from worker.phone.formatting import country_name, readable, spoken

POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "font", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
KINDS = {
    TenantKind.MASTER_RESELLER: "Master Reseller",
    TenantKind.RESELLER: "Reseller",
    TenantKind.ENTERPRISE: "Enterprise",
}
_TENANT_PAGES = {TenantKind.ENTERPRISE: "enterprises", TenantKind.RESELLER: "resellers"}
_PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class NavigationEntry:
    """An entry of the navigation: shown if its page exists, and the tenant and the person's role can use it."""

    label: str
    path: str
    operation: Operation
    is_for: Callable[[Tenant], bool] = lambda _: True


def _makes(kind: TenantKind) -> Callable[[Tenant], bool]:
    """Return a check of whether a tenant may create tenants of a kind (R1), below it or below its own tenants."""

    def check(actor: Tenant) -> bool:
        code = permissions.check_create_tenant(actor, actor, kind, allow_external_numbers=False)
        return code is not RequestCode.FORBIDDEN

    return check


def _may_have_profiles(actor: Tenant) -> bool:
    return permissions.check_create_profile(actor) is None


PLACES = (
    NavigationEntry("Overview", "/overview", Operation.READ_NUMBERS),
    NavigationEntry("Phone Numbers", "/numbers", Operation.READ_NUMBERS),
    NavigationEntry("Activity", "/jobs", Operation.READ_JOBS),
    NavigationEntry("Users", "/users", Operation.READ_ACCOUNTS),
    NavigationEntry("Enterprises", "/enterprises", Operation.READ_ACCOUNTS, _makes(TenantKind.ENTERPRISE)),
    NavigationEntry("Resellers", "/resellers", Operation.READ_ACCOUNTS, _makes(TenantKind.RESELLER)),
    NavigationEntry("Carriers", "/carriers", Operation.READ_ACCOUNTS),
    NavigationEntry("Import profiles", "/import-profiles", Operation.READ_PROFILES, _may_have_profiles),
    NavigationEntry("Webhooks", "/webhooks", Operation.READ_JOBS),
    NavigationEntry("API tokens", "/tokens", Operation.READ_TOKENS),
    NavigationEntry("Limits", "/limits", Operation.READ_ACCOUNTS),
)


def register(app: APIFlask) -> None:
    """Register the globals of templates."""
    app.jinja_env.globals.update(
        asset=static_files.address,
        csrf_token=csrf.token,
        notices=flash.pending_messages,
        navigation=navigation,
        is_here=is_here,
        kind_name=kind_name,
        readable=readable,
        spoken=spoken,
        country_name=country_name,
        file_size=file_size,
        capabilities=CAPABILITIES,
        admin=admin,
        may=may,
        role_name=role_name,
        tenant_address=tenant_address,
        name_field=name_field,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def admin() -> Any:  # noqa: ANN401 - a session, for templates
    """Return the session of the signed-in admin, or None."""
    return g.get("session")


def navigation() -> list[NavigationEntry]:
    """Return the navigation of the signed-in admin."""
    current_session = g.get("session")
    if current_session is None or current_session.must_change_password:
        return []
    paths = {rule.rule for rule in current_app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    return [
        place
        for place in PLACES
        if place.path in paths and may(place.operation) and place.is_for(current_session.tenant)
    ]


def may(operation: str) -> bool:
    """Return whether the role of the signed-in person is enough for an operation (R35)."""
    return permissions.check_operation(auth.actor(), Operation(operation)) is None


def role_name(role: str) -> str:
    """Return the label of a role."""
    return Role(role).value.capitalize()


def is_here(path: str) -> bool:
    """Return whether the page belongs to this entry of the navigation."""
    return request.path == path or request.path.startswith(f"{path}/")


def kind_name(kind: TenantKind | str) -> str:
    """Return the label of a tenant kind."""
    return KINDS[TenantKind(kind)]


def tenant_address(tenant: resources.TenantRef) -> str:
    """Return the URL of the page where a tenant is changed; "" if the admin has none, as for its own."""
    kind, actor = TenantKind(tenant.kind), auth.actor().tenant
    if tenant.id == actor.public_id or kind not in _TENANT_PAGES or not _makes(kind)(actor):
        return ""
    if not may(Operation.CHANGE_ACCOUNTS):
        return ""
    return url_for("portal.edit_level", level=_TENANT_PAGES[kind], tenant_id=tenant.id)


def dress(response: Response) -> Response:
    """Render problems as pages for people, and add the headers of pages. Runs after every request."""
    if response.mimetype == _PROBLEM and wants_page(request):
        _as_page(response)
    if request.endpoint == "portal.static" and response.status_code < HTTPStatus.BAD_REQUEST:
        return response
    if request.blueprint == "portal" or wants_page(request):
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Cookie"
        response.headers["Content-Security-Policy"] = POLICY
        # Not "no-referrer": then browsers would send `Origin: null` with forms.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        csrf.keep(response)
    return response


def _as_page(response: Response) -> None:
    problem = json.loads(response.get_data())
    if problem["detail"] == HTTPStatus(response.status_code).phrase:
        problem["detail"] = problem["title"]  # a sentence, unlike the phrase of the status
    _who()
    again = local(request.full_path.rstrip("?")) if request.method in READING else came_from(request)
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    page = render_template("portal/problem.html", problem=problem, again=again, request_id=request_id)
    response.set_data(page)
    response.content_type = "text/html; charset=utf-8"
    del response.headers["WWW-Authenticate"]


def _who() -> None:
    """Load the session for the navigation, if possible: the database may be what has failed."""
    if "session" in g:
        return
    try:
        load()
    except SQLAlchemyError:
        g.session, g.over = None, None
