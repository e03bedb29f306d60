"""The web application: registers blueprints, error handlers and hooks. Served by `webhook.asgi`."""

from __future__ import annotations

from functools import partial

from apiflask import APIFlask
from flask import Response, request

from schemas.quotas import QuotaExceededError
from webhook import portal, reference
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
from webhook.api import quotas as quotas_api
from webhook.http import (
    body_limits,
    cross_origin,
    errors,
    idempotency,
    quotas,
    refusals,
    request_ids,
    request_metrics,
    usable_schema,
)
from webhook.http.openapi import document
from webhook.http.request_bodies import BoundedRequest
from worker.config import logs
from worker.config.settings import get_settings
from worker.storage import files

# By default, a response may load nothing at all. Pages have policies of their own.
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
    app.register_error_handler(QuotaExceededError, _over_quota)
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
        quotas_api,
        health,
        metrics,
    ):
        app.register_blueprint(resource.bp)
        idempotency.install(app, resource.bp)
    app.register_blueprint(reference.bp)
    app.register_blueprint(portal.bp)
    portal.register(app)
    app.spec_processor(partial(document.complete, app))
    app.before_request(request_metrics.note_route)
    app.before_request(request_ids.begin)
    app.before_request(refusals.raise_if_any)
    app.before_request(body_limits.apply)
    app.before_request(usable_schema.refuse_if_not)
    cross_origin.install(app, get_settings().origins_for_api)
    app.after_request(_seal)
    app.after_request(portal.dress)  # runs before `_seal`: Flask calls these in reverse order
    app.wsgi_app = request_metrics.Measured(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _over_quota(exceeded: QuotaExceededError) -> Response:
    refusal = quotas.refused(exceeded)
    return errors.respond(refusal.body, refusal.headers)


def _seal(response: Response) -> Response:
    """Add the headers that every response has; those that pages have set are kept."""
    request_ids.end(response)
    response.headers.pop("Date", None)  # the server adds one to every response; Werkzeug does to conditional ones
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    quotas.add_headers(response)
    if request.path.startswith("/v1/"):
        response.headers.setdefault("Cache-Control", "private, no-cache")
    return response
