"""The web application: registers blueprints, error handlers and hooks. Served by `webhook.asgi`."""

from __future__ import annotations

from functools import partial
from typing import Any

from apiflask import APIFlask
from flask import Response, redirect, request
from flask_swagger_ui import get_swaggerui_blueprint

from webhook import portal
from webhook.api import (
    actions,
    callbacks,
    carriers,
    changes,
    exports,
    health,
    import_profiles,
    jobs,
    metrics,
    numbers,
    reports,
    templates,
    tenants,
    tokens,
    uploads,
    users,
    webhooks,
)
from webhook.http import body_limits, cross_origin, errors, idempotency, refusals, request_ids, request_metrics
from webhook.http.openapi import document
from webhook.http.request_bodies import BoundedRequest
from worker.config import logs
from worker.config.settings import get_settings
from worker.storage import files

# Only the documentation page needs inline scripts and styles; by default, a response may load nothing at all.
_DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'"
)
_POLICY = "default-src 'none'; frame-ancestors 'none'"


def create_app() -> APIFlask:
    """Return a configured application."""
    logs.configure()
    files.limit_calls(get_settings().most_storage_calls)
    app = APIFlask(
        "numberyard",
        title="Numberyard",
        version="1",
        docs_path=None,
        spec_path="/openapi.json",
        static_folder=None,  # type: ignore[arg-type] # Flask takes None: the portal and the docs have their own
    )
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        SECURITY_SCHEMES={"bearer": {"type": "http", "scheme": "bearer"}},
        VALIDATION_ERROR_STATUS_CODE=422,
        MAX_FORM_MEMORY_SIZE=1024 * 1024,
    )
    app.request_class = BoundedRequest
    errors.register(app)
    app.register_error_handler(idempotency.ReplayedError, idempotency.replay)
    for resource in (
        uploads,
        import_profiles,
        actions,
        jobs,
        numbers,
        reports,
        exports,
        changes,
        templates,
        tenants,
        users,
        carriers,
        tokens,
        callbacks,
        webhooks,
        health,
        metrics,
    ):
        app.register_blueprint(resource.bp)
        idempotency.install(app, resource.bp)
    # Without this, Swagger UI sends the document's address to a public validator on any host but localhost.
    docs = {"app_name": "Numberyard API", "validatorUrl": None}
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", config=docs))
    # Flask's own redirect would lead to whatever host the request named.
    app.add_url_rule("/docs", "docs", app.doc(hide=True)(_to_docs))
    app.register_blueprint(portal.bp)
    portal.register(app)
    app.spec_processor(partial(document.complete, app))
    app.before_request(request_metrics.note_route)
    app.before_request(request_ids.begin)
    app.before_request(refusals.raise_if_any)
    app.before_request(body_limits.apply)
    cross_origin.install(app, get_settings().origins_for_api)
    app.after_request(_seal)
    app.after_request(portal.dress)  # runs before `_seal`: Flask calls these in reverse order
    app.wsgi_app = request_metrics.Measured(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _to_docs() -> Any:  # noqa: ANN401 - Flask has no type for what a view returns
    return redirect("/docs/", 308)


def _seal(response: Response) -> Response:
    """Add the headers that every response has; those that the portal has set are kept."""
    request_ids.end(response)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    policy = _DOCS_POLICY if request.path.startswith("/docs") else _POLICY
    response.headers.setdefault("Content-Security-Policy", policy)
    if request.path.startswith("/v1/"):
        response.headers.setdefault("Cache-Control", "private, no-cache")
    return response
